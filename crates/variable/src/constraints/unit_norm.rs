//! Weights of unit norm.
use super::{Constraint, EPSILON, sum_of_squares};
use crate::Config;
use crate::config::axes_value;
use slalom_array::Result;
use slalom_autograd::Tensor;

/// Scales weights to unit norm: `w / (10⁻⁷ + ‖w‖)`, with the Euclidean norm over some axes
/// (`tf.keras.constraints.UnitNorm`).
///
/// The default axis is 0: of a dense kernel `[inputs, units]`, each unit's incoming weights. For a convolution kernel
/// `[height, width, inputs, filters]`, axes `[0, 1, 2]` do the same. Because of the 10⁻⁷ the norm is not exactly 1.
///
/// # Errors
/// [`apply`](Constraint::apply): [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the value lacks an axis;
/// [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the elements are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, UnitNorm};
/// let w = UnitNorm::new().apply(&Tensor::from_vec([2], vec![3.0f64, -4.0])?)?.to_vec::<f64>()?;
/// assert!((w[0] - 0.6).abs() < 1e-7 && (w[1] + 0.8).abs() < 1e-7);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UnitNorm {
    axes: Vec<isize>,
}

impl UnitNorm {
    /// Unit norm over axis 0.
    pub fn new() -> UnitNorm {
        UnitNorm { axes: vec![0] }
    }

    /// With the norm over these axes; negative ones count from the end.
    #[must_use]
    pub fn axis(self, axes: &[isize]) -> UnitNorm {
        UnitNorm { axes: axes.to_vec() }
    }

    pub(super) fn from_config(config: &Config) -> Result<UnitNorm> {
        config.expect_only("UnitNorm", &["axis"])?;
        Ok(UnitNorm { axes: config.axes("axis")? })
    }
}

impl Default for UnitNorm {
    fn default() -> UnitNorm {
        UnitNorm::new()
    }
}

impl Constraint for UnitNorm {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let norms = sum_of_squares("UnitNorm", value, &self.axes)?.sqrt()?;
        Ok(value / (EPSILON + norms))
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("UnitNorm")
    }
    fn get_config(&self) -> Config {
        Config::new().with("axis", axes_value(&self.axes))
    }
}
