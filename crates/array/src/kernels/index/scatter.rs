//! Rows that are added at indices, in a fixed order.
use super::{as_i64, checked_indices, for_shares};
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows, gather};
use crate::{Array, Error, ErrorKind, Isa, Kernel, Number, Result, Shape, dispatch, with_dtype};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Columns that one thread adds at a time.
const STRIP: usize = 512;

/// `target[indices[i..], ..] += rows[i.., ..]`, for each `i` in row-major order: duplicates add up in the order in
/// which they appear, and the result does not depend on the number of threads.
///
/// The indices are of type `i32` or `i64`. A target that is strided or shares its memory is copied first (which
/// [`memory::Stats`](crate::memory::Stats) counts).
///
/// # Errors
/// [`ErrorKind::Index`] if an index is not in `0..n`, the length of the target's first axis; [`ErrorKind::Shape`] if
/// the target is a scalar or `rows` has not the shape of the indices followed by that of a row;
/// [`ErrorKind::DType`], [`ErrorKind::Memory`]. Nothing is written then.
///
/// ```
/// use slalom_array::{Array, DType, scatter_add};
/// let mut target = Array::zeros([3, 2], DType::F32)?;
/// let rows = Array::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
/// scatter_add(&mut target, &Array::from_vec([2], vec![2, 2])?, &rows)?;
/// assert_eq!(target.to_vec::<f32>()?, [0.0, 0.0, 0.0, 0.0, 4.0, 6.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn scatter_add(target: &mut Array, indices: &Array, rows: &Array) -> Result<()> {
    let op = "scatter_add";
    rows.expect_dtype(op, target.dtype())?;
    let Some((&length, inner)) = target.shape().split_first() else {
        return Err(Error::new(ErrorKind::Shape, op, "a target with at least one axis", target.shape()));
    };
    let shape: Shape = indices.shape().iter().chain(inner).copied().collect();
    if *rows.shape() != shape {
        return Err(Error::new(ErrorKind::Shape, op, format!("rows of shape {shape}"), rows.shape()));
    }
    let places = checked_indices(op, "indices", indices, length)?;
    let width = inner.iter().product();
    with_dtype!(target.dtype(), T => {
        let to = target.make_mut::<T>()?.as_mut_ptr();
        if !rows.is_empty() {
            let places: &[i64] = places.as_slice().expect("contiguous indices");
            // SAFETY: the indices are rows of the target.
            unsafe { add_rows::<T>(to, width, places.len(), |i| (places[i] as usize, i), rows) };
        }
        Ok(())
    })
}

/// The different indices in ascending order, and for each the sum of the values that belong to it, in the order in
/// which they appear: `indices` has one axis, and `values[i, ..]` belongs to `indices[i]`.
///
/// # Errors
/// [`ErrorKind::Shape`] if the indices have not one axis or the first axis of the values has another length;
/// [`ErrorKind::DType`] if the indices are not of type `i32` or `i64`; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, sum_duplicates};
/// let indices = Array::from_vec([3], vec![7i64, 2, 7])?;
/// let values = Array::from_vec([3, 1], vec![1.0f32, 2.0, 3.0])?;
/// let (unique, sums) = sum_duplicates(&indices, &values)?;
/// assert_eq!((unique.to_vec::<i64>()?, sums.to_vec::<f32>()?), (vec![2, 7], vec![2.0, 4.0]));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn sum_duplicates(indices: &Array, values: &Array) -> Result<(Array, Array)> {
    let op = "sum_duplicates";
    if indices.rank() != 1 || values.shape().first() != Some(&indices.len()) {
        let got = format!("{} and {}", indices.shape(), values.shape());
        return Err(Error::new(
            ErrorKind::Shape,
            op,
            "indices of shape [n] and values of shape [n, ..]",
            got,
        ));
    }
    let places = as_i64(op, "indices", indices)?;
    let places: &[i64] = places.as_slice().expect("contiguous indices");
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&i| places[i]); // stable
    let mut unique: Vec<i64> = Vec::new();
    let mut moves: Vec<(usize, usize)> = Vec::with_capacity(order.len());
    for i in order {
        if unique.last() != Some(&places[i]) {
            unique.push(places[i]);
        }
        moves.push((unique.len() - 1, i));
    }
    let shape = values.shape().replaced(0, unique.len());
    let width = shape[1..].iter().product();
    let unique = Array::from_vec([unique.len()], unique)?.cast(indices.dtype())?;
    with_dtype!(values.dtype(), T => {
        let mut sums = Uninit::<T>::new(shape)?.fill(T::ZERO);
        if !values.is_empty() {
            let to = sums.make_mut::<T>()?.as_mut_ptr();
            // SAFETY: there is a row for each of the different indices.
            unsafe { add_rows::<T>(to, width, moves.len(), |i| moves[i], values) };
        }
        Ok((unique, sums))
    })
}

/// `to[target] += rows[source]` for `(target, source) = move_of(0), move_of(1), ...`, in this order.
///
/// # Safety
/// `to` holds rows of `width` elements, each target among them; `rows` has `count * width` elements.
unsafe fn add_rows<T: Number>(
    to: *mut T,
    width: usize,
    count: usize,
    move_of: impl Fn(usize) -> (usize, usize) + Sync,
    rows: &Array,
) {
    let to = Shared::new(to);
    let from = Shared::new(rows.as_ptr::<T>().cast_mut());
    let walk = Rows::new(rows.shape(), [&rows.strides()]);
    // Each thread goes through all rows in order, for some of the columns.
    let strips = width.div_ceil(STRIP);
    for_shares(strips, CHUNK.div_ceil(count * width.min(STRIP)), |strip| {
        let columns = strip * STRIP..width.min((strip + 1) * STRIP);
        let (to, from) = (to.get(), from.get().cast_const());
        // SAFETY: the caller's promise; no other thread writes these columns.
        dispatch(AddRows {
            to,
            from,
            walk: &walk,
            flat: rows.is_contiguous(),
            width,
            columns,
            count,
            move_of: &move_of,
        });
    });
}

/// Adds some columns of all rows.
struct AddRows<'a, T, F> {
    to: *mut T,
    from: *const T,
    walk: &'a Rows<1>,
    flat: bool,
    width: usize,
    columns: Range<usize>,
    count: usize,
    move_of: &'a F,
}

impl<T: Number, F: Fn(usize) -> (usize, usize)> Kernel for AddRows<'_, T, F> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2.of::<T>();
    #[inline(always)]
    fn run(self) {
        let mut space = MaybeUninit::<[T; STRIP]>::uninit();
        let near: *mut T = space.as_mut_ptr().cast();
        let Range { start, end } = self.columns;
        for i in 0..self.count {
            let (target, source) = (self.move_of)(i);
            let first = source * self.width + start;
            // SAFETY: as `add_rows` asks for.
            unsafe {
                let to = self.to.add(target * self.width + start);
                let row = if self.flat {
                    self.from.add(first)
                } else {
                    gather(self.from, self.walk, (first, first + (end - start)), near);
                    near.cast_const()
                };
                add(to, row, end - start);
            }
        }
    }
}

/// `to[j] += row[j]`.
///
/// # Safety
/// `n` elements each, which do not overlap.
#[inline(always)]
unsafe fn add<T: Number>(to: *mut T, row: *const T, n: usize) {
    for j in 0..n {
        // SAFETY: the caller's promise.
        unsafe { *to.add(j) = (*to.add(j)).wrapping_add(*row.add(j)) };
    }
}
