//! Files to be read, and limits that keep a hostile one from costing more memory than its own size is worth.
use crate::differences::{at, damaged};
use slalom_array::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// The most arrays that a file may hold.
pub(crate) const MAX_ARRAYS: usize = 100_000;
/// The most bytes of the name of an array.
pub(crate) const MAX_NAME: usize = 1024;
/// The most axes of an array.
pub(crate) const MAX_RANK: usize = 32;

/// What is read: a file, or bytes in memory.
pub(crate) trait Source: Read + Seek {}
impl<S: Read + Seek> Source for S {}

/// Reads the file by `read`, which is given its length too.
///
/// # Errors
/// [`Io`](slalom_array::ErrorKind::Io); [`Format`](slalom_array::ErrorKind::Format), if it is a folder, a device or a pipe; those of
/// `read`. All name the path.
pub(crate) fn open<T>(path: &Path, read: impl FnOnce(&mut dyn Source, u64) -> Result<T>) -> Result<T> {
    let open = || {
        // Opening a pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(damaged("load", "a file", "something else"));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        read(&mut BufReader::with_capacity(1 << 16, file), length)
    };
    open().map_err(at(path))
}

/// Fills `bytes` from the source.
pub(crate) fn fill(source: &mut dyn Source, bytes: &mut [u8]) -> Result<()> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("load", "a whole file", "one that ends too early"),
        _ => Error::from(error),
    })
}

/// Refuses names that are longer than allowed.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.len() <= MAX_NAME {
        return Ok(());
    }
    let got = format!("one of {}", name.len());
    Err(damaged("name", format_args!("a name of at most {MAX_NAME} bytes"), got))
}
