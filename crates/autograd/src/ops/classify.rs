//! Which numbers are finite, infinite, or none.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::gather::no_gradient;
use crate::{Tensor, apply};
use slalom_array::{Array, Float, Map, Result, map, with_float};
use smallvec::smallvec;

/// A class of floating-point numbers.
#[derive(Debug, Clone, Copy)]
enum Class {
    Finite,
    Infinite,
    Nan,
}

impl<F: Float + slalom_array::Element> Map<F, bool, 1> for Class {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> bool {
        match self {
            Class::Finite => x.is_finite(),
            Class::Infinite => x.abs() == F::INFINITY,
            Class::Nan => x.is_nan(),
        }
    }
}

impl Op for Class {
    fn name(&self) -> &'static str {
        ["is_finite", "is_inf", "is_nan"][*self as usize]
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let x = inputs[0];
        Ok(smallvec![
            with_float!(self.name(), x.dtype(), F => map::<F, bool, 1, _>(self.name(), *self, [x])?)
        ])
    }
    no_gradient!("a truth value");
}

/// Classes of floating-point numbers; the results are booleans, without gradient.
impl Tensor {
    /// Whether `x` is neither infinite nor NaN (`tf.math.is_finite`).
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, f32::NAN, f32::NEG_INFINITY])?;
    /// assert_eq!(x.is_finite()?.to_vec::<bool>()?, [true, false, false]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn is_finite(&self) -> Result<Tensor> {
        apply(Class::Finite, [self])
    }

    /// Whether `x` is ∞ or -∞ (`tf.math.is_inf`).
    ///
    /// # Errors
    /// As [`is_finite`](Tensor::is_finite).
    pub fn is_inf(&self) -> Result<Tensor> {
        apply(Class::Infinite, [self])
    }

    /// Whether `x` is NaN (`tf.math.is_nan`).
    ///
    /// # Errors
    /// As [`is_finite`](Tensor::is_finite).
    pub fn is_nan(&self) -> Result<Tensor> {
        apply(Class::Nan, [self])
    }
}
