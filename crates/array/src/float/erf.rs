//! The error function.
use super::Float;
use super::exp::{exp_m1_reduced, exp_product, reduce_half_square};
use super::real::poly;
use std::f64::consts::FRAC_1_SQRT_2;

/// √(2π)
const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_5;

/// erf(x) for |x| ≤ 1.
#[inline(always)]
fn erf_small<F: Float>(x: F) -> F {
    x.mul_add(poly(x * x, F::ERF), x)
}

/// exp(-square - square_lo) erfcx(a) weight for a ≥ 1/2: erfc(a) weight, where a² is the sum of two numbers.
#[inline(always)]
fn erfc_large<F: Float>(a: F, square: F, square_lo: F, weight: F) -> F {
    // q + q_lo = 1 / (a + K)
    let d = a + F::ERFCX_K;
    let d_lo = F::select(a > F::ERFCX_K, F::ERFCX_K - (d - a), a - (d - F::ERFCX_K));
    let q = d.recip();
    let q_lo = q * (q.mul_add(-d, F::ONE) - q * d_lo);
    let n = a - F::ERFCX_K;
    let h = poly(n.mul_add(q, n * q_lo), F::ERFCX);
    exp_product(-square, -square_lo, h.mul_add(q, h * q_lo) * weight)
}

/// Up to this number erfc is not yet 0.
#[inline(always)]
fn limit<F: Float>() -> F {
    (-F::EXP_MIN).sqrt()
}

/// erfc(a) for a ≥ 1/2.
#[inline(always)]
fn erfc_above_half<F: Float>(a: F) -> F {
    let a = a.clamp(F::ZERO, limit());
    let square = a * a;
    erfc_large(a, square, a.mul_add(a, -square), F::ONE)
}

/// erf(x), for |x| ≥ 1 as 1 - erfc(|x|), of which only the absolute error counts there: it is at most 0.16.
#[inline(always)]
pub(super) fn erf<F: Float>(x: F) -> F {
    let a = x.abs();
    let root = poly(F::select(a < F::ERF_ONE, a, F::ERF_ONE), F::ERFC_ROOT);
    let square = root * root;
    F::select(a >= F::ONE, square.mul_add(-square, F::ONE).copysign(x), erf_small(x))
}

#[inline(always)]
pub(super) fn erfc<F: Float>(x: F) -> F {
    let a = x.abs();
    let y = erfc_above_half(a);
    let y = F::select(x < F::ZERO, F::TWO - y, y);
    F::select(a < F::HALF, F::ONE - erf_small(x), y)
}

/// Φ(x) = erfc(-x/√2) / 2.
///
/// The exponential is that of the exact x²/2: the rounding of |x|/√2, which it would blow up, enters only erfcx.
#[inline(always)]
pub(super) fn ndtr<F: Float>(x: F) -> F {
    let scale = F::from_f64(FRAC_1_SQRT_2);
    let clamped = x.abs().clamp(F::ZERO, limit::<F>() / scale);
    let (a, square) = (clamped * scale, clamped * clamped);
    let square_lo = clamped.mul_add(clamped, -square);
    let tail = erfc_large(a, F::HALF * square, F::HALF * square_lo, F::HALF);
    let near = F::HALF.mul_add(erf_small(a).copysign(x), F::HALF);
    F::select(a < F::HALF, near, F::select(x < F::ZERO, tail, F::ONE - tail))
}

/// x Φ(x) = max(x, 0) - a Φ(-a) with a = |x|, and a Φ(-a) = exp(-a²/2) a P / (√(2π) a P + R).
///
/// What rounding does to a P stands above and below the line, and so counts less the larger a is.
#[inline(always)]
pub(super) fn gelu<F: Float>(x: F) -> F {
    let limit = (-F::TWO * F::EXP_MIN).sqrt();
    let a = F::select(x.abs() < limit, x.abs(), limit);
    let product = a * poly(a, F::GELU_P);
    let quotient = product / F::from_f64(ROOT_TWO_PI).mul_add(product, poly(a, F::GELU_R));
    let (r, t) = reduce_half_square(a);
    let (first, second) = F::scales(t);
    let tail = exp_m1_reduced(r).mul_add(quotient, quotient) * first * second;
    F::select(x < F::ZERO, -tail, x - tail)
}
