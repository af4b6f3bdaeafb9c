//! Cosine decay with warm restarts.
use super::arguments::arguments;
use super::{Schedule, Steps, finite, require};
use crate::config::Config;
use slalom_array::Result;
use std::f64::consts::PI;

arguments! {
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
    pub struct CosineDecayRestarts;
    /// A decay to 0 in `first_decay_steps` steps (> 0), again and again, each time in twice as many steps.
    new(initial_learning_rate: f64 => f64, first_decay_steps: impl Into<Steps> => Steps);
    /// How many times longer each period is than the one before (> 0). Default: 2.
    t_mul: f64 = 2.0;
    /// How many times higher each period starts than the one before. Default: 1.
    m_mul: f64 = 1.0;
    /// The part of the initial learning rate that is left at the end of each period. Default: 0.
    alpha: f64 = 0.0;
}

impl CosineDecayRestarts {
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
        self.arguments()
    }

    fn validate(&self) -> Result<()> {
        let first = self.first_decay_steps;
        require(first.get() > 0.0, Self::CLASS_NAME, "first_decay_steps > 0", first)?;
        require(self.t_mul > 0.0, Self::CLASS_NAME, "t_mul > 0", self.t_mul)?;
        finite(
            Self::CLASS_NAME,
            [
                ("initial_learning_rate", self.initial_learning_rate),
                ("first_decay_steps", self.first_decay_steps.get()),
                ("t_mul", self.t_mul),
                ("m_mul", self.m_mul),
                ("alpha", self.alpha),
            ],
        )
    }
}
