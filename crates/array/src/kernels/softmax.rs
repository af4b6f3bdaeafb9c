//! Softmax and its relatives over the last axis, and their gradients.
//!
//! A row's largest element is subtracted before anything is exponentiated, so nothing overflows. Strided arrays are
//! made contiguous first (which [`memory::Stats`](crate::memory::Stats) counts).
mod cross_entropy;
pub(super) mod rows;
#[cfg(test)]
mod tests;

pub use cross_entropy::{
    softmax_cross_entropy, softmax_cross_entropy_grad, sparse_softmax_cross_entropy,
    sparse_softmax_cross_entropy_grad,
};

use crate::array::Uninit;
use crate::kernels::elementwise::Map;
use crate::{Array, Element, Error, ErrorKind, Float, Number, Result, with_float};
use rows::{
    BLOCK, Divided, Input, Output, change_rows, changes, exp_rows, for_each_block, ln_all, max_rows, rows_of,
    sum_rows,
};
use std::mem::MaybeUninit;
use std::ops::Range;

/// `exp(x_j) / Σ_k exp(x_k)` along the last axis.
///
/// # Errors
/// [`ErrorKind::Shape`] for a scalar, [`ErrorKind::DType`] if the elements are not floats, [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, softmax};
/// let x = Array::from_vec([3], vec![1000.0f64, 1000.0, f64::NEG_INFINITY])?;
/// assert_eq!(softmax(&x)?.to_vec::<f64>()?, [0.5, 0.5, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn softmax(x: &Array) -> Result<Array> {
    with_float!("softmax", x.dtype(), T => by_rows::<T, 1>("softmax", [x], softmax_rows::<T>))
}

/// `x_j - ln Σ_k exp(x_k)` along the last axis.
///
/// # Errors
/// As [`softmax`].
///
/// ```
/// use slalom_array::{Array, log_softmax};
/// let x = Array::from_vec([2], vec![1000.0f64, 1000.0])?;
/// assert_eq!(log_softmax(&x)?.to_vec::<f64>()?, [-std::f64::consts::LN_2; 2]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn log_softmax(x: &Array) -> Result<Array> {
    with_float!("log_softmax", x.dtype(), T => by_rows::<T, 1>("log_softmax", [x], log_softmax_rows::<T>))
}

/// The gradient of [`softmax`] for its input: `y_j (g_j - Σ_k g_k y_k)`, from its output `y` and the gradient `g` for
/// its output.
///
/// # Errors
/// As [`softmax`], and [`ErrorKind::Shape`] or [`ErrorKind::DType`] if the arrays differ in shape or type.
pub fn softmax_grad(output: &Array, upstream: &Array) -> Result<Array> {
    let op = "softmax_grad";
    with_float!(op, output.dtype(), T => {
        by_rows::<T, 2>(op, [output, upstream], softmax_grad_rows::<T>)
    })
}

/// The gradient of [`log_softmax`] for its input: `g_j - exp(y_j) Σ_k g_k`, from its output `y` and the gradient `g`
/// for its output.
///
/// # Errors
/// As [`softmax_grad`].
pub fn log_softmax_grad(output: &Array, upstream: &Array) -> Result<Array> {
    let op = "log_softmax_grad";
    with_float!(op, output.dtype(), T => {
        by_rows::<T, 2>(op, [output, upstream], log_softmax_grad_rows::<T>)
    })
}

/// `ln Σ_k exp(x_k)` along the last axis, which the result does not have. Negative infinity for no elements, or if
/// all are; infinity if any is.
///
/// # Errors
/// As [`softmax`].
///
/// ```
/// use slalom_array::{Array, logsumexp};
/// let x = Array::from_vec([2], vec![-1000.0f64, -1000.0])?;
/// assert_eq!(logsumexp(&x)?.item()?, -1000.0 + std::f64::consts::LN_2);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn logsumexp(x: &Array) -> Result<Array> {
    with_float!("logsumexp", x.dtype(), T => {
        let (count, n) = rows_of("logsumexp", x)?;
        let mut out = Uninit::<T>::new(x.shape().without(x.rank() - 1))?;
        if n == 0 {
            return Ok(out.fill(<T as Float>::NEG_INFINITY));
        }
        let x = x.contiguous()?;
        let (input, to) = (Input::<T>::new(&x), Output::new(&mut out));
        // SAFETY: both have `count` rows, and each row writes its own result.
        unsafe {
            for_each_block(count, n, |rows| {
                logsumexp_rows(input.at(rows.start * n), rows.len(), n, to.at(rows.start));
            });
            Ok(out.assume_init())
        }
    })
}

/// Computes the output, which has the shape of the inputs, in blocks of rows: `body(inputs, rows, n, output)`.
fn by_rows<T: Element, const N: usize>(
    op: &'static str,
    inputs: [&Array; N],
    body: unsafe fn([*const T; N], usize, usize, *mut T),
) -> Result<Array> {
    let shape = inputs[0].shape();
    let (count, n) = rows_of(op, inputs[0])?;
    for input in inputs {
        expect_like(op, inputs[0], input)?;
    }
    let mut out = Uninit::<T>::new(shape)?;
    let mut held = inputs.map(Array::clone);
    for input in &mut held {
        *input = input.contiguous()?;
    }
    let (from, to) = (held.each_ref().map(|a| Input::new(a)), Output::new(&mut out));
    // SAFETY: all have `count` rows of `n` elements, and each block writes its own.
    unsafe {
        if n > 0 {
            for_each_block(count, n, |rows| {
                let first = rows.start * n;
                body(from.map(|from| from.at(first)), rows.len(), n, to.at(first));
            });
        }
        Ok(out.assume_init())
    }
}

/// Checks that two arrays have the same shape and type.
fn expect_like(op: &'static str, first: &Array, other: &Array) -> Result<()> {
    other.expect_dtype(op, first.dtype())?;
    if first.shape() == other.shape() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Shape, op, format!("shape {}", first.shape()), other.shape()))
}

/// A number for each row of a block.
type OfRows<T> = MaybeUninit<[T; BLOCK]>;

/// # Safety
/// Here and below: a block of rows of `n > 0` elements each, and memory for the results.
unsafe fn softmax_rows<T: Float + Number>([x]: [*const T; 1], rows: usize, n: usize, to: *mut T) {
    let mut totals = OfRows::<T>::uninit();
    let totals: *mut T = totals.as_mut_ptr().cast();
    // SAFETY: the caller's promise; a block has no more rows than `BLOCK`.
    unsafe {
        max_rows(x, rows, n, totals);
        exp_rows(x, totals, (rows, n), to);
        sum_rows(to, rows, n, totals);
        change_rows(Divided, to, [to; 2], [totals; 2], (rows, n));
    }
}

changes! {
    LogSoftmax: [_, x, _, shift, ln] => x - shift - ln;
    SoftmaxGrad: [_, y, g, total, _] => y * (g - total);
    LogSoftmaxGrad: [exp, g, _, total, _] => g - exp * total;
    Product: [y, g, _, _, _] => g * y;
}

/// # Safety
/// As [`softmax_rows`].
unsafe fn log_softmax_rows<T: Float + Number>([x]: [*const T; 1], rows: usize, n: usize, to: *mut T) {
    let mut space = [const { OfRows::<T>::uninit() }; 2];
    let [shifts, totals] = space.each_mut().map(|space| space.as_mut_ptr().cast::<T>());
    // SAFETY: as in `softmax_rows`.
    unsafe {
        max_rows(x, rows, n, shifts);
        exp_rows(x, shifts, (rows, n), to);
        sum_rows(to, rows, n, totals);
        ln_all(totals, rows);
        change_rows(LogSoftmax, to, [x; 2], [shifts, totals], (rows, n));
    }
}

/// # Safety
/// As [`softmax_rows`].
unsafe fn softmax_grad_rows<T: Float + Number>([y, g]: [*const T; 2], rows: usize, n: usize, to: *mut T) {
    let mut totals = OfRows::<T>::uninit();
    let totals: *mut T = totals.as_mut_ptr().cast();
    // SAFETY: as in `softmax_rows`.
    unsafe {
        to.copy_from_nonoverlapping(y, rows * n);
        change_rows(Product, to, [g; 2], [y; 2], (rows, n));
        sum_rows(to, rows, n, totals);
        change_rows(SoftmaxGrad, to, [y, g], [totals; 2], (rows, n));
    }
}

/// # Safety
/// As [`softmax_rows`].
unsafe fn log_softmax_grad_rows<T: Float + Number>([y, g]: [*const T; 2], rows: usize, n: usize, to: *mut T) {
    let mut totals = MaybeUninit::new([<T as Float>::ZERO; BLOCK]);
    let totals: *mut T = totals.as_mut_ptr().cast();
    // SAFETY: as in `softmax_rows`.
    unsafe {
        exp_rows(y, totals, (rows, n), to);
        sum_rows(g, rows, n, totals);
        change_rows(LogSoftmaxGrad, to, [g; 2], [totals; 2], (rows, n));
    }
}

/// # Safety
/// As [`softmax_rows`], with memory for a result for each row.
unsafe fn logsumexp_rows<T: Float + Number>(x: *const T, rows: usize, n: usize, to: *mut T) {
    let mut space = [const { OfRows::<T>::uninit() }; 2];
    let [shifts, exps] = space.each_mut().map(|space| space.as_mut_ptr().cast::<T>());
    // SAFETY: as in `softmax_rows`; a block has no more elements than `BLOCK`, unless it is one long row.
    unsafe {
        max_rows(x, rows, n, shifts);
        for row in 0..rows {
            // Infinities are not subtracted from each other.
            let largest = *shifts.add(row);
            shifts.add(row).write(T::select(largest.is_finite(), largest, <T as Float>::ZERO));
        }
        sum_long_rows((rows, n), to, |part: Range<usize>| {
            exp_rows(x.add(part.start), shifts, (rows, part.len() / rows), exps);
            exps
        });
        ln_all(to, rows);
        for row in 0..rows {
            *to.add(row) = *to.add(row) + *shifts.add(row);
        }
    }
}

/// `to[row] = Σ_j terms[row, j]` for a block of rows whose terms `part(range)` writes to memory for [`BLOCK`] elements and
/// returns: for all rows, or for some elements of one long row.
///
/// # Safety
/// Memory for a result for each row; `part` returns as many terms as it is asked for.
unsafe fn sum_long_rows<T: Float + Number>(
    (rows, n): (usize, usize),
    to: *mut T,
    part: impl Fn(Range<usize>) -> *mut T,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if n <= BLOCK {
            return sum_rows(part(0..rows * n), rows, n, to);
        }
        let mut total = <T as Float>::ZERO;
        for start in (0..n).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(n);
            let length = range.len();
            sum_rows(part(range), 1, length, to);
            total += *to;
        }
        to.write(total);
    }
}
