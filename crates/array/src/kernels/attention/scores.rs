//! What happens to a block of scores between the products.
use super::{Attention, BLOCK, OP};
use crate::array::Strides;
use crate::kernels::Shared;
use crate::kernels::elementwise::Map;
use crate::kernels::gemm::Mat;
use crate::kernels::softmax::rows::{Divided, change_rows, exp_rows, ln_all, max_rows, sum, sum_rows};
use crate::{Array, DType, Error, ErrorKind, Float, Isa, Kernel, Number, Result, Shape, dispatch};

/// What a masked score is lowered by.
const MASKED: f64 = -1e9;

/// Which keys each query sees.
pub(super) struct Mask {
    first: Shared<bool>,
    strides: Strides,
    /// Keeps the elements.
    _array: Array,
}

impl Mask {
    pub(super) fn new(mask: &Array, shape: &Shape) -> Result<Mask> {
        mask.expect_dtype(OP, DType::Bool)?;
        let wide = mask.broadcast_to(shape).map_err(|_| {
            Error::new(ErrorKind::Shape, OP, format!("a mask that broadcasts to {shape}"), mask.shape())
        })?;
        let strides = wide.strides();
        Ok(Mask { first: Shared::new(wide.as_ptr::<bool>().cast_mut()), strides, _array: wide })
    }

    /// Lowers the masked scores of a query.
    ///
    /// # Safety
    /// The query exists, and the scores are of the first `n` keys.
    #[inline(always)]
    unsafe fn apply<T: Float>(&self, (sample, head): (usize, usize), query: usize, scores: *mut T, n: usize) {
        let place = [sample, head, query];
        let at: isize = place.iter().zip(&self.strides).map(|(&i, &stride)| i as isize * stride).sum();
        let (row, step) = (self.first.get().wrapping_offset(at), self.strides[3]);
        for j in 0..n {
            // SAFETY: the caller's promise.
            unsafe {
                let lowered = if *row.offset(j as isize * step) { T::ZERO } else { T::from_f64(MASKED) };
                *scores.add(j) += lowered;
            }
        }
    }
}

/// The softmax of `scale` times each row of scores, which are masked; what a causal query does not see becomes 0. The
/// logarithms of the sums of exponentials are written, or read where they are known.
pub(super) struct Softmax<'a, T> {
    pub(super) scores: *mut T,
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// The first query.
    pub(super) start: usize,
    /// Sample and head.
    pub(super) place: (usize, usize),
    pub(super) mask: Option<&'a Mask>,
    pub(super) options: Attention,
    pub(super) log_sums: *mut T,
    pub(super) known: bool,
}

impl<T: Float + Number> Softmax<'_, T> {
    pub(super) fn run(self) {
        let Softmax { rows, cols, start, log_sums, known, .. } = self;
        let (scores, masked, causal) = (self.scores, self.mask.is_some(), self.options.causal);
        dispatch(Scale(&self));
        // Rows that see as many keys go together.
        let together = if causal && !masked { 1 } else { rows.max(1) };
        for i in (0..rows).step_by(together) {
            // With a mask, scores of later keys are masked, not left out.
            let visible = if causal && !masked { cols.min(start + i + 1) } else { cols };
            let size = (together, visible);
            // SAFETY: the rows of scores and as many sums exist.
            unsafe {
                let (row, sums) = (scores.add(i * cols), log_sums.add(i));
                if known {
                    exp_rows(row, sums, size, row);
                } else {
                    softmax(row, size, sums);
                }
                for j in visible..cols {
                    *row.add(j) = <T as Float>::ZERO;
                }
            }
        }
    }
}

/// The softmax of rows of scores, in place, and the logarithms of the sums of exponentials.
///
/// # Safety
/// The rows exist, and there is memory for as many sums; there are at most [`BLOCK`] rows.
unsafe fn softmax<T: Float + Number>(row: *mut T, (rows, n): (usize, usize), log_sums: *mut T) {
    let mut totals = [<T as Float>::ZERO; BLOCK];
    let totals = totals.as_mut_ptr();
    // SAFETY: the caller's promise.
    unsafe {
        max_rows(row, rows, n, log_sums);
        exp_rows(row, log_sums, (rows, n), row);
        sum_rows(row, rows, n, totals);
        change_rows(Divided, row, [row; 2], [totals; 2], (rows, n));
        ln_all(totals, rows);
        for i in 0..rows {
            *log_sums.add(i) = *log_sums.add(i) + *totals.add(i);
        }
    }
}

/// Scales and masks the scores.
struct Scale<'a, T>(&'a Softmax<'a, T>);

impl<T: Float + Number> Kernel for Scale<'_, T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        let Softmax { scores, rows, cols, start, place, mask, options, .. } = *self.0;
        let scale = <T as Float>::from_f64(options.scale);
        for i in 0..rows {
            let query = start + i;
            let n = if options.causal { cols.min(query + 1) } else { cols };
            // SAFETY: the rows of scores exist.
            unsafe {
                let row = scores.add(i * cols);
                for j in 0..n {
                    *row.add(j) = *row.add(j) * scale;
                }
                if let Some(mask) = mask {
                    for j in n..cols {
                        *row.add(j) = *row.add(j) * scale + <T as Float>::from_f64(MASKED);
                    }
                    mask.apply(place, query, row, n);
                }
            }
        }
    }
}

/// The gradients of scores before scaling, `scale p (b - Σ out g)`, from their softmax `p`, its gradients `b`, and the
/// block's results and their gradients. They are written over `b`.
pub(super) struct ScoreGradients<T> {
    pub(super) scores: *const T,
    pub(super) by_scores: *mut T,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) out: Mat<T>,
    pub(super) g: Mat<T>,
    pub(super) scale: f64,
}

/// `a b`
#[derive(Clone, Copy)]
struct Product;

impl<T: Float> Map<T, T, 2> for Product {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        a * b
    }
}

impl<T: Float + Number> Kernel for ScoreGradients<T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        let scale = <T as Float>::from_f64(self.scale);
        for i in 0..self.rows {
            // SAFETY: the rows exist, and those of results and gradients have no gaps.
            unsafe {
                let (p, b) = (self.scores.add(i * self.cols), self.by_scores.add(i * self.cols));
                let row = |matrix: &Mat<T>| matrix.ptr.offset(i as isize * matrix.row_stride);
                let total = match self.out.cols {
                    0 => <T as Float>::ZERO,
                    n => sum(Product, [row(&self.out), row(&self.g)], n),
                };
                for j in 0..self.cols {
                    *b.add(j) = *p.add(j) * (*b.add(j) - total) * scale;
                }
            }
        }
    }
}
