//! One cycle up and down.
use super::arguments::arguments;
use super::{Schedule, Steps, finite, require};
use crate::config::Config;
use slalom_array::Result;
use std::f64::consts::PI;

arguments! {
    /// One cycle: from `max_learning_rate / div_factor` up to `max_learning_rate` in the first `pct_start` of `total_steps`
    /// steps, then down to `max_learning_rate / (div_factor * final_div_factor)`, where it stays.
    ///
    /// The top is at step `pct_start * total_steps - 1`, the end at step `total_steps - 1`. Between two values `a` and `b`, at
    /// the fraction `f` of the way, the learning rate is `b + (a - b) * (1 + cos(pi * f)) / 2`, or `a + (b - a) * f` if
    /// [`linear`](OneCycle::linear). With [`three_phase`](OneCycle::three_phase) it goes down as it came up, to the initial
    /// value at step `2 * pct_start * total_steps - 2`, and from there to the end.
    ///
    /// Source: `torch.optim.lr_scheduler.OneCycleLR`; Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks
    /// Using Large Learning Rates, 2018.
    ///
    /// ```
    /// use slalom_optim::schedules::{OneCycle, Schedule};
    /// let schedule = OneCycle::new(1.0, 100).div_factor(4.0).pct_start(0.25);
    /// assert_eq!((schedule.value(0), schedule.value(12), schedule.value(24)), (0.25, 0.625, 1.0));
    /// assert!((schedule.value(99) - 0.25e-4).abs() < 1e-15);
    /// ```
    pub struct OneCycle;
    /// A cycle in `total_steps` steps (> 0).
    new(max_learning_rate: f64 => f64, total_steps: impl Into<Steps> => Steps);
    /// The part of the steps in which the learning rate grows, from 0 to 1. Default: 0.3.
    pct_start: f64 = 0.3;
    /// What the top is divided by to give the initial value (> 0). Default: 25.
    div_factor: f64 = 25.0;
    /// What the initial value is divided by to give the final one (> 0). Default: 10,000.
    final_div_factor: f64 = 1e4;
    /// Whether to go straight instead of along a cosine. Default: false.
    linear: bool = false;
    /// Whether to come down to the initial value first, and then to the final one. Default: false.
    three_phase: bool = false;
}

impl OneCycle {
    /// The steps at which the phases end, and the values there.
    fn phases(&self) -> [(f64, f64); 3] {
        let (total, up) = (self.total_steps.get(), self.pct_start * self.total_steps.get() - 1.0);
        let initial = self.max_learning_rate / self.div_factor;
        let end = (total - 1.0, initial / self.final_div_factor);
        let down = if self.three_phase { (2.0 * up, initial) } else { end };
        [(up, self.max_learning_rate), down, end]
    }
}

impl Schedule for OneCycle {
    fn value(&self, step: i64) -> f64 {
        let (step, mut start) = (step as f64, (0.0, self.max_learning_rate / self.div_factor));
        for end in self.phases() {
            if step <= end.0 {
                let fraction = if end.0 > start.0 { (step - start.0) / (end.0 - start.0) } else { 1.0 };
                return match self.linear {
                    true => start.1 + (end.1 - start.1) * fraction,
                    false => end.1 + (start.1 - end.1) * 0.5 * (1.0 + (PI * fraction).cos()),
                };
            }
            start = end;
        }
        start.1
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        self.arguments()
    }

    fn validate(&self) -> Result<()> {
        let allowed = (0.0..=1.0).contains(&self.pct_start);
        require(self.total_steps.get() > 0.0, Self::CLASS_NAME, "total_steps > 0", self.total_steps)?;
        require(allowed, Self::CLASS_NAME, "pct_start from 0 to 1", self.pct_start)?;
        require(self.div_factor > 0.0, Self::CLASS_NAME, "div_factor > 0", self.div_factor)?;
        require(
            self.final_div_factor > 0.0,
            Self::CLASS_NAME,
            "final_div_factor > 0",
            self.final_div_factor,
        )?;
        finite(
            Self::CLASS_NAME,
            [
                ("max_learning_rate", self.max_learning_rate),
                ("total_steps", self.total_steps.get()),
                ("div_factor", self.div_factor),
                ("final_div_factor", self.final_div_factor),
            ],
        )
    }
}
