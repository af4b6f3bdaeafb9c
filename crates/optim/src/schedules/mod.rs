//! Learning-rate schedules: hyperparameters that are functions of the step.
//!
//! These are the schedules of `tf.keras.optimizers.schedules`, with its formulas, names, defaults and configs, and some that it
//! lacks: [`LinearWarmup`] in front of any other, several in [`Sequence`], [`OneCycle`], [`StepDecay`], [`ReduceOnPlateau`]. A schedule is
//! called with the optimizer's `iterations`, the number of steps done before the present one. It is evaluated in f64 (TensorFlow:
//! f32), and the optimizer rounds the result to the type of the variable.
//!
//! ```
//! use slalom_optim::schedules::{self, ExponentialDecay, Schedule};
//! let schedule = ExponentialDecay::new(0.01, 20, 0.1).staircase(true);
//! assert_eq!((schedule.value(0), schedule.value(19), schedule.value(20)), (0.01, 0.01, 0.001));
//!
//! let json = schedules::serialize(&schedule);
//! assert_eq!(schedules::deserialize(&json)?.value(20), 0.001);
//! # Ok::<(), slalom_array::Error>(())
//! ```
//!
//! # Arguments
//! Constructors and builder methods take any value; what TensorFlow refuses, or documents as not allowed, and what is not
//! finite, [`Schedule::validate`] refuses. Whoever stores a schedule calls it first (`Optimizer::new`, its setters, [`deserialize`]), so that a schedule in use
//! is a valid one.
//!
//! # Own schedules
//! Any type that implements [`Schedule`] is one, and so is a closure through [`FnSchedule`]. To load an own schedule from a config,
//! pass its [`Entry`] to [`deserialize_with`].
mod arguments;
mod constant;
mod cosine_decay;
mod cosine_decay_restarts;
mod exponential_decay;
mod fn_schedule;
mod inverse_time_decay;
mod linear_warmup;
mod loaded;
mod one_cycle;
mod part;
mod piecewise_constant_decay;
mod polynomial_decay;
mod reduce_on_plateau;
mod sequence;
mod step_decay;
mod steps;

pub use constant::Constant;
pub use cosine_decay::CosineDecay;
pub use cosine_decay_restarts::CosineDecayRestarts;
pub use exponential_decay::ExponentialDecay;
pub use fn_schedule::FnSchedule;
pub use inverse_time_decay::InverseTimeDecay;
pub use linear_warmup::LinearWarmup;
pub use one_cycle::OneCycle;
pub use piecewise_constant_decay::PiecewiseConstantDecay;
pub use polynomial_decay::PolynomialDecay;
pub use reduce_on_plateau::ReduceOnPlateau;
pub use sequence::Sequence;
pub use step_decay::StepDecay;
pub use steps::Steps;

use loaded::Loaded;
use part::Part;

use crate::config::{Config, Entry, Envelope, Origin, Registry};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};
use slalom_variable::Variable;
use std::fmt::Debug;
use std::sync::Arc;

/// A function of the step, for a learning rate or any other hyperparameter.
///
/// ```
/// use slalom_optim::config::{Config, number, object};
/// use slalom_optim::schedules::Schedule;
///
/// /// `rate / (step + 1)`
/// #[derive(Debug)]
/// struct Harmonic { rate: f64 }
///
/// impl Schedule for Harmonic {
///     fn value(&self, step: i64) -> f64 {
///         self.rate / (step + 1) as f64
///     }
///     fn class_name(&self) -> &str {
///         "Harmonic"
///     }
///     fn get_config(&self) -> Config {
///         object([("rate", number(self.rate))])
///     }
/// }
/// assert_eq!(Harmonic { rate: 0.1 }.value(3), 0.025);
/// ```
pub trait Schedule: Debug + Send + Sync {
    /// The value at `step`, the number of steps done before (0 at first).
    fn value(&self, step: i64) -> f64;

    /// The name of the class in configs.
    fn class_name(&self) -> &str;

    /// The arguments, from which an equal schedule can be built.
    fn get_config(&self) -> Config;

    /// Checks the arguments. Default: every argument is allowed.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if an argument has a value that is not allowed.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Takes notice of a metric, usually after each epoch ([`Optimizer::observe`](crate::Optimizer::observe)). Default: does nothing.
    ///
    /// # Errors
    /// If the schedule cannot remember it. Nothing has changed then.
    fn observe(&self, _metric: f64) -> Result<()> {
        Ok(())
    }

    /// What the schedule remembers: variables, which are among the optimizer's [`weights`](crate::Optimizer::weights). Default:
    /// nothing.
    fn state(&self) -> Vec<Variable> {
        Vec::new()
    }

    /// Where Python finds the class. Default: in Keras's module or, if it is an own class, registered under its name.
    fn origin(&self) -> Option<&Origin> {
        None
    }
}

macro_rules! forward_to_inner {
    ($($pointer:ident)*) => {$(
        impl<S: Schedule + ?Sized> Schedule for $pointer<S> {
            fn value(&self, step: i64) -> f64 {
                (**self).value(step)
            }
            fn class_name(&self) -> &str {
                (**self).class_name()
            }
            fn get_config(&self) -> Config {
                (**self).get_config()
            }
            fn validate(&self) -> Result<()> {
                (**self).validate()
            }
            fn observe(&self, metric: f64) -> Result<()> {
                (**self).observe(metric)
            }
            fn state(&self) -> Vec<Variable> {
                (**self).state()
            }
            fn origin(&self) -> Option<&Origin> {
                (**self).origin()
            }
        }
    )*};
}
forward_to_inner!(Box Arc);

/// The known classes of schedules.
pub type Schedules<'a> = Registry<'a, Box<dyn Schedule>>;

/// All classes. Those of Keras go first.
const CLASSES: &[Entry<Box<dyn Schedule>>] = &[
    Entry { class_name: ExponentialDecay::CLASS_NAME, build: |r| Ok(Box::new(ExponentialDecay::read(r)?)) },
    Entry {
        class_name: PiecewiseConstantDecay::CLASS_NAME,
        build: |r| Ok(Box::new(PiecewiseConstantDecay::read(r)?)),
    },
    Entry { class_name: PolynomialDecay::CLASS_NAME, build: |r| Ok(Box::new(PolynomialDecay::read(r)?)) },
    Entry { class_name: InverseTimeDecay::CLASS_NAME, build: |r| Ok(Box::new(InverseTimeDecay::read(r)?)) },
    Entry { class_name: CosineDecay::CLASS_NAME, build: |r| Ok(Box::new(CosineDecay::read(r)?)) },
    Entry {
        class_name: CosineDecayRestarts::CLASS_NAME,
        build: |r| Ok(Box::new(CosineDecayRestarts::read(r)?)),
    },
    Entry { class_name: Constant::CLASS_NAME, build: |r| Ok(Box::new(Constant::read(r)?)) },
    Entry { class_name: LinearWarmup::CLASS_NAME, build: |r| Ok(Box::new(LinearWarmup::read(r)?)) },
    Entry { class_name: OneCycle::CLASS_NAME, build: |r| Ok(Box::new(OneCycle::read(r)?)) },
    Entry { class_name: ReduceOnPlateau::CLASS_NAME, build: |r| Ok(Box::new(ReduceOnPlateau::read(r)?)) },
    Entry { class_name: Sequence::CLASS_NAME, build: |r| Ok(Box::new(Sequence::read(r)?)) },
    Entry { class_name: StepDecay::CLASS_NAME, build: |r| Ok(Box::new(StepDecay::read(r)?)) },
];

/// How many of the classes are Keras's.
const OF_KERAS: usize = 6;

/// slalom's own schedules.
///
/// ```
/// let names: Vec<_> = slalom_optim::schedules::registry().entries().map(|entry| entry.class_name).collect();
/// assert_eq!(names[..6], ["ExponentialDecay", "PiecewiseConstantDecay", "PolynomialDecay", "InverseTimeDecay",
///                         "CosineDecay", "CosineDecayRestarts"]);
/// assert_eq!(names[6..], ["Constant", "LinearWarmup", "OneCycle", "ReduceOnPlateau", "Sequence", "StepDecay"]);
/// ```
pub const fn registry() -> Schedules<'static> {
    Registry::new("schedule", CLASSES)
}

/// The schedule as JSON, an [`Envelope`] as `tf.keras.optimizers.schedules.serialize` prints it.
///
/// ```
/// use slalom_optim::schedules::{self, ExponentialDecay};
/// assert_eq!(schedules::serialize(&ExponentialDecay::new(0.1, 1000, 0.96)), serde_json::json!({
///     "module": "keras.optimizers.schedules",
///     "class_name": "ExponentialDecay",
///     "config": {
///         "initial_learning_rate": 0.1, "decay_steps": 1000, "decay_rate": 0.96, "staircase": false, "name": null,
///     },
///     "registered_name": null,
/// }));
/// ```
pub fn serialize(schedule: &dyn Schedule) -> Value {
    let class_name = schedule.class_name();
    let envelope = Envelope { class_name, config: &schedule.get_config() };
    schedule
        .origin()
        .map_or_else(|| envelope.to_json(module(class_name)), |origin| envelope.to_json_of(origin))
}

/// The module of a class of Keras.
fn module(class_name: &str) -> Option<&'static str> {
    let is_keras = CLASSES[..OF_KERAS].iter().any(|entry| entry.class_name == class_name);
    is_keras.then_some("keras.optimizers.schedules")
}

/// Builds one of slalom's own schedules from JSON, an [`Envelope`].
///
/// # Errors
/// [`ErrorKind::Config`], if `json` is not an envelope or its config has missing or unknown
/// keys or values of a wrong type; [`ErrorKind::NotFound`], if the class is not known;
/// [`ErrorKind::Argument`], if [`Schedule::validate`] refuses a value.
pub fn deserialize(json: &Value) -> Result<Box<dyn Schedule>> {
    deserialize_with(json, registry())
}

/// Builds a schedule from JSON, an [`Envelope`], where the registry may hold own classes.
///
/// ```
/// use slalom_optim::config::Entry;
/// use slalom_optim::schedules::{self, FnSchedule, Schedule};
///
/// let own: &[Entry<Box<dyn Schedule>>] =
///     &[Entry { class_name: "Harmonic", build: |_| Ok(Box::new(FnSchedule::new("Harmonic", |step| 1.0 / (step + 1) as f64))) }];
/// let json = serde_json::json!({"class_name": "Harmonic", "config": {}});
/// let schedule = schedules::deserialize_with(&json, schedules::registry().with(own))?;
/// assert_eq!(schedule.value(3), 0.25);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// # Errors
/// Those of [`deserialize`].
pub fn deserialize_with(json: &Value, schedules: Schedules<'_>) -> Result<Box<dyn Schedule>> {
    let schedule = schedules.deserialize(json, schedules)?;
    schedule.validate()?;
    Ok(Loaded::around(schedule, json))
}

/// The error of an argument that is not allowed, unless it is.
fn require(
    allowed: bool,
    class_name: &'static str,
    expected: &str,
    got: impl std::fmt::Display,
) -> Result<()> {
    if allowed { Ok(()) } else { Err(Error::new(ErrorKind::Argument, class_name, expected, got)) }
}

/// Refuses arguments that are not finite.
fn finite<'a>(class_name: &'static str, arguments: impl IntoIterator<Item = (&'a str, f64)>) -> Result<()> {
    let mut arguments = arguments.into_iter();
    arguments.try_for_each(|(name, x)| require(x.is_finite(), class_name, &format!("a finite {name}"), x))
}
