//! Schedules one after the other.
use super::{Part, Schedule, Steps, finite, require};
use crate::config::{Config, Reader, ToValue, object};
use serde_json::Value;
use slalom_array::Result;
use slalom_variable::Variable;

/// Several schedules in turn: the first until step `boundaries[0]`, from there on the second, and so on. Each counts its
/// steps from its own start: `schedules[i](step - boundaries[i - 1])`.
///
/// Source: `optax.join_schedules`, `torch.optim.lr_scheduler.SequentialLR`.
///
/// ```
/// use slalom_optim::schedules::{Constant, ExponentialDecay, Schedule, Sequence};
/// let schedule = Sequence::new(Constant::new(0.5)).then(100, ExponentialDecay::new(0.25, 10, 0.5));
/// assert_eq!((schedule.value(99), schedule.value(100), schedule.value(110)), (0.5, 0.25, 0.125));
/// ```
#[derive(Debug, Clone)]
pub struct Sequence {
    schedules: Vec<Part>,
    boundaries: Vec<Steps>,
}

impl Sequence {
    pub(super) const CLASS_NAME: &str = "Sequence";

    /// A sequence that begins with this schedule.
    pub fn new(first: impl Schedule + 'static) -> Sequence {
        Sequence { schedules: vec![Part::new(first)], boundaries: Vec::new() }
    }

    /// From step `boundary` on (not before the boundaries that are there already), the next schedule.
    #[must_use]
    pub fn then(mut self, boundary: impl Into<Steps>, schedule: impl Schedule + 'static) -> Sequence {
        self.boundaries.push(boundary.into());
        self.schedules.push(Part::new(schedule));
        self
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Sequence> {
        let schedules = reader.take_hypers("schedules")?.into_iter().map(Part::from).collect();
        Ok(Sequence { schedules, boundaries: reader.take("boundaries")? })
    }
}

impl Schedule for Sequence {
    /// # Panics
    /// If there are fewer schedules than [`validate`](Schedule::validate) asks for.
    fn value(&self, step: i64) -> f64 {
        let i = self.boundaries.partition_point(|boundary| boundary.get() <= step as f64);
        let start = if i == 0 { 0 } else { self.boundaries[i - 1].get().ceil() as i64 };
        self.schedules[i].value(step - start)
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        let schedules = self.schedules.iter().map(Part::to_value).collect::<Value>();
        object([("schedules", schedules), ("boundaries", self.boundaries.to_value())])
    }

    fn validate(&self) -> Result<()> {
        let (schedules, boundaries) = (self.schedules.len(), self.boundaries.len());
        let got = format!("{schedules} schedules and {boundaries} boundaries");
        require(schedules == boundaries + 1, Self::CLASS_NAME, "one schedule more than boundaries", got)?;
        let (sorted, listed) = (self.boundaries.is_sorted(), self.boundaries.to_value());
        require(sorted, Self::CLASS_NAME, "boundaries in ascending order", listed)?;
        finite(Self::CLASS_NAME, self.boundaries.iter().map(|boundary| ("boundary", boundary.get())))?;
        self.schedules.iter().try_for_each(|schedule| schedule.validate())
    }

    fn observe(&self, metric: f64) -> Result<()> {
        self.schedules.iter().try_for_each(|schedule| schedule.observe(metric))
    }

    fn state(&self) -> Vec<Variable> {
        self.schedules.iter().flat_map(|schedule| schedule.state()).collect()
    }
}
