//! Trigonometric functions.
use super::Float;
use super::real::poly;

/// Whether an angle is one for `quadrant_near`.
#[inline(always)]
pub(crate) fn is_near<F: Float>(x: F) -> bool {
    x.abs() < F::NEAR
}

/// r in [-π/4, π/4], a little more because of rounding, and t whose lowest two bits are k, with x = k π/2 + r.
#[inline(always)]
fn quadrant<F: Float>(x: F) -> (F, F) {
    let near = is_near(x);
    let ((r, t), (r_far, t_far)) = (x.quadrant_near(), x.quadrant_far());
    (F::select(near, r, r_far), F::select(near, t, t_far))
}

/// sin r and cos r for |r| ≤ π/4.
#[inline(always)]
fn sin_cos_reduced<F: Float>(r: F) -> (F, F) {
    let w = r * r;
    let sin = (r * w).mul_add(poly(w, F::SIN), r);
    let cos = F::ONE - F::HALF * w;
    // What the rounding of `cos` lost.
    let lost = (F::ONE - cos) - F::HALF * w;
    (sin, cos + (w * w).mul_add(poly(w, F::COS), lost))
}

#[inline(always)]
pub(super) fn sin<F: Float>(x: F) -> F {
    let (r, t) = quadrant(x);
    let (sin, cos) = sin_cos_reduced(r);
    let y = F::select(F::bit(t, 0), cos, sin);
    let y = F::select(F::bit(t, 1), -y, y);
    F::select(x == F::ZERO, x, y)
}

#[inline(always)]
pub(super) fn cos<F: Float>(x: F) -> F {
    let (r, t) = quadrant(x);
    let (sin, cos) = sin_cos_reduced(r);
    let y = F::select(F::bit(t, 0), sin, cos);
    F::select(F::bit(t, 0) != F::bit(t, 1), -y, y)
}

/// The sine and the cosine of 2π · `turns`, for at most some turns.
#[inline(always)]
pub(crate) fn sin_cos_turns<F: Float>(turns: F) -> (F, F) {
    let four = F::TWO + F::TWO;
    let t = turns.mul_add(four, F::ROUND);
    let (sin, cos) = sin_cos_reduced(turns.mul_add(four, F::ROUND - t) * F::PI_2_HI);
    let odd = F::bit(t, 0);
    let (sin, cos) = (F::select(odd, cos, sin), F::select(odd, sin, cos));
    (F::select(F::bit(t, 1), -sin, sin), F::select(odd != F::bit(t, 1), -cos, cos))
}

#[inline(always)]
pub(super) fn tan<F: Float>(x: F) -> F {
    let (r, t) = quadrant(x);
    let (sin, cos) = sin_cos_reduced(r);
    let odd = F::bit(t, 0);
    let y = F::select(odd, -cos, sin) / F::select(odd, sin, cos);
    F::select(x == F::ZERO, x, y)
}

/// (asin √w / √w - 1) √w³ for w ≤ 1/4, with s = √w.
#[inline(always)]
fn asin_tail<F: Float>(s: F, w: F) -> F {
    s * w * poly(w, F::ASIN)
}

/// asin a for a = |x| where that is at most 1/2, else asin √((1 - a) / 2), as a sum of two numbers.
#[inline(always)]
fn asin_parts<F: Float>(x: F) -> (bool, F, F) {
    let a = x.abs();
    let large = a > F::HALF;
    let w = F::select(large, F::HALF * (F::ONE - a), a * a);
    let s = F::select(large, w.sqrt(), a);
    (large, s, asin_tail(s, w))
}

#[inline(always)]
pub(super) fn asin<F: Float>(x: F) -> F {
    let (large, s, tail) = asin_parts(x);
    let y = F::PI_2_HI - (F::TWO * s - F::TWO.mul_add(-tail, F::PI_2_LO));
    F::select(large, y, s + tail).copysign(x)
}

#[inline(always)]
pub(super) fn acos<F: Float>(x: F) -> F {
    let (large, s, tail) = asin_parts(x);
    let negative = x < F::ZERO;
    // k π/2 ± (s + tail): π/2 -+ asin a for small a, else 0 + 2 asin s or π - 2 asin s.
    let k = F::select(large, F::select(negative, F::TWO, F::ZERO), F::ONE);
    let factor = F::select(large, F::TWO, -F::ONE);
    let factor = F::select(negative, -factor, factor);
    k.mul_add(F::PI_2_HI, factor * s + factor.mul_add(tail, k * F::PI_2_LO))
}

/// atan(n / d) for n, d ≥ 0, in [0, π/2]; 0 if both are 0, π/4 if both are infinite.
#[inline(always)]
fn atan_ratio<F: Float>(n: F, d: F) -> F {
    let infinite = n.minimum(d) == F::INFINITY;
    let (n, d) = (F::select(infinite, F::ONE, n), F::select(infinite, F::ONE, d));
    let steep = n > d;
    let (small, big) = (F::select(steep, d, n), F::select(steep, n, d));
    // Keeps sums finite.
    let scale = F::select(big > F::HALF * F::MAX, F::HALF, F::ONE);
    let (small, big) = (small * scale, big * scale);
    // Above tan π/8: atan z = π/4 + atan((z - 1) / (z + 1)).
    let diagonal = small > big * F::TAN_PI_8;
    let numerator = F::select(diagonal, small - big, small);
    let denominator = F::select(diagonal, small + big, big);
    let z = F::select(denominator == F::ZERO, F::ZERO, numerator / denominator);
    let w = z * z;
    let tail = z * w * poly(w, F::ATAN);
    // atan z = k π/4 ± (z + tail)
    let k = F::select(diagonal, F::HALF, F::ZERO);
    let (k, z, tail) =
        (F::select(steep, F::ONE - k, k), F::select(steep, -z, z), F::select(steep, -tail, tail));
    k.mul_add(F::PI_2_HI, z + k.mul_add(F::PI_2_LO, tail))
}

#[inline(always)]
pub(super) fn atan<F: Float>(x: F) -> F {
    atan_ratio(x.abs(), F::ONE).copysign(x)
}

#[inline(always)]
pub(super) fn atan2<F: Float>(y: F, x: F) -> F {
    let a = atan_ratio(y.abs(), x.abs());
    let left = F::ONE.copysign(x) < F::ZERO;
    let a = F::select(left, F::TWO * F::PI_2_HI - (a - F::TWO * F::PI_2_LO), a);
    let a = F::select(x.is_nan(), x, a).copysign(y);
    F::select(y.is_nan(), y, a)
}
