//! Systems with triangular matrices.
use super::rows::{BLOCK, add_product, axpy, block, pair};

/// `x = T⁻¹ x` for an `n x n` triangle, the lower one or the upper one, and a row-major `n x m` matrix: substitution within blocks, and matrix products
/// between them. The diagonal has no zeros.
pub(super) fn solve(t: &[f64], n: usize, lower: bool, x: &mut [f64], m: usize) {
    if m == 0 {
        return;
    }
    let blocks = n.div_ceil(BLOCK);
    for i in 0..blocks {
        let at = if lower { i } else { blocks - 1 - i };
        let (start, end) = (at * BLOCK, n.min((at + 1) * BLOCK));
        substitute(t, n, lower, x, m, start..end);
        let rest = if lower { end..n } else { 0..start };
        if !rest.is_empty() {
            let left = block(t, n, rest.clone(), start..end, -1.0);
            let right = x[start * m..end * m].to_vec();
            add_product(&mut x[rest.start * m..], m, &left, &right, (rest.len(), end - start, m));
        }
    }
}

fn substitute(t: &[f64], n: usize, lower: bool, x: &mut [f64], m: usize, rows: std::ops::Range<usize>) {
    for step in 0..rows.len() {
        let i = if lower { rows.start + step } else { rows.end - 1 - step };
        let solved = if lower { rows.start..i } else { i + 1..rows.end };
        for l in solved {
            let (row, other) = pair(x, m, i, l);
            axpy(-t[i * n + l], other, row);
        }
        x[i * m..(i + 1) * m].iter_mut().for_each(|x| *x /= t[i * n + i]);
    }
}
