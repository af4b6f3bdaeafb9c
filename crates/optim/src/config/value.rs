//! Single values of a config: numbers, booleans, strings and arrays.
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The config of one object: its arguments by name.
pub type Config = Map<String, Value>;

/// A config of the given keys and values.
///
/// ```
/// use slalom_optim::config::{number, object};
/// let config = object([("momentum", number(0.9)), ("nesterov", true.into())]);
/// assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"momentum":0.9,"nesterov":true}"#);
/// ```
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Config {
    collected(&mut pairs.into_iter())
}

/// One copy of the code for any number of pairs.
fn collected(pairs: &mut dyn Iterator<Item = (&str, Value)>) -> Config {
    let mut config = Config::new();
    for (key, value) in pairs {
        config.insert(key.to_owned(), value);
    }
    config
}

/// A number as JSON: the shortest decimals that read back as the same bits.
///
/// JSON has no numbers that are not finite: they become the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
///
/// ```
/// use slalom_optim::config::number;
/// assert_eq!(number(0.1).to_string(), "0.1");
/// assert_eq!(number(f64::INFINITY).to_string(), r#""Infinity""#);
/// ```
pub fn number(value: f64) -> Value {
    match value {
        _ if value.is_nan() => Value::from("NaN"),
        f64::INFINITY => Value::from("Infinity"),
        f64::NEG_INFINITY => Value::from("-Infinity"),
        _ => Value::from(value),
    }
}

/// A type that is read from one value of a config.
///
/// | type | JSON |
/// |---|---|
/// | `f64` | a number, or one of the strings `"NaN"`, `"Infinity"`, `"-Infinity"` (also `"nan"`, `"inf"`, `"-inf"`) |
/// | `i64` | a whole number, also written as `20.0` |
/// | `bool` | `true`, `false` |
/// | `String` | a string |
/// | `Vec<T>` | an array |
/// | `Option<T>` | `null` or a `T` |
/// | [`Config`] | an object |
/// | [`Value`] | anything |
pub trait FromValue: Sized {
    /// What the value must be, for error messages: "a number".
    fn expected() -> String;

    /// Reads the value.
    ///
    /// # Errors
    /// A description of what was found instead: "the string \"ten\"".
    fn from_value(value: &Value) -> Result<Self, String>;
}

impl FromValue for f64 {
    fn expected() -> String {
        "a number".into()
    }
    fn from_value(value: &Value) -> Result<f64, String> {
        match value.as_str() {
            Some("NaN" | "nan") => Ok(f64::NAN),
            Some("Infinity" | "inf") => Ok(f64::INFINITY),
            Some("-Infinity" | "-inf") => Ok(f64::NEG_INFINITY),
            _ => value.as_f64().ok_or_else(|| found(value)),
        }
    }
}

impl FromValue for i64 {
    fn expected() -> String {
        "a whole number".into()
    }
    fn from_value(value: &Value) -> Result<i64, String> {
        // Up to 2^53 every whole number has its own f64.
        let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= (1u64 << 53) as f64;
        let from_float = || value.as_f64().filter(whole).map(|x| x as i64);
        value.as_i64().or_else(from_float).ok_or_else(|| found(value))
    }
}

impl FromValue for bool {
    fn expected() -> String {
        "a boolean".into()
    }
    fn from_value(value: &Value) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| found(value))
    }
}

impl FromValue for String {
    fn expected() -> String {
        "a string".into()
    }
    fn from_value(value: &Value) -> Result<String, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| found(value))
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn expected() -> String {
        format!("an array, each element {}", T::expected())
    }
    fn from_value(value: &Value) -> Result<Vec<T>, String> {
        let elements = value.as_array().ok_or_else(|| found(value))?;
        let read =
            |(index, element)| T::from_value(element).map_err(|found| format!("{found} as element {index}"));
        elements.iter().enumerate().map(read).collect()
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn expected() -> String {
        format!("{} or null", T::expected())
    }
    fn from_value(value: &Value) -> Result<Option<T>, String> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl FromValue for Config {
    fn expected() -> String {
        "an object".into()
    }
    fn from_value(value: &Value) -> Result<Config, String> {
        value.as_object().cloned().ok_or_else(|| found(value))
    }
}

impl FromValue for Value {
    fn expected() -> String {
        "a value".into()
    }
    fn from_value(value: &Value) -> Result<Value, String> {
        Ok(value.clone())
    }
}

/// A type that is written as one value of a config: the inverse of [`FromValue`].
pub(crate) trait ToValue {
    fn to_value(&self) -> Value;
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        number(*self)
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::from(*self)
    }
}

impl ToValue for i64 {
    fn to_value(&self) -> Value {
        Value::from(*self)
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.iter().map(T::to_value).collect()
    }
}

/// The most characters of a string, and the most keys, that an error message quotes.
const QUOTED: usize = 100;
const QUOTED_KEYS: usize = 20;

/// The beginning of a text, for error messages.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// A value in words, for error messages.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(value) => format!("the string {:?}", shortened(value)),
        Value::Array(elements) => format!("an array of length {}", elements.len()),
        Value::Object(config) => format!("an object with {}", found_keys(config.keys())),
    }
}

/// Known names in words, for error messages: all of them.
pub(super) fn keys(keys: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let keys: Vec<_> = keys.into_iter().map(|key| format!("`{}`", key.as_ref())).collect();
    if keys.is_empty() { "no keys".into() } else { keys.join(", ") }
}

/// The keys of a config in words, for error messages: the first of them.
pub(super) fn found_keys(keys: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut rest = keys.into_iter();
    let first = rest.by_ref().take(QUOTED_KEYS);
    let first: Vec<_> = first.map(|key| format!("`{}`", shortened(key.as_ref()))).collect();
    match rest.count() {
        _ if first.is_empty() => "no keys".into(),
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
