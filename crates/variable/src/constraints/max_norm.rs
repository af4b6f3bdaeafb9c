//! Weights of limited norm.
use super::kernel::{Function, clip, elementwise};
use super::{Constraint, EPSILON, sum_of_squares};
use crate::Config;
use crate::config::axes_value;
use slalom_array::{Float, Result};
use slalom_autograd::Tensor;

/// Limits the norm of weights: `w · clip(‖w‖, 0, max_value) / (10⁻⁷ + ‖w‖)`, with the Euclidean norm over some axes
/// (`tf.keras.constraints.MaxNorm`; Srivastava et al.: *Dropout*, 2014).
///
/// The default limit is 2 and the default axis 0: of a dense kernel `[inputs, units]`, each unit's incoming weights.
/// Because of the 10⁻⁷, weights below the limit become smaller by a little as well.
///
/// # Errors
/// [`apply`](Constraint::apply): [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the value lacks an axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the elements are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, MaxNorm};
/// let w = MaxNorm::new(1.0).apply(&Tensor::from_vec([2], vec![3.0f64, 4.0])?)?.to_vec::<f64>()?;
/// assert!((w[0] - 0.6).abs() < 1e-7 && (w[1] - 0.8).abs() < 1e-7);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MaxNorm {
    max_value: f64,
    axes: Vec<isize>,
}

impl MaxNorm {
    /// Norms of at most `max_value` over axis 0.
    pub fn new(max_value: f64) -> MaxNorm {
        MaxNorm { max_value, axes: vec![0] }
    }

    /// With the norm over these axes; negative ones count from the end.
    #[must_use]
    pub fn axis(self, axes: &[isize]) -> MaxNorm {
        MaxNorm { axes: axes.to_vec(), ..self }
    }

    pub(super) fn from_config(config: &Config) -> Result<MaxNorm> {
        config.expect_only("MaxNorm", &["max_value", "axis"])?;
        Ok(MaxNorm { max_value: config.number("max_value", 2.0)?, axes: config.axes("axis")? })
    }
}

impl Default for MaxNorm {
    /// Norms of at most 2 over axis 0.
    fn default() -> MaxNorm {
        MaxNorm::new(2.0)
    }
}

/// The factor, from the sum of squares.
#[derive(Debug, Clone, Copy)]
struct Factor {
    max_value: f64,
}

impl Function for Factor {
    const NAME: &'static str = "MaxNorm";
    #[inline(always)]
    fn f<F: Float>(self, squares: F) -> F {
        let norm = squares.sqrt();
        clip(norm, 0.0, self.max_value) / (F::from_f64(EPSILON) + norm)
    }
}

impl Constraint for MaxNorm {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let squares = sum_of_squares("MaxNorm", value, &self.axes)?;
        Ok(value * elementwise(Factor { max_value: self.max_value }, &squares)?)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("MaxNorm")
    }
    fn get_config(&self) -> Config {
        Config::new().with("max_value", self.max_value).with("axis", axes_value(&self.axes))
    }
}
