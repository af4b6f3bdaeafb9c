//! The focal crossentropy with labels that are distributions.
use super::{EPSILON, Loss, Losses, Reduction, aligned, expect_float, multiply};
use slalom_array::Result;
use slalom_autograd::Tensor;

/// `-Σ alpha (1 - y_pred)^gamma y_true log(y_pred)` over the last axis, for labels that are distributions over the
/// classes: a crossentropy in which what is predicted well counts less (T.-Y. Lin et al., "Focal Loss for Dense Object
/// Detection", 2017; `tf.keras.losses.CategoricalFocalCrossentropy`).
///
/// Predictions are probabilities, which are divided by their sum and kept 10⁻⁷ away from 0 and 1; or, with
/// [`from_logits`](CategoricalFocalCrossentropy::from_logits), logits, of which the softmax is taken first.
///
/// # Errors
/// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or have no axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{CategoricalFocalCrossentropy, Loss};
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f64, 1.0])?;
/// let y_pred = Tensor::from_vec([1, 2], vec![0.5f64, 0.5])?;
/// let loss = CategoricalFocalCrossentropy::new().call(&y_true, &y_pred)?;
/// assert!((loss.item()? - 0.25 * 0.25 * 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CategoricalFocalCrossentropy {
    alpha: f64,
    gamma: f64,
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl Default for CategoricalFocalCrossentropy {
    fn default() -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy {
            alpha: 0.25,
            gamma: 2.0,
            from_logits: false,
            label_smoothing: 0.0,
            reduction: Reduction::default(),
        }
    }
}

impl CategoricalFocalCrossentropy {
    /// Of probabilities, with `alpha` 0.25 and `gamma` 2, without label smoothing, the mean over the batch.
    pub fn new() -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy::default()
    }

    /// The factor of all losses; 0.25 by default.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy { alpha, ..self }
    }

    /// The exponent of the focal factor; 2 by default.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy { gamma, ..self }
    }

    /// Whether predictions are logits; if not, probabilities.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy { from_logits, ..self }
    }

    /// With labels `y_true (1 - label_smoothing) + label_smoothing / classes`.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy { label_smoothing, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> CategoricalFocalCrossentropy {
        CategoricalFocalCrossentropy { reduction, ..self }
    }
}

impl Loss for CategoricalFocalCrossentropy {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float("CategoricalFocalCrossentropy", y_pred.dtype())?;
        let (mut labels, y_pred) = aligned(y_true, y_pred)?;
        if self.label_smoothing != 0.0 {
            let classes = y_pred.shape().last().copied().unwrap_or(1) as f64;
            labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / classes;
        }
        let p = if self.from_logits { y_pred.softmax(-1)? } else { y_pred.into_owned() };
        let p = (&p / p.sum_axes(&[-1], true)?).clip_by_value(EPSILON, 1.0 - EPSILON)?;
        let focus = (1.0 - &p).pow(Tensor::full([], self.gamma, p.dtype())?)? * self.alpha;
        let values = multiply(&-labels, &(focus * p.log()?))?;
        Ok(Losses { values: values.sum_axes(&[-1], false)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}
