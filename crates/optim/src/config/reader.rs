//! Typed arguments from a config.
use super::value::{Config, found_keys, keys};
use super::{Dialect, FromValue};
use crate::rules::{self, Rules};
use crate::schedules::{self, Schedule, Schedules};
use slalom_array::{Error, ErrorKind, Result};

/// A hyperparameter as it stands in a config.
#[derive(Debug)]
pub enum NumberOrSchedule {
    /// A number.
    Number(f64),
    /// A schedule, in an envelope of its own.
    Schedule(Box<dyn Schedule>),
}

/// Takes typed arguments from a config, and knows in the end whether anything else was in it.
///
/// ```
/// use slalom_optim::config::{Reader, object};
/// use slalom_optim::schedules;
///
/// let config = object([("momentum", 0.9.into()), ("nestrov", true.into())]);
/// let mut reader = Reader::new("SGD", &config, schedules::registry());
/// assert_eq!(reader.take::<f64>("momentum")?, 0.9);
/// assert_eq!(reader.take_or("nesterov", false)?, false);
/// let error = reader.finish().unwrap_err();
/// assert_eq!(error.to_string(), "SGD.from_config: expected only `momentum`, `nesterov`, got also `nestrov`");
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<'a> {
    class_name: &'a str,
    config: &'a Config,
    schedules: Schedules<'a>,
    rules: Rules<'a>,
    dialect: Dialect,
    /// The keys that were asked for, found or not: those that are allowed.
    asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// A reader of the config of an object of the class. Schedules within it come from `schedules`.
    pub fn new(class_name: &'a str, config: &'a Config, schedules: Schedules<'a>) -> Reader<'a> {
        let (rules, dialect) = (rules::registry(), Dialect::of(config));
        Reader { class_name, config, schedules, rules, dialect, asked: Vec::new() }
    }

    /// The same in this dialect, whatever the keys of the config show.
    #[must_use]
    pub fn in_dialect(self, dialect: Dialect) -> Reader<'a> {
        Reader { dialect, ..self }
    }

    /// The same with these rules, for those that are made of others.
    pub(crate) fn with_rules(self, rules: Rules<'a>) -> Reader<'a> {
        Reader { rules, ..self }
    }

    /// The known rules.
    pub(crate) fn rules(&self) -> Rules<'a> {
        self.rules
    }

    /// The dialect of the config.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The name of the class.
    pub(crate) fn class_name(&self) -> &'a str {
        self.class_name
    }

    /// A reader of a config within this one.
    pub(crate) fn inner<'b>(&self, class_name: &'b str, config: &'b Config) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { class_name, config, asked: Vec::new(), ..*self }
    }

    /// Whether the config has the key. The key does not become an allowed one by that.
    pub fn contains(&self, key: &str) -> bool {
        self.config.contains_key(key)
    }

    /// Whether the key is there with nothing in it; it becomes an allowed one then.
    pub(crate) fn takes_null(&mut self, key: &'static str) -> bool {
        let null = self.config.get(key).is_some_and(serde_json::Value::is_null);
        if null {
            self.asked.push(key);
        }
        null
    }

    /// The argument `key`, which must be there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the key is missing or its value is not of the type.
    pub fn take<T: FromValue>(&mut self, key: &'static str) -> Result<T> {
        self.take_with(key, T::expected, T::from_value)?.ok_or_else(|| self.missing(key, T::expected()))
    }

    /// The argument `key`, or the default where it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is not of the type.
    pub fn take_or<T: FromValue>(&mut self, key: &'static str, default: T) -> Result<T> {
        Ok(self.take_with(key, T::expected, T::from_value)?.unwrap_or(default))
    }

    /// The hyperparameter `key`, a number or a schedule in an envelope, which must be there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the key is missing or neither a number nor an envelope; the errors of the schedule.
    pub fn take_hyper(&mut self, key: &'static str) -> Result<NumberOrSchedule> {
        self.hyper(key)?.ok_or_else(|| self.missing(key, "a number or a schedule".into()))
    }

    /// The hyperparameter `key`, a number or a schedule in an envelope, or the default where it is missing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is neither a number nor an envelope; the errors of the schedule.
    pub fn take_hyper_or(&mut self, key: &'static str, default: f64) -> Result<NumberOrSchedule> {
        Ok(self.hyper(key)?.unwrap_or(NumberOrSchedule::Number(default)))
    }

    /// The hyperparameters `key`, an array of numbers and schedules, which must be there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the key is missing or anything else; the errors of the schedules.
    pub fn take_hypers(&mut self, key: &'static str) -> Result<Vec<NumberOrSchedule>> {
        let elements = self.take::<Vec<serde_json::Value>>(key)?;
        let read = |(i, element)| {
            let what = format!("element {i} of `{key}`");
            self.read_hyper(&what, element)
        };
        elements.iter().enumerate().map(read).collect()
    }

    /// The schedule `key` in an envelope, which must be there: for schedules that are made of others.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the key is missing or not an envelope; the errors of the schedule.
    pub fn take_schedule(&mut self, key: &'static str) -> Result<Box<dyn Schedule>> {
        match self.take_hyper(key)? {
            NumberOrSchedule::Schedule(schedule) => Ok(schedule),
            NumberOrSchedule::Number(number) => {
                Err(self.error(format!("a schedule for `{key}`"), format!("the number {number}")))
            }
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the allowed keys, if the config has a key that was not asked for.
    pub fn finish(self) -> Result<()> {
        let unknown: Vec<_> = self.config.keys().filter(|key| !self.asked.contains(&key.as_str())).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(self.error(format!("only {}", keys(&self.asked)), format!("also {}", found_keys(unknown))))
    }

    fn hyper(&mut self, key: &'static str) -> Result<Option<NumberOrSchedule>> {
        self.asked.push(key);
        let value = self.config.get(key);
        value.map(|value| self.read_hyper(&format!("`{key}`"), value)).transpose()
    }

    /// A number, or a schedule in an envelope.
    pub(crate) fn read_hyper(&self, what: &str, value: &serde_json::Value) -> Result<NumberOrSchedule> {
        if value.is_object() {
            let schedule = schedules::deserialize_with(value, self.schedules);
            let place = || format!("{}.from_config: {what}", self.class_name);
            return schedule.map(NumberOrSchedule::Schedule).map_err(|error| error.context(place()));
        }
        let number = f64::from_value(value).map(NumberOrSchedule::Number);
        number.map_err(|found| self.error(format!("a number or a schedule for {what}"), found))
    }

    fn take_with<T>(
        &mut self,
        key: &'static str,
        expected: impl Fn() -> String,
        read: impl Fn(&serde_json::Value) -> Result<T, String>,
    ) -> Result<Option<T>> {
        self.asked.push(key);
        let Some(value) = self.config.get(key) else { return Ok(None) };
        read(value).map(Some).map_err(|found| self.error(format!("{} for `{key}`", expected()), found))
    }

    #[cold]
    fn missing(&self, key: &str, expected: String) -> Error {
        self.error(
            format!("{expected} for `{key}`"),
            format!("a config with {}", found_keys(self.config.keys())),
        )
    }

    #[cold]
    fn error(&self, expected: String, got: String) -> Error {
        Error::new(ErrorKind::Config, format!("{}.from_config", self.class_name), expected, got)
    }
}
