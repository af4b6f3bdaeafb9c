//! Inverse time decay.
use super::{Schedule, Steps, require};
use crate::config::{Config, Reader, number, object};
use slalom_array::Result;

/// `initial_learning_rate / (1 + decay_rate * step / decay_steps)`; with `staircase` the quotient `step / decay_steps` is rounded
/// down.
///
/// Source: `tf.keras.optimizers.schedules.InverseTimeDecay`.
///
/// ```
/// use slalom_optim::schedules::{InverseTimeDecay, Schedule};
/// let schedule = InverseTimeDecay::new(0.5, 10, 1.0);
/// assert_eq!((schedule.value(0), schedule.value(10), schedule.value(30)), (0.5, 0.25, 0.125));
/// assert_eq!(schedule.staircase(true).value(9), 0.5);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct InverseTimeDecay {
    initial_learning_rate: f64,
    decay_steps: Steps,
    decay_rate: f64,
    staircase: bool,
    name: Option<String>,
}

impl InverseTimeDecay {
    pub(super) const CLASS_NAME: &str = "InverseTimeDecay";

    /// A decay whose divisor grows by `decay_rate` in every `decay_steps` steps (> 0), without stairs.
    pub fn new(
        initial_learning_rate: f64,
        decay_steps: impl Into<Steps>,
        decay_rate: f64,
    ) -> InverseTimeDecay {
        let decay_steps = decay_steps.into();
        InverseTimeDecay { initial_learning_rate, decay_steps, decay_rate, staircase: false, name: None }
    }

    /// Whether to decay only at multiples of `decay_steps`. Default: false.
    #[must_use]
    pub fn staircase(self, staircase: bool) -> InverseTimeDecay {
        InverseTimeDecay { staircase, ..self }
    }

    /// A name, which stands in the config. Default: none.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> InverseTimeDecay {
        InverseTimeDecay { name: Some(name.into()), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<InverseTimeDecay> {
        Ok(InverseTimeDecay {
            initial_learning_rate: reader.take("initial_learning_rate")?,
            decay_steps: reader.take("decay_steps")?,
            decay_rate: reader.take("decay_rate")?,
            staircase: reader.take_or("staircase", false)?,
            name: reader.take_or("name", None)?,
        })
    }
}

impl Schedule for InverseTimeDecay {
    fn value(&self, step: i64) -> f64 {
        let periods = step as f64 / self.decay_steps.get();
        let periods = if self.staircase { periods.floor() } else { periods };
        self.initial_learning_rate / (1.0 + self.decay_rate * periods)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        object([
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", self.decay_steps.into()),
            ("decay_rate", number(self.decay_rate)),
            ("staircase", self.staircase.into()),
            ("name", self.name.clone().into()),
        ])
    }

    fn validate(&self) -> Result<()> {
        require(self.decay_steps.get() > 0.0, Self::CLASS_NAME, "decay_steps > 0", self.decay_steps)
    }
}
