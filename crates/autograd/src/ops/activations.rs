//! Activation functions: value and derivative each in one pass. Slopes at the kinks are those of TensorFlow.
use crate::ops::unary::{Of, Unary, unary, unary_ops};
use crate::{AsTensor, Tensor};
use slalom_array::{Float, Result};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// `1/√(2π)`
const ROOT: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
/// `√(2/π)` and the factor of x³ in the argument of GELU's tanh.
const GELU: [f64; 2] = [FRAC_2_SQRT_PI * FRAC_1_SQRT_2, 0.044715];
/// SELU's scale and alpha (G. Klambauer et al., 2017).
const SELU: [f64; 2] = [1.050_700_987_355_480_5, 1.673_263_242_354_377_2];

/// `tanh` of GELU's argument, and the argument's slope.
#[inline(always)]
fn gelu_tanh<F: Float>(x: F) -> (F, F) {
    let [root, cubic] = GELU.map(F::from_f64);
    let square = x * x;
    let slope = root * (F::ONE + F::from_f64(3.0) * cubic * square);
    ((root * (x + cubic * square * x)).tanh(), slope)
}

unary_ops! {
    /// `min(max(x, 0), 6)`; slope 0 at 0 and 6.
    relu6 = Relu6 of output: f(x) = x.maximum(F::ZERO).minimum(F::from_f64(6.0)),
        df(y) = F::select((y > F::ZERO) & (y < F::from_f64(6.0)), F::ONE, F::ZERO);

    /// `x Φ(x)` with the normal distribution's Φ: the Gaussian error linear unit (D. Hendrycks, K. Gimpel, 2016).
    gelu = Gelu of input, wide:
        f(x) = x.gelu(),
        df(x) = x.ndtr() + x * F::from_f64(ROOT) * (-F::HALF * x * x).exp(),
        d2(x) = { let square = x.square(); Ok(ROOT * (-0.5 * &square).exp()? * (2.0 - square)) };

    /// [`gelu`](Tensor::gelu) by its approximation `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
    gelu_tanh = GeluTanh of input, wide:
        f(x) = F::HALF * x * (F::ONE + gelu_tanh(x).0),
        df(x) = {
            let (t, slope) = gelu_tanh(x);
            F::HALF * (F::ONE + t) + F::HALF * x * (F::ONE - t * t) * slope
        },
        d2(x) = {
            let [root, cubic] = GELU;
            let square = x.square();
            let t = (root * (x + cubic * &square * x)).tanh()?;
            let (slope, steeper) = (root * (1.0 + 3.0 * cubic * square), 6.0 * root * cubic * x);
            Ok((1.0 - t.square()) * (&slope + 0.5 * x * (steeper - 2.0 * &t * slope.square())))
        };

    /// `x sigmoid(x)`, also called swish.
    silu = Silu of input, wide: f(x) = x * x.sigmoid(),
        df(x) = { let y = x.sigmoid(); y * (F::ONE + x * (F::ONE - y)) },
        d2(x) = { let y = x.sigmoid()?; Ok(&y * (1.0 - &y) * (2.0 + x * (1.0 - 2.0 * &y))) };

    /// `x tanh(softplus(x))` (D. Misra, 2019).
    mish = Mish of input, wide: f(x) = x * x.softplus().tanh(),
        df(x) = { let t = x.softplus().tanh(); t + x * x.sigmoid() * (F::ONE - t * t) },
        d2(x) = {
            let (t, y) = (x.softplus()?.tanh()?, x.sigmoid()?);
            let slope = &y * (1.0 - t.square());
            Ok(&slope * (2.0 + x * (1.0 - &y - 2.0 * t * &y)))
        };

    /// `min(max(x/5 + 1/2, 0), 1)`; slope 1/5 at the kinks.
    hard_sigmoid = HardSigmoid of input:
        f(x) = (F::from_f64(0.2) * x + F::HALF).clamp(F::ZERO, F::ONE),
        df(x) = {
            let y = F::from_f64(0.2) * x + F::HALF;
            F::select((y >= F::ZERO) & (y <= F::ONE), F::from_f64(0.2), F::ZERO)
        };

    /// `x / (1 + |x|)`
    softsign = Softsign of input: f(x) = x / (F::ONE + x.abs()),
        df(x) = { let y = (F::ONE + x.abs()).recip(); y * y },
        d2(x) = { let y = (1.0 + x.abs()).reciprocal()?; Ok(-2.0 * x.sign() * y.square() * y) };

    /// `log(sigmoid(x))`, exact for large negative `x` also.
    log_sigmoid = LogSigmoid of input, wide: f(x) = -(-x).softplus(), df(x) = (-x).sigmoid(),
        d2(x) = { let y = x.sigmoid()?; Ok(&y * (&y - 1.0)) };
}

/// `x` above 0, `alpha x` elsewhere.
#[derive(Debug, Clone, Copy)]
struct LeakyRelu {
    alpha: f64,
}

impl Unary for LeakyRelu {
    const NAME: &'static str = "leaky_relu";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        x * self.df(x)
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        F::select(x > F::ZERO, F::ONE, F::from_f64(self.alpha))
    }
}

/// `scale x` above 0, `scale alpha (eˣ - 1)` below.
#[derive(Debug, Clone, Copy)]
struct ExponentialUnit {
    scale: f64,
    alpha: f64,
    /// Whether 0 belongs to the exponential side.
    closed: bool,
}

impl ExponentialUnit {
    #[inline(always)]
    fn select<F: Float>(self, x: F, linear: F, exponential: F) -> F {
        F::select((x > F::ZERO) | (!self.closed & (x == F::ZERO)), linear, exponential)
    }
}

impl Unary for ExponentialUnit {
    const NAME: &'static str = "elu";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        F::from_f64(self.scale) * self.select(x, x, F::from_f64(self.alpha) * x.exp_m1())
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        F::from_f64(self.scale) * self.select(x, F::ONE, F::from_f64(self.alpha) * x.exp())
    }
    fn d2(self, x: &Tensor) -> Result<Tensor> {
        unary(ExponentialTail(self), x)
    }
}

/// The second derivative of an exponential unit, and every higher one.
#[derive(Debug, Clone, Copy)]
struct ExponentialTail(ExponentialUnit);

impl Unary for ExponentialTail {
    const NAME: &'static str = "elu_tail";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        F::from_f64(self.0.scale) * self.0.select(x, F::ZERO, F::from_f64(self.0.alpha) * x.exp())
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        self.f(x)
    }
    fn d2(self, x: &Tensor) -> Result<Tensor> {
        unary(self, x)
    }
}

/// `max(min(x, high), low)`
#[derive(Debug, Clone, Copy)]
struct Clip {
    low: f64,
    high: f64,
}

impl Unary for Clip {
    const NAME: &'static str = "clip_by_value";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        let x = F::select(x > F::from_f64(self.high), F::from_f64(self.high), x);
        F::select(x < F::from_f64(self.low), F::from_f64(self.low), x)
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        let inside = (x >= F::from_f64(self.low)) & (x <= F::from_f64(self.high));
        F::select(inside, F::ONE, F::ZERO)
    }
}

/// Keras's ReLU with all its options.
#[derive(Debug, Clone, Copy)]
struct GeneralRelu {
    negative_slope: f64,
    max_value: Option<f64>,
    threshold: f64,
}

impl GeneralRelu {
    /// Whether 0 has the negative slope, as in `leaky_relu`, which Keras takes where it can.
    fn is_leaky(self) -> bool {
        self.max_value.is_none() && self.threshold == 0.0 && self.negative_slope != 0.0
    }
}

impl Unary for GeneralRelu {
    const NAME: &'static str = "relu_with";
    const OF: Of = Of::Input;
    #[inline(always)]
    fn f<F: Float>(self, x: F) -> F {
        let threshold = F::from_f64(self.threshold);
        let above = F::select(x <= threshold, F::ZERO, x);
        let above = match self.max_value {
            Some(max) => above.clamp(F::ZERO, F::from_f64(max)),
            None => above,
        };
        match self.negative_slope {
            // 0 times an infinite distance is NaN.
            0.0 => above,
            slope => above - F::from_f64(slope) * (threshold - x).maximum(F::ZERO),
        }
    }
    #[inline(always)]
    fn df<F: Float>(self, x: F) -> F {
        let threshold = F::from_f64(self.threshold);
        let inside = match self.max_value {
            // Keras takes relu6 here, whose slope at 6 is 0; elsewhere it clips, with slope 1 at the bound.
            Some(6.0) if self.threshold == 0.0 => x < F::from_f64(6.0),
            Some(max) => (x >= F::ZERO) & (x <= F::from_f64(max)),
            None => true,
        };
        let above = F::select((x > threshold) & inside, F::ONE, F::ZERO);
        let below = (x < threshold) | (self.is_leaky() & (x == threshold));
        above + F::select(below, F::from_f64(self.negative_slope), F::ZERO)
    }
}

/// FusedActivation functions with parameters.
impl Tensor {
    /// `x` above 0, `alpha x` elsewhere; slope `alpha` at 0.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-2.0f32, 3.0])?;
    /// assert_eq!(x.leaky_relu(0.5)?.to_vec::<f32>()?, [-1.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn leaky_relu(&self, alpha: f64) -> Result<Tensor> {
        unary(LeakyRelu { alpha }, self)
    }

    /// `x` above 0, `alpha (eˣ - 1)` elsewhere: the exponential linear unit (D.-A. Clevert et al., 2015); usually
    /// `alpha` is 1. Slope `alpha` at 0.
    ///
    /// # Errors
    /// As [`leaky_relu`](Tensor::leaky_relu).
    pub fn elu(&self, alpha: f64) -> Result<Tensor> {
        unary(ExponentialUnit { scale: 1.0, alpha, closed: true }, self)
    }

    /// The scaled exponential linear unit (G. Klambauer et al., 2017): 1.0507 times `x` above 0, `1.67326 (eˣ - 1)`
    /// below. Slope 1.0507 at 0.
    ///
    /// # Errors
    /// As [`leaky_relu`](Tensor::leaky_relu).
    pub fn selu(&self) -> Result<Tensor> {
        let [scale, alpha] = SELU;
        unary(ExponentialUnit { scale, alpha, closed: false }, self)
    }

    /// `max(min(x, high), low)`; slope 1 at both bounds. Integers take bounds that are integers.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are booleans, or integers that a bound is not one of.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![-2.0f32, 0.5, 3.0])?;
    /// assert_eq!(x.clip_by_value(0.0, 1.0)?.to_vec::<f32>()?, [0.0, 0.5, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn clip_by_value(&self, low: f64, high: f64) -> Result<Tensor> {
        if self.dtype().is_integer() {
            let [low, high] = [low, high].map(|bound| self.like("clip_by_value", bound));
            return self.clip_by_tensors(low?, high?);
        }
        unary(Clip { low, high }, self)
    }

    /// `max(min(x, high), low)` for bounds that are tensors and have gradients too; where `x` is equal to a bound, the
    /// gradient goes to `x`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ.
    pub fn clip_by_tensors(&self, low: impl AsTensor, high: impl AsTensor) -> Result<Tensor> {
        self.minimum(high)?.maximum(low)
    }

    /// Keras's `relu(x, negative_slope, max_value, threshold)`: `max_value` above it, `x` between `threshold` and
    /// `max_value`, `negative_slope (x - threshold)` below the threshold. With a `max_value`, nothing between a
    /// negative threshold and 0 passes.
    ///
    /// Slopes at the kinks are Keras's: at the threshold 0 (but `negative_slope`, if that is all that is given), at
    /// `max_value` 1 (but 0, if it is 6 and the threshold 0).
    ///
    /// # Errors
    /// As [`leaky_relu`](Tensor::leaky_relu).
    pub fn relu_with(&self, negative_slope: f64, max_value: Option<f64>, threshold: f64) -> Result<Tensor> {
        unary(GeneralRelu { negative_slope, max_value, threshold }, self)
    }
}
