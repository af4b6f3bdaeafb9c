//! Factorizations and what is computed with them.
use super::{Function, unary};
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_autograd::Tensor;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.linalg.cholesky", |a| unary(a, Tensor::cholesky)),
    ("tf.linalg.det", |a| unary(a, Tensor::det)),
    ("tf.linalg.eigh", |a| {
        let (values, vectors) = a.tensor("tensor")?.eigh()?;
        Ok(vec![values, vectors].into())
    }),
    ("tf.linalg.eigvalsh", |a| unary(a, Tensor::eigvalsh)),
    ("tf.linalg.expm", |a| unary(a, Tensor::expm)),
    ("tf.linalg.inv", |a| {
        let inverse = a.tensor("input")?.inv()?;
        Ok(if a.flag("adjoint")? { inverse.t()? } else { inverse }.into())
    }),
    ("tf.linalg.logdet", |a| unary(a, Tensor::logdet)),
    ("tf.linalg.lstsq", |a| {
        let (matrix, rhs) = (a.tensor("matrix")?, a.tensor("rhs")?);
        Ok(matrix.lstsq(rhs, a.float_or("l2_regularizer", 0.0)?)?.into())
    }),
    ("tf.linalg.pinv", |a| unary(a, |x| x.pinv(None))),
    ("tf.linalg.qr", |a| {
        let (q, r) = a.tensor("input")?.qr(a.flag("full_matrices")?)?;
        Ok(vec![q, r].into())
    }),
    ("tf.linalg.slogdet", |a| {
        let (sign, log) = a.tensor("input")?.slogdet()?;
        Ok(vec![sign, log].into())
    }),
    ("tf.linalg.solve", |a| {
        let (matrix, rhs) = (a.tensor("matrix")?, a.tensor("rhs")?);
        Ok(matrix.solve(rhs, a.flag("adjoint")?)?.into())
    }),
    ("tf.linalg.svd", svd),
];

/// Singular values, and vectors unless they are not wanted.
fn svd(args: &mut Arguments) -> Result<Object, Failure> {
    let x = args.tensor("tensor")?;
    let full_matrices = args.flag("full_matrices")?;
    if !args.flag_or("compute_uv", true)? {
        return Ok(x.svdvals()?.into());
    }
    let (s, u, v) = x.svd(full_matrices)?;
    Ok(vec![s, u, v].into())
}
