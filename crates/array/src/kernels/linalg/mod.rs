//! Linear algebra: triangular systems and, with the feature `linalg`, factorizations of matrices and what is computed with
//! them, by [faer](https://docs.rs/faer).
//!
//! Every function takes a matrix or a batch of them: the matrices lie in the last two axes, and leading axes are the
//! batch. Elements are `f32` or `f64`. All is computed in `f64`, since an error grows by the condition of the matrix,
//! and rounded to the element type at the end. Matrices of a batch are computed at the same time, each by one thread; a
//! result has the same bits at any number of threads.
//!
//! A matrix that is not square where it must be is an [`ErrorKind::Shape`] error, a singular or not positive definite one
//! an [`ErrorKind::Argument`] error. A matrix without rows or columns is fine: its determinant is 1. Iterative methods
//! (`eigh`, `svd`) and `expm` give NaN for a matrix with NaN or infinities.
mod batch;
#[cfg(feature = "linalg")]
mod decompositions;
#[cfg(feature = "linalg")]
mod expm;
#[cfg(all(test, feature = "linalg"))]
mod factorization_tests;
#[cfg(feature = "linalg")]
mod factors;
mod rows;
#[cfg(feature = "linalg")]
mod systems;
#[cfg(test)]
mod tests;
mod triangular;

use crate::{Array, Error, ErrorKind, Result};
use batch::Batch;
#[cfg(feature = "linalg")]
pub use decompositions::{eigh, eigvalsh, pinv, qr, svd};
#[cfg(feature = "linalg")]
pub use systems::{cholesky, det, expm, inv, slogdet, solve};

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

/// `x` with `a x = b` for each pair of a triangular matrix `[..., n, n]` and a matrix `[..., n, m]`, whose leading axes
/// broadcast; elements on the other side of the diagonal are not read.
///
/// # Errors
/// [`ErrorKind::Shape`], [`ErrorKind::DType`], [`ErrorKind::Memory`]; [`ErrorKind::Argument`], if there is a 0 on a
/// diagonal.
///
/// ```
/// use slalom_array::{Array, linalg};
/// let a = Array::from_vec([2, 2], vec![2.0, 0.0, 1.0, 1.0])?;
/// let b = Array::from_vec([2, 1], vec![4.0, 5.0])?;
/// assert_eq!(linalg::triangular_solve(&a, &b, true)?.to_vec::<f64>()?, [2.0, 3.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn triangular_solve(a: &Array, b: &Array, lower: bool) -> Result<Array> {
    system("triangular_solve", a, b, &|a, b, x, (n, m)| {
        if a.iter().step_by(n + 1).any(|pivot| *pivot == 0.0) {
            return Err(singular("triangular_solve"));
        }
        x.copy_from_slice(b);
        triangular::solve(a, n, lower, x, m);
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
    let batch = Batch { inputs: &[&a, &b], axes: 2, outputs: &[&[n, m]], work: n * n * (n + m) };
    let [x] = results(batch.run(&|from, to| solver(from[0], from[1], to[0], (n, m)))?);
    Ok(x)
}

fn results<const N: usize>(results: impl IntoIterator<Item = Array>) -> [Array; N] {
    let mut results = results.into_iter();
    std::array::from_fn(|_| results.next().expect("as many results as outputs"))
}
