//! Weights that are not negative.
use super::Constraint;
use super::kernel::{Function, elementwise};
use crate::Config;
use slalom_array::{Float, Result};
use slalom_autograd::Tensor;

/// Sets negative elements to zero: `w · [w ≥ 0]` (`tf.keras.constraints.NonNeg`).
///
/// The product is meant as it stands: a negative element becomes -0, which equals 0, and -∞ becomes NaN.
///
/// # Errors
/// [`apply`](Constraint::apply): [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the elements are not
/// floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, NonNeg};
/// let w = Tensor::from_vec([3], vec![-1.0f32, 0.0, 2.0])?;
/// assert_eq!(NonNeg.apply(&w)?.to_vec::<f32>()?, [0.0, 0.0, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NonNeg;

impl Function for NonNeg {
    const NAME: &'static str = "NonNeg";
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        x * F::select(x >= F::ZERO, F::ONE, F::ZERO)
    }
}

impl NonNeg {
    pub(super) fn from_config(config: &Config) -> Result<NonNeg> {
        config.expect_only("NonNeg", &[])?;
        Ok(NonNeg)
    }
}

impl Constraint for NonNeg {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        elementwise(*self, value)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("NonNeg")
    }
}
