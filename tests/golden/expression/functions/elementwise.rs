//! Functions of each element, and operators.
use super::{Function, pair, total, unary};
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_autograd::Tensor;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.abs", |a| total(a, Tensor::abs)),
    ("tf.sign", |a| total(a, Tensor::sign)),
    ("tf.square", |a| total(a, Tensor::square)),
    ("tf.nn.relu", |a| total(a, Tensor::relu)),
    ("tf.exp", |a| unary(a, Tensor::exp)),
    ("tf.math.log", |a| unary(a, Tensor::log)),
    ("tf.math.log1p", |a| unary(a, Tensor::log1p)),
    ("tf.math.expm1", |a| unary(a, Tensor::expm1)),
    ("tf.sqrt", |a| unary(a, Tensor::sqrt)),
    ("tf.math.rsqrt", |a| unary(a, Tensor::rsqrt)),
    ("tf.tanh", |a| unary(a, Tensor::tanh)),
    ("tf.sigmoid", |a| unary(a, Tensor::sigmoid)),
    ("tf.math.softplus", |a| unary(a, Tensor::softplus)),
    ("tf.math.reciprocal", |a| unary(a, Tensor::reciprocal)),
    ("tf.sin", |a| unary(a, Tensor::sin)),
    ("tf.cos", |a| unary(a, Tensor::cos)),
    ("tf.tan", |a| unary(a, Tensor::tan)),
    ("tf.asin", |a| unary(a, Tensor::asin)),
    ("tf.acos", |a| unary(a, Tensor::acos)),
    ("tf.atan", |a| unary(a, Tensor::atan)),
    ("tf.sinh", |a| unary(a, Tensor::sinh)),
    ("tf.cosh", |a| unary(a, Tensor::cosh)),
    ("tf.asinh", |a| unary(a, Tensor::asinh)),
    ("tf.acosh", |a| unary(a, Tensor::acosh)),
    ("tf.atanh", |a| unary(a, Tensor::atanh)),
    ("tf.math.erf", |a| unary(a, Tensor::erf)),
    ("tf.math.erfc", |a| unary(a, Tensor::erfc)),
    ("tf.math.log_sigmoid", |a| unary(a, Tensor::log_sigmoid)),
    ("tf.floor", |a| unary(a, Tensor::floor)),
    ("tf.math.ceil", |a| unary(a, Tensor::ceil)),
    ("tf.round", |a| unary(a, Tensor::round)),
    ("tf.nn.relu6", |a| unary(a, Tensor::relu6)),
    ("tf.nn.silu", |a| unary(a, Tensor::silu)),
    ("tf.nn.softsign", |a| unary(a, Tensor::softsign)),
    ("tf.nn.selu", |a| unary(a, Tensor::selu)),
    ("tf.nn.elu", |a| unary(a, |x| x.elu(1.0))),
    ("tf.nn.leaky_relu", |a| {
        let x = a.tensor("features")?;
        Ok(x.leaky_relu(a.float_or("alpha", 0.2)?)?.into())
    }),
    ("tf.nn.gelu", |a| {
        let x = a.tensor("features")?;
        Ok(if a.flag("approximate")? { x.gelu_tanh()? } else { x.gelu()? }.into())
    }),
    ("tf.clip_by_value", clip_by_value),
    ("tf.identity", |a| total(a, Tensor::clone)),
    ("tf.stop_gradient", |a| total(a, Tensor::stop_gradient)),
    ("tf.zeros_like", |a| unary(a, |x| Tensor::zeros(x.shape(), x.dtype()))),
    ("tf.cast", |a| Ok(a.tensor("x")?.cast(a.dtype("dtype")?)?.into())),
    ("tf.math.squared_difference", |a| pair(a, |x, y| x.squared_difference(y))),
    ("tf.maximum", |a| pair(a, |x, y| x.maximum(y))),
    ("tf.minimum", |a| pair(a, |x, y| x.minimum(y))),
    ("tf.math.floormod", |a| pair(a, |x, y| x.floormod(y))),
    ("tf.atan2", |a| pair(a, |x, y| x.atan2(y))),
    ("tf.math.xlogy", |a| pair(a, |x, y| x.xlogy(y))),
    ("tf.math.xdivy", |a| pair(a, |x, y| x.xdivy(y))),
    ("tf.math.divide_no_nan", |a| pair(a, |x, y| x.divide_no_nan(y))),
    ("tf.where", |a| {
        let condition = a.tensor("condition")?;
        Ok(condition.where_(a.tensor("x")?, a.tensor("y")?)?.into())
    }),
    ("tf.add_n", |a| {
        let sum = a.tensors("inputs")?.into_iter().reduce(|sum, x| sum + x);
        Ok(sum.ok_or("add_n of nothing")?.into())
    }),
    ("tf.nn.bias_add", |a| Ok((a.tensor("value")? + a.tensor("bias")?).into())),
    ("tf.nn.sigmoid_cross_entropy_with_logits", |a| {
        let labels = a.tensor("labels")?;
        Ok(a.tensor("logits")?.sigmoid_cross_entropy_with_logits(labels)?.into())
    }),
];

/// To bounds that are numbers or tensors.
fn clip_by_value(args: &mut Arguments) -> Result<Object, Failure> {
    let x = args.tensor("t")?;
    Ok(match (args.take("clip_value_min")?, args.take("clip_value_max")?) {
        (Object::Tensor(low), Object::Tensor(high)) => x.clip_by_tensors(low, high)?,
        (low, high) => x.clip_by_value(low.float()?, high.float()?)?,
    }
    .into())
}

/// `a op b`
pub(crate) fn of_tensors(operator: &str, a: &Tensor, b: &Tensor) -> Result<Tensor, Failure> {
    Ok(match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => a.floordiv(b)?,
        "**" => a.pow(b)?,
        _ => return Err(format!("unknown operator {operator}").into()),
    })
}

/// `a op 2.0`
pub(crate) fn with_scalar(operator: &str, a: &Tensor, b: f64) -> Result<Tensor, Failure> {
    let scalar = || Tensor::full([], b, a.dtype());
    Ok(match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => a.floordiv(scalar()?)?,
        "**" => a.pow(scalar()?)?,
        ">" => a.greater(scalar()?)?,
        "<" => a.less(scalar()?)?,
        _ => return Err(format!("unknown operator {operator}").into()),
    })
}

/// `2.0 op b`
pub(crate) fn of_scalar(operator: &str, a: f64, b: &Tensor) -> Result<Tensor, Failure> {
    Ok(match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "**" => Tensor::full([], a, b.dtype())?.pow(b)?,
        _ => return Err(format!("unknown operator {operator}").into()),
    })
}
