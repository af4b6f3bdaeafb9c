//! Crossentropies with labels that are probabilities of two classes.
use super::{EPSILON, Loss, Losses, Reduction, aligned, expect_float, multiply};
use slalom_array::Result;
use slalom_autograd::Tensor;

/// The mean of `-y_true log(y_pred) - (1 - y_true) log(1 - y_pred)` over the last axis
/// (`tf.keras.losses.BinaryCrossentropy`).
///
/// Predictions are probabilities, which are kept 10⁻⁷ away from 0 and 1, with 10⁻⁷ added inside both logarithms; or,
/// with [`from_logits`](BinaryCrossentropy::from_logits), logits, whose loss is computed in a stable way.
///
/// # Errors
/// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or have no axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{BinaryCrossentropy, Loss};
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f64, 1.0])?;
/// let logits = Tensor::from_vec([1, 2], vec![0.0f64, 0.0])?;
/// let loss = BinaryCrossentropy::new().from_logits(true).call(&y_true, &logits)?;
/// assert!((loss.item()? - 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BinaryCrossentropy {
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl BinaryCrossentropy {
    /// Of probabilities, without label smoothing, the mean over the batch.
    pub fn new() -> BinaryCrossentropy {
        BinaryCrossentropy::default()
    }

    /// Whether predictions are logits; if not, probabilities.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> BinaryCrossentropy {
        BinaryCrossentropy { from_logits, ..self }
    }

    /// With labels `y_true (1 - label_smoothing) + label_smoothing / 2`.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> BinaryCrossentropy {
        BinaryCrossentropy { label_smoothing, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> BinaryCrossentropy {
        BinaryCrossentropy { reduction, ..self }
    }
}

impl Loss for BinaryCrossentropy {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float("BinaryCrossentropy", y_pred.dtype())?;
        let (labels, y_pred) = aligned(y_true, y_pred)?;
        let values = elements(&smoothed(&labels, self.label_smoothing), &y_pred, self.from_logits)?;
        Ok(Losses { values: values.mean_axes(&[-1], false)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}

/// [`BinaryCrossentropy`] of each element times `(1 - p)^gamma`, where `p` is the probability that the prediction gives
/// to the label: what is predicted well counts less (T.-Y. Lin et al., "Focal Loss for Dense Object Detection", 2017;
/// `tf.keras.losses.BinaryFocalCrossentropy`).
///
/// # Errors
/// As [`BinaryCrossentropy`].
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{BinaryFocalCrossentropy, Loss};
/// let y_true = Tensor::from_vec([1, 2], vec![0.0f64, 1.0])?;
/// let logits = Tensor::from_vec([1, 2], vec![0.0f64, 0.0])?;
/// let loss = BinaryFocalCrossentropy::new().from_logits(true).call(&y_true, &logits)?;
/// assert!((loss.item()? - 0.25 * 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinaryFocalCrossentropy {
    apply_class_balancing: bool,
    alpha: f64,
    gamma: f64,
    from_logits: bool,
    label_smoothing: f64,
    reduction: Reduction,
}

impl Default for BinaryFocalCrossentropy {
    fn default() -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy {
            apply_class_balancing: false,
            alpha: 0.25,
            gamma: 2.0,
            from_logits: false,
            label_smoothing: 0.0,
            reduction: Reduction::default(),
        }
    }
}

impl BinaryFocalCrossentropy {
    /// Of probabilities, with `gamma` 2, without balancing and label smoothing, the mean over the batch.
    pub fn new() -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy::default()
    }

    /// Whether losses are weighted by `alpha` for label 1 and `1 - alpha` for label 0.
    #[must_use]
    pub fn apply_class_balancing(self, apply_class_balancing: bool) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { apply_class_balancing, ..self }
    }

    /// The weight of label 1, used with [`apply_class_balancing`](BinaryFocalCrossentropy::apply_class_balancing);
    /// 0.25 by default.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { alpha, ..self }
    }

    /// The exponent of the focal factor; 2 by default.
    #[must_use]
    pub fn gamma(self, gamma: f64) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { gamma, ..self }
    }

    /// Whether predictions are logits; if not, probabilities.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { from_logits, ..self }
    }

    /// With labels `y_true (1 - label_smoothing) + label_smoothing / 2`.
    #[must_use]
    pub fn label_smoothing(self, label_smoothing: f64) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { label_smoothing, ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> BinaryFocalCrossentropy {
        BinaryFocalCrossentropy { reduction, ..self }
    }
}

impl Loss for BinaryFocalCrossentropy {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float("BinaryFocalCrossentropy", y_pred.dtype())?;
        let (labels, y_pred) = aligned(y_true, y_pred)?;
        let labels = smoothed(&labels, self.label_smoothing);
        let crossentropy = elements(&labels, &y_pred, self.from_logits)?;
        let p = if self.from_logits { y_pred.sigmoid()? } else { y_pred.into_owned() };
        let p = &labels * &p + (1.0 - &labels) * (1.0 - p);
        let gamma = Tensor::full([], self.gamma, p.dtype())?;
        let mut values = (1.0 - p).pow(gamma)? * crossentropy;
        if self.apply_class_balancing {
            values = (&labels * self.alpha + (1.0 - &labels) * (1.0 - self.alpha)) * values;
        }
        Ok(Losses { values: values.mean_axes(&[-1], false)?, mask: None })
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}

/// `labels (1 - smoothing) + smoothing / 2`
fn smoothed(labels: &Tensor, smoothing: f64) -> Tensor {
    if smoothing == 0.0 { labels.clone() } else { labels * (1.0 - smoothing) + 0.5 * smoothing }
}

/// The crossentropy of each element.
fn elements(labels: &Tensor, y_pred: &Tensor, from_logits: bool) -> Result<Tensor> {
    if from_logits {
        return y_pred.sigmoid_cross_entropy_with_logits(labels);
    }
    let p = y_pred.clip_by_value(EPSILON, 1.0 - EPSILON)?;
    let positive = multiply(labels, &(&p + EPSILON).log()?)?;
    Ok(-(positive + (1.0 - labels) * (1.0 - p + EPSILON).log()?))
}
