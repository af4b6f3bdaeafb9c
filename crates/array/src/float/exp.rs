//! The exponential function and what is made of it.
use super::Float;
use super::real::poly;

/// r and `ROUND + k` with x = k ln 2 + r and |r| ≤ ln 2 / 2.
#[inline(always)]
fn reduce<F: Float>(x: F) -> (F, F) {
    let t = x.mul_add(F::LOG2_E, F::ROUND);
    let k = t - F::ROUND;
    (k.mul_add(-F::LN_2_LO, k.mul_add(-F::LN_2_HI, x)), t)
}

/// As [`reduce`], for x = -a²/2 without its rounding.
#[inline(always)]
pub(super) fn reduce_half_square<F: Float>(a: F) -> (F, F) {
    let factor = -F::HALF * a;
    let t = (factor * a).mul_add(F::LOG2_E, F::ROUND);
    let k = t - F::ROUND;
    (k.mul_add(-F::LN_2_LO, factor.mul_add(a, -(k * F::LN_2_HI))), t)
}

/// eʳ - 1 for |r| ≤ ln 2 / 2.
#[inline(always)]
pub(super) fn exp_m1_reduced<F: Float>(r: F) -> F {
    (r * r).mul_add(poly(r, F::EXP), r)
}

#[inline(always)]
pub(super) fn exp<F: Float>(x: F) -> F {
    let (r, t) = reduce(x.clamp(F::EXP_MIN, F::EXP_MAX));
    let (first, second) = F::scales(t);
    (exp_m1_reduced(r) + F::ONE) * first * second
}

/// e^(x + x_lo) · factor, for |x_lo| of at most some ulp of x.
#[inline(always)]
pub(super) fn exp_product<F: Float>(x: F, x_lo: F, factor: F) -> F {
    let clamped = x.clamp(F::EXP_MIN, F::EXP_MAX);
    let (r, t) = reduce(clamped);
    let (first, second) = F::scales(t);
    let y = exp_m1_reduced(r + F::select(x == clamped, x_lo, F::ZERO));
    (y.mul_add(factor, factor)) * first * second
}

#[inline(always)]
pub(super) fn exp_m1<F: Float>(x: F) -> F {
    // Below -2 * SATURATED the result is -1. With 2ᵏ⁻¹ instead of 2ᵏ nothing overflows too early.
    let (r, t) = reduce(x.clamp(-(F::SATURATED + F::SATURATED), F::EXP_MAX));
    let half = F::scale(t - F::ONE);
    let y = F::TWO * exp_m1_reduced(r).mul_add(half, half - F::HALF);
    F::select(x == F::ZERO, x, y)
}

/// (e²ˣ - 1) / (e²ˣ + 1), and 1 - 2 / (e²ˣ + 1) where that rounds less.
#[inline(always)]
pub(super) fn tanh<F: Float>(x: F) -> F {
    let a = x.abs();
    let (r, t) = reduce((a + a).clamp(F::ZERO, F::SATURATED + F::SATURATED));
    let (y, s) = (exp_m1_reduced(r), F::scale(t));
    let small = a < F::HALF;
    let q = F::select(small, y.mul_add(s, s - F::ONE), F::TWO) / y.mul_add(s, s + F::ONE);
    F::select(small, q, F::ONE - q).copysign(x)
}

#[inline(always)]
pub(super) fn sigmoid<F: Float>(x: F) -> F {
    let y = exp(-x.abs());
    F::select(x < F::ZERO, y, F::ONE) / (F::ONE + y)
}

/// 2ᵏ⁻² and eʳ - 1 for |x| = k ln 2 + r; |x| is cut off where sinh and cosh are infinite.
#[inline(always)]
fn quarter<F: Float>(x: F) -> (F, F) {
    let (r, t) = reduce(x.abs().clamp(F::ZERO, F::EXP_MAX + F::HALF));
    (F::scale(t - F::TWO), exp_m1_reduced(r))
}

/// With y = e^|x| - 1: (y + y / (y + 1)) / 2.
#[inline(always)]
pub(super) fn sinh<F: Float>(x: F) -> F {
    let (s, y) = quarter(x);
    let y = y.mul_add(s, s - F::HALF * F::HALF);
    let four = F::TWO + F::TWO;
    let y = F::TWO * (y + y / four.mul_add(y, F::ONE));
    // A quarter of a subnormal number would lose bits.
    F::select(x.abs() < F::EPSILON, x, y.copysign(x))
}

/// (e^|x| + e^-|x|) / 2
#[inline(always)]
pub(super) fn cosh<F: Float>(x: F) -> F {
    let (s, y) = quarter(x);
    let y = y.mul_add(s, s);
    let sixteenth = F::HALF * F::HALF * F::HALF * F::HALF;
    F::TWO * (y + sixteenth / y)
}
