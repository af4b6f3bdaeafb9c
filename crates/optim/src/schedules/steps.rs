//! Numbers of steps.
use crate::config::{FromValue, ToValue, number};
use serde_json::Value;
use std::fmt;

/// A number of steps: any integer, or a float, as a period need not be whole.
///
/// ```
/// use slalom_optim::schedules::Steps;
/// let steps_per_epoch = 469usize;
/// assert_eq!(Steps::from(20 * steps_per_epoch).get(), 9380.0);
/// assert_eq!(Steps::from(0.5 * 469.0).get(), 234.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Steps(f64);

impl Steps {
    /// The number. Integers are exact up to 2^53.
    pub fn get(self) -> f64 {
        self.0
    }
}

macro_rules! from_numbers {
    ($($number:ty)*) => {$(
        impl From<$number> for Steps {
            fn from(steps: $number) -> Steps {
                Steps(steps as f64)
            }
        }
    )*};
}
from_numbers!(i32 u32 i64 u64 isize usize f32 f64);

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromValue for Steps {
    fn expected() -> String {
        "a number of steps".into()
    }
    fn from_value(value: &Value) -> Result<Steps, String> {
        f64::from_value(value).map(Steps)
    }
}

impl ToValue for Steps {
    /// A whole number is printed without a fraction, as in Python.
    fn to_value(&self) -> Value {
        let (steps, exact) = (self.0, (1u64 << 53) as f64);
        if steps.fract() == 0.0 && steps.abs() <= exact { Value::from(steps as i64) } else { number(steps) }
    }
}

impl From<Steps> for Value {
    fn from(steps: Steps) -> Value {
        steps.to_value()
    }
}
