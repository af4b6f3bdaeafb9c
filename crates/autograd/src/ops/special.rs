//! Special functions of several numbers, computed one element after the other.
use crate::cut::refuse;
use crate::jvp::{self, Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, single};
use crate::ops::reduce::{expect_float, sum_to};
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, Result, special};
use smallvec::{SmallVec, smallvec};

/// A function, and the derivatives that are functions of the kind.
#[derive(Debug, Clone, Copy)]
enum Special {
    Zeta,
    Igamma,
    Igammac,
    IgammaGradA,
    GammaDensity,
    Betainc,
    BetaDensity,
    BesselI,
    BesselIe,
    BesselJ,
    BesselK,
    BesselKe,
    BesselY,
}

/// The inputs of a function.
type Inputs = SmallVec<[Tensor; 3]>;

impl Special {
    fn function(self) -> fn(&[f64]) -> f64 {
        match self {
            Special::Zeta => |x| special::zeta(x[0], x[1]),
            Special::Igamma => |x| special::igamma(x[0], x[1]),
            Special::Igammac => |x| special::igammac(x[0], x[1]),
            Special::IgammaGradA => |x| special::igamma_grad_a(x[0], x[1]),
            Special::GammaDensity => |x| special::gamma_density(x[0], x[1]),
            Special::Betainc => |x| special::betainc(x[0], x[1], x[2]),
            Special::BetaDensity => |x| special::beta_density(x[0], x[1], x[2]),
            Special::BesselI => |x| special::bessel_i(x[0], x[1]),
            Special::BesselIe => |x| special::bessel_ie(x[0], x[1]),
            Special::BesselJ => |x| special::bessel_j(x[0], x[1]),
            Special::BesselK => |x| special::bessel_k(x[0], x[1]),
            Special::BesselKe => |x| special::bessel_ke(x[0], x[1]),
            Special::BesselY => |x| special::bessel_y(x[0], x[1]),
        }
    }

    /// The derivative by input `i`, if there is one.
    fn slope(self, i: usize, x: &Inputs) -> Result<Option<Tensor>> {
        // Of a Bessel function: that of another order, and half of the sum or difference of its neighbours.
        let near = |step: f64| apply(self, [&(&x[0] + step), &x[1]]);
        let mean = |sign: f64| -> Result<Tensor> { Ok(0.5 * (near(-1.0)? + sign * near(1.0)?)) };
        Ok(Some(match (self, i) {
            (Special::Zeta, 1) => -(&x[0] * near(1.0)?),
            (Special::Igamma, 0) => apply(Special::IgammaGradA, [&x[0], &x[1]])?,
            (Special::Igamma, _) => apply(Special::GammaDensity, [&x[0], &x[1]])?,
            (Special::Igammac, _) => return Ok(Special::Igamma.slope(i, x)?.map(|slope| -slope)),
            (Special::IgammaGradA, 1) | (Special::GammaDensity, 0) => {
                apply(Special::GammaDensity, [&x[0], &x[1]])? * (x[1].log()? - x[0].digamma()?)
            }
            (Special::GammaDensity, _) => apply(self, [&x[0], &x[1]])? * ((&x[0] - 1.0) / &x[1] - 1.0),
            (Special::Betainc, 2) => apply(Special::BetaDensity, [&x[0], &x[1], &x[2]])?,
            (Special::BetaDensity, 2) => {
                let log_slope = (&x[0] - 1.0) / &x[2] - (&x[1] - 1.0) / (1.0 - &x[2]);
                apply(self, [&x[0], &x[1], &x[2]])? * log_slope
            }
            (Special::BesselI, 1) => mean(1.0)?,
            (Special::BesselIe, 1) => mean(1.0)? - x[1].sign() * near(0.0)?,
            (Special::BesselJ | Special::BesselY, 1) => mean(-1.0)?,
            (Special::BesselK, 1) => -mean(1.0)?,
            (Special::BesselKe, 1) => near(0.0)? - mean(1.0)?,
            _ => return Ok(None),
        }))
    }

    fn slope_or_error(self, i: usize, cx: &Vjp<'_>) -> Result<Tensor> {
        let x = (0..cx.inputs()).map(|i| cx.input(i).clone()).collect();
        self.slope(i, &x)?.ok_or_else(|| cx.no_gradient("one by a parameter"))
    }
}

impl Op for Special {
    fn name(&self) -> &'static str {
        match self {
            Special::Zeta => "zeta",
            Special::Igamma => "igamma",
            Special::Igammac => "igammac",
            Special::IgammaGradA => "igamma_grad_a",
            Special::GammaDensity => "gamma_density",
            Special::Betainc => "betainc",
            Special::BetaDensity => "beta_density",
            Special::BesselI => "bessel_i",
            Special::BesselIe => "bessel_ie",
            Special::BesselJ => "bessel_j",
            Special::BesselK => "bessel_k",
            Special::BesselKe => "bessel_ke",
            Special::BesselY => "bessel_y",
        }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        single(match *inputs {
            [a, b, x] => special::map_scalar(self.name(), self.function(), [a, b, x]),
            _ => special::map_scalar(self.name(), self.function(), [inputs[0], inputs[1]]),
        })
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let gradient = |i| match cx.needs(i) {
            true => {
                Ok(Some(sum_to(&*cx.upstream()? * self.slope_or_error(i, cx)?, cx.input_shape(i))?.into()))
            }
            false => Ok(None),
        };
        (0..cx.inputs()).map(gradient).collect()
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        let mut sum = None;
        for i in 0..cx.inputs() {
            if let Some(tangent) = cx.tangent(i) {
                sum = jvp::sum(sum, Some(tangent * self.slope_or_error(i, &cx.backward(i))?));
            }
        }
        Ok(smallvec![sum])
    }
}

/// Special functions, each element computed in double precision and then rounded. Tensors are of one floating-point
/// type, and broadcast.
impl Tensor {
    /// Hurwitz's zeta function of the exponent `self`, `ζ(x, q) = Σ (q + k)⁻ˣ` over all `k ≥ 0` (`tf.math.zeta`): ∞
    /// where the exponent is 1, NaN below. For negative `q` it must be an integer, else the result is NaN; at 0, -1, ..
    /// it is ∞ for even exponents, NaN for others. The relative error is below 10⁻¹⁴.
    ///
    /// The gradient is that by `q`. As in TensorFlow there is none by the exponent.
    ///
    /// # Errors
    /// `ErrorKind::Gradient`, if a tape watches the exponent; `ErrorKind::DType`, if the types differ or are not
    /// floating-point numbers; `ErrorKind::Shape`, if the shapes do not broadcast together.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let zeta = Tensor::scalar(2.0f64).zeta(Tensor::scalar(1.0f64))?.item()?;
    /// assert!((zeta - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn zeta(&self, q: impl AsTensor) -> Result<Tensor> {
        refuse("zeta", self, "the exponent")?;
        apply(Special::Zeta, [self, &q.as_tensor()])
    }

    /// The lower regularized incomplete gamma function of the parameter `self`, `P(a, x) = ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a)`
    /// (`tf.math.igamma`): NaN unless `a > 0` and `x ≥ 0`. The relative error is below 10⁻¹².
    ///
    /// There are gradients by both; the second derivative by `a` alone is an error where somebody asks for it, as in
    /// TensorFlow.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the types differ or are not floating-point numbers; `ErrorKind::Shape`, if the shapes do
    /// not broadcast together.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// // 1 - e⁻ˣ
    /// let p = Tensor::scalar(1.0f64).igamma(Tensor::scalar(2.0f64))?.item()?;
    /// assert!((p + (-2.0f64).exp_m1()).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn igamma(&self, x: impl AsTensor) -> Result<Tensor> {
        apply(Special::Igamma, [self, &x.as_tensor()])
    }

    /// The upper regularized incomplete gamma function of the parameter `self`, `Q(a, x) = 1 - P(a, x)`
    /// (`tf.math.igammac`), exact for large `x` also. The relative error is below 10⁻¹²; for `x` below 1 and small `a`
    /// the absolute one is below 10⁻¹⁵. Otherwise as [`igamma`](Tensor::igamma).
    ///
    /// # Errors
    /// As [`igamma`](Tensor::igamma).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let q = Tensor::scalar(1.0f64).igammac(Tensor::scalar(50.0f64))?.item()?;
    /// assert!((q / (-50.0f64).exp() - 1.0).abs() < 1e-14);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn igammac(&self, x: impl AsTensor) -> Result<Tensor> {
        apply(Special::Igammac, [self, &x.as_tensor()])
    }

    /// The regularized incomplete beta function of the parameters `self` and `b`,
    /// `I(a, b, x) = ∫₀ˣ tᵃ⁻¹ (1 - t)ᵇ⁻¹ dt / B(a, b)` (`tf.math.betainc`): NaN unless `a` and `b` are positive and
    /// finite and `x` is in `[0, 1]`. The relative error is below 10⁻¹² for parameters up to 10⁴.
    ///
    /// The gradient is that by `x`. As in TensorFlow there is none by the parameters.
    ///
    /// # Errors
    /// `ErrorKind::Gradient`, if a tape watches a parameter; `ErrorKind::DType`, if the types differ or are not
    /// floating-point numbers; `ErrorKind::Shape`, if the shapes do not broadcast together.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// // xᵃ, for b = 1
    /// let (a, b, x) = (Tensor::scalar(3.0f64), Tensor::scalar(1.0f64), Tensor::scalar(0.5f64));
    /// assert!((a.betainc(b, x)?.item()? - 0.125).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn betainc(&self, b: impl AsTensor, x: impl AsTensor) -> Result<Tensor> {
        let b = b.as_tensor();
        refuse("betainc", self, "the parameter a")?;
        refuse("betainc", &b, "the parameter b")?;
        apply(Special::Betainc, [self, &b, &x.as_tensor()])
    }

    fn bessel(&self, op: &'static str, function: Special, order: f64) -> Result<Tensor> {
        expect_float(op, self.dtype())?;
        apply(function, [&self.like(op, order)?, self])
    }
}

/// Defines Bessel functions: their names and orders.
macro_rules! bessel_functions {
    ($($(#[$doc:meta])* $name:ident = $function:ident, order $order:literal;)*) => {
        /// Bessel functions, each element computed in double precision and then rounded; the relative error is below
        /// 10⁻¹⁴, but that of `J` and `Y` near their zeros. Derivatives of any order are Bessel functions of others.
        ///
        /// ```
        /// # use slalom_autograd::{GradientTape, Tensor};
        /// let tape = GradientTape::new();
        /// let x = tape.watch(&Tensor::scalar(0.5f64));
        /// let y = x.bessel_i0()?;
        /// let slope = tape.gradient(&y, &x)?.unwrap().to_dense()?.item()?;
        /// assert!((slope - Tensor::scalar(0.5f64).bessel_i1()?.item()?).abs() < 1e-15);
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// `ErrorKind::DType`, if the elements are not floating-point numbers.
                pub fn $name(&self) -> Result<Tensor> {
                    self.bessel(stringify!($name), Special::$function, $order)
                }
            )*
        }
    };
}

bessel_functions! {
    /// The modified Bessel function of the first kind, `I₀(x)` (`tf.math.bessel_i0`).
    bessel_i0 = BesselI, order 0.0;
    /// `I₁(x)` (`tf.math.bessel_i1`).
    bessel_i1 = BesselI, order 1.0;
    /// `e^-|x| I₀(x)` (`tf.math.bessel_i0e`); the slope at 0 is 0.
    bessel_i0e = BesselIe, order 0.0;
    /// `e^-|x| I₁(x)` (`tf.math.bessel_i1e`).
    bessel_i1e = BesselIe, order 1.0;
    /// The Bessel function of the first kind, `J₀(x)` (`tf.math.special.bessel_j0`).
    bessel_j0 = BesselJ, order 0.0;
    /// `J₁(x)` (`tf.math.special.bessel_j1`).
    bessel_j1 = BesselJ, order 1.0;
    /// The modified Bessel function of the second kind, `K₀(x)` (`tf.math.special.bessel_k0`); ∞ at 0, NaN below.
    bessel_k0 = BesselK, order 0.0;
    /// `K₁(x)` (`tf.math.special.bessel_k1`); ∞ at 0, NaN below.
    bessel_k1 = BesselK, order 1.0;
    /// `eˣ K₀(x)` (`tf.math.special.bessel_k0e`); ∞ at 0, NaN below.
    bessel_k0e = BesselKe, order 0.0;
    /// `eˣ K₁(x)` (`tf.math.special.bessel_k1e`); ∞ at 0, NaN below.
    bessel_k1e = BesselKe, order 1.0;
    /// The Bessel function of the second kind, `Y₀(x)` (`tf.math.special.bessel_y0`); -∞ at 0, NaN below.
    bessel_y0 = BesselY, order 0.0;
    /// `Y₁(x)` (`tf.math.special.bessel_y1`); -∞ at 0, NaN below.
    bessel_y1 = BesselY, order 1.0;
}
