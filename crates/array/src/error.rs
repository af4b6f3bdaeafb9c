//! The one error type of slalom.
use std::borrow::Cow;
use std::fmt;

/// `Result` with slalom's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Shapes, ranks or axes that do not fit.
    Shape,
    /// An element type that the operation does not take, or types that differ.
    DType,
    /// An index out of range.
    Index,
    /// An argument with a value that is not allowed.
    Argument,
    /// Memory that is not to be had.
    Memory,
    /// A gradient that does not exist.
    Gradient,
    /// A NaN or an infinity, where results are checked for them.
    Numerics,
    /// A call that is not allowed in the present state (of a tape, a trace, an optimizer).
    State,
    /// A configuration that cannot be read.
    Config,
    /// A name that is not known.
    NotFound,
    /// Reading or writing outside of the process.
    Io,
    /// A file that is damaged, or not of the format that was expected.
    Format,
    /// An error of the user's own code.
    Other,
}

/// An error: the operation, what it expected and what it got, and where it happened.
///
/// The value is one pointer wide. Everything that returns it has changed nothing.
///
/// ```
/// use slalom_array::{Array, ErrorKind};
/// let error = Array::from_vec([2, 2], vec![1.0f32, 2.0, 3.0]).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Shape);
/// assert_eq!(error.operation(), "from_vec");
/// assert_eq!(error.to_string(), "from_vec: expected 4 elements for shape [2, 2], got 3");
/// ```
pub struct Error(Box<Facts>);

struct Facts {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    expected: String,
    got: String,
    /// Outermost last: printed in front, in reverse.
    context: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `operation`, which `expected` one thing and `got` another.
    #[cold]
    pub fn new(
        kind: ErrorKind,
        operation: impl Into<Cow<'static, str>>,
        expected: impl fmt::Display,
        got: impl fmt::Display,
    ) -> Error {
        Error(Box::new(Facts {
            kind,
            operation: operation.into(),
            expected: expected.to_string(),
            got: got.to_string(),
            context: Vec::new(),
            source: None,
        }))
    }

    /// An error of the user's own code, for loss closures and callables that can fail.
    ///
    /// ```
    /// let error = slalom_array::Error::other("the sensor is off");
    /// assert_eq!(error.to_string(), "the sensor is off");
    /// ```
    #[cold]
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::wrap(ErrorKind::Other, error.into())
    }

    #[cold]
    fn wrap(kind: ErrorKind, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        let mut error = Error::new(kind, "", "", "");
        error.0.source = Some(source);
        error
    }

    /// The same error, with a place put in front of its text (a rule, the name of a variable).
    ///
    /// ```
    /// # use slalom_array::{Array, Error};
    /// let error = Array::from_vec([2], vec![1.0f32]).unwrap_err().context("variable \"w\"");
    /// assert_eq!(error.to_string(), "variable \"w\": from_vec: expected 2 elements for shape [2], got 1");
    /// ```
    #[must_use]
    #[cold]
    pub fn context(mut self, place: impl fmt::Display) -> Error {
        self.0.context.push(place.to_string());
        self
    }

    /// The kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed; empty for an error of the user's own.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What the operation expected; empty for an error of the user's own.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What the operation got; empty for an error of the user's own.
    pub fn got(&self) -> &str {
        &self.0.got
    }

    /// The error of the user's own code, if this is one.
    pub fn into_other(self) -> Option<Box<dyn std::error::Error + Send + Sync>> {
        self.0.source
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { operation, expected, got, context, source, .. } = &*self.0;
        for place in context.iter().rev() {
            write!(f, "{place}: ")?;
        }
        match source {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{operation}: expected {expected}, got {got}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::wrap(ErrorKind::Io, Box::new(error))
    }
}
