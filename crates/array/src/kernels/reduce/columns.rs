//! Reduction of an axis outside of the innermost one: vectorized over columns.
//!
//! The tree for a column depends on its length alone: leaves of [`LEAF`] rows, whose results make a column that is
//! reduced in the same way. A leaf combines [`GROUP`] rows in a tree and accumulates the groups in order.
use super::leaf::{GROUP, Loops};
use crate::kernels::Shared;
use crate::kernels::strided::{CHUNK, Rows, gather_bytes};
use crate::{Array, Result, Shape, parallel};
use std::mem::MaybeUninit;

/// Rows of a leaf: one, and groups.
const LEAF: usize = 1 + 32 * GROUP;
/// Columns that are worked on at a time.
const STRIP: usize = 512;

/// `count` blocks of `n` rows of `width` columns.
pub(super) struct Source<'a> {
    pub(super) from: *const u8,
    /// Where the blocks begin.
    pub(super) outer: &'a Rows<1>,
    pub(super) count: usize,
    /// Where the rows of a block begin.
    pub(super) rows: &'a Rows<1>,
    pub(super) n: usize,
    /// Where the elements of a row lie.
    pub(super) columns: &'a Rows<1>,
    pub(super) width: usize,
}

// SAFETY: nobody writes what is read.
unsafe impl Sync for Source<'_> {}

/// `to[i, column] = combine(block i [.., column])`.
///
/// # Safety
/// Every element of the source may be read, and `to` is memory for `count * width` elements. `n > 0`.
pub(super) unsafe fn reduce_columns(loops: &Loops, source: Source<'_>, to: *mut u8) -> Result<()> {
    let (count, width, leaves) = (source.count, source.width, source.n.div_ceil(LEAF));
    if leaves == 1 {
        // SAFETY: the caller's promise: one leaf for each block.
        unsafe { run_leaves(loops, source, 1, to) };
        return Ok(());
    }
    let partial = Array::uninit(Shape::from([count * leaves * width]), loops.dtype)?;
    let results = partial.as_bytes().cast_mut();
    let outer = Rows::new(&[count], [&[(leaves * width) as isize]]);
    let rows = Rows::new(&[leaves], [&[width as isize]]);
    // SAFETY: there is a place for the results of each leaf, all of which are written before they are read.
    unsafe {
        run_leaves(loops, source, leaves, results);
        let columns = &Rows::flat(width);
        let source = Source { from: results, outer: &outer, count, rows: &rows, n: leaves, columns, width };
        reduce_columns(loops, source, to)
    }
}

/// Writes the results of each leaf of each block.
///
/// # Safety
/// As [`reduce_columns`], with memory for `leaves * width` results for each block.
unsafe fn run_leaves(loops: &Loops, source: Source<'_>, leaves: usize, to: *mut u8) {
    let strips = source.width.div_ceil(STRIP);
    let all = source.count * leaves * strips;
    let elements = source.count * source.n * source.width;
    let size = source.n.min(LEAF) * source.width.min(STRIP);
    let share = if elements <= 2 * CHUNK { all.max(1) } else { (CHUNK / size).max(1) };
    let (source, to) = (&source, Shared::new(to));
    parallel::for_each(all.div_ceil(share), |i| {
        for task in i * share..((i + 1) * share).min(all) {
            let (leaf, column) = (task / strips, task % strips * STRIP);
            let place = (leaf * source.width + column) * loops.dtype.size();
            // SAFETY: the caller's promise; each strip of a leaf writes its own results.
            unsafe { source.run_strip(loops, (leaf / leaves, leaf % leaves), column, to.get().add(place)) };
        }
    });
}

impl Source<'_> {
    /// One strip of one leaf of a block, from a column on.
    ///
    /// # Safety
    /// As [`run_leaves`].
    unsafe fn run_strip(&self, loops: &Loops, (block, leaf): (usize, usize), column: usize, to: *mut u8) {
        let (size, start) = (loops.dtype.size(), leaf * LEAF);
        let (height, width) = (LEAF.min(self.n - start), STRIP.min(self.width - column));
        let block = self.from.wrapping_offset(self.outer.offset(block)[0] * size as isize);
        let row = |i: usize| block.wrapping_offset(self.rows.offset(start + i)[0] * size as isize);
        let mut rows = [std::ptr::null(); LEAF];
        if self.columns.is_flat() {
            for (i, at) in rows[..height].iter_mut().enumerate() {
                *at = row(i).wrapping_add(column * size);
            }
            // SAFETY: the rows may be read, and there is a place for the results.
            return unsafe { loops.columns(&rows[..height], false, width, to) };
        }
        // The rows are brought together first: one, and then groups.
        let mut space = MaybeUninit::<[[u64; STRIP]; GROUP]>::uninit();
        let (mut done, mut count) = (0, 1);
        while done < height {
            // SAFETY: as above; there is space for the columns of a group of rows.
            unsafe {
                for (i, at) in rows[..count].iter_mut().enumerate() {
                    let near = space.as_mut_ptr().cast::<u64>().add(i * STRIP).cast::<u8>();
                    gather_bytes(row(done + i), size, self.columns, (column, column + width), near);
                    *at = near;
                }
                loops.columns(&rows[..count], done > 0, width, to);
            }
            done += count;
            count = GROUP.min(height - done);
        }
    }
}
