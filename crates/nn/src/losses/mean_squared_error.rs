//! The mean squared error.
use super::{Loss, Losses, Reduction, aligned, expect_float, reduce};
use slalom_array::Result;
use slalom_autograd::{AsTensor, Tensor};

/// The mean of `(y_true - y_pred)²` over the last axis: one loss for each sample, as `tf.keras.losses.mse` gives it.
///
/// The truth takes the predictions' element type; the shapes broadcast together. Where one of the two has a last axis
/// of length 1 that the other lacks, it is dropped first. An optimizer that minimizes the result minimizes the sum over
/// the samples; [`MeanSquaredError`] gives their mean.
///
/// # Errors
/// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or have no axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::mse;
/// let y_true = Tensor::from_vec([2, 2], vec![0.0f32, 1.0, 0.0, 0.0])?;
/// let y_pred = Tensor::from_vec([2, 2], vec![1.0f32, 1.0, 2.0, 0.0])?;
/// assert_eq!(mse(&y_true, &y_pred)?.to_vec::<f32>()?, [0.5, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn mse(y_true: impl AsTensor, y_pred: impl AsTensor) -> Result<Tensor> {
    let y_pred = y_pred.as_tensor();
    expect_float("mse", y_pred.dtype())?;
    let (y_true, y_pred) = aligned(&y_true.as_tensor(), &y_pred)?;
    let squares = y_pred.squared_difference(&y_true).map_err(|error| error.context("mse"))?;
    squares.mean_axes(&[-1], false).map_err(|error| error.context("mse"))
}

/// The mean squared error ([`mse`]) of a batch (`tf.keras.losses.MeanSquaredError`).
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{Loss, MeanSquaredError};
/// let y_true = Tensor::from_vec([2, 1], vec![0.0f32, 1.0])?;
/// let y_pred = Tensor::from_vec([2, 1], vec![1.0f32, 3.0])?;
/// assert_eq!(MeanSquaredError::new().call(&y_true, &y_pred)?.item()?, 2.5);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeanSquaredError {
    reduction: Reduction,
}

impl MeanSquaredError {
    /// The mean over the batch.
    pub fn new() -> MeanSquaredError {
        MeanSquaredError::default()
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> MeanSquaredError {
        MeanSquaredError { reduction }
    }
}

impl Loss for MeanSquaredError {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        Ok(Losses { values: mse(y_true, y_pred)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        let some = !y_true.is_empty() && !y_pred.is_empty() && y_true.rank().max(y_pred.rank()) > 0;
        if self.reduction == Reduction::SumOverBatchSize && some {
            // The mean of the samples' means is that of all elements, which takes one pass.
            expect_float("mse", y_pred.dtype())?;
            let (y_true, y_pred) = aligned(y_true, y_pred)?;
            return y_pred.mse(&y_true);
        }
        reduce(self.losses(y_true, y_pred)?, None, self.reduction)
    }
}
