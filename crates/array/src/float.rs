//! The number type of elementwise kernels.
mod erf;
mod exp;
mod gamma;
mod log;
mod pow;
mod real;
mod trig;

pub use gamma::zeta;
use real::Real;
use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
pub(crate) use trig::{is_near, sin_cos_turns};

/// A floating-point number, `f32` or `f64`: what elementwise kernels and element-wise optimizer rules compute with.
///
/// Every method is branch-free and inlined, so a loop over a slice that calls any of them is turned into vector
/// code inside [`dispatch`](crate::dispatch). The transcendental functions are polynomials of this crate, not
/// calls into the system's libm: with equal inputs they give equal bits on every instruction set and platform,
/// whether an element falls into the vector body of a loop or into its tail. Their error is below 3 ulp where a
/// method does not say otherwise. Infinities, signed zeros, subnormal numbers and NaN are treated as in C and IEEE 754.
///
/// The trait is sealed.
///
/// ```
/// use slalom_array::Float;
/// fn logit<F: Float>(p: F) -> F {
///     p.ln() - (-p).ln_1p()
/// }
/// assert_eq!(logit(0.5_f32), 0.0);
/// assert!((logit(0.25_f64).sigmoid() - 0.25).abs() < 1e-15);
/// ```
pub trait Float:
    Real
    + Copy
    + Send
    + Sync
    + PartialEq
    + PartialOrd
    + Default
    + Debug
    + Display
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// 2.
    const TWO: Self;
    /// 1/2.
    const HALF: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The largest finite number.
    const MAX: Self;
    /// The smallest finite number, `-MAX`.
    const MIN: Self;
    /// The smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// +∞.
    const INFINITY: Self;
    /// -∞.
    const NEG_INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// π.
    const PI: Self;
    /// ln 2.
    const LN_2: Self;

    /// The number nearest to `x`.
    fn from_f64(x: f64) -> Self;
    /// The number as an `f64`, exactly.
    fn to_f64(self) -> f64;

    /// `self * a + b` with one rounding. Fused on every instruction set, which is slow where the processor
    /// has no such instruction.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// √x, correctly rounded; NaN below 0.
    fn sqrt(self) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// |self| with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// The largest integer ≤ x.
    fn floor(self) -> Self;
    /// The smallest integer ≥ x.
    fn ceil(self) -> Self;
    /// The nearest integer, ties to the even one (TensorFlow's `tf.round`).
    fn round_ties_even(self) -> Self;
    /// x without its fraction.
    fn trunc(self) -> Self;
    /// The largest number below x.
    fn next_down(self) -> Self;
    /// Whether x is NaN.
    fn is_nan(self) -> bool;
    /// Whether x is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// `a` where `condition` holds, else `b`; both are computed.
    #[inline(always)]
    fn select(condition: bool, a: Self, b: Self) -> Self {
        if condition { a } else { b }
    }

    /// 1/x.
    #[inline(always)]
    fn recip(self) -> Self {
        Self::ONE / self
    }

    /// 1/√x, rounded twice (TensorFlow's `tf.math.rsqrt`); ∞ at 0, NaN below.
    #[inline(always)]
    fn rsqrt(self) -> Self {
        self.sqrt().recip()
    }

    /// -1, 0 or 1 as x is negative, zero or positive (TensorFlow's `tf.sign`; zeros keep their sign); NaN for NaN.
    #[inline(always)]
    fn signum(self) -> Self {
        let kept = self == Self::ZERO || self.is_nan();
        Self::select(kept, self, Self::ONE.copysign(self))
    }

    /// The smaller of two numbers, NaN if either is NaN.
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        let a = Self::select(self < other, self, other);
        Self::select(self.is_nan(), self, a)
    }

    /// The larger of two numbers, NaN if either is NaN.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        let a = Self::select(self > other, self, other);
        Self::select(self.is_nan(), self, a)
    }

    /// The smaller of two numbers, the other one if one is NaN (C's `fmin`).
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        let a = Self::select(self < other, self, other);
        Self::select(other.is_nan(), self, a)
    }

    /// The larger of two numbers, the other one if one is NaN (C's `fmax`).
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        let a = Self::select(self > other, self, other);
        Self::select(other.is_nan(), self, a)
    }

    /// x moved into `[low, high]`; NaN stays NaN.
    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        let a = Self::select(self < low, low, self);
        Self::select(a > high, high, a)
    }

    /// eˣ.
    #[inline(always)]
    fn exp(self) -> Self {
        exp::exp(self)
    }

    /// eˣ - 1, exact near 0 also.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        exp::exp_m1(self)
    }

    /// The natural logarithm; -∞ at ±0, NaN below.
    #[inline(always)]
    fn ln(self) -> Self {
        log::ln(self)
    }

    /// ln(1 + x), exact near 0 also; -∞ at -1, NaN below.
    #[inline(always)]
    fn ln_1p(self) -> Self {
        log::ln_1p(self)
    }

    /// The hyperbolic tangent.
    #[inline(always)]
    fn tanh(self) -> Self {
        exp::tanh(self)
    }

    /// The logistic function 1 / (1 + e⁻ˣ), exact for large negative x also.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        exp::sigmoid(self)
    }

    /// ln(1 + eˣ), computed as max(x, 0) + ln(1 + e^-|x|), which neither overflows nor loses digits.
    #[inline(always)]
    fn softplus(self) -> Self {
        log::softplus(self)
    }

    /// 2ˣ.
    #[inline(always)]
    fn exp2(self) -> Self {
        pow::exp2(self)
    }

    /// The logarithm to base 2, exact for powers of 2.
    #[inline(always)]
    fn log2(self) -> Self {
        pow::log2(self)
    }

    /// xʸ, as C's `pow`: x⁰ = 1 and 1ʸ = 1 even for NaN; a negative x has powers with integer y only, else NaN.
    #[inline(always)]
    fn powf(self, y: Self) -> Self {
        pow::powf(self, y)
    }

    /// xⁿ, as [`powf`](Self::powf) computes it.
    #[inline(always)]
    fn powi(self, n: i32) -> Self {
        self.powf(Self::from_f64(n.into()))
    }

    /// The sine of an angle in radians, of any size.
    #[inline(always)]
    fn sin(self) -> Self {
        trig::sin(self)
    }

    /// The cosine of an angle in radians.
    #[inline(always)]
    fn cos(self) -> Self {
        trig::cos(self)
    }

    /// The tangent of an angle in radians; within 4 ulp in f32.
    #[inline(always)]
    fn tan(self) -> Self {
        trig::tan(self)
    }

    /// The inverse sine, in [-π/2, π/2]; NaN outside [-1, 1].
    #[inline(always)]
    fn asin(self) -> Self {
        trig::asin(self)
    }

    /// The inverse cosine, in [0, π]; NaN outside [-1, 1].
    #[inline(always)]
    fn acos(self) -> Self {
        trig::acos(self)
    }

    /// The inverse tangent, in [-π/2, π/2].
    #[inline(always)]
    fn atan(self) -> Self {
        trig::atan(self)
    }

    /// The angle of the point (`x`, `self`), in [-π, π], with signed zeros as C's `atan2`.
    #[inline(always)]
    fn atan2(self, x: Self) -> Self {
        trig::atan2(self, x)
    }

    /// The hyperbolic sine.
    #[inline(always)]
    fn sinh(self) -> Self {
        exp::sinh(self)
    }

    /// The hyperbolic cosine.
    #[inline(always)]
    fn cosh(self) -> Self {
        exp::cosh(self)
    }

    /// The inverse hyperbolic sine.
    #[inline(always)]
    fn asinh(self) -> Self {
        log::asinh(self)
    }

    /// The inverse hyperbolic cosine; NaN below 1.
    #[inline(always)]
    fn acosh(self) -> Self {
        log::acosh(self)
    }

    /// The inverse hyperbolic tangent; ±∞ at ±1, NaN outside.
    #[inline(always)]
    fn atanh(self) -> Self {
        log::atanh(self)
    }

    /// The error function 2/√π ∫₀ˣ e^-t² dt.
    #[inline(always)]
    fn erf(self) -> Self {
        erf::erf(self)
    }

    /// 1 - erf(x), exact for large x also.
    #[inline(always)]
    fn erfc(self) -> Self {
        erf::erfc(self)
    }

    /// The distribution function of the standard normal distribution, Φ(x) = erfc(-x/√2) / 2; within 4 ulp in f32 and 5 in f64.
    #[inline(always)]
    fn ndtr(self) -> Self {
        erf::ndtr(self)
    }

    /// x Φ(x): the Gaussian error linear unit; within 4 ulp.
    #[inline(always)]
    fn gelu(self) -> Self {
        erf::gelu(self)
    }

    /// The inverse of [`erf`](Self::erf); ±∞ at ±1, NaN outside [-1, 1].
    #[inline(always)]
    fn erfinv(self) -> Self {
        Self::from_f64(gamma::erfinv(self.to_f64()))
    }

    /// The inverse of [`erfc`](Self::erfc), exact for small x also; ∞ at 0, -∞ at 2, NaN outside [0, 2].
    #[inline(always)]
    fn erfcinv(self) -> Self {
        Self::from_f64(gamma::erfcinv(self.to_f64()))
    }

    /// The quantile of the normal distribution, the inverse of its distribution function; ∓∞ at 0 and 1, NaN outside
    /// [0, 1].
    #[inline(always)]
    fn ndtri(self) -> Self {
        Self::from_f64(gamma::ndtri(self.to_f64()))
    }

    /// ln |Γ(x)|, by the `libm` crate; ∞ at 0 and the negative integers. Near its zeros below 0 the error is one of the
    /// argument's rounding in double precision.
    #[inline(always)]
    fn lgamma(self) -> Self {
        Self::from_f64(libm::lgamma(self.to_f64()))
    }

    /// ψ(x) = Γ'(x) / Γ(x); NaN at 0 and the negative integers. Near its zeros the error is one of the argument's rounding
    /// in double precision.
    #[inline(always)]
    fn digamma(self) -> Self {
        Self::from_f64(gamma::digamma(self.to_f64()))
    }

    /// The derivative of order n of [`digamma`](Self::digamma).
    #[inline(always)]
    fn polygamma(self, n: u32) -> Self {
        Self::from_f64(gamma::polygamma(n, self.to_f64()))
    }
}

macro_rules! float {
    ($t:ident) => {
        impl Float for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const TWO: $t = 2.0;
            const HALF: $t = 0.5;
            const EPSILON: $t = $t::EPSILON;
            const MAX: $t = $t::MAX;
            const MIN: $t = $t::MIN;
            const MIN_POSITIVE: $t = $t::MIN_POSITIVE;
            const INFINITY: $t = $t::INFINITY;
            const NEG_INFINITY: $t = $t::NEG_INFINITY;
            const NAN: $t = $t::NAN;
            const PI: $t = std::$t::consts::PI;
            const LN_2: $t = std::$t::consts::LN_2;

            #[inline(always)]
            fn from_f64(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn mul_add(self, a: $t, b: $t) -> $t {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn sqrt(self) -> $t {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> $t {
                $t::abs(self)
            }
            #[inline(always)]
            fn copysign(self, sign: $t) -> $t {
                $t::copysign(self, sign)
            }
            #[inline(always)]
            fn floor(self) -> $t {
                $t::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> $t {
                $t::ceil(self)
            }
            #[inline(always)]
            fn round_ties_even(self) -> $t {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn trunc(self) -> $t {
                $t::trunc(self)
            }
            #[inline(always)]
            fn next_down(self) -> $t {
                $t::next_down(self)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self != self
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $t::abs(self) < $t::INFINITY
            }
        }
    };
}
float!(f32);
float!(f64);
