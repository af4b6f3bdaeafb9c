//! All that a training remembers, and the file that holds it.
use crate::bytes;
use crate::config::{self, MAX_JSON};
use crate::differences::damaged;
use crate::file::{self, Source};
use crate::safetensors::{self, Header};
use crate::{Restoration, atomic, order};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use slalom_array::{Array, Error, ErrorKind, Generator, Isa, Result};
use slalom_optim::{Optimizer, State};
use slalom_variable::{Variable, random};
use std::collections::BTreeMap;
use std::io::{BufWriter, Cursor, Seek, SeekFrom, Write};
use std::path::Path;

/// All that a training remembers: what [`save`](Checkpoint::save) writes and [`load`](Checkpoint::load) reads.
///
/// | | put in by | taken out by |
/// |---|---|---|
/// | variables, and the optimizer with its hyperparameters, schedules, iterations and slots | [`optimizer`](Self::optimizer) | [`Restoration::optimizer`] |
/// | the process's [default generator](random::default_generator) | [`new`](Self::new) | [`Restoration::apply`] |
/// | other generators | [`generator`](Self::generator) | [`Restoration::generator`] |
/// | JSON: the place in the data, the epoch, the best metric | [`value`](Self::value) | [`get_value`](Self::get_value) |
/// | arrays: an order of samples, a buffer | [`array`](Self::array) | [`get_array`](Self::get_array) |
///
/// A checkpoint is a picture of the moment: training may go on while another thread saves it. Making one copies nothing;
/// a variable that is updated while the checkpoint exists gets new memory.
///
/// See the [crate](crate) for an example.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// By name; the optimizer that is given without one has the empty name.
    pub(crate) optimizers: BTreeMap<String, State>,
    pub(crate) default_generator: [u64; 2],
    pub(crate) generators: BTreeMap<String, [u64; 2]>,
    values: Map<String, Value>,
    arrays: BTreeMap<String, Array>,
    isa: String,
}

/// The beginning of the header, up to the digits of the checksum.
const BEGINNING: &[u8] = b"{\"__metadata__\":{\"checksum\":\"";
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;
const FORMAT: &str = "slalom-checkpoint";
const VERSION: &str = "1";
const OP: &str = "checkpoint";

impl Default for Checkpoint {
    fn default() -> Checkpoint {
        Checkpoint::new()
    }
}

impl Checkpoint {
    /// A checkpoint with the state of the process's default generator, and nothing else yet.
    pub fn new() -> Checkpoint {
        Checkpoint {
            optimizers: BTreeMap::new(),
            default_generator: random::default_generator().state(),
            generators: BTreeMap::new(),
            values: Map::new(),
            arrays: BTreeMap::new(),
            isa: format!("{:?}", Isa::current()).to_lowercase(),
        }
    }

    /// With an optimizer and the variables of the model, also those that are not trained: see [`Optimizer::state`].
    ///
    /// # Errors
    /// As [`Optimizer::state`].
    pub fn optimizer<V: AsRef<Variable>>(
        self,
        optimizer: &Optimizer,
        variables: impl IntoIterator<Item = V>,
    ) -> Result<Checkpoint> {
        self.optimizer_named("", optimizer, variables)
    }

    /// As [`optimizer`](Self::optimizer), for a training with several of them: each has a name here, which is not empty and
    /// has no `/` in it.
    ///
    /// # Errors
    /// As [`Optimizer::state`]; [`ErrorKind::Argument`], if the name has a `/`.
    pub fn optimizer_named<V: AsRef<Variable>>(
        mut self,
        name: &str,
        optimizer: &Optimizer,
        variables: impl IntoIterator<Item = V>,
    ) -> Result<Checkpoint> {
        if name.contains('/') {
            return Err(Error::new(ErrorKind::Argument, OP, "a name without `/`", format_args!("{name:?}")));
        }
        self.optimizers.insert(name.to_owned(), optimizer.state(variables)?);
        Ok(self)
    }

    /// With the state of a generator, under a name.
    #[must_use]
    pub fn generator(mut self, name: impl Into<String>, generator: &Generator) -> Checkpoint {
        self.generators.insert(name.into(), generator.state());
        self
    }

    /// With a value of the program's own, under a name. All values together are at most 256 KiB of JSON: what is larger goes
    /// in as an [`array`](Self::array).
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<Value>) -> Checkpoint {
        self.values.insert(name.into(), value.into());
        self
    }

    /// With an array of the program's own, under a name.
    #[must_use]
    pub fn array(mut self, name: impl Into<String>, array: impl Into<Array>) -> Checkpoint {
        self.arrays.insert(name.into(), array.into());
        self
    }

    /// The value that was saved under the name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    pub fn get_value(&self, name: &str) -> Result<&Value> {
        self.values.get(name).ok_or_else(|| not_found("value", name, self.values.keys()))
    }

    /// The array that was saved under the name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    pub fn get_array(&self, name: &str) -> Result<&Array> {
        self.arrays.get(name).ok_or_else(|| not_found("array", name, self.arrays.keys()))
    }

    /// The instruction set of the process that made the checkpoint: `scalar`, `avx2` or `avx512`. Matrix products and sums on another
    /// one may differ in their last bits.
    pub fn isa(&self) -> &str {
        &self.isa
    }

    /// Begins to put what was saved in its place: see [`Restoration`].
    pub fn restore(&self) -> Restoration<'_> {
        Restoration::new(self)
    }

    /// Writes the file, in the place of an old one if there is one. Whoever reads the path meanwhile, and whatever
    /// stops this process, finds the old file or the new one, whole and on the disk when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; [`ErrorKind::Argument`], if values, names or the number of arrays (100,000; each variable is one, and so is
    /// each of its slots) are too large. The old file is still there then.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::replace(path.as_ref(), |file| {
            let mut out = BufWriter::with_capacity(1 << 16, &mut *file);
            let checksum = self.write(&mut out)?;
            out.flush()?;
            drop(out);
            file.seek(SeekFrom::Start(8 + BEGINNING.len() as u64))?;
            file.write_all(checksum.as_bytes())?;
            Ok(())
        })
    }

    /// Writes the file with zeros in the place of the checksum, which is returned: that of the file with those zeros.
    fn write(&self, out: &mut dyn Write) -> Result<String> {
        let values = self.values_to_json();
        if values.len() > MAX_JSON {
            let expected = format!("values of at most {MAX_JSON} bytes of JSON together");
            return Err(Error::new(ErrorKind::Argument, "save", expected, values.len()));
        }
        let zeros = "0".repeat(DIGITS);
        let metadata = [
            ("checksum", zeros.as_str()),
            ("format", FORMAT),
            ("version", VERSION),
            ("isa", &self.isa),
            ("values", &values),
        ];
        let (orders, named) = (self.orders(), self.named_arrays());
        let mut arrays: Vec<_> = orders.iter().map(|(name, array)| (name.as_str(), array)).collect();
        arrays.extend(named.iter().map(|(name, array)| (name.as_str(), *array)));
        safetensors::sort(&mut arrays);
        let mut hash = Sha256::new();
        let mut write = |bytes: &[u8]| {
            hash.update(bytes);
            Ok(out.write_all(bytes)?)
        };
        write(&safetensors::header(&metadata, &arrays)?)?;
        for (_, array) in arrays {
            bytes::write(array, &mut write)?;
        }
        Ok(hex(hash))
    }

    fn named_arrays(&self) -> Vec<(String, &Array)> {
        let own = self.arrays.iter().map(|(name, array)| (format!("arrays/{name}"), array));
        let states = self.optimizers.iter().flat_map(|(optimizer, state)| {
            state.arrays.iter().map(move |(name, array)| (name_in_file(optimizer, name), array))
        });
        own.chain(states).collect()
    }

    /// The order of each optimizer's weights.
    fn orders(&self) -> Vec<(String, Array)> {
        let order =
            |(name, state): (&String, _)| Some((name_in_file(name, order::WEIGHTS), order::write(state)?));
        self.optimizers.iter().filter_map(order).collect()
    }

    fn values_to_json(&self) -> String {
        // The list of weights is an array of the file.
        let stays = |entry: &(&String, &Value)| entry.0 != order::WEIGHTS || entry.1.is_null();
        let values = |state: &State| -> Map<String, Value> {
            state.values.iter().filter(stays).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let states = self.optimizers.iter();
        let optimizers: Map<_, _> =
            states.map(|(name, state)| (name.clone(), values(state).into())).collect();
        json!({
            "optimizers": optimizers,
            "default_generator": self.default_generator,
            "generators": self.generators,
            "values": self.values,
        })
        .to_string()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; [`ErrorKind::Format`], if the file is not a checkpoint, is damaged, or is of another version.
    pub fn load(path: impl AsRef<Path>) -> Result<Checkpoint> {
        file::open(path.as_ref(), read)
    }

    /// As [`load`](Self::load), from the bytes of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Format`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        read(&mut Cursor::new(bytes), bytes.len() as u64)
    }
}

fn read(source: &mut dyn Source, length: u64) -> Result<Checkpoint> {
    let mut text = safetensors::read_text(source, length)?;
    let saved = take_checksum(&mut text)?;
    let mut hash = Sha256::new();
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(&text);
    let mut header = Header::parse(&text, length - 8 - text.len() as u64)?;
    drop(text);
    let metadata = std::mem::take(&mut header.metadata);
    let get = |key: &str| metadata.get(key).map_or("", String::as_str);
    for (key, expected) in [("format", FORMAT), ("version", VERSION)] {
        if get(key) != expected {
            let got: String = get(key).chars().take(20).collect();
            return Err(damaged(OP, format_args!("{key} {expected:?}"), format_args!("{got:?}")));
        }
    }
    let values = get("values");
    let values = config::from_bytes(values.as_bytes())?;
    let arrays = header.read_arrays(&mut |bytes| {
        file::fill(source, bytes)?;
        hash.update(bytes);
        Ok(())
    })?;
    let computed = hex(hash);
    if computed != saved {
        return Err(damaged(OP, format_args!("content with the checksum {saved}"), computed));
    }
    decode(values, arrays, get("isa").to_owned())
}

/// Replaces the checksum by zeros.
fn take_checksum(text: &mut [u8]) -> Result<String> {
    let digits = text.strip_prefix(BEGINNING).and_then(|rest| rest.get(..DIGITS));
    let digits = digits.and_then(|digits| str::from_utf8(digits).ok()).map(str::to_owned);
    let Some(digits) = digits else {
        return Err(damaged(OP, "a header that begins with a checksum", "something else"));
    };
    text[BEGINNING.len()..][..DIGITS].fill(b'0');
    Ok(digits)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A checkpoint from what its file holds.
fn decode(values: Value, arrays: BTreeMap<String, Array>, isa: String) -> Result<Checkpoint> {
    let wrong = |key: &str| damaged(OP, format_args!("`{key}` as this version writes it"), "something else");
    let Value::Object(mut values) = values else { return Err(wrong("values")) };
    let mut object = |key: &str| match values.remove(key) {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(wrong(key)),
    };
    let (optimizers, generators, own) = (object("optimizers")?, object("generators")?, object("values")?);
    let default_generator = values.remove("default_generator").as_ref().and_then(generator_state);
    if let Some(key) = values.keys().next() {
        return Err(wrong(key));
    }
    let state = |(name, values)| match values {
        Value::Object(values) => Ok((name, State { values, ..State::default() })),
        _ => Err(wrong("optimizers")),
    };
    let generator = |(name, state): (String, Value)| {
        Ok((name, generator_state(&state).ok_or_else(|| wrong("generators"))?))
    };
    let mut checkpoint = Checkpoint {
        optimizers: optimizers.into_iter().map(state).collect::<Result<_>>()?,
        default_generator: default_generator.ok_or_else(|| wrong("default_generator"))?,
        generators: generators.into_iter().map(generator).collect::<Result<_>>()?,
        values: own,
        arrays: BTreeMap::new(),
        isa,
    };
    for (name, array) in arrays {
        checkpoint.place(name, array)?;
    }
    checkpoint.optimizers.values_mut().try_for_each(order::read)?;
    Ok(checkpoint)
}

impl Checkpoint {
    /// Puts an array of a file where it belongs.
    fn place(&mut self, name: String, array: Array) -> Result<()> {
        if let Some(own) = name.strip_prefix("arrays/") {
            self.arrays.insert(own.to_owned(), array);
            return Ok(());
        }
        let named = name.strip_prefix("optimizers/").and_then(|rest| rest.split_once('/'));
        let (optimizer, rest) = named.unwrap_or(("", &name));
        let Some(state) = self.optimizers.get_mut(optimizer) else {
            let expected = "arrays of the optimizers that the checkpoint lists";
            return Err(damaged(OP, expected, format_args!("{name:?}")));
        };
        state.arrays.insert(rest.to_owned(), array);
        Ok(())
    }
}

/// The name of an array of an optimizer's state in a file.
fn name_in_file(optimizer: &str, array: &str) -> String {
    if optimizer.is_empty() { array.to_owned() } else { format!("optimizers/{optimizer}/{array}") }
}

fn generator_state(value: &Value) -> Option<[u64; 2]> {
    match value.as_array()?.as_slice() {
        [key, counter] => Some([key.as_u64()?, counter.as_u64()?]),
        _ => None,
    }
}

#[cold]
fn not_found<'a>(what: &'static str, name: &str, names: impl Iterator<Item = &'a String>) -> Error {
    let expected = format!("one of {:?}", names.collect::<Vec<_>>());
    Error::new(ErrorKind::NotFound, what, expected, format_args!("{name:?}"))
}
