//! Cosine decay with warm restarts.
use super::{Schedule, Steps, require};
use crate::config::{Config, Reader, number, object};
use slalom_array::Result;
use std::f64::consts::PI;

/// Cosine decay that starts again: period `i` lasts `first_decay_steps * t_mul^i` steps and starts at
/// `initial_learning_rate * m_mul^i`.
///
/// At the fraction `f` of period `i` the value is
/// `initial_learning_rate * ((1 - alpha) * m_mul^i * (1 + cos(pi * f)) / 2 + alpha)`.
///
/// Exactly at a restart the reference depends on the rounding of a quotient of logarithms, and may give the end of the old
/// period; here a restart is always the start of the new one. For `t_mul < 1` the periods add up to
/// `first_decay_steps / (1 - t_mul)` steps, from where on the value is NaN, as in the reference.
///
/// Source: `tf.keras.optimizers.schedules.CosineDecayRestarts`; Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with
/// Warm Restarts, 2017.
///
/// ```
/// use slalom_optim::schedules::{CosineDecayRestarts, Schedule};
/// let schedule = CosineDecayRestarts::new(1.0, 10).m_mul(0.5);
/// assert_eq!((schedule.value(0), schedule.value(5), schedule.value(10)), (1.0, 0.5, 0.5));
/// assert_eq!((schedule.value(20), schedule.value(30)), (0.25, 0.25));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CosineDecayRestarts {
    initial_learning_rate: f64,
    first_decay_steps: Steps,
    t_mul: f64,
    m_mul: f64,
    alpha: f64,
    name: Option<String>,
}

impl CosineDecayRestarts {
    pub(super) const CLASS_NAME: &str = "CosineDecayRestarts";

    /// A decay to 0 in `first_decay_steps` steps (> 0), again and again, each time in twice as many steps.
    pub fn new(initial_learning_rate: f64, first_decay_steps: impl Into<Steps>) -> CosineDecayRestarts {
        CosineDecayRestarts {
            initial_learning_rate,
            first_decay_steps: first_decay_steps.into(),
            t_mul: 2.0,
            m_mul: 1.0,
            alpha: 0.0,
            name: None,
        }
    }

    /// How many times longer each period is than the one before (> 0). Default: 2.
    #[must_use]
    pub fn t_mul(self, t_mul: f64) -> CosineDecayRestarts {
        CosineDecayRestarts { t_mul, ..self }
    }

    /// How many times higher each period starts than the one before. Default: 1.
    #[must_use]
    pub fn m_mul(self, m_mul: f64) -> CosineDecayRestarts {
        CosineDecayRestarts { m_mul, ..self }
    }

    /// The part of the initial learning rate that is left at the end of each period. Default: 0.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> CosineDecayRestarts {
        CosineDecayRestarts { alpha, ..self }
    }

    /// A name, which stands in the config. Default: none.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> CosineDecayRestarts {
        CosineDecayRestarts { name: Some(name.into()), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<CosineDecayRestarts> {
        Ok(CosineDecayRestarts {
            initial_learning_rate: reader.take("initial_learning_rate")?,
            first_decay_steps: reader.take("first_decay_steps")?,
            t_mul: reader.take_or("t_mul", 2.0)?,
            m_mul: reader.take_or("m_mul", 1.0)?,
            alpha: reader.take_or("alpha", 0.0)?,
            name: reader.take_or("name", None)?,
        })
    }

    /// The number of restarts until the step, and the fraction of the present period that is done.
    fn period(&self, step: i64) -> (f64, f64) {
        /// Takes a step that rounding has put just before its restart to the restart.
        const TOLERANCE: f64 = 1e-9;
        let (done, t_mul) = (step as f64 / self.first_decay_steps.get(), self.t_mul);
        if t_mul == 1.0 {
            return (done.floor(), done - done.floor());
        }
        // The first i periods last 1 + t + .. + t^(i-1) = (1 - t^i) / (1 - t) first periods.
        let restarts = ((1.0 - done * (1.0 - t_mul)).ln() / t_mul.ln() + TOLERANCE).floor();
        let before = (1.0 - t_mul.powf(restarts)) / (1.0 - t_mul);
        (restarts, (done - before) / t_mul.powf(restarts))
    }
}

impl Schedule for CosineDecayRestarts {
    fn value(&self, step: i64) -> f64 {
        let (restarts, fraction) = self.period(step);
        let cosine = 0.5 * self.m_mul.powf(restarts) * (1.0 + (PI * fraction).cos());
        self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        object([
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("first_decay_steps", self.first_decay_steps.into()),
            ("t_mul", number(self.t_mul)),
            ("m_mul", number(self.m_mul)),
            ("alpha", number(self.alpha)),
            ("name", self.name.clone().into()),
        ])
    }

    fn validate(&self) -> Result<()> {
        let first = self.first_decay_steps;
        require(first.get() > 0.0, Self::CLASS_NAME, "first_decay_steps > 0", first)?;
        require(self.t_mul > 0.0, Self::CLASS_NAME, "t_mul > 0", self.t_mul)
    }
}
