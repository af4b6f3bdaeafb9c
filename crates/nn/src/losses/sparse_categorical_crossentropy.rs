//! Crossentropy with labels that are class numbers.
use super::{EPSILON, Loss, Losses, Reduction, expect_float};
use slalom_array::{DType, Error, ErrorKind, Result};
use slalom_autograd::{Tensor, concat};

/// The crossentropy `-log(y_pred[y_true])`, for labels that are numbers of classes
/// (`tf.keras.losses.SparseCategoricalCrossentropy`).
///
/// Labels have the shape of the predictions without the last axis, or with one of length 1 in its place; labels of
/// another type are cast to `i64`. Predictions are probabilities, which are kept 10⁻⁷ away from 0 and 1 and then
/// divided by their sum; or, with [`from_logits`](SparseCategoricalCrossentropy::from_logits), logits.
///
/// # Errors
/// [`ErrorKind::Index`], if a label is not the number of a class; [`ErrorKind::Shape`], if the shapes do not fit;
/// [`ErrorKind::DType`], if the predictions are not floating-point numbers; with
/// [`ignore_class`](SparseCategoricalCrossentropy::ignore_class), [`ErrorKind::State`], if labels are computed in a
/// trace that is being recorded.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::losses::{Loss, SparseCategoricalCrossentropy};
/// let labels = Tensor::from_vec([2], vec![1, 0])?;
/// let logits = Tensor::from_vec([2, 2], vec![3.0f64, 3.0, 5.0, 5.0])?;
/// let loss = SparseCategoricalCrossentropy::new().from_logits(true).call(&labels, &logits)?;
/// assert!((loss.item()? - 2.0f64.ln()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
    ignore_class: Option<i64>,
    reduction: Reduction,
}

impl SparseCategoricalCrossentropy {
    /// Of probabilities, of all classes, the mean over the batch.
    pub fn new() -> SparseCategoricalCrossentropy {
        SparseCategoricalCrossentropy::default()
    }

    /// Whether predictions are logits; if not, probabilities.
    #[must_use]
    pub fn from_logits(self, from_logits: bool) -> SparseCategoricalCrossentropy {
        SparseCategoricalCrossentropy { from_logits, ..self }
    }

    /// With a label (it need not be a class) whose samples have neither loss nor gradient. The mean is then over the
    /// other samples.
    #[must_use]
    pub fn ignore_class(self, class: i64) -> SparseCategoricalCrossentropy {
        SparseCategoricalCrossentropy { ignore_class: Some(class), ..self }
    }

    /// With another reduction than [`Reduction::SumOverBatchSize`].
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> SparseCategoricalCrossentropy {
        SparseCategoricalCrossentropy { reduction, ..self }
    }

    /// The losses of logits or probabilities `[.., classes]`.
    fn crossentropy(&self, labels: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
        if self.from_logits {
            return y_pred.sparse_softmax_cross_entropy_with_logits(labels);
        }
        y_pred.clip_by_value(EPSILON, 1.0 - EPSILON)?.log()?.sparse_softmax_cross_entropy_with_logits(labels)
    }

    /// The losses of the samples whose label is not ignored, with zeros in the places of the others: those samples are
    /// left out of the computation, so that nothing of them reaches the gradient.
    fn without(&self, ignored: i64, labels: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        let classes = y_pred.shape()[y_pred.rank() - 1];
        let flat = labels.to_vec::<i64>()?;
        let valid: Vec<i64> =
            (0..).zip(&flat).filter(|(_, label)| **label != ignored).map(|(i, _)| i).collect();
        // Where each loss is among those of the valid samples; the zero comes after them.
        let mut next = 0..valid.len() as i64;
        let place =
            |label: &i64| if *label == ignored { valid.len() as i64 } else { next.next().expect("counted") };
        let places: Vec<i64> = flat.iter().map(place).collect();
        let mask = flat.iter().map(|label| f64::from(*label != ignored)).collect();

        let rows = Tensor::from_vec([valid.len()], valid)?;
        let y_pred_valid = y_pred.reshape([flat.len(), classes])?.gather(&rows, 0)?;
        let labels_valid = labels.reshape([flat.len()])?.gather(&rows, 0)?;
        let losses = self.crossentropy(&labels_valid, &y_pred_valid)?;
        let padded = concat(&[losses, Tensor::zeros([1], y_pred.dtype())?], 0)?;
        let places = Tensor::from_vec(labels.shape(), places)?;
        let mask = Tensor::from_vec(labels.shape(), mask)?.cast(y_pred.dtype())?;
        Ok(Losses { values: padded.gather(&places, 0)?, mask: Some(mask) })
    }
}

const NAME: &str = "SparseCategoricalCrossentropy";

impl Loss for SparseCategoricalCrossentropy {
    fn losses(&self, y_true: &Tensor, y_pred: &Tensor) -> Result<Losses> {
        expect_float(NAME, y_pred.dtype())?;
        let labels = y_true.cast(DType::I64)?;
        let labels = match y_true.rank() == y_pred.rank() && y_true.shape().last() == Some(&1) {
            true => labels.squeeze(-1)?,
            false => labels,
        };
        if y_pred.rank() == 0 || labels.shape()[..] != y_pred.shape()[..y_pred.rank() - 1] {
            let expected =
                format!("labels of the shape of predictions {} without the last axis", y_pred.shape());
            return Err(Error::new(ErrorKind::Shape, NAME, expected, y_true.shape()));
        }
        match self.ignore_class {
            Some(ignored) => self.without(ignored, &labels, y_pred),
            None => Ok(Losses { values: self.crossentropy(&labels, y_pred)?, mask: None }),
        }
    }
    fn kind_of_reduction(&self) -> Reduction {
        self.reduction
    }
}
