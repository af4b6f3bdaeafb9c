//! Recurrent layers over whole sequences, and their gradients.
//!
//! What the inputs contribute to the gates comes from one product for all steps. What is left is sequential in time but
//! not over the batch: each thread takes a share of the batch through all steps, without waiting for others.
mod gru;
mod lstm;
#[cfg(test)]
mod tests;

pub use gru::{gru, gru_grad};
pub use lstm::{lstm, lstm_grad};

use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::gemm::{Epilogue, FusedActivation, GemmElement, Mat, gemm};
use crate::{Array, Element, Error, ErrorKind, Number, Result, Shape, parallel};
use std::ops::Range;

/// Samples that one thread takes through all steps.
const SHARE: usize = 16;

/// The sizes of a problem: gates `[steps, batch, gates * units]`.
#[derive(Clone, Copy)]
struct Sizes {
    op: &'static str,
    steps: usize,
    batch: usize,
    units: usize,
    gates: usize,
}

impl Sizes {
    /// The sizes, from what the inputs contribute to the gates, and the recurrent weights `[units, gates * units]`.
    fn new(op: &'static str, z: &Array, recurrent: &Array, gates: usize) -> Result<Sizes> {
        if let (&[steps, batch, width], &[units, columns]) = (&z.shape()[..], &recurrent.shape()[..])
            && width == gates * units
            && columns == width
        {
            return Ok(Sizes { op, steps, batch, units, gates });
        }
        let expected = format!("gates [steps, batch, {gates} units] and weights [units, {gates} units]");
        let got = format!("{} and {}", z.shape(), recurrent.shape());
        Err(Error::new(ErrorKind::Shape, op, expected, got))
    }

    /// The array, contiguous, if it has this shape and type.
    fn expect<T: Element>(&self, array: &Array, shape: &[usize]) -> Result<Array> {
        array.expect_dtype(self.op, T::DTYPE)?;
        if **array.shape() != *shape {
            let expected = format!("shape {}", Shape::from(shape));
            return Err(Error::new(ErrorKind::Shape, self.op, expected, array.shape()));
        }
        array.contiguous()
    }

    /// `[steps, batch, n * units]`
    fn sequence(&self, n: usize) -> [usize; 3] {
        [self.steps, self.batch, n * self.units]
    }

    fn state(&self) -> [usize; 2] {
        [self.batch, self.units]
    }

    /// Calls `body` for each share of the batch.
    fn for_each_share(&self, body: impl Fn(Range<usize>) + Sync) {
        parallel::for_each(self.batch.div_ceil(SHARE), |i| {
            body(i * SHARE..((i + 1) * SHARE).min(self.batch));
        });
    }

    /// The first element of sample `row` in step `step` of a sequence of `n` times `units`.
    fn at(&self, step: usize, row: usize, n: usize) -> usize {
        (step * self.batch + row) * n * self.units
    }
}

/// The elements of an array that lives as long as this is used.
fn shared<T: Element>(array: &Array) -> Shared<T> {
    Shared::new(array.as_ptr::<T>().cast_mut())
}

/// Memory for results, which lives as long as this is used.
fn memory<T: Element>(array: &mut Uninit<T>) -> Shared<T> {
    Shared::new(array.as_mut_slice().as_mut_ptr().cast())
}

/// A row-major matrix without gaps.
fn packed<T>(ptr: *const T, rows: usize, cols: usize) -> Mat<T> {
    Mat { ptr, rows, cols, row_stride: cols as isize, col_stride: 1 }
}

fn turned<T>(matrix: Mat<T>) -> Mat<T> {
    let Mat { ptr, rows, cols, row_stride, col_stride } = matrix;
    Mat { ptr, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
}

/// `c = a b + bias`, or `c += a b`, for a `c` without gaps.
///
/// # Safety
/// As [`gemm`].
unsafe fn product<T: GemmElement>(a: Mat<T>, b: Mat<T>, c: *mut T, bias: *const T, accumulate: bool) {
    let epilogue = Epilogue { bias, activation: FusedActivation::Linear };
    // SAFETY: the caller's promise.
    unsafe { gemm(a, b, c, b.cols, accumulate, epilogue) }
}

/// The transpose in memory of its own, which the products of all steps read.
fn transposed(weights: &Array) -> Result<Array> {
    weights.transpose(&[1, 0])?.copy()
}

/// The gradient of the recurrent weights: the sum over all steps of the states before them, transposed, times the
/// gradients of the gates.
fn by_weights<T: Number + GemmElement>(
    sizes: &Sizes,
    initial: &Array,
    h: &Array,
    by_gates: &Array,
) -> Result<Array> {
    let Sizes { steps, batch, units, gates, .. } = *sizes;
    let width = gates * units;
    if steps * batch == 0 {
        return Array::zeros([units, width], T::DTYPE);
    }
    let mut out = Uninit::<T>::new([units, width])?;
    let to = memory(&mut out).get();
    let [initial, h, by_gates] = [initial, h, by_gates].map(Array::as_ptr::<T>);
    let rows = (steps - 1) * batch;
    // SAFETY: the matrices lie in their arrays; the first product writes each element.
    unsafe {
        let first = packed(by_gates, batch, width);
        product(turned(packed(initial, batch, units)), first, to, std::ptr::null(), false);
        if rows > 0 {
            let later = packed(by_gates.add(batch * width), rows, width);
            product(turned(packed(h, rows, units)), later, to, std::ptr::null(), true);
        }
        Ok(out.assume_init())
    }
}
