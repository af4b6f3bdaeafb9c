//! Closures as schedules.
use super::Schedule;
use crate::config::Config;
use std::fmt;

/// A schedule from a closure.
///
/// Its config is empty: to load it again, give an [`Entry`](crate::config::Entry) of its class to
/// [`deserialize_with`](super::deserialize_with), which builds the closure anew.
///
/// ```
/// use slalom_optim::schedules::{FnSchedule, Schedule};
/// let schedule = FnSchedule::new("Halving", |step| 0.1 * 0.5f64.powf(step as f64));
/// assert_eq!((schedule.value(2), schedule.class_name()), (0.025, "Halving"));
/// ```
#[derive(Clone)]
pub struct FnSchedule<F> {
    class_name: String,
    function: F,
}

impl<F: Fn(i64) -> f64 + Send + Sync> FnSchedule<F> {
    /// The schedule `function`, called with the step. The name of the class stands in configs.
    pub fn new(class_name: impl Into<String>, function: F) -> FnSchedule<F> {
        FnSchedule { class_name: class_name.into(), function }
    }
}

impl<F: Fn(i64) -> f64 + Send + Sync> Schedule for FnSchedule<F> {
    fn value(&self, step: i64) -> f64 {
        (self.function)(step)
    }

    fn class_name(&self) -> &str {
        &self.class_name
    }

    fn get_config(&self) -> Config {
        Config::new()
    }
}

impl<F> fmt::Debug for FnSchedule<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnSchedule").field("class_name", &self.class_name).finish_non_exhaustive()
    }
}
