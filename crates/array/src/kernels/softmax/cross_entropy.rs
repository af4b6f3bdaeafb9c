//! Softmax cross entropy from logits, in one pass with the softmax that its gradient needs.
use super::rows::{Input, Output, RowKernel, blocks, exp_shifted, for_each_row, max, rows_of, sum};
use super::{Identity, expect_like};
use crate::array::Uninit;
use crate::kernels::elementwise::Map;
use crate::kernels::index::checked_indices;
use crate::kernels::strided::Rows;
use crate::{Array, Error, ErrorKind, Float, Number, Result, with_float};
use std::ops::Range;

/// The loss of each row, `-Σ_j labels_j · log_softmax(logits)_j` along the last axis, and `softmax(logits)`, which
/// [`softmax_cross_entropy_grad`] needs.
///
/// # Errors
/// [`ErrorKind::Shape`] or [`ErrorKind::DType`] if the arrays differ in shape or type, are scalars, or are not of
/// floats; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, softmax_cross_entropy};
/// let logits = Array::from_vec([1, 2], vec![0.0f64, 0.0])?;
/// let labels = Array::from_vec([1, 2], vec![0.0f64, 1.0])?;
/// let (loss, softmax) = softmax_cross_entropy(&logits, &labels)?;
/// assert_eq!(loss.to_vec::<f64>()?, [std::f64::consts::LN_2]);
/// assert_eq!(softmax.to_vec::<f64>()?, [0.5, 0.5]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn softmax_cross_entropy(logits: &Array, labels: &Array) -> Result<(Array, Array)> {
    let op = "softmax_cross_entropy";
    expect_like(op, logits, labels)?;
    with_float!(op, logits.dtype(), T => {
        let labels = labels.contiguous()?;
        cross_entropy::<T, _>(op, logits, Dense(Input::new(&labels)))
    })
}

/// The loss of each row, `-log_softmax(logits)[label]` along the last axis, and `softmax(logits)`, which
/// [`sparse_softmax_cross_entropy_grad`] needs. The labels (of type `i32` or `i64`) have the shape of the logits
/// without the last axis.
///
/// # Errors
/// [`ErrorKind::Index`] if a label is not in `0..n`, the length of the last axis; [`ErrorKind::Shape`],
/// [`ErrorKind::DType`], [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, sparse_softmax_cross_entropy};
/// let logits = Array::from_vec([1, 2], vec![0.0f64, 0.0])?;
/// let (loss, _) = sparse_softmax_cross_entropy(&logits, &Array::from_vec([1], vec![1])?)?;
/// assert_eq!(loss.to_vec::<f64>()?, [std::f64::consts::LN_2]);
/// let error = sparse_softmax_cross_entropy(&logits, &Array::from_vec([1], vec![2])?).unwrap_err();
/// assert_eq!(error.to_string(), "sparse_softmax_cross_entropy: expected labels in 0..2, got 2");
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn sparse_softmax_cross_entropy(logits: &Array, labels: &Array) -> Result<(Array, Array)> {
    let op = "sparse_softmax_cross_entropy";
    let labels = checked_labels(op, logits, labels)?;
    with_float!(op, logits.dtype(), T => cross_entropy::<T, _>(op, logits, Sparse(Input::new(&labels))))
}

/// The gradient of [`softmax_cross_entropy`] for the logits: `upstream_i · (softmax_ij - labels_ij)`. As in
/// TensorFlow, this assumes labels that sum to 1 in each row.
///
/// # Errors
/// As [`softmax_cross_entropy`], and [`ErrorKind::Shape`] if `upstream` has not the shape of the loss.
pub fn softmax_cross_entropy_grad(softmax: &Array, labels: &Array, upstream: &Array) -> Result<Array> {
    let op = "softmax_cross_entropy_grad";
    expect_like(op, softmax, labels)?;
    with_float!(op, softmax.dtype(), T => {
        let labels = labels.contiguous()?;
        gradient::<T, _>(op, softmax, Dense(Input::new(&labels)), upstream)
    })
}

/// The gradient of [`sparse_softmax_cross_entropy`] for the logits: `upstream_i · (softmax_ij - [j = label_i])`.
///
/// # Errors
/// As [`sparse_softmax_cross_entropy`], and [`ErrorKind::Shape`] if `upstream` has not the shape of the loss.
pub fn sparse_softmax_cross_entropy_grad(softmax: &Array, labels: &Array, upstream: &Array) -> Result<Array> {
    let op = "sparse_softmax_cross_entropy_grad";
    let labels = checked_labels(op, softmax, labels)?;
    with_float!(op, softmax.dtype(), T => gradient::<T, _>(op, softmax, Sparse(Input::new(&labels)), upstream))
}

/// The labels as contiguous `i64`, all within the last axis.
fn checked_labels(op: &'static str, logits: &Array, labels: &Array) -> Result<Array> {
    let (_, n) = rows_of(op, logits)?;
    expect_outer(op, logits, labels)?;
    checked_indices(op, "labels", labels, n)
}

/// Checks that an array has the shape of another one without the last axis.
fn expect_outer(op: &'static str, full: &Array, outer: &Array) -> Result<()> {
    let shape = full.shape().without(full.rank() - 1);
    if *outer.shape() == shape {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Shape,
        op,
        format!("shape {shape} for arrays of shape {}", full.shape()),
        outer.shape(),
    ))
}

/// The labels of rows.
trait Labels<T>: Copy + Sync {
    /// `-Σ_j labels_j · (x_j - shift - ln)`.
    ///
    /// # Safety
    /// The row exists and `x` are its `n` logits.
    unsafe fn loss(self, row: usize, x: *const T, n: usize, shift: T, ln: T) -> T;

    /// `to_j = upstream · (softmax_j - labels_j)`.
    ///
    /// # Safety
    /// The row exists, `softmax` has `n` elements and `to` memory for as many.
    unsafe fn gradient(self, row: usize, softmax: *const T, n: usize, upstream: T, to: *mut T);
}

#[derive(Clone, Copy)]
struct Dense<T>(Input<T>);

/// `label · (ln - (x - shift))`.
#[derive(Clone, Copy)]
struct Term<T> {
    shift: T,
    ln: T,
}

impl<T: Float> Map<T, T, 2> for Term<T> {
    #[inline(always)]
    fn eval(self, [label, x]: [T; 2]) -> T {
        label * (self.ln - (x - self.shift))
    }
}

impl<T: Float + Number> Labels<T> for Dense<T> {
    #[inline(always)]
    unsafe fn loss(self, row: usize, x: *const T, n: usize, shift: T, ln: T) -> T {
        // SAFETY: the caller's promise.
        unsafe { sum(Term { shift, ln }, [self.0.at(row * n), x], n) }
    }

    #[inline(always)]
    unsafe fn gradient(self, row: usize, softmax: *const T, n: usize, upstream: T, to: *mut T) {
        let labels = self.0.at(row * n);
        for j in 0..n {
            // SAFETY: the caller's promise.
            unsafe { to.add(j).write(upstream * (*softmax.add(j) - *labels.add(j))) };
        }
    }
}

#[derive(Clone, Copy)]
struct Sparse(Input<i64>);

impl<T: Float> Labels<T> for Sparse {
    #[inline(always)]
    unsafe fn loss(self, row: usize, x: *const T, _: usize, shift: T, ln: T) -> T {
        // SAFETY: the caller's promise, and the labels lie within the row.
        unsafe { ln - (*x.add(*self.0.at(row) as usize) - shift) }
    }

    #[inline(always)]
    unsafe fn gradient(self, row: usize, softmax: *const T, n: usize, upstream: T, to: *mut T) {
        // SAFETY: the caller's promise, and the labels lie within the row.
        unsafe {
            for j in 0..n {
                to.add(j).write(upstream * *softmax.add(j));
            }
            let label = *self.0.at(row) as usize;
            to.add(label).write(upstream * (*softmax.add(label) - T::ONE));
        }
    }
}

fn cross_entropy<T: Float + Number, L: Labels<T>>(
    op: &'static str,
    logits: &Array,
    labels: L,
) -> Result<(Array, Array)> {
    let (count, n) = rows_of(op, logits)?;
    let mut loss = Uninit::<T>::new(logits.shape().without(logits.rank() - 1))?;
    let mut softmax = Uninit::<T>::new(logits.shape())?;
    // SAFETY: there are `count` rows of `n` logits and of labels, and each row writes its own results.
    unsafe {
        if n == 0 {
            return Ok((loss.fill(<T as Number>::ZERO), softmax.assume_init()));
        }
        let logits = logits.contiguous()?;
        let x = Input::new(&logits);
        for_each_row(
            count,
            n,
            Forward { x, labels, loss: Output::new(&mut loss), softmax: Output::new(&mut softmax) },
        );
        Ok((loss.assume_init(), softmax.assume_init()))
    }
}

struct Forward<T, L> {
    x: Input<T>,
    labels: L,
    loss: Output<T>,
    softmax: Output<T>,
}

impl<T: Float + Number, L: Labels<T>> RowKernel<T> for Forward<T, L> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for block in blocks(rows, n) {
            let (x, exps, loss) =
                (self.x.at(block.start * n), self.softmax.at(block.start * n), self.loss.at(block.start));
            // SAFETY: the rows of the block exist.
            unsafe {
                // The largest logits wait where the losses go.
                for row in 0..block.len() {
                    loss.add(row).write(max(x.add(row * n), n));
                }
                exp_shifted(x, |row| *loss.add(row), block.len(), n, exps);
                for row in 0..block.len() {
                    let (x, y) = (x.add(row * n), exps.add(row * n));
                    let total = sum(Identity, [y.cast_const()], n);
                    for j in 0..n {
                        *y.add(j) = *y.add(j) / total;
                    }
                    let shift = *loss.add(row);
                    loss.add(row).write(self.labels.loss(block.start + row, x, n, shift, total.ln()));
                }
            }
        }
    }
}

fn gradient<T: Float + Number, L: Labels<T>>(
    op: &'static str,
    softmax: &Array,
    labels: L,
    upstream: &Array,
) -> Result<Array> {
    let (count, n) = rows_of(op, softmax)?;
    upstream.expect_dtype(op, T::DTYPE)?;
    expect_outer(op, softmax, upstream)?;
    let mut out = Uninit::<T>::new(softmax.shape())?;
    // SAFETY: there are `count` rows of the softmax, of labels and of the result, and one upstream element for each.
    unsafe {
        if !softmax.is_empty() {
            let softmax = softmax.contiguous()?;
            let walk = Rows::new(upstream.shape(), [&upstream.strides()]);
            let (y, upstream, to) = (Input::new(&softmax), Input::at_first(upstream), Output::new(&mut out));
            for_each_row(count, n, Backward { y, labels, upstream, walk, to });
        }
        Ok(out.assume_init())
    }
}

struct Backward<T, L> {
    y: Input<T>,
    labels: L,
    /// The first element of a strided array ...
    upstream: Input<T>,
    /// ... and where the others lie.
    walk: Rows<1>,
    to: Output<T>,
}

impl<T: Float + Number, L: Labels<T>> RowKernel<T> for Backward<T, L> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for row in rows {
            // SAFETY: the row exists.
            unsafe {
                let upstream = *self.upstream.at(0).wrapping_offset(self.walk.offset(row)[0]);
                self.labels.gradient(row, self.y.at(row * n), n, upstream, self.to.at(row * n));
            }
        }
    }
}
