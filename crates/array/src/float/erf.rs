//! The error function.
use super::Float;
use super::exp::exp_product;
use super::real::poly;
use std::f64::consts::FRAC_1_SQRT_2;

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

#[inline(always)]
pub(super) fn erf<F: Float>(x: F) -> F {
    let a = x.abs();
    F::select(a < F::ONE, erf_small(x), (F::ONE - erfc_above_half(a)).copysign(x))
}

#[inline(always)]
pub(super) fn erfc<F: Float>(x: F) -> F {
    let a = x.abs();
    let y = erfc_above_half(a);
    let y = F::select(x < F::ZERO, F::TWO - y, y);
    F::select(a < F::HALF, F::ONE - erf_small(x), y)
}

/// |x|/√2 of a clamped |x|, and Φ(-|x|) weight(|x|) where that is at least 1/2.
///
/// The exponential is that of the exact x²/2: the rounding of |x|/√2, which it would blow up, enters only erfcx.
#[inline(always)]
fn normal_tail<F: Float>(x: F, weight: impl Fn(F) -> F) -> (F, F) {
    let scale = F::from_f64(FRAC_1_SQRT_2);
    let x = x.abs().clamp(F::ZERO, limit::<F>() / scale);
    let (a, square) = (x * scale, x * x);
    let square_lo = x.mul_add(x, -square);
    (a, erfc_large(a, F::HALF * square, F::HALF * square_lo, F::HALF * weight(x)))
}

#[inline(always)]
pub(super) fn ndtr<F: Float>(x: F) -> F {
    let (a, tail) = normal_tail(x, |_| F::ONE);
    let near = F::HALF.mul_add(erf_small(a).copysign(x), F::HALF);
    F::select(a < F::HALF, near, F::select(x < F::ZERO, tail, F::ONE - tail))
}

#[inline(always)]
pub(super) fn gelu<F: Float>(x: F) -> F {
    let (a, tail) = normal_tail(x, |x| x);
    let near = x * F::HALF.mul_add(erf_small(a).copysign(x), F::HALF);
    F::select(a < F::HALF, near, F::select(x < F::ZERO, -tail, x - tail))
}
