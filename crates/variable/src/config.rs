//! What objects tell of themselves, so that they can be written down and built again.
use slalom_array::{Error, ErrorKind, Result};

/// The arguments of an object by Keras's names, in Keras's order: what its `get_config` returns.
///
/// ```
/// use slalom_variable::{Config, ConfigValue};
/// let config = Config::new().with("max_value", 2.0).with("axis", 0);
/// assert_eq!(config.get("axis"), Some(&ConfigValue::Integer(0)));
/// assert_eq!(config.number("max_value", 1.0)?, 2.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config(Vec<(String, ConfigValue)>);

/// A value in a [`Config`].
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    /// Nothing (`None` in Python, `null` in JSON).
    None,
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list of integers.
    Integers(Vec<i64>),
}

impl Config {
    /// No arguments.
    pub fn new() -> Config {
        Config::default()
    }

    /// With one argument more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<ConfigValue>) -> Config {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The arguments in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ConfigValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The argument of a name.
    pub fn get(&self, name: &str) -> Option<&ConfigValue> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The number of a name, or the default where it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is not a number.
    pub fn number(&self, name: &str, default: f64) -> Result<f64> {
        match self.get(name) {
            None => Ok(default),
            Some(ConfigValue::Number(x)) => Ok(*x),
            Some(ConfigValue::Integer(i)) => Ok(*i as f64),
            Some(other) => Err(unexpected(name, "a number", other)),
        }
    }

    /// The axes of a name, one integer or several, or axis 0 where it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is neither an integer nor a list of integers.
    pub fn axes(&self, name: &str) -> Result<Vec<isize>> {
        match self.get(name) {
            None => Ok(vec![0]),
            Some(ConfigValue::Integer(axis)) => Ok(vec![*axis as isize]),
            Some(ConfigValue::Integers(axes)) => Ok(axes.iter().map(|&axis| axis as isize).collect()),
            Some(other) => Err(unexpected(name, "an integer or a list of integers", other)),
        }
    }

    /// The seed of a name; `None` where it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is neither an integer nor nothing.
    pub fn seed(&self, name: &str) -> Result<Option<u64>> {
        match self.get(name) {
            None | Some(ConfigValue::None) => Ok(None),
            Some(ConfigValue::Integer(seed)) => Ok(Some(*seed as u64)),
            Some(other) => Err(unexpected(name, "an integer or nothing", other)),
        }
    }

    /// The text of a name, or the default where it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if the value is not a text.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str> {
        match self.get(name) {
            None => Ok(default),
            Some(ConfigValue::Text(text)) => Ok(text),
            Some(other) => Err(unexpected(name, "a text", other)),
        }
    }

    /// Checks that only these arguments are there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the first argument that is not known.
    pub fn expect_only(&self, class_name: &'static str, known: &[&str]) -> Result<()> {
        match self.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let expected = format!("only the arguments {known:?}");
                Err(Error::new(ErrorKind::Config, class_name, expected, format!("{name:?}")))
            }
        }
    }
}

fn unexpected(name: &str, expected: &str, got: &ConfigValue) -> Error {
    Error::new(ErrorKind::Config, name.to_owned(), expected, format!("{got:?}"))
}

/// The value of a list of axes, as Keras writes it: one axis is an integer.
pub(crate) fn axes_value(axes: &[isize]) -> ConfigValue {
    match axes {
        [axis] => ConfigValue::Integer(*axis as i64),
        axes => ConfigValue::Integers(axes.iter().map(|&axis| axis as i64).collect()),
    }
}

impl From<f64> for ConfigValue {
    fn from(value: f64) -> ConfigValue {
        ConfigValue::Number(value)
    }
}

impl From<i32> for ConfigValue {
    fn from(value: i32) -> ConfigValue {
        ConfigValue::Integer(value.into())
    }
}

impl From<i64> for ConfigValue {
    fn from(value: i64) -> ConfigValue {
        ConfigValue::Integer(value)
    }
}

impl From<&str> for ConfigValue {
    fn from(value: &str) -> ConfigValue {
        ConfigValue::Text(value.to_owned())
    }
}

impl From<Vec<i64>> for ConfigValue {
    fn from(value: Vec<i64>) -> ConfigValue {
        ConfigValue::Integers(value)
    }
}

impl From<Option<u64>> for ConfigValue {
    fn from(seed: Option<u64>) -> ConfigValue {
        seed.map_or(ConfigValue::None, |seed| ConfigValue::Integer(seed as i64))
    }
}
