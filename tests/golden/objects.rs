//! Objects of slalom from their configs in the files, and what errors stand for the reference's.
use crate::runner::Failure;
use serde_json::Value;
use slalom_array::{ErrorKind, Result};
use slalom_variable::{Config, ConfigValue};

/// A config as slalom reads it.
pub(crate) fn config(value: &Value) -> Result<Config, Failure> {
    let mut config = Config::new();
    for (name, value) in value.as_object().ok_or("a config that is no object")? {
        let value = match value {
            Value::Null => ConfigValue::None,
            Value::Number(n) if n.is_i64() => ConfigValue::Integer(n.as_i64().unwrap_or_default()),
            Value::Number(n) => ConfigValue::Number(n.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => ConfigValue::Text(text.clone()),
            Value::Array(list) => {
                let integer =
                    |n: &Value| n.as_i64().ok_or_else(|| format!("not a list of integers: {value}"));
                ConfigValue::Integers(list.iter().map(integer).collect::<Result<_, _>>()?)
            }
            other => return Err(format!("not in a config: {other}").into()),
        };
        config = config.with(name, value);
    }
    Ok(config)
}

/// Which kinds of error stand for a Python exception.
const ERRORS: &[(&str, &[ErrorKind])] = &[
    ("ValueError", &[ErrorKind::Argument, ErrorKind::Shape, ErrorKind::Gradient]),
    ("TypeError", &[ErrorKind::Config, ErrorKind::DType]),
    ("RuntimeError", &[ErrorKind::State]),
    ("InvalidArgumentError", &[ErrorKind::Shape, ErrorKind::DType, ErrorKind::Index]),
];

/// Fails, if there is no error or one of another kind.
pub(crate) fn expect_error<T>(result: Result<T>, exception: &str) -> Result<(), Failure> {
    let kinds = ERRORS.iter().find(|row| row.0 == exception).map(|row| row.1);
    let kinds = kinds.ok_or_else(|| format!("unknown exception {exception}"))?;
    match result {
        Ok(_) => Err(format!("no error, want {exception}").into()),
        Err(error) if kinds.contains(&error.kind()) => Ok(()),
        Err(error) => Err(format!("{error:?}, want one for {exception}").into()),
    }
}
