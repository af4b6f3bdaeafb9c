//! What happens to a block of scores between the products.
use super::{Attention, OP};
use crate::array::Strides;
use crate::kernels::Shared;
use crate::kernels::elementwise::{Identity, Map};
use crate::kernels::gemm::Mat;
use crate::kernels::softmax::rows::{max, sum};
use crate::{Array, DType, Error, ErrorKind, Float, Kernel, Number, Result, Shape};

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

impl<T: Float + Number> Kernel for Softmax<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let scale = <T as Float>::from_f64(self.options.scale);
        for i in 0..self.rows {
            let query = self.start + i;
            let n = if self.options.causal { self.cols.min(query + 1) } else { self.cols };
            // SAFETY: the rows of scores and as many sums exist.
            unsafe {
                let row = self.scores.add(i * self.cols);
                for j in 0..n {
                    *row.add(j) = *row.add(j) * scale;
                }
                let mut visible = n;
                if let Some(mask) = self.mask {
                    // With a mask, scores of later keys are masked, not left out.
                    for j in n..self.cols {
                        *row.add(j) = *row.add(j) * scale + <T as Float>::from_f64(MASKED);
                    }
                    mask.apply(self.place, query, row, n);
                    visible = self.cols;
                }
                let shift = if self.known { *self.log_sums.add(i) } else { max(row.cast_const(), visible) };
                for j in 0..visible {
                    *row.add(j) = (*row.add(j) - shift).exp();
                }
                if !self.known {
                    let total = sum(Identity, [row.cast_const()], visible);
                    self.log_sums.add(i).write(shift + total.ln());
                    for j in 0..visible {
                        *row.add(j) = *row.add(j) / total;
                    }
                }
                for j in visible..self.cols {
                    *row.add(j) = <T as Float>::ZERO;
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
