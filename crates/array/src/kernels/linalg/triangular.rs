//! Systems with triangular matrices.
use super::rows::{BLOCK, add_product, axpy, block, pair};

/// Which elements of the matrix count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Triangle {
    Lower,
    /// With ones on the diagonal, whatever stands there.
    UnitLower,
    Upper,
}

/// `x = T⁻¹ x` for an `n x n` triangle and a row-major `n x m` matrix: substitution within blocks, and matrix products
/// between them. The diagonal has no zeros.
pub(super) fn solve(t: &[f64], n: usize, triangle: Triangle, x: &mut [f64], m: usize) {
    if m == 0 {
        return;
    }
    let blocks = n.div_ceil(BLOCK);
    for i in 0..blocks {
        let at = if triangle == Triangle::Upper { blocks - 1 - i } else { i };
        let (start, end) = (at * BLOCK, n.min((at + 1) * BLOCK));
        substitute(t, n, triangle, x, m, start..end);
        let rest = if triangle == Triangle::Upper { 0..start } else { end..n };
        if !rest.is_empty() {
            let left = block(t, n, rest.clone(), start..end, -1.0);
            let right = x[start * m..end * m].to_vec();
            add_product(&mut x[rest.start * m..], m, &left, &right, (rest.len(), end - start, m));
        }
    }
}

fn substitute(
    t: &[f64],
    n: usize,
    triangle: Triangle,
    x: &mut [f64],
    m: usize,
    rows: std::ops::Range<usize>,
) {
    for step in 0..rows.len() {
        let i = if triangle == Triangle::Upper { rows.end - 1 - step } else { rows.start + step };
        let solved = if triangle == Triangle::Upper { i + 1..rows.end } else { rows.start..i };
        for l in solved {
            let (row, other) = pair(x, m, i, l);
            axpy(-t[i * n + l], other, row);
        }
        if triangle != Triangle::UnitLower {
            x[i * m..(i + 1) * m].iter_mut().for_each(|x| *x /= t[i * n + i]);
        }
    }
}
