//! The gamma function's logarithm, its derivatives, and the inverses of the error function.
use crate::Tensor;
use crate::ops::unary::{Of, Unary, unary, unary_ops};
use slalom_array::{Error, ErrorKind, Float, Result};
use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

/// `√π/2`
const HALF_ROOT_PI: f64 = 1.0 / FRAC_2_SQRT_PI;

unary_ops! {
    /// `ln |Γ(x)|` (`tf.math.lgamma`); infinite at 0 and the negative integers.
    lgamma = Lgamma of input: f(x) = x.lgamma(), df(x) = x.digamma(), d2(x) = x.polygamma(1);

    /// `ψ(x) = Γ'(x) / Γ(x)` (`tf.math.digamma`); NaN at 0 and the negative integers.
    digamma = Digamma of input: f(x) = x.digamma(), df(x) = x.polygamma(1), d2(x) = x.polygamma(2);

    /// The inverse of [`erf`](Tensor::erf) (`tf.math.erfinv`); ±∞ at ±1, NaN outside of `[-1, 1]`.
    erfinv = Erfinv of output: f(x) = x.erfinv(), df(y) = F::from_f64(HALF_ROOT_PI) * (y * y).exp(),
        d2(y) = Ok(2.0 * HALF_ROOT_PI * y * y.square().exp()?);

    /// The inverse of [`erfc`](Tensor::erfc) (`tf.math.erfcinv`), exact for small `x` also; ∞ at 0, -∞ at 2, NaN outside of
    /// `[0, 2]`.
    erfcinv = Erfcinv of output: f(x) = x.erfcinv(), df(y) = F::from_f64(-HALF_ROOT_PI) * (y * y).exp(),
        d2(y) = Ok(-2.0 * HALF_ROOT_PI * y * y.square().exp()?);

    /// The quantile of the normal distribution (`tf.math.ndtri`); ∓∞ at 0 and 1, NaN outside of `[0, 1]`.
    ndtri = Ndtri of output: f(x) = x.ndtri(), df(y) = F::from_f64(SQRT_2 * HALF_ROOT_PI * 2.0) * (F::HALF * y * y).exp(),
        d2(y) = Ok(SQRT_2 * HALF_ROOT_PI * 2.0 * y * (0.5 * y.square()).exp()?);

    /// `1 / x`; 0 where `x` is 0 (`tf.math.reciprocal_no_nan`).
    reciprocal_no_nan = ReciprocalNoNan of output: f(x) = F::select(x == F::ZERO, F::ZERO, x.recip()),
        df(y) = -(y * y), d2(y) = Ok(-2.0 * y);
}

/// The derivative of order `n` of ψ.
#[derive(Debug, Clone, Copy)]
struct Polygamma {
    n: u32,
}

impl Unary for Polygamma {
    const NAME: &'static str = "polygamma";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        x.polygamma(self.n)
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        x.polygamma(self.n + 1)
    }
    fn d2(self, x: &Tensor) -> Result<Tensor> {
        // Beyond the limit of the method, too.
        unary(Polygamma { n: self.n + 2 }, x)
    }
}

/// Derivatives of the gamma function's logarithm.
impl Tensor {
    /// The derivative of order `n` of [`digamma`](Tensor::digamma), `(-1)ⁿ⁺¹ n! Σ (x + k)⁻ⁿ⁻¹` (`tf.math.polygamma`).
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers; `ErrorKind::Argument`, if `n` is more than 150,
    /// beyond which the factorial leaves the range of `f64`.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::scalar(1.0f64).polygamma(1)?.item()?;
    /// assert!((x - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn polygamma(&self, n: u32) -> Result<Tensor> {
        if n > 150 {
            return Err(Error::new(ErrorKind::Argument, "polygamma", "an order of at most 150", n));
        }
        unary(Polygamma { n }, self)
    }
}
