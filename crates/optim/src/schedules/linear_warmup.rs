//! Linear warm-up in front of any schedule.
use super::{Part, Schedule, Steps, finite, require};
use crate::config::{Config, Reader, ToValue, object};
use slalom_array::Result;
use slalom_variable::Variable;

/// Linear growth in `warmup_steps` steps to the first value of another schedule, which then begins:
/// `initial_learning_rate + (schedule(0) - initial_learning_rate) * step / warmup_steps`, then
/// `schedule(step - warmup_steps)`.
///
/// Source: `optax.schedules.warmup_cosine_decay_schedule`; Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.2.
///
/// ```
/// use slalom_optim::schedules::{ExponentialDecay, LinearWarmup, Schedule};
/// let schedule = LinearWarmup::new(ExponentialDecay::new(0.5, 10, 0.25), 100);
/// assert_eq!((schedule.value(0), schedule.value(50), schedule.value(100)), (0.0, 0.25, 0.5));
/// assert_eq!(schedule.value(110), 0.125);
/// ```
#[derive(Debug, Clone)]
pub struct LinearWarmup {
    schedule: Part,
    warmup_steps: Steps,
    initial_learning_rate: f64,
}

impl LinearWarmup {
    pub(super) const CLASS_NAME: &str = "LinearWarmup";

    /// A warm-up from 0 in `warmup_steps` steps (>= 0).
    pub fn new(schedule: impl Schedule + 'static, warmup_steps: impl Into<Steps>) -> LinearWarmup {
        LinearWarmup {
            schedule: Part::new(schedule),
            warmup_steps: warmup_steps.into(),
            initial_learning_rate: 0.0,
        }
    }

    /// The value at step 0. Default: 0.
    #[must_use]
    pub fn initial_learning_rate(self, initial_learning_rate: f64) -> LinearWarmup {
        LinearWarmup { initial_learning_rate, ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<LinearWarmup> {
        Ok(LinearWarmup {
            schedule: reader.take_hyper("schedule")?.into(),
            warmup_steps: reader.take("warmup_steps")?,
            initial_learning_rate: reader.take_or("initial_learning_rate", 0.0)?,
        })
    }
}

impl Schedule for LinearWarmup {
    fn value(&self, step: i64) -> f64 {
        let (initial, warmup) = (self.initial_learning_rate, self.warmup_steps.get());
        if (step as f64) < warmup {
            return initial + (self.schedule.value(0) - initial) * (step as f64 / warmup);
        }
        self.schedule.value(step - warmup.ceil() as i64)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        object([
            ("schedule", self.schedule.to_value()),
            ("warmup_steps", self.warmup_steps.to_value()),
            ("initial_learning_rate", self.initial_learning_rate.to_value()),
        ])
    }

    fn validate(&self) -> Result<()> {
        require(self.warmup_steps.get() >= 0.0, Self::CLASS_NAME, "warmup_steps >= 0", self.warmup_steps)?;
        finite(
            Self::CLASS_NAME,
            [
                ("warmup_steps", self.warmup_steps.get()),
                ("initial_learning_rate", self.initial_learning_rate),
            ],
        )?;
        self.schedule.validate()
    }

    fn observe(&self, metric: f64) -> Result<()> {
        self.schedule.observe(metric)
    }

    fn state(&self) -> Vec<Variable> {
        self.schedule.state()
    }
}
