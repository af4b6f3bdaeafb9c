//! Decay by a factor in regular intervals.
use super::arguments::arguments;
use super::{Schedule, Steps, finite, require};
use crate::config::Config;
use slalom_array::Result;

arguments! {
    /// `initial_learning_rate * drop ^ floor(step / drop_every)`.
    ///
    /// Source: `torch.optim.lr_scheduler.StepLR`.
    ///
    /// ```
    /// use slalom_optim::schedules::{Schedule, StepDecay};
    /// let schedule = StepDecay::new(0.5, 30).drop(0.5);
    /// assert_eq!((schedule.value(29), schedule.value(30), schedule.value(60)), (0.5, 0.25, 0.125));
    /// ```
    pub struct StepDecay;
    /// A decay to a tenth after every `drop_every` steps (> 0).
    new(initial_learning_rate: f64 => f64, drop_every: impl Into<Steps> => Steps);
    /// The factor of each drop. Default: 0.1.
    drop: f64 = 0.1;
}

impl Schedule for StepDecay {
    fn value(&self, step: i64) -> f64 {
        let drops = (step as f64 / self.drop_every.get()).floor();
        self.initial_learning_rate * self.drop.powf(drops)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        self.arguments()
    }

    fn validate(&self) -> Result<()> {
        require(self.drop_every.get() > 0.0, Self::CLASS_NAME, "drop_every > 0", self.drop_every)?;
        finite(
            Self::CLASS_NAME,
            [
                ("initial_learning_rate", self.initial_learning_rate),
                ("drop_every", self.drop_every.get()),
                ("drop", self.drop),
            ],
        )
    }
}
