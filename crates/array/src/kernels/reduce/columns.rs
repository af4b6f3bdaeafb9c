//! Reduction of an axis outside of the innermost one: vectorized over columns.
//!
//! The tree for a column depends on its length alone: leaves of [`LEAF`] rows, whose results make a column that is
//! reduced in the same way. A leaf combines [`GROUP`] rows in a tree and accumulates the groups in order.
use super::ops::Combine;
use crate::array::Uninit;
use crate::isa::dispatch_for;
use crate::kernels::strided::{CHUNK, Rows, gather};
use crate::{Kernel, Number, Result, parallel};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Rows of a leaf.
const LEAF: usize = 256;
/// Rows that are combined before they are accumulated.
const GROUP: usize = 8;
/// Columns that are worked on at a time.
const STRIP: usize = 512;

/// `count` blocks of `n` rows of `width` columns.
pub(super) struct Source<'a, T> {
    pub(super) from: *const T,
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

/// `to[i, column] = combine(block i [.., column])`.
///
/// # Safety
/// Every element of the source may be read, and `to` is memory for `count * width` elements. `n > 0`.
pub(super) unsafe fn reduce_columns<T: Number, C: Combine<T>>(
    source: Source<'_, T>,
    to: *mut T,
) -> Result<()> {
    let (count, width, leaves) = (source.count, source.width, source.n.div_ceil(LEAF));
    if leaves == 1 {
        // SAFETY: the caller's promise: one leaf for each block.
        unsafe { run_leaves::<T, C>(source, 1, to) };
        return Ok(());
    }
    let mut partial = Uninit::<T>::new([count * leaves * width])?;
    let results = partial.as_mut_slice().as_mut_ptr().cast::<T>();
    let outer = Rows::new(&[count], [&[(leaves * width) as isize]]);
    let rows = Rows::new(&[leaves], [&[width as isize]]);
    // SAFETY: there is a place for the results of each leaf, all of which are written before they are read.
    unsafe {
        run_leaves::<T, C>(source, leaves, results);
        let columns = &Rows::flat(width);
        let source = Source { from: results, outer: &outer, count, rows: &rows, n: leaves, columns, width };
        reduce_columns::<T, C>(source, to)
    }
}

/// Writes the results of each leaf of each block.
///
/// # Safety
/// As [`reduce_columns`], with memory for `leaves * width` results for each block.
unsafe fn run_leaves<T: Number, C: Combine<T>>(source: Source<'_, T>, leaves: usize, to: *mut T) {
    let strips = source.width.div_ceil(STRIP);
    let tasks = Tasks { source, leaves, strips, to, combine: PhantomData::<C> };
    let (tasks, source) = (&tasks, &tasks.source);
    let all = source.count * leaves * strips;
    let elements = source.count * source.n * source.width;
    let size = source.n.min(LEAF) * source.width.min(STRIP);
    let share = if elements <= 2 * CHUNK { all.max(1) } else { (CHUNK / size).max(1) };
    parallel::for_each(all.div_ceil(share), |i| {
        let (start, end) = (i * share, ((i + 1) * share).min(all));
        match tasks.source.columns.is_flat() {
            true => dispatch_for::<T, _>(Flat { tasks, start, end }),
            false => dispatch_for::<T, _>(Strided { tasks, start, end }),
        }
    });
}

struct Tasks<'a, T, C> {
    source: Source<'a, T>,
    leaves: usize,
    strips: usize,
    to: *mut T,
    combine: PhantomData<C>,
}
// SAFETY: each task writes its own results, and nobody writes what is read.
unsafe impl<T, C> Sync for Tasks<'_, T, C> {}

/// One strip of one leaf.
struct Task<T> {
    /// Where its block begins.
    block: *const T,
    /// Its first row, and how many.
    row: usize,
    height: usize,
    /// Its first column, and how many.
    column: usize,
    width: usize,
    to: *mut T,
}

impl<T: Number, C: Combine<T>> Tasks<'_, T, C> {
    #[inline(always)]
    fn task(&self, i: usize) -> Task<T> {
        let (leaf, column) = (i / self.strips, i % self.strips * STRIP);
        let (block, row) = (leaf / self.leaves, leaf % self.leaves * LEAF);
        Task {
            block: self.source.from.wrapping_offset(self.source.outer.offset(block)[0]),
            row,
            height: LEAF.min(self.source.n - row),
            column,
            width: STRIP.min(self.source.width - column),
            to: self.to.wrapping_add(leaf * self.source.width + column),
        }
    }

    /// Reduces the rows of a task; `row(i, slot)` says where row `i` lies once it is brought there.
    ///
    /// # Safety
    /// `row` gives the task's `width` elements.
    #[inline(always)]
    unsafe fn reduce(&self, task: &Task<T>, row: impl Fn(usize, usize) -> *const T) {
        // SAFETY: the caller's promise; the results of the task have a place.
        unsafe {
            let whole = task.height - task.height % GROUP;
            for start in (0..whole).step_by(GROUP) {
                let rows = std::array::from_fn(|slot| row(start + slot, slot));
                accumulate_group::<T, C>(rows, start == 0, task.width, task.to);
            }
            for i in whole..task.height {
                let from = row(i, 0);
                for j in 0..task.width {
                    let x = *from.add(j);
                    task.to.add(j).write(if i == 0 { x } else { C::combine(*task.to.add(j), x) });
                }
            }
        }
    }
}

/// Combines a group of rows, and with what `to` holds if they are not the first.
///
/// # Safety
/// `width` elements of each row and of `to`, which are written if the group is not the first.
#[inline(always)]
unsafe fn accumulate_group<T: Number, C: Combine<T>>(
    rows: [*const T; GROUP],
    first: bool,
    width: usize,
    to: *mut T,
) {
    // SAFETY: the caller's promise; `j < width` below.
    let group = |j: usize| unsafe {
        let pair = |i: usize| C::combine(*rows[i].add(j), *rows[i + 1].add(j));
        C::combine(C::combine(pair(0), pair(2)), C::combine(pair(4), pair(6)))
    };
    // SAFETY: as above.
    unsafe {
        if first {
            for j in 0..width {
                to.add(j).write(group(j));
            }
        } else {
            for j in 0..width {
                to.add(j).write(C::combine(*to.add(j), group(j)));
            }
        }
    }
}

/// Strips whose rows lie in memory without gaps.
struct Flat<'a, T, C> {
    tasks: &'a Tasks<'a, T, C>,
    start: usize,
    end: usize,
}

impl<T: Number, C: Combine<T>> Kernel for Flat<'_, T, C> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for i in self.start..self.end {
            let task = self.tasks.task(i);
            let at = task.block.wrapping_add(task.column);
            let rows = &self.tasks.source.rows;
            let row = |i: usize, _: usize| at.wrapping_offset(rows.offset(task.row + i)[0]);
            // SAFETY: the rows of the task may be read.
            unsafe { self.tasks.reduce(&task, row) };
        }
    }
}

/// Strips whose rows are brought together first.
struct Strided<'a, T, C> {
    tasks: &'a Tasks<'a, T, C>,
    start: usize,
    end: usize,
}

impl<T: Number, C: Combine<T>> Kernel for Strided<'_, T, C> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let mut space = MaybeUninit::<[[T; STRIP]; GROUP]>::uninit();
        let near: *mut T = space.as_mut_ptr().cast();
        for i in self.start..self.end {
            let task = self.tasks.task(i);
            let range = (task.column, task.column + task.width);
            let source = &self.tasks.source;
            let row = |i: usize, slot: usize| {
                let at = task.block.wrapping_offset(source.rows.offset(task.row + i)[0]);
                let place = near.wrapping_add(slot * STRIP);
                // SAFETY: the row may be read, and `place` is one of `GROUP` rows of `STRIP` elements.
                unsafe { gather(at, source.columns, range, place) };
                place.cast_const()
            };
            // SAFETY: each slot holds the row asked for until the next group.
            unsafe { self.tasks.reduce(&task, row) };
        }
    }
}
