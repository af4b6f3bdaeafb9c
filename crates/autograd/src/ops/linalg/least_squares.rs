//! Pseudo-inverses, ranks and least squares.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::diagonal::matrix_of;
use crate::ops::reduce::expect_float;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Result, linalg};
use smallvec::smallvec;

/// The distance from 1 to the next larger number of the type.
fn epsilon(dtype: DType) -> f64 {
    if dtype == DType::F32 { f32::EPSILON.into() } else { f64::EPSILON }
}

/// The pseudo-inverse of each matrix.
#[derive(Debug, Clone, Copy)]
struct Pinv {
    /// Singular values up to this part of the largest one count as zero.
    rcond: f64,
}

impl Op for Pinv {
    fn name(&self) -> &'static str {
        "pinv"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::pinv(inputs[0], self.rcond)?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    /// G. Golub, V. Pereyra, "The differentiation of pseudo-inverses", *SIAM J. Numer. Anal.* 10, 1973; for a rank that
    /// does not change.
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (a, p, g) = (cx.input(0), cx.output(), cx.grad()?);
        let (pt, gt) = (p.t()?, g.t()?);
        let inner = pt.matmul(g.matmul(&pt)?)?;
        // (1 - a p) gᵀ p pᵀ and pᵀ p gᵀ (1 - p a)
        let left = gt.matmul(p.matmul(&pt)?)?;
        let left = &left - a.matmul(p.matmul(&left)?)?;
        let right = pt.matmul(p)?.matmul(&gt)?;
        let right = &right - right.matmul(p)?.matmul(a)?;
        one(left + right - inner)
    }
}

/// The largest singular value, of descending ones; nothing for none.
fn largest(s: &Tensor) -> Result<Tensor> {
    let first = usize::from(s.shape().last() != Some(&0));
    s.slice(-1, 0, first)
}

/// Least squares. All need the feature `linalg`.
impl Tensor {
    /// The Moore-Penrose pseudo-inverse of each matrix: `[..., m, n]` gives `[..., n, m]` (`tf.linalg.pinv`). Singular
    /// values up to `rcond` times the largest one count as zero; `None` is TensorFlow's `10 max(m, n) ε` with the
    /// element type's `ε`. The gradient is that of matrices of one rank.
    ///
    /// # Errors
    /// As [`svd`](Tensor::svd).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 1], vec![3.0f64, 4.0])?;
    /// let p = a.pinv(None)?.to_vec::<f64>()?;
    /// assert!((p[0] - 0.12).abs() < 1e-15 && (p[1] - 0.16).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn pinv(&self, rcond: Option<f64>) -> Result<Tensor> {
        let (m, n) = matrix_of("pinv", self.shape())?;
        let rcond = rcond.unwrap_or(10.0 * m.max(n) as f64 * epsilon(self.dtype()));
        apply(Pinv { rcond }, [self])
    }

    /// The number of singular values above `tol` of each matrix, as `i32` (`tf.linalg.matrix_rank`); `None` is
    /// `max(m, n) ε` times the largest one. It has no gradient.
    ///
    /// # Errors
    /// As [`svd`](Tensor::svd).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 2.0, 4.0])?;
    /// assert_eq!(a.matrix_rank(None)?.item()?, 1.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn matrix_rank(&self, tol: Option<f64>) -> Result<Tensor> {
        let (m, n) = matrix_of("matrix_rank", self.shape())?;
        let s = self.svdvals().map_err(|error| error.context("matrix_rank"))?;
        let least = match tol {
            Some(tol) => s.like("matrix_rank", tol)?,
            None => m.max(n) as f64 * epsilon(s.dtype()) * largest(&s)?,
        };
        s.greater(least)?.cast(DType::I32)?.sum_axes(&[-1], false)
    }

    /// The `x` that minimizes `‖a x - b‖² + l2_regularizer ‖x‖²`, where `a` is this tensor of shape `[..., m, n]` and `b`
    /// is `[..., m, k]` (`tf.linalg.lstsq`); the smallest such `x` where there are several. The matrix has full rank, or
    /// the regularizer is positive.
    ///
    /// Without a regularizer by the QR decomposition, which loses fewer digits than TensorFlow's normal equations; with
    /// one by a Cholesky decomposition.
    ///
    /// # Errors
    /// As [`solve`](Tensor::solve).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([3, 2], vec![1.0f64, 0.0, 1.0, 1.0, 1.0, 2.0])?;
    /// let b = Tensor::from_vec([3, 1], vec![1.0, 3.0, 5.0])?;
    /// let line = a.lstsq(&b, 0.0)?.to_vec::<f64>()?;
    /// assert!((line[0] - 1.0).abs() < 1e-14 && (line[1] - 2.0).abs() < 1e-14);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn lstsq(&self, b: impl AsTensor, l2_regularizer: f64) -> Result<Tensor> {
        let b = b.as_tensor();
        let (m, n) = matrix_of("lstsq", self.shape())?;
        expect_float("lstsq", self.dtype())?;
        let tall = m >= n;
        if l2_regularizer == 0.0 {
            if tall {
                let (q, r) = self.qr(false)?;
                return r.triangular_solve(q.matmul_transposed(&*b, true, false)?, false, false);
            }
            let (q, r) = self.t()?.qr(false)?;
            return q.matmul(r.triangular_solve(&*b, false, true)?);
        }
        let damping = l2_regularizer * Tensor::eye(m.min(n), m.min(n), self.dtype())?;
        let gram = self.matmul_transposed(self, tall, !tall)? + damping;
        let factor = gram.cholesky().map_err(|error| error.context("lstsq"))?;
        match tall {
            true => factor.cholesky_solve(self.matmul_transposed(&*b, true, false)?),
            false => self.matmul_transposed(factor.cholesky_solve(&*b)?, true, false),
        }
    }
}
