//! Running totals along an axis.
//!
//! Each line is walked through from end to end, so that the result does not depend on the number of threads; lines
//! beside each other are walked through together.
mod log_sums;

use super::Shared;
use super::index::along::expect_axis;
use super::index::for_shares;
use super::reduce::{Add, Combine, Multiply};
use super::strided::CHUNK;
use crate::array::Uninit;
use crate::isa::{Isa, dispatch};
use crate::{Array, DType, Element, Error, ErrorKind, Float, Kernel, Result, with_dtype, with_float};
use log_sums::LogSums;
use std::marker::PhantomData;

/// Lines that are walked through together.
const STRIP: usize = 512;

/// What [`scan`] accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scan {
    /// Sums of numbers; integers wrap around.
    Sum,
    /// Products of numbers; integers wrap around.
    Prod,
    /// `log(Σ eˣ)` of floats, for which nothing overflows; negative infinity for no elements.
    LogSumExp,
}

impl Scan {
    /// The name of the operation, as errors give it: `cumsum`, `cumprod`, `cumulative_logsumexp`.
    pub const fn name(self) -> &'static str {
        match self {
            Scan::Sum => "cumsum",
            Scan::Prod => "cumprod",
            Scan::LogSumExp => "cumulative_logsumexp",
        }
    }
}

/// Running totals along `axis`: element `i` of each line is combined of the elements `0..=i` of the array's.
///
/// `exclusive` leaves out element `i` itself; `reverse` runs from the last element to the first, so that element `i` is
/// combined of `i..n`, or `i + 1..n`.
///
/// # Errors
/// [`ErrorKind::Shape`] if there is no such axis, [`ErrorKind::DType`] if the scan is not defined for the array's type,
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Scan, scan};
/// let x = Array::from_vec([3], vec![1, 2, 3])?;
/// assert_eq!(scan(Scan::Sum, &x, 0, false, false)?.to_vec::<i32>()?, [1, 3, 6]);
/// assert_eq!(scan(Scan::Prod, &x, 0, true, true)?.to_vec::<i32>()?, [6, 3, 1]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn scan(scan: Scan, array: &Array, axis: usize, exclusive: bool, reverse: bool) -> Result<Array> {
    let op = scan.name();
    expect_axis(op, array, axis)?;
    if array.dtype() == DType::Bool {
        return Err(Error::new(ErrorKind::DType, op, "a numeric dtype", array.dtype()));
    }
    let array = array.contiguous()?;
    match scan {
        Scan::Sum => with_dtype!(array.dtype(), T => scan_with::<T, Add>(&array, axis, exclusive, reverse)),
        Scan::Prod => {
            with_dtype!(array.dtype(), T => scan_with::<T, Multiply>(&array, axis, exclusive, reverse))
        }
        Scan::LogSumExp => with_float!(op, array.dtype(), T => {
            scan_lines::<T>(&array, axis, reverse, |from, to, n, step, width, _| {
                dispatch(LogSums { from, to, n, step, width, exclusive });
            })
        }),
    }
}

/// The linear recurrence `y[i] = terms[i] + factors[i] y[i - 1]` along `axis`, with 0 before the first element;
/// `reverse` runs from the last element to the first.
///
/// # Errors
/// [`ErrorKind::Shape`] if there is no such axis or the shapes differ, [`ErrorKind::DType`] if the arrays are not of one
/// floating-point type, [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, linear_scan};
/// let terms = Array::from_vec([3], vec![1.0f32, 1.0, 1.0])?;
/// let factors = Array::from_vec([3], vec![2.0f32, 2.0, 3.0])?;
/// assert_eq!(linear_scan(&terms, &factors, 0, false)?.to_vec::<f32>()?, [1.0, 3.0, 10.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn linear_scan(terms: &Array, factors: &Array, axis: usize, reverse: bool) -> Result<Array> {
    let op = "linear_scan";
    expect_axis(op, terms, axis)?;
    factors.expect_dtype(op, terms.dtype())?;
    if factors.shape() != terms.shape() {
        return Err(Error::new(
            ErrorKind::Shape,
            op,
            format!("factors of shape {}", terms.shape()),
            factors.shape(),
        ));
    }
    let (terms, factors) = (terms.contiguous()?, factors.contiguous()?);
    with_float!(op, terms.dtype(), F => {
        let walk = |from: *const F, to: *mut F, n: usize, step: isize, width: usize, at: usize| {
            // SAFETY: as `scan_lines` promises; the factors have the shape of the terms.
            let factors = unsafe { factors.as_ptr::<F>().add(at) };
            dispatch(LinearLines { terms: from, factors, to, n, step, width });
        };
        scan_lines::<F>(&terms, axis, reverse, walk)
    })
}

fn scan_with<T: Element, C: Combine<T>>(
    array: &Array,
    axis: usize,
    exclusive: bool,
    reverse: bool,
) -> Result<Array> {
    scan_lines::<T>(array, axis, reverse, |from, to, n, step, width, _| {
        dispatch(Lines { from, to, n, step, width, exclusive, op: PhantomData::<C> });
    })
}

/// Calls `walk(from, to, n, step, width, at)` for strips of lines that together make up the array: `width` lines beside
/// each other, of `n` elements in steps of `step`, that begin at `from` and `to`, which is element `at`.
fn scan_lines<T: Element>(
    array: &Array,
    axis: usize,
    reverse: bool,
    walk: impl Fn(*const T, *mut T, usize, isize, usize, usize) + Sync,
) -> Result<Array> {
    let shape = array.shape();
    let mut out = Uninit::<T>::new(shape)?;
    let (n, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    if !array.is_empty() {
        let outer: usize = shape[..axis].iter().product();
        let strips = inner.div_ceil(STRIP);
        let from = Shared::new(array.as_ptr::<T>().cast_mut());
        let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>());
        let (first, step) = if reverse { ((n - 1) * inner, -(inner as isize)) } else { (0, inner as isize) };
        for_shares(outer * strips, CHUNK.div_ceil(n * inner.min(STRIP)), |i| {
            let column = i % strips * STRIP;
            let at = i / strips * n * inner + first + column;
            // SAFETY: the strips lie in the arrays, and no two write the same.
            let (from, to) = unsafe { (from.get().add(at).cast_const(), to.get().add(at)) };
            walk(from, to, n, step, (inner - column).min(STRIP), at);
        });
    }
    // SAFETY: each element belongs to a line, and all of a line are written.
    Ok(unsafe { out.assume_init() })
}

/// Lines of a scan; see [`scan_lines`].
struct Lines<T, C> {
    from: *const T,
    to: *mut T,
    n: usize,
    step: isize,
    width: usize,
    exclusive: bool,
    op: PhantomData<C>,
}

impl<T: Element, C: Combine<T>> Kernel for Lines<T, C> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2.of::<T>();
    #[inline(always)]
    fn run(self) {
        let Lines { from, to, n, step, width, exclusive, .. } = self;
        // SAFETY: `scan_lines` calls for lines that lie in the arrays.
        unsafe {
            if width == 1 {
                let mut total = C::EMPTY;
                for i in 0..n as isize {
                    let next = C::combine(total, *from.offset(i * step));
                    *to.offset(i * step) = if exclusive { total } else { next };
                    total = next;
                }
                return;
            }
            for j in 0..width {
                *to.add(j) = if exclusive { C::EMPTY } else { C::combine(C::EMPTY, *from.add(j)) };
            }
            let behind = if exclusive { step } else { 0 };
            for i in 1..n as isize {
                let (before, to) = (to.offset((i - 1) * step), to.offset(i * step));
                let from = from.offset(i * step - behind);
                for j in 0..width {
                    *to.add(j) = C::combine(*before.add(j), *from.add(j));
                }
            }
        }
    }
}

/// Lines of a linear recurrence; see [`scan_lines`].
struct LinearLines<F> {
    terms: *const F,
    factors: *const F,
    to: *mut F,
    n: usize,
    step: isize,
    width: usize,
}

impl<F: Float> Kernel for LinearLines<F> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        let LinearLines { terms, factors, to, n, step, width } = self;
        // SAFETY: `scan_lines` calls for lines that lie in the arrays.
        unsafe {
            to.copy_from_nonoverlapping(terms, width);
            for i in 1..n as isize {
                let (before, at) = ((i - 1) * step, i * step);
                for j in 0..width as isize {
                    let product = *factors.offset(at + j) * *to.offset(before + j);
                    *to.offset(at + j) = *terms.offset(at + j) + product;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The scan of one line, element by element from its definition.
    fn of_line(kind: Scan, x: &[f64], exclusive: bool, reverse: bool) -> Vec<f64> {
        let range = |i: usize| match (exclusive, reverse) {
            (false, false) => 0..i + 1,
            (true, false) => 0..i,
            (false, true) => i..x.len(),
            (true, true) => i + 1..x.len(),
        };
        let total = |x: &[f64]| match kind {
            Scan::Sum => x.iter().sum(),
            Scan::Prod => x.iter().product(),
            Scan::LogSumExp => x.iter().map(|x| x.exp()).sum::<f64>().ln(),
        };
        (0..x.len()).map(|i| total(&x[range(i)])).collect()
    }

    proptest! {
        #[test]
        fn scans_match_their_definition(
            shape in prop::collection::vec(0usize..5, 1..4), at in 0usize..3, wide in 0usize..2,
            exclusive: bool, reverse: bool,
        ) {
            let axis = at % shape.len();
            let mut shape = shape;
            if wide == 1 && axis + 1 < shape.len() {
                shape[axis + 1] = STRIP + 3;
            }
            let n: usize = shape.iter().product();
            let x: Vec<f64> = (0..n).map(|i| ((i * 7919) % 23) as f64 * 0.125 - 1.0).collect();
            let array = Array::from_vec(&shape[..], x.clone()).unwrap();
            let inner: usize = shape[axis + 1..].iter().product();
            for kind in [Scan::Sum, Scan::Prod, Scan::LogSumExp] {
                let got = scan(kind, &array, axis, exclusive, reverse).unwrap().to_vec::<f64>().unwrap();
                for first in (0..n).filter(|i| (i / inner).is_multiple_of(shape[axis])) {
                    let places: Vec<usize> = (0..shape[axis]).map(|i| first + i * inner).collect();
                    let line: Vec<f64> = places.iter().map(|&i| x[i]).collect();
                    for (&i, want) in places.iter().zip(of_line(kind, &line, exclusive, reverse)) {
                        prop_assert!(got[i] == want || (got[i] - want).abs() < 1e-12, "{kind:?} {}: {want}", got[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_bits_at_every_number_of_threads() {
        let x: Vec<f32> = (0..300_000u64).map(|i| (i * 7919 % 1009) as f32 * 1e-3).collect();
        for shape in [vec![300_000], vec![300, 1000], vec![30, 2, 5000]] {
            let array = Array::from_vec(&shape[..], x.clone()).unwrap();
            let bits = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let y = pool.install(|| scan(Scan::LogSumExp, &array, 0, false, true)).unwrap();
                y.to_vec::<f32>().unwrap().iter().map(|y| y.to_bits()).collect::<Vec<_>>()
            };
            let one = bits(1);
            assert!([2, 3].into_iter().all(|threads| bits(threads) == one));
        }
    }

    #[test]
    fn log_sums_neither_overflow_nor_turn_infinities_into_nan() {
        let x = Array::from_vec([4], vec![f32::NEG_INFINITY, 1000.0, 1000.0, f32::INFINITY]).unwrap();
        let y = scan(Scan::LogSumExp, &x, 0, false, false).unwrap().to_vec::<f32>().unwrap();
        assert_eq!(y, [f32::NEG_INFINITY, 1000.0, 1000.0 + std::f32::consts::LN_2, f32::INFINITY]);
    }

    #[test]
    fn linear_recurrences() {
        let terms = Array::from_vec([3, 2], vec![1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let factors = Array::from_vec([3, 2], vec![9.0f64, 9.0, 2.0, 3.0, -1.0, 0.5]).unwrap();
        let y =
            |axis, reverse| linear_scan(&terms, &factors, axis, reverse).unwrap().to_vec::<f64>().unwrap();
        assert_eq!(y(0, false), [1.0, 2.0, 5.0, 10.0, 0.0, 11.0]);
        assert_eq!(y(1, true), [19.0, 2.0, 11.0, 4.0, -1.0, 6.0]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let x = Array::from_vec([2], vec![1, 2]).unwrap();
        let kind = |r: Result<Array>| r.unwrap_err().kind();
        assert_eq!(kind(scan(Scan::Sum, &x, 1, false, false)), ErrorKind::Shape);
        assert_eq!(kind(scan(Scan::LogSumExp, &x, 0, false, false)), ErrorKind::DType);
        assert_eq!(kind(scan(Scan::Sum, &x.cast(DType::Bool).unwrap(), 0, false, false)), ErrorKind::DType);
        assert_eq!(kind(linear_scan(&x, &x, 0, false)), ErrorKind::DType);
    }
}
