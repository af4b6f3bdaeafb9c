//! JSON objects that are read strictly: a field that nobody has read is a fault of the reader.
use crate::runner::Failure;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A JSON object and which of its fields have not been read yet.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
    unread: RefCell<BTreeSet<&'a str>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(value: &'a Value, path: impl Into<String>) -> Result<Fields<'a>, Failure> {
        let path = path.into();
        let object = value.as_object().ok_or_else(|| format!("{path}: not an object: {value}"))?;
        let unread = RefCell::new(object.keys().map(String::as_str).collect());
        Ok(Fields { object, path, unread })
    }

    /// The value of a field; `None` where it is absent or null.
    pub(crate) fn optional(&self, key: &str) -> Option<&'a Value> {
        self.unread.borrow_mut().remove(key);
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The value of a field that must be there, null or not.
    pub(crate) fn nullable(&self, key: &str) -> Result<Option<&'a Value>, Failure> {
        if !self.object.contains_key(key) {
            return Err(format!("{}: no field {key}", self.path).into());
        }
        Ok(self.optional(key))
    }

    /// The value of a field that must be there and not be null.
    pub(crate) fn get(&self, key: &str) -> Result<&'a Value, Failure> {
        self.optional(key).ok_or_else(|| format!("{}: no value for {key}", self.path).into())
    }

    pub(crate) fn object(&self, key: &str) -> Result<Fields<'a>, Failure> {
        Fields::new(self.get(key)?, format!("{}.{key}", self.path))
    }

    pub(crate) fn list(&self, key: &str) -> Result<&'a [Value], Failure> {
        let list = self.get(key)?.as_array().map(Vec::as_slice);
        list.ok_or_else(|| format!("{}.{key}: not a list", self.path).into())
    }

    pub(crate) fn str(&self, key: &str) -> Result<&'a str, Failure> {
        self.get(key)?.as_str().ok_or_else(|| format!("{}.{key}: not a string", self.path).into())
    }

    pub(crate) fn usize(&self, key: &str) -> Result<usize, Failure> {
        let number = self.get(key)?.as_u64();
        number.map(|n| n as usize).ok_or_else(|| format!("{}.{key}: not a count", self.path).into())
    }

    pub(crate) fn number(&self, key: &str) -> Result<f64, Failure> {
        number(self.get(key)?)
    }

    /// As [`number`](Fields::number), with a value for an absent field.
    pub(crate) fn number_or(&self, key: &str, default: f64) -> Result<f64, Failure> {
        self.optional(key).map_or(Ok(default), number)
    }

    /// Whether a field is true; an absent one is not.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Failure> {
        match self.optional(key) {
            None => Ok(false),
            Some(value) => {
                value.as_bool().ok_or_else(|| format!("{}.{key}: not a truth value", self.path).into())
            }
        }
    }

    /// The fields in their order, all of them read.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.unread.borrow_mut().clear();
        self.object.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Counts fields as read that say nothing to be judged.
    pub(crate) fn ignore(&self, keys: &[&str]) {
        for key in keys {
            self.unread.borrow_mut().remove(*key);
        }
    }

    /// Fails, if there are fields that nobody has read: they might change the meaning.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        let unread = self.unread.borrow();
        if unread.is_empty() {
            return Ok(());
        }
        let unread: Vec<&str> = unread.iter().copied().collect();
        Err(format!("{}: fields that are not understood: {}", self.path, unread.join(", ")).into())
    }
}

/// A plain number; the non-finite ones are written as strings.
pub(crate) fn number(value: &Value) -> Result<f64, Failure> {
    match value {
        Value::Number(number) => number.as_f64().ok_or_else(|| format!("not an f64: {number}").into()),
        Value::String(text) => match text.as_str() {
            "nan" => Ok(f64::NAN),
            "inf" => Ok(f64::INFINITY),
            "-inf" => Ok(f64::NEG_INFINITY),
            _ => Err(format!("not a number: {text:?}").into()),
        },
        other => Err(format!("not a number: {other}").into()),
    }
}

/// A list of axis lengths.
pub(crate) fn shape(value: &Value) -> Result<Vec<usize>, Failure> {
    let lengths = value.as_array().ok_or_else(|| format!("not a shape: {value}"))?;
    let length =
        |n: &Value| n.as_u64().map(|n| n as usize).ok_or_else(|| format!("not a shape: {value}").into());
    lengths.iter().map(length).collect()
}
