//! The incomplete beta function.
use super::{log1pmx, stirling};
use std::f64::consts::TAU;

/// Terms of the continued fraction; it converges before.
const LIMIT: usize = 100_000;

/// `xᵃ (1 - x)ᵇ / B(a, b)`, divided by `x (1 - x)` if `density`, for `x` between 0 and 1.
fn weight(a: f64, b: f64, x: f64, density: bool) -> f64 {
    let less = if density { 1.0 } else { 0.0 };
    if a < 10.0 && b < 10.0 {
        let beta = libm::tgamma(a) / libm::tgamma(a + b) * libm::tgamma(b);
        return libm::pow(x, a - less) * libm::pow(1.0 - x, b - less) / beta;
    }
    // Relative to where it is largest: a/n.
    let (n, y) = (a + b, 1.0 - x);
    let step = b * x - a * y;
    let exponent = a * log1pmx(step / a, x * n / a) + b * log1pmx(-step / b, y * n / b);
    let scale = stirling(n) - stirling(a) - stirling(b) - less * (libm::log(x) + libm::log1p(-x));
    libm::exp(exponent + scale) * libm::sqrt(a / n * b / TAU)
}

/// The continued fraction of `I(a, b, x)` without its weight, in the way of W. J. Lentz (DLMF 8.17.22).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let (mut c, mut d, mut product) = (1.0, 0.0, 1.0);
    for k in 1..LIMIT {
        let m = (k / 2) as f64;
        let numerator = match k % 2 {
            0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        // Of 0 the method would divide by it.
        let away = |y: f64| if y == 0.0 { f64::MIN_POSITIVE } else { y };
        d = 1.0 / away(1.0 + numerator * d);
        c = away(1.0 + numerator / c);
        product *= c * d;
        if (c * d - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    1.0 / product
}

/// The regularized incomplete beta function, `I(a, b, x) = ∫₀ˣ tᵃ⁻¹ (1 - t)ᵇ⁻¹ dt / B(a, b)`; NaN unless `a` and `b`
/// are positive and finite and `x` is in `[0, 1]`.
pub fn betainc(a: f64, b: f64, x: f64) -> f64 {
    let valid = a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&x);
    if !valid {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    let weight = weight(a, b, x, false);
    match x <= (a + 1.0) / (a + b + 2.0) {
        true => weight * fraction(a, b, x) / a,
        false => 1.0 - weight * fraction(b, a, 1.0 - x) / b,
    }
}

/// `∂I(a, b, x) / ∂x = xᵃ⁻¹ (1 - x)ᵇ⁻¹ / B(a, b)`: the density of the beta distribution.
pub fn beta_density(a: f64, b: f64, x: f64) -> f64 {
    let edge = |near: f64, other: f64| match near {
        1.0 => other,
        _ if near < 1.0 => f64::INFINITY,
        _ => 0.0,
    };
    match a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() && (0.0..=1.0).contains(&x) {
        true if x == 0.0 => edge(a, b),
        true if x == 1.0 => edge(b, a),
        true => weight(a, b, x, true),
        false => f64::NAN,
    }
}
