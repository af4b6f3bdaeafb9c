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
use crate::kernels::elementwise::{Identity, Map};
use crate::{Array, Element, Error, ErrorKind, Float, Number, Result, with_float};
use rows::{BLOCK, Input, Output, RowKernel, blocks, exp_shifted, for_each_row, max, rows_of, sum};
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
    with_float!("softmax", x.dtype(), T => by_rows::<T, 1, _>("softmax", [x], |[x], to| Softmax { x, to }))
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
    with_float!("log_softmax", x.dtype(), T => by_rows::<T, 1, _>("log_softmax", [x], |[x], to| LogSoftmax { x, to }))
}

/// The gradient of [`softmax`] for its input: `y_j (g_j - Σ_k g_k y_k)`, from its output `y` and the gradient `g` for
/// its output.
///
/// # Errors
/// As [`softmax`], and [`ErrorKind::Shape`] or [`ErrorKind::DType`] if the arrays differ in shape or type.
pub fn softmax_grad(output: &Array, upstream: &Array) -> Result<Array> {
    let op = "softmax_grad";
    with_float!(op, output.dtype(), T => {
        by_rows::<T, 2, _>(op, [output, upstream], |[y, g], to| SoftmaxGrad { y, g, to })
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
        by_rows::<T, 2, _>(op, [output, upstream], |[y, g], to| LogSoftmaxGrad { y, g, to })
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
            for_each_row(count, n, LogSumExp { x: input, to });
            Ok(out.assume_init())
        }
    })
}

/// Runs a kernel whose output has the shape of its inputs.
fn by_rows<T: Element, const N: usize, K: RowKernel<T>>(
    op: &'static str,
    inputs: [&Array; N],
    kernel: impl Fn([Input<T>; N], Output<T>) -> K,
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
    let kernel = kernel(held.each_ref().map(|a| Input::new(a)), Output::new(&mut out));
    // SAFETY: all have `count` rows of `n` elements, and each row writes its own.
    unsafe {
        if n > 0 {
            for_each_row(count, n, kernel);
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

struct Softmax<T> {
    x: Input<T>,
    to: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for Softmax<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for block in blocks(rows, n) {
            let (x, to) = (self.x.at(block.start * n), self.to.at(block.start * n));
            // SAFETY: the rows of the block exist.
            unsafe {
                exp_shifted(x, |row| max(x.add(row * n), n), block.len(), n, to);
                for row in 0..block.len() {
                    let y = to.add(row * n);
                    let total = sum(Identity, [y.cast_const()], n);
                    for j in 0..n {
                        *y.add(j) = *y.add(j) / total;
                    }
                }
            }
        }
    }
}

/// `exp(x - shift)`.
#[derive(Clone, Copy)]
struct ExpShifted<T>(T);

impl<T: Float> Map<T, T, 1> for ExpShifted<T> {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> T {
        (x - self.0).exp()
    }
}

/// Calls `each(row, shift, Σ exp(x - shift))` for each row of a block.
///
/// # Safety
/// The elements of the rows may be read; the rows are a block.
#[inline(always)]
unsafe fn exp_sums<T: Float + Number>(
    x: *const T,
    rows: usize,
    n: usize,
    shift: impl Fn(*const T) -> T,
    each: impl Fn(usize, T, T),
) {
    // SAFETY: the caller's promise; `rows * n` is at most `BLOCK`, unless there is one long row.
    unsafe {
        if n > BLOCK {
            let shift = shift(x);
            return each(0, shift, sum(ExpShifted(shift), [x], n));
        }
        let mut space = MaybeUninit::<[[T; BLOCK]; 2]>::uninit();
        let shifts: *mut T = space.as_mut_ptr().cast();
        let exps = shifts.add(BLOCK);
        for row in 0..rows {
            shifts.add(row).write(shift(x.add(row * n)));
        }
        exp_shifted(x, |row| *shifts.add(row), rows, n, exps);
        for row in 0..rows {
            each(row, *shifts.add(row), sum(Identity, [exps.add(row * n).cast_const()], n));
        }
    }
}

struct LogSoftmax<T> {
    x: Input<T>,
    to: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for LogSoftmax<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for block in blocks(rows, n) {
            let (x, to) = (self.x.at(block.start * n), self.to.at(block.start * n));
            // SAFETY: the rows of the block exist.
            unsafe {
                let largest = |row| max(row, n);
                exp_sums(x, block.len(), n, largest, |row, shift, total| {
                    let ln = total.ln();
                    for j in row * n..(row + 1) * n {
                        to.add(j).write(*x.add(j) - shift - ln);
                    }
                });
            }
        }
    }
}

struct LogSumExp<T> {
    x: Input<T>,
    to: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for LogSumExp<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for block in blocks(rows, n) {
            let (x, to) = (self.x.at(block.start * n), self.to.at(block.start));
            // SAFETY: the rows of the block exist.
            unsafe {
                // Infinities are not subtracted from each other.
                let finite = |row: *const T| {
                    let largest = max(row, n);
                    T::select(largest.is_finite(), largest, <T as Float>::ZERO)
                };
                exp_sums(x, block.len(), n, finite, |row, shift, total| {
                    to.add(row).write(total.ln() + shift)
                });
            }
        }
    }
}

/// `a · b`.
#[derive(Clone, Copy)]
struct Product;

impl<T: Float> Map<T, T, 2> for Product {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        a * b
    }
}

struct SoftmaxGrad<T> {
    y: Input<T>,
    g: Input<T>,
    to: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for SoftmaxGrad<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for row in rows {
            let (y, g, to) = (self.y.at(row * n), self.g.at(row * n), self.to.at(row * n));
            // SAFETY: the row exists.
            unsafe {
                let total = sum(Product, [g, y], n);
                for j in 0..n {
                    to.add(j).write(*y.add(j) * (*g.add(j) - total));
                }
            }
        }
    }
}

struct LogSoftmaxGrad<T> {
    y: Input<T>,
    g: Input<T>,
    to: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for LogSoftmaxGrad<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for block in blocks(rows, n) {
            let (y, g, to) =
                (self.y.at(block.start * n), self.g.at(block.start * n), self.to.at(block.start * n));
            // SAFETY: the rows of the block exist.
            unsafe {
                exp_shifted(y, |_| <T as Float>::ZERO, block.len(), n, to);
                for row in 0..block.len() {
                    let total = sum(Identity, [g.add(row * n)], n);
                    for j in row * n..(row + 1) * n {
                        to.add(j).write(*g.add(j) - *to.add(j) * total);
                    }
                }
            }
        }
    }
}
