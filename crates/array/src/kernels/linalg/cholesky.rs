//! `A = L Lᵀ`
use super::rows::{BLOCK, add_product, block, dot, transposed};

/// Replaces the lower triangle by `L` and the upper one by zeros; `false`, if the matrix is not positive definite.
/// Right-looking and blocked; what stands above the diagonal is not read.
pub(super) fn cholesky(a: &mut [f64], n: usize) -> bool {
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        for i in start..n {
            for j in start..end.min(i + 1) {
                let (left, right) = (&a[i * n + start..i * n + j], &a[j * n + start..j * n + j]);
                let rest = a[i * n + j] - dot(left, right);
                if i > j {
                    a[i * n + j] = rest / a[j * n + j];
                } else if rest > 0.0 {
                    a[i * n + i] = rest.sqrt();
                } else {
                    return false;
                }
            }
        }
        for first in (end..n).step_by(BLOCK) {
            let last = n.min(first + BLOCK);
            let left = block(a, n, first..n, start..end, -1.0);
            let right = block(a, n, first..last, start..end, 1.0);
            let right = transposed(&right, last - first, end - start);
            let size = (n - first, end - start, last - first);
            add_product(&mut a[first * n + first..], n, &left, &right, size);
        }
    }
    (0..n).for_each(|i| a[i * n + i + 1..(i + 1) * n].fill(0.0));
    true
}
