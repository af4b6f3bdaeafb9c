//! Losses, as `tf.keras.losses` has them.
mod binary_crossentropy;
mod categorical_crossentropy;
mod categorical_focal_crossentropy;
mod cosine_similarity;
mod hinge;
mod huber;
mod mean_squared_error;
mod regression;
mod simple;
mod sparse_categorical_crossentropy;

pub use binary_crossentropy::{BinaryCrossentropy, BinaryFocalCrossentropy};
pub use categorical_crossentropy::CategoricalCrossentropy;
pub use categorical_focal_crossentropy::CategoricalFocalCrossentropy;
pub use cosine_similarity::{CosineSimilarity, cosine_similarity};
pub use hinge::{CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge};
pub use huber::Huber;
pub use mean_squared_error::{MeanSquaredError, mse};
pub use regression::{
    KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError,
    Poisson, kl_divergence, log_cosh, mae, mape, msle, poisson,
};
pub use sparse_categorical_crossentropy::SparseCategoricalCrossentropy;

use simple::simple_losses;
use slalom_array::{DType, Result};
use slalom_autograd::Tensor;
use std::borrow::Cow;

/// Probabilities are kept this far from 0 and 1, as in Keras.
const EPSILON: f64 = 1e-7;

/// What becomes of the losses of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reduction {
    /// They stay as they are: one for each sample.
    None,
    /// They are summed.
    Sum,
    /// They are summed and divided by their number (not by the sum of their weights).
    #[default]
    SumOverBatchSize,
}

/// The losses of the samples of a batch.
#[derive(Debug, Clone)]
pub struct Losses {
    /// One for each sample.
    pub values: Tensor,
    /// 1 for each sample that counts and 0 for each other one; `None`, if all count.
    pub mask: Option<Tensor>,
}

/// How far predictions are from the truth.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{Loss, MeanSquaredError, Reduction};
/// let y_true = Tensor::from_vec([2, 2], vec![0.0f32, 1.0, 0.0, 0.0])?;
/// let y_pred = Tensor::from_vec([2, 2], vec![1.0f32, 1.0, 2.0, 0.0])?;
/// assert_eq!(MeanSquaredError::new().call(&y_true, &y_pred)?.item()?, 1.25);
/// let weights = Tensor::from_vec([2], vec![1.0f32, 0.5])?;
/// assert_eq!(MeanSquaredError::new().call_weighted(&y_true, &y_pred, &weights)?.item()?, 0.75);
/// let each = MeanSquaredError::new().reduction(Reduction::None).call(&y_true, &y_pred)?;
/// assert_eq!(each.to_vec::<f32>()?, [0.5, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait Loss {
    /// The losses of the samples, before weights and reduction.
    ///
    /// # Errors
    /// If the truth and the predictions do not fit together.
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses>;

    /// What [`call`](Loss::call) does with the losses of the samples.
    fn kind_of_reduction(&self) -> Reduction;

    /// The reduced loss.
    ///
    /// # Errors
    /// If the truth and the predictions do not fit together.
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        reduce(self.losses(y_true, y_pred)?, None, self.kind_of_reduction())
    }

    /// The reduced loss of samples that are multiplied by weights first. Weights have the shape of the losses, or one
    /// that broadcasts to it; they may lack its last axis or have one of length 1 more. They take the losses' type.
    ///
    /// # Errors
    /// As [`call`](Loss::call); [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the weights do not fit.
    fn call_weighted(&self, y_true: &Tensor, y_pred: &Tensor, sample_weight: &Tensor) -> Result<Tensor> {
        reduce(self.losses(y_true, y_pred)?, Some(sample_weight), self.kind_of_reduction())
    }
}

/// Weights, masks and reduces losses, in Keras's order.
fn reduce(losses: Losses, sample_weight: Option<&Tensor>, reduction: Reduction) -> Result<Tensor> {
    let Losses { mut values, mask } = losses;
    let mut weight = match sample_weight {
        Some(weight) => Some(fitted(&weight.cast(values.dtype())?, values.rank())?),
        None => None,
    };
    if let Some(mut mask) = mask {
        if reduction == Reduction::SumOverBatchSize {
            // The mean is over the samples that count.
            mask = &mask * (mask.len() as f64 / mask.sum());
        }
        weight = Some(match weight {
            Some(weight) => multiply(&weight, &mask)?,
            None => mask,
        });
    }
    if let Some(weight) = weight {
        values = multiply(&values, &weight)?;
    }
    Ok(match reduction {
        Reduction::None => values,
        Reduction::Sum => values.sum(),
        // No losses at all are 0, not 0 / 0.
        Reduction::SumOverBatchSize if values.is_empty() => values.sum(),
        Reduction::SumOverBatchSize => values.mean()?,
    })
}

/// The product, or the error of shapes that do not broadcast together.
fn multiply(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.shape().broadcast(b.shape()).map_err(|error| error.context("losses"))?;
    Ok(a * b)
}

/// Weights with as many axes as the losses, where they have one more or less; a scalar stays one.
fn fitted(weight: &Tensor, rank: usize) -> Result<Tensor> {
    match weight.rank() {
        0 => Ok(weight.clone()),
        r if r == rank + 1 => weight.squeeze(-1).map_err(|error| error.context("sample_weight")),
        r if r + 1 == rank => weight.expand_dims(-1),
        _ => Ok(weight.clone()),
    }
}

/// The truth in the element type of the predictions, and both of one rank: where one has a last axis of length 1 more
/// than the other, it loses it.
fn aligned<'a>(y_true: &Tensor, y_pred: &'a Tensor) -> Result<(Tensor, Cow<'a, Tensor>)> {
    let last_is_one = |x: &Tensor| x.shape().last() == Some(&1);
    let y_true = y_true.cast(y_pred.dtype())?;
    if y_pred.rank() == y_true.rank() + 1 && last_is_one(y_pred) {
        return Ok((y_true, Cow::Owned(y_pred.squeeze(-1)?)));
    }
    if y_true.rank() == y_pred.rank() + 1 && last_is_one(&y_true) {
        return Ok((y_true.squeeze(-1)?, Cow::Borrowed(y_pred)));
    }
    Ok((y_true, Cow::Borrowed(y_pred)))
}

/// Refuses predictions that are not floating-point numbers.
fn expect_float(loss: &'static str, dtype: DType) -> Result<()> {
    if dtype.is_float() {
        return Ok(());
    }
    let expected = "predictions of a floating-point dtype";
    Err(slalom_array::Error::new(slalom_array::ErrorKind::DType, loss, expected, dtype))
}
