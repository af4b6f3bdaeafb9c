//! One value for all steps.
use super::arguments::arguments;
use super::{Schedule, finite};
use crate::config::Config;
use slalom_array::Result;

arguments! {
    /// `learning_rate`, at every step: a part for schedules that are made of others.
    ///
    /// Source: `optax.constant_schedule`.
    ///
    /// ```
    /// use slalom_optim::schedules::{Constant, LinearWarmup, Schedule};
    /// let schedule = LinearWarmup::new(Constant::new(0.5), 10);
    /// assert_eq!((schedule.value(5), schedule.value(10), schedule.value(99)), (0.25, 0.5, 0.5));
    /// ```
    pub struct Constant;
    /// This value.
    new(learning_rate: f64 => f64);
}

impl Schedule for Constant {
    fn value(&self, _step: i64) -> f64 {
        self.learning_rate
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        self.arguments()
    }

    fn validate(&self) -> Result<()> {
        finite(Self::CLASS_NAME, [("learning_rate", self.learning_rate)])
    }
}
