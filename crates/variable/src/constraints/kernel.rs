//! Elementwise functions of constraints. They change values between steps, so no gradient passes through them.
use slalom_array::{Array, Float, Map, Result, map_float};
use slalom_autograd::{Gradients, Op, Outputs, Saves, Tensor, Vjp, apply};
use std::fmt::Debug;

/// An elementwise function of one floating-point number.
pub(super) trait Function: Debug + Copy + Send + Sync + 'static {
    const NAME: &'static str;

    fn f<F: Float>(self, x: F) -> F;
}

#[derive(Debug, Clone, Copy)]
struct Elementwise<K>(K);

impl<K: Function, F: Float> Map<F, F, 1> for Elementwise<K> {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> F {
        self.0.f(x)
    }
}

impl<K: Function> Op for Elementwise<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok([map_float(K::NAME, *self, [inputs[0]])?].into())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a constraint"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

/// The function of each element.
pub(super) fn elementwise<K: Function>(function: K, x: &Tensor) -> Result<Tensor> {
    apply(Elementwise(function), [x])
}

/// `min(max(norm, low), high)`; where the bounds cross, both are `low`, as in Keras.
#[inline(always)]
pub(super) fn clip<F: Float>(norm: F, low: f64, high: f64) -> F {
    norm.maximum(F::from_f64(low)).minimum(F::from_f64(high.max(low)))
}
