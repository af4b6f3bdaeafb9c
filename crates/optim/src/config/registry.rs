//! The known classes of one kind.
use super::value::{Config, keys, shortened};
use super::{Envelope, Reader};
use crate::schedules::Schedules;
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};

/// A class that can be built from its config.
#[derive(Debug, Clone, Copy)]
pub struct Entry<T> {
    /// The name of the class, as it stands in configs, or the name under which it is registered, `"package>C"`.
    pub class_name: &'static str,
    /// Takes the arguments from the reader and builds the object.
    pub build: fn(&mut Reader<'_>) -> Result<T>,
}

/// The classes of one kind (schedules, optimizers, constraints): slalom's own, and those that a caller adds.
///
/// ```
/// use slalom_optim::config::{Entry, Registry, object};
/// use slalom_optim::schedules;
///
/// #[derive(Debug)]
/// struct MaxNorm { max_value: f64 }
/// const CONSTRAINTS: &[Entry<MaxNorm>] =
///     &[Entry { class_name: "MaxNorm", build: |reader| Ok(MaxNorm { max_value: reader.take_or("max_value", 2.0)? }) }];
///
/// let registry = Registry::new("constraint", CONSTRAINTS);
/// let constraint = registry.build("MaxNorm", &object([("max_value", 3.into())]), schedules::registry())?;
/// assert_eq!(constraint.max_value, 3.0);
///
/// let error = registry.build("MinNorm", &object([]), schedules::registry()).unwrap_err();
/// assert_eq!(error.to_string(), "from_config: expected a constraint, one of `MaxNorm`, got `MinNorm`");
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Registry<'a, T> {
    kind: &'static str,
    built_in: &'a [Entry<T>],
    extra: &'a [Entry<T>],
}

// Not derived: that would ask for `T: Copy`.
impl<T> Copy for Registry<'_, T> {}
impl<T> Clone for Registry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T> Registry<'a, T> {
    /// A table of classes. `kind` is what they are called in error messages: "schedule".
    pub const fn new(kind: &'static str, built_in: &'a [Entry<T>]) -> Registry<'a, T> {
        Registry { kind, built_in, extra: &[] }
    }

    /// The same table with a caller's own classes. They go first: a name that both have means the caller's class.
    #[must_use]
    pub const fn with(self, extra: &'a [Entry<T>]) -> Registry<'a, T> {
        Registry { extra, ..self }
    }

    /// All classes, the caller's own first.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry<T>> + use<'a, T> {
        self.extra.iter().chain(self.built_in)
    }

    /// The class of that name. As in Keras, upper and lower case are the same (`"sgd"` is `"SGD"`).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with the known names, if there is none.
    pub fn find(&self, class_name: &str) -> Result<&'a Entry<T>> {
        self.entries().find(|entry| entry.class_name.eq_ignore_ascii_case(class_name)).ok_or_else(|| {
            let known = keys(self.entries().map(|entry| entry.class_name));
            let expected = format!("a {}, one of {known}", self.kind);
            Error::new(ErrorKind::NotFound, "from_config", expected, format!("`{}`", shortened(class_name)))
        })
    }

    /// Builds an object from the name of its class and its config. Schedules within the config come from `schedules`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if the class is not known; [`ErrorKind::Config`], if the config has missing or unknown keys or
    /// values of a wrong type; [`ErrorKind::Argument`], if the class refuses a value.
    pub fn build(&self, class_name: &str, config: &Config, schedules: Schedules<'_>) -> Result<T> {
        let entry = self.find(class_name)?;
        let mut reader = Reader::new(entry.class_name, config, schedules);
        let built = (entry.build)(&mut reader)?;
        reader.finish()?;
        Ok(built)
    }

    /// The name by which the class of an envelope is found: the registered one, if there is a class of that name, else that of the
    /// class.
    pub(crate) fn name_in<'b>(&self, json: &'b Value, class_name: &'b str) -> &'b str {
        let registered = json.get("registered_name").and_then(Value::as_str);
        let known = |name: &&str| self.entries().any(|entry| entry.class_name == *name);
        registered.filter(known).unwrap_or(class_name)
    }

    /// Builds an object from an [`Envelope`]. Its class is looked up by its registered name first.
    ///
    /// # Errors
    /// Those of [`Envelope::read`] and [`Registry::build`].
    pub fn deserialize(&self, json: &Value, schedules: Schedules<'_>) -> Result<T> {
        let Envelope { class_name, config } = Envelope::read(json)?;
        self.build(self.name_in(json, class_name), config, schedules)
    }
}
