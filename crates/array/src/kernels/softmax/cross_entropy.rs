//! Softmax cross entropy from logits, in one pass with the softmax that its gradient needs.
use super::rows::{
    Divided, Input, Output, RowKernel, change_rows, changes, exp_rows, for_each_block, for_each_row, ln_all,
    max_rows, rows_of, sum_rows,
};
use super::{OfRows, expect_like, sum_long_rows};
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
    /// `loss[row] = -Σ_j labels_j · (x_j - shift[row] - ln[row])` for a block of rows that begin with row `first`.
    ///
    /// # Safety
    /// The rows exist, `x` are the `n` logits of each, and `loss` is memory for as many.
    unsafe fn losses(
        self,
        first: usize,
        x: *const T,
        size: (usize, usize),
        shift: *const T,
        ln: *const T,
        loss: *mut T,
    );

    /// `to_j = upstream · (softmax_j - labels_j)`.
    ///
    /// # Safety
    /// The row exists, `softmax` has `n` elements and `to` memory for as many.
    unsafe fn gradient(self, row: usize, softmax: *const T, n: usize, upstream: T, to: *mut T);
}

#[derive(Clone, Copy)]
struct Dense<T>(Input<T>);

changes! {
    Term: [label, x, _, shift, ln] => label * (ln - (x - shift));
}

impl<T: Float + Number> Labels<T> for Dense<T> {
    unsafe fn losses(
        self,
        first: usize,
        x: *const T,
        (rows, n): (usize, usize),
        shift: *const T,
        ln: *const T,
        loss: *mut T,
    ) {
        let mut terms = OfRows::<T>::uninit();
        let terms: *mut T = terms.as_mut_ptr().cast();
        // SAFETY: the caller's promise; there is space for a block.
        unsafe {
            sum_long_rows((rows, n), loss, |part: Range<usize>| {
                terms.copy_from_nonoverlapping(self.0.at(first * n + part.start), part.len());
                let size = (rows, part.len() / rows);
                change_rows(Term, terms, [x.add(part.start); 2], [shift, ln], size);
                terms
            });
        }
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
    unsafe fn losses(
        self,
        first: usize,
        x: *const T,
        (rows, n): (usize, usize),
        shift: *const T,
        ln: *const T,
        loss: *mut T,
    ) {
        for row in 0..rows {
            // SAFETY: the caller's promise, and the labels lie within the row.
            unsafe {
                let x = *x.add(row * n + *self.0.at(first + row) as usize);
                loss.add(row).write(*ln.add(row) - (x - *shift.add(row)));
            }
        }
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
        let (x, loss_to, to) = (Input::new(&logits), Output::new(&mut loss), Output::new(&mut softmax));
        for_each_block(count, n, |rows| {
            let (first, size) = (rows.start, (rows.len(), n));
            forward(labels, first, x.at(first * n), size, loss_to.at(first), to.at(first * n));
        });
        Ok((loss.assume_init(), softmax.assume_init()))
    }
}

/// Losses and softmax of a block of rows that begin with row `first`.
///
/// # Safety
/// The rows exist, with `n` logits each, and there is memory for the results.
unsafe fn forward<T: Float + Number, L: Labels<T>>(
    labels: L,
    first: usize,
    x: *const T,
    (rows, n): (usize, usize),
    loss: *mut T,
    softmax: *mut T,
) {
    let mut space = [const { OfRows::<T>::uninit() }; 2];
    let [shifts, totals] = space.each_mut().map(|space| space.as_mut_ptr().cast::<T>());
    // SAFETY: the caller's promise; a block has no more rows than `BLOCK`.
    unsafe {
        max_rows(x, rows, n, shifts);
        exp_rows(x, shifts, (rows, n), softmax);
        sum_rows(softmax, rows, n, totals);
        change_rows(Divided, softmax, [softmax; 2], [totals; 2], (rows, n));
        ln_all(totals, rows);
        labels.losses(first, x, (rows, n), shifts, totals, loss);
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
