//! Which of slalom's ops stands for which function of the expressions.
mod elementwise;
#[cfg(feature = "linalg")]
mod factorizations;
mod indexing;
mod linalg;
mod normalization;
mod reductions;
mod shapes;
mod spatial;
mod special;

pub(crate) use elementwise::{of_scalar, of_tensors, with_scalar};

use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_array::Result;
use slalom_autograd::Tensor;

pub(crate) type Function = fn(&mut Arguments) -> Result<Object, Failure>;

/// The functions that are there with the feature `linalg` only.
pub(crate) const FACTORIZATIONS: [&str; 13] = [
    "tf.linalg.cholesky",
    "tf.linalg.det",
    "tf.linalg.eigh",
    "tf.linalg.eigvalsh",
    "tf.linalg.expm",
    "tf.linalg.inv",
    "tf.linalg.logdet",
    "tf.linalg.lstsq",
    "tf.linalg.pinv",
    "tf.linalg.qr",
    "tf.linalg.slogdet",
    "tf.linalg.solve",
    "tf.linalg.svd",
];

/// The feature that a function belongs to, if it is not built.
pub(crate) fn not_built(names: &[String]) -> Option<String> {
    let linalg = names.iter().any(|name| FACTORIZATIONS.contains(&name.as_str()));
    (linalg && cfg!(not(feature = "linalg"))).then(|| "feature linalg".to_owned())
}

/// The function of a name.
pub(crate) fn find(name: &str) -> Option<Function> {
    let tables = [
        elementwise::TABLE,
        #[cfg(feature = "linalg")]
        factorizations::TABLE,
        indexing::TABLE,
        linalg::TABLE,
        normalization::TABLE,
        reductions::TABLE,
        shapes::TABLE,
        spatial::TABLE,
        special::TABLE,
    ];
    tables.into_iter().flatten().find(|(known, _)| *known == name).map(|row| row.1)
}

/// `f(x)`, of an op that may fail.
fn unary(args: &mut Arguments, op: fn(&Tensor) -> Result<Tensor>) -> Result<Object, Failure> {
    Ok(op(&args.tensor("x")?)?.into())
}

/// `f(x)`, of an op that cannot fail.
fn total(args: &mut Arguments, op: fn(&Tensor) -> Tensor) -> Result<Object, Failure> {
    Ok(op(&args.tensor("x")?).into())
}

/// `f(x, y)`
fn pair(args: &mut Arguments, op: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Object, Failure> {
    Ok(op(&args.tensor("x")?, &args.tensor("y")?)?.into())
}

/// `f(x, axis)`, with a default for the axis.
fn along(
    args: &mut Arguments,
    default: i64,
    op: fn(&Tensor, isize) -> Result<Tensor>,
) -> Result<Object, Failure> {
    Ok(op(&args.tensor("x")?, args.integer_or("axis", default)? as isize)?.into())
}
