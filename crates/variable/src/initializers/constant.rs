//! Initial values without chance.
use super::Initializer;
use crate::Config;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape, with_dtype};

/// Zeros of any element type.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Initializer, Zeros};
/// assert_eq!(Zeros.initialize(&Shape::from([2]), DType::F32)?.to_vec::<f32>()?, [0.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zeros;

impl Zeros {
    pub(super) fn from_config(config: &Config) -> Result<Zeros> {
        config.expect_only("Zeros", &[])?;
        Ok(Zeros)
    }
}

impl Initializer for Zeros {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        Array::zeros(shape, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("Zeros")
    }
}

/// Ones of any element type.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Initializer, Ones};
/// assert_eq!(Ones.initialize(&Shape::from([2]), DType::F32)?.to_vec::<f32>()?, [1.0, 1.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ones;

impl Ones {
    pub(super) fn from_config(config: &Config) -> Result<Ones> {
        config.expect_only("Ones", &[])?;
        Ok(Ones)
    }
}

impl Initializer for Ones {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        Array::ones(shape, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("Ones")
    }
}

/// One number everywhere, of any element type; 0 by default.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Constant, Initializer};
/// assert_eq!(Constant::new(0.5).initialize(&Shape::from([2]), DType::F32)?.to_vec::<f32>()?, [0.5, 0.5]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Constant {
    value: f64,
}

impl Constant {
    /// This number everywhere.
    pub fn new(value: f64) -> Constant {
        Constant { value }
    }

    pub(super) fn from_config(config: &Config) -> Result<Constant> {
        config.expect_only("Constant", &["value"])?;
        Ok(Constant { value: config.number("value", 0.0)? })
    }
}

impl Initializer for Constant {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        Array::full(shape, self.value, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("Constant")
    }
    fn get_config(&self) -> Config {
        Config::new().with("value", self.value)
    }
}

/// The identity matrix times `gain` (default 1), for shapes of rank 2; the matrix need not be square.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Identity, Initializer};
/// let eye = Identity::new(2.0).initialize(&Shape::from([2, 3]), DType::F32)?;
/// assert_eq!(eye.to_vec::<f32>()?, [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identity {
    gain: f64,
}

impl Identity {
    /// `gain` on the diagonal.
    pub fn new(gain: f64) -> Identity {
        Identity { gain }
    }

    pub(super) fn from_config(config: &Config) -> Result<Identity> {
        config.expect_only("Identity", &["gain"])?;
        Ok(Identity { gain: config.number("gain", 1.0)? })
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity::new(1.0)
    }
}

impl Initializer for Identity {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        let &[_, columns] = &shape[..] else {
            return Err(Error::new(ErrorKind::Shape, "Identity", "a shape of rank 2", shape));
        };
        let mut matrix = Array::zeros(shape, dtype)?;
        let gain = Array::full([], self.gain, dtype)?;
        with_dtype!(dtype, T => {
            let gain = gain.to_vec::<T>()?[0];
            matrix.make_mut::<T>()?.iter_mut().step_by(columns + 1).take(columns).for_each(|x| *x = gain);
        });
        Ok(matrix)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("Identity")
    }
    fn get_config(&self) -> Config {
        Config::new().with("gain", self.gain)
    }
}
