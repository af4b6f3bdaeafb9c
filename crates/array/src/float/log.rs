//! The logarithm and what is made of it.
use super::Float;

/// ln((1 + f) 2ᵉ) for 1 + f in [√½, √2).
#[inline(always)]
fn ln_split<F: Float>(f: F, e: F) -> F {
    let tail = e.mul_add(F::LN_2_LO, F::ln_tail(f));
    e.mul_add(F::LN_2_HI, f - (F::HALF * f).mul_add(f, -tail))
}

/// Mantissa in [√½, √2) and exponent of a positive number, subnormal ones included.
#[inline(always)]
pub(super) fn ln_parts<F: Float>(x: F) -> (F, F) {
    // 1 / EPSILON makes every subnormal number normal.
    let subnormal = x < F::MIN_POSITIVE;
    let (m, e) = F::select(subnormal, x * F::EPSILON.recip(), x).split();
    (m, F::select(subnormal, e - F::MANTISSA_BITS, e))
}

#[inline(always)]
pub(super) fn ln<F: Float>(x: F) -> F {
    let (m, e) = ln_parts(x);
    special(x, ln_split(m - F::ONE, e))
}

/// `y`, the logarithm of `x`, corrected where that is not a positive finite number.
#[inline(always)]
pub(super) fn special<F: Float>(x: F, y: F) -> F {
    let y = F::select(x < F::INFINITY, y, x);
    let y = F::select(x == F::ZERO, F::NEG_INFINITY, y);
    F::select(x < F::ZERO, F::NAN, y)
}

/// ln(1 + x) for finite x > -1 other than 0.
#[inline(always)]
fn ln_1p_finite<F: Float>(x: F) -> F {
    let (m, e) = (F::ONE + x).split();
    // (1 + x) 2⁻ᵉ - 1 without the rounding of 1 + x, which no longer matters for large x.
    let s = F::unscale(e);
    let f = F::select(e > F::MANTISSA_BITS, m - F::ONE, x.mul_add(s, s - F::ONE));
    ln_split(f, e)
}

#[inline(always)]
pub(super) fn ln_1p<F: Float>(x: F) -> F {
    let y = special(F::ONE + x, ln_1p_finite(x));
    F::select(x == F::ZERO, x, y)
}

#[inline(always)]
pub(super) fn softplus<F: Float>(x: F) -> F {
    let y = super::exp::exp(-x.abs());
    // 1 + y in [1, 2] is split at √2.
    let upper = y > F::TAN_PI_8;
    let f = F::select(upper, F::HALF * y - F::HALF, y);
    let e = F::select(upper, F::ONE, F::ZERO);
    F::select(x > F::ZERO, x, F::ZERO) + ln_split(f, e)
}

/// ln(x + √(x² + 1)), and ln(2x) where x² + 1 is x².
#[inline(always)]
pub(super) fn asinh<F: Float>(x: F) -> F {
    let a = x.abs();
    let big = a > F::EPSILON.recip();
    let square = a * a;
    let t = F::select(big, a, a + square / (F::ONE + (square + F::ONE).sqrt()));
    let y = special(a, ln_1p_finite(t) + F::select(big, F::LN_2, F::ZERO));
    F::select(a > F::ZERO, y, a).copysign(x)
}

/// With t = x - 1: ln(1 + t + √(t (t + 2))), and ln(2x) where x² - 1 is x².
#[inline(always)]
pub(super) fn acosh<F: Float>(x: F) -> F {
    let big = x > F::EPSILON.recip();
    let t = x - F::ONE;
    let t = F::select(big, x, t + (t * (t + F::TWO)).sqrt());
    let y = ln_1p_finite(t) + F::select(big, F::LN_2, F::ZERO);
    let y = F::select(x < F::INFINITY, y, x);
    F::select(x < F::ONE, F::NAN, y)
}

/// ln(1 + 2 |x| / (1 - |x|)) / 2
#[inline(always)]
pub(super) fn atanh<F: Float>(x: F) -> F {
    let a = x.abs();
    (F::HALF * ln_1p((a + a) / (F::ONE - a))).copysign(x)
}
