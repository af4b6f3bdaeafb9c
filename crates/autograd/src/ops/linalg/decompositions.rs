//! Orthogonal decompositions: QR, eigenvalues, singular values.
use crate::cut::refuse;
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::concat::concat;
use crate::ops::diagonal::matrix_of;
use crate::{Tensor, apply, apply_many};
use slalom_array::{Array, Result, linalg};
use smallvec::smallvec;

/// `a b` and `aᵀ b`, `a bᵀ`
fn mm(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.matmul(b)
}
fn tm(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.matmul_transposed(b, true, false)
}
fn mt(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.matmul_transposed(b, false, true)
}

/// `1 / (xⱼ - xᵢ)` in row `i` and column `j`, and 0 where both are equal: `d / (d² + 10⁻²⁰)`. The diagonal is a constant,
/// since the slope there would be 10²⁰.
fn reciprocal_differences(x: &Tensor) -> Result<Tensor> {
    let reciprocals = safe_reciprocal(&(x.expand_dims(-2)? - x.expand_dims(-1)?))?;
    reciprocals.set_diag(Tensor::zeros(x.shape(), x.dtype())?)
}

fn safe_reciprocal(x: &Tensor) -> Result<Tensor> {
    Ok(x * (x.square() + 1e-20).reciprocal()?)
}

/// `q r`
#[derive(Debug, Clone, Copy)]
struct Qr {
    full_matrices: bool,
}

impl Op for Qr {
    fn name(&self) -> &'static str {
        "qr"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(linalg::qr(inputs[0], self.full_matrices)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    /// H.-J. Liao et al., "Differentiable Programming Tensor Networks", Phys. Rev. X 9, 2019; wide matrices by their first
    /// columns.
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (q, r) = (cx.output_of(0), cx.output_of(1));
        let (dq, dr) = (cx.grad_of(0)?, cx.grad_of(1)?);
        let [.., m, n] = cx.input_shape(0)[..] else { unreachable!("a matrix") };
        if m >= n {
            return one(by_tall(q, r, &dq, &dr)?);
        }
        let rest = cx.input(0).slice(-1, m, n - m)?;
        let (dr, dr_rest) = (dr.slice(-1, 0, m)?, dr.slice(-1, m, n - m)?);
        let dq = dq + mt(&rest, &dr_rest)?;
        one(concat(&[by_tall(q, &r.slice(-1, 0, m)?, &dq, &dr)?, mm(q, &dr_rest)?], -1)?)
    }
}

/// The gradient of a matrix that is not wider than high.
fn by_tall(q: &Tensor, r: &Tensor, dq: &Tensor, dr: &Tensor) -> Result<Tensor> {
    // x r⁻ᵀ
    let divided = |x: &Tensor| r.triangular_solve(x.t()?, false, false)?.t();
    let q_dq = tm(q, dq)?;
    let r_dr = mt(r, dr)?;
    let lower = (&q_dq - q_dq.t()? + &r_dr - r_dr.t()?).band_part(None, Some(0))?;
    Ok(mm(q, &(dr + divided(&lower)?))? + divided(&(dq - mm(q, &q_dq)?))?)
}

/// Eigenvalues and eigenvectors of symmetric matrices.
#[derive(Debug, Clone, Copy)]
struct Eigh;

impl Op for Eigh {
    fn name(&self) -> &'static str {
        "eigh"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(linalg::eigh(inputs[0])?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (e, v) = (cx.output_of(0), cx.output_of(1));
        let turned = reciprocal_differences(e)? * tm(v, &cx.grad_of(1)?)?;
        one(by_symmetric(v, &(cx.grad_of(0)?.diag(0)? + turned))?)
    }
}

/// `v inner vᵀ` for a matrix of which only the lower triangle counts.
fn by_symmetric(v: &Tensor, inner: &Tensor) -> Result<Tensor> {
    let whole = mm(v, &mt(inner, v)?)?;
    let lower = (whole.t()? + &whole).band_part(None, Some(0))?;
    lower.set_diag(0.5 * lower.diag_part(0)?)
}

/// Eigenvalues alone.
#[derive(Debug, Clone, Copy)]
struct EigvalsH;

impl Op for EigvalsH {
    fn name(&self) -> &'static str {
        "eigvalsh"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![linalg::eigvalsh(inputs[0])?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (_, v) = cx.input(0).eigh()?;
        one(by_symmetric(&v, &cx.grad()?.diag(0)?)?)
    }
}

/// `u diag(s) vᵀ`, as `s`, `u` and `v`.
#[derive(Debug, Clone, Copy)]
struct Svd {
    full_matrices: bool,
}

impl Op for Svd {
    fn name(&self) -> &'static str {
        "svd"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(linalg::svd(inputs[0], self.full_matrices)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let [.., m, n] = cx.input_shape(0)[..] else { unreachable!("a matrix") };
        let of = |i: usize| -> Result<Pair> { Ok((cx.output_of(i).clone(), cx.grad_of(i)?)) };
        let (s, u, v) = (of(0)?, of(1)?, of(2)?);
        one(if m > n { by_wide(&s, &v, &u, n, m)?.t()? } else { by_wide(&s, &u, &v, m, n)? })
    }
}

/// A result and its gradient.
type Pair = (Tensor, Tensor);

/// The gradient of an `m x n` matrix with `m <= n`.
fn by_wide((s, ds): &Pair, (u, du): &Pair, (v, dv): &Pair, m: usize, n: usize) -> Result<Tensor> {
    let (first, d_first) = (v.slice(-1, 0, m)?, dv.slice(-1, 0, m)?);
    let f = reciprocal_differences(&s.square())?;
    let (turned_u, turned_v) = (&f * tm(u, du)?, &f * tm(&first, &d_first)?);
    let s_mat = s.diag(0)?;
    let inner =
        ds.diag(0)? + mm(&(turned_u.t()? + &turned_u), &s_mat)? + mm(&s_mat, &(turned_v.t()? + &turned_v))?;
    let mut gradient = mm(u, &mt(&inner, &first)?)?;
    if m < n {
        // What moves out of the span of the first vectors.
        let mut outside = d_first.t()? - mt(&tm(&d_first, &first)?, &first)?;
        if v.shape()[v.rank() - 1] == n {
            let (rest, d_rest) = (v.slice(-1, m, n - m)?, dv.slice(-1, m, n - m)?);
            outside = outside - mt(&tm(&first, &d_rest)?, &rest)?;
        }
        gradient = gradient + mm(u, &mm(&safe_reciprocal(s)?.diag(0)?, &outside)?)?;
    }
    Ok(gradient)
}

/// Singular values alone.
#[derive(Debug, Clone, Copy)]
struct SvdVals;

impl Op for SvdVals {
    fn name(&self) -> &'static str {
        "svdvals"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [s, ..] = linalg::svd(inputs[0], false)?;
        Ok(smallvec![s])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (_, u, v) = cx.input(0).svd(false)?;
        one(mm(&u, &mt(&cx.grad()?.diag(0)?, &v)?)?)
    }
}

/// Orthogonal decompositions.
///
/// Each takes a matrix or a batch of them: the last two axes are those of a matrix. All compute in `f64`, also for `f32`,
/// and need the feature `linalg`.
impl Tensor {
    /// `(q, r)` with `a = q r`, orthonormal columns of `q` and upper triangular `r`: `[..., m, n]` gives `[..., m, k]` and
    /// `[..., k, n]` with `k = min(m, n)`, or `k = m` if `full_matrices` (`tf.linalg.qr`).
    ///
    /// Signs are LAPACK's: see [`linalg::qr()`]. The gradient needs linearly independent columns (the first `m` of them, if
    /// there are more), and does not exist with `full_matrices` where `m > n`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there are fewer than two axes; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers; `ErrorKind::Gradient`, if a tape wants a gradient that does not exist.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 1], vec![3.0f32, 4.0])?;
    /// let (q, r) = a.qr(false)?;
    /// assert_eq!(r.to_vec::<f32>()?, [-5.0]);
    /// assert_eq!(q.to_vec::<f32>()?, [-0.6, -0.8]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn qr(&self, full_matrices: bool) -> Result<(Tensor, Tensor)> {
        if full_matrices && matrix_of("qr", self.shape()).is_ok_and(|(m, n)| m > n) {
            refuse("qr", self, "all columns of q, for more rows than columns")?;
        }
        let mut results = apply_many(Qr { full_matrices }, &[self])?.into_iter();
        Ok((results.next().expect("q"), results.next().expect("r")))
    }

    /// The eigenvalues of each symmetric matrix, ascending, and orthonormal eigenvectors as the columns of a matrix:
    /// `[..., n, n]` gives `[..., n]` and `[..., n, n]` (`tf.linalg.eigh`).
    ///
    /// Only the lower triangle is read, and only it gets a gradient. Eigenvectors are determined up to their sign, those of
    /// equal eigenvalues up to a rotation: what depends on that has no meaning, and the gradient of the vectors leaves such
    /// pairs out (`1 / (eⱼ - eᵢ)` is taken as `d / (d² + 10⁻²⁰)`), as TensorFlow does. NaN or infinities give NaN.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the matrices are not square; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers; `ErrorKind::Argument`, if the iteration does not converge.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![2.0f32, 0.0, 0.0, 1.0])?;
    /// assert_eq!(a.eigh()?.0.to_vec::<f32>()?, [1.0, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn eigh(&self) -> Result<(Tensor, Tensor)> {
        let mut results = apply_many(Eigh, &[self])?.into_iter();
        Ok((results.next().expect("values"), results.next().expect("vectors")))
    }

    /// The eigenvalues of each symmetric matrix, ascending (`tf.linalg.eigvalsh`); otherwise as [`eigh`](Tensor::eigh).
    ///
    /// # Errors
    /// As [`eigh`](Tensor::eigh).
    pub fn eigvalsh(&self) -> Result<Tensor> {
        apply(EigvalsH, [self])
    }

    /// `(s, u, v)` with `a = u diag(s) vᵀ`: singular values, descending, and orthonormal columns of `u` and `v`
    /// (`tf.linalg.svd`). `[..., m, n]` gives `[..., k]`, `[..., m, k]` and `[..., n, k]` with `k = min(m, n)`; with
    /// `full_matrices`, `u` is `[..., m, m]` and `v` is `[..., n, n]`.
    ///
    /// Singular vectors are determined up to a common sign, those of equal singular values up to a rotation: what depends
    /// on that has no meaning, and the gradient of the vectors leaves such pairs out (`1 / (sⱼ² - sᵢ²)` is taken as
    /// `d / (d² + 10⁻²⁰)`), as TensorFlow does. With `full_matrices` there is a gradient if `m` and `n` differ by 1 at most.
    /// NaN or infinities give NaN.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there are fewer than two axes; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers; `ErrorKind::Argument`, if the iteration does not converge; `ErrorKind::Gradient`, if a tape wants a gradient
    /// that does not exist.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![0.0f32, 2.0, 1.0, 0.0])?;
    /// let (s, u, v) = a.svd(false)?;
    /// assert_eq!(s.to_vec::<f32>()?, [2.0, 1.0]);
    /// assert_eq!((u * s).matmul_transposed(v, false, true)?.to_vec::<f32>()?, [0.0, 2.0, 1.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn svd(&self, full_matrices: bool) -> Result<(Tensor, Tensor, Tensor)> {
        if full_matrices && matrix_of("svd", self.shape()).is_ok_and(|(m, n)| m.abs_diff(n) > 1) {
            refuse("svd", self, "all singular vectors of a matrix that is not square or nearly so")?;
        }
        let mut results = apply_many(Svd { full_matrices }, &[self])?.into_iter();
        let mut next = || results.next().expect("s, u and v");
        Ok((next(), next(), next()))
    }

    /// The singular values of each matrix, descending (`tf.linalg.svd` with `compute_uv=False`); otherwise as
    /// [`svd`](Tensor::svd).
    ///
    /// # Errors
    /// As [`svd`](Tensor::svd).
    pub fn svdvals(&self) -> Result<Tensor> {
        apply(SvdVals, [self])
    }
}
