//! Rounding: functions of steps, without gradient.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, single};
use crate::{Tensor, apply};
use slalom_array::{Array, Float, Map, Result, map_float};

/// To which integer.
#[derive(Debug, Clone, Copy)]
enum Rounding {
    Floor,
    Ceil,
    Round,
}

impl<F: Float> Map<F, F, 1> for Rounding {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> F {
        match self {
            Rounding::Floor => x.floor(),
            Rounding::Ceil => x.ceil(),
            Rounding::Round => x.round_ties_even(),
        }
    }
}

impl Op for Rounding {
    fn name(&self) -> &'static str {
        ["floor", "ceil", "round"][*self as usize]
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        single(map_float(self.name(), *self, [inputs[0]]))
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a rounded one"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

/// Rounding. As in TensorFlow, gradients do not pass: they are missing, not zero.
impl Tensor {
    /// The largest integer ≤ `x`.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers.
    pub fn floor(&self) -> Result<Tensor> {
        apply(Rounding::Floor, [self])
    }

    /// The smallest integer ≥ `x`.
    ///
    /// # Errors
    /// As [`floor`](Tensor::floor).
    pub fn ceil(&self) -> Result<Tensor> {
        apply(Rounding::Ceil, [self])
    }

    /// The nearest integer; halves go to the even one.
    ///
    /// # Errors
    /// As [`floor`](Tensor::floor).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![0.5f32, 1.5, -0.7])?;
    /// assert_eq!(x.round()?.to_vec::<f32>()?, [0.0, 2.0, -1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn round(&self) -> Result<Tensor> {
        apply(Rounding::Round, [self])
    }
}
