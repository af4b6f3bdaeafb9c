//! Eigenvalues and eigenvectors of symmetric matrices.
use super::qr::Reflection;
use super::rows::{axpy, dot, identity, pair, rotate, transposed};

/// Iterations that one eigenvalue may take; two are usual.
const ITERATIONS: usize = 60;

/// A symmetric tridiagonal matrix, and the orthogonal one that it came by.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// `off[i]` couples `i` and `i + 1`; the last one is 0.
    off: Vec<f64>,
    /// The transpose of the orthogonal matrix, if it was asked for.
    vectors: Option<Vec<f64>>,
}

impl Tridiagonal {
    /// Householder's reduction. Only the lower triangle is read.
    fn new(a: &[f64], n: usize, with_vectors: bool) -> Tridiagonal {
        let mut a: Vec<f64> =
            (0..n * n).map(|at| a[(at / n).max(at % n) * n + (at / n).min(at % n)]).collect();
        let mut off = vec![0.0; n];
        let mut reflections = Vec::new();
        for k in 0..n.saturating_sub(1) {
            let reflection = Reflection::new(a[k * n + k + 1..(k + 1) * n].to_vec());
            off[k] = reflection.beta;
            reflect(&mut a, n, k + 1, &reflection);
            reflections.push(reflection);
        }
        let vectors = with_vectors.then(|| {
            let mut q = vec![0.0; n * n];
            identity(&mut q, n);
            for (k, reflection) in reflections.iter().enumerate().rev() {
                reflection.apply(&mut q, n, k + 1, k + 1);
            }
            transposed(&q, n, n)
        });
        Tridiagonal { diagonal: a.iter().step_by(n + 1).copied().collect(), off, vectors }
    }

    /// The implicit QL method (A. Dubrulle, R. Martin, J. Wilkinson, *Numerische Mathematik* 12, 1968); `false`, if it
    /// does not converge.
    fn diagonalize(&mut self) -> bool {
        let n = self.diagonal.len();
        for low in 0..n {
            let mut converged = false;
            for _ in 0..ITERATIONS {
                let high = self.unreduced_from(low);
                if high == low {
                    converged = true;
                    break;
                }
                self.step(low, high);
            }
            if !converged {
                return false;
            }
        }
        true
    }

    /// The last row of the block that begins at `low`.
    fn unreduced_from(&self, low: usize) -> usize {
        let d = &self.diagonal;
        let splits = |i: usize| self.off[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs());
        (low..d.len() - 1).find(|&i| splits(i)).unwrap_or(d.len() - 1)
    }

    /// One implicitly shifted step on the rows `low..=high`.
    fn step(&mut self, low: usize, high: usize) {
        let n = self.diagonal.len();
        let (d, e) = (&mut self.diagonal, &mut self.off);
        let half = (d[low + 1] - d[low]) / (2.0 * e[low]);
        let mut g = d[high] - d[low] + e[low] / (half + half.hypot(1.0).copysign(half));
        let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
        for i in (low..high).rev() {
            let (f, b) = (s * e[i], c * e[i]);
            let r = f.hypot(g);
            e[i + 1] = r;
            if r == 0.0 {
                // The matrix splits here.
                d[i + 1] -= p;
                e[high] = 0.0;
                return;
            }
            (s, c) = (f / r, g / r);
            g = d[i + 1] - p;
            let r = (d[i] - g) * s + 2.0 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
            if let Some(vectors) = &mut self.vectors {
                let (x, y) = pair(vectors, n, i, i + 1);
                rotate(x, y, (c, s));
            }
        }
        d[low] -= p;
        e[low] = g;
        e[high] = 0.0;
    }
}

/// `A = H A H` in the rows and columns `first..`.
fn reflect(a: &mut [f64], n: usize, first: usize, reflection: &Reflection) {
    let Reflection { v, tau, .. } = reflection;
    if *tau == 0.0 {
        return;
    }
    let row = |i: usize| (first + i) * n + first..(first + i + 1) * n;
    let mut w: Vec<f64> = (0..v.len()).map(|i| tau * dot(&a[row(i)], v)).collect();
    let half = -0.5 * tau * dot(&w, v);
    axpy(half, v, &mut w);
    for i in 0..v.len() {
        axpy(-v[i], &w, &mut a[row(i)]);
        axpy(-w[i], v, &mut a[row(i)]);
    }
}

/// The eigenvalues in ascending order, and the eigenvectors as columns of `vectors`, if they are asked for; `false`, if
/// the iteration does not converge. Only the lower triangle is read.
pub(super) fn eigh(a: &[f64], n: usize, values: &mut [f64], vectors: Option<&mut [f64]>) -> bool {
    let mut t = Tridiagonal::new(a, n, vectors.is_some());
    if !t.diagonalize() {
        return false;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| t.diagonal[i].total_cmp(&t.diagonal[j]));
    for (k, &i) in order.iter().enumerate() {
        values[k] = t.diagonal[i];
    }
    if let (Some(to), Some(from)) = (vectors, &t.vectors) {
        for (k, &i) in order.iter().enumerate() {
            (0..n).for_each(|j| to[j * n + k] = from[i * n + j]);
        }
    }
    true
}
