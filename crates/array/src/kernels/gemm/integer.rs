//! Products of integers: plain loops that wrap around.
use super::{Product, activation};
use crate::{Isa, parallel};
use num_traits::{WrappingAdd, WrappingMul, Zero};

/// Multiply-adds in one chunk.
const CHUNK: usize = 1 << 18;

/// # Safety
/// As [`super::gemm`].
pub(super) unsafe fn product<T>(_isa: Isa, p: &Product<T>)
where
    T: Copy + Send + Sync + Zero + WrappingAdd + WrappingMul + PartialOrd,
{
    let (m, k, n) = (p.a.rows, p.a.cols, p.b.cols);
    let rows = (CHUNK / (k * n)).max(1);
    parallel::for_each(m.div_ceil(rows), |chunk| {
        for i in chunk * rows..m.min((chunk + 1) * rows) {
            // SAFETY: row `i` is below `m`; no other chunk touches it.
            unsafe { row(p, i) };
        }
    });
}

/// # Safety
/// As [`super::gemm`]; `i < m`.
unsafe fn row<T>(p: &Product<T>, i: usize)
where
    T: Copy + Zero + WrappingAdd + WrappingMul + PartialOrd,
{
    // SAFETY: the caller vouches for the pointers; `i`, `j` and `l` lie inside of the matrices.
    unsafe {
        let c = p.c.add(i * p.ldc);
        if !p.accumulate {
            (0..p.b.cols).for_each(|j| c.add(j).write(T::zero()));
        }
        let c = std::slice::from_raw_parts_mut(c, p.b.cols);
        for l in 0..p.a.cols {
            let x = *p.a.at(i, l);
            for (j, c) in c.iter_mut().enumerate() {
                *c = c.wrapping_add(&x.wrapping_mul(&*p.b.at(l, j)));
            }
        }
        for (j, c) in c.iter_mut().enumerate() {
            if !p.epilogue.bias.is_null() {
                *c = c.wrapping_add(&*p.epilogue.bias.add(j));
            }
        }
        activation::apply(p.epilogue.activation, c);
    }
}
