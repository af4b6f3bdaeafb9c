//! `P A = L U` with partial pivoting.
use super::rows::{BLOCK, add_product, axpy, block, pair};
use super::triangular::{self, Triangle};

/// The factors of a square matrix.
pub(super) struct Lu {
    n: usize,
    /// `U` on and above the diagonal, below it `L`, whose diagonal is one.
    factors: Vec<f64>,
    /// Row `i` of `P A` is row `order[i]` of `A`.
    order: Vec<usize>,
    /// The sign of the permutation.
    sign: f64,
}

impl Lu {
    /// Right-looking and blocked (G. Golub, C. Van Loan, *Matrix Computations*, 4th ed., section 3.4).
    pub(super) fn new(a: &[f64], n: usize) -> Lu {
        let mut lu = Lu { n, factors: a.to_vec(), order: (0..n).collect(), sign: 1.0 };
        for start in (0..n).step_by(BLOCK) {
            let end = n.min(start + BLOCK);
            lu.panel(start, end);
            for i in start + 1..end {
                for l in start..i {
                    let (row, above) = pair(&mut lu.factors, n, i, l);
                    axpy(-row[l], &above[end..], &mut row[end..]);
                }
            }
            if end < n {
                let left = block(&lu.factors, n, end..n, start..end, -1.0);
                let right = block(&lu.factors, n, start..end, end..n, 1.0);
                let rest = n - end;
                add_product(&mut lu.factors[end * n + end..], n, &left, &right, (rest, end - start, rest));
            }
        }
        lu
    }

    /// Factors columns `start..end`, and exchanges whole rows.
    fn panel(&mut self, start: usize, end: usize) {
        let n = self.n;
        for j in start..end {
            let size = |i: usize| self.factors[i * n + j].abs();
            let pivot = (j + 1..n).fold(j, |best, i| if size(i) > size(best) { i } else { best });
            if pivot != j {
                let (a, b) = pair(&mut self.factors, n, j, pivot);
                a.swap_with_slice(b);
                self.order.swap(j, pivot);
                self.sign = -self.sign;
            }
            for i in j + 1..n {
                let (row, above) = pair(&mut self.factors, n, i, j);
                if above[j] != 0.0 {
                    row[j] /= above[j];
                    axpy(-row[j], &above[j + 1..end], &mut row[j + 1..end]);
                }
            }
        }
    }

    fn pivots(&self) -> impl Iterator<Item = f64> {
        self.factors.iter().step_by(self.n + 1).copied()
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

    /// `x = A⁻¹ b` for a row-major `n x m` matrix `b`; the matrix is not singular.
    pub(super) fn solve(&self, b: &[f64], x: &mut [f64], m: usize) {
        for (i, &from) in self.order.iter().enumerate() {
            x[i * m..(i + 1) * m].copy_from_slice(&b[from * m..(from + 1) * m]);
        }
        triangular::solve(&self.factors, self.n, Triangle::UnitLower, x, m);
        triangular::solve(&self.factors, self.n, Triangle::Upper, x, m);
    }
}
