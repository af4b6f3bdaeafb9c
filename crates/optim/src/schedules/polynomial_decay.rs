//! Polynomial decay.
use super::{Schedule, Steps, require};
use crate::config::{Config, Reader, number, object};
use slalom_array::Result;

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
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialDecay {
    initial_learning_rate: f64,
    decay_steps: Steps,
    end_learning_rate: f64,
    power: f64,
    cycle: bool,
    name: Option<String>,
}

impl PolynomialDecay {
    pub(super) const CLASS_NAME: &str = "PolynomialDecay";

    /// A linear decay in `decay_steps` steps (> 0) to 0.0001, which then stays.
    pub fn new(initial_learning_rate: f64, decay_steps: impl Into<Steps>) -> PolynomialDecay {
        PolynomialDecay {
            initial_learning_rate,
            decay_steps: decay_steps.into(),
            end_learning_rate: 0.0001,
            power: 1.0,
            cycle: false,
            name: None,
        }
    }

    /// The value in the end. Default: 0.0001.
    #[must_use]
    pub fn end_learning_rate(self, end_learning_rate: f64) -> PolynomialDecay {
        PolynomialDecay { end_learning_rate, ..self }
    }

    /// The power of the polynomial. Default: 1, a linear decay.
    #[must_use]
    pub fn power(self, power: f64) -> PolynomialDecay {
        PolynomialDecay { power, ..self }
    }

    /// Whether to start again after each `decay_steps` steps. Default: false.
    #[must_use]
    pub fn cycle(self, cycle: bool) -> PolynomialDecay {
        PolynomialDecay { cycle, ..self }
    }

    /// A name, which stands in the config. Default: none.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> PolynomialDecay {
        PolynomialDecay { name: Some(name.into()), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<PolynomialDecay> {
        Ok(PolynomialDecay {
            initial_learning_rate: reader.take("initial_learning_rate")?,
            decay_steps: reader.take("decay_steps")?,
            end_learning_rate: reader.take_or("end_learning_rate", 0.0001)?,
            power: reader.take_or("power", 1.0)?,
            cycle: reader.take_or("cycle", false)?,
            name: reader.take_or("name", None)?,
        })
    }
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
        object([
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", self.decay_steps.into()),
            ("end_learning_rate", number(self.end_learning_rate)),
            ("power", number(self.power)),
            ("cycle", self.cycle.into()),
            ("name", self.name.clone().into()),
        ])
    }

    fn validate(&self) -> Result<()> {
        require(self.decay_steps.get() > 0.0, Self::CLASS_NAME, "decay_steps > 0", self.decay_steps)
    }
}
