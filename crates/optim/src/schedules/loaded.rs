//! Schedules that are printed as they were read.
use super::{Schedule, serialize};
use crate::config::{Config, Origin};
use serde_json::Value;
use slalom_array::Result;
use slalom_variable::Variable;
use std::fmt;

/// A schedule whose envelope told another origin of its class than it would tell itself.
pub(super) struct Loaded {
    schedule: Box<dyn Schedule>,
    origin: Origin,
}

impl Loaded {
    /// The schedule that was loaded from `json`.
    pub(super) fn around(schedule: Box<dyn Schedule>, json: &Value) -> Box<dyn Schedule> {
        match Origin::read(json) {
            Some(origin) if Origin::read(&serialize(&schedule)).as_ref() != Some(&origin) => {
                Box::new(Loaded { schedule, origin })
            }
            _ => schedule,
        }
    }
}

impl Schedule for Loaded {
    fn value(&self, step: i64) -> f64 {
        self.schedule.value(step)
    }
    fn class_name(&self) -> &str {
        self.schedule.class_name()
    }
    fn get_config(&self) -> Config {
        self.schedule.get_config()
    }
    fn validate(&self) -> Result<()> {
        self.schedule.validate()
    }
    fn observe(&self, metric: f64) -> Result<()> {
        self.schedule.observe(metric)
    }
    fn state(&self) -> Vec<Variable> {
        self.schedule.state()
    }
    fn origin(&self) -> Option<&Origin> {
        Some(&self.origin)
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schedule.fmt(f)
    }
}
