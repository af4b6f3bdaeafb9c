//! Operations on rows of matrices, in the order that keeps memory contiguous.
use super::super::gemm::{Epilogue, Mat, gemm};
use crate::isa::{Kernel, dispatch};

/// Rows that a triangular system is solved for before the rest is updated by a matrix product.
pub(super) const BLOCK: usize = 64;

/// Shorter rows are not worth a call.
const LANES: usize = 16;

struct Axpy<'a>(f64, &'a [f64], &'a mut [f64]);

impl Kernel for Axpy<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (y, x) in self.2.iter_mut().zip(self.1) {
            *y += self.0 * x;
        }
    }
}

/// `y += factor x`
pub(super) fn axpy(factor: f64, x: &[f64], y: &mut [f64]) {
    if y.len() < LANES {
        return Axpy(factor, x, y).run();
    }
    dispatch(Axpy(factor, x, y));
}

/// Rows `i` and `j` of a matrix with rows of length `n`.
pub(super) fn pair(a: &mut [f64], n: usize, i: usize, j: usize) -> (&mut [f64], &mut [f64]) {
    if i < j {
        let (upper, lower) = a.split_at_mut(j * n);
        return (&mut upper[i * n..(i + 1) * n], &mut lower[..n]);
    }
    let (upper, lower) = a.split_at_mut(i * n);
    (&mut lower[..n], &mut upper[j * n..(j + 1) * n])
}

/// `a[rows][columns]`, times `factor`, row-major.
pub(super) fn block(
    a: &[f64],
    n: usize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    factor: f64,
) -> Vec<f64> {
    rows.flat_map(|i| &a[i * n + columns.start..i * n + columns.end]).map(|x| factor * x).collect()
}

/// `c += a b` for a row-major `m x k` and `k x n` matrix, where the rows of `c` are `stride` apart.
pub(super) fn add_product(
    c: &mut [f64],
    stride: usize,
    a: &[f64],
    b: &[f64],
    (m, k, n): (usize, usize, usize),
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.len() == m * k && b.len() == k * n && stride >= n && c.len() >= (m - 1) * stride + n);
    let matrix =
        |x: &[f64], rows, cols| Mat { ptr: x.as_ptr(), rows, cols, row_stride: cols as isize, col_stride: 1 };
    // SAFETY: the operands have as many elements as the assertion says, and `c` room for the rows; it is borrowed
    // mutably, so it overlaps neither.
    unsafe { gemm(matrix(a, m, k), matrix(b, k, n), c.as_mut_ptr(), stride, true, Epilogue::IDENTITY) };
}

/// `a b` for `n x n` matrices.
#[cfg(feature = "linalg")]
pub(super) fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut c = vec![0.0; n * n];
    add_product(&mut c, n, a, b, (n, n, n));
    c
}

/// The transpose of an `m x n` matrix.
#[cfg(feature = "linalg")]
pub(super) fn transposed(a: &[f64], m: usize, n: usize) -> Vec<f64> {
    (0..n).flat_map(|j| (0..m).map(move |i| a[i * n + j])).collect()
}

/// The identity, of `n` columns.
#[cfg(feature = "linalg")]
pub(super) fn identity(to: &mut [f64], n: usize) {
    to.fill(0.0);
    to.iter_mut().step_by(n + 1).take(n).for_each(|x| *x = 1.0);
}
