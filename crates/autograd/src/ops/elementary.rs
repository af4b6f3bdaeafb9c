//! Trigonometric, hyperbolic and error functions.
use crate::Tensor;
use crate::ops::unary::{Of, Unary, unary, unary_ops};
use slalom_array::{Float, Result};
use std::f64::consts::{LN_2, LOG2_E};

/// `1/√(2π)`
const ONE_OVER_ROOT_TWO_PI: f64 = 0.398_942_280_401_432_7;

/// `2/√π`
const TWO_OVER_ROOT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// `1 / √x³`
fn rsqrt_cubed(x: &Tensor) -> Result<Tensor> {
    let root = x.rsqrt()?;
    Ok(root.square() * root)
}

unary_ops! {
    /// The sine of an angle in radians.
    sin = Sin of input, wide, angle: f(x) = x.sin(), df(x) = x.cos(), d2(x) = Ok(-x.sin()?);

    /// The cosine of an angle in radians.
    cos = Cos of input, wide, angle: f(x) = x.cos(), df(x) = -x.sin(), d2(x) = Ok(-x.cos()?);

    /// The tangent of an angle in radians.
    tan = Tan of output, angle: f(x) = x.tan(), df(y) = F::ONE + y * y, d2(y) = Ok(2.0 * y);

    /// The inverse sine, in `[-π/2, π/2]`; NaN outside of `[-1, 1]`.
    asin = Asin of input: f(x) = x.asin(), df(x) = ((F::ONE - x) * (F::ONE + x)).rsqrt(),
        d2(x) = Ok(x * rsqrt_cubed(&(1.0 - x.square()))?);

    /// The inverse cosine, in `[0, π]`; NaN outside of `[-1, 1]`.
    acos = Acos of input: f(x) = x.acos(), df(x) = -((F::ONE - x) * (F::ONE + x)).rsqrt(),
        d2(x) = Ok(-x * rsqrt_cubed(&(1.0 - x.square()))?);

    /// The inverse tangent, in `[-π/2, π/2]`.
    atan = Atan of input: f(x) = x.atan(), df(x) = (F::ONE + x * x).recip(),
        d2(x) = Ok(-2.0 * x / (1.0 + x.square()).square());

    /// The hyperbolic sine.
    sinh = Sinh of input: f(x) = x.sinh(), df(x) = x.cosh(), d2(x) = x.sinh();

    /// The hyperbolic cosine.
    cosh = Cosh of input: f(x) = x.cosh(), df(x) = x.sinh(), d2(x) = x.cosh();

    /// The inverse hyperbolic sine.
    asinh = Asinh of input: f(x) = x.asinh(), df(x) = (F::ONE + x * x).rsqrt(),
        d2(x) = Ok(-x * rsqrt_cubed(&(1.0 + x.square()))?);

    /// The inverse hyperbolic cosine; NaN below 1.
    acosh = Acosh of input: f(x) = x.acosh(), df(x) = ((x - F::ONE) * (x + F::ONE)).rsqrt(),
        d2(x) = Ok(-x * rsqrt_cubed(&((x - 1.0) * (x + 1.0)))?);

    /// The inverse hyperbolic tangent; ±∞ at ±1, NaN beyond.
    atanh = Atanh of input: f(x) = x.atanh(), df(x) = ((F::ONE - x) * (F::ONE + x)).recip(),
        d2(x) = Ok(2.0 * x / (1.0 - x.square()).square());

    /// The error function `2/√π ∫₀ˣ exp(-t²) dt`.
    erf = Erf of input, wide: f(x) = x.erf(), df(x) = F::from_f64(TWO_OVER_ROOT_PI) * (-x * x).exp(),
        d2(x) = Ok(-2.0 * TWO_OVER_ROOT_PI * x * (-x.square()).exp()?);

    /// `2ˣ`
    exp2 = Exp2 of output: f(x) = x.exp2(), df(y) = F::from_f64(LN_2) * y,
        d2(y) = Tensor::full(y.shape(), LN_2, y.dtype());

    /// The logarithm to base 2, exact for powers of 2.
    log2 = Log2 of input: f(x) = x.log2(), df(x) = F::from_f64(LOG2_E) / x, d2(x) = Ok(-LOG2_E / x.square());

    /// The distribution function of the standard normal distribution, the inverse of [`ndtri`](Tensor::ndtri).
    ndtr = Ndtr of input: f(x) = x.ndtr(),
        df(x) = F::from_f64(ONE_OVER_ROOT_TWO_PI) * (F::from_f64(-0.5) * (x * x)).exp(),
        d2(x) = Ok(-ONE_OVER_ROOT_TWO_PI * x * (-0.5 * x.square()).exp()?);

    /// `1 - erf(x)`, exact for large `x` also.
    erfc = Erfc of input: f(x) = x.erfc(), df(x) = F::from_f64(-TWO_OVER_ROOT_PI) * (-x * x).exp(),
        d2(x) = Ok(2.0 * TWO_OVER_ROOT_PI * x * (-x.square()).exp()?);
}
