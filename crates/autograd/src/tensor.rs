//! The tensor: an array and its place on the tape.
use crate::session;
use slalom_array::{Array, DType, Element, Error, ErrorKind, Result, Shape};
use std::borrow::Cow;
use std::fmt;

/// Where a tensor stands with respect to the tapes of a thread: 0, if no tape knows it; if it is the value of a node, the
/// serial number of that; and where it depends on something watched, but an op on the way has no gradient, from [`CUT`] on,
/// the number of that op in `cut`.
///
/// One number, so that a tensor is a pair of them, which moves in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place(u64);

const CUT: u64 = 1 << 63;

impl Place {
    pub(crate) const CONSTANT: Place = Place(0);

    #[inline]
    pub(crate) fn node(serial: u64) -> Place {
        Place(serial)
    }

    /// `number`: which cut.
    pub(crate) fn cut(number: u64) -> Place {
        Place(CUT | number)
    }

    /// The number of a cut.
    #[inline]
    pub(crate) fn as_cut(self) -> Option<u64> {
        (self.0 >= CUT).then_some(self.0 & !CUT)
    }

    /// The serial number of a node; of everything else one that no node has.
    #[inline]
    pub(crate) fn serial(self) -> u64 {
        self.0
    }

    /// Result `i` of an op whose first result is here.
    #[inline]
    pub(crate) fn result(self, i: usize) -> Place {
        if self.is_node() { Place(self.0 + i as u64) } else { self }
    }

    /// Whether it is, or was, that of a node.
    #[inline]
    pub(crate) fn is_node(self) -> bool {
        (1..CUT).contains(&self.0)
    }
}

/// An immutable n-dimensional array that remembers, while a [`GradientTape`](crate::GradientTape) records, what it
/// was computed from.
///
/// Cloning is cheap: the elements are shared. Operators (`+ - * /` between tensors and with `f64`) broadcast as NumPy
/// does and panic where a method would return an error; a scalar takes the tensor's element type.
///
/// ```
/// use slalom_autograd::Tensor;
/// let a = Tensor::from_vec([2], vec![1.0f32, 2.0])?;
/// let b = 2.0 * &a + 1.0;
/// assert_eq!(b.to_vec::<f32>()?, [3.0, 5.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Clone)]
pub struct Tensor {
    pub(crate) array: Array,
    pub(crate) place: Place,
}

impl Tensor {
    /// A tensor of the given elements, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the number of elements is not that of the shape.
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, elements: Vec<T>) -> Result<Tensor> {
        Ok(Array::from_vec(shape, elements)?.into())
    }

    /// A scalar (shape `[]`).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// assert_eq!(Tensor::scalar(2.5f32).item()?, 2.5);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Array::scalar(value).into()
    }

    /// A tensor filled with zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if it does not fit in memory.
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        Ok(Array::zeros(shape, dtype)?.into())
    }

    /// A tensor filled with ones.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if it does not fit in memory.
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        Ok(Array::ones(shape, dtype)?.into())
    }

    /// A tensor filled with one value.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if it does not fit in memory.
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Tensor> {
        Ok(Array::full(shape, value, dtype)?.into())
    }

    /// The lengths of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.array.shape()
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.array.rank()
    }

    /// The element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.array.dtype()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// The elements as an array, off the tape.
    ///
    /// # Errors
    /// [`ErrorKind::State`], if a trace is recorded and the value depends on it: what the program does next would
    /// be fixed by a value that changes from run to run.
    pub fn array(&self) -> Result<&Array> {
        if session::traces(self.place) {
            let expected = "no value to be read while the loss is traced for replay";
            return Err(Error::new(ErrorKind::State, "array", expected, "a read of a traced tensor"));
        }
        Ok(&self.array)
    }

    /// The value of a tensor of one element.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not exactly one element; [`ErrorKind::State`] as [`array`](Tensor::array).
    pub fn item(&self) -> Result<f64> {
        self.array()?.item()
    }

    /// A copy of the elements, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if the elements are not of type `T`; [`ErrorKind::State`] as [`array`](Tensor::array).
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.array()?.to_vec()
    }

    /// A tensor with a place; for what records.
    pub(crate) fn placed(array: Array, place: Place) -> Tensor {
        Tensor { array, place }
    }

    /// The same values, unknown to every tape: no gradient flows through.
    ///
    /// Inside of a trace the value stays what is computed at each run; only gradients stop
    /// (`tf.stop_gradient`).
    #[must_use]
    pub fn stop_gradient(&self) -> Tensor {
        crate::ops::shape::stop_gradient(self)
    }
}

impl From<Array> for Tensor {
    #[inline]
    fn from(array: Array) -> Tensor {
        Tensor { array, place: Place::CONSTANT }
    }
}

impl From<Tensor> for Array {
    /// The elements, off the tape.
    ///
    /// # Panics
    /// Where [`Tensor::array`] is an error: if a trace is recorded and the value depends on it.
    #[inline]
    fn from(tensor: Tensor) -> Array {
        if let Err(error) = tensor.array() {
            panic!("{error}");
        }
        tensor.array
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.array, f)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.rank() < 2 { " " } else { "\n" };
        write!(f, "Tensor({}, {},{gap}{})", self.dtype(), self.shape(), self.array)
    }
}

/// What an op takes as an operand: tensors, references to them, and variables.
pub trait AsTensor {
    /// The operand as a tensor; reading a variable records the read.
    fn as_tensor(&self) -> Cow<'_, Tensor>;
}

impl AsTensor for Tensor {
    #[inline]
    fn as_tensor(&self) -> Cow<'_, Tensor> {
        Cow::Borrowed(self)
    }
}

impl<T: AsTensor + ?Sized> AsTensor for &T {
    #[inline]
    fn as_tensor(&self) -> Cow<'_, Tensor> {
        (**self).as_tensor()
    }
}
