//! The innermost kernel: one tile of the result, held in registers.
use super::simd::Simd;

/// One tile of `C`: its rows are in the function that computes it, its columns are at most the kernel's width.
pub(in crate::kernels) struct Tile<T> {
    /// Steps along the summed dimension, in each segment of it.
    pub k: usize,
    /// Segments of the summed dimension; in each, both operands begin so much farther on.
    pub segments: usize,
    pub a_jump: isize,
    pub b_jump: isize,
    /// Element `(i, p)` of the left operand is at `a + i * a_row + p * a_step`.
    pub a: *const T,
    pub a_row: isize,
    pub a_step: isize,
    /// Element `(p, j)` of the right operand is at `b + p * b_step + j`.
    pub b: *const T,
    pub b_step: isize,
    /// Element `(i, j)` of the result is at `c + i * c_step + j`.
    pub c: *mut T,
    pub c_step: usize,
    /// Columns of this tile; more than the vectors before the last one hold.
    pub columns: usize,
    /// Start from what `c` holds instead of zero.
    pub accumulate: bool,
    /// Added to each row at the end; may be null.
    pub bias: *const T,
    /// Clamp the result at zero, at the very end.
    pub relu: bool,
}

/// Computes a tile.
///
/// # Safety
/// The instruction set is there; the pointers are valid as described in [`Tile`].
pub(in crate::kernels) type TileFn<T> = unsafe fn(&Tile<T>);

/// How many rows ahead the right operand is asked for.
const AHEAD: isize = 16;

/// The tile of `MR` rows and `NV` vectors. Each element is one chain of multiply-adds in the order of `k`, so
/// its bits depend neither on the tile nor on where `k` is cut.
#[inline(always)]
pub(super) unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(t: &Tile<S::Elem>) {
    // SAFETY: the caller vouches for the pointers; the last vector is masked to the columns there are.
    unsafe {
        let last = S::mask(t.columns - (NV - 1) * S::LANES);
        let load = |from: *const S::Elem, j: usize| {
            let from = from.wrapping_add(j * S::LANES);
            if j + 1 == NV { S::load_masked(from, last) } else { S::load(from) }
        };
        let mut acc = [[S::zero(); NV]; MR];
        if t.accumulate {
            for (i, row) in acc.iter_mut().enumerate() {
                for (j, x) in row.iter_mut().enumerate() {
                    *x = load(t.c.add(i * t.c_step), j);
                }
            }
        } else {
            for i in 0..MR {
                S::prefetch(t.c.wrapping_add(i * t.c_step));
                S::prefetch(t.c.wrapping_add(i * t.c_step + t.columns - 1));
            }
        }
        let (mut a_segment, mut b_segment) = (t.a, t.b);
        let first_row = t.a_step.wrapping_mul(AHEAD);
        let last_row = first_row.wrapping_add((MR as isize - 1).wrapping_mul(t.a_row));
        let mut row_ahead = first_row;
        for _ in 0..t.segments {
            let (mut a, mut b) = (a_segment, b_segment);
            let mut ahead = b.wrapping_offset(t.b_step.wrapping_mul(AHEAD));
            for _ in 0..t.k {
                let mut row = [S::zero(); NV];
                for (j, x) in row.iter_mut().enumerate() {
                    *x = load(b, j);
                    S::prefetch(ahead.wrapping_add(j * S::LANES));
                }
                ahead = ahead.wrapping_offset(t.b_step);
                S::prefetch(a.wrapping_offset(row_ahead));
                row_ahead = if row_ahead == last_row { first_row } else { row_ahead.wrapping_add(t.a_row) };
                for (i, acc) in acc.iter_mut().enumerate() {
                    let x = S::splat(a.wrapping_offset(i as isize * t.a_row));
                    for (acc, &y) in acc.iter_mut().zip(&row) {
                        *acc = S::mul_add(x, y, *acc);
                    }
                }
                a = a.wrapping_offset(t.a_step);
                b = b.wrapping_offset(t.b_step);
            }
            a_segment = a_segment.wrapping_offset(t.a_jump);
            b_segment = b_segment.wrapping_offset(t.b_jump);
        }
        if !t.bias.is_null() {
            for j in 0..NV {
                let bias = load(t.bias, j);
                for row in &mut acc {
                    row[j] = S::add(row[j], bias);
                }
            }
        }
        for (i, row) in acc.iter().enumerate() {
            for (j, &x) in row.iter().enumerate() {
                let x = if t.relu { S::relu(x) } else { x };
                let to = t.c.add(i * t.c_step + j * S::LANES);
                if j + 1 == NV && t.columns != NV * S::LANES {
                    S::store_masked(to, last, x);
                } else {
                    S::store(to, x);
                }
            }
        }
    }
}
