//! Singular values and vectors.
use super::eigh::eigh;
use super::qr::{orthogonal, qr};
use super::rows::{add_product, dot, identity, pair, product, rotate, transposed};

/// Sweeps over all pairs of rows; two or three are usual.
const SWEEPS: usize = 60;

/// `A = U diag(s) Vᵀ`
pub(super) struct Svd {
    /// In descending order.
    pub(super) values: Vec<f64>,
    /// `m x columns`
    pub(super) u: Vec<f64>,
    /// `n x n`
    pub(super) v: Vec<f64>,
}

impl Svd {
    /// Of an `m x n` matrix with `m >= n`; `u` has `columns` columns, `n` or `m` of them. `None`, if the iteration does
    /// not converge.
    ///
    /// The rows of `R`, of `A = Q R`, are made orthogonal: `J R = diag(s) Vᵀ` and `U = Q Jᵀ`. The eigenvectors of `R Rᵀ`
    /// do most of it; what their squared condition leaves is rotated away (one-sided Jacobi: Golub, Van Loan, *Matrix
    /// Computations*, 4th ed., section 8.6).
    pub(super) fn new(a: &[f64], (m, n): (usize, usize), columns: usize) -> Option<Svd> {
        let scale = a.iter().fold(0.0f64, |scale, x| scale.max(x.abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let mut r: Vec<f64> = a.iter().map(|x| x / scale).collect();
        let mut q = vec![0.0; m * columns];
        qr(&mut r, (m, n), &mut q, columns);
        r.truncate(n * n);
        let mut j = left_vectors(&r, n);
        r = product(&j, &r, n);
        orthogonalize(&mut r, &mut j, n)?;
        let norms: Vec<f64> = r.chunks_exact(n.max(1)).map(|row| dot(row, row).sqrt()).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        let values = order.iter().map(|&i| scale * norms[i]).collect();
        let sorted = |rows: &[f64]| order.iter().flat_map(|&i| &rows[i * n..(i + 1) * n]).copied().collect();
        let (mut rows, j): (Vec<f64>, Vec<f64>) = (sorted(&r), sorted(&j));
        normalize(&mut rows, n);
        Some(Svd { values, u: left(&q, &j, (m, n), columns), v: transposed(&rows, n, n) })
    }
}

/// The eigenvectors of `r rᵀ`, as rows.
fn left_vectors(r: &[f64], n: usize) -> Vec<f64> {
    let mut vectors = vec![0.0; n * n];
    if !eigh(&product(r, &transposed(r, n, n), n), n, &mut vec![0.0; n], Some(&mut vectors)) {
        // Rotations alone get there too.
        identity(&mut vectors, n);
    }
    transposed(&vectors, n, n)
}

/// The first `n` columns of `q` times the transpose of `j`, beside the other columns.
fn left(q: &[f64], j: &[f64], (m, n): (usize, usize), columns: usize) -> Vec<f64> {
    let thin: Vec<f64> = (0..m).flat_map(|i| &q[i * columns..i * columns + n]).copied().collect();
    let mut u = q.to_vec();
    (0..m).for_each(|i| u[i * columns..i * columns + n].fill(0.0));
    add_product(&mut u, columns, &thin, &transposed(j, n, n), (m, n, n));
    u
}

/// Rotates pairs of rows of `a`, and of `j`, until all of `a` are orthogonal to each other.
fn orthogonalize(a: &mut [f64], j: &mut [f64], n: usize) -> Option<()> {
    let tolerance = f64::EPSILON * (n as f64).sqrt();
    for _ in 0..SWEEPS {
        let mut done = true;
        let mut squares: Vec<f64> = a.chunks_exact(n.max(1)).map(|row| dot(row, row)).collect();
        for q in 1..n {
            for p in 0..q {
                let (alpha, beta) = (squares[p], squares[q]);
                let (x, y) = pair(a, n, p, q);
                let gamma = dot(x, y);
                let negligible = alpha.min(beta) < f64::MIN_POSITIVE;
                if negligible || gamma.abs() <= tolerance * alpha.sqrt() * beta.sqrt() {
                    continue;
                }
                done = false;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                rotate(x, y, (c, c * t));
                (squares[p], squares[q]) = (alpha - t * gamma, beta + t * gamma);
                let (x, y) = pair(j, n, p, q);
                rotate(x, y, (c, c * t));
            }
        }
        if done {
            return Some(());
        }
    }
    None
}

/// Makes orthogonal rows, the longest first, of length 1; those of no length are chosen orthogonal to the others.
fn normalize(rows: &mut [f64], n: usize) {
    for i in 0..n {
        let row = &mut rows[i * n..(i + 1) * n];
        let norm = dot(row, row).sqrt();
        if norm > f64::MIN_POSITIVE.sqrt() {
            row.iter_mut().for_each(|x| *x /= norm);
        } else {
            let row = orthogonal(rows, n, |other| other < i);
            rows[i * n..(i + 1) * n].copy_from_slice(&row);
        }
    }
}
