//! Factorizations of one matrix by faer, without threads: the bits depend on the matrix alone.
//!
//! Slices are row-major; faer's own matrices are column-major and aligned.
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor as llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::linalg::householder;
use faer::linalg::lu::partial_pivoting::{factor as lu, solve as lu_solve};
use faer::linalg::qr::no_pivoting::factor as qr_factor;
use faer::linalg::svd::{self as svd_factor, ComputeSvdVectors};
use faer::perm::PermRef;
use faer::{Conj, Mat, MatMut, MatRef, Par, Spec};

fn of_rows(a: &[f64], m: usize, n: usize) -> Mat<f64> {
    MatRef::from_row_major_slice(a, m, n).to_owned()
}

fn to_rows(a: &Mat<f64>, to: &mut [f64]) {
    MatMut::from_row_major_slice_mut(to, a.nrows(), a.ncols()).copy_from(a);
}

/// `P A = L U` with partial pivoting.
pub(super) struct Lu {
    /// `U` on and above the diagonal, below it `L`, whose diagonal is one.
    factors: Mat<f64>,
    /// Row `i` of `P A` is row `order[i]` of `A`.
    order: Vec<usize>,
    inverse_order: Vec<usize>,
    /// The sign of the permutation.
    sign: f64,
}

impl Lu {
    /// Of an `n x n` matrix.
    pub(super) fn new(a: &[f64], n: usize) -> Lu {
        let mut lu =
            Lu { factors: of_rows(a, n, n), order: vec![0; n], inverse_order: vec![0; n], sign: 1.0 };
        let mut memory =
            MemBuffer::new(lu::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, Spec::default()));
        let (info, _) = lu::lu_in_place(
            lu.factors.as_mut(),
            &mut lu.order,
            &mut lu.inverse_order,
            Par::Seq,
            MemStack::new(&mut memory),
            Spec::default(),
        );
        if info.transposition_count % 2 == 1 {
            lu.sign = -1.0;
        }
        lu
    }

    fn pivots(&self) -> impl Iterator<Item = f64> {
        (0..self.order.len()).map(|i| self.factors[(i, i)])
    }

    pub(super) fn is_singular(&self) -> bool {
        self.pivots().any(|pivot| pivot == 0.0)
    }

    pub(super) fn det(&self) -> f64 {
        self.pivots().fold(self.sign, |product, pivot| product * pivot)
    }

    /// The sign of the determinant and the logarithm of its size; 0 and -∞ where it is 0.
    pub(super) fn slogdet(&self) -> (f64, f64) {
        if self.is_singular() {
            return (0.0, f64::NEG_INFINITY);
        }
        let mut sign = self.sign;
        let mut log = 0.0;
        for pivot in self.pivots() {
            sign *= if pivot.is_nan() { pivot } else { pivot.signum() };
            log += pivot.abs().ln();
        }
        (sign, log)
    }

    /// Replaces the `n x m` matrix `x` by `A⁻¹ x`; the matrix is not singular.
    pub(super) fn solve(&self, x: &mut [f64], m: usize) {
        let n = self.order.len();
        let mut solution = of_rows(x, n, m);
        let mut memory = MemBuffer::new(lu_solve::solve_in_place_scratch::<usize, f64>(n, m, Par::Seq));
        lu_solve::solve_in_place(
            self.factors.as_ref(),
            self.factors.as_ref(),
            PermRef::new_checked(&self.order, &self.inverse_order, n),
            solution.as_mut(),
            Par::Seq,
            MemStack::new(&mut memory),
        );
        to_rows(&solution, x);
    }
}

/// The lower triangular `l` with `l lᵀ = a`, on zeros; `false`, if the matrix is not positive definite. Only the lower
/// triangle is read.
pub(super) fn cholesky(a: &[f64], n: usize, l: &mut [f64]) -> bool {
    let mut factor: Mat<f64> = Mat::zeros(n, n);
    factor.copy_from_triangular_lower(MatRef::from_row_major_slice(a, n, n));
    let mut memory = MemBuffer::new(llt::cholesky_in_place_scratch::<f64>(n, Par::Seq, Spec::default()));
    let done = llt::cholesky_in_place(
        factor.as_mut(),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut memory),
        Spec::default(),
    );
    MatMut::from_row_major_slice_mut(l, n, n).copy_from_triangular_lower(&factor);
    done.is_ok() && (0..n).all(|i| factor[(i, i)] > 0.0)
}

/// `a = q r` for an `m x n` matrix, where `q` is `m x k` and `r`, on zeros, `k x n`.
pub(super) fn qr(a: &[f64], (m, n): (usize, usize), q: &mut [f64], r: &mut [f64]) {
    let k = q.len().checked_div(m).unwrap_or(0);
    let mut factors = of_rows(a, m, n);
    let mut orthogonal: Mat<f64> = Mat::identity(m, k);
    let reflections = m.min(n);
    if reflections > 0 {
        let block = qr_factor::recommended_block_size::<f64>(m, n);
        let mut coefficients: Mat<f64> = Mat::zeros(block, reflections);
        let mut memory =
            MemBuffer::new(qr_factor::qr_in_place_scratch::<f64>(m, n, block, Par::Seq, Spec::default()).or(
                householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
                    m, block, k,
                ),
            ));
        let stack = MemStack::new(&mut memory);
        qr_factor::qr_in_place(factors.as_mut(), coefficients.as_mut(), Par::Seq, stack, Spec::default());
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            factors.as_ref().subcols(0, reflections),
            coefficients.as_ref(),
            Conj::No,
            orthogonal.as_mut(),
            Par::Seq,
            stack,
        );
    }
    to_rows(&orthogonal, q);
    for i in 0..reflections {
        (i..n).for_each(|j| r[i * n + j] = factors[(i, j)]);
    }
}

/// A matrix divided by a power of two, and that number: the largest element is then of size 1 to 2, so that its square
/// neither overflows nor underflows.
fn scaled(a: &[f64], m: usize, n: usize) -> (Mat<f64>, f64) {
    const EXPONENT: u64 = 0x7ff << 52;
    let most = a.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
    let scale = f64::from_bits(most.to_bits() & EXPONENT);
    let a = MatRef::from_row_major_slice(a, m, n);
    (Mat::from_fn(m, n, |i, j| a[(i, j)] / scale), scale)
}

/// The eigenvalues of a symmetric matrix in ascending order, and its eigenvectors as columns of `vectors`, if they are
/// asked for; `false`, if the iteration does not converge. Only the lower triangle is read.
pub(super) fn eigh(a: &[f64], n: usize, values: &mut [f64], vectors: Option<&mut [f64]>) -> bool {
    if n == 0 {
        return true;
    }
    let compute = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let (a, scale) = scaled(a, n, n);
    let mut columns: Option<Mat<f64>> = vectors.is_some().then(|| Mat::zeros(n, n));
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, compute, Par::Seq, Spec::default());
    let done = evd::self_adjoint_evd(
        a.as_ref(),
        DiagMut::from_slice_mut(values),
        columns.as_mut().map(Mat::as_mut),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Spec::default(),
    );
    values.iter_mut().for_each(|value| *value *= scale);
    if let (Some(vectors), Some(columns)) = (vectors, &columns) {
        to_rows(columns, vectors);
    }
    done.is_ok()
}

/// The singular values of an `m x n` matrix in descending order, and as many left and right singular vectors, as columns,
/// as `u` and `v` have room for: `min(m, n)` or all; `false`, if the iteration does not converge.
pub(super) fn svd(a: &[f64], (m, n): (usize, usize), s: &mut [f64], u: &mut [f64], v: &mut [f64]) -> bool {
    let columns = |vectors: &[f64], rows: usize| vectors.len().checked_div(rows).unwrap_or(0);
    let mut left: Mat<f64> = Mat::identity(m, columns(u, m));
    let mut right: Mat<f64> = Mat::identity(n, columns(v, n));
    let compute = |vectors: &Mat<f64>| match vectors.ncols() > s.len() {
        true => ComputeSvdVectors::Full,
        false => ComputeSvdVectors::Thin,
    };
    let mut done = true;
    if !s.is_empty() {
        let (a, scale) = scaled(a, m, n);
        let scratch =
            svd_factor::svd_scratch::<f64>(m, n, compute(&left), compute(&right), Par::Seq, Spec::default());
        let result = svd_factor::svd(
            a.as_ref(),
            DiagMut::from_slice_mut(s),
            Some(left.as_mut()),
            Some(right.as_mut()),
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Spec::default(),
        );
        done = result.is_ok();
        s.iter_mut().for_each(|s| *s *= scale);
    }
    to_rows(&left, u);
    to_rows(&right, v);
    done
}
