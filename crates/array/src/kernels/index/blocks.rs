//! Arrays as parts of larger ones.
use super::{as_i64, copy_rows, for_shares};
use crate::array::{Uninit, is_within, row_major};
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows};
use crate::{Array, DType, Element, Error, ErrorKind, Number, Result, Shape, with_dtype};

/// Joins arrays along an axis, in order. The other axes have the same lengths.
///
/// # Errors
/// [`ErrorKind::Argument`] if there is no array, [`ErrorKind::Shape`] if there is no such axis or the shapes differ
/// elsewhere, [`ErrorKind::DType`] if the types differ, [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, concat};
/// let a = Array::from_vec([2, 1], vec![1, 2])?;
/// let b = Array::from_vec([2, 2], vec![3, 4, 5, 6])?;
/// assert_eq!(concat(&[&a, &b], 1)?.to_vec::<i32>()?, [1, 3, 4, 2, 5, 6]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn concat(arrays: &[&Array], axis: usize) -> Result<Array> {
    let Some(first) = arrays.first() else {
        return Err(Error::new(ErrorKind::Argument, "concat", "at least one array", 0));
    };
    if axis >= first.rank() {
        let expected = format!("an axis of shape {}", first.shape());
        return Err(Error::new(ErrorKind::Shape, "concat", expected, axis));
    }
    let mut length = 0usize;
    for array in arrays {
        array.expect_dtype("concat", first.dtype())?;
        if array.rank() != first.rank() || array.shape().replaced(axis, 0) != first.shape().replaced(axis, 0)
        {
            let expected = format!("shapes like {} but for axis {axis}", first.shape());
            return Err(Error::new(ErrorKind::Shape, "concat", expected, array.shape()));
        }
        length = length.saturating_add(array.shape()[axis]);
    }
    let shape = first.shape().replaced(axis, length);
    with_dtype!(first.dtype(), T => {
        let strides = row_major(&shape);
        let mut out = Uninit::<T>::new(shape)?;
        let (to, mut start) = (out.as_mut_slice().as_mut_ptr().cast::<T>(), 0);
        for array in arrays {
            let at = to.wrapping_add(start * strides[axis] as usize);
            // SAFETY: the array's place in the output, which no other one has.
            unsafe { write_block::<T>(array, at, &strides) };
            start += array.shape()[axis];
        }
        // SAFETY: the arrays fill the axis.
        Ok(unsafe { out.assume_init() })
    })
}

/// An array of zeros of the given shape, with `array` at positions `start, start + step, ...` of each axis: the
/// gradient of [`slice`](Array::slice) along all axes.
///
/// # Errors
/// [`ErrorKind::Shape`] if the ranks differ, or there is not one start and one step for each axis;
/// [`ErrorKind::Argument`] if a step of an axis longer than 1 is 0; [`ErrorKind::Index`] if a position lies outside
/// of its axis; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, unslice};
/// let a = Array::from_vec([2], vec![1, 2])?;
/// assert_eq!(unslice(&a, [5], &[3], &[-2])?.to_vec::<i32>()?, [0, 2, 0, 1, 0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn unslice(array: &Array, shape: impl Into<Shape>, starts: &[usize], steps: &[isize]) -> Result<Array> {
    unslice_to(array, shape.into(), starts, steps)
}

fn unslice_to(array: &Array, shape: Shape, starts: &[usize], steps: &[isize]) -> Result<Array> {
    if [shape.rank(), starts.len(), steps.len()] != [array.rank(); 3] {
        let expected = format!("a shape, starts and steps for {} axes", array.rank());
        let got = format!("{shape}, {starts:?} and {steps:?}");
        return Err(Error::new(ErrorKind::Shape, "unslice", expected, got));
    }
    for axis in 0..shape.rank() {
        check_range(axis, (starts[axis], array.shape()[axis], steps[axis]), &shape)?;
    }
    with_dtype!(array.dtype(), T => {
        let mut strides = row_major(&shape);
        let mut out = Uninit::<T>::new(shape)?.fill(T::ZERO);
        if !array.is_empty() {
            let start: usize = starts.iter().zip(&strides).map(|(&start, &stride)| start * stride as usize).sum();
            // Nobody takes the step from a single element, which may be of any size.
            for axis in (0..strides.len()).filter(|&axis| array.shape()[axis] > 1) {
                strides[axis] *= steps[axis];
            }
            let to = out.make_mut::<T>()?.as_mut_ptr().wrapping_add(start);
            // SAFETY: each position lies within its axis, and no two are the same.
            unsafe { write_block::<T>(array, to, &strides) };
        }
        Ok(out)
    })
}

fn check_range(axis: usize, (start, length, step): (usize, usize, isize), shape: &Shape) -> Result<()> {
    if length > 1 && step == 0 {
        return Err(Error::new(ErrorKind::Argument, "unslice", "steps other than 0", step));
    }
    if is_within(shape[axis], start, length, step) {
        return Ok(());
    }
    let got = format!("{length} from {start} on in steps of {step}");
    Err(Error::new(ErrorKind::Index, "unslice", format!("indices within axis {axis} of shape {shape}"), got))
}

/// Writes an array to places of a larger one.
///
/// # Safety
/// Under `strides`, each element has a place of its own from `to` on.
unsafe fn write_block<T: Element>(array: &Array, to: *mut T, strides: &[isize]) {
    if array.is_empty() {
        return;
    }
    let walk = Rows::new(array.shape(), [&array.strides(), strides]);
    let n = walk.row().0;
    let (from, to) = (Shared::new(array.as_ptr::<T>().cast_mut()), Shared::new(to));
    for_shares(array.len() / n, CHUNK.div_ceil(n), |row| {
        // SAFETY: the caller's promise.
        unsafe { copy_rows(from.get(), to.get(), &walk, row..row + 1) };
    });
}

/// `out[i.., j] = on` where `j = indices[i..]`, else `off`: one more axis of length `depth` at the end.
///
/// The values are converted to `dtype` as [`cast`](Array::cast) does. An index outside of `0..depth` gives `off`
/// everywhere, as TensorFlow has it.
///
/// # Errors
/// [`ErrorKind::DType`] if the indices are not of type `i32` or `i64`, [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, DType, one_hot};
/// let hot = one_hot(&Array::from_vec([2], vec![1, 0])?, 3, 1.0, 0.0, DType::F32)?;
/// assert_eq!(hot.to_vec::<f32>()?, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn one_hot(indices: &Array, depth: usize, on: f64, off: f64, dtype: DType) -> Result<Array> {
    let places = as_i64("one_hot", "indices", indices)?;
    let shape = indices.shape().with(indices.rank(), depth);
    with_dtype!(dtype, T => {
        let mut out = Uninit::<T>::new(shape)?.fill(T::from_f64(off));
        if let (Some(places), false) = (places.as_slice::<i64>(), out.is_empty()) {
            for (row, &i) in out.make_mut::<T>()?.chunks_exact_mut(depth).zip(places) {
                if let Some(place) = usize::try_from(i).ok().and_then(|i| row.get_mut(i)) {
                    *place = T::from_f64(on);
                }
            }
        }
        Ok(out)
    })
}
