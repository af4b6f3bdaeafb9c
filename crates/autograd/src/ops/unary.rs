//! Elementwise ops of one input.
//!
//! An op says its value, its derivative as a function of what it saves (its input or its output), and the derivative
//! of that: the first two are kernels that run in one pass, the last is a tensor expression, so that the second and all
//! higher derivatives follow.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one, single};
use crate::{Tensor, apply};
use slalom_array::{Array, Float, FusedActivation, Isa, Map, Number, Result, map_float, map_integer};
use smallvec::smallvec;
use std::fmt::Debug;

/// What a derivative is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Input,
    Output,
}

/// An elementwise function of one number.
pub(crate) trait Unary: Debug + Copy + Send + Sync + 'static {
    const NAME: &'static str;
    /// What `df` is given.
    const OF: Of;
    /// Whether the function is defined for integers (then `integer` is implemented).
    const INTEGERS: bool = false;
    /// Whether models spend so much time in the function that it pays to compile it for all instruction sets.
    const WIDE: bool = false;
    /// Whether the function is of an angle, and so is the derivative if it is one of the input: [`Map::OF_ANGLES`].
    const ANGLE: bool = false;

    fn f<F: Float>(self, x: F) -> F;

    fn integer<T: Number>(self, x: T) -> T {
        x
    }

    /// The derivative, from the input or the output.
    fn df<F: Float>(self, s: F) -> F;

    /// The derivative of `df`; zero by default.
    fn d2(self, s: &Tensor) -> Result<Tensor> {
        Tensor::zeros(s.shape(), s.dtype())
    }
}

/// `f(x)`
#[derive(Debug, Clone, Copy)]
struct Function<U>(U);

/// `g df(s)`
#[derive(Debug, Clone, Copy)]
struct Derivative<U>(U);

#[derive(Clone, Copy)]
struct Integers<U>(U);

impl<U: Unary, F: Float> Map<F, F, 1> for Function<U> {
    const WIDEST: Isa = if U::WIDE { Isa::Avx512 } else { Isa::Avx2 };
    const OF_ANGLES: bool = U::ANGLE;
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> F {
        self.0.f(x)
    }
}

impl<U: Unary, F: Float> Map<F, F, 2> for Derivative<U> {
    const WIDEST: Isa = if U::WIDE && matches!(U::OF, Of::Input) { Isa::Avx512 } else { Isa::Avx2 };
    const OF_ANGLES: bool = U::ANGLE && matches!(U::OF, Of::Input);
    #[inline(always)]
    fn eval(self, [g, s]: [F; 2]) -> F {
        g * self.0.df(s)
    }
}

impl<U: Unary, T: Number> Map<T, T, 1> for Integers<U> {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> T {
        self.0.integer(x)
    }
}

impl<U: Unary> Op for Function<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let x = inputs[0];
        if U::INTEGERS && !x.dtype().is_float() {
            return single(map_integer(U::NAME, Integers(self.0), [x]));
        }
        single(map_float(U::NAME, *self, [x]))
    }

    fn saves(&self) -> Saves {
        match U::OF {
            Of::Input => Saves::Inputs,
            Of::Output => Saves::Outputs,
        }
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        backward(cx, U::OF, &|g, s| derivative(self.0, g, s))
    }

    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        tangents(cx, U::OF, &|g, s| derivative(self.0, g, s))
    }
}

/// `g df(s)` as an op.
type Scaled<'a> = dyn Fn(&Tensor, &Tensor) -> Result<Tensor> + 'a;

/// The vector-Jacobian product of all elementwise functions.
fn backward(cx: &Vjp<'_>, of: Of, scaled: &Scaled<'_>) -> Result<Gradients> {
    let s = match of {
        Of::Input => cx.input(0),
        Of::Output => cx.output(),
    };
    one(scaled(&*cx.upstream()?, s)?)
}

/// The tangent of all elementwise functions.
fn tangents(cx: &Jvp<'_>, of: Of, scaled: &Scaled<'_>) -> Result<Tangents> {
    let Some(tangent) = cx.tangent(0) else { return Ok(smallvec![None]) };
    let s = match of {
        Of::Input => cx.input(0),
        Of::Output => cx.output(),
    };
    Ok(smallvec![Some(scaled(tangent, s)?)])
}

impl<U: Unary> Op for Derivative<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        single(map_float(U::NAME, *self, [inputs[0], inputs[1]]))
    }

    fn saves(&self) -> Saves {
        Saves::Inputs
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        derivative_vjp(cx, &|upstream, s| derivative(self.0, upstream, s), &|s| self.0.d2(s))
    }
}

/// The gradients of [`Derivative`]s: one copy of the code for all.
fn derivative_vjp(
    cx: &Vjp<'_>,
    derivative: &Scaled<'_>,
    d2: &dyn Fn(&Tensor) -> Result<Tensor>,
) -> Result<Gradients> {
    let (g, s, upstream) = (cx.input(0), cx.input(1), cx.grad()?);
    let by_g = match cx.needs(0) {
        true => Some(derivative(&upstream, s)?.into()),
        false => None,
    };
    let by_s = match cx.needs(1) {
        true => Some((upstream * g * d2(s)?).into()),
        false => None,
    };
    Ok(smallvec![by_g, by_s])
}

/// `g df(s)`
fn derivative<U: Unary>(function: U, g: &Tensor, s: &Tensor) -> Result<Tensor> {
    apply(Derivative(function), [g, s])
}

/// Applies an elementwise function.
#[inline]
pub(crate) fn unary<U: Unary>(function: U, x: &Tensor) -> Result<Tensor> {
    apply(Function(function), [x])
}

/// `g` times the derivative of a fused activation, from its output.
pub(crate) fn activation_gradient(activation: FusedActivation, g: &Tensor, y: &Tensor) -> Result<Tensor> {
    match activation {
        FusedActivation::Linear => Ok(g.clone()),
        FusedActivation::Relu => apply(Derivative(Relu), [g, y]),
    }
}

/// Defines elementwise ops: a struct, its functions, and the method of `Tensor`.
///
/// `name = Struct: f(x) = .., df(x) = .. [, d2(x) = ..]`, with `df(y)` as a function of the output where it says `of
/// output`. `wide` functions are compiled for all instruction sets. With `integers(x) = ..` the op takes every element
/// type and its method cannot fail.
macro_rules! unary_ops {
    (@of input) => { Of::Input };
    (@of output) => { Of::Output };
    (@is wide) => { const WIDE: bool = true; };
    (@is angle) => { const ANGLE: bool = true; };
    (@method $(#[$doc:meta])* $name:ident, $op:ident,) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// `ErrorKind::DType`, if the elements are not floating-point numbers.
        pub fn $name(&self) -> Result<Tensor> {
            unary($op, self)
        }
    };
    (@method $(#[$doc:meta])* $name:ident, $op:ident, $integers:expr) => {
        $(#[$doc])*
        #[must_use]
        #[track_caller]
        pub fn $name(&self) -> Tensor {
            crate::ops::arithmetic::or_panic(unary($op, self))
        }
    };
    ($(
        $(#[$doc:meta])*
        $name:ident = $op:ident of $of:ident $(, $is:ident)*: f($x:ident) = $f:expr, df($s:ident) = $df:expr
        $(, d2($t:ident) = $d2:expr)? $(, integers($i:ident) = $integers:expr)?;
    )*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            struct $op;

            impl Unary for $op {
                const NAME: &'static str = stringify!($name);
                const OF: Of = unary_ops!(@of $of);
                $(unary_ops! { @is $is })*
                #[inline(always)]
                fn f<F: Float>(self, $x: F) -> F {
                    $f
                }
                #[inline(always)]
                fn df<F: Float>(self, $s: F) -> F {
                    $df
                }
                $(
                    fn d2(self, $t: &Tensor) -> Result<Tensor> {
                        $d2
                    }
                )?
                $(
                    const INTEGERS: bool = true;
                    #[inline(always)]
                    fn integer<T: Number>(self, $i: T) -> T {
                        $integers
                    }
                )?
            }
        )*

        /// Elementwise functions.
        impl Tensor {
            $(unary_ops! { @method $(#[$doc])* $name, $op, $($integers)? })*
        }
    };
}

pub(crate) use unary_ops;

unary_ops! {
    /// `-x`; integers wrap around.
    negative = Negative of input: f(x) = -x, df(_x) = -F::ONE, integers(x) = T::ZERO.wrapping_sub(x);

    /// `|x|`; slope 0 at 0.
    abs = Abs of input: f(x) = x.abs(), df(x) = x.signum(),
        integers(x) = if x < T::ZERO { T::ZERO.wrapping_sub(x) } else { x };

    /// The sign of `x`: -1, 0 or 1; its gradient is zero.
    sign = Sign of input: f(x) = x.signum(), df(_x) = F::ZERO, integers(x) = match x.partial_cmp(&T::ZERO) {
        Some(std::cmp::Ordering::Less) => T::ZERO.wrapping_sub(T::ONE),
        Some(std::cmp::Ordering::Greater) => T::ONE,
        _ => T::ZERO,
    };

    /// `x²`
    square = Square of input: f(x) = x * x, df(x) = x + x,
        d2(x) = Tensor::full(x.shape(), 2.0, x.dtype()), integers(x) = x.wrapping_mul(x);

    /// `max(x, 0)`; slope 0 at 0, NaN stays NaN.
    relu = Relu of output: f(x) = x.maximum(F::ZERO), df(y) = F::select(y > F::ZERO, F::ONE, F::ZERO),
        integers(x) = if x < T::ZERO { T::ZERO } else { x };

    /// `eˣ`
    exp = Exp of output, wide: f(x) = x.exp(), df(y) = y, d2(y) = Tensor::ones(y.shape(), y.dtype());

    /// `eˣ - 1`, exact near 0.
    expm1 = Expm1 of output: f(x) = x.exp_m1(), df(y) = y + F::ONE, d2(y) = Tensor::ones(y.shape(), y.dtype());

    /// The natural logarithm.
    log = Log of input, wide: f(x) = x.ln(), df(x) = x.recip(), d2(x) = Ok(-x.reciprocal()?.square());

    /// `log(1 + x)`, exact near 0.
    log1p = Log1p of input: f(x) = x.ln_1p(), df(x) = (F::ONE + x).recip(),
        d2(x) = Ok(-(1.0 + x).reciprocal()?.square());

    /// `√x`
    sqrt = Sqrt of output: f(x) = x.sqrt(), df(y) = F::from_f64(0.5) / y, d2(y) = Ok(-0.5 / y.square());

    /// `1 / √x`
    rsqrt = Rsqrt of output: f(x) = x.rsqrt(), df(y) = F::from_f64(-0.5) * y * y * y, d2(y) = Ok(-1.5 * y.square());

    /// `1 / x`
    reciprocal = Reciprocal of output: f(x) = x.recip(), df(y) = -(y * y), d2(y) = Ok(-2.0 * y);

    /// The hyperbolic tangent.
    tanh = Tanh of output, wide: f(x) = x.tanh(), df(y) = F::ONE - y * y, d2(y) = Ok(-2.0 * y);

    /// `1 / (1 + e⁻ˣ)`
    sigmoid = Sigmoid of output, wide: f(x) = x.sigmoid(), df(y) = y * (F::ONE - y), d2(y) = Ok(1.0 - 2.0 * y);

    /// `log(1 + eˣ)`
    softplus = Softplus of input, wide: f(x) = x.softplus(), df(x) = x.sigmoid(),
        d2(x) = { let y = x.sigmoid()?; Ok(&y * (1.0 - &y)) };
}
