//! Exponential decay.
use super::arguments::arguments;
use super::{Schedule, Steps, finite, require};
use crate::config::Config;
use slalom_array::Result;

arguments! {
    /// `initial_learning_rate * decay_rate ^ (step / decay_steps)`; with `staircase` the quotient is rounded down.
    ///
    /// Source: `tf.keras.optimizers.schedules.ExponentialDecay`.
    ///
    /// ```
    /// use slalom_optim::schedules::{ExponentialDecay, Schedule};
    /// let schedule = ExponentialDecay::new(0.5, 10, 0.25);
    /// assert_eq!((schedule.value(0), schedule.value(5), schedule.value(10)), (0.5, 0.25, 0.125));
    /// assert_eq!(schedule.staircase(true).value(9), 0.5);
    /// ```
    pub struct ExponentialDecay;
    /// A decay by the factor `decay_rate` in every `decay_steps` steps (> 0), without stairs.
    new(initial_learning_rate: f64 => f64, decay_steps: impl Into<Steps> => Steps, decay_rate: f64 => f64);
    /// Whether to decay only at multiples of `decay_steps`. Default: false.
    staircase: bool = false;
}

impl Schedule for ExponentialDecay {
    fn value(&self, step: i64) -> f64 {
        let periods = step as f64 / self.decay_steps.get();
        let periods = if self.staircase { periods.floor() } else { periods };
        self.initial_learning_rate * self.decay_rate.powf(periods)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        self.arguments()
    }

    fn validate(&self) -> Result<()> {
        require(self.decay_steps.get() > 0.0, Self::CLASS_NAME, "decay_steps > 0", self.decay_steps)?;
        finite(
            Self::CLASS_NAME,
            [
                ("initial_learning_rate", self.initial_learning_rate),
                ("decay_steps", self.decay_steps.get()),
                ("decay_rate", self.decay_rate),
            ],
        )
    }
}
