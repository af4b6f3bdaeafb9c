//! Reduction of the innermost elements of each row.
//!
//! The tree for a row depends on its length alone: leaves of [`LEAF`] elements, whose results make a row that is
//! reduced in the same way.
use super::leaf::{Loops, Span};
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows, gather_bytes};
use crate::{Array, Result, Shape, parallel};
use std::mem::MaybeUninit;

/// Elements of a row that are reduced in lanes: the error of a sum does not grow with its length beyond.
pub(super) const LEAF: usize = 4096;

/// `count` rows of `n` elements each.
pub(super) struct Source<'a> {
    pub(super) from: *const u8,
    /// Where the rows begin.
    pub(super) outer: &'a Rows<1>,
    pub(super) count: usize,
    /// Where the elements of a row lie.
    pub(super) row: &'a Rows<1>,
    pub(super) n: usize,
}

// SAFETY: nobody writes what is read.
unsafe impl Sync for Source<'_> {}

/// `to[i] = combine(row i)`.
///
/// # Safety
/// Every element of the source may be read, and `to` is memory for `count` elements. `n > 0`.
pub(super) unsafe fn reduce_rows(loops: &Loops, source: Source<'_>, to: *mut u8) -> Result<()> {
    let (count, leaves) = (source.count, source.n.div_ceil(LEAF));
    if leaves == 1 {
        // SAFETY: the caller's promise: one leaf for each row.
        unsafe { run_leaves(loops, source, 1, to) };
        return Ok(());
    }
    let partial = Array::uninit(Shape::from([count * leaves]), loops.dtype)?;
    let results = partial.as_bytes().cast_mut();
    let (outer, row) = (Rows::new(&[count], [&[leaves as isize]]), Rows::flat(leaves));
    // SAFETY: there is a place for the result of each leaf, all of which are written before they are read.
    unsafe {
        run_leaves(loops, source, leaves, results);
        reduce_rows(loops, Source { from: results, outer: &outer, count, row: &row, n: leaves }, to)
    }
}

/// Writes the result of each leaf of each row.
///
/// # Safety
/// As [`reduce_rows`], with memory for `leaves` results for each row.
unsafe fn run_leaves(loops: &Loops, source: Source<'_>, leaves: usize, to: *mut u8) {
    let (all, elements) = (source.count * leaves, source.count * source.n);
    let share = if elements <= 2 * CHUNK { all.max(1) } else { (CHUNK / source.n.min(LEAF)).max(1) };
    let (source, to) = (&source, Shared::new(to));
    parallel::for_each(all.div_ceil(share), |i| {
        let (start, end) = (i * share, ((i + 1) * share).min(all));
        // SAFETY: the caller's promise; each leaf writes its own result.
        unsafe {
            match source.row.is_flat() {
                true if leaves == 1 => source.run_rows(loops, (start, end), to.get()),
                flat => (start..end).for_each(|task| source.run_leaf(loops, leaves, task, flat, to.get())),
            }
        }
    });
}

impl Source<'_> {
    /// Where a row begins.
    fn at(&self, row: usize, size: usize) -> *const u8 {
        self.from.wrapping_offset(self.outer.offset(row)[0] * size as isize)
    }

    /// Whole rows whose elements follow each other in memory, as many at a time as are equally far apart.
    ///
    /// # Safety
    /// As [`run_leaves`].
    unsafe fn run_rows(&self, loops: &Loops, (start, end): (usize, usize), to: *mut u8) {
        let (size, (length, [step])) = (loops.dtype.size(), self.outer.row());
        let mut row = start;
        while row < end {
            let count = (length - row % length).min(end - row);
            // SAFETY: the caller's promise.
            unsafe { loops.rows(self.at(row, size), Span { count, step, n: self.n }, to.add(row * size)) };
            row += count;
        }
    }

    /// One leaf, whose elements are brought together first if they do not follow each other.
    ///
    /// # Safety
    /// As [`run_leaves`].
    unsafe fn run_leaf(&self, loops: &Loops, leaves: usize, task: usize, flat: bool, to: *mut u8) {
        let (size, row, start) = (loops.dtype.size(), task / leaves, task % leaves * LEAF);
        let end = self.n.min(start + LEAF);
        let (at, span) = (self.at(row, size), Span { count: 1, step: 0, n: end - start });
        let mut space = MaybeUninit::<[u64; LEAF]>::uninit();
        // SAFETY: the caller's promise; there is space for the elements of a leaf.
        unsafe {
            let from = if flat {
                at.wrapping_add(start * size)
            } else {
                gather_bytes(at, size, self.row, (start, end), space.as_mut_ptr().cast());
                space.as_ptr().cast()
            };
            loops.rows(from, span, to.add(task * size));
        }
    }
}
