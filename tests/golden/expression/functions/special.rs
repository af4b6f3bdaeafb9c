//! Running totals, special functions, norms.
use super::{Function, unary};
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_array::Result;
use slalom_autograd::{Tensor, clip_by_global_norm, global_norm};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.cumsum", |a| scan(a, Tensor::cumsum)),
    ("tf.math.cumsum", |a| scan(a, Tensor::cumsum)),
    ("tf.math.cumprod", |a| scan(a, Tensor::cumprod)),
    ("tf.math.cumulative_logsumexp", |a| scan(a, Tensor::cumulative_logsumexp)),
    ("tf.math.lgamma", |a| unary(a, Tensor::lgamma)),
    ("tf.math.digamma", |a| unary(a, Tensor::digamma)),
    ("tf.math.erfinv", |a| unary(a, Tensor::erfinv)),
    ("tf.norm", norm),
    ("tf.linalg.normalize", |a| {
        let x = a.tensor("tensor")?;
        let axes = a.axes("axis")?.unwrap_or_else(|| all_axes(&x));
        let (y, norm) = x.normalize(2.0, &axes)?;
        Ok(vec![y, norm].into())
    }),
    ("tf.nn.l2_loss", |a| unary(a, Tensor::l2_loss)),
    ("tf.clip_by_norm", |a| {
        let (x, c) = (a.tensor("t")?, a.take("clip_norm")?.float()?);
        let axes = a.axes("axes")?.unwrap_or_else(|| all_axes(&x));
        Ok(x.clip_by_norm(c, &axes)?.into())
    }),
    ("tf.linalg.global_norm", |a| Ok(global_norm(&a.tensors("t_list")?)?.into())),
    ("tf.clip_by_global_norm", |a| {
        let (clipped, norm) = clip_by_global_norm(&a.tensors("t_list")?, a.take("clip_norm")?.float()?)?;
        Ok(Object::List(vec![clipped.into(), norm.into()]))
    }),
    ("tf.nn.weighted_cross_entropy_with_logits", |a| {
        let (labels, logits) = (a.tensor("labels")?, a.tensor("logits")?);
        Ok(logits.weighted_cross_entropy_with_logits(labels, a.take("pos_weight")?.float()?)?.into())
    }),
    ("float", |a| match a.take("text")? {
        Object::Text(text) if text == "inf" => Ok(Object::Float(f64::INFINITY)),
        other => Err(format!("not a number: {other}").into()),
    }),
];

fn all_axes(x: &Tensor) -> Vec<isize> {
    (0..x.rank() as isize).collect()
}

fn scan(
    args: &mut Arguments,
    op: fn(&Tensor, isize, bool, bool) -> Result<Tensor>,
) -> Result<Object, Failure> {
    let (x, axis) = (args.tensor("x")?, args.integer_or("axis", 0)? as isize);
    let (exclusive, reverse) = (args.flag("exclusive")?, args.flag("reverse")?);
    Ok(op(&x, axis, exclusive, reverse)?.into())
}

fn norm(args: &mut Arguments) -> Result<Object, Failure> {
    let x = args.tensor("tensor")?;
    let ord = match args.optional("ord") {
        None => 2.0,
        Some(Object::Text(text)) if text == "euclidean" || text == "fro" => 2.0,
        Some(ord) => ord.float()?,
    };
    let axes = args.axes("axis")?.unwrap_or_else(|| all_axes(&x));
    Ok(x.vector_norm(ord, &axes, args.flag("keepdims")?)?.into())
}
