//! What all functions over rows need: the split into shares, the extremes and the sums.
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::elementwise::{Identity, Map};
use crate::kernels::reduce::{Add, Maximum, reduce_leaf};
use crate::{Array, Element, Error, ErrorKind, Float, Kernel, Number, Result, dispatch, parallel};
use std::ops::Range;

/// Elements that are worked on while they are in the nearest cache, unless one row has more.
pub(in crate::kernels) const BLOCK: usize = 2048;
/// Elements that one thread works on at a time, unless one row has more.
const SHARE: usize = 1 << 13;

/// What is computed for each row, with numbers of type `T`.
pub(in crate::kernels) trait RowKernel<T>: Sync {
    /// Computes a range of rows of `n` elements.
    ///
    /// # Safety
    /// The rows exist, and no other thread works on them.
    unsafe fn run(&self, rows: Range<usize>, n: usize);
}

/// How many rows of `n` elements one thread works on at a time.
pub(in crate::kernels) fn share(rows: usize, n: usize) -> usize {
    if rows * n <= 2 * SHARE { rows.max(1) } else { (SHARE / n).max(1) }
}

/// Runs `kernel` for all `rows`, in shares that have a fixed number of rows.
///
/// # Safety
/// The kernel may read and write what belongs to each row.
pub(in crate::kernels) unsafe fn for_each_row<T: Sync>(rows: usize, n: usize, kernel: impl RowKernel<T>) {
    let share = share(rows, n);
    parallel::for_each(rows.div_ceil(share), |i| {
        let range = i * share..((i + 1) * share).min(rows);
        dispatch(Rows { kernel: &kernel, range, n, number: std::marker::PhantomData::<T> });
    });
}

struct Rows<'a, T, K> {
    kernel: &'a K,
    range: Range<usize>,
    n: usize,
    number: std::marker::PhantomData<T>,
}

impl<T, K: RowKernel<T>> Kernel for Rows<'_, T, K> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        // SAFETY: `for_each_row` gives each row to one share.
        unsafe { self.kernel.run(self.range, self.n) };
    }
}

/// The elements of the rows.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Input<T>(Shared<T>);

impl<T: Element> Input<T> {
    /// The elements of a contiguous array of that type, which must live as long as this is used.
    pub(in crate::kernels) fn new(array: &Array) -> Input<T> {
        debug_assert!(array.is_contiguous());
        Input::at_first(array)
    }

    /// The first element of an array of that type, which must live as long as this is used.
    pub(in crate::kernels) fn at_first(array: &Array) -> Input<T> {
        Input(Shared::new(array.as_ptr::<T>().cast_mut()))
    }

    /// The address of element `i`.
    #[inline(always)]
    pub(in crate::kernels) fn at(self, i: usize) -> *const T {
        self.0.get().wrapping_add(i)
    }
}

/// Memory for the results.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Output<T>(Shared<T>);

impl<T: Element> Output<T> {
    /// The memory of an array, which must live as long as this is used.
    pub(in crate::kernels) fn new(array: &mut Uninit<T>) -> Output<T> {
        Output(Shared::new(array.as_mut_slice().as_mut_ptr().cast()))
    }

    /// The address of element `i`.
    #[inline(always)]
    pub(in crate::kernels) fn at(self, i: usize) -> *mut T {
        self.0.get().wrapping_add(i)
    }
}

/// The rows of an array: how many, and how many elements each has.
pub(in crate::kernels) fn rows_of(op: &'static str, array: &Array) -> Result<(usize, usize)> {
    match array.shape().split_last() {
        Some((&n, outer)) => Ok((outer.iter().product(), n)),
        None => Err(Error::new(ErrorKind::Shape, op, "an array with at least one axis", array.shape())),
    }
}

/// Blocks of rows that fit in the nearest cache together.
#[inline(always)]
pub(in crate::kernels) fn blocks(rows: Range<usize>, n: usize) -> impl Iterator<Item = Range<usize>> {
    let height = (BLOCK / n).max(1);
    let end = rows.end;
    rows.step_by(height).map(move |start| start..(start + height).min(end))
}

/// The largest of `n` elements, NaN if any is NaN.
///
/// # Safety
/// `n > 0` elements may be read.
#[inline(always)]
pub(in crate::kernels) unsafe fn max<T: Number>(row: *const T, n: usize) -> T {
    // SAFETY: the caller's promise.
    unsafe { reduce_leaf::<T, T, Maximum, Identity, 1>(Identity, [row], n) }
}

/// The sum of a function of `n` elements of each input.
///
/// # Safety
/// `n > 0` elements of each input may be read.
#[inline(always)]
pub(in crate::kernels) unsafe fn sum<T: Number, K: Map<T, T, N>, const N: usize>(
    kernel: K,
    rows: [*const T; N],
    n: usize,
) -> T {
    // SAFETY: the caller's promise.
    unsafe { reduce_leaf::<T, T, Add, K, N>(kernel, rows, n) }
}

/// `to[j] = exp(x[j] - shift(row))` for a block of rows.
///
/// # Safety
/// The elements of the rows may be read, and `to` is memory for as many.
#[inline(always)]
pub(in crate::kernels) unsafe fn exp_shifted<T: Float>(
    x: *const T,
    shift: impl Fn(usize) -> T,
    rows: usize,
    n: usize,
    to: *mut T,
) {
    // SAFETY: the caller's promise; the second loop reads what the first one wrote.
    unsafe {
        for row in 0..rows {
            let shift = shift(row);
            for j in row * n..(row + 1) * n {
                to.add(j).write(*x.add(j) - shift);
            }
        }
        // One loop over all rows: short rows fill whole vectors.
        for j in 0..rows * n {
            to.add(j).write((*to.add(j)).exp());
        }
    }
}
