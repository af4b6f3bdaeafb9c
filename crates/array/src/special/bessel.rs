//! Bessel functions of integer order.
use std::f64::consts::{FRAC_PI_2, TAU};

/// Terms of a series; those that are used converge before.
const LIMIT: u32 = 2000;

/// From where on the asymptotic series of order `n` are used.
fn far(n: f64) -> f64 {
    30.0 + n * n
}

/// `1 + Σ ∏ sign (4n² - (2j - 1)²) / (8 j x)`, the asymptotic series of the modified functions.
fn asymptotic(n: f64, x: f64, sign: f64) -> f64 {
    let (mut term, mut sum) = (1.0f64, 1.0);
    for k in 1..LIMIT {
        let odd = f64::from(2 * k - 1);
        term *= sign * (4.0 * n * n - odd * odd) / (f64::from(8 * k) * x);
        sum += term;
        if term.abs() <= 1e-17 {
            break;
        }
    }
    sum
}

/// `Iₙ(x)` for `x ≥ 0`, and whether it is multiplied by `e⁻ˣ`.
fn first_kind(n: f64, x: f64) -> (f64, bool) {
    if x.is_nan() || x >= far(n) {
        return (asymptotic(n, x, -1.0) / (TAU * x).sqrt(), true);
    }
    let half = 0.5 * x;
    let mut term = (1..=n as u32).fold(1.0, |term, k| term * half / f64::from(k));
    let mut sum = term;
    for k in 1..LIMIT {
        let k = f64::from(k);
        term *= half / k * (half / (k + n));
        sum += term;
        if term <= 1e-17 * sum {
            break;
        }
    }
    (sum, false)
}

/// `y`, with the sign of a function of order `n` at `x`.
fn parity(n: f64, x: f64, y: f64) -> f64 {
    if x < 0.0 && n % 2.0 == 1.0 { -y } else { y }
}

/// The modified Bessel function of the first kind, `Iₙ(x)`, of integer order.
pub fn bessel_i(n: f64, x: f64) -> f64 {
    let (n, size) = (n.abs(), x.abs());
    let value = match first_kind(n, size) {
        (_, true) if size > 1000.0 => f64::INFINITY,
        // In two steps: the exponential alone would overflow before the product.
        (value, true) => value * libm::exp(0.5 * size) * libm::exp(0.5 * size),
        (value, false) => value,
    };
    parity(n, x, value)
}

/// `e^-|x| Iₙ(x)`.
pub fn bessel_ie(n: f64, x: f64) -> f64 {
    let (n, size) = (n.abs(), x.abs());
    let (value, scaled) = first_kind(n, size);
    parity(n, x, if scaled { value } else { value * libm::exp(-size) })
}

/// `K₀(x)` and `K₁(x)` for `0 < x ≤ 1`, by their power series.
fn near_zero(x: f64) -> (f64, f64) {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    let (log, q) = (libm::log(0.5 * x) + EULER_GAMMA, 0.25 * x * x);
    let (mut term, mut harmonic, mut zero, mut one) = (1.0, 0.0, -log, log - 0.5);
    for k in 1..12 {
        let k = f64::from(k);
        term *= q / (k * k);
        harmonic += 1.0 / k;
        zero += term * (harmonic - log);
        one += term / (k + 1.0) * (log - harmonic - 0.5 / (k + 1.0));
    }
    (zero, 1.0 / x + 0.5 * x * one)
}

/// `eˣ K₀(x)` and `eˣ K₁(x)` for `1 ≤ x ≤ 30`: the integral of `e^(x - x cosh t) cosh nt` from 0 on, by trapezoids, the
/// error of which falls exponentially.
fn integral(x: f64) -> (f64, f64) {
    const STEP: f64 = 1.0 / 8.0;
    let (mut zero, mut one) = (0.5, 0.5);
    for k in 1..LIMIT {
        let root = libm::exp(0.5 * STEP * f64::from(k));
        // 2 sinh²(t/2) = cosh t - 1
        let above = 0.5 * (root - 1.0 / root) * (root - 1.0 / root);
        let term = libm::exp(-x * above);
        zero += term;
        one += term * (1.0 + above);
        if term * above <= 1e-17 {
            break;
        }
    }
    (STEP * zero, STEP * one)
}

/// `eˣ Kₙ(x)`, where `Kₙ` is the modified Bessel function of the second kind, of integer order; ∞ at 0, NaN below.
pub fn bessel_ke(n: f64, x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::INFINITY;
    }
    let (mut last, mut value) = if x < 1.0 {
        let (zero, one) = near_zero(x);
        (zero * libm::exp(x), one * libm::exp(x))
    } else if x < far(0.0) {
        integral(x)
    } else {
        let scale = (FRAC_PI_2 / x).sqrt();
        (asymptotic(0.0, x, 1.0) * scale, asymptotic(1.0, x, 1.0) * scale)
    };
    for k in 1..n.abs() as u32 {
        (last, value) = (value, last + f64::from(2 * k) / x * value);
    }
    if n == 0.0 { last } else { value }
}

/// The modified Bessel function of the second kind, `Kₙ(x)`, of integer order; ∞ at 0, NaN below.
pub fn bessel_k(n: f64, x: f64) -> f64 {
    bessel_ke(n, x) * libm::exp(-x)
}

/// The Bessel function of the first kind, `Jₙ(x)`, of integer order, by the `libm` crate.
pub fn bessel_j(n: f64, x: f64) -> f64 {
    libm::jn(n as i32, x)
}

/// The Bessel function of the second kind, `Yₙ(x)`, of integer order, by the `libm` crate; -∞ at 0, NaN below.
pub fn bessel_y(n: f64, x: f64) -> f64 {
    libm::yn(n as i32, x)
}
