//! Softmax cross entropy from logits: loss and gradient in one pass each.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::softmax::softmax_gradient;
use crate::{AsTensor, Tensor, apply, apply_many};
use slalom_array::{Array, DType, Result};
use smallvec::{SmallVec, smallvec};

/// The losses `-Σ labels log_softmax(logits)` along the last axis, and `softmax(logits)`, which the gradient needs.
/// With integer labels, the losses `-log_softmax(logits)[label]`.
#[derive(Debug, Clone, Copy)]
struct CrossEntropy;

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy_with_logits"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (loss, softmax) = match inputs[1].dtype() {
            DType::I32 | DType::I64 => slalom_array::sparse_softmax_cross_entropy(inputs[0], inputs[1])?,
            _ => slalom_array::softmax_cross_entropy(inputs[0], inputs[1])?,
        };
        Ok(smallvec![loss, softmax])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (logits, labels, softmax) = (cx.input(0), cx.input(1), cx.output_of(1));
        let by_logits = match (cx.needs(0), cx.has_grad(0), cx.has_grad(1)) {
            (false, ..) | (_, false, false) => None,
            (_, true, false) => Some(of_loss(cx, softmax, labels)?),
            (_, false, true) => Some(softmax_gradient(softmax, &cx.grad_of(1)?)?),
            (_, true, true) => {
                Some(of_loss(cx, softmax, labels)? + softmax_gradient(softmax, &cx.grad_of(1)?)?)
            }
        };
        let by_labels = match cx.needs(1) && cx.has_grad(0) && labels.dtype().is_float() {
            true => Some(-cx.grad()?.expand_dims(-1)? * logits.log_softmax(-1)?),
            false => None,
        };
        Ok(smallvec![by_logits.map(Into::into), by_labels.map(Into::into)])
    }
}

fn of_loss(cx: &Vjp<'_>, softmax: &Tensor, labels: &Tensor) -> Result<Tensor> {
    apply(CrossEntropyGradient, [softmax, labels, &cx.grad()?])
}

/// `g (softmax - labels)`, for labels that sum to 1 along the last axis.
#[derive(Debug, Clone, Copy)]
struct CrossEntropyGradient;

impl Op for CrossEntropyGradient {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [softmax, labels, g] = [inputs[0], inputs[1], inputs[2]];
        Ok(smallvec![match labels.dtype() {
            DType::I32 | DType::I64 => slalom_array::sparse_softmax_cross_entropy_grad(softmax, labels, g)?,
            _ => slalom_array::softmax_cross_entropy_grad(softmax, labels, g)?,
        }])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (softmax, labels, g, upstream) = (cx.input(0), cx.input(1), cx.input(2), cx.grad()?);
        let by_softmax = &upstream * g.expand_dims(-1)?;
        let by_labels =
            if cx.needs(1) && labels.dtype().is_float() { Some((-&by_softmax).into()) } else { None };
        let by_g = match cx.needs(2) {
            true => {
                let ones = Tensor::ones(g.shape(), g.dtype())?;
                let slope = apply(CrossEntropyGradient, [softmax, labels, &ones])?;
                Some((upstream * slope).sum_axes(&[-1], false)?.into())
            }
            false => None,
        };
        Ok(smallvec![Some(by_softmax.into()), by_labels, by_g])
    }
}

fn loss(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let results: SmallVec<[Tensor; 1]> = apply_many(CrossEntropy, &[logits, labels])?;
    Ok(results.into_iter().next().expect("the loss and the softmax"))
}

/// Cross entropy.
impl Tensor {
    /// Of these logits `[..., classes]`: the losses `-Σ labels log_softmax(logits)` of each row, `[...]`.
    ///
    /// The labels are probabilities. The gradient for the logits, `softmax - labels`, assumes that they sum to 1 in
    /// each row, as TensorFlow's does; labels have a gradient too, `-log_softmax(logits)`.
    ///
    /// # Errors
    /// `ErrorKind::Shape` or `ErrorKind::DType`, if labels and logits differ in shape or type, are scalars, or are not
    /// of floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let logits = Tensor::from_vec([1, 2], vec![0.0f64, 0.0])?;
    /// let labels = Tensor::from_vec([1, 2], vec![0.25f64, 0.75])?;
    /// assert_eq!(logits.softmax_cross_entropy_with_logits(&labels)?.to_vec::<f64>()?, [2.0f64.ln()]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn softmax_cross_entropy_with_logits(&self, labels: impl AsTensor) -> Result<Tensor> {
        let labels = labels.as_tensor();
        super::reduce::expect_float("softmax_cross_entropy_with_logits", labels.dtype())?;
        loss(self, &labels)
    }

    /// Of these logits `[..., classes]`: the losses `-log_softmax(logits)[label]` of each row, for labels (`i32` or
    /// `i64`) of shape `[...]`.
    ///
    /// # Errors
    /// `ErrorKind::Index`, if a label is not in `0..classes`; `ErrorKind::Shape` or `ErrorKind::DType`, if labels and
    /// logits do not fit.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let logits = Tensor::from_vec([1, 2], vec![0.0f64, 0.0])?;
    /// let labels = Tensor::from_vec([1], vec![1])?;
    /// assert_eq!(logits.sparse_softmax_cross_entropy_with_logits(&labels)?.to_vec::<f64>()?, [2.0f64.ln()]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn sparse_softmax_cross_entropy_with_logits(&self, labels: impl AsTensor) -> Result<Tensor> {
        let labels = labels.as_tensor();
        if !labels.dtype().is_integer() {
            let op = "sparse_softmax_cross_entropy_with_logits";
            let kind = slalom_array::ErrorKind::DType;
            return Err(slalom_array::Error::new(kind, op, "labels of i32 or i64", labels.dtype()));
        }
        loss(self, &labels)
    }
}
