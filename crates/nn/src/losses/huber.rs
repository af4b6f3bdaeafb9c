//! The Huber loss.
use super::{Loss, Losses, Reduction, aligned, expect_float};
use slalom_array::Result;
use slalom_autograd::Tensor;

/// The mean over the last axis of `x²/2` where `|x| <= delta`, else `delta |x| - delta²/2`, for `x = y_pred - y_true`
/// (P. J. Huber, 1964; `tf.keras.losses.Huber`).
///
/// # Errors
/// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or have no axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{Huber, Loss};
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f32, 0.0])?;
/// let y_pred = Tensor::from_vec([1, 2], vec![1.0f32, 3.0])?;
/// assert_eq!(Huber::new().call(&y_true, &y_pred)?.item()?, 1.5);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    delta: f64,
    reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Huber {
        Huber { delta: 1.0, reduction: Reduction::default() }
    }
}

impl Huber {
    /// With `delta` 1, the mean over the batch.
    pub fn new() -> Huber {
        Huber::default()
    }

    /// Up to which error the loss is quadratic; 1 by default.
    #[must_use]
    pub fn delta(self, delta: f64) -> Huber {
        Huber { delta, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Huber {
        Huber { reduction, ..self }
    }
}

impl Loss for Huber {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float("Huber", y_pred.dtype())?;
        let (y_true, y_pred) = aligned(y_true, y_pred)?;
        y_pred.shape().broadcast(y_true.shape()).map_err(|error| error.context("Huber"))?;
        let error = &*y_pred - y_true;
        let size = error.abs();
        let near = size.less_equal(Tensor::full([], self.delta, size.dtype())?)?;
        let far = self.delta * &size - 0.5 * self.delta * self.delta;
        let values = near.where_(0.5 * error.square(), far)?;
        Ok(Losses { values: values.mean_axes(&[-1], false)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}
