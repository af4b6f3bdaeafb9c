//! The incomplete gamma functions and their derivatives.
use super::{log1pmx, stirling};
use crate::Float;
use std::f64::consts::TAU;
use std::ops::{Add, Div, Mul};

/// Terms of a series or a continued fraction; those that are used converge before.
const LIMIT: usize = 100_000;

/// A function of `a` and its derivative.
#[derive(Clone, Copy)]
struct Dual {
    value: f64,
    slope: f64,
}

impl Dual {
    const ONE: Dual = Dual { value: 1.0, slope: 0.0 };
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, other: Dual) -> Dual {
        Dual { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, other: Dual) -> Dual {
        let slope = self.slope * other.value + self.value * other.slope;
        Dual { value: self.value * other.value, slope }
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, other: Dual) -> Dual {
        let value = self.value / other.value;
        Dual { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

/// `xⁿ e⁻ˣ / Γ(a)` for `a = n + 1`.
fn weight(n: f64, a: f64, x: f64) -> f64 {
    if n < 10.0 && x < 700.0 {
        return libm::pow(x, n) * libm::exp(-x) / libm::tgamma(a);
    }
    if n < 10.0 {
        return libm::exp(n * libm::log(x) - x - libm::lgamma(a));
    }
    libm::exp(n * log1pmx((x - n) / n, x / n) - stirling(n)) / libm::sqrt(TAU * n)
}

/// `P(a, x)` by its power series.
fn lower(a: f64, x: f64) -> Dual {
    let front = weight(a, a + 1.0, x);
    let front = Dual { value: front, slope: front * (libm::log(x) - (a + 1.0).digamma()) };
    let (mut term, mut sum) = (Dual::ONE, Dual::ONE);
    for n in 1..LIMIT {
        term = term * Dual { value: x, slope: 0.0 } / Dual { value: a + n as f64, slope: 1.0 };
        sum = sum + term;
        if term.value <= 1e-17 * sum.value && term.slope.abs() <= 1e-17 * sum.slope.abs() {
            break;
        }
    }
    front * sum
}

/// `Q(a, x)` by its continued fraction, in the way of W. J. Lentz.
fn upper(a: f64, x: f64) -> Dual {
    let front = weight(a - 1.0, a, x) * x;
    let front = Dual { value: front, slope: front * (libm::log(x) - a.digamma()) };
    let mut b = Dual { value: x + 1.0 - a, slope: -1.0 };
    let mut fraction = Dual::ONE / b;
    let (mut c, mut d) = (None, fraction);
    for i in 1..LIMIT {
        let i = i as f64;
        let numerator = Dual { value: i * (a - i), slope: i };
        b = b + Dual { value: 2.0, slope: 0.0 };
        d = Dual::ONE / (numerator * d + b);
        let next = c.map_or(b, |c| b + numerator / c);
        c = Some(next);
        let factor = next * d;
        let change = fraction.value * factor.slope;
        fraction = fraction * factor;
        if (factor.value - 1.0).abs() <= f64::EPSILON && change.abs() <= f64::EPSILON * fraction.slope.abs() {
            break;
        }
    }
    front * fraction
}

/// Coefficients of powers of η, of the powers of `1/a`.
const UNIFORM: [&[f64]; 5] = [
    &[
        -0.3333333333333333,
        0.08333333333333333,
        -0.014814814814814815,
        0.0011574074074074073,
        0.0003527336860670194,
        -0.0001787551440329218,
        3.919263178522438e-05,
        -2.185448510679992e-06,
        -1.85406221071516e-06,
        8.296711340953087e-07,
        -1.7665952736826078e-07,
    ],
    &[
        -0.001851851851851852,
        -0.003472222222222222,
        0.0026455026455026454,
        -0.0009902263374485596,
        0.00020576131687242798,
        -4.018775720164609e-07,
        -1.8098550334489977e-05,
        7.64916091608111e-06,
    ],
    &[
        0.004133597883597883,
        -0.0026813271604938273,
        0.0007716049382716049,
        2.0093878600823047e-06,
        -0.0001073665322636516,
        5.2923448829120125e-05,
    ],
    &[0.0006494341563786008, 0.00022947209362139917, -0.0004691894943952557, 0.00026772063206283885],
    &[-0.0008618882909167117, 0.0007840392217200666],
];

/// The smaller one of `P(a, x)` and `Q(a, x)` for large `a` near `x` (N. M. Temme, "The asymptotic expansion of the
/// incomplete gamma functions", SIAM J. Math. Anal. 10, 1979).
fn uniform(a: f64, x: f64) -> Dual {
    let mu = (x - a) / a;
    let half = -log1pmx(mu, x / a);
    let eta = libm::sqrt(2.0 * half).copysign(mu);
    let ratio = |y: f64| if eta == 0.0 { 1.0 } else { y / eta };
    let density = libm::exp(-a * half) / libm::sqrt(TAU * a);
    let (mut sum, mut by_eta, mut by_a) = (0.0, 0.0, 0.0);
    for (k, coefficients) in UNIFORM.iter().enumerate().rev() {
        let (mut value, mut slope) = (0.0, 0.0);
        for coefficient in coefficients.iter().rev() {
            slope = slope * eta + value;
            value = value * eta + coefficient;
        }
        by_a = by_a / a - k as f64 * value / a;
        sum = sum / a + value;
        by_eta = by_eta / a + slope;
    }
    let log = libm::log1p(mu);
    let slope = ratio(log) + sum * (log - 0.5 / a) - by_eta * ratio(mu) / a + by_a;
    let tail = 0.5 * libm::erfc(libm::sqrt(a * half));
    match mu > 0.0 {
        true => Dual { value: tail + density * sum, slope: density * slope },
        false => Dual { value: tail - density * sum, slope: -density * slope },
    }
}

/// `P(a, x)` and whether it is that, or `Q(a, x)`: whichever loses no digits.
fn incomplete(a: f64, x: f64) -> (bool, Dual) {
    let constant = |value| (true, Dual { value, slope: 0.0 });
    if a.is_nan() || x.is_nan() || a <= 0.0 || x < 0.0 || (a.is_infinite() && x.is_infinite()) {
        return (true, Dual { value: f64::NAN, slope: f64::NAN });
    }
    if x == 0.0 || a.is_infinite() {
        return constant(0.0);
    }
    if x.is_infinite() {
        return constant(1.0);
    }
    if a >= 1e4 && (x - a).abs() < 0.1 * a {
        return (x <= a, uniform(a, x));
    }
    let below = x <= 1.0 || x <= a;
    (below, if below { lower(a, x) } else { upper(a, x) })
}

/// The lower regularized incomplete gamma function, `P(a, x) = ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a)`; NaN unless `a > 0` and `x ≥ 0`.
pub fn igamma(a: f64, x: f64) -> f64 {
    let (is_lower, part) = incomplete(a, x);
    if is_lower { part.value } else { 1.0 - part.value }
}

/// The upper regularized incomplete gamma function, `Q(a, x) = 1 - P(a, x)`; NaN unless `a > 0` and `x ≥ 0`.
pub fn igammac(a: f64, x: f64) -> f64 {
    let (is_lower, part) = incomplete(a, x);
    if is_lower { 1.0 - part.value } else { part.value }
}

/// `∂P(a, x) / ∂a`.
pub fn igamma_grad_a(a: f64, x: f64) -> f64 {
    let (is_lower, part) = incomplete(a, x);
    if is_lower { part.slope } else { -part.slope }
}

/// `∂P(a, x) / ∂x = xᵃ⁻¹ e⁻ˣ / Γ(a)`: the density of the gamma distribution.
pub fn gamma_density(a: f64, x: f64) -> f64 {
    match a > 0.0 && x >= 0.0 {
        true if x.is_infinite() => 0.0,
        true => weight(a - 1.0, a, x),
        false => f64::NAN,
    }
}
