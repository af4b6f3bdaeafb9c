//! Determinants, inverses and systems of linear equations.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::concat::concat;
use crate::ops::reduce::sum_to;
use crate::ops::triangular::{adjoint, by_matrix};
use crate::{AsTensor, Tensor, apply, apply_many};
use slalom_array::{Array, Result, linalg};
use smallvec::smallvec;

/// The determinant of each matrix.
#[derive(Debug, Clone, Copy)]
struct Det;

impl Op for Det {
    fn name(&self) -> &'static str {
        "det"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::det(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let inverse = cx.input(0).inv().map_err(|error| error.context("the gradient of det"))?;
        one(scalars(cx.grad()? * cx.output())? * inverse.t()?)
    }
}

/// One number for each matrix, to multiply it by.
fn scalars(x: Tensor) -> Result<Tensor> {
    x.expand_dims(-1)?.expand_dims(-1)
}

/// The sign of the determinant and the logarithm of its absolute value.
#[derive(Debug, Clone, Copy)]
struct SlogDet;

impl Op for SlogDet {
    fn name(&self) -> &'static str {
        "slogdet"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(linalg::slogdet(inputs[0])?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let inverse = cx.input(0).inv().map_err(|error| error.context("the gradient of slogdet"))?;
        one(scalars(cx.grad_of(1)?)? * inverse.t()?)
    }
}

/// The inverse of each matrix.
#[derive(Debug, Clone, Copy)]
struct Inv;

impl Op for Inv {
    fn name(&self) -> &'static str {
        "inv"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::inv(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let inverse = cx.output();
        let right = cx.grad()?.matmul_transposed(inverse, false, true)?;
        one(-inverse.matmul_transposed(right, true, false)?)
    }
}

/// `x` with `a x = b`, or with `aᵀ x = b`.
#[derive(Debug, Clone, Copy)]
struct Solve {
    adjoint: bool,
}

impl Op for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::solve(&adjoint("solve", inputs[0], self.adjoint)?, inputs[1])?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let by_b = apply(Solve { adjoint: !self.adjoint }, [cx.input(0), &cx.grad()?])?;
        let by_a = match cx.needs(0) {
            true => Some(sum_to(by_matrix(&by_b, cx.output(), self.adjoint)?, cx.input_shape(0))?.into()),
            false => None,
        };
        Ok(smallvec![by_a, Some(sum_to(by_b, cx.input_shape(1))?.into())])
    }
}

/// `l lᵀ = a`
#[derive(Debug, Clone, Copy)]
struct Cholesky;

impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::cholesky(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    /// I. Murray, "Differentiation of the Cholesky decomposition", arXiv:1602.07527, 2016.
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let l = cx.output();
        let middle = l.matmul_transposed(cx.grad()?, true, false)?;
        let middle = middle.set_diag(0.5 * middle.diag_part(0)?)?.band_part(None, Some(0))?;
        // l⁻ᵀ middle l⁻¹
        let half = l.triangular_solve(&middle, true, true)?;
        let whole = l.triangular_solve(half.t()?, true, true)?;
        one(0.5 * (whole.t()? + whole))
    }
}

/// The exponential of each matrix.
#[derive(Debug, Clone, Copy)]
struct Expm;

impl Op for Expm {
    fn name(&self) -> &'static str {
        "expm"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::expm(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    /// The derivative of the exponential of `aᵀ` along the gradient stands in a corner of the exponential of a matrix of
    /// blocks (R. Mathias, *SIAM J. Matrix Anal. Appl.* 17, 1996).
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (a, g) = (cx.input(0).t()?, cx.grad()?);
        let n = a.shape()[a.rank() - 1];
        let zero = Tensor::zeros(a.shape(), a.dtype())?;
        let blocks = concat(&[concat(&[&a, &g], -1)?, concat(&[&zero, &a], -1)?], -2)?;
        one(blocks.expm()?.slice(-2, 0, n)?.slice(-1, n, n)?)
    }
}

/// Determinants, inverses and systems of linear equations.
///
/// Each takes a matrix or a batch of them: the last two axes are those of a matrix. All compute in `f64`, also for `f32`,
/// and need the feature `linalg`.
impl Tensor {
    /// The determinant of each matrix: `[..., n, n]` gives `[...]` (`tf.linalg.det`). The gradient exists where the matrix
    /// is invertible; elsewhere it is an error of kind `Argument`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the matrices are not square; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(a.det()?.item()?, -2.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn det(&self) -> Result<Tensor> {
        apply(Det, [self])
    }

    /// The sign of the determinant of each matrix and the logarithm of its absolute value (`tf.linalg.slogdet`), which
    /// neither overflow nor underflow. A singular matrix gives 0 and -∞. The sign has no gradient.
    ///
    /// # Errors
    /// As [`det`](Tensor::det).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![0.0f32, 1.0, 1.0, 0.0])?;
    /// let (sign, log) = a.slogdet()?;
    /// assert_eq!((sign.item()?, log.item()?), (-1.0, 0.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn slogdet(&self) -> Result<(Tensor, Tensor)> {
        let mut results = apply_many(SlogDet, &[self])?.into_iter();
        Ok((results.next().expect("a sign"), results.next().expect("a logarithm")))
    }

    /// The logarithm of the determinant of each symmetric positive definite matrix, by its Cholesky factor
    /// (`tf.linalg.logdet`).
    ///
    /// # Errors
    /// As [`cholesky`](Tensor::cholesky).
    pub fn logdet(&self) -> Result<Tensor> {
        let factor = self.cholesky().map_err(|error| error.context("logdet"))?;
        Ok(2.0 * factor.diag_part(0)?.log()?.sum_axes(&[-1], false)?)
    }

    /// The inverse of each matrix (`tf.linalg.inv`). To solve equations, [`solve`](Tensor::solve) is faster and more
    /// accurate.
    ///
    /// # Errors
    /// As [`det`](Tensor::det); `ErrorKind::Argument`, if a matrix is singular. As in TensorFlow, a matrix is singular if
    /// elimination meets a pivot of exactly 0.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![2.0f32, 0.0, 0.0, 4.0])?;
    /// assert_eq!(a.inv()?.to_vec::<f32>()?, [0.5, 0.0, 0.0, 0.25]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn inv(&self) -> Result<Tensor> {
        apply(Inv, [self])
    }

    /// `x` with `a x = b`, where `a` is this tensor of shape `[..., n, n]` and `b` is `[..., n, m]`; with `adjoint`,
    /// `aᵀ x = b` (`tf.linalg.solve`). Leading axes broadcast.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::DType`, if the types differ or are not floating-point
    /// ones; `ErrorKind::Argument`, if a matrix is singular.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![2.0f32, 1.0, 0.0, 1.0])?;
    /// let b = Tensor::from_vec([2, 1], vec![4.0f32, 2.0])?;
    /// assert_eq!(a.solve(&b, false)?.to_vec::<f32>()?, [1.0, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn solve(&self, b: impl AsTensor, adjoint: bool) -> Result<Tensor> {
        apply(Solve { adjoint }, [self, &b.as_tensor()])
    }

    /// The lower triangular matrix `l` with positive diagonal and `l lᵀ = a`, for each symmetric positive definite matrix
    /// `a` (`tf.linalg.cholesky`). Only the lower triangle of `a` is read; the gradient is symmetric, half of it for
    /// either triangle.
    ///
    /// # Errors
    /// As [`det`](Tensor::det); `ErrorKind::Argument`, if a matrix is not positive definite.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![4.0f32, 2.0, 2.0, 5.0])?;
    /// assert_eq!(a.cholesky()?.to_vec::<f32>()?, [2.0, 0.0, 1.0, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cholesky(&self) -> Result<Tensor> {
        apply(Cholesky, [self])
    }

    /// The exponential `Σ aⁱ / i!` of each matrix (`tf.linalg.expm`). A matrix with NaN or infinities gives NaN.
    ///
    /// # Errors
    /// As [`det`](Tensor::det).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![0.0f32, 1.0, 0.0, 0.0])?;
    /// assert_eq!(a.expm()?.to_vec::<f32>()?, [1.0, 1.0, 0.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn expm(&self) -> Result<Tensor> {
        apply(Expm, [self])
    }
}
