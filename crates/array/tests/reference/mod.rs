//! The functions of `Float`, each with an independent reference in `f64`, and errors in ulp.
use slalom_array::{Float, Kernel, dispatch};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// A function under test.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// Replaces each element.
    pub(crate) f32: fn(&mut [f32]),
    /// Replaces each element.
    pub(crate) f64: fn(&mut [f64]),
    /// The function itself, compiled for what the target guarantees.
    #[allow(dead_code, reason = "read by the tests only")]
    pub(crate) plain: fn(f32) -> f32,
    /// The same from the standard library or libm.
    pub(crate) reference: fn(f64) -> f64,
}

struct Map<'a, T, F>(&'a mut [T], F);

impl<T: Float, F: Fn(T) -> T> Kernel for Map<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        // Not `for_each`: its closure would be a function of its own, compiled without the instruction set.
        for x in self.0 {
            *x = self.1(*x);
        }
    }
}

macro_rules! functions {
    ($($name:ident => $reference:expr),* $(,)?) => {
        &[$(Function {
            name: stringify!($name),
            f32: |x| dispatch(Map(x, #[inline(always)] |x: f32| Float::$name(x))),
            f64: |x| dispatch(Map(x, #[inline(always)] |x: f64| Float::$name(x))),
            plain: Float::$name,
            reference: $reference,
        }),*]
    };
}

/// Every function that the crate computes by itself.
pub(crate) const FUNCTIONS: &[Function] = functions![
    exp => f64::exp,
    exp_m1 => f64::exp_m1,
    ln => f64::ln,
    ln_1p => f64::ln_1p,
    tanh => f64::tanh,
    sigmoid => |x| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) },
    softplus => |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
    exp2 => f64::exp2,
    log2 => f64::log2,
    sin => f64::sin,
    cos => f64::cos,
    tan => f64::tan,
    asin => f64::asin,
    acos => f64::acos,
    atan => f64::atan,
    sinh => f64::sinh,
    cosh => f64::cosh,
    asinh => libm::asinh,
    acosh => |x| if x < 1.0 { f64::NAN } else { libm::acosh(x) },
    atanh => libm::atanh,
    erf => libm::erf,
    erfc => libm::erfc,
    ndtr => ndtr,
    gelu => |x| if x == f64::NEG_INFINITY { -0.0 } else { x * ndtr(x) },
];

/// erfc(-x/√2) / 2, corrected for the rounding of x/√2, which the exponential would blow up.
fn ndtr(x: f64) -> f64 {
    /// What 1/√2 lacks in f64.
    const REST: f64 = -4.833_646_656_726_457e-17;
    let z = -x * FRAC_1_SQRT_2;
    let y = 0.5 * libm::erfc(z);
    let rest = (-x).mul_add(FRAC_1_SQRT_2, -z) - x * REST;
    let slope = 0.5 * FRAC_2_SQRT_PI * (-z * z).exp();
    if rest.is_finite() && slope > 0.0 { y - slope * rest } else { y }
}

/// |y - exact| in units of the last place of a float of that size; infinite if only one of them is NaN or if a
/// zero has the wrong sign.
pub(crate) fn ulp_f32(y: f32, exact: f64) -> f64 {
    if y.is_nan() || exact.is_nan() {
        return if y.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if exact == 0.0 && y == 0.0 {
        return if y.is_sign_negative() == exact.is_sign_negative() { 0.0 } else { f64::INFINITY };
    }
    let rounded = exact as f32;
    if rounded.is_infinite() && y == rounded {
        return 0.0;
    }
    // An infinite result counts as the next power of two.
    let y = if y.is_infinite() { 2f64.powi(128).copysign(y.into()) } else { y.into() };
    let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
    (y - exact).abs() / 2f64.powi(exponent.clamp(-126, 127) - 23)
}

/// The distance of two numbers in representable numbers; `u64::MAX` if only one of them is NaN.
pub(crate) fn ulp_f64(y: f64, expected: f64) -> u64 {
    // Consecutive integers for consecutive numbers, across zero as well.
    let order =
        |x: f64| if x.is_sign_negative() { i64::MIN - x.to_bits() as i64 } else { x.to_bits() as i64 };
    match (y.is_nan(), expected.is_nan()) {
        (true, true) => 0,
        (false, false) => order(y).abs_diff(order(expected)),
        _ => u64::MAX,
    }
}
