//! Rows that are combined with those of a target, in a fixed order.
use super::{as_i64, for_shares};
use crate::isa::{Isa, dispatch};
use crate::kernels::Shared;
use crate::kernels::strided::CHUNK;
use crate::{Array, Error, ErrorKind, Kernel, Map, Number, Result, Shape, with_dtype};
use std::ops::Range;

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
        if from.is_empty() {
            return Ok(());
        }
        // Each thread goes through all rows in order, for some of the columns.
        for_shares(width.div_ceil(STRIP), CHUNK.div_ceil(places.len() * width.min(STRIP)), |strip| {
            let columns = strip * STRIP..width.min((strip + 1) * STRIP);
            dispatch(Columns { how, to: to.get(), from, places, width, columns });
        });
        Ok(())
    })
}

/// Combines some columns of all rows.
struct Columns<'a, T> {
    how: Scatter,
    to: *mut T,
    from: &'a [T],
    places: &'a [i64],
    width: usize,
    columns: Range<usize>,
}

impl<T: Number> Kernel for Columns<'_, T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2.of::<T>();
    /// With a loop of its own for each way.
    #[inline(always)]
    fn run(self) {
        match self.how {
            Scatter::Add => self.combine(Scatter::Add),
            Scatter::Sub => self.combine(Scatter::Sub),
            Scatter::Mul => self.combine(Scatter::Mul),
            Scatter::Min => self.combine(Scatter::Min),
            Scatter::Max => self.combine(Scatter::Max),
            Scatter::Update => self.combine(Scatter::Update),
        }
    }
}

impl<T: Number> Columns<'_, T> {
    #[inline(always)]
    fn combine(self, how: Scatter) {
        let Columns { to, from, places, width, columns, .. } = self;
        for (i, &place) in places.iter().enumerate() {
            if place < 0 {
                continue;
            }
            let row = &from[i * width..][columns.clone()];
            // SAFETY: the place is a row of the target; no other thread writes these columns.
            let old = unsafe {
                let first = to.add(place as usize * width + columns.start);
                std::slice::from_raw_parts_mut(first, row.len())
            };
            for j in 0..row.len() {
                old[j] = how.eval([old[j], row[j]]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use proptest::prelude::*;

    type Combine = fn(i32, i32) -> i32;

    proptest! {
        #[test]
        fn each_way_matches_a_loop(
            moves in prop::collection::vec((-1i32..4, -9i32..9), 0..12), width in 0usize..4, strided: bool,
        ) {
            let count = moves.len();
            let places = Array::from_vec([count], moves.iter().map(|m| m.0).collect()).unwrap();
            let rows: Vec<i32> = moves.iter().flat_map(|m| (0..width as i32).map(move |j| m.1 * (j + 1))).collect();
            let mut array = Array::from_vec([count, width], rows.clone()).unwrap();
            if strided {
                array = array.transpose(&[1, 0]).unwrap().copy().unwrap().transpose(&[1, 0]).unwrap();
            }
            let start: Vec<i32> = (0..4 * width as i32).map(|i| i * 7 % 5 - 2).collect();
            let ways: [(Scatter, Combine); 6] = [
                (Scatter::Add, i32::wrapping_add), (Scatter::Sub, i32::wrapping_sub), (Scatter::Mul, i32::wrapping_mul),
                (Scatter::Min, Ord::min), (Scatter::Max, Ord::max), (Scatter::Update, |_, new| new),
            ];
            for (how, combine) in ways {
                let mut want = start.clone();
                for (i, &(place, _)) in moves.iter().enumerate().filter(|(_, m)| m.0 >= 0) {
                    for j in 0..width {
                        let old = &mut want[place as usize * width + j];
                        *old = combine(*old, rows[i * width + j]);
                    }
                }
                for dtype in [DType::I32, DType::F64] {
                    let mut target = Array::from_vec([4, width], start.clone()).unwrap().cast(dtype).unwrap();
                    scatter(how, &mut target, &places, &array.cast(dtype).unwrap()).unwrap();
                    prop_assert_eq!(target.cast(DType::I32).unwrap().to_vec::<i32>().unwrap(), want.clone());
                }
            }
        }
    }

    #[test]
    fn the_same_bits_at_every_number_of_threads() {
        let (count, width) = (300, 2000);
        let places = Array::from_vec([count], (0..count as i64).map(|i| i * i % 7 - 1).collect()).unwrap();
        let rows: Vec<f32> = (0..(count * width) as u64).map(|i| (i * 7919 % 1009) as f32 * 1e-3).collect();
        let rows = Array::from_vec([count, width], rows).unwrap();
        let bits = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut target = Array::ones([6, width], DType::F32).unwrap();
            pool.install(|| scatter(Scatter::Add, &mut target, &places, &rows)).unwrap();
            target.to_vec::<f32>().unwrap().iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        };
        let one = bits(1);
        assert!([2, 3].into_iter().all(|threads| bits(threads) == one));
    }

    #[test]
    fn nan_is_kept_and_what_does_not_fit_changes_nothing() {
        let mut target = Array::from_vec([2], vec![1.0f32, f32::NAN]).unwrap();
        let rows = Array::from_vec([2], vec![f32::NAN, 5.0]).unwrap();
        let places = Array::from_vec([2], vec![0, 1]).unwrap();
        scatter(Scatter::Max, &mut target, &places, &rows).unwrap();
        assert!(target.to_vec::<f32>().unwrap().iter().all(|x| x.is_nan()));
        let bad = Array::from_vec([2], vec![0, 2]).unwrap();
        let error = scatter(Scatter::Add, &mut target, &bad, &rows).unwrap_err();
        assert_eq!(error.to_string(), "scatter: expected indices below 2, got 2");
        assert_eq!(
            scatter(Scatter::Add, &mut target, &places, &Array::scalar(1.0f32)).unwrap_err().kind(),
            ErrorKind::Shape
        );
    }
}
