//! Linear algebra without factorizations.
use super::Function;
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_autograd::{Tensor, einsum};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.einsum", |a| {
        let Object::Text(equation) = a.take("equation")? else { return Err("no equation".into()) };
        let operands = a.positional.drain(..).map(|x| x.tensor()).collect::<Result<Vec<_>, _>>()?;
        Ok(einsum(&equation, &operands)?.into())
    }),
    ("tf.eye", |a| {
        let n = a.integer("num_rows")? as usize;
        let columns = a.integer_or("num_columns", n as i64)? as usize;
        Ok(Tensor::eye(n, columns, a.dtype("dtype")?)?.into())
    }),
    ("tf.tensordot", tensordot),
    ("tf.linalg.band_part", |a| {
        let x = a.tensor("input")?;
        let mut bound = |name| a.integer(name).map(|n| usize::try_from(n).ok());
        Ok(x.band_part(bound("num_lower")?, bound("num_upper")?)?.into())
    }),
    ("tf.linalg.cholesky_solve", |a| Ok(a.tensor("chol")?.cholesky_solve(a.tensor("rhs")?)?.into())),
    ("tf.linalg.cross", |a| Ok(a.tensor("a")?.cross(a.tensor("b")?)?.into())),
    ("tf.linalg.diag", |a| Ok(a.tensor("diagonal")?.diag(a.integer_or("k", 0)? as isize)?.into())),
    ("tf.linalg.diag_part", |a| Ok(a.tensor("input")?.diag_part(a.integer_or("k", 0)? as isize)?.into())),
    ("tf.linalg.matvec", |a| {
        let (matrix, vector) = (a.tensor("a")?, a.tensor("b")?);
        Ok(matrix.matvec(vector, a.flag("transpose_a")?)?.into())
    }),
    ("tf.linalg.set_diag", |a| Ok(a.tensor("input")?.set_diag(a.tensor("diagonal")?)?.into())),
    ("tf.linalg.trace", |a| Ok(a.tensor("x")?.trace()?.into())),
    ("tf.linalg.triangular_solve", |a| {
        let (matrix, rhs) = (a.tensor("matrix")?, a.tensor("rhs")?);
        let lower = a.flag_or("lower", true)?;
        Ok(matrix.triangular_solve(rhs, lower, a.flag("adjoint")?)?.into())
    }),
];

/// Over a number of axes, or over two lists of them.
fn tensordot(args: &mut Arguments) -> Result<Object, Failure> {
    let (a, b) = (args.tensor("a")?, args.tensor("b")?);
    Ok(match args.take("axes")? {
        Object::List(lists) => match &lists[..] {
            [left, right] => a.tensordot_axes(b, &left.integers()?, &right.integers()?)?,
            _ => return Err("axes are two lists".into()),
        },
        count => a.tensordot(b, count.integer()? as usize)?,
    }
    .into())
}
