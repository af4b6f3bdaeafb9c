//! What all functions over rows need: the split into shares, the extremes and the sums.
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::elementwise::Map;
use crate::kernels::reduce::{Add, Loops, Maximum, Span, leaf};
use crate::{Array, Element, Error, ErrorKind, Float, Isa, Kernel, Number, Result, dispatch, parallel};
use std::ops::Range;

/// Elements that are worked on while they are in the nearest cache, unless one row has more.
pub(in crate::kernels) const BLOCK: usize = 2048;
/// Elements that one thread works on at a time, unless one row has more.
const SHARE: usize = 1 << 13;

/// What is computed for each row, with numbers of type `T`, in one loop that is compiled for each instruction set.
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

/// Calls `body` for all `rows`, in shares that have a fixed number of rows.
pub(in crate::kernels) fn for_each_share(rows: usize, n: usize, body: impl Fn(Range<usize>) + Sync) {
    let share = share(rows, n);
    parallel::for_each(rows.div_ceil(share), |i| body(i * share..((i + 1) * share).min(rows)));
}

/// Calls `body` for all blocks of `rows`.
pub(super) fn for_each_block(rows: usize, n: usize, body: impl Fn(Range<usize>) + Sync) {
    for_each_share(rows, n, |share| blocks(share, n).for_each(&body));
}

/// Runs `kernel` for all `rows`, in shares that have a fixed number of rows.
///
/// # Safety
/// The kernel may read and write what belongs to each row.
pub(in crate::kernels) unsafe fn for_each_row<T: Sync>(rows: usize, n: usize, kernel: impl RowKernel<T>) {
    for_each_share(rows, n, |range| {
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
    const WIDEST: Isa = Isa::Avx2;
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
fn blocks(rows: Range<usize>, n: usize) -> impl Iterator<Item = Range<usize>> {
    let height = (BLOCK / n).max(1);
    let end = rows.end;
    rows.step_by(height).map(move |start| start..(start + height).min(end))
}

/// The sum of a function of `n` elements of each input, for the loop of a [`RowKernel`].
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
    unsafe { leaf::<T, T, Add, K, N>(kernel, rows, n) }
}

// The functions below are loops over blocks of rows, each compiled once for all that use it.

/// `to[row] = max_j x[row, j]`, NaN if any is NaN.
///
/// # Safety
/// `rows` rows of `n > 0` elements of `x`, and memory for as many results.
pub(in crate::kernels) unsafe fn max_rows<T: Number>(x: *const T, rows: usize, n: usize, to: *mut T) {
    let span = Span { count: rows, step: n as isize, n };
    // SAFETY: the caller's promise.
    unsafe { Loops::of::<T, Maximum>().rows(x.cast(), span, to.cast()) };
}

/// `to[row] = Σ_j x[row, j]`
///
/// # Safety
/// As [`max_rows`].
pub(in crate::kernels) unsafe fn sum_rows<T: Number>(x: *const T, rows: usize, n: usize, to: *mut T) {
    let span = Span { count: rows, step: n as isize, n };
    // SAFETY: the caller's promise.
    unsafe { Loops::of::<T, Add>().rows(x.cast(), span, to.cast()) };
}

/// `to[row, j] = exp(x[row, j] - shift[row])`
///
/// # Safety
/// `rows` rows of `n` elements of `x`, memory for as many in `to`, which is `x` or somewhere else, and `rows` shifts.
pub(in crate::kernels) unsafe fn exp_rows<T: Float>(
    x: *const T,
    shift: *const T,
    (rows, n): (usize, usize),
    to: *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if !std::ptr::eq(x, to) {
            to.copy_from_nonoverlapping(x, rows * n);
        }
    }
    dispatch(ExpRows { shift, rows, n, to });
}

struct ExpRows<T> {
    shift: *const T,
    rows: usize,
    n: usize,
    to: *mut T,
}

impl<T: Float> Kernel for ExpRows<T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let ExpRows { shift, rows, n, to } = self;
        // SAFETY: `exp_rows` makes it for rows that exist.
        unsafe {
            for row in 0..rows {
                let shift = *shift.add(row);
                for j in row * n..(row + 1) * n {
                    *to.add(j) = *to.add(j) - shift;
                }
            }
            // One loop over all rows: short rows fill whole vectors.
            for j in 0..rows * n {
                *to.add(j) = (*to.add(j)).exp();
            }
        }
    }
}

/// `x[i] = ln(x[i])`
///
/// # Safety
/// `n` elements.
pub(in crate::kernels) unsafe fn ln_all<T: Float>(x: *mut T, n: usize) {
    dispatch(LnAll { x, n });
}

struct LnAll<T> {
    x: *mut T,
    n: usize,
}

impl<T: Float> Kernel for LnAll<T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        for i in 0..self.n {
            // SAFETY: `ln_all` makes it for `n` elements.
            unsafe { *self.x.add(i) = (*self.x.add(i)).ln() };
        }
    }
}

/// `to[row, j] = f([to[row, j], a[row, j], b[row, j], p[row], q[row]])`
///
/// # Safety
/// `rows` rows of `n` elements of `to`, `a` and `b`, and `rows` of `p` and `q`; what `f` does not use may be whatever
/// exists.
pub(in crate::kernels) unsafe fn change_rows<T: Float, K: Map<T, T, 5>>(
    kernel: K,
    to: *mut T,
    operands: [*const T; 2],
    of_rows: [*const T; 2],
    (rows, n): (usize, usize),
) {
    dispatch(ChangeRows { kernel, to, operands, of_rows, rows, n });
}

struct ChangeRows<T, K> {
    kernel: K,
    to: *mut T,
    operands: [*const T; 2],
    of_rows: [*const T; 2],
    rows: usize,
    n: usize,
}

impl<T: Float, K: Map<T, T, 5>> Kernel for ChangeRows<T, K> {
    type Output = ();
    const WIDEST: Isa = K::WIDEST;
    #[inline(always)]
    fn run(self) {
        let ChangeRows { kernel, to, operands: [a, b], of_rows: [p, q], rows, n } = self;
        for row in 0..rows {
            // SAFETY: `change_rows` makes it for rows that exist.
            unsafe {
                let (p, q) = (*p.add(row), *q.add(row));
                for j in row * n..(row + 1) * n {
                    *to.add(j) = kernel.eval([*to.add(j), *a.add(j), *b.add(j), p, q]);
                }
            }
        }
    }
}

/// Functions for [`change_rows`].
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident: [$($x:pat),*] => $value:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::kernels) struct $name;

        impl<T: Float> Map<T, T, 5> for $name {
            #[inline(always)]
            fn eval(self, [$($x),*]: [T; 5]) -> T {
                $value
            }
        }
    )*};
}
pub(in crate::kernels) use changes;

changes! {
    /// Divided by a number of the row.
    Divided: [y, _, _, total, _] => y / total;
}
