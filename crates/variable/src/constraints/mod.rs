//! Constraints on variables, as `tf.keras.constraints` has them.
mod kernel;
mod max_norm;
mod min_max_norm;
mod non_neg;
mod radial;
mod row_wise;
mod unit_norm;

pub use max_norm::MaxNorm;
pub use min_max_norm::MinMaxNorm;
pub use non_neg::NonNeg;
pub use radial::RadialConstraint;
pub use row_wise::RowWise;
pub use unit_norm::UnitNorm;

pub use crate::{Config, ConfigValue};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use std::sync::Arc;

/// A projection that optimizers apply to a variable after each update.
///
/// A closure from the value to the constrained value is a constraint too; it has no config.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::Variable;
/// use slalom_variable::constraints::{Constraint, NonNeg};
/// let w = Variable::new(-1.0f32).constrained(NonNeg);
/// assert_eq!(w.constraint().unwrap().apply(&w.value())?.item()?, 0.0);
/// // The mean becomes 0.
/// let centred = Variable::new(3.0f32).constrained(|w: &Tensor| Ok(w - w.mean()?));
/// assert_eq!(centred.constraint().unwrap().apply(&centred.value())?.item()?, 0.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait Constraint: Send + Sync {
    /// The constrained value, of the same shape and element type.
    ///
    /// # Errors
    /// If the value cannot be constrained.
    fn apply(&self, value: &Tensor) -> Result<Tensor>;

    /// Whether each row of the value (along its first axis) is constrained by itself, so that rows which have not moved need not
    /// be constrained again. Only such constraints go together with sparse gradients; see [`RowWise`].
    fn is_row_wise(&self) -> bool {
        false
    }

    /// The Keras class; `None`, if a config cannot name the constraint.
    fn class_name(&self) -> Option<&'static str> {
        None
    }

    /// The arguments that make the constraint again.
    fn get_config(&self) -> Config {
        Config::new()
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor> + Send + Sync> Constraint for F {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        self(value)
    }
}

impl Constraint for Arc<dyn Constraint> {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        (**self).apply(value)
    }
    fn is_row_wise(&self) -> bool {
        (**self).is_row_wise()
    }
    fn class_name(&self) -> Option<&'static str> {
        (**self).class_name()
    }
    fn get_config(&self) -> Config {
        (**self).get_config()
    }
}

/// What makes a constraint of its config.
pub type Build = fn(&Config) -> Result<Arc<dyn Constraint>>;

/// Every constraint with a config, by its class name.
const CONSTRAINTS: &[(&str, Build)] = &[
    ("NonNeg", |config| Ok(Arc::new(NonNeg::from_config(config)?))),
    ("MaxNorm", |config| Ok(Arc::new(MaxNorm::from_config(config)?))),
    ("MinMaxNorm", |config| Ok(Arc::new(MinMaxNorm::from_config(config)?))),
    ("UnitNorm", |config| Ok(Arc::new(UnitNorm::from_config(config)?))),
    ("RadialConstraint", |config| Ok(Arc::new(RadialConstraint::from_config(config)?))),
    ("RowWise", |config| Ok(Arc::new(RowWise::from_config(config, &[])?))),
];

/// The constraint that a config describes.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a class that is not known; [`ErrorKind::Config`] for arguments that the class does not
/// have, or of the wrong kind.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::{Config, constraints};
/// let constraint = constraints::from_config("MaxNorm", &Config::new().with("max_value", 1.0).with("axis", 0))?;
/// let w = constraint.apply(&Tensor::from_vec([2], vec![3.0f64, 4.0])?)?.to_vec::<f64>()?;
/// assert!((w[0] - 0.6).abs() < 1e-7 && (w[1] - 0.8).abs() < 1e-7);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn from_config(class_name: &str, config: &Config) -> Result<Arc<dyn Constraint>> {
    from_config_with(class_name, config, &[])
}

/// As [`from_config`], with a caller's own constraints by their names, which go first, also within [`RowWise`].
///
/// # Errors
/// As there, and those of the caller's.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::{Config, constraints};
/// use std::sync::Arc;
/// let own: &[(&str, constraints::Build)] = &[("Centred", |_| Ok(Arc::new(|w: &Tensor| Ok(w - w.mean()?))))];
/// let constraint = constraints::from_config_with("Centred", &Config::new(), own)?;
/// assert_eq!(constraint.apply(&Tensor::from_vec([2], vec![3.0f64, 5.0])?)?.to_vec::<f64>()?, [-1.0, 1.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn from_config_with(
    class_name: &str,
    config: &Config,
    own: &[(&str, Build)],
) -> Result<Arc<dyn Constraint>> {
    let find = |table: &[(&str, Build)]| table.iter().find(|(name, _)| *name == class_name).map(|row| row.1);
    if class_name == "RowWise" && find(own).is_none() {
        return Ok(Arc::new(RowWise::from_config(config, own)?));
    }
    match find(own).or_else(|| find(CONSTRAINTS)) {
        Some(build) => build(config),
        None => {
            let known: Vec<_> = own.iter().chain(CONSTRAINTS).map(|(name, _)| *name).collect();
            let expected = format!("a constraint of {known:?}");
            Err(Error::new(ErrorKind::NotFound, "constraint", expected, format!("{class_name:?}")))
        }
    }
}

/// What norms are divided by is larger by this much, as in Keras.
const EPSILON: f64 = 1e-7;

/// `Σ w²` over the axes, which keep length 1.
fn sum_of_squares(class_name: &'static str, value: &Tensor, axes: &[isize]) -> Result<Tensor> {
    value.square().sum_axes(axes, true).map_err(|error| error.context(class_name))
}
