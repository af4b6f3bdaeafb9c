//! Determinants, inverses, systems of linear equations and exponentials.
use super::batch::Batch;
use super::factors::{self, Lu};
use super::{results, rows, singular, square, system};
use crate::{Array, Error, ErrorKind, Result};

/// The determinant of each matrix: `[..., n, n]` gives `[...]`.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// [`ErrorKind::Shape`], [`ErrorKind::DType`], [`ErrorKind::Memory`].
pub fn det(a: &Array) -> Result<Array> {
    let n = square("det", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[]], work: n * n * n };
    let [det] = results(batch.run(&|from, to| {
        to[0][0] = Lu::new(from[0], n).det();
        Ok(())
    })?);
    Ok(det)
}

/// The sign of the determinant of each matrix, and the logarithm of its absolute value: `[..., n, n]` gives `[...]` twice.
/// A singular matrix gives 0 and -∞.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`det`].
pub fn slogdet(a: &Array) -> Result<[Array; 2]> {
    let n = square("slogdet", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[], &[]], work: n * n * n };
    Ok(results(batch.run(&|from, to| {
        (to[0][0], to[1][0]) = Lu::new(from[0], n).slogdet();
        Ok(())
    })?))
}

/// The inverse of each matrix.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`det`]; [`ErrorKind::Argument`], if a matrix is singular: if a pivot is exactly 0.
pub fn inv(a: &Array) -> Result<Array> {
    let n = square("inv", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n, n]], work: n * n * n };
    let [inverse] = results(batch.run(&|from, to| {
        let lu = Lu::new(from[0], n);
        if lu.is_singular() {
            return Err(singular("inv"));
        }
        rows::identity(to[0], n);
        lu.solve(to[0], n);
        Ok(())
    })?);
    Ok(inverse)
}

/// `x` with `a x = b` for each pair of matrices `[..., n, n]` and `[..., n, m]`, whose leading axes broadcast.
///
/// Needs the feature `linalg`.
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
        x.copy_from_slice(b);
        lu.solve(x, m);
        Ok(())
    })
}

/// The lower triangular `l` with positive diagonal and `l lᵀ = a`, for each symmetric positive definite matrix; elements
/// above the diagonal are not read.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`det`]; [`ErrorKind::Argument`], if a matrix is not positive definite.
pub fn cholesky(a: &Array) -> Result<Array> {
    let n = square("cholesky", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n, n]], work: n * n * n };
    let [l] = results(batch.run(&|from, to| match factors::cholesky(from[0], n, to[0]) {
        true => Ok(()),
        false => {
            let expected = "a positive definite matrix";
            Err(Error::new(ErrorKind::Argument, "cholesky", expected, "one that is not"))
        }
    })?);
    Ok(l)
}

/// The exponential `Σ aⁱ / i!` of each matrix.
///
/// Needs the feature `linalg`.
///
/// # Errors
/// As [`det`].
pub fn expm(a: &Array) -> Result<Array> {
    let n = square("expm", a)?;
    let batch = Batch { inputs: &[a], axes: 2, outputs: &[&[n, n]], work: 20 * n * n * n };
    let [exponential] = results(batch.run_finite(&|from, to| {
        super::expm::expm(from[0], n, to[0]);
        Ok(())
    })?);
    Ok(exponential)
}
