//! Configurations as files: JSON that is read strictly.
//!
//! ```
//! use slalom_checkpoint::config;
//! use slalom_optim::{Optimizer, rules::Sgd};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("optimizer.json");
//! config::write(&path, &Optimizer::new(Sgd::new(0.1))?.serialize()?)?;
//! let optimizer = Optimizer::deserialize(&config::read(&path)?)?;
//! assert_eq!(optimizer.learning_rate()?, 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
use crate::differences::damaged;
use crate::{atomic, file};
use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use slalom_array::Result;
use std::fmt;
use std::io::Write;
use std::path::Path;

/// The most bytes of JSON. Reading them may take a hundred times as much memory.
pub(crate) const MAX_JSON: usize = 256 << 10;

/// Reads a file of JSON, of at most 256 KiB. Other than `serde_json` it refuses objects that repeat a key.
///
/// # Errors
/// [`Io`](slalom_array::ErrorKind::Io); [`Format`](slalom_array::ErrorKind::Format), if the file is not such JSON.
pub fn read(path: impl AsRef<Path>) -> Result<Value> {
    file::open(path.as_ref(), |source, length| {
        if length > MAX_JSON as u64 {
            return Err(too_long(length));
        }
        let mut bytes = vec![0; length as usize];
        file::fill(source, &mut bytes)?;
        from_bytes(&bytes)
    })
}

/// As [`read`], from the bytes of a file.
///
/// # Errors
/// [`Format`](slalom_array::ErrorKind::Format).
pub fn from_bytes(bytes: &[u8]) -> Result<Value> {
    if bytes.len() > MAX_JSON {
        return Err(too_long(bytes.len() as u64));
    }
    let strict: Strict = serde_json::from_slice(bytes).map_err(|error| damaged("config", "JSON", error))?;
    Ok(strict.0)
}

#[cold]
fn too_long(length: u64) -> slalom_array::Error {
    damaged("config", format_args!("at most {MAX_JSON} bytes of JSON"), length)
}

/// Writes a file of JSON, which is replaced as a whole.
///
/// # Errors
/// [`Io`](slalom_array::ErrorKind::Io).
pub fn write(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    atomic::replace(path.as_ref(), |file| Ok(file.write_all(format!("{value:#}\n").as_bytes())?))
}

/// JSON whose objects have each key once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strict, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Strict(element)) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(elements.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = map.next_entry::<String, Strict>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands there twice")));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}
