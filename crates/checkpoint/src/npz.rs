//! NumPy's npz format: a zip archive with an npy file for each array.
//!
//! Archives of `numpy.savez` and `numpy.savez_compressed` are read, of up to 4 GiB; what is written is as `numpy.savez`
//! writes it.
use crate::differences::damaged;
use crate::file::{self, MAX_ARRAYS, Source};
use crate::{npy, zip};
use slalom_array::{Array, Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

/// What an archive may unpack to beyond its own size.
const UNPACKED: u64 = 16 << 20;

/// Reads all arrays of an archive. One that unpacks to more than its size and 16 MiB is refused: see [`read_with_limit`].
///
/// # Errors
/// [`ErrorKind::Io`]; [`ErrorKind::Format`], if the file is damaged or of another format; [`ErrorKind::DType`], if an array is of a
/// type that is not one of slalom's, or big-endian.
///
/// ```
/// use slalom_array::Array;
/// use slalom_checkpoint::{npz, write_arrays};
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("arrays.npz");
/// let x = Array::from_vec([2], vec![1.0f32, 2.0])?;
/// write_arrays(&path, &[("x".to_owned(), x)].into())?;
/// assert_eq!(npz::read(&path)?["x"].to_vec::<f32>()?, [1.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, Array>> {
    file::open(path.as_ref(), |source, length| read_from(source, length, default_limit(length)))
}

/// As [`read`], for an archive that unpacks to at most `limit` bytes: one of a few distinct numbers may be a thousand times
/// smaller than what it holds.
///
/// # Errors
/// As [`read`].
pub fn read_with_limit(path: impl AsRef<Path>, limit: u64) -> Result<BTreeMap<String, Array>> {
    file::open(path.as_ref(), |source, length| read_from(source, length, limit))
}

/// As [`read`], from the bytes of an archive.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8]) -> Result<BTreeMap<String, Array>> {
    let length = bytes.len() as u64;
    read_from(&mut Cursor::new(bytes), length, default_limit(length))
}

fn default_limit(length: u64) -> u64 {
    length.saturating_add(UNPACKED)
}

fn read_from(source: &mut dyn Source, length: u64, limit: u64) -> Result<BTreeMap<String, Array>> {
    let members = zip::members(source, length)?;
    let unpacked = members.iter().fold(0u64, |sum, member| sum.saturating_add(member.length));
    if unpacked > limit {
        let expected = format!("an archive that unpacks to at most {limit} bytes");
        return Err(damaged("npz", expected, unpacked));
    }
    let mut arrays = BTreeMap::new();
    for member in members {
        let Some(name) = member.name.strip_suffix(".npy") else {
            return Err(damaged("npz", "names that end with .npy", format_args!("{:?}", member.name)));
        };
        let array = zip::read(source, &member, |reader| {
            npy::read(member.length, &mut |bytes| {
                reader.read_exact(bytes).map_err(|error| damaged("npz", "whole arrays", error))
            })
        });
        let array = array.map_err(|error| error.context(format_args!("array {name:?}")))?;
        if arrays.insert(name.to_owned(), array).is_some() {
            return Err(damaged("npz", "each name once", format_args!("{name:?} twice")));
        }
    }
    Ok(arrays)
}

/// Writes an archive.
pub(crate) fn write(out: &mut dyn Write, arrays: &BTreeMap<String, Array>) -> Result<()> {
    if arrays.len() > MAX_ARRAYS.min(usize::from(u16::MAX) - 1) {
        return Err(Error::new(ErrorKind::Argument, "npz", "fewer arrays", arrays.len()));
    }
    let mut archive = zip::Writer::new(out);
    for (name, array) in arrays {
        file::check_name(name)?;
        archive.add(&format!("{name}.npy"), &npy::header(array), array)?;
    }
    archive.finish()
}
