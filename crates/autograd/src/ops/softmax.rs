//! Softmax and its relatives.
//!
//! The kernels work on the last axis; another axis is moved there and back, which copies nothing but what a kernel
//! makes contiguous.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::{Tensor, apply};
use slalom_array::{Array, Result};
use smallvec::{SmallVec, smallvec};

/// `exp(xⱼ) / Σₖ exp(xₖ)` along the last axis.
#[derive(Debug, Clone, Copy)]
struct Softmax;

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::softmax(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(softmax_gradient(cx.output(), &cx.grad()?)?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        // The Jacobian is symmetric.
        let tangent = cx.tangent(0).map(|tangent| softmax_gradient(cx.output(), tangent));
        Ok(smallvec![tangent.transpose()?])
    }
}

/// `y (g - Σ g y)`, from the result and its gradient.
#[derive(Debug, Clone, Copy)]
struct SoftmaxGradient;

impl Op for SoftmaxGradient {
    fn name(&self) -> &'static str {
        "softmax_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::softmax_grad(inputs[0], inputs[1])?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (y, g, upstream) = (cx.input(0), cx.input(1), cx.grad()?);
        let by_y = match cx.needs(0) {
            true => {
                let centred = g - (g * y).sum_axes(&[-1], true)?;
                Some((&upstream * centred - g * (&upstream * y).sum_axes(&[-1], true)?).into())
            }
            false => None,
        };
        let by_g = if cx.needs(1) { Some(softmax_gradient(y, &upstream)?.into()) } else { None };
        Ok(smallvec![by_y, by_g])
    }
}

pub(crate) fn softmax_gradient(y: &Tensor, g: &Tensor) -> Result<Tensor> {
    apply(SoftmaxGradient, [y, g])
}

/// `xⱼ - log Σₖ exp(xₖ)` along the last axis.
#[derive(Debug, Clone, Copy)]
struct LogSoftmax;

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::log_softmax(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(LogSoftmaxGradient, [cx.output(), &cx.grad()?])?)
    }
}

/// `g - exp(y) Σ g`, from the result and its gradient.
#[derive(Debug, Clone, Copy)]
struct LogSoftmaxGradient;

impl Op for LogSoftmaxGradient {
    fn name(&self) -> &'static str {
        "log_softmax_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::log_softmax_grad(inputs[0], inputs[1])?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (y, g, upstream) = (cx.input(0), cx.input(1), cx.grad()?);
        let weighted = upstream.clone() * y.exp()?;
        let by_y = match cx.needs(0) {
            true => Some((-&weighted * g.sum_axes(&[-1], true)?).into()),
            false => None,
        };
        let by_g = match cx.needs(1) {
            true => Some((upstream - weighted.sum_axes(&[-1], true)?).into()),
            false => None,
        };
        Ok(smallvec![by_y, by_g])
    }
}

/// `log Σ exp(x)` over the last axis.
#[derive(Debug, Clone, Copy)]
struct LogSumExp;

impl Op for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::logsumexp(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let softmax = (cx.input(0) - cx.output().expand_dims(-1)?).exp()?;
        one(cx.grad()?.expand_dims(-1)? * softmax)
    }
}

/// Applies `op`, which works on the last axis, to another one.
fn along<O: Op>(op: O, x: &Tensor, axis: isize) -> Result<Tensor> {
    let name = op.name();
    let axis = x.shape().axis(axis).map_err(|error| error.context(name))?;
    let last = x.rank() - 1;
    if axis == last {
        return apply(op, [x]);
    }
    let mut axes: SmallVec<[usize; 6]> = (0..x.rank()).collect();
    axes.swap(axis, last);
    apply(op, [&x.transpose(&axes)?])?.transpose(&axes)
}

/// Softmax.
impl Tensor {
    /// `exp(xⱼ) / Σₖ exp(xₖ)` along `axis` (negative: from the end); the largest element is subtracted first, so that
    /// nothing overflows.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1000.0f32, 1000.0])?;
    /// assert_eq!(x.softmax(-1)?.to_vec::<f32>()?, [0.5, 0.5]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn softmax(&self, axis: isize) -> Result<Tensor> {
        along(Softmax, self, axis)
    }

    /// `xⱼ - log Σₖ exp(xₖ)` along `axis` (negative: from the end): the logarithm of [`softmax`](Tensor::softmax),
    /// exact also where that is 0.
    ///
    /// # Errors
    /// As [`softmax`](Tensor::softmax).
    pub fn log_softmax(&self, axis: isize) -> Result<Tensor> {
        along(LogSoftmax, self, axis)
    }

    /// `log Σ exp(x)` over some axes, which keep length 1 if `keep_dims` (`tf.reduce_logsumexp`); negative infinity
    /// for no elements. Nothing overflows.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are
    /// not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1000.0f64, 1000.0])?;
    /// assert_eq!(x.logsumexp(&[0], false)?.item()?, 1000.0 + 2.0f64.ln());
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn logsumexp(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        let (rows, shape) = super::reduce::as_rows("logsumexp", self, axes, keep_dims)?;
        apply(LogSumExp, [&rows])?.reshape(shape)
    }
}
