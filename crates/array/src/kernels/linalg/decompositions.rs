//! QR, eigenvalues and singular values.
use super::batch::Batch;
use super::{factors, matrix, results, rows, square};
use crate::{Array, Error, ErrorKind, Result};

/// That an iteration did not come to an end.
fn no_convergence(op: &'static str) -> Error {
    let expected = "a matrix for which the iteration converges";
    Error::new(ErrorKind::Argument, op, expected, "one for which it does not")
}

/// `a = q r` with orthonormal columns of `q` and upper triangular `r`: `[..., m, n]` gives `[..., m, k]` and `[..., k, n]`,
/// where `k` is `min(m, n)`, or `m` if `full_matrices`.
///
/// Signs are those of LAPACK: a diagonal element of `r` has the sign opposite to the one that it replaces, unless there
/// was nothing to reflect.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// [`ErrorKind::Shape`], [`ErrorKind::DType`], [`ErrorKind::Memory`].
pub fn qr(a: &Array, full_matrices: bool) -> Result<[Array; 2]> {
    let (m, n) = matrix("qr", a)?;
    let k = if full_matrices { m } else { m.min(n) };
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[m, k], &[k, n]], work: m * n * (m + n) };
    Ok(results(batch.run(&|from, to| {
        let [q, r] = to else { unreachable!("two outputs") };
        factors::qr(from[0], (m, n), q, r);
        Ok(())
    })?))
}

/// The eigenvalues of each symmetric matrix, ascending, and orthonormal eigenvectors as columns: `[..., n, n]` gives
/// `[..., n]` and `[..., n, n]`. Elements above the diagonal are not read.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`qr`]; [`ErrorKind::Argument`], if the iteration does not converge.
pub fn eigh(a: &Array) -> Result<[Array; 2]> {
    let n = square("eigh", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n], &[n, n]], work: 9 * n * n * n };
    Ok(results(batch.run_finite(&|from, to| {
        let [values, vectors] = to else { unreachable!("two outputs") };
        factors::eigh(from[0], n, values, Some(vectors)).then_some(()).ok_or_else(|| no_convergence("eigh"))
    })?))
}

/// The eigenvalues of each symmetric matrix, ascending; otherwise as [`eigh()`].
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`eigh()`].
pub fn eigvalsh(a: &Array) -> Result<Array> {
    let n = square("eigvalsh", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n]], work: 3 * n * n * n };
    let [values] = results(batch.run_finite(&|from, to| {
        factors::eigh(from[0], n, to[0], None).then_some(()).ok_or_else(|| no_convergence("eigvalsh"))
    })?);
    Ok(values)
}

/// The singular values `s` of each matrix, descending, and orthonormal columns `u` and `v` with `a = u diag(s) vᵀ`:
/// `[..., m, n]` gives `[..., k]`, `[..., m, k]` and `[..., n, k]` with `k = min(m, n)`; with `full_matrices` `u` is
/// `[..., m, m]` and `v` is `[..., n, n]`.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`eigh()`].
pub fn svd(a: &Array, full_matrices: bool) -> Result<[Array; 3]> {
    let (m, n) = matrix("svd", a)?;
    let k = m.min(n);
    let (left, right) = if full_matrices { (m, n) } else { (k, k) };
    let outputs: [&[usize]; 3] = [&[k], &[m, left], &[n, right]];
    let batch = Batch { inputs: &[a], axes: 2, outputs: &outputs, work: 60 * m * n * k };
    Ok(results(batch.run_finite(&|from, to| {
        let [s, u, v] = to else { unreachable!("three outputs") };
        factors::svd(from[0], (m, n), s, u, v).then_some(()).ok_or_else(|| no_convergence("svd"))
    })?))
}

/// The Moore-Penrose pseudo-inverse of each matrix: `[..., m, n]` gives `[..., n, m]`. Singular values up to `rcond` times
/// the largest one count as zero.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`eigh()`].
pub fn pinv(a: &Array, rcond: f64) -> Result<Array> {
    let (m, n) = matrix("pinv", a)?;
    let k = m.min(n);
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n, m]], work: 60 * m * n * k };
    let [inverse] = results(batch.run_finite(&|from, to| {
        let (mut s, mut u, mut v) = (vec![0.0; k], vec![0.0; m * k], vec![0.0; n * k]);
        if !factors::svd(from[0], (m, n), &mut s, &mut u, &mut v) {
            return Err(no_convergence("pinv"));
        }
        let least = rcond * s.first().unwrap_or(&0.0);
        for (i, v) in v.iter_mut().enumerate() {
            let value = s[i % k];
            *v = if value > least { *v / value } else { 0.0 };
        }
        rows::add_product(to[0], m, &v, &rows::transposed(&u, m, k), (n, k, m));
        Ok(())
    })?);
    Ok(inverse)
}
