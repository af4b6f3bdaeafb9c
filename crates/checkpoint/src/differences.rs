//! Errors of files, and of what does not fit.
use slalom_array::{Error, ErrorKind};
use std::fmt::Display;
use std::path::Path;

/// An error of a file that is damaged or of another format.
#[cold]
pub(crate) fn damaged(operation: &'static str, expected: impl Display, got: impl Display) -> Error {
    Error::new(ErrorKind::Format, operation, expected, got)
}

/// The error of something that does not fit, with a line for each difference.
#[cold]
pub(crate) fn mismatch(operation: &'static str, differences: &[String]) -> Error {
    let got = format!("these differences:\n  {}", differences.join("\n  "));
    Error::new(ErrorKind::Argument, operation, "a file that fits", got)
}

/// Puts the path in front of an error.
pub(crate) fn at(path: &Path) -> impl Fn(Error) -> Error {
    move |error| error.context(path.display())
}
