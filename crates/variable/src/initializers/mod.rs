//! Initial values of variables, as `tf.keras.initializers` has them.
//!
//! A random initializer with a seed gives the same values each time. Without a seed, it draws new values each time from
//! the [default generator](crate::random::default_generator), whose seed differs from run to run unless
//! [`set_seed`](crate::random::set_seed) is called.
mod constant;
mod orthogonal;
mod random;
mod variance_scaling;

pub use constant::{Constant, Identity, Ones, Zeros};
pub use orthogonal::Orthogonal;
pub use random::{RandomNormal, RandomUniform, TruncatedNormal};
pub use variance_scaling::{
    Distribution, FanMode, GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform,
    VarianceScaling,
};

pub use crate::{Config, ConfigValue};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use std::sync::Arc;

/// What makes the initial value of a variable.
///
/// A closure from shape and element type to the value is an initializer too; it has no config.
///
/// ```
/// use slalom_array::{Array, DType, Result, Shape};
/// use slalom_variable::initializers::{Constant, Initializer};
/// let shape = Shape::from([2]);
/// assert_eq!(Constant::new(0.5).initialize(&shape, DType::F32)?.to_vec::<f32>()?, [0.5, 0.5]);
/// let sevens = |shape: &Shape, dtype: DType| Array::full(shape, 7.0, dtype);
/// assert_eq!(sevens.initialize(&shape, DType::I64)?.to_vec::<i64>()?, [7, 7]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait Initializer: Send + Sync {
    /// A value of this shape and element type.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if there is no such value; [`ErrorKind::Argument`], if the
    /// initializer's own arguments are not allowed; [`ErrorKind::Memory`].
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array>;

    /// The Keras class; `None`, if a config cannot name the initializer.
    fn class_name(&self) -> Option<&'static str> {
        None
    }

    /// The arguments that make the initializer again.
    fn get_config(&self) -> Config {
        Config::new()
    }
}

impl<F: Fn(&Shape, DType) -> Result<Array> + Send + Sync> Initializer for F {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        self(shape, dtype)
    }
}

impl Initializer for Arc<dyn Initializer> {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        (**self).initialize(shape, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        (**self).class_name()
    }
    fn get_config(&self) -> Config {
        (**self).get_config()
    }
}

/// What makes an initializer of its config.
pub type Build = fn(&Config) -> Result<Arc<dyn Initializer>>;

/// Every initializer with a config, by its class name.
const INITIALIZERS: &[(&str, Build)] = &[
    ("Zeros", |config| Ok(Arc::new(Zeros::from_config(config)?))),
    ("Ones", |config| Ok(Arc::new(Ones::from_config(config)?))),
    ("Constant", |config| Ok(Arc::new(Constant::from_config(config)?))),
    ("Identity", |config| Ok(Arc::new(Identity::from_config(config)?))),
    ("RandomUniform", |config| Ok(Arc::new(RandomUniform::from_config(config)?))),
    ("RandomNormal", |config| Ok(Arc::new(RandomNormal::from_config(config)?))),
    ("TruncatedNormal", |config| Ok(Arc::new(TruncatedNormal::from_config(config)?))),
    ("VarianceScaling", |config| Ok(Arc::new(VarianceScaling::from_config(config)?))),
    ("GlorotUniform", |config| Ok(Arc::new(GlorotUniform::from_config(config)?))),
    ("GlorotNormal", |config| Ok(Arc::new(GlorotNormal::from_config(config)?))),
    ("HeUniform", |config| Ok(Arc::new(HeUniform::from_config(config)?))),
    ("HeNormal", |config| Ok(Arc::new(HeNormal::from_config(config)?))),
    ("LecunUniform", |config| Ok(Arc::new(LecunUniform::from_config(config)?))),
    ("LecunNormal", |config| Ok(Arc::new(LecunNormal::from_config(config)?))),
    ("Orthogonal", |config| Ok(Arc::new(Orthogonal::from_config(config)?))),
];

/// The initializer that a config describes.
///
/// # Errors
/// [`ErrorKind::NotFound`] for a class that is not known; [`ErrorKind::Config`] for arguments that the class does not
/// have, or of the wrong kind.
///
/// ```
/// use slalom_variable::{Config, initializers};
/// let initializer = initializers::from_config("HeNormal", &Config::new().with("seed", 7))?;
/// assert_eq!(initializer.class_name(), Some("HeNormal"));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn from_config(class_name: &str, config: &Config) -> Result<Arc<dyn Initializer>> {
    from_config_with(class_name, config, &[])
}

/// As [`from_config`], with a caller's own initializers by their names, which go first.
///
/// # Errors
/// As there, and those of the caller's.
pub fn from_config_with(
    class_name: &str,
    config: &Config,
    own: &[(&str, Build)],
) -> Result<Arc<dyn Initializer>> {
    match own.iter().chain(INITIALIZERS).find(|(name, _)| *name == class_name) {
        Some((_, build)) => build(config),
        None => {
            let known: Vec<_> = own.iter().chain(INITIALIZERS).map(|(name, _)| *name).collect();
            let expected = format!("an initializer of {known:?}");
            Err(Error::new(ErrorKind::NotFound, "initializer", expected, format!("{class_name:?}")))
        }
    }
}
