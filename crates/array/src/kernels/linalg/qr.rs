//! `A = Q R` by Householder reflections.
use super::rows::{axpy, dot, identity};

/// A reflection `I - tau v vᵀ` with `v[0] = 1` that takes `x` to `(beta, 0, ..)`.
pub(super) struct Reflection {
    pub(super) v: Vec<f64>,
    pub(super) tau: f64,
    pub(super) beta: f64,
}

impl Reflection {
    /// As LAPACK's `dlarfg`: `beta` has the sign opposite to `x[0]`, or is `x[0]` if the rest of `x` is zero.
    pub(super) fn new(mut v: Vec<f64>) -> Reflection {
        let scale = v.iter().fold(0.0f64, |scale, x| scale.max(x.abs()));
        let alpha = v[0];
        v[0] = 1.0;
        if v[1..].iter().all(|x| *x == 0.0) {
            return Reflection { v, tau: 0.0, beta: alpha };
        }
        let squares: f64 = v[1..].iter().map(|x| (x / scale) * (x / scale)).sum();
        let norm = scale * ((alpha / scale) * (alpha / scale) + squares).sqrt();
        let beta = -norm.copysign(alpha);
        v[1..].iter_mut().for_each(|x| *x /= alpha - beta);
        Reflection { v, tau: (beta - alpha) / beta, beta }
    }

    /// Reflects rows `row..` of a matrix, in columns `column..`.
    pub(super) fn apply(&self, a: &mut [f64], n: usize, row: usize, column: usize) {
        if self.tau == 0.0 || column >= n {
            return;
        }
        let mut w = vec![0.0; n - column];
        for (i, &v) in self.v.iter().enumerate() {
            axpy(v, &a[(row + i) * n + column..(row + i + 1) * n], &mut w);
        }
        for (i, &v) in self.v.iter().enumerate() {
            axpy(-self.tau * v, &w, &mut a[(row + i) * n + column..(row + i + 1) * n]);
        }
    }
}

/// Makes an `m x n` matrix upper triangular; `q`, of `m` rows and `columns` columns, gets the first columns of the
/// orthogonal factor.
pub(super) fn qr(a: &mut [f64], (m, n): (usize, usize), q: &mut [f64], columns: usize) {
    let mut reflections = Vec::with_capacity(m.min(n));
    for k in 0..m.min(n) {
        let reflection = Reflection::new((k..m).map(|i| a[i * n + k]).collect());
        reflection.apply(a, n, k, k + 1);
        (k + 1..m).for_each(|i| a[i * n + k] = 0.0);
        a[k * n + k] = reflection.beta;
        reflections.push(reflection);
    }
    identity(q, columns);
    for (k, reflection) in reflections.iter().enumerate().rev() {
        reflection.apply(q, columns, k, k);
    }
}

/// A row orthogonal to those of `rows` for which `known` holds, of length 1. There are fewer of them than columns.
pub(super) fn orthogonal(rows: &[f64], n: usize, known: impl Fn(usize) -> bool) -> Vec<f64> {
    let known: Vec<&[f64]> =
        rows.chunks_exact(n).enumerate().filter(|(i, _)| known(*i)).map(|(_, row)| row).collect();
    // The unit vector of which most lies outside of their span.
    let inside = |j: usize| known.iter().map(|row| row[j] * row[j]).sum::<f64>();
    let mut x = vec![0.0; n];
    x[(0..n).min_by(|&i, &j| inside(i).total_cmp(&inside(j))).expect("a column")] = 1.0;
    // Twice is enough (B. Parlett, The Symmetric Eigenvalue Problem, section 6.9).
    for row in known.iter().chain(&known) {
        let along = dot(row, &x);
        axpy(-along, row, &mut x);
    }
    let norm = dot(&x, &x).sqrt();
    x.iter_mut().for_each(|x| *x /= norm);
    x
}
