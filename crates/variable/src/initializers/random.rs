//! Random initial values of given mean and spread.
use super::Initializer;
use crate::{Config, random};
use slalom_array::{Array, DType, Error, ErrorKind, Float, Result, Shape, with_float};

/// A distribution to fill an array with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Draw {
    Uniform { low: f64, high: f64 },
    RandomNormal { mean: f64, stddev: f64 },
    TruncatedNormal { mean: f64, stddev: f64 },
}

impl Draw {
    /// An array of independent draws, the same for the same seed, shape and element type.
    pub(super) fn array(
        self,
        op: &'static str,
        seed: Option<u64>,
        shape: &Shape,
        dtype: DType,
    ) -> Result<Array> {
        let mut array = Array::zeros(shape, dtype)?;
        with_float!(op, dtype, F => self.fill::<F>(op, seed, array.make_mut()?)?);
        Ok(array)
    }

    fn fill<F: Float>(self, op: &'static str, seed: Option<u64>, out: &mut [F]) -> Result<()> {
        let philox = || random::philox(seed);
        match self {
            Draw::Uniform { low, high } => {
                let (low, high) = (F::from_f64(low), F::from_f64(high));
                if !(low <= high && (high - low).is_finite()) {
                    let got = format!("{low} and {high}");
                    let expected = "finite bounds, the lower one first";
                    return Err(Error::new(ErrorKind::Argument, op, expected, got));
                }
                philox().uniform(0, low, high, out);
            }
            Draw::RandomNormal { mean, stddev } => {
                philox().normal(0, F::from_f64(mean), F::from_f64(stddev), out);
            }
            Draw::TruncatedNormal { mean, stddev } => {
                philox().truncated_normal(0, F::from_f64(mean), F::from_f64(stddev), out);
            }
        }
        Ok(())
    }
}

/// Uniformly distributed numbers in `[minval, maxval)`, by default in `[-0.05, 0.05)`.
///
/// # Errors
/// [`initialize`](Initializer::initialize): [`ErrorKind::Argument`], if `minval > maxval` or one is not finite;
/// [`ErrorKind::DType`], if the element type is not a floating-point one.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Initializer, RandomUniform};
/// let x = RandomUniform::new(2.0, 3.0).seed(1).initialize(&Shape::from([100]), DType::F64)?;
/// assert!(x.to_vec::<f64>()?.iter().all(|x| (2.0..3.0).contains(x)));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomUniform {
    minval: f64,
    maxval: f64,
    seed: Option<u64>,
}

impl RandomUniform {
    /// Numbers in `[minval, maxval)`.
    pub fn new(minval: f64, maxval: f64) -> RandomUniform {
        RandomUniform { minval, maxval, seed: None }
    }

    /// With the same values each time.
    #[must_use]
    pub fn seed(self, seed: u64) -> RandomUniform {
        RandomUniform { seed: Some(seed), ..self }
    }

    pub(super) fn from_config(config: &Config) -> Result<RandomUniform> {
        config.expect_only("RandomUniform", &["minval", "maxval", "seed"])?;
        let (minval, maxval) = (config.number("minval", -0.05)?, config.number("maxval", 0.05)?);
        Ok(RandomUniform { minval, maxval, seed: config.seed("seed")? })
    }
}

impl Default for RandomUniform {
    fn default() -> RandomUniform {
        RandomUniform::new(-0.05, 0.05)
    }
}

impl Initializer for RandomUniform {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        let draw = Draw::Uniform { low: self.minval, high: self.maxval };
        draw.array("RandomUniform", self.seed, shape, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("RandomUniform")
    }
    fn get_config(&self) -> Config {
        Config::new().with("minval", self.minval).with("maxval", self.maxval).with("seed", self.seed)
    }
}

/// Defines the two normal initializers.
macro_rules! normal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`initialize`](Initializer::initialize): [`ErrorKind::DType`], if the element type is not a floating-point
        /// one.
        ///
        /// ```
        /// use slalom_array::{DType, Shape};
        #[doc = concat!("use slalom_variable::initializers::{Initializer, ", stringify!($name), "};")]
        #[doc = concat!("let initializer = ", stringify!($name), "::new(3.0, 0.5).seed(1);")]
        /// let x = initializer.initialize(&Shape::from([10_000]), DType::F64)?.to_vec::<f64>()?;
        /// let mean = x.iter().sum::<f64>() / 10_000.0;
        /// assert!((mean - 3.0).abs() < 0.02);
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name {
            mean: f64,
            stddev: f64,
            seed: Option<u64>,
        }

        impl $name {
            /// The distribution of this mean and standard deviation.
            pub fn new(mean: f64, stddev: f64) -> $name {
                $name { mean, stddev, seed: None }
            }

            /// With the same values each time.
            #[must_use]
            pub fn seed(self, seed: u64) -> $name {
                $name { seed: Some(seed), ..self }
            }

            pub(super) fn from_config(config: &Config) -> Result<$name> {
                config.expect_only(stringify!($name), &["mean", "stddev", "seed"])?;
                let (mean, stddev) = (config.number("mean", 0.0)?, config.number("stddev", 0.05)?);
                Ok($name { mean, stddev, seed: config.seed("seed")? })
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new(0.0, 0.05)
            }
        }

        impl Initializer for $name {
            fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
                let $name { mean, stddev, seed } = *self;
                Draw::$name { mean, stddev }.array(stringify!($name), seed, shape, dtype)
            }
            fn class_name(&self) -> Option<&'static str> {
                Some(stringify!($name))
            }
            fn get_config(&self) -> Config {
                Config::new().with("mean", self.mean).with("stddev", self.stddev).with("seed", self.seed)
            }
        }
    };
}

normal! {
    /// Normally distributed numbers, by default of mean 0 and standard deviation 0.05.
    RandomNormal
}
normal! {
    /// Normally distributed numbers, of which those more than two standard deviations from the mean are drawn again;
    /// by default of mean 0 and standard deviation 0.05. `stddev` is that before truncation: the numbers' own
    /// is 0.8796 of it.
    TruncatedNormal
}
