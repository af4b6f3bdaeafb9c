//! Weights whose norm lies between bounds.
use super::kernel::{Function, clip, elementwise};
use super::{Constraint, EPSILON, sum_of_squares};
use crate::Config;
use crate::config::axes_value;
use slalom_array::{Float, Result};
use slalom_autograd::Tensor;

/// Brings the norm of weights between bounds: `w · d / (10⁻⁷ + ‖w‖)` with the desired norm
/// `d = rate · clip(‖w‖, min_value, max_value) + (1 - rate) ‖w‖` and the Euclidean norm over some axes
/// (`tf.keras.constraints.MinMaxNorm`).
///
/// The default bounds are 0 and 1, the default rate 1 (the bounds hold strictly after each update; below 1, weights
/// move towards them), and the default axis 0: of a dense kernel `[inputs, units]`, each unit's incoming weights. Zero
/// weights stay zero. If the bounds cross, `min_value` is both.
///
/// # Errors
/// [`apply`](Constraint::apply): [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the value lacks an axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the elements are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, MinMaxNorm};
/// let half_way = MinMaxNorm::new(0.0, 1.0).rate(0.5); // from norm 5 to norm 3
/// let w = half_way.apply(&Tensor::from_vec([2], vec![3.0f64, 4.0])?)?.to_vec::<f64>()?;
/// assert!((w[0] - 1.8).abs() < 1e-7 && (w[1] - 2.4).abs() < 1e-7);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MinMaxNorm {
    factor: Factor,
    axes: Vec<isize>,
}

impl MinMaxNorm {
    /// Norms between `min_value` and `max_value` over axis 0.
    pub fn new(min_value: f64, max_value: f64) -> MinMaxNorm {
        MinMaxNorm { factor: Factor { min_value, max_value, rate: 1.0 }, axes: vec![0] }
    }

    /// With the part of the way to the bounds that each update goes.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> MinMaxNorm {
        self.factor.rate = rate;
        self
    }

    /// With the norm over these axes; negative ones count from the end.
    #[must_use]
    pub fn axis(self, axes: &[isize]) -> MinMaxNorm {
        MinMaxNorm { axes: axes.to_vec(), ..self }
    }

    pub(super) fn from_config(config: &Config) -> Result<MinMaxNorm> {
        config.expect_only("MinMaxNorm", &["min_value", "max_value", "rate", "axis"])?;
        let factor = Factor {
            min_value: config.number("min_value", 0.0)?,
            max_value: config.number("max_value", 1.0)?,
            rate: config.number("rate", 1.0)?,
        };
        Ok(MinMaxNorm { factor, axes: config.axes("axis")? })
    }
}

impl Default for MinMaxNorm {
    /// Norms between 0 and 1 over axis 0, with rate 1.
    fn default() -> MinMaxNorm {
        MinMaxNorm::new(0.0, 1.0)
    }
}

/// The factor, from the sum of squares.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Factor {
    min_value: f64,
    max_value: f64,
    rate: f64,
}

impl Function for Factor {
    const NAME: &'static str = "MinMaxNorm";
    #[inline(always)]
    fn f<F: Float>(self, squares: F) -> F {
        let norm = squares.sqrt();
        let clipped = clip(norm, self.min_value, self.max_value);
        let desired = F::from_f64(self.rate) * clipped + F::from_f64(1.0 - self.rate) * norm;
        desired / (F::from_f64(EPSILON) + norm)
    }
}

impl Constraint for MinMaxNorm {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let squares = sum_of_squares("MinMaxNorm", value, &self.axes)?;
        Ok(value * elementwise(self.factor, &squares)?)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("MinMaxNorm")
    }
    fn get_config(&self) -> Config {
        let Factor { min_value, max_value, rate } = self.factor;
        Config::new()
            .with("min_value", min_value)
            .with("max_value", max_value)
            .with("rate", rate)
            .with("axis", axes_value(&self.axes))
    }
}
