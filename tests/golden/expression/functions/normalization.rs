//! Normalization.
use super::Function;
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_autograd::Tensor;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("tf.nn.batch_normalization", |a| {
        let (x, mean, variance) = (a.tensor("x")?, a.tensor("mean")?, a.tensor("variance")?);
        let (offset, scale) = (optional(a, "offset")?, optional(a, "scale")?);
        let epsilon = a.take("variance_epsilon")?.float()?;
        Ok(x.batch_normalization(&mean, &variance, offset.as_ref(), scale.as_ref(), epsilon)?.into())
    }),
    ("tf.compat.v1.nn.fused_batch_norm", |a| {
        let (x, scale, offset) = (a.tensor("x")?, a.tensor("scale")?, a.tensor("offset")?);
        let given = [optional(a, "mean")?, optional(a, "variance")?];
        let epsilon = a.float_or("epsilon", 1e-3)?;
        if a.optional("data_format").is_some() {
            return Err("data formats are not understood".into());
        }
        let training = !matches!(a.optional("is_training"), Some(Object::Bool(false)));
        let [y, mean, variance] = match given {
            [Some(mean), Some(variance)] if !training => {
                let y = x.batch_normalization(&mean, &variance, Some(&offset), Some(&scale), epsilon)?;
                [y, mean, variance]
            }
            [None, None] if training => {
                let [y, mean, variance] = x.batch_norm(-1, Some(&scale), Some(&offset), epsilon)?;
                // This op's variance is divided by one less than the number of elements.
                let count = (x.len() / mean.len().max(1)) as f64;
                [y, mean, variance * (count / (count - 1.0).max(1.0))]
            }
            _ => return Err("statistics in training, or none in inference".into()),
        };
        Ok(vec![y, mean, variance].into())
    }),
];

/// A tensor that may be absent or `None`.
fn optional(args: &mut Arguments, name: &str) -> Result<Option<Tensor>, Failure> {
    match args.optional(name) {
        None | Some(Object::None) => Ok(None),
        Some(given) => given.tensor().map(Some),
    }
}
