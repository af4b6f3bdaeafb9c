//! Copies parts of an operand into the panels that the tiles read.
use super::simd::Simd;

/// A part of an operand that becomes a panel of vectors across `width`: element `(p, i)` of the panel is
/// `from[i * across + p * along]`, and goes to `to[p * step + i]`.
pub(in crate::kernels) struct Panel<T> {
    pub from: *const T,
    pub across: isize,
    pub along: isize,
    pub width: usize,
    pub k: usize,
    pub to: *mut T,
    pub step: usize,
}

/// Fills a panel.
///
/// # Safety
/// The instruction set is there; the source is valid, and the destination for `k * step` elements and one vector.
pub(in crate::kernels) type PackFn<T> = unsafe fn(&Panel<T>);

/// Fills a panel. Columns from `width` to `step` hold anything.
#[inline(always)]
pub(super) unsafe fn pack<S: Simd>(p: &Panel<S::Elem>) {
    // SAFETY: the caller vouches for both sides.
    unsafe {
        if p.across == 1 {
            copy_rows::<S>(p);
        } else if p.along == 1 && p.width >= S::BLOCK && p.k >= S::BLOCK {
            transpose::<S>(p);
        } else {
            for j in 0..p.k {
                let (from, to) = (p.from.offset(j as isize * p.along), p.to.add(j * p.step));
                for i in 0..p.width {
                    *to.add(i) = *from.offset(i as isize * p.across);
                }
            }
        }
    }
}

/// Rows are contiguous: whole vectors, whose unused end the next row overwrites.
#[inline(always)]
unsafe fn copy_rows<S: Simd>(p: &Panel<S::Elem>) {
    let full = (p.width - 1) / S::LANES * S::LANES;
    // SAFETY: only `width` elements of a row are read; the destination has room for one more vector at its end.
    unsafe {
        let mask = S::mask(p.width - full);
        for j in 0..p.k {
            let (from, to) = (p.from.offset(j as isize * p.along), p.to.add(j * p.step));
            for i in (0..full).step_by(S::LANES) {
                S::store(to.add(i), S::load(from.add(i)));
            }
            S::store(to.add(full), S::load_masked(from.add(full), mask));
        }
    }
}

/// Columns are contiguous: blocks turned in registers; the last ones overlap those before.
#[inline(always)]
unsafe fn transpose<S: Simd>(p: &Panel<S::Elem>) {
    for j in (0..p.k).step_by(S::BLOCK) {
        let j = j.min(p.k - S::BLOCK);
        for i in (0..p.width).step_by(S::BLOCK) {
            let i = i.min(p.width - S::BLOCK);
            // SAFETY: the block lies inside of `width` and `k`.
            unsafe {
                let from = p.from.offset(i as isize * p.across).add(j);
                S::transpose(from, p.across, p.to.add(j * p.step + i), p.step);
            }
        }
    }
}
