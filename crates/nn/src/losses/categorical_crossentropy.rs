//! Crossentropy with labels that are distributions.
use super::{EPSILON, Loss, Losses, Reduction, aligned, expect_float};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;

/// The crossentropy `-Σ y_true log(y_pred)` over the last axis, for labels that are distributions over the classes (one
/// hot, for instance) (`tf.keras.losses.CategoricalCrossentropy`).
///
/// Predictions are probabilities, which are divided by their sum and kept 10⁻⁷ away from 0 and 1; or, with
/// [`from_logits`](CategoricalCrossentropy::from_logits), logits, of which the softmax is taken in a stable way, with
/// the gradient `softmax - y_true`. That gradient assumes labels which sum to 1, as TensorFlow does.
///
/// # Errors
/// [`ErrorKind::Shape`], if labels and predictions differ in shape or have no axis; [`ErrorKind::DType`], if the
/// predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{CategoricalCrossentropy, Loss};
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f64, 1.0])?;
/// let logits = Tensor::from_vec([1, 2], vec![3.0f64, 3.0])?;
/// let loss = CategoricalCrossentropy::new().from_logits(true).call(&y_true, &logits)?;
/// assert!((loss.item()? - 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CategoricalCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl CategoricalCrossentropy {
    /// Of probabilities, without label smoothing, the mean over the batch.
    pub fn new() -> CategoricalCrossentropy {
        CategoricalCrossentropy::default()
    }

    /// Whether predictions are logits; if not, probabilities.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> CategoricalCrossentropy {
        CategoricalCrossentropy { from_logits, ..self }
    }

    /// With labels `y_true (1 - label_smoothing) + label_smoothing / classes`.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> CategoricalCrossentropy {
        CategoricalCrossentropy { label_smoothing, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> CategoricalCrossentropy {
        CategoricalCrossentropy { reduction, ..self }
    }
}

const NAME: &str = "CategoricalCrossentropy";

impl Loss for CategoricalCrossentropy {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float(NAME, y_pred.dtype())?;
        let (mut labels, y_pred) = aligned(y_true, y_pred)?;
        if labels.shape() != y_pred.shape() || labels.rank() == 0 {
            let expected = "labels and predictions of one shape, with at least one axis";
            let got = format!("{} and {}", labels.shape(), y_pred.shape());
            return Err(Error::new(ErrorKind::Shape, NAME, expected, got));
        }
        if self.label_smoothing != 0.0 {
            let classes = labels.shape()[labels.rank() - 1] as f64;
            labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / classes;
        }
        let values = if self.from_logits {
            y_pred.softmax_cross_entropy_with_logits(&labels)?
        } else {
            let probabilities = &*y_pred / y_pred.sum_axes(&[-1], true)?;
            let log = probabilities.clip_by_value(EPSILON, 1.0 - EPSILON)?.log()?;
            -(labels * log).sum_axes(&[-1], false)?
        };
        Ok(Losses { values, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}
