//! The place of the largest and of the smallest element along an axis.
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows};
use crate::{Array, Error, ErrorKind, Number, Result, parallel, with_dtype};

/// The index of the largest element along an axis, which the result (of type `i64`) does not have.
///
/// The first one, if several are equal; the first NaN, if there is one (as NumPy has it).
///
/// # Errors
/// [`ErrorKind::Shape`] if the axis does not exist, or has no elements while the result has some;
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, argmax};
/// let x = Array::from_vec([2, 3], vec![1, 7, 7, 4, 3, 2])?;
/// assert_eq!(argmax(&x, 1)?.to_vec::<i64>()?, [1, 0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn argmax(array: &Array, axis: usize) -> Result<Array> {
    with_dtype!(array.dtype(), T => index_of::<T>("argmax", array, axis, larger))
}

/// The index of the smallest element along an axis; otherwise as [`argmax`].
///
/// # Errors
/// As [`argmax`].
///
/// ```
/// use slalom_array::{Array, argmin};
/// let x = Array::from_vec([2, 3], vec![1, 1, 7, 4, 3, 2])?;
/// assert_eq!(argmin(&x, 1)?.to_vec::<i64>()?, [0, 2]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn argmin(array: &Array, axis: usize) -> Result<Array> {
    with_dtype!(array.dtype(), T => index_of::<T>("argmin", array, axis, smaller))
}

fn larger<T: Number>(x: T, best: T) -> bool {
    x > best
}

fn smaller<T: Number>(x: T, best: T) -> bool {
    x < best
}

fn index_of<T: Number>(
    op: &'static str,
    array: &Array,
    axis: usize,
    better: impl Fn(T, T) -> bool + Copy + Send + Sync,
) -> Result<Array> {
    if axis >= array.rank() {
        let expected = format!("an axis of shape {}", array.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, axis));
    }
    let (shape, n) = (array.shape().without(axis), array.shape()[axis]);
    let mut strides = array.strides();
    let step = strides.remove(axis);
    let mut out = Uninit::<i64>::new(shape.clone())?;
    let target = out.as_mut_slice();
    if n == 0 && !target.is_empty() {
        return Err(Error::new(ErrorKind::Shape, op, "an axis with elements", array.shape()));
    }
    if !target.is_empty() {
        let walk = Rows::new(&shape, [&strides]);
        let share = if target.len() * n <= 2 * CHUNK { target.len() } else { (CHUNK / n).max(1) };
        let (from, to) = (Shared::new(array.as_ptr::<T>().cast_mut()), Shared::new(target.as_mut_ptr()));
        parallel::for_each(target.len().div_ceil(share), |chunk| {
            for i in chunk * share..((chunk + 1) * share).min(target.len()) {
                let first = from.get().wrapping_offset(walk.offset(i)[0]);
                // SAFETY: the walk and the axis cover the array.
                let element = |j: usize| unsafe { *first.offset(j as isize * step) };
                // SAFETY: `i` is a place of the output.
                unsafe { (*to.get().add(i)).write(first_best(n, element, better) as i64) };
            }
        });
    }
    // SAFETY: an index has been written in every place.
    Ok(unsafe { out.assume_init() })
}

#[inline(always)]
#[allow(clippy::eq_op)] // only NaN differs from itself
fn first_best<T: Number>(n: usize, element: impl Fn(usize) -> T, better: impl Fn(T, T) -> bool) -> usize {
    let (mut best, mut index) = (element(0), 0);
    for j in 1..n {
        let x = element(j);
        if best == best && (better(x, best) || x != x) {
            (best, index) = (x, j);
        }
    }
    index
}
