//! Random initial values whose spread fits the number of a layer's inputs and outputs.
use super::Initializer;
use super::random::Draw;
use crate::Config;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// What [`VarianceScaling`] divides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FanMode {
    /// The number of inputs of a unit.
    #[default]
    FanIn,
    /// The number of units that take an input.
    FanOut,
    /// The mean of both.
    FanAvg,
}

/// What [`VarianceScaling`] draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Distribution {
    /// The uniform distribution.
    Uniform,
    /// The normal distribution, with what lies beyond two standard deviations drawn again.
    #[default]
    TruncatedNormal,
    /// The normal distribution.
    UntruncatedNormal,
}

const MODES: [(&str, FanMode); 3] =
    [("fan_in", FanMode::FanIn), ("fan_out", FanMode::FanOut), ("fan_avg", FanMode::FanAvg)];

const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("uniform", Distribution::Uniform),
    ("truncated_normal", Distribution::TruncatedNormal),
    ("untruncated_normal", Distribution::UntruncatedNormal),
    ("normal", Distribution::TruncatedNormal),
];

/// The name of a value in a table.
fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| name)
}

/// The value of a name in a table.
fn named<T: Copy>(argument: &'static str, table: &[(&'static str, T)], name: &str) -> Result<T> {
    match table.iter().find(|(n, _)| *n == name) {
        Some((_, value)) => Ok(*value),
        None => {
            let known: Vec<_> = table.iter().map(|(name, _)| *name).collect();
            Err(Error::new(ErrorKind::Config, argument, format!("one of {known:?}"), format!("{name:?}")))
        }
    }
}

/// The standard deviation of the standard normal distribution that is cut at ±2.
const TRUNCATED_STDDEV: f64 = 0.879_625_661_034_239_8;

/// The numbers of inputs and outputs of a layer with weights of this shape: `[inputs, units]`, or
/// `[spatial.., inputs, filters]`, where both are multiplied by the size of the receptive field.
fn fans(shape: &Shape) -> (f64, f64) {
    match &shape[..] {
        [] => (1.0, 1.0),
        [n] => (*n as f64, *n as f64),
        [field @ .., inputs, outputs] => {
            let field: f64 = field.iter().map(|&n| n as f64).product();
            (field * *inputs as f64, field * *outputs as f64)
        }
    }
}

/// Random numbers of mean 0 and variance `scale / max(1, fan)`, where `fan` follows from the shape of the weights:
/// `fan_in` is the number of inputs of a unit, `fan_out` that of the units which take an input, `fan_avg` their mean
/// (`tf.keras.initializers.VarianceScaling`).
///
/// Of weights `[inputs, units]` these are the two lengths; of a convolution kernel `[height, width, inputs, filters]`
/// they are multiplied by `height · width`; of a vector both are its length. The uniform distribution has the bounds
/// `±√(3 scale / fan)`; the truncated normal one is drawn with standard deviation `√(scale / fan) / 0.8796`, so that
/// it has the right one when it is cut. Defaults: scale 1, `fan_in`, truncated normal.
///
/// # Errors
/// [`initialize`](Initializer::initialize): [`ErrorKind::Argument`], if the scale is not positive;
/// [`ErrorKind::DType`], if the element type is not a floating-point one.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Distribution, FanMode, Initializer, VarianceScaling};
/// let initializer = VarianceScaling::new(2.0, FanMode::FanAvg, Distribution::Uniform).seed(1);
/// let bound = (3.0f64 * 2.0 / 150.0).sqrt();
/// let w = initializer.initialize(&Shape::from([100, 200]), DType::F64)?.to_vec::<f64>()?;
/// assert!(w.iter().all(|w| w.abs() <= bound));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceScaling {
    scale: f64,
    mode: FanMode,
    distribution: Distribution,
    seed: Option<u64>,
}

impl VarianceScaling {
    /// Numbers of variance `scale / fan`.
    pub const fn new(scale: f64, mode: FanMode, distribution: Distribution) -> VarianceScaling {
        VarianceScaling { scale, mode, distribution, seed: None }
    }

    /// With the same values each time.
    #[must_use]
    pub fn seed(self, seed: u64) -> VarianceScaling {
        VarianceScaling { seed: Some(seed), ..self }
    }

    pub(super) fn from_config(config: &Config) -> Result<VarianceScaling> {
        config.expect_only("VarianceScaling", &["scale", "mode", "distribution", "seed"])?;
        Ok(VarianceScaling {
            scale: config.number("scale", 1.0)?,
            mode: named("mode", &MODES, config.text("mode", "fan_in")?)?,
            distribution: named(
                "distribution",
                &DISTRIBUTIONS,
                config.text("distribution", "truncated_normal")?,
            )?,
            seed: config.seed("seed")?,
        })
    }

    fn draw(&self, class_name: &'static str, shape: &Shape, dtype: DType) -> Result<Array> {
        if self.scale <= 0.0 || self.scale.is_nan() {
            return Err(Error::new(ErrorKind::Argument, class_name, "a scale above 0", self.scale));
        }
        let (inputs, outputs) = fans(shape);
        let fan = match self.mode {
            FanMode::FanIn => inputs,
            FanMode::FanOut => outputs,
            FanMode::FanAvg => (inputs + outputs) / 2.0,
        };
        let variance = self.scale / fan.max(1.0);
        let draw = match self.distribution {
            Distribution::Uniform => {
                let bound = (3.0 * variance).sqrt();
                Draw::Uniform { low: -bound, high: bound }
            }
            Distribution::TruncatedNormal => {
                Draw::TruncatedNormal { mean: 0.0, stddev: variance.sqrt() / TRUNCATED_STDDEV }
            }
            Distribution::UntruncatedNormal => Draw::RandomNormal { mean: 0.0, stddev: variance.sqrt() },
        };
        draw.array(class_name, self.seed, shape, dtype)
    }
}

impl Default for VarianceScaling {
    fn default() -> VarianceScaling {
        VarianceScaling::new(1.0, FanMode::FanIn, Distribution::TruncatedNormal)
    }
}

impl Initializer for VarianceScaling {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        self.draw("VarianceScaling", shape, dtype)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("VarianceScaling")
    }
    fn get_config(&self) -> Config {
        Config::new()
            .with("scale", self.scale)
            .with("mode", name_of(&MODES, self.mode))
            .with("distribution", name_of(&DISTRIBUTIONS, self.distribution))
            .with("seed", self.seed)
    }
}

/// Defines the members of the family that have names.
macro_rules! family {
    ($($(#[$doc:meta])* $name:ident: $scale:literal $mode:ident $distribution:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// ```
        /// use slalom_array::{DType, Shape};
        #[doc = concat!("use slalom_variable::initializers::{", stringify!($name), ", Initializer};")]
        #[doc = concat!("let w = ", stringify!($name), "::new().initialize(&Shape::from([3, 2]), DType::F32)?;")]
        /// assert_eq!(w.shape()[..], [3, 2]);
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name(VarianceScaling);

        impl $name {
            /// The initializer without a seed.
            pub const fn new() -> $name {
                $name(VarianceScaling::new($scale, FanMode::$mode, Distribution::$distribution))
            }

            /// With the same values each time.
            #[must_use]
            pub fn seed(self, seed: u64) -> $name {
                $name(self.0.seed(seed))
            }

            pub(super) fn from_config(config: &Config) -> Result<$name> {
                config.expect_only(stringify!($name), &["seed"])?;
                let seed = config.seed("seed")?;
                Ok($name(VarianceScaling { seed, ..$name::new().0 }))
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new()
            }
        }

        impl Initializer for $name {
            fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
                self.0.draw(stringify!($name), shape, dtype)
            }
            fn class_name(&self) -> Option<&'static str> {
                Some(stringify!($name))
            }
            fn get_config(&self) -> Config {
                Config::new().with("seed", self.0.seed)
            }
        }
    )*};
}

family! {
    /// [`VarianceScaling`] with scale 1, `fan_avg`, uniform: in `±√(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
    GlorotUniform: 1.0 FanAvg Uniform;

    /// [`VarianceScaling`] with scale 1, `fan_avg`, truncated normal: standard deviation `√(2 / (fan_in + fan_out))`
    /// (Glorot and Bengio, 2010).
    GlorotNormal: 1.0 FanAvg TruncatedNormal;

    /// [`VarianceScaling`] with scale 2, `fan_in`, uniform: in `±√(6 / fan_in)` (He et al., 2015).
    HeUniform: 2.0 FanIn Uniform;

    /// [`VarianceScaling`] with scale 2, `fan_in`, truncated normal: standard deviation `√(2 / fan_in)` (He et al.,
    /// 2015).
    HeNormal: 2.0 FanIn TruncatedNormal;

    /// [`VarianceScaling`] with scale 1, `fan_in`, uniform: in `±√(3 / fan_in)` (LeCun et al.: *Efficient BackProp*,
    /// 1998).
    LecunUniform: 1.0 FanIn Uniform;

    /// [`VarianceScaling`] with scale 1, `fan_in`, truncated normal: standard deviation `√(1 / fan_in)` (LeCun et al.:
    /// *Efficient BackProp*, 1998).
    LecunNormal: 1.0 FanIn TruncatedNormal;
}
