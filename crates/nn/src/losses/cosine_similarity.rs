//! The cosine similarity.
use super::{Loss, Losses, Reduction, aligned, expect_float, multiply};
use slalom_array::Result;
use slalom_autograd::{AsTensor, Tensor};

/// Minus the cosine of the angle between truth and prediction along an axis: -1 for the same direction
/// (`tf.keras.losses.cosine_similarity`). Vectors of length 0 give 0.
///
/// # Errors
/// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or there is no such
/// axis; [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::cosine_similarity;
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f64, 2.0])?;
/// let y_pred = Tensor::from_vec([1, 2], vec![3.0f64, 4.0])?;
/// assert_eq!(cosine_similarity(&y_true, &y_pred, -1)?.to_vec::<f64>()?, [-0.8]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn cosine_similarity(y_true: impl AsTensor, y_pred: impl AsTensor, axis: isize) -> Result<Tensor> {
    let y_pred = y_pred.as_tensor();
    expect_float("cosine_similarity", y_pred.dtype())?;
    let (y_true, y_pred) = aligned(&y_true.as_tensor(), &y_pred)?;
    let product = multiply(&y_true.l2_normalize(&[axis])?, &y_pred.l2_normalize(&[axis])?)?;
    Ok(-product.sum_axes(&[axis], false)?)
}

/// The [`cosine_similarity`] of a batch (`tf.keras.losses.CosineSimilarity`).
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{CosineSimilarity, Loss};
/// let y_true = Tensor::from_vec([2, 2], vec![1.0f64, 0.0, 1.0, 0.0])?;
/// let y_pred = Tensor::from_vec([2, 2], vec![5.0f64, 0.0, 0.0, 5.0])?;
/// assert_eq!(CosineSimilarity::new().call(&y_true, &y_pred)?.item()?, -0.5);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CosineSimilarity {
    axis: isize,
    reduction: Reduction,
}

impl Default for CosineSimilarity {
    fn default() -> CosineSimilarity {
        CosineSimilarity { axis: -1, reduction: Reduction::default() }
    }
}

impl CosineSimilarity {
    /// Along the last axis, the mean over the batch.
    pub fn new() -> CosineSimilarity {
        CosineSimilarity::default()
    }

    /// Along another axis (negative: from the end).
    #[must_use]
    pub fn axis(self, axis: isize) -> CosineSimilarity {
        CosineSimilarity { axis, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> CosineSimilarity {
        CosineSimilarity { reduction, ..self }
    }
}

impl Loss for CosineSimilarity {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        Ok(Losses { values: cosine_similarity(y_true, y_pred, self.axis)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}
