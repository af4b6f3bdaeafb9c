//! Systems of linear equations with triangular matrices.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::diagonal::matrix_of;
use crate::ops::reduce::sum_to;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, Result, linalg};
use smallvec::smallvec;

/// The gradient of a matrix that `x = a⁻¹ b` was computed with, from that of `b`; of its transpose if `adjoint`.
pub(crate) fn by_matrix(by_b: &Tensor, x: &Tensor, adjoint: bool) -> Result<Tensor> {
    let (left, right) = if adjoint { (x, by_b) } else { (by_b, x) };
    Ok(-left.matmul_transposed(right, false, true)?)
}

/// The last two axes exchanged, if `flip`.
pub(crate) fn adjoint(op: &'static str, array: &Array, flip: bool) -> Result<Array> {
    matrix_of(op, array.shape())?;
    let rank = array.rank();
    let axes: Vec<usize> = (0..rank - 2).chain([rank - 1, rank - 2]).collect();
    if flip { array.transpose(&axes) } else { Ok(array.clone()) }
}

/// `x` with `a x = b`, or with `aᵀ x = b`, for triangular `a`.
#[derive(Debug, Clone, Copy)]
struct TriangularSolve {
    lower: bool,
    adjoint: bool,
}

impl Op for TriangularSolve {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let a = adjoint("triangular_solve", inputs[0], self.adjoint)?;
        Ok(smallvec![linalg::triangular_solve(&a, inputs[1], self.lower != self.adjoint)?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let back = TriangularSolve { adjoint: !self.adjoint, ..*self };
        let by_b = apply(back, [cx.input(0), &cx.grad()?])?;
        let by_a = match cx.needs(0) {
            true => {
                let whole = by_matrix(&by_b, cx.output(), self.adjoint)?;
                let (lower, upper) = if self.lower { (None, Some(0)) } else { (Some(0), None) };
                Some(sum_to(whole.band_part(lower, upper)?, cx.input_shape(0))?.into())
            }
            false => None,
        };
        Ok(smallvec![by_a, Some(sum_to(by_b, cx.input_shape(1))?.into())])
    }
}

/// Triangular systems.
///
/// Each takes a matrix or a batch of them: the last two axes are those of a matrix. All compute in `f64`, also for `f32`.
impl Tensor {
    /// `x` with `a x = b`, where `a` is this tensor of shape `[..., n, n]`, lower triangular or else upper triangular, and
    /// `b` is `[..., n, m]`; with `adjoint`, `aᵀ x = b` (`tf.linalg.triangular_solve`). Leading axes broadcast. The elements
    /// on the other side of the diagonal are not read, and get no gradient.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::DType`, if the types differ or are not floating-point
    /// ones; `ErrorKind::Argument`, if there is a 0 on a diagonal.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![2.0f32, 7.0, 1.0, 1.0])?;
    /// let b = Tensor::from_vec([2, 1], vec![4.0f32, 5.0])?;
    /// assert_eq!(a.triangular_solve(&b, true, false)?.to_vec::<f32>()?, [2.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn triangular_solve(&self, b: impl AsTensor, lower: bool, adjoint: bool) -> Result<Tensor> {
        apply(TriangularSolve { lower, adjoint }, [self, &b.as_tensor()])
    }

    /// `x` with `a x = b`, where this tensor is the Cholesky factor of `a`, lower triangular
    /// (`tf.linalg.cholesky_solve`).
    ///
    /// # Errors
    /// As [`triangular_solve`](Tensor::triangular_solve).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let factor = Tensor::from_vec([1, 1], vec![2.0f32])?;
    /// let b = Tensor::from_vec([1, 1], vec![8.0f32])?;
    /// assert_eq!(factor.cholesky_solve(&b)?.item()?, 2.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cholesky_solve(&self, b: impl AsTensor) -> Result<Tensor> {
        let half = self.triangular_solve(b, true, false).map_err(|error| error.context("cholesky_solve"))?;
        self.triangular_solve(half, true, true)
    }
}
