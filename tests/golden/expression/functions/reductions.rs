//! Functions that reduce or run along axes, and products.
use super::{Function, along};
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_array::Result;
use slalom_autograd::Tensor;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.reduce_sum", |a| reduction(a, Tensor::sum_axes)),
    ("tf.math.reduce_sum", |a| reduction(a, Tensor::sum_axes)),
    ("tf.math.reduce_mean", |a| reduction(a, Tensor::mean_axes)),
    ("tf.math.reduce_max", |a| reduction(a, Tensor::max)),
    ("tf.math.reduce_min", |a| reduction(a, Tensor::min)),
    ("tf.math.reduce_prod", |a| reduction(a, Tensor::prod)),
    ("tf.reduce_prod", |a| reduction(a, Tensor::prod)),
    ("tf.math.reduce_logsumexp", |a| reduction(a, Tensor::logsumexp)),
    ("tf.reduce_logsumexp", |a| reduction(a, Tensor::logsumexp)),
    ("tf.math.reduce_variance", |a| reduction(a, Tensor::variance)),
    ("tf.math.reduce_std", |a| reduction(a, Tensor::std)),
    ("tf.math.reduce_euclidean_norm", |a| reduction(a, Tensor::norm)),
    ("tf.math.l2_normalize", |a| {
        let (x, axes) = axes(a)?;
        Ok(x.l2_normalize(&axes)?.into())
    }),
    ("tf.nn.moments", |a| {
        let (x, axes) = axes(a)?;
        let keep_dims = a.flag("keepdims")?;
        Ok(vec![x.mean_axes(&axes, keep_dims)?, x.variance(&axes, keep_dims)?].into())
    }),
    ("tf.nn.softmax", |a| along(a, -1, Tensor::softmax)),
    ("tf.nn.log_softmax", |a| along(a, -1, Tensor::log_softmax)),
    ("tf.nn.softmax_cross_entropy_with_logits", |a| {
        let labels = a.tensor("labels")?;
        Ok(a.tensor("logits")?.softmax_cross_entropy_with_logits(labels)?.into())
    }),
    ("tf.nn.sparse_softmax_cross_entropy_with_logits", |a| {
        let labels = a.tensor("labels")?;
        Ok(a.tensor("logits")?.sparse_softmax_cross_entropy_with_logits(labels)?.into())
    }),
    ("tf.matmul", matmul),
];

/// `f(x, axis=None, keepdims=False)`
fn reduction(
    args: &mut Arguments,
    op: fn(&Tensor, &[isize], bool) -> Result<Tensor>,
) -> Result<Object, Failure> {
    let (x, axes) = axes(args)?;
    Ok(op(&x, &axes, args.flag("keepdims")?)?.into())
}

/// A tensor and the axes named, or all.
fn axes(args: &mut Arguments) -> Result<(Tensor, Vec<isize>), Failure> {
    let x = args.tensor("input_tensor")?;
    let axes = args.axes("axis")?.unwrap_or_else(|| (0..x.rank() as isize).collect());
    Ok((x, axes))
}

fn matmul(args: &mut Arguments) -> Result<Object, Failure> {
    let (a, b) = (args.tensor("a")?, args.tensor("b")?);
    let (transpose_a, transpose_b) = (args.flag("transpose_a")?, args.flag("transpose_b")?);
    Ok(a.matmul_transposed(&b, transpose_a, transpose_b)?.into())
}
