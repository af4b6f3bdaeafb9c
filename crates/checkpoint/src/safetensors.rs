//! The safetensors format: the length of a header (8 bytes, little-endian), the header in JSON, the bytes of the arrays.
use crate::bytes;
use crate::differences::damaged;
use crate::file::{self, MAX_ARRAYS, MAX_RANK, Source};
use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// The most bytes of a header. Reading one takes a few times as much memory.
const MAX_HEADER: u64 = 16 << 20;
/// The most entries of the metadata.
const MAX_METADATA: usize = 64;
const OP: &str = "safetensors";

const DTYPES: [(&str, DType); 5] = [
    ("F32", DType::F32),
    ("F64", DType::F64),
    ("I32", DType::I32),
    ("I64", DType::I64),
    ("BOOL", DType::Bool),
];

/// The header of arrays and metadata, with its length in front. Metadata come first and in their order, arrays in the order
/// of the list.
///
/// # Errors
/// [`ErrorKind::Argument`], if there is more than a reader takes.
pub(crate) fn header(metadata: &[(&str, &str)], arrays: &[(&str, &Array)]) -> Result<Vec<u8>> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut entries = Vec::with_capacity(arrays.len() + 1);
    if !metadata.is_empty() {
        let metadata: Vec<_> = metadata.iter().map(|(k, v)| format!("{}:{}", quoted(k), quoted(v))).collect();
        entries.push(format!("\"__metadata__\":{{{}}}", metadata.join(",")));
    }
    let mut start = 0;
    for (name, array) in arrays {
        let (shape, dtype) = (array.shape(), array.dtype());
        let refuse = |got: &str| Err(Error::new(ErrorKind::Argument, "save", "what a file can hold", got));
        if *name == "__metadata__" {
            return refuse("an array named \"__metadata__\"");
        } else if shape.rank() > MAX_RANK {
            return refuse(&format!("an array of shape {shape}"));
        }
        file::check_name(name)?;
        let end = start + bytes::length(shape, dtype)?;
        let file_dtype = DTYPES.iter().find(|(_, d)| *d == dtype).map_or("", |(name, _)| name);
        let shape = format!("{shape}").replace(' ', "");
        entries.push(format!(
            "{}:{{\"dtype\":\"{file_dtype}\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}",
            quoted(name)
        ));
        start = end;
    }
    let mut text = format!("{{{}}}", entries.join(",")).into_bytes();
    // The bytes of the arrays begin at a multiple of 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    if text.len() as u64 > MAX_HEADER || arrays.len() > MAX_ARRAYS {
        let expected = format!("at most {MAX_ARRAYS} arrays, and names of {MAX_HEADER} bytes together");
        return Err(Error::new(ErrorKind::Argument, "save", expected, "more"));
    }
    Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
}

/// The order in which arrays are written: those of larger elements first, so that each is aligned.
pub(crate) fn sort(arrays: &mut [(&str, &Array)]) {
    arrays.sort_by_key(|(name, array)| (std::cmp::Reverse(array.dtype().size()), *name));
}

/// What a header says.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) metadata: BTreeMap<String, String>,
    /// In the order of their bytes.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    info: Info,
}

#[derive(Debug)]
struct Info {
    dtype: String,
    shape: Shape,
    offsets: [u64; 2],
}

/// The text of the header, without the length in front.
pub(crate) fn read_text(source: &mut dyn Source, length: u64) -> Result<Vec<u8>> {
    let mut number = [0; 8];
    if length < 8 {
        return Err(damaged(OP, "a file of at least 8 bytes", length));
    }
    file::fill(source, &mut number)?;
    let n = u64::from_le_bytes(number);
    if n > MAX_HEADER || n > length - 8 {
        let expected = format!("a header of at most {} bytes", MAX_HEADER.min(length - 8));
        return Err(damaged(OP, expected, format_args!("one of {n}")));
    }
    let mut text = vec![0; n as usize];
    file::fill(source, &mut text)?;
    Ok(text)
}

impl Header {
    /// Reads and checks a header; `data` is the number of bytes behind it.
    pub(crate) fn parse(text: &[u8], data: u64) -> Result<Header> {
        if text.first() != Some(&b'{') {
            return Err(damaged(OP, "a header that begins with `{`", "something else"));
        }
        let mut header: Header =
            serde_json::from_slice(text).map_err(|error| damaged(OP, "a header", error))?;
        header.entries.sort_by_key(|entry| entry.info.offsets);
        let mut end = 0u64;
        for Entry { name, info } in &header.entries {
            let place = |error: Error| error.context(format_args!("array {name:?}"));
            let bytes = bytes::length(&info.shape, info.dtype().map_err(place)?)
                .map_err(|_| place(damaged(OP, "a shape that fits in memory", &info.shape)))?;
            let expected = [end, end.saturating_add(bytes)];
            if info.offsets != expected {
                return Err(place(damaged(
                    OP,
                    format_args!("the offsets {expected:?} for the shape {}", info.shape),
                    format_args!("{:?}", info.offsets),
                )));
            }
            end = expected[1];
        }
        if end != data {
            return Err(damaged(OP, format_args!("{end} bytes of arrays"), data));
        }
        Ok(header)
    }

    /// Reads the arrays, which follow the header.
    pub(crate) fn read_arrays(
        self,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<BTreeMap<String, Array>> {
        let read = |Entry { name, info }: Entry| {
            let array = bytes::read(&info.shape, info.dtype()?, fill)
                .map_err(|error| error.context(format_args!("array {name:?}")))?;
            Ok((name, array))
        };
        self.entries.into_iter().map(read).collect()
    }
}

impl Info {
    fn dtype(&self) -> Result<DType> {
        let found = DTYPES.iter().find(|(name, _)| *name == self.dtype);
        found.map(|(_, dtype)| *dtype).ok_or_else(|| {
            let got: String = self.dtype.chars().take(20).collect();
            Error::new(ErrorKind::DType, OP, "one of F32, F64, I32, I64, BOOL", format_args!("{got:?}"))
        })
    }
}

// ---- the header as JSON, without repeated or unknown keys and without lists that have no end ----

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each array")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut header, mut has_metadata) = (Header::default(), false);
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                if std::mem::replace(&mut has_metadata, true) {
                    return Err(de::Error::custom("the metadata stand there twice"));
                }
                header.metadata = map.next_value::<Metadata>()?.0;
                continue;
            }
            file::check_name(&name).map_err(de::Error::custom)?;
            if header.entries.len() == MAX_ARRAYS {
                return Err(de::Error::custom(format_args!("more than {MAX_ARRAYS} arrays")));
            }
            header.entries.push(Entry { name, info: map.next_value()? });
        }
        let mut names = HashSet::with_capacity(header.entries.len());
        if let Some(twice) = header.entries.iter().find(|entry| !names.insert(&entry.name)) {
            return Err(de::Error::custom(format_args!("the array {:?} stands there twice", twice.name)));
        }
        Ok(header)
    }
}

struct Metadata(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
        deserializer.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = Metadata;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let mut metadata = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if metadata.insert(key, value).is_some() || metadata.len() > MAX_METADATA {
                let text = format!("metadata repeat a key or have more than {MAX_METADATA}");
                return Err(de::Error::custom(text));
            }
        }
        Ok(Metadata(metadata))
    }
}

impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Info, D::Error> {
        deserializer.deserialize_map(InfoVisitor)
    }
}

struct InfoVisitor;

impl<'de> Visitor<'de> for InfoVisitor {
    type Value = Info;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with dtype, shape and data_offsets")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Info, A::Error> {
        fn once<T, E: de::Error>(field: &mut Option<T>, value: T) -> Result<(), E> {
            match field.replace(value) {
                None => Ok(()),
                Some(_) => Err(E::custom("a key stands there twice")),
            }
        }
        let (mut dtype, mut shape, mut offsets) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "dtype" => once(&mut dtype, map.next_value()?)?,
                "shape" => once(&mut shape, map.next_value::<Lengths>()?.0)?,
                "data_offsets" => once(&mut offsets, map.next_value()?)?,
                _ => return Err(de::Error::custom("an unknown key")),
            }
        }
        let missing = de::Error::missing_field;
        Ok(Info {
            dtype: dtype.ok_or_else(|| missing("dtype"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
            offsets: offsets.ok_or_else(|| missing("data_offsets"))?,
        })
    }
}

struct Lengths(Shape);

impl<'de> Deserialize<'de> for Lengths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lengths, D::Error> {
        deserializer.deserialize_seq(LengthsVisitor)
    }
}

struct LengthsVisitor;

impl<'de> Visitor<'de> for LengthsVisitor {
    type Value = Lengths;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a shape of at most {MAX_RANK} axes")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Lengths, A::Error> {
        let mut lengths = Vec::new();
        while let Some(length) = sequence.next_element::<usize>()? {
            if lengths.len() == MAX_RANK {
                return Err(de::Error::invalid_length(MAX_RANK + 1, &self));
            }
            lengths.push(length);
        }
        Ok(Lengths(lengths.into()))
    }
}
