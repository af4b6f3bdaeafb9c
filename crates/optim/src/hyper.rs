//! Hyperparameters: numbers, or what gives a number at each step.
use crate::config::{NumberOrSchedule, number};
use crate::schedules::{self, Schedule};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use std::fmt;
use std::sync::Arc;

/// A hyperparameter: a number, or what gives one at each step.
///
/// Whatever takes a hyperparameter takes a `f64`, a tensor or variable of one element, a closure without arguments, or
/// a [`Schedule`]; see [`IntoHyper`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Hyper {
    /// A fixed number.
    Number(f64),
    /// A tensor of one element.
    Tensor(Tensor),
    /// A variable of one element, read at each step.
    Variable(Variable),
    /// Called once at each step.
    Callable(Arc<dyn Fn() -> Result<f64> + Send + Sync>),
    /// Called at each step with the number of steps done.
    Schedule(Arc<dyn Schedule>),
}

impl Hyper {
    /// The value after `iterations` steps.
    ///
    /// # Errors
    /// Those of a callable; [`ErrorKind::Shape`] if a tensor has not one element.
    #[inline]
    pub fn value(&self, iterations: i64) -> Result<f64> {
        match self {
            Hyper::Number(value) => Ok(*value),
            Hyper::Tensor(tensor) => tensor.item(),
            Hyper::Variable(variable) => variable.array().item(),
            Hyper::Callable(call) => call(),
            Hyper::Schedule(schedule) => Ok(schedule.value(iterations)),
        }
    }

    /// The hyperparameter as a config holds it: a number, or the envelope of a schedule. A callable is called.
    pub(crate) fn to_json(&self, iterations: i64) -> Result<Value> {
        match self {
            Hyper::Schedule(schedule) => Ok(schedules::serialize(schedule)),
            other => Ok(number(other.value(iterations)?)),
        }
    }

    /// The hyperparameter with a name, as a rule lists it.
    pub fn named(&self, name: &'static str) -> NamedHyper {
        NamedHyper { name, hyper: self.clone(), low: f64::NEG_INFINITY, high: f64::INFINITY, scheduled: true }
    }
}

impl From<NumberOrSchedule> for Hyper {
    fn from(read: NumberOrSchedule) -> Hyper {
        match read {
            NumberOrSchedule::Number(number) => Hyper::Number(number),
            NumberOrSchedule::Schedule(schedule) => Hyper::Schedule(schedule.into()),
        }
    }
}

impl fmt::Debug for Hyper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hyper::Number(value) => fmt::Debug::fmt(value, f),
            Hyper::Tensor(tensor) => fmt::Debug::fmt(tensor, f),
            Hyper::Variable(variable) => fmt::Debug::fmt(variable, f),
            Hyper::Callable(_) => f.write_str("callable"),
            Hyper::Schedule(schedule) => fmt::Debug::fmt(schedule, f),
        }
    }
}

/// A hyperparameter of a rule: its name, its value and the values that are allowed.
///
/// ```
/// use slalom_optim::Hyper;
/// let momentum = Hyper::Number(1.5).named("momentum").within(0.0, 1.0);
/// let error = momentum.at("SGD", 0).unwrap_err();
/// assert_eq!(error.to_string(), "SGD: momentum: expected a number from 0 to 1, got 1.5");
/// ```
#[derive(Debug, Clone)]
pub struct NamedHyper {
    pub(crate) name: &'static str,
    pub(crate) hyper: Hyper,
    low: f64,
    high: f64,
    /// Whether it may be a schedule.
    scheduled: bool,
}

impl NamedHyper {
    /// Allows only values from `low` to `high`.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> NamedHyper {
        NamedHyper { low, high, ..self }
    }

    /// Allows only values from 0 on.
    #[must_use]
    pub fn non_negative(self) -> NamedHyper {
        self.within(0.0, f64::INFINITY)
    }

    /// Allows no schedules.
    #[must_use]
    pub fn without_schedules(self) -> NamedHyper {
        NamedHyper { scheduled: false, ..self }
    }

    /// The value after `iterations` steps of the named optimizer.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the value is not finite or not allowed; as [`Hyper::value`].
    #[inline]
    pub fn at(&self, optimizer: &str, iterations: i64) -> Result<f64> {
        match self.hyper.value(iterations) {
            Ok(value) if self.low <= value && value <= self.high && value.is_finite() => Ok(value),
            Ok(value) => Err(self.refuse(optimizer, value)),
            Err(error) => Err(error.context(self.name).context(optimizer)),
        }
    }

    /// The same with another value; a number is checked at once.
    pub(crate) fn replaced(&self, optimizer: &str, hyper: Hyper) -> Result<NamedHyper> {
        let new = NamedHyper { hyper, ..*self };
        new.check(optimizer)?;
        Ok(new)
    }

    /// Refuses a number that is not allowed; anything else is asked for its value only at a step.
    pub(crate) fn check(&self, optimizer: &str) -> Result<()> {
        match &self.hyper {
            Hyper::Number(_) | Hyper::Tensor(_) => self.at(optimizer, 0).map(drop),
            Hyper::Schedule(schedule) if !self.scheduled => {
                let (expected, got) =
                    ("no schedule, which the rule does not support", format!("{schedule:?}"));
                Err(Error::new(ErrorKind::Argument, self.name, expected, got).context(optimizer))
            }
            Hyper::Schedule(schedule) => {
                schedule.validate().map_err(|error| error.context(self.name).context(optimizer))
            }
            Hyper::Variable(_) | Hyper::Callable(_) => Ok(()),
        }
    }

    #[cold]
    fn refuse(&self, optimizer: &str, value: f64) -> Error {
        let expected = match (self.low, self.high) {
            (f64::NEG_INFINITY, f64::INFINITY) => "a finite number".to_owned(),
            (low, f64::INFINITY) => format!("a finite number of at least {low}"),
            (f64::NEG_INFINITY, high) => format!("a finite number of at most {high}"),
            (low, high) => format!("a number from {low} to {high}"),
        };
        Error::new(ErrorKind::Argument, self.name, expected, value).context(optimizer)
    }
}

/// What can be given as a hyperparameter: a `f64`, a [`Tensor`] or [`Variable`] of one element, a closure that returns
/// a [`HyperValue`], a [`Schedule`], or a [`Hyper`].
///
/// `M` tells these apart, and is always inferred.
///
/// ```
/// use slalom_optim::{IntoHyper, Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// let rate = Variable::new(0.1f64);
/// for rule in [Sgd::new(0.1), Sgd::new(|| 0.1), Sgd::new(&rate), Sgd::new(move || rate.value())] {
///     assert_eq!(Optimizer::new(rule)?.learning_rate()?, 0.1);
/// }
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait IntoHyper<M> {
    /// The hyperparameter.
    fn into_hyper(self) -> Hyper;
}

#[doc(hidden)]
#[derive(Debug)]
pub enum ByValue {}
#[doc(hidden)]
#[derive(Debug)]
pub enum ByCall {}
#[doc(hidden)]
#[derive(Debug)]
pub enum BySchedule {}

macro_rules! values {
    ($($t:ty, $x:ident => $hyper:expr;)*) => {$(
        impl IntoHyper<ByValue> for $t {
            fn into_hyper(self) -> Hyper {
                let $x = self;
                $hyper
            }
        }
    )*};
}
values! {
    Hyper, x => x;
    &Hyper, x => x.clone();
    f64, x => Hyper::Number(x);
    Tensor, x => Hyper::Tensor(x);
    &Tensor, x => Hyper::Tensor(x.clone());
    Variable, x => Hyper::Variable(x);
    &Variable, x => Hyper::Variable(x.clone());
}

impl<R: HyperValue, F: Fn() -> R + Send + Sync + 'static> IntoHyper<ByCall> for F {
    fn into_hyper(self) -> Hyper {
        Hyper::Callable(Arc::new(move || self().into_value()))
    }
}

impl<S: Schedule + 'static> IntoHyper<BySchedule> for S {
    fn into_hyper(self) -> Hyper {
        Hyper::Schedule(Arc::new(self))
    }
}

/// What a closure may return as a hyperparameter: a `f64` or a [`Tensor`] of one element, or a `Result` of either.
pub trait HyperValue {
    /// The number.
    ///
    /// # Errors
    /// The closure's own; [`ErrorKind::Shape`] if a tensor has not one element.
    fn into_value(self) -> Result<f64>;
}

impl HyperValue for f64 {
    fn into_value(self) -> Result<f64> {
        Ok(self)
    }
}

impl HyperValue for Tensor {
    fn into_value(self) -> Result<f64> {
        self.item()
    }
}

impl HyperValue for Result<f64> {
    fn into_value(self) -> Result<f64> {
        self
    }
}

impl HyperValue for Result<Tensor> {
    fn into_value(self) -> Result<f64> {
        self?.item()
    }
}
