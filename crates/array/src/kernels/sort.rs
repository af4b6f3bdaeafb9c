//! Sorting, and searching in what is sorted.
//!
//! An element and its place in the row are packed into one integer whose order is that of the elements, ties in the
//! order of their places: so sorting is stable and the result does not depend on the number of threads. NaN counts as the
//! largest number, and zeros of both signs are equal.
use super::index::along::{axis_back, axis_last, expect_axis, for_rows};
use crate::array::Uninit;
use crate::{Array, Element, Error, ErrorKind, Number, Result, with_dtype};
use std::mem::MaybeUninit;

/// An element that can be packed together with its place.
trait Sortable: Number {
    /// Key and place, ordered by the key first.
    type Packed: Ord + Copy + Send;

    fn pack(self, place: usize, descending: bool) -> Self::Packed;
    fn place(packed: Self::Packed) -> usize;
    /// Whether two elements have the same key.
    fn alike(a: Self::Packed, b: Self::Packed) -> bool;
}

macro_rules! sortable {
    ($($t:ident, $u:ident, $packed:ident, $x:ident => $key:expr;)*) => {$(
        impl Sortable for $t {
            type Packed = $packed;
            #[inline(always)]
            fn pack(self, place: usize, descending: bool) -> $packed {
                let $x = self;
                let key: $u = $key;
                let key = if descending { !key } else { key };
                $packed::from(key) << 32 | place as $packed
            }
            #[inline(always)]
            fn place(packed: $packed) -> usize {
                packed as u32 as usize
            }
            #[inline(always)]
            fn alike(a: $packed, b: $packed) -> bool {
                a >> 32 == b >> 32
            }
        }
    )*};
}

/// The key of a float: its bits, made to grow with it.
macro_rules! float_key {
    ($x:ident, $t:ident, $u:ident) => {{
        // The sum makes +0 of -0.
        let bits = if $x.is_nan() { $t::NAN.to_bits() & ($u::MAX >> 1) } else { ($x + 0.0).to_bits() };
        let sign = 1 << ($u::BITS - 1);
        if bits & sign != 0 { !bits } else { bits | sign }
    }};
}

sortable! {
    f32, u32, u64, x => float_key!(x, f32, u32);
    f64, u64, u128, x => float_key!(x, f64, u64);
    i32, u32, u64, x => x as u32 ^ 1 << 31;
    i64, u64, u128, x => x as u64 ^ 1 << 63;
    bool, u32, u64, x => u32::from(x);
}

/// Places are of type `i32`, as TensorFlow has them.
fn expect_places(op: &'static str, n: usize) -> Result<()> {
    if i32::try_from(n).is_ok() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, op, format!("at most {} elements in a line", i32::MAX), n))
}

/// The places (`i32`) of the elements of each line along `axis` in ascending or descending order; equal ones keep their
/// order. NaN counts as the largest number.
///
/// # Errors
/// [`ErrorKind::Shape`] if there is no such axis; [`ErrorKind::Argument`] if it is longer than an `i32` holds;
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, argsort};
/// let x = Array::from_vec([4], vec![2.0f32, 1.0, 3.0, 1.0])?;
/// assert_eq!(argsort(&x, 0, false)?.to_vec::<i32>()?, [1, 3, 0, 2]);
/// assert_eq!(argsort(&x, 0, true)?.to_vec::<i32>()?, [2, 0, 1, 3]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn argsort(array: &Array, axis: usize, descending: bool) -> Result<Array> {
    expect_axis("argsort", array, axis)?;
    let places = first_places("argsort", &axis_last(array, axis)?, array.shape()[axis], descending)?;
    axis_back(&places, axis)
}

/// The places (`i32`) of the `k` largest elements along the last axis, in descending order; equal ones in the order of
/// their places. NaN counts as the largest number.
///
/// # Errors
/// [`ErrorKind::Shape`] if the array is a scalar; [`ErrorKind::Argument`] if the last axis has less than `k` elements, or
/// more than an `i32` holds; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, top_k};
/// let x = Array::from_vec([5], vec![2, 3, 3, 1, 3])?;
/// assert_eq!(top_k(&x, 2)?.to_vec::<i32>()?, [1, 2]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn top_k(array: &Array, k: usize) -> Result<Array> {
    let Some(&n) = array.shape().last() else {
        return Err(Error::new(ErrorKind::Shape, "top_k", "at least one axis", array.shape()));
    };
    if k > n {
        return Err(Error::new(ErrorKind::Argument, "top_k", format!("k of at most {n}"), k));
    }
    first_places("top_k", &array.contiguous()?, k, true)
}

/// The places of the first `k` elements of each row in sorted order.
fn first_places(op: &'static str, rows: &Array, k: usize, descending: bool) -> Result<Array> {
    let last = rows.rank() - 1;
    let n = rows.shape()[last];
    expect_places(op, n)?;
    with_dtype!(rows.dtype(), T => {
        let from: &[T] = rows.as_slice().expect("contiguous rows");
        let mut out = Uninit::<i32>::new(rows.shape().replaced(last, k))?;
        for_rows(out.as_mut_slice(), k, 8 * n, |row, to: &mut [MaybeUninit<i32>]| {
            let mut packed = packed(&from[row * n..(row + 1) * n], descending);
            if k < n {
                packed.select_nth_unstable(k - 1);
                packed.truncate(k);
            }
            packed.sort_unstable();
            for (to, packed) in to.iter_mut().zip(packed) {
                to.write(T::place(packed) as i32);
            }
        });
        // SAFETY: all rows have been written.
        Ok(unsafe { out.assume_init() })
    })
}

fn packed<T: Sortable>(row: &[T], descending: bool) -> Vec<T::Packed> {
    row.iter().enumerate().map(|(place, x)| x.pack(place, descending)).collect()
}

/// The different elements of an array of one axis, in the order in which they first appear; for each element the place of
/// its like among them (`i32`); and how often each appears (`i32`). NaN is like NaN.
///
/// # Errors
/// [`ErrorKind::Shape`] if there is not one axis; [`ErrorKind::Argument`] if it is longer than an `i32` holds;
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, unique};
/// let [values, places, counts] = unique(&Array::from_vec([4], vec![7, 2, 7, 7])?)?;
/// assert_eq!(values.to_vec::<i32>()?, [7, 2]);
/// assert_eq!(places.to_vec::<i32>()?, [0, 1, 0, 0]);
/// assert_eq!(counts.to_vec::<i32>()?, [3, 1]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn unique(array: &Array) -> Result<[Array; 3]> {
    if array.rank() != 1 {
        return Err(Error::new(ErrorKind::Shape, "unique", "one axis", array.shape()));
    }
    expect_places("unique", array.len())?;
    let array = array.contiguous()?;
    with_dtype!(array.dtype(), T => unique_of(array.as_slice::<T>().expect("contiguous elements")))
}

fn unique_of<T: Sortable>(x: &[T]) -> Result<[Array; 3]> {
    let mut packed = packed(x, false);
    packed.sort_unstable();
    // Of each element the place of the first of its like: in a group the first place is the lowest.
    let mut first = vec![0; x.len()];
    for group in packed.chunk_by(|&a, &b| T::alike(a, b)) {
        group.iter().for_each(|&one| first[T::place(one)] = T::place(group[0]));
    }
    let (mut values, mut places, mut counts) = (Vec::new(), Vec::with_capacity(x.len()), Vec::new());
    for (i, &x) in x.iter().enumerate() {
        let place = if first[i] == i { values.len() as i32 } else { places[first[i]] };
        if first[i] == i {
            values.push(x);
            counts.push(0);
        }
        counts[place as usize] += 1;
        places.push(place);
    }
    Ok([
        Array::from_vec([values.len()], values)?,
        Array::from_vec([x.len()], places)?,
        Array::from_vec([counts.len()], counts)?,
    ])
}

/// The places (`i32`) in each row of `sorted` (ascending along the last axis) before which elements of the same row of
/// `values` can be put: before their equals, or after them, if `right`.
///
/// # Errors
/// [`ErrorKind::Shape`] if an array is a scalar or the axes but for the last differ; [`ErrorKind::DType`] if the types
/// differ; [`ErrorKind::Argument`] if a row is longer than an `i32` holds; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, search_sorted};
/// let sorted = Array::from_vec([4], vec![1, 3, 3, 5])?;
/// let values = Array::from_vec([3], vec![0, 3, 9])?;
/// assert_eq!(search_sorted(&sorted, &values, false)?.to_vec::<i32>()?, [0, 1, 4]);
/// assert_eq!(search_sorted(&sorted, &values, true)?.to_vec::<i32>()?, [0, 3, 4]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn search_sorted(sorted: &Array, values: &Array, right: bool) -> Result<Array> {
    let op = "search_sorted";
    values.expect_dtype(op, sorted.dtype())?;
    let (Some((&n, outer)), Some((&m, rows))) = (sorted.shape().split_last(), values.shape().split_last())
    else {
        return Err(Error::new(ErrorKind::Shape, op, "at least one axis", "a scalar"));
    };
    if outer != rows {
        let expected = format!("values of shape {} but for the last axis", sorted.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, values.shape()));
    }
    expect_places(op, n)?;
    let (sorted, values) = (sorted.contiguous()?, values.contiguous()?);
    with_dtype!(sorted.dtype(), T => {
        let from: &[T] = sorted.as_slice().expect("contiguous rows");
        let values_of: &[T] = values.as_slice().expect("contiguous rows");
        let mut out = Uninit::<i32>::new(values.shape())?;
        for_rows(out.as_mut_slice(), m, 8 * m, |row, to: &mut [MaybeUninit<i32>]| {
            let line = &from[row * n..(row + 1) * n];
            for (to, &x) in to.iter_mut().zip(&values_of[row * m..]) {
                to.write(bound(line, x, right) as i32);
            }
        });
        // SAFETY: all rows have been written.
        Ok(unsafe { out.assume_init() })
    })
}

/// How many elements come before `x`.
fn bound<T: Element>(line: &[T], x: T, right: bool) -> usize {
    line.partition_point(|&y| y < x || right && y == x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAN: f32 = f32::NAN;

    proptest! {
        #[test]
        fn argsort_is_a_stable_sort(
            x in prop::collection::vec(prop_oneof![-3i32..3, any::<i32>()], 0..40), descending: bool, k in 0usize..40,
        ) {
            let mut want: Vec<i32> = (0..x.len() as i32).collect();
            let key = |i: &i32| i64::from(x[*i as usize]) * if descending { -1 } else { 1 };
            want.sort_by_key(key);
            for dtype in [crate::DType::I32, crate::DType::I64, crate::DType::F64] {
                let array = Array::from_vec([x.len()], x.clone()).unwrap().cast(dtype).unwrap();
                prop_assert_eq!(argsort(&array, 0, descending).unwrap().to_vec::<i32>().unwrap(), want.clone());
                if descending && k <= x.len() {
                    prop_assert_eq!(&top_k(&array, k).unwrap().to_vec::<i32>().unwrap(), &want[..k]);
                }
            }
        }

        #[test]
        fn unique_rebuilds_its_input(x in prop::collection::vec(-4i64..4, 0..30)) {
            let [values, places, counts] = unique(&Array::from_vec([x.len()], x.clone()).unwrap()).unwrap();
            let (values, places) = (values.to_vec::<i64>().unwrap(), places.to_vec::<i32>().unwrap());
            let rebuilt: Vec<i64> = places.iter().map(|&i| values[i as usize]).collect();
            prop_assert_eq!(rebuilt, x.clone());
            let mut seen = Vec::new();
            x.iter().for_each(|x| if !seen.contains(x) { seen.push(*x) });
            prop_assert_eq!(&values, &seen);
            let counted: Vec<i32> = seen.iter().map(|v| x.iter().filter(|x| *x == v).count() as i32).collect();
            prop_assert_eq!(counts.to_vec::<i32>().unwrap(), counted);
        }
    }

    #[test]
    fn special_numbers_have_their_places() {
        let x = vec![NAN, 0.0, f32::INFINITY, -0.0, f32::NEG_INFINITY, -NAN, -1.0];
        let x = Array::from_vec([7], x).unwrap();
        assert_eq!(argsort(&x, 0, false).unwrap().to_vec::<i32>().unwrap(), [4, 6, 1, 3, 2, 0, 5]);
        assert_eq!(argsort(&x, 0, true).unwrap().to_vec::<i32>().unwrap(), [0, 5, 2, 1, 3, 6, 4]);
        let [values, places, _] = unique(&x).unwrap();
        assert_eq!((values.len(), places.to_vec::<i32>().unwrap()), (5, vec![0, 1, 2, 1, 3, 0, 4]));
    }

    #[test]
    fn other_axes_and_strides() {
        let x = Array::from_vec([3, 2], vec![3, 1, 2, 5, 1, 4]).unwrap();
        assert_eq!(argsort(&x, 0, false).unwrap().to_vec::<i32>().unwrap(), [2, 0, 1, 2, 0, 1]);
        assert_eq!(top_k(&x.transpose(&[1, 0]).unwrap(), 1).unwrap().to_vec::<i32>().unwrap(), [0, 1]);
        let flags = Array::from_vec([3], vec![true, false, true]).unwrap();
        assert_eq!(argsort(&flags, 0, false).unwrap().to_vec::<i32>().unwrap(), [1, 0, 2]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let x = Array::from_vec([2], vec![1, 2]).unwrap();
        assert_eq!(argsort(&x, 1, false).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(top_k(&x, 3).unwrap_err().to_string(), "top_k: expected k of at most 2, got 3");
        assert_eq!(unique(&Array::scalar(1)).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(search_sorted(&x, &Array::scalar(1), false).unwrap_err().kind(), ErrorKind::Shape);
    }
}
