//! Choosing between two tensors by a condition.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::reduce::sum_to;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Map, Number, Result, map, with_dtype};
use smallvec::smallvec;

/// `a` where the condition holds, else `b`.
#[derive(Debug, Clone, Copy)]
struct Where;

impl<T: Number> Map<T, T, 3> for Where {
    #[inline(always)]
    fn eval(self, [condition, a, b]: [T; 3]) -> T {
        if condition != T::ZERO { a } else { b }
    }
}

impl Op for Where {
    fn name(&self) -> &'static str {
        "where"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [condition, a, b] = [inputs[0], inputs[1], inputs[2]];
        expect_bool(condition)?;
        if a.dtype() != b.dtype() {
            let got = format!("{} and {}", a.dtype(), b.dtype());
            return Err(Error::new(ErrorKind::DType, "where", "two tensors of one dtype", got));
        }
        let condition = condition.cast(a.dtype())?;
        Ok(smallvec![with_dtype!(a.dtype(), T => map::<T, T, 3, _>("where", Where, [&condition, a, b])?)])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (condition, g) = (cx.input(0), cx.grad()?);
        let mut gradients: Gradients = smallvec![None];
        for (i, keep) in [(1, true), (2, false)] {
            gradients.push(match cx.needs(i) {
                true => Some(sum_to(apply(Mask { keep }, [condition, &g])?, cx.input_shape(i))?.into()),
                false => None,
            });
        }
        Ok(gradients)
    }
}

/// `x` where the condition is `keep`, else 0.
#[derive(Debug, Clone, Copy)]
struct Mask {
    keep: bool,
}

impl<T: Number> Map<T, T, 2> for Mask {
    #[inline(always)]
    fn eval(self, [condition, x]: [T; 2]) -> T {
        if (condition != T::ZERO) == self.keep { x } else { T::ZERO }
    }
}

impl Op for Mask {
    fn name(&self) -> &'static str {
        "mask"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let condition = inputs[0].cast(inputs[1].dtype())?;
        Ok(smallvec![
            with_dtype!(condition.dtype(), T => map::<T, T, 2, _>("mask", *self, [&condition, inputs[1]])?)
        ])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let gradient = apply(*self, [cx.input(0), &cx.grad()?])?;
        Ok(smallvec![None, Some(sum_to(gradient, cx.input_shape(1))?.into())])
    }
}

fn expect_bool(condition: &Array) -> Result<()> {
    match condition.dtype() {
        DType::Bool => Ok(()),
        other => Err(Error::new(ErrorKind::DType, "where", "a condition of bool", other)),
    }
}

/// Choices.
impl Tensor {
    /// Of this tensor of booleans: `a` where it is true, else `b`; all three broadcast together (`tf.where`).
    ///
    /// The gradient of the element that was not chosen is 0. If that element came from an operation with an infinite
    /// slope there, the chain rule still makes it NaN, as in TensorFlow: make such inputs safe before.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if this tensor is not of booleans or `a` and `b` differ in type; `ErrorKind::Shape`, if the
    /// shapes do not broadcast together.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-1.0f32, 2.0])?;
    /// let zero = Tensor::scalar(0.0f32);
    /// assert_eq!(x.greater(&zero)?.where_(&x, &zero)?.to_vec::<f32>()?, [0.0, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn where_(&self, a: impl AsTensor, b: impl AsTensor) -> Result<Tensor> {
        apply(Where, [self, &a.as_tensor(), &b.as_tensor()])
    }
}
