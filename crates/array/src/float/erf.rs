//! The error function.
use super::Float;
use super::exp::exp_product;
use super::real::poly;

/// erf(x) for |x| ≤ 1.
#[inline(always)]
fn erf_small<F: Float>(x: F) -> F {
    x.mul_add(poly(x * x, F::ERF), x)
}

/// erfc(a) for a ≥ 1/2.
#[inline(always)]
fn erfc_large<F: Float>(a: F) -> F {
    // Beyond this the result is 0 anyway.
    let a = a.clamp(F::ZERO, (-F::EXP_MIN).sqrt());
    // q + q_lo = 1 / (a + K)
    let d = a + F::ERFCX_K;
    let d_lo = F::select(a > F::ERFCX_K, F::ERFCX_K - (d - a), a - (d - F::ERFCX_K));
    let q = d.recip();
    let q_lo = q * (q.mul_add(-d, F::ONE) - q * d_lo);
    let n = a - F::ERFCX_K;
    let h = poly(n.mul_add(q, n * q_lo), F::ERFCX);
    let factor = h.mul_add(q, h * q_lo);
    // a² as a sum of two numbers
    let square = a * a;
    exp_product(-square, -a.mul_add(a, -square), factor)
}

#[inline(always)]
pub(super) fn erf<F: Float>(x: F) -> F {
    let a = x.abs();
    F::select(a < F::ONE, erf_small(x), (F::ONE - erfc_large(a)).copysign(x))
}

#[inline(always)]
pub(super) fn erfc<F: Float>(x: F) -> F {
    let a = x.abs();
    let y = erfc_large(a);
    let y = F::select(x < F::ZERO, F::TWO - y, y);
    F::select(a < F::HALF, F::ONE - erf_small(x), y)
}
