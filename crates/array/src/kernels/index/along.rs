//! Picking and adding along one axis, line by line.
use super::{checked_indices, for_shares};
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::strided::CHUNK;
use crate::{Array, Error, ErrorKind, Number, Result, with_dtype};
use std::mem::MaybeUninit;

/// Calls `body(row, elements)` for each row of `width` elements, for which about `cost` elements are touched.
pub(crate) fn for_rows<T: Copy + Send>(
    out: &mut [T],
    width: usize,
    cost: usize,
    body: impl Fn(usize, &mut [T]) + Sync,
) {
    if out.is_empty() {
        return;
    }
    let to = Shared::new(out.as_mut_ptr());
    for_shares(out.len() / width, CHUNK.div_ceil(cost.max(1)), |row| {
        // SAFETY: the rows lie in `out` and do not overlap, and each is visited once.
        body(row, unsafe { std::slice::from_raw_parts_mut(to.get().add(row * width), width) });
    });
}

/// The array with `axis` as its last one, row-major.
pub(crate) fn axis_last(array: &Array, axis: usize) -> Result<Array> {
    array.transpose(&moved(array.rank(), axis))?.contiguous()
}

/// An array whose last axis belongs at `axis`. A view.
pub(crate) fn axis_back(array: &Array, axis: usize) -> Result<Array> {
    let last = array.rank() - 1;
    let order: Vec<usize> = (0..axis).chain([last]).chain(axis..last).collect();
    array.transpose(&order)
}

fn moved(rank: usize, axis: usize) -> Vec<usize> {
    (0..axis).chain(axis + 1..rank).chain([axis]).collect()
}

pub(crate) fn expect_axis(op: &'static str, array: &Array, axis: usize) -> Result<()> {
    if axis < array.rank() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Shape, op, format!("an axis of shape {}", array.shape()), axis))
}

/// The indices of each line in a row; they are in `0..n`, and the other axes are those of `array`.
fn lines(op: &'static str, array: &Array, indices: &Array, axis: usize, n: usize) -> Result<Array> {
    if indices.rank() != array.rank() || indices.shape().without(axis) != array.shape().without(axis) {
        let expected = format!("indices of shape {} but for axis {axis}", array.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, indices.shape()));
    }
    axis_last(&checked_indices(op, "indices", indices, n)?, axis)
}

/// The elements at indices along `axis`, line by line: `out[.., i, ..] = array[.., indices[.., i, ..], ..]`. The indices,
/// of type `i32` or `i64`, have the shape of the array but for the length of the axis.
///
/// # Errors
/// [`ErrorKind::Index`] if an index is not in `0..n`, the length of the axis; [`ErrorKind::Shape`] if there is no such
/// axis or the others differ; [`ErrorKind::DType`], [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, take_along_axis};
/// let x = Array::from_vec([2, 2], vec![1, 2, 3, 4])?;
/// let places = Array::from_vec([2, 1], vec![1, 0])?;
/// assert_eq!(take_along_axis(&x, &places, 1)?.to_vec::<i32>()?, [2, 3]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn take_along_axis(array: &Array, indices: &Array, axis: usize) -> Result<Array> {
    let op = "take_along_axis";
    expect_axis(op, array, axis)?;
    let (n, picked) = (array.shape()[axis], indices.shape().get(axis).copied().unwrap_or(0));
    let indices = lines(op, array, indices, axis, n)?;
    let array = axis_last(array, axis)?;
    with_dtype!(array.dtype(), T => {
        let from: &[T] = array.as_slice().expect("contiguous elements");
        let places: &[i64] = indices.as_slice().expect("contiguous indices");
        let mut out = Uninit::<T>::new(indices.shape())?;
        for_rows(out.as_mut_slice(), picked, picked, |row, to: &mut [MaybeUninit<T>]| {
            let (from, places) = (&from[row * n..][..n], &places[row * picked..]);
            for (to, &place) in to.iter_mut().zip(places) {
                to.write(from[place as usize]);
            }
        });
        // SAFETY: all rows have been written.
        axis_back(&unsafe { out.assume_init() }, axis)
    })
}

/// The transpose of [`take_along_axis`]: zeros of length `n` along `axis`, with `out[.., indices[.., i, ..], ..] +=
/// array[.., i, ..]` for each `i` in order. The indices have the shape of the array.
///
/// # Errors
/// As [`take_along_axis`].
///
/// ```
/// use slalom_array::{Array, add_along_axis};
/// let x = Array::from_vec([3], vec![1, 2, 3])?;
/// let places = Array::from_vec([3], vec![1, 0, 1])?;
/// assert_eq!(add_along_axis(&x, &places, 0, 3)?.to_vec::<i32>()?, [2, 4, 0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn add_along_axis(array: &Array, indices: &Array, axis: usize, n: usize) -> Result<Array> {
    let op = "add_along_axis";
    expect_axis(op, array, axis)?;
    if indices.shape() != array.shape() {
        let expected = format!("indices of shape {}", array.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, indices.shape()));
    }
    let (given, indices) = (array.shape()[axis], lines(op, array, indices, axis, n)?);
    let array = axis_last(array, axis)?;
    with_dtype!(array.dtype(), T => {
        let from: &[T] = array.as_slice().expect("contiguous elements");
        let places: &[i64] = indices.as_slice().expect("contiguous indices");
        let mut out = Uninit::<T>::new(array.shape().replaced(array.rank() - 1, n))?.fill(T::ZERO);
        for_rows(out.make_mut::<T>()?, n, n + given, |row, to: &mut [T]| {
            for at in row * given..(row + 1) * given {
                let to = &mut to[places[at] as usize];
                *to = to.wrapping_add(from[at]);
            }
        });
        axis_back(&out, axis)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn taking_and_adding_match_loops(
            shape in prop::collection::vec(1usize..4, 1..4), at in 0usize..3, picked in 0usize..4, turned: bool,
        ) {
            let (axis, n) = (at % shape.len(), shape.iter().product::<usize>());
            let mut array = Array::from_vec(&shape[..], (0..n as i64).collect()).unwrap();
            if turned {
                let axes: Vec<usize> = (0..shape.len()).rev().collect();
                array = array.transpose(&axes).unwrap().copy().unwrap().transpose(&axes).unwrap();
            }
            let mut places = shape.clone();
            places[axis] = picked;
            let count: usize = places.iter().product();
            let indices: Vec<i32> = (0..count).map(|i| (i * 7 % 5 % shape[axis]) as i32).collect();
            let inner: usize = shape[axis + 1..].iter().product();
            // The element of the array that element `i` of the indices means.
            let source = |i: usize| {
                let outer = i / inner / picked;
                (outer * shape[axis] + indices[i] as usize) * inner + i % inner
            };
            let want: Vec<i64> = (0..count).map(|i| source(i) as i64).collect();
            let array_of = Array::from_vec(&places[..], indices.clone()).unwrap();
            let taken = take_along_axis(&array, &array_of, axis).unwrap();
            prop_assert_eq!(taken.to_vec::<i64>().unwrap(), want.clone());
            let mut sums = vec![0; n];
            want.iter().for_each(|&i| sums[i as usize] += i);
            let added = add_along_axis(&taken, &array_of, axis, shape[axis]).unwrap();
            prop_assert_eq!(added.shape(), array.shape());
            prop_assert_eq!(added.to_vec::<i64>().unwrap(), sums);
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let x = Array::from_vec([2, 2], vec![1, 2, 3, 4]).unwrap();
        let kind = |result: Result<Array>| result.unwrap_err().kind();
        assert_eq!(kind(take_along_axis(&x, &x, 2)), ErrorKind::Shape);
        assert_eq!(kind(take_along_axis(&x, &x, 0)), ErrorKind::Index);
        assert_eq!(kind(take_along_axis(&x, &Array::scalar(0), 0)), ErrorKind::Shape);
        assert_eq!(kind(add_along_axis(&x, &Array::scalar(0), 0, 2)), ErrorKind::Shape);
        assert_eq!(kind(take_along_axis(&x, &x.cast(crate::DType::F32).unwrap(), 0)), ErrorKind::DType);
    }
}
