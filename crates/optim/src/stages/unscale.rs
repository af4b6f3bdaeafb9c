//! Loss scaling: the loss is multiplied by a factor, so that small gradients do not underflow, and gradients are divided by it.
use super::GradientList;
use super::average::scalar;
use slalom_array::{Array, DType, Element, Error, ErrorKind, Float, Map, Result, map};
use slalom_autograd::{Gradient, Tensor};
use slalom_variable::Variable;

/// The factor, and how it changes.
#[derive(Debug)]
pub(crate) struct LossScale {
    /// The factor that was given.
    pub(crate) initial: f64,
    /// The present factor: a scalar of `f64`.
    pub(crate) factor: Variable,
    pub(crate) dynamic: Option<Dynamic>,
}

/// A factor that looks for the largest value at which gradients are finite.
#[derive(Debug)]
pub(crate) struct Dynamic {
    /// After so many steps with finite gradients the factor is doubled.
    pub(crate) growth_steps: i64,
    /// The steps with finite gradients since the factor changed: a scalar of `i64`.
    pub(crate) counter: Variable,
}

impl LossScale {
    /// A factor that never changes.
    pub(crate) fn fixed(optimizer: &str, factor: f64) -> Result<LossScale> {
        if !(factor.is_finite() && factor != 0.0) {
            let expected = "a finite number other than 0";
            return Err(Error::new(ErrorKind::Argument, "loss_scale_factor", expected, factor));
        }
        let variable = scalar(optimizer, "loss_scale", Array::scalar(factor));
        Ok(LossScale { initial: factor, factor: variable, dynamic: None })
    }

    pub(crate) fn dynamic(optimizer: &str, initial: f64, growth_steps: i64) -> Result<LossScale> {
        if growth_steps < 1 {
            let expected = "a number of steps of at least 1";
            return Err(Error::new(ErrorKind::Argument, "dynamic_growth_steps", expected, growth_steps));
        }
        let scale = LossScale::fixed(optimizer, initial).map_err(|error| error.context("initial_scale"))?;
        let counter = scalar(optimizer, "step_counter", Array::scalar(0i64));
        Ok(LossScale { dynamic: Some(Dynamic { growth_steps, counter }), ..scale })
    }

    /// The factor as a tensor of the loss's type; a read, which traces record.
    pub(crate) fn of(&self, loss: &Tensor) -> Result<Tensor> {
        self.factor.value().cast(loss.dtype())
    }

    /// The gradients, divided by the factor.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if a gradient is not of floats; [`ErrorKind::Memory`].
    pub(crate) fn unscale(&self, gradients: &mut GradientList) -> Result<()> {
        let factor = self.factor.array().item()?;
        for (gradient, _) in gradients {
            *gradient = match &*gradient {
                Gradient::Dense(tensor) => Tensor::from(divided(tensor.array()?, factor)?).into(),
                Gradient::Sparse(slices) => {
                    slices.with_values(divided(slices.values().array()?, factor)?.into())?.into()
                }
            };
        }
        Ok(())
    }

    /// What a step with finite gradients, or with others, makes of a factor that changes.
    pub(crate) fn next(&self, finite: bool) -> Result<Option<Change>> {
        let Some(Dynamic { growth_steps, counter }) = &self.dynamic else { return Ok(None) };
        let (factor, count) = (self.factor.array().item()?, counter.array().item()? as i64);
        let (factor, count) = match finite {
            false => (bounded(factor * 0.5), 0),
            true if count + 1 >= *growth_steps => (bounded(factor * 2.0), 0),
            true => (factor, count + 1),
        };
        Ok(Some(Change { factor: Array::scalar(factor), counter: Array::scalar(count) }))
    }

    /// Changes the factor.
    pub(crate) fn commit(&self, change: Option<Change>) {
        if let (Some(Dynamic { counter, .. }), Some(change)) = (&self.dynamic, change) {
            *self.factor.update().array() = change.factor;
            *counter.update().array() = change.counter;
        }
    }
}

/// A factor between the least and the largest power of two among the normal numbers of `f32`: a loss of any type can be
/// multiplied by it, and gradients divided.
fn bounded(factor: f64) -> f64 {
    factor.abs().clamp(f64::from(f32::MIN_POSITIVE), 2f64.powi(127)).copysign(factor)
}

/// The next factor and the next number of steps with finite gradients.
pub(crate) struct Change {
    factor: Array,
    counter: Array,
}

/// Division by a number.
#[derive(Clone, Copy)]
struct DivideBy<F>(F);

impl<F: Float + Element> Map<F, F, 1> for DivideBy<F> {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> F {
        x / self.0
    }
}

/// Each element divided by a number.
pub(crate) fn divided(array: &Array, by: f64) -> Result<Array> {
    match array.dtype() {
        DType::F64 => map::<f64, f64, 1, _>("divide", DivideBy(by), [array]),
        _ => map::<f32, f32, 1, _>("divide", DivideBy(by as f32), [array]),
    }
}
