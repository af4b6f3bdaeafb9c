//! Many products of the same shape.
use super::{GemmElement, Mat, Product, gemm_with};
use crate::{Isa, parallel};

/// Multiply-adds in one chunk of small products.
const CHUNK: usize = 1 << 21;

/// Where one product of a batch begins, in elements from the pointers that all products share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub a: isize,
    pub b: isize,
    pub c: usize,
}

/// [`gemm`](super::gemm) for `count` products like `p`, whose operands and results begin at the offsets
/// `offsets(0)` to `offsets(count - 1)` from those of `p`. The epilogue is the same for all.
///
/// Where all products share the right operand, and the left ones and the results follow each other as the rows of
/// one matrix, it is one product with more rows. Otherwise small products run at the same time, large ones in turn.
///
/// # Safety
/// As [`gemm`](super::gemm) for each product; the results do not overlap.
///
/// # Panics
/// As [`gemm`](super::gemm).
pub(crate) unsafe fn gemm_batched<T: GemmElement>(
    count: usize,
    offsets: impl Fn(usize) -> Offsets + Sync,
    p: Product<T>,
) {
    // SAFETY: `Isa::current` is an instruction set of this processor; the rest as the caller promises.
    unsafe { gemm_batched_with(Isa::current(), count, offsets, p) }
}

/// # Safety
/// As [`gemm_batched`], and the processor has the instruction set.
pub(super) unsafe fn gemm_batched_with<T: GemmElement>(
    isa: Isa,
    count: usize,
    offsets: impl Fn(usize) -> Offsets + Sync,
    p: Product<T>,
) {
    let p = &p;
    let m = p.a.rows;
    let follows = |i: usize| {
        let (before, this) = (offsets(i - 1), offsets(i));
        this.b == before.b
            && this.a == before.a + m as isize * p.a.row_stride
            && this.c == before.c + m * p.ldc
    };
    if count > 0 && (1..count).all(follows) {
        // SAFETY: the rows of all products are the rows of one matrix.
        return unsafe { gemm_with(isa, one(p, offsets(0), count * m)) };
    }
    let work = m * p.a.cols * p.b.cols;
    let group = (CHUNK / work.max(1)).clamp(1, count.max(1));
    let run = |i: usize| {
        // SAFETY: as the caller promises.
        unsafe { gemm_with(isa, one(p, offsets(i), m)) }
    };
    if group == 1 {
        return (0..count).for_each(run);
    }
    parallel::for_each(count.div_ceil(group), |chunk| {
        (chunk * group..count.min((chunk + 1) * group)).for_each(run);
    });
}

/// The product at some offset, with so many rows.
fn one<T: Copy>(p: &Product<T>, offset: Offsets, rows: usize) -> Product<T> {
    Product {
        a: Mat { ptr: p.a.ptr.wrapping_offset(offset.a), rows, ..p.a },
        b: Mat { ptr: p.b.ptr.wrapping_offset(offset.b), ..p.b },
        c: p.c.wrapping_add(offset.c),
        ..*p
    }
}
