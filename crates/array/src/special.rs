//! Special functions of one number at a time, in double precision.
//!
//! They have loops and branches, so they are compiled once, for no instruction set in particular; [`map_scalar`]
//! applies them to whole arrays. Exponentials, powers and the gamma function are those of the `libm` crate.
mod bessel;
mod beta;
mod gamma;

pub use bessel::{bessel_i, bessel_ie, bessel_j, bessel_k, bessel_ke, bessel_y};
pub use beta::{beta_density, betainc};
pub use gamma::{gamma_density, igamma, igamma_grad_a, igammac};

pub use crate::float::zeta;
use crate::{Array, Float, Isa, Map, Result, map_float};

/// A function of `N` numbers.
#[derive(Clone, Copy)]
struct Scalar<const N: usize>(fn(&[f64]) -> f64);

impl<F: Float, const N: usize> Map<F, F, N> for Scalar<N> {
    const WIDEST: Isa = Isa::Scalar;
    #[inline(always)]
    fn eval(self, x: [F; N]) -> F {
        F::from_f64((self.0)(&x.map(F::to_f64)))
    }
}

/// `out[i] = f([inputs[0][i], inputs[1][i], ..])` for each index of the shape that all inputs broadcast to, one element
/// after the other, in double precision.
///
/// # Errors
/// [`ErrorKind::Shape`](crate::ErrorKind) if the shapes do not broadcast together,
/// [`ErrorKind::DType`](crate::ErrorKind) if the inputs are not of one floating-point type,
/// [`ErrorKind::Memory`](crate::ErrorKind); all name `op`.
///
/// ```
/// use slalom_array::{Array, special};
/// let (s, q) = (Array::from_vec([2], vec![2.0f64, 4.0])?, Array::from_vec([1], vec![1.0f64])?);
/// let zeta = special::map_scalar("zeta", |x| special::zeta(x[0], x[1]), [&s, &q])?.to_vec::<f64>()?;
/// assert!((zeta[0] - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn map_scalar<const N: usize>(
    op: &'static str,
    f: fn(&[f64]) -> f64,
    inputs: [&Array; N],
) -> Result<Array> {
    map_float(op, Scalar(f), inputs)
}

/// `ln(1 + μ) - μ` for `1 + μ = ratio`, exact near 0 also.
fn log1pmx(mu: f64, ratio: f64) -> f64 {
    if mu.abs() >= 0.5 {
        return libm::log(ratio) - mu;
    }
    // ln(1 + μ) = 2 artanh r
    let r = mu / (2.0 + mu);
    let (square, mut power, mut sum) = (r * r, 1.0, 1.0 / 3.0);
    for k in 1..20 {
        power *= square;
        sum += power / f64::from(2 * k + 3);
    }
    r * (2.0 * square * sum - mu)
}

/// `ln Γ(a) - (a - 1/2) ln a + a - ln √(2π)` for `a > 0`.
fn stirling(a: f64) -> f64 {
    const LN_ROOT_TAU: f64 = 0.918_938_533_204_672_7;
    if a < 10.0 {
        return libm::lgamma(a) - ((a - 0.5) * libm::log(a) - a + LN_ROOT_TAU);
    }
    let q = 1.0 / (a * a);
    let terms = [
        1.0 / 156.0,
        -691.0 / 360_360.0,
        1.0 / 1188.0,
        -1.0 / 1680.0,
        1.0 / 1260.0,
        -1.0 / 360.0,
        1.0 / 12.0,
    ];
    terms.iter().fold(0.0, |sum, term| sum * q + term) / a
}
