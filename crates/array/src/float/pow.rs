//! Powers.
use super::Float;
use super::exp::{exp_m1_reduced, exp_product};
use super::log::{ln_parts, special};
use super::real::poly;

/// ln a for a > 0, finite, as a sum of two numbers, with about half as many digits more than one number has.
#[inline(always)]
fn ln_double<F: Float>(a: F) -> (F, F) {
    let (m, e) = ln_parts(a);
    // s = (m - 1) / (m + 1) = s + s_lo
    let f = m - F::ONE;
    let d = m + F::ONE;
    let d_lo = F::select(m > F::ONE, F::ONE - (d - m), m - (d - F::ONE));
    let s = f / d;
    let s_lo = (s.mul_add(-d, f) - s * d_lo) / d;
    // ln m = 2 artanh s = 2s (1 + u), u = w/3 + w² P(w), w = s²
    let w = s * s;
    let w_lo = s.mul_add(s, -w) + F::TWO * s * s_lo;
    let third = F::from_f64(1.0 / 3.0);
    let u = w * third;
    let u_lo = w.mul_add(third, -u) + w.mul_add(F::THIRD_LO, w_lo * third);
    let u_lo = (w * w).mul_add(poly(w, F::ARTANH), u_lo);
    let s2 = F::TWO * s;
    let t = s2 * u;
    let t_lo = s2.mul_add(u, -t) + s2.mul_add(u_lo, F::TWO * s_lo * (F::ONE + u));
    // e ln 2 + 2s + t; the first, where it is not 0, is larger than the second, and that than the third.
    let a = e * F::LN_2_HI;
    let b = a + s2;
    let b_lo = F::select(e == F::ZERO, F::ZERO, s2 - (b - a));
    let hi = b + t;
    let lo = t - (hi - b);
    (hi, lo + (b_lo + e.mul_add(F::LN_2_LO, t_lo)))
}

#[inline(always)]
pub(super) fn powf<F: Float>(x: F, y: F) -> F {
    let a = x.abs();
    let (hi, lo) = ln_double(a);
    let finite = a > F::ZERO && a < F::INFINITY;
    let hi = F::select(finite, hi, special(a, hi));
    let p = y * hi;
    let p_lo = F::select(finite, y.mul_add(hi, -p) + y * lo, F::ZERO);
    let z = exp_product(p, p_lo, F::ONE);

    let integer = y.trunc() == y;
    let half = F::HALF * y;
    let odd = integer && half.trunc() != half;
    let negative = F::ONE.copysign(x) < F::ZERO;
    let z = F::select(negative && odd, -z, z);
    // (-1)^±∞ = 1, and a negative number has no other power.
    let z = F::select(x < F::ZERO && x.is_finite() && !integer, F::NAN, z);
    let one = x == F::ONE || y == F::ZERO || (x == -F::ONE && y.abs() == F::INFINITY);
    F::select(one, F::ONE, z)
}

#[inline(always)]
pub(super) fn exp2<F: Float>(x: F) -> F {
    let x = x.clamp(F::EXP_MIN * F::LOG2_E, F::EXP_MAX * F::LOG2_E);
    let t = x + F::ROUND;
    let f = x - (t - F::ROUND);
    let (first, second) = F::scales(t);
    (exp_m1_reduced(f * F::LN_2) + F::ONE) * first * second
}

#[inline(always)]
pub(super) fn log2<F: Float>(x: F) -> F {
    let (m, e) = ln_parts(x);
    let f = m - F::ONE;
    let ln = f - (F::HALF * f).mul_add(f, -F::ln_tail(f));
    special(x, ln.mul_add(F::LOG2_E, e))
}
