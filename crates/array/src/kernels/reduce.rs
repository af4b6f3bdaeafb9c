//! Reductions along axes.
//!
//! The order in which elements are combined is a fixed tree over their logical index: it depends on the shape and
//! the axes, never on strides or the number of threads.
mod columns;
mod fused;
mod index_of;
mod leaf;
mod ops;
mod rows;
#[cfg(test)]
mod tests;

pub use fused::reduce_map;
pub use index_of::{argmax, argmin};
pub(crate) use leaf::{Loops, Span, leaf};
pub(crate) use ops::{Add, Combine, Maximum, Multiply};

use crate::kernels::strided::Rows;
use crate::{Array, DType, Element, Error, ErrorKind, Float, Result, Shape};
use ops::Minimum;
use rows::LEAF;
use smallvec::SmallVec;

/// Fewer columns than this are reduced one by one.
const NARROW: usize = 8;

/// What [`reduce`] makes of the elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// `Σ x`, of numbers; 0 for no elements. Integers wrap around.
    Sum,
    /// `Σ x / n`, of floats; NaN for no elements.
    Mean,
    /// `Π x`, of numbers; 1 for no elements. Integers wrap around.
    Prod,
    /// The largest, of numbers; NaN if any is NaN; negative infinity or the smallest integer for no elements.
    Max,
    /// The smallest, of numbers; NaN if any is NaN; infinity or the largest integer for no elements.
    Min,
    /// Whether all of the booleans hold; `true` for no elements.
    All,
    /// Whether any of the booleans holds; `false` for no elements.
    Any,
}

impl Reduction {
    /// The name of the operation, as errors give it: `sum`, `mean`, `prod`, `max`, `min`, `all`, `any`.
    pub const fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Prod => "prod",
            Reduction::Max => "max",
            Reduction::Min => "min",
            Reduction::All => "all",
            Reduction::Any => "any",
        }
    }

    fn check(self, dtype: DType) -> Result<()> {
        let (fits, expected) = match self {
            Reduction::Mean => (dtype.is_float(), "a floating-point dtype"),
            Reduction::All | Reduction::Any => (dtype == DType::Bool, "dtype bool"),
            _ => (dtype != DType::Bool, "a numeric dtype"),
        };
        if fits { Ok(()) } else { Err(Error::new(ErrorKind::DType, self.name(), expected, dtype)) }
    }

    /// The loops for elements of a type that fits. The largest of booleans is their *or*, the smallest their *and*.
    fn loops(self, dtype: DType) -> &'static Loops {
        macro_rules! of_numbers {
            ($op:ident, $of_booleans:ident) => {
                match dtype {
                    DType::F32 => Loops::of::<f32, $op>(),
                    DType::F64 => Loops::of::<f64, $op>(),
                    DType::I32 => Loops::of::<i32, $op>(),
                    DType::I64 => Loops::of::<i64, $op>(),
                    DType::Bool => Loops::of::<bool, $of_booleans>(),
                }
            };
        }
        match self {
            Reduction::Sum | Reduction::Mean | Reduction::Any => of_numbers!(Add, Add),
            Reduction::Prod | Reduction::All => of_numbers!(Multiply, Multiply),
            Reduction::Max => of_numbers!(Maximum, Add),
            Reduction::Min => of_numbers!(Minimum, Multiply),
        }
    }
}

/// Combines the elements along `axes`, which the result does not have (or has with length 1, if `keep_dims`).
///
/// No axes: the array itself. Strided arrays are read where they lie. Sums are combined in a tree, with an error
/// that grows with the logarithm of the number of elements.
///
/// # Errors
/// [`ErrorKind::Shape`] if an axis does not exist or is given twice, [`ErrorKind::DType`] if the reduction is not
/// defined for the array's type, [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Reduction, reduce};
/// let x = Array::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(reduce(Reduction::Sum, &x, &[0], false)?.to_vec::<f32>()?, [5.0, 7.0, 9.0]);
/// assert_eq!(reduce(Reduction::Mean, &x, &[1], true)?.to_string(), "[[2.0],\n [5.0]]");
/// assert_eq!(reduce(Reduction::Max, &x, &[0, 1], false)?.item()?, 6.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn reduce(reduction: Reduction, array: &Array, axes: &[usize], keep_dims: bool) -> Result<Array> {
    let op = reduction.name();
    reduction.check(array.dtype())?;
    let reduced = marked(op, array.shape(), axes)?;
    if axes.is_empty() {
        return Ok(array.clone());
    }
    let shape = match keep_dims {
        true => kept(array.shape(), &reduced, 0),
        false => array.shape().iter().zip(&reduced).filter(|&(_, &r)| !r).map(|(&n, _)| n).collect(),
    };
    let mut result = reduce_with(reduction.loops(array.dtype()), array, &reduced, shape)?;
    let n: usize = axes.iter().map(|&axis| array.shape()[axis]).product();
    if reduction == Reduction::Mean && n != 1 {
        match array.dtype() {
            DType::F64 => divide::<f64>(&mut result, n)?,
            _ => divide::<f32>(&mut result, n)?,
        }
    }
    Ok(result)
}

fn divide<T: Float + Element>(sums: &mut Array, n: usize) -> Result<()> {
    let n = T::from_f64(n as f64);
    sums.make_mut::<T>()?.iter_mut().for_each(|x| *x /= n);
    Ok(())
}

/// Sums over the axes that broadcasting `shape` to the array's shape would repeat: the gradient of
/// [`broadcast_to`](Array::broadcast_to). The array itself, if it has that shape.
///
/// # Errors
/// [`ErrorKind::Shape`] if `shape` does not broadcast to the array's, [`ErrorKind::DType`] for booleans,
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, sum_to};
/// let x = Array::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(sum_to(&x, [3])?.to_vec::<f32>()?, [5.0, 7.0, 9.0]);
/// assert_eq!(sum_to(&x, [2, 1])?.to_vec::<f32>()?, [6.0, 15.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn sum_to(array: &Array, shape: impl Into<Shape>) -> Result<Array> {
    sum_to_shape(array, &shape.into())
}

fn sum_to_shape(array: &Array, shape: &Shape) -> Result<Array> {
    Reduction::Sum.check(array.dtype())?;
    if shape == array.shape() {
        return Ok(array.clone());
    }
    let fits = shape.broadcast(array.shape()).is_ok_and(|both| both == *array.shape());
    if !fits {
        let expected = format!("a shape that broadcasts to {}", array.shape());
        return Err(Error::new(ErrorKind::Shape, "sum_to", expected, shape));
    }
    let extra = array.rank() - shape.rank();
    let reduced: Mask =
        (0..array.rank()).map(|i| i < extra || shape[i - extra] != array.shape()[i]).collect();
    reduce_with(Reduction::Sum.loops(array.dtype()), array, &reduced, shape.clone())
}

/// Which axes are reduced.
type Mask = SmallVec<[bool; 8]>;

fn marked(op: &'static str, shape: &Shape, axes: &[usize]) -> Result<Mask> {
    let mut reduced = Mask::from_elem(false, shape.rank());
    for &axis in axes {
        if axis >= shape.rank() || std::mem::replace(&mut reduced[axis], true) {
            let expected = format!("different axes of shape {shape}");
            return Err(Error::new(ErrorKind::Shape, op, expected, format!("{axes:?}")));
        }
    }
    Ok(reduced)
}

/// Reduces the marked axes to length 1, and gives the result `shape`, which has as many elements.
fn reduce_with(loops: &Loops, array: &Array, reduced: &[bool], shape: Shape) -> Result<Array> {
    if array.is_empty() {
        return (loops.filled)(shape);
    }
    if array.is_contiguous()
        && array.len() <= LEAF
        && reduced.iter().zip(array.shape().iter()).all(|(&r, &n)| r || n == 1)
    {
        let out = Array::uninit(shape, loops.dtype)?;
        let span = Span { count: 1, step: 0, n: array.len() };
        // SAFETY: there are that many elements, and a place for the result.
        unsafe { loops.rows(array.as_bytes(), span, out.as_bytes().cast_mut()) };
        return Ok(out);
    }
    let mut current = array.clone();
    while current.shape().iter().zip(reduced).any(|(&n, &r)| r && n != 1) {
        current = reduce_innermost(loops, &current, reduced)?;
    }
    if *current.shape() == shape { Ok(current) } else { current.reshape(shape) }
}

/// The shape with each marked axis from `start` on of length 1.
fn kept(shape: &Shape, reduced: &[bool], start: usize) -> Shape {
    shape.iter().enumerate().map(|(i, &n)| if i >= start && reduced[i] { 1 } else { n }).collect()
}

/// Reduces the innermost run of marked axes to length 1. Axes of length 1 belong to any run.
///
/// With `[outer.., run.., inner..]`, where `inner` is what is kept inside of the run: a reduction of rows if there
/// is no or little of it, else of columns.
fn reduce_innermost(loops: &Loops, array: &Array, reduced: &[bool]) -> Result<Array> {
    let (shape, strides) = (array.shape(), array.strides());
    let end = (0..shape.rank()).rfind(|&i| reduced[i] && shape[i] != 1).map_or(0, |i| i + 1);
    let start = (0..end).rfind(|&i| !reduced[i] && shape[i] != 1).map_or(0, |i| i + 1);
    let length = |axes: std::ops::Range<usize>| shape[axes].iter().product::<usize>();
    let (n, width) = (length(start..end), length(end..shape.rank()));
    let walk = |axes: std::ops::Range<usize>| Rows::new(&shape[axes.clone()], [&strides[axes]]);
    let out = Array::uninit(kept(shape, reduced, start), loops.dtype)?;
    let (from, run, to) = (array.as_bytes(), walk(start..end), out.as_bytes().cast_mut());
    // SAFETY: the walks cover the array, and `to` is memory for an element for each of `outer` and `inner`. Both
    // reductions write all of them.
    unsafe {
        if width < NARROW {
            let axes = || (0..start).chain(end..shape.rank());
            let lengths: SmallVec<[usize; 6]> = axes().map(|i| shape[i]).collect();
            let steps: SmallVec<[isize; 6]> = axes().map(|i| strides[i]).collect();
            let (outer, count) = (Rows::new(&lengths, [&steps]), length(0..start) * width);
            rows::reduce_rows(loops, rows::Source { from, outer: &outer, count, row: &run, n }, to)?;
        } else {
            let (outer, columns, count) = (walk(0..start), walk(end..shape.rank()), length(0..start));
            let source =
                columns::Source { from, outer: &outer, count, rows: &run, n, columns: &columns, width };
            columns::reduce_columns(loops, source, to)?;
        }
    }
    Ok(out)
}
