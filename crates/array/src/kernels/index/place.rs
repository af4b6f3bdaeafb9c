//! Rows that are combined with those of a target, in a fixed order.
use super::{as_i64, for_shares};
use crate::kernels::Shared;
use crate::kernels::strided::CHUNK;
use crate::{Array, Error, ErrorKind, Map, Number, Result, Shape, with_dtype};

/// Columns that one thread combines at a time.
const STRIP: usize = 512;

/// How [`scatter`] combines a row with that of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scatter {
    /// The sum.
    Add,
    /// The difference: the target's less the row.
    Sub,
    /// The product.
    Mul,
    /// The smaller of each two elements; NaN if either is NaN.
    Min,
    /// The larger of each two elements; NaN if either is NaN.
    Max,
    /// The row, in place of the target's.
    Update,
}

impl<T: Number> Map<T, T, 2> for Scatter {
    #[inline(always)]
    #[allow(clippy::eq_op)] // only NaN differs from itself
    fn eval(self, [old, new]: [T; 2]) -> T {
        match self {
            Scatter::Add => old.wrapping_add(new),
            Scatter::Sub => old.wrapping_sub(new),
            Scatter::Mul => old.wrapping_mul(new),
            Scatter::Min => {
                if (new < old) | (new != new) {
                    new
                } else {
                    old
                }
            }
            Scatter::Max => {
                if (new > old) | (new != new) {
                    new
                } else {
                    old
                }
            }
            Scatter::Update => new,
        }
    }
}

/// `target[indices[i..], ..] = combine(target[indices[i..], ..], rows[i.., ..])`, for each `i` in row-major order, so that
/// the result does not depend on the number of threads. Rows at negative indices are left out, as TensorFlow's segment
/// operations have it.
///
/// The indices are of type `i32` or `i64`. A target that is strided or shares its memory is copied first (which
/// [`memory::Stats`](crate::memory::Stats) counts).
///
/// # Errors
/// [`ErrorKind::Index`] if an index is not below the length of the target's first axis; [`ErrorKind::Shape`] if the
/// target is a scalar or `rows` has not the shape of the indices followed by that of a row; [`ErrorKind::DType`],
/// [`ErrorKind::Memory`]. Nothing is written then.
///
/// ```
/// use slalom_array::{Array, Scatter, scatter};
/// let mut target = Array::from_vec([3], vec![1, 2, 3])?;
/// let places = Array::from_vec([3], vec![0, -1, 0])?;
/// scatter(Scatter::Max, &mut target, &places, &Array::from_vec([3], vec![5, 6, 4])?)?;
/// assert_eq!(target.to_vec::<i32>()?, [5, 2, 3]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn scatter(how: Scatter, target: &mut Array, indices: &Array, rows: &Array) -> Result<()> {
    let op = "scatter";
    rows.expect_dtype(op, target.dtype())?;
    let Some((&length, inner)) = target.shape().split_first() else {
        return Err(Error::new(ErrorKind::Shape, op, "a target with at least one axis", target.shape()));
    };
    let shape: Shape = indices.shape().iter().chain(inner).copied().collect();
    if *rows.shape() != shape {
        return Err(Error::new(ErrorKind::Shape, op, format!("rows of shape {shape}"), rows.shape()));
    }
    let places = as_i64(op, "indices", indices)?;
    let places: &[i64] = places.as_slice().expect("contiguous indices");
    if let Some(bad) = places.iter().find(|&&i| i >= length as i64) {
        return Err(Error::new(ErrorKind::Index, op, format!("indices below {length}"), bad));
    }
    let (width, rows) = (inner.iter().product::<usize>(), rows.contiguous()?);
    with_dtype!(target.dtype(), T => {
        let to = Shared::new(target.make_mut::<T>()?.as_mut_ptr());
        let from: &[T] = rows.as_slice().expect("contiguous rows");
        // Each thread goes through all rows in order, for some of the columns.
        if from.is_empty() {
            return Ok(());
        }
        let strips = width.div_ceil(STRIP);
        for_shares(strips, CHUNK.div_ceil(places.len() * width.min(STRIP)), |strip| {
            let columns = strip * STRIP..width.min((strip + 1) * STRIP);
            for (i, &place) in places.iter().enumerate().filter(|(_, place)| **place >= 0) {
                let row = &from[i * width..][columns.clone()];
                // SAFETY: the index is a row of the target; no other thread writes these columns.
                let old = unsafe {
                    let first = to.get().add(place as usize * width + columns.start);
                    std::slice::from_raw_parts_mut(first, row.len())
                };
                for (old, &new) in old.iter_mut().zip(row) {
                    *old = how.eval([*old, new]);
                }
            }
        });
        Ok(())
    })
}
