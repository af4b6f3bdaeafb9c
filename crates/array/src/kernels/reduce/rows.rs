//! Reduction of the innermost elements of each row.
//!
//! The tree for a row depends on its length alone: leaves of [`LEAF`] elements, whose results make a row that is
//! reduced in the same way. A leaf accumulates element `i` in lane `i % LANES`, [`GROUP`] of them at a time combined
//! in a tree, and then halves the lanes.
use super::ops::Combine;
use crate::array::Uninit;
use crate::isa::dispatch_for;
use crate::kernels::elementwise::{Identity, Map};
use crate::kernels::strided::{CHUNK, Rows, gather};
use crate::{Element, Kernel, Number, Result, parallel};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Elements of a row that are reduced in lanes: the error of a sum does not grow with its length beyond.
pub(super) const LEAF: usize = 4096;
/// Accumulators side by side.
const LANES: usize = 64;
/// Elements of a lane that are combined before they are accumulated.
const GROUP: usize = 8;
/// Lanes that are left for what does not fill all of them.
const FEW: usize = 8;

/// `count` rows of `n` elements each, an element being a function of one element of each input.
pub(super) struct Source<'a, T, K, const N: usize> {
    pub(super) kernel: K,
    pub(super) from: [*const T; N],
    /// Where the rows begin.
    pub(super) outer: &'a Rows<N>,
    pub(super) count: usize,
    /// Where the elements of a row lie.
    pub(super) row: &'a Rows<N>,
    pub(super) n: usize,
}

/// `to[i] = combine(row i)`.
///
/// # Safety
/// Every element of the source may be read, and `to` is memory for `count` elements. `n > 0`.
pub(super) unsafe fn reduce_rows<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    source: Source<'_, T, K, N>,
    to: *mut O,
) -> Result<()> {
    let (count, leaves) = (source.count, source.n.div_ceil(LEAF));
    if leaves == 1 {
        // SAFETY: the caller's promise: one leaf for each row.
        unsafe { run_leaves::<T, O, C, K, N>(source, 1, to) };
        return Ok(());
    }
    let mut partial = Uninit::<O>::new([count * leaves])?;
    let results = partial.as_mut_slice().as_mut_ptr().cast::<O>();
    let (outer, row) = (Rows::new(&[count], [&[leaves as isize]]), Rows::flat(leaves));
    // SAFETY: there is a place for the result of each leaf, all of which are written before they are read.
    unsafe {
        run_leaves::<T, O, C, K, N>(source, leaves, results);
        let from = [results.cast_const()];
        let source = Source { kernel: Identity, from, outer: &outer, count, row: &row, n: leaves };
        reduce_rows::<O, O, C, Identity, 1>(source, to)
    }
}

/// Writes the result of each leaf of each row.
///
/// # Safety
/// As [`reduce_rows`], with memory for `leaves` results for each row.
unsafe fn run_leaves<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    source: Source<'_, T, K, N>,
    leaves: usize,
    to: *mut O,
) {
    let tasks = Tasks { source, leaves, to, combine: PhantomData::<C> };
    let tasks = &tasks;
    let all = tasks.source.count * leaves;
    let elements = tasks.source.count * tasks.source.n;
    let share = if elements <= 2 * CHUNK { all.max(1) } else { (CHUNK / tasks.source.n.min(LEAF)).max(1) };
    parallel::for_each(all.div_ceil(share), |i| {
        let (start, end) = (i * share, ((i + 1) * share).min(all));
        match tasks.source.row.is_flat() {
            true => dispatch_for::<T, _>(Flat { tasks, start, end }),
            // SAFETY: the caller's promise.
            false => unsafe { run_strided(tasks, start..end) },
        }
    });
}

struct Tasks<'a, T, O, C, K, const N: usize> {
    source: Source<'a, T, K, N>,
    leaves: usize,
    to: *mut O,
    combine: PhantomData<C>,
}
// SAFETY: each leaf writes its own result, and nobody writes what is read.
unsafe impl<T, O, C, K, const N: usize> Sync for Tasks<'_, T, O, C, K, N> {}

impl<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize> Tasks<'_, T, O, C, K, N> {
    /// Where the row of a leaf begins in each input, and the range of the row's elements that the leaf holds.
    #[inline(always)]
    fn leaf(&self, task: usize) -> ([*const T; N], usize, usize) {
        let (row, leaf) = if self.leaves == 1 { (task, 0) } else { (task / self.leaves, task % self.leaves) };
        let offset = self.source.outer.offset(row);
        let at = std::array::from_fn(|k| self.source.from[k].wrapping_offset(offset[k]));
        let start = leaf * LEAF;
        (at, start, self.source.n.min(start + LEAF))
    }
}

/// Leaves whose elements follow each other in memory.
struct Flat<'a, T, O, C, K, const N: usize> {
    tasks: &'a Tasks<'a, T, O, C, K, N>,
    start: usize,
    end: usize,
}

impl<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize> Kernel
    for Flat<'_, T, O, C, K, N>
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for task in self.start..self.end {
            let (at, start, end) = self.tasks.leaf(task);
            let at = at.map(|p| p.wrapping_add(start));
            // SAFETY: the elements of the leaf may be read, and its result has a place.
            unsafe {
                self.tasks.to.add(task).write(reduce_leaf::<T, O, C, K, N>(
                    self.tasks.source.kernel,
                    at,
                    end - start,
                ))
            };
        }
    }
}

/// Writes the results of leaves whose elements are brought together first.
///
/// # Safety
/// As [`run_leaves`].
unsafe fn run_strided<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    tasks: &Tasks<'_, T, O, C, K, N>,
    range: Range<usize>,
) {
    let mut space = [const { MaybeUninit::<[T; LEAF]>::uninit() }; N];
    let near: [*mut T; N] = space.each_mut().map(|block| block.as_mut_ptr().cast());
    let rows: [Rows<1>; N] = std::array::from_fn(|k| tasks.source.row.of(k));
    for task in range {
        let (at, start, end) = tasks.leaf(task);
        // SAFETY: the elements of the leaf may be read, at most `LEAF` of them; its result has a place.
        unsafe {
            for k in 0..N {
                gather(at[k], &rows[k], (start, end), near[k]);
            }
            let near = near.map(<*mut T>::cast_const);
            let result = reduce_short::<T, O, C, K, N>(tasks.source.kernel, near, end - start);
            tasks.to.add(task).write(result);
        }
    }
}

/// The result of at most [`LEAF`] elements that follow each other, as [`reduce_rows`] has it.
///
/// # Safety
/// `0 < n <= LEAF` elements of each input may be read.
#[inline]
pub(super) unsafe fn reduce_short<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    kernel: K,
    from: [*const T; N],
    n: usize,
) -> O {
    dispatch_for::<T, _>(Short { kernel, from, n, types: PhantomData::<(O, C)> })
}

struct Short<T, O, C, K, const N: usize> {
    kernel: K,
    from: [*const T; N],
    n: usize,
    types: PhantomData<(O, C)>,
}

impl<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize> Kernel for Short<T, O, C, K, N> {
    type Output = O;
    #[inline(always)]
    fn run(self) -> O {
        // SAFETY: the caller's promise.
        unsafe { reduce_leaf::<T, O, C, K, N>(self.kernel, self.from, self.n) }
    }
}

/// The result of `n` elements that follow each other, in the order that depends on `n` alone.
///
/// # Safety
/// `n > 0` elements of each input may be read.
#[inline(always)]
pub(crate) unsafe fn reduce_leaf<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    kernel: K,
    from: [*const T; N],
    n: usize,
) -> O {
    // SAFETY: the caller's promise; `i < n` wherever this is called.
    let element = |i: usize| kernel.eval(std::array::from_fn(|k| unsafe { *from[k].add(i) }));
    if n < FEW {
        return (1..n).fold(element(0), |sum, i| C::combine(sum, element(i)));
    }
    let (mut few, mut done) = if n < LANES {
        (std::array::from_fn(element), FEW)
    } else {
        let mut lanes = [C::EMPTY; LANES];
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum = element(lane);
        }
        let mut whole = LANES;
        while whole + GROUP * LANES <= n {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                let pair = |i: usize| {
                    let at = whole + lane + i * LANES;
                    C::combine(element(at), element(at + LANES))
                };
                let group = C::combine(C::combine(pair(0), pair(2)), C::combine(pair(4), pair(6)));
                *sum = C::combine(*sum, group);
            }
            whole += GROUP * LANES;
        }
        while whole + LANES <= n {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum = C::combine(*sum, element(whole + lane));
            }
            whole += LANES;
        }
        for half in [32, 16, 8] {
            for lane in 0..half {
                lanes[lane] = C::combine(lanes[lane], lanes[lane + half]);
            }
        }
        let few: [O; FEW] = std::array::from_fn(|lane| lanes[lane]);
        (few, whole)
    };
    while done + FEW <= n {
        few = std::array::from_fn(|lane| C::combine(few[lane], element(done + lane)));
        done += FEW;
    }
    let four: [O; 4] = std::array::from_fn(|lane| C::combine(few[lane], few[lane + 4]));
    let sum = C::combine(C::combine(four[0], four[2]), C::combine(four[1], four[3]));
    (done..n).fold(sum, |sum, i| C::combine(sum, element(i)))
}
