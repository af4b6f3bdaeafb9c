//! Schedules within schedules.
use super::{Constant, Schedule, serialize};
use crate::config::NumberOrSchedule;
use serde_json::Value;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A schedule that another one is made of.
#[derive(Clone)]
pub(super) struct Part(Arc<dyn Schedule>);

impl Part {
    pub(super) fn new(schedule: impl Schedule + 'static) -> Part {
        Part(Arc::new(schedule))
    }

    pub(super) fn to_value(&self) -> Value {
        serialize(&self.0)
    }
}

impl Deref for Part {
    type Target = dyn Schedule;

    fn deref(&self) -> &(dyn Schedule + 'static) {
        &*self.0
    }
}

impl From<NumberOrSchedule> for Part {
    fn from(read: NumberOrSchedule) -> Part {
        match read {
            NumberOrSchedule::Number(value) => Part::new(Constant::new(value)),
            NumberOrSchedule::Schedule(schedule) => Part(schedule.into()),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
