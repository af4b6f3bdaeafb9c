//! Reading and writing at indices, and putting arrays into larger ones.
pub(crate) mod along;
mod blocks;
mod place;
mod scatter;
#[cfg(test)]
mod tests;

pub use along::{add_along_axis, take_along_axis};
pub use blocks::{concat, one_hot, unslice};
pub use place::{Scatter, scatter};
pub use scatter::{scatter_add, sum_duplicates};

use crate::array::{Uninit, row_major};
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows};
use crate::{Array, DType, Element, Error, ErrorKind, Result, Shape, parallel, prefetch, with_dtype};

/// How many rows before its turn a row is asked for.
const AHEAD: usize = 8;

/// The parts of an array at indices along one axis: `out[a.., i.., b..] = params[a.., indices[i..], b..]`.
///
/// The indices are of type `i32` or `i64`, in any shape, which takes the place of the axis.
///
/// # Errors
/// [`ErrorKind::Index`] if an index is not in `0..n`, the length of the axis; [`ErrorKind::Shape`] if there is no such
/// axis; [`ErrorKind::DType`], [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, gather};
/// let table = Array::from_vec([3, 2], vec![0.0f32, 1.0, 10.0, 11.0, 20.0, 21.0])?;
/// let rows = gather(&table, &Array::from_vec([2], vec![2, 0])?, 0)?;
/// assert_eq!(rows.to_vec::<f32>()?, [20.0, 21.0, 0.0, 1.0]);
/// let error = gather(&table, &Array::scalar(3), 0).unwrap_err();
/// assert_eq!(error.to_string(), "gather: expected indices in 0..3, got 3");
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn gather(params: &Array, indices: &Array, axis: usize) -> Result<Array> {
    let shape = params.shape();
    if axis >= shape.rank() {
        return Err(Error::new(ErrorKind::Shape, "gather", format!("an axis of shape {shape}"), axis));
    }
    let places = checked_indices("gather", "indices", indices, shape[axis])?;
    let (outer, inner) = (&shape[..axis], &shape[axis + 1..]);
    let out = outer.iter().chain(indices.shape().iter()).chain(inner).copied().collect::<Shape>();
    with_dtype!(params.dtype(), T => gather_rows::<T>(params, &places, axis, out))
}

fn gather_rows<T: Element>(params: &Array, places: &Array, axis: usize, shape: Shape) -> Result<Array> {
    let mut out = Uninit::<T>::new(shape)?;
    let total = out.as_mut_slice().len();
    if total > 0 {
        let (lengths, strides) = (params.shape(), params.strides());
        let inner = &lengths[axis + 1..];
        let n: usize = inner.iter().product();
        let outer = Rows::new(&lengths[..axis], [&strides[..axis]]);
        let part = Rows::new(inner, [&strides[axis + 1..], &row_major(inner)]);
        let (from, to) =
            (Shared::new(params.as_ptr::<T>().cast_mut()), Shared::new(out.as_mut_slice().as_mut_ptr()));
        let places: &[i64] = places.as_slice().expect("contiguous indices");
        let (step, share) = (strides[axis], CHUNK.div_ceil(n));
        let is_flat = part.is_flat();
        for_shares(total / n, share, |row| {
            let (outside, i) = (row / places.len(), row % places.len());
            let start = outer.offset(outside)[0];
            if let Some(&next) = places.get(i + AHEAD).filter(|_| is_flat) {
                prefetch(from.get().wrapping_offset(start + next as isize * step), n);
            }
            let offset = start + places[i] as isize * step;
            // SAFETY: the index is within the axis, so the part lies in `params`; each row is written once.
            unsafe {
                let to = to.get().cast::<T>().add(row * n);
                copy_rows(from.get().wrapping_offset(offset), to, &part, 0..n / part.row().0);
            }
        });
    }
    // SAFETY: each of the rows has been written.
    Ok(unsafe { out.assume_init() })
}

/// Calls `body(0)` to `body(count - 1)`, `share` of them on one thread.
pub(crate) fn for_shares(count: usize, share: usize, body: impl Fn(usize) + Sync) {
    let share = if share > 1 && count <= 2 * share { count } else { share };
    parallel::for_each(count.div_ceil(share), |i| {
        (i * share..((i + 1) * share).min(count)).for_each(&body);
    });
}

/// Copies rows of a walk over a source and a target.
///
/// # Safety
/// Under the walk, the elements of the rows may be read from `from` and written to `to`.
#[inline]
unsafe fn copy_rows<T: Element>(from: *const T, to: *mut T, walk: &Rows<2>, rows: std::ops::Range<usize>) {
    let (n, [read, write]) = walk.row();
    for row in rows {
        let [source, target] = walk.offset(row * n);
        let (from, to) = (from.wrapping_offset(source), to.wrapping_offset(target));
        // SAFETY: the caller's promise. Source and target are different arrays.
        unsafe {
            if n == 1 {
                *to = *from;
            } else if [read, write] == [1, 1] {
                to.copy_from_nonoverlapping(from, n);
            } else {
                for i in 0..n as isize {
                    *to.offset(i * write) = *from.offset(i * read);
                }
            }
        }
    }
}

/// The indices (of type `i32` or `i64`) as contiguous `i64`.
fn as_i64(op: &'static str, what: &str, indices: &Array) -> Result<Array> {
    if !indices.dtype().is_integer() {
        return Err(Error::new(ErrorKind::DType, op, format!("{what} of type i32 or i64"), indices.dtype()));
    }
    let indices = indices.cast(DType::I64)?;
    if indices.is_contiguous() { Ok(indices) } else { indices.copy() }
}

/// The indices (of type `i32` or `i64`) as contiguous `i64`, all in `0..n`.
pub(crate) fn checked_indices(op: &'static str, what: &str, indices: &Array, n: usize) -> Result<Array> {
    let indices = as_i64(op, what, indices)?;
    let bad = indices.as_slice::<i64>().and_then(|all| all.iter().find(|&&i| i < 0 || i as usize >= n));
    match bad {
        Some(bad) => Err(Error::new(ErrorKind::Index, op, format!("{what} in 0..{n}"), bad)),
        None => Ok(indices),
    }
}
