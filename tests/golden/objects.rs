//! What errors stand for the reference's.
use crate::runner::Failure;
use slalom_array::{ErrorKind, Result};

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
