//! Linear algebra: factorizations of matrices and what is computed with them.
//!
//! Every function takes a matrix or a batch of them: the matrices lie in the last two axes, and leading axes are the
//! batch. Elements are `f32` or `f64`. All is computed in `f64`, since an error grows by the condition of the matrix,
//! and rounded to the element type at the end. Matrices of a batch are computed at the same time; a result has the same bits at
//! any number of threads.
//!
//! A matrix that is not square where it must be is an [`ErrorKind::Shape`] error, a singular or not positive definite one
//! an [`ErrorKind::Argument`] error. A matrix without rows or columns is fine: its determinant is 1. Iterative methods
//! ([`eigh()`], [`svd()`]) and [`expm()`] give NaN for a matrix with NaN or infinities.
mod batch;
mod cholesky;
mod eigh;
mod expm;
mod lu;
mod qr;
mod rows;
mod svd;
#[cfg(test)]
mod tests;
mod triangular;

use crate::{Array, Error, ErrorKind, Result};
use batch::Batch;
use lu::Lu;
use svd::Svd;
use triangular::Triangle;

/// Rows and columns of matrices of floating-point numbers.
fn matrix(op: &'static str, a: &Array) -> Result<(usize, usize)> {
    if !a.dtype().is_float() {
        return Err(Error::new(ErrorKind::DType, op, "a floating-point dtype", a.dtype()));
    }
    match a.shape()[..] {
        [.., m, n] => Ok((m, n)),
        _ => Err(Error::new(ErrorKind::Shape, op, "a matrix [..., m, n]", a.shape())),
    }
}

fn square(op: &'static str, a: &Array) -> Result<usize> {
    match matrix(op, a)? {
        (m, n) if m == n => Ok(n),
        _ => Err(Error::new(ErrorKind::Shape, op, "a square matrix [..., n, n]", a.shape())),
    }
}

fn singular(op: &'static str) -> Error {
    Error::new(ErrorKind::Argument, op, "an invertible matrix", "a singular one")
}

/// The determinant of each matrix: `[..., n, n]` gives `[...]`.
///
/// # Errors
/// [`ErrorKind::Shape`], [`ErrorKind::DType`], [`ErrorKind::Memory`].
pub fn det(a: &Array) -> Result<Array> {
    let n = square("det", a)?;
    let batch = Batch { op: "det", inputs: &[a], axes: 2, outputs: &[&[]], work: n * n * n };
    let [det] = results(batch.run(&|from, to| {
        to[0][0] = Lu::new(from[0], n).det();
        Ok(())
    })?);
    Ok(det)
}

/// The sign of the determinant of each matrix, and the logarithm of its absolute value: `[..., n, n]` gives `[...]` twice.
/// A singular matrix gives 0 and -∞.
///
/// # Errors
/// As [`det`].
pub fn slogdet(a: &Array) -> Result<[Array; 2]> {
    let n = square("slogdet", a)?;
    let batch = Batch { op: "slogdet", inputs: &[a], axes: 2, outputs: &[&[], &[]], work: n * n * n };
    Ok(results(batch.run(&|from, to| {
        (to[0][0], to[1][0]) = Lu::new(from[0], n).slogdet();
        Ok(())
    })?))
}

/// The inverse of each matrix.
///
/// # Errors
/// As [`det`]; [`ErrorKind::Argument`], if a matrix is singular: if a pivot is exactly 0.
pub fn inv(a: &Array) -> Result<Array> {
    let n = square("inv", a)?;
    let batch = Batch { op: "inv", inputs: &[a], axes: 2, outputs: &[&[n, n]], work: n * n * n };
    let [inverse] = results(batch.run(&|from, to| {
        let lu = Lu::new(from[0], n);
        if lu.is_singular() {
            return Err(singular("inv"));
        }
        let mut one = vec![0.0; n * n];
        rows::identity(&mut one, n);
        lu.solve(&one, to[0], n);
        Ok(())
    })?);
    Ok(inverse)
}

/// `x` with `a x = b` for each pair of matrices `[..., n, n]` and `[..., n, m]`, whose leading axes broadcast.
///
/// # Errors
/// As [`inv`].
///
/// ```
/// use slalom_array::{Array, linalg};
/// let a = Array::from_vec([2, 2], vec![2.0, 0.0, 1.0, 1.0])?;
/// let b = Array::from_vec([2, 1], vec![4.0, 5.0])?;
/// assert_eq!(linalg::solve(&a, &b)?.to_vec::<f64>()?, [2.0, 3.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn solve(a: &Array, b: &Array) -> Result<Array> {
    system("solve", a, b, &|a, b, x, (n, m)| {
        let lu = Lu::new(a, n);
        if lu.is_singular() {
            return Err(singular("solve"));
        }
        lu.solve(b, x, m);
        Ok(())
    })
}

/// As [`solve`], for triangular matrices; elements on the other side of the diagonal are not read.
///
/// # Errors
/// As [`inv`]; a triangular matrix is singular if it has a 0 on its diagonal.
pub fn triangular_solve(a: &Array, b: &Array, lower: bool) -> Result<Array> {
    let triangle = if lower { Triangle::Lower } else { Triangle::Upper };
    system("triangular_solve", a, b, &|a, b, x, (n, m)| {
        if a.iter().step_by(n + 1).any(|pivot| *pivot == 0.0) {
            return Err(singular("triangular_solve"));
        }
        x.copy_from_slice(b);
        triangular::solve(a, n, triangle, x, m);
        Ok(())
    })
}

/// Computes `x` from a matrix, a right-hand side and `(n, m)`.
type Solver<'a> = dyn Fn(&[f64], &[f64], &mut [f64], (usize, usize)) -> Result<()> + Sync + 'a;

fn system(op: &'static str, a: &Array, b: &Array, solver: &Solver<'_>) -> Result<Array> {
    let n = square(op, a)?;
    if a.dtype() != b.dtype() {
        let got = format!("{} and {}", a.dtype(), b.dtype());
        return Err(Error::new(ErrorKind::DType, op, "operands of one dtype", got));
    }
    let (rows, m) = matrix(op, b)?;
    let outer = |x: &Array| crate::Shape::from(&x.shape()[..x.rank() - 2]);
    let batch = outer(a).broadcast(&outer(b));
    let (Ok(batch), true) = (batch, rows == n) else {
        let got = format!("{} and {}", a.shape(), b.shape());
        return Err(Error::new(
            ErrorKind::Shape,
            op,
            "a matrix [..., n, n] and right-hand sides [..., n, m]",
            got,
        ));
    };
    let full = |x: &Array, last: [usize; 2]| {
        x.broadcast_to(batch.iter().copied().chain(last).collect::<crate::Shape>())
    };
    let (a, b) = (full(a, [n, n])?, full(b, [n, m])?);
    let batch = Batch { op, inputs: &[&a, &b], axes: 2, outputs: &[&[n, m]], work: n * n * (n + m) };
    let [x] = results(batch.run(&|from, to| solver(from[0], from[1], to[0], (n, m)))?);
    Ok(x)
}

/// The lower triangular `l` with positive diagonal and `l lᵀ = a`, for each symmetric positive definite matrix; elements
/// above the diagonal are not read.
///
/// # Errors
/// As [`det`]; [`ErrorKind::Argument`], if a matrix is not positive definite.
pub fn cholesky(a: &Array) -> Result<Array> {
    let n = square("cholesky", a)?;
    let batch = Batch { op: "cholesky", inputs: &[a], axes: 2, outputs: &[&[n, n]], work: n * n * n };
    let [l] = results(batch.run(&|from, to| {
        to[0].copy_from_slice(from[0]);
        match cholesky::cholesky(to[0], n) {
            true => Ok(()),
            false => {
                let expected = "a positive definite matrix";
                Err(Error::new(ErrorKind::Argument, "cholesky", expected, "one that is not"))
            }
        }
    })?);
    Ok(l)
}

/// `a = q r` with orthonormal columns of `q` and upper triangular `r`: `[..., m, n]` gives `[..., m, k]` and `[..., k, n]`,
/// where `k` is `min(m, n)`, or `m` if `full_matrices`.
///
/// Signs are those of LAPACK: a diagonal element of `r` has the sign opposite to the one that it replaces, unless there
/// was nothing to reflect.
///
/// # Errors
/// As [`det`].
pub fn qr(a: &Array, full_matrices: bool) -> Result<[Array; 2]> {
    let (m, n) = matrix("qr", a)?;
    let k = if full_matrices { m } else { m.min(n) };
    let batch =
        Batch { op: "qr", inputs: &[a], axes: 2, outputs: &[&[m, k], &[k, n]], work: m * n * (m + n) };
    Ok(results(batch.run(&|from, to| {
        let mut r = from[0].to_vec();
        qr::qr(&mut r, (m, n), to[0], k);
        to[1].copy_from_slice(&r[..k * n]);
        Ok(())
    })?))
}

/// The eigenvalues of each symmetric matrix, ascending, and orthonormal eigenvectors as columns: `[..., n, n]` gives
/// `[..., n]` and `[..., n, n]`. Elements above the diagonal are not read.
///
/// # Errors
/// As [`det`]; [`ErrorKind::Argument`], if the iteration does not converge.
pub fn eigh(a: &Array) -> Result<[Array; 2]> {
    let n = square("eigh", a)?;
    let batch = Batch { op: "eigh", inputs: &[a], axes: 2, outputs: &[&[n], &[n, n]], work: 9 * n * n * n };
    Ok(results(batch.run_finite(&|from, to| {
        let [values, vectors] = to else { unreachable!("two outputs") };
        eigh::eigh(from[0], n, values, Some(vectors)).then_some(()).ok_or_else(|| batch.no_convergence())
    })?))
}

/// The eigenvalues of each symmetric matrix, ascending; otherwise as [`eigh()`].
///
/// # Errors
/// As [`eigh()`].
pub fn eigvalsh(a: &Array) -> Result<Array> {
    let n = square("eigvalsh", a)?;
    let batch = Batch { op: "eigvalsh", inputs: &[a], axes: 2, outputs: &[&[n]], work: 3 * n * n * n };
    let [values] = results(batch.run_finite(&|from, to| {
        eigh::eigh(from[0], n, to[0], None).then_some(()).ok_or_else(|| batch.no_convergence())
    })?);
    Ok(values)
}

/// The singular values `s` of each matrix, descending, and orthonormal columns `u` and `v` with `a = u diag(s) vᵀ`:
/// `[..., m, n]` gives `[..., k]`, `[..., m, k]` and `[..., n, k]` with `k = min(m, n)`; with `full_matrices` `u` is
/// `[..., m, m]` and `v` is `[..., n, n]`.
///
/// # Errors
/// As [`eigh()`].
pub fn svd(a: &Array, full_matrices: bool) -> Result<[Array; 3]> {
    let (m, n) = matrix("svd", a)?;
    if m < n {
        let axes: Vec<usize> = (0..a.rank() - 2).chain([a.rank() - 1, a.rank() - 2]).collect();
        let [s, v, u] = svd(&a.transpose(&axes)?, full_matrices)?;
        return Ok([s, u, v]);
    }
    let k = if full_matrices { m } else { n };
    let outputs: [&[usize]; 3] = [&[n], &[m, k], &[n, n]];
    let batch = Batch { op: "svd", inputs: &[a], axes: 2, outputs: &outputs, work: 60 * m * n * n };
    Ok(results(batch.run_finite(&|from, to| {
        let svd = Svd::new(from[0], (m, n), k).ok_or_else(|| batch.no_convergence())?;
        for (to, from) in to.iter_mut().zip([&svd.values, &svd.u, &svd.v]) {
            to.copy_from_slice(from);
        }
        Ok(())
    })?))
}

/// The Moore-Penrose pseudo-inverse of each matrix: `[..., m, n]` gives `[..., n, m]`. Singular values up to `rcond` times
/// the largest one count as zero.
///
/// # Errors
/// As [`eigh()`].
pub fn pinv(a: &Array, rcond: f64) -> Result<Array> {
    let (m, n) = matrix("pinv", a)?;
    let axes: Vec<usize> = (0..a.rank() - 2).chain([a.rank() - 1, a.rank() - 2]).collect();
    if m < n {
        return pinv(&a.transpose(&axes)?, rcond)?.transpose(&axes);
    }
    let batch = Batch { op: "pinv", inputs: &[a], axes: 2, outputs: &[&[n, m]], work: 60 * m * n * n };
    let [inverse] = results(batch.run_finite(&|from, to| {
        let mut svd = Svd::new(from[0], (m, n), n).ok_or_else(|| batch.no_convergence())?;
        let least = rcond * svd.values.first().unwrap_or(&0.0);
        for (i, v) in svd.v.iter_mut().enumerate() {
            let value = svd.values[i % n];
            *v = if value > least { *v / value } else { 0.0 };
        }
        rows::add_product(to[0], m, &svd.v, &rows::transposed(&svd.u, m, n), (n, n, m));
        Ok(())
    })?);
    Ok(inverse)
}

/// The exponential `Σ aⁱ / i!` of each matrix.
///
/// # Errors
/// As [`det`].
pub fn expm(a: &Array) -> Result<Array> {
    let n = square("expm", a)?;
    let batch = Batch { op: "expm", inputs: &[a], axes: 2, outputs: &[&[n, n]], work: 20 * n * n * n };
    let [exponential] = results(batch.run_finite(&|from, to| {
        expm::expm(from[0], n, to[0]);
        Ok(())
    })?);
    Ok(exponential)
}

fn results<const N: usize>(results: impl IntoIterator<Item = Array>) -> [Array; N] {
    let mut results = results.into_iter();
    std::array::from_fn(|_| results.next().expect("as many results as outputs"))
}
