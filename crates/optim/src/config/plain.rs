//! What constraints and initializers have instead of JSON, and their envelopes.
use super::{Config, Envelope, FromValue, number};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};
use slalom_variable::{Config as Plain, ConfigValue};

/// The envelope of an object: of a class in one of Keras's modules, or of an own class (`None`).
pub(super) fn serialize(class_name: &str, config: &Plain, module: Option<&str>) -> Value {
    let value = |value: &ConfigValue| match value {
        ConfigValue::None => Value::Null,
        ConfigValue::Integer(integer) => (*integer).into(),
        ConfigValue::Number(x) => number(*x),
        ConfigValue::Text(text) => text.as_str().into(),
        ConfigValue::Integers(list) => list.as_slice().into(),
    };
    let config: Config = config.iter().map(|(name, given)| (name.to_owned(), value(given))).collect();
    Envelope { class_name, config: &config }.to_json(module)
}

/// The name by which the class of an envelope is found, and the arguments. The registered name goes first, if it is an `own` one.
pub(super) fn read(json: &Value, own: impl Fn(&str) -> bool) -> Result<(&str, Plain)> {
    let Envelope { class_name, config } = Envelope::read(json)?;
    let registered = json.get("registered_name").and_then(Value::as_str).filter(|name| own(name));
    let mut plain = Plain::new();
    for (name, value) in config {
        let expected = format!("a number, a string, null or an array of whole numbers for `{name}`");
        let place = format!("{class_name}.from_config");
        let value = argument(value).map_err(|got| Error::new(ErrorKind::Config, place, expected, got))?;
        plain = plain.with(name, value);
    }
    Ok((registered.unwrap_or(class_name), plain))
}

/// An argument, or what was found instead.
fn argument(value: &Value) -> Result<ConfigValue, String> {
    match value {
        Value::Null => Ok(ConfigValue::None),
        Value::Array(_) => Vec::from_value(value).map(ConfigValue::Integers),
        Value::Number(integer) if integer.is_i64() => i64::from_value(value).map(ConfigValue::Integer),
        // A number may be a string, too: "Infinity".
        _ => f64::from_value(value).map(ConfigValue::Number).or_else(|_| match value.as_str() {
            Some(text) => Ok(ConfigValue::Text(text.to_owned())),
            None => String::from_value(value).map(ConfigValue::Text),
        }),
    }
}
