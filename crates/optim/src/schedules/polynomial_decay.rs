//! Polynomial decay.
use super::arguments::arguments;
use super::{Schedule, Steps, finite, require};
use crate::config::Config;
use slalom_array::Result;

arguments! {
    /// `(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power + end_learning_rate`.
    ///
    /// After `decay_steps` the value stays at the end. With `cycle` it starts again instead: `decay_steps` is multiplied by
    /// `ceil(step / decay_steps)` (1 at step 0), so that the end is reached at each multiple of `decay_steps`, and the next step starts
    /// lower than the last cycle did.
    ///
    /// Source: `tf.keras.optimizers.schedules.PolynomialDecay`.
    ///
    /// ```
    /// use slalom_optim::schedules::{PolynomialDecay, Schedule};
    /// let schedule = PolynomialDecay::new(1.0, 100).end_learning_rate(0.0).power(2.0);
    /// assert_eq!((schedule.value(0), schedule.value(50), schedule.value(200)), (1.0, 0.25, 0.0));
    /// assert_eq!(schedule.cycle(true).value(150), 0.0625);
    /// ```
    pub struct PolynomialDecay;
    /// A linear decay in `decay_steps` steps (> 0) to 0.0001, which then stays.
    new(initial_learning_rate: f64 => f64, decay_steps: impl Into<Steps> => Steps);
    /// The value in the end. Default: 0.0001.
    end_learning_rate: f64 = 0.0001;
    /// The power of the polynomial. Default: 1, a linear decay.
    power: f64 = 1.0;
    /// Whether to start again after each `decay_steps` steps. Default: false.
    cycle: bool = false;
}

impl Schedule for PolynomialDecay {
    fn value(&self, step: i64) -> f64 {
        let (step, period) = (step as f64, self.decay_steps.get());
        let fraction = match (self.cycle, step == 0.0) {
            (true, true) => 0.0,
            (true, false) => step / (period * (step / period).ceil()),
            (false, _) => step.min(period) / period,
        };
        // Rounding may take the fraction of a cycle beyond 1, and the power of a negative number is none.
        let remaining = (1.0 - fraction).max(0.0);
        (self.initial_learning_rate - self.end_learning_rate) * remaining.powf(self.power)
            + self.end_learning_rate
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
                ("end_learning_rate", self.end_learning_rate),
                ("power", self.power),
            ],
        )
    }
}
