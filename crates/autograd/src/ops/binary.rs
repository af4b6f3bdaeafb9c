//! Elementwise ops of two inputs, with broadcasting.
use crate::jvp::{self, Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, single};
use crate::ops::reduce::sum_to;
use crate::{Gradient, Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Float, Map, Number, Result, map_float, map_integer};
use smallvec::smallvec;
use std::fmt::Debug;

/// The gradients of the two inputs, before they are summed over broadcast axes.
pub(crate) type Pair = [Option<Tensor>; 2];

/// An elementwise function of two numbers.
pub(crate) trait Binary: Debug + Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const SAVES: Saves;
    /// Whether the function is defined for integers (then `integer` is implemented).
    const INTEGERS: bool = false;

    fn f<F: Float>(self, a: F, b: F) -> F;

    fn integer<T: Number>(self, a: T, _b: T) -> T {
        a
    }

    /// The gradients, in the shape of `g` or of the inputs.
    fn vjp(self, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair>;
}

#[derive(Debug, Clone, Copy)]
struct Function<B>(B);

#[derive(Clone, Copy)]
struct Integers<B>(B);

impl<B: Binary, F: Float> Map<F, F, 2> for Function<B> {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        self.0.f(a, b)
    }
}

impl<B: Binary, T: Number> Map<T, T, 2> for Integers<B> {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        self.0.integer(a, b)
    }
}

impl<B: Binary> Op for Function<B> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [a, b] = [inputs[0], inputs[1]];
        if a.dtype() != b.dtype() {
            let got = format!("{} and {}", a.dtype(), b.dtype());
            return Err(Error::new(ErrorKind::DType, B::NAME, "two tensors of one dtype", got));
        }
        if B::INTEGERS && !a.dtype().is_float() {
            return single(map_integer(B::NAME, Integers(self.0), [a, b]));
        }
        single(map_float(B::NAME, *self, [a, b]))
    }

    fn saves(&self) -> Saves {
        B::SAVES
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let [a, b] = self.0.vjp(cx, &*cx.upstream()?)?;
        let fits =
            |gradient: &Option<Tensor>, i| gradient.as_ref().is_none_or(|g| g.shape() == cx.input_shape(i));
        if fits(&a, 0) && fits(&b, 1) {
            return Ok(Gradients::from_buf([a.map(Gradient::Dense), b.map(Gradient::Dense)]));
        }
        let fit = |gradient: Option<Tensor>, i| -> Result<Option<Gradient>> {
            gradient.map(|gradient| Ok(sum_to(gradient, cx.input_shape(i))?.into())).transpose()
        };
        Ok(Gradients::from_buf([fit(a, 0)?, fit(b, 1)?]))
    }

    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        // Elementwise, an upstream gradient and a tangent are multiplied by the same slopes.
        let mut sum = None;
        for i in 0..2 {
            if let Some(tangent) = cx.tangent(i) {
                let [by_a, by_b] = self.0.vjp(&cx.backward(i), tangent)?;
                sum = jvp::sum(sum, if i == 0 { by_a } else { by_b });
            }
        }
        Ok(smallvec![match sum {
            Some(sum) if *sum.shape() != cx.output_shape(0) => Some(sum.broadcast_to(cx.output_shape(0))?),
            sum => sum,
        }])
    }
}

/// Applies an elementwise function of two tensors.
#[inline]
pub(crate) fn binary<B: Binary>(function: B, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply(Function(function), [a, b])
}

/// A gradient, if input `i` needs it.
#[inline]
pub(crate) fn needed(
    cx: &Vjp<'_>,
    i: usize,
    gradient: impl FnOnce() -> Result<Tensor>,
) -> Result<Option<Tensor>> {
    if cx.needs(i) { gradient().map(Some) } else { Ok(None) }
}

/// `a + b`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Add;

impl Binary for Add {
    const NAME: &'static str = "add";
    const SAVES: Saves = Saves::Nothing;
    const INTEGERS: bool = true;
    #[inline(always)]
    fn f<F: Float>(self, a: F, b: F) -> F {
        a + b
    }
    #[inline(always)]
    fn integer<T: Number>(self, a: T, b: T) -> T {
        a.wrapping_add(b)
    }
    fn vjp(self, _cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
        Ok([Some(g.clone()), Some(g.clone())])
    }
}

/// `a - b`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subtract;

impl Binary for Subtract {
    const NAME: &'static str = "subtract";
    const SAVES: Saves = Saves::Nothing;
    const INTEGERS: bool = true;
    #[inline(always)]
    fn f<F: Float>(self, a: F, b: F) -> F {
        a - b
    }
    #[inline(always)]
    fn integer<T: Number>(self, a: T, b: T) -> T {
        a.wrapping_sub(b)
    }
    fn vjp(self, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
        Ok([Some(g.clone()), needed(cx, 1, || Ok(-g))?])
    }
}

/// `a b`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Multiply;

impl Binary for Multiply {
    const NAME: &'static str = "multiply";
    const SAVES: Saves = Saves::Inputs;
    const INTEGERS: bool = true;
    #[inline(always)]
    fn f<F: Float>(self, a: F, b: F) -> F {
        a * b
    }
    #[inline(always)]
    fn integer<T: Number>(self, a: T, b: T) -> T {
        a.wrapping_mul(b)
    }
    fn vjp(self, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
        let by_a = needed(cx, 0, || binary(Multiply, g, cx.input(1)))?;
        Ok([by_a, needed(cx, 1, || binary(Multiply, g, cx.input(0)))?])
    }
}

/// `a / b`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divide;

impl Binary for Divide {
    const NAME: &'static str = "divide";
    const SAVES: Saves = Saves::Inputs;
    #[inline(always)]
    fn f<F: Float>(self, a: F, b: F) -> F {
        a / b
    }
    fn vjp(self, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
        let b = cx.input(1);
        let by_a = needed(cx, 0, || binary(Divide, g, b))?;
        let by_b = || {
            let quotient = binary(Divide, &binary(Divide, &-cx.input(0), b)?, b)?;
            binary(Multiply, g, &quotient)
        };
        Ok([by_a, needed(cx, 1, by_b)?])
    }
}

/// Named forms of the operators.
impl Tensor {
    /// A scalar of this tensor's element type, as an operand for it.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the type cannot hold the value: a fraction among integers.
    pub(crate) fn like(&self, op: &'static str, value: f64) -> Result<Tensor> {
        let exact = match self.dtype() {
            DType::F32 => return Ok(Tensor::scalar(value as f32)),
            DType::F64 => return Ok(Tensor::scalar(value)),
            DType::I32 => value as i32 as f64 == value,
            DType::I64 => value as i64 as f64 == value,
            DType::Bool => value == 0.0 || value == 1.0,
        };
        if !exact {
            let expected = format!("a scalar that {} holds", self.dtype());
            return Err(Error::new(ErrorKind::DType, op, expected, value));
        }
        Tensor::full([], value, self.dtype())
    }
}
