//! The mean squared error, in one pass forward and one for each gradient.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::reduce::sum_to;
use crate::{AsTensor, Gradient, Tensor, apply};
use slalom_array::{Array, Float, Map, Result, Shape, map, reduce_map, with_float};
use smallvec::smallvec;

/// `mean((a - b)²)` over all elements of the shape that both broadcast to.
#[derive(Debug, Clone, Copy)]
struct MeanSquaredError;

impl<F: Float> Map<F, F, 2> for MeanSquaredError {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        (a - b) * (a - b)
    }
}

fn count(a: &Shape, b: &Shape) -> Result<f64> {
    Ok(a.broadcast(b)?.num_elements()? as f64)
}

impl Op for MeanSquaredError {
    fn name(&self) -> &'static str {
        "mse"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [a, b] = [inputs[0], inputs[1]];
        Ok(smallvec![with_float!("mse", a.dtype(), F => {
            let mut sum = reduce_map::<F, F, _, 2>("mse", *self, [a, b])?;
            let count = F::from_f64(count(a.shape(), b.shape())?);
            sum.make_mut::<F>()?.iter_mut().for_each(|x| *x /= count);
            sum
        })])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (a, b, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let factor = 2.0 / count(a.shape(), b.shape())?;
        let side = |i: usize, x: &Tensor, y: &Tensor| -> Result<Option<Gradient>> {
            if !cx.needs(i) {
                return Ok(None);
            }
            let gradient = apply(ScaledDifference { factor }, [x, y, &g])?;
            Ok(Some(sum_to(gradient, cx.input_shape(i))?.into()))
        };
        Ok(smallvec![side(0, a, b)?, side(1, b, a)?])
    }
}

/// `factor g (a - b)`, for a scalar `g`.
#[derive(Debug, Clone, Copy)]
struct ScaledDifference {
    factor: f64,
}

#[derive(Clone, Copy)]
struct Scaled<F>(F);

impl<F: Float> Map<F, F, 2> for Scaled<F> {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        self.0 * (a - b)
    }
}

impl Op for ScaledDifference {
    fn name(&self) -> &'static str {
        "scaled_difference"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [a, b, g] = [inputs[0], inputs[1], inputs[2]];
        Ok(smallvec![with_float!("mse", a.dtype(), F => {
            map::<F, F, 2, _>("mse", Scaled(F::from_f64(self.factor * g.item()?)), [a, b])?
        })])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (a, b, g, upstream) = (cx.input(0), cx.input(1), cx.input(2), cx.grad()?);
        let scaled = self.factor * g * &upstream;
        let by_a = if cx.needs(0) { Some(sum_to(scaled.clone(), a.shape())?.into()) } else { None };
        let by_b = if cx.needs(1) { Some(sum_to(-scaled, b.shape())?.into()) } else { None };
        let by_g = if cx.needs(2) { Some((self.factor * (upstream * (a - b)).sum()).into()) } else { None };
        Ok(smallvec![by_a, by_b, by_g])
    }
}

/// Errors between tensors.
impl Tensor {
    /// The mean of `(self - other)²` over all elements, a scalar: the mean squared error. The shapes broadcast
    /// together; NaN for no elements.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ or are not
    /// floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1.0f32, 2.0])?;
    /// let y = Tensor::from_vec([2], vec![1.0f32, 4.0])?;
    /// assert_eq!(x.mse(&y)?.item()?, 2.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn mse(&self, other: impl AsTensor) -> Result<Tensor> {
        apply(MeanSquaredError, [self, &other.as_tensor()])
    }
}
