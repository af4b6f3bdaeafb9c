//! Walks over arrays of any strides.
use super::Shared;
use crate::array::Uninit;
use crate::{Array, Element, Result, parallel, with_dtype};
use smallvec::SmallVec;
use std::mem::MaybeUninit;

/// Elements that one thread works on at a time. Fixed, so that no result depends on the number of threads.
pub(crate) const CHUNK: usize = 1 << 15;

/// Calls `body(start, end)` for ranges that make up `0..length`, at the same time if there are many elements.
pub(super) fn for_each_chunk(length: usize, body: &(dyn Fn(usize, usize) + Sync)) {
    match length {
        0 => {}
        _ if length <= 2 * CHUNK => body(0, length),
        _ => parallel::for_each(length.div_ceil(CHUNK), |i| body(i * CHUNK, ((i + 1) * CHUNK).min(length))),
    }
}

/// How to walk over the output row by row: as few axes as the inputs' strides allow, the last one the row.
pub(crate) struct Rows<const N: usize> {
    lengths: SmallVec<[usize; 6]>,
    strides: SmallVec<[[isize; N]; 6]>,
}

impl<const N: usize> Rows<N> {
    /// Elements that follow each other in every input.
    pub(crate) fn flat(length: usize) -> Rows<N> {
        Rows { lengths: SmallVec::from_slice(&[length]), strides: SmallVec::from_slice(&[[1; N]]) }
    }

    /// Whether the elements follow each other in every input.
    #[inline]
    pub(crate) fn is_flat(&self) -> bool {
        self.lengths[..] == [1] || self.strides[..] == [[1; N]]
    }

    /// Whether it is one element, repeated.
    #[inline]
    pub(super) fn is_constant(&self) -> bool {
        self.strides.iter().all(|stride| *stride == [0; N])
    }

    /// The length of a row, and the strides within it.
    #[inline(always)]
    pub(crate) fn row(&self) -> (usize, [isize; N]) {
        let last = self.lengths.len() - 1;
        (self.lengths[last], self.strides[last])
    }

    /// Where element `index` lies in each input, counted from the first one.
    #[inline(always)]
    pub(crate) fn offset(&self, index: usize) -> [isize; N] {
        let (mut offset, mut rest) = ([0; N], index);
        for axis in (0..self.lengths.len()).rev() {
            let i = if axis == 0 { rest } else { rest % self.lengths[axis] };
            rest /= if axis == 0 { 1 } else { self.lengths[axis] };
            for k in 0..N {
                offset[k] += i as isize * self.strides[axis][k];
            }
        }
        offset
    }

    /// The walk over an array of this shape, under the strides of each input.
    pub(crate) fn new(shape: &[usize], strides: [&[isize]; N]) -> Rows<N> {
        let mut rows = Rows { lengths: SmallVec::new(), strides: SmallVec::new() };
        for (axis, &length) in shape.iter().enumerate().filter(|&(_, &n)| n != 1) {
            let step: [isize; N] = std::array::from_fn(|k| strides[k][axis]);
            let merges = rows
                .strides
                .last()
                .is_some_and(|outer: &[isize; N]| (0..N).all(|k| outer[k] == step[k] * length as isize));
            if merges {
                let last = rows.lengths.len() - 1;
                rows.lengths[last] *= length;
                rows.strides[last] = step;
            } else {
                rows.lengths.push(length);
                rows.strides.push(step);
            }
        }
        if rows.lengths.is_empty() {
            return Rows::flat(1);
        }
        rows
    }
}

/// Copies elements `start..end` of an array, in row-major order, to `to`.
///
/// # Safety
/// The elements exist in `from` under `rows`, and `to` is memory for `end - start` of them. `start < end`.
pub(crate) unsafe fn gather<T: Element>(
    from: *const T,
    rows: &Rows<1>,
    (start, end): (usize, usize),
    mut to: *mut T,
) {
    let last = rows.lengths.len() - 1;
    let (length, [stride]) = rows.row();
    let mut index: SmallVec<[usize; 6]> = SmallVec::from_elem(0, last);
    let mut rest = start / length;
    for axis in (0..last).rev() {
        index[axis] = rest % rows.lengths[axis];
        rest /= rows.lengths[axis];
    }
    let mut at = from.wrapping_offset(rows.offset(start - start % length)[0]);
    let (mut column, mut left) = (start % length, end - start);
    loop {
        let n = (length - column).min(left);
        // SAFETY: the caller's promise.
        unsafe { copy_row(at.wrapping_offset(column as isize * stride), stride, n, to) };
        left -= n;
        if left == 0 {
            return;
        }
        to = to.wrapping_add(n);
        column = 0;
        for axis in (0..last).rev() {
            index[axis] += 1;
            at = at.wrapping_offset(rows.strides[axis][0]);
            if index[axis] < rows.lengths[axis] {
                break;
            }
            index[axis] = 0;
            at = at.wrapping_offset(-(rows.lengths[axis] as isize * rows.strides[axis][0]));
        }
    }
}

/// [`gather`] for elements of `size` bytes.
///
/// # Safety
/// As [`gather`].
pub(super) unsafe fn gather_bytes(
    from: *const u8,
    size: usize,
    walk: &Rows<1>,
    range: (usize, usize),
    to: *mut u8,
) {
    // SAFETY: the caller's promise; elements are only copied, so another type of their size will do.
    unsafe {
        match size {
            8 => gather(from.cast::<i64>(), walk, range, to.cast()),
            4 => gather(from.cast::<i32>(), walk, range, to.cast()),
            _ => gather(from.cast::<bool>(), walk, range, to.cast()),
        }
    }
}

/// # Safety
/// `n` elements of `from` under the stride, and of `to`.
#[inline]
unsafe fn copy_row<T: Element>(from: *const T, stride: isize, n: usize, to: *mut T) {
    // SAFETY: the caller's promise.
    unsafe {
        match stride {
            1 => to.copy_from_nonoverlapping(from, n),
            0 => std::slice::from_raw_parts_mut(to.cast::<MaybeUninit<T>>(), n).fill(MaybeUninit::new(*from)),
            _ => (0..n).for_each(|i| to.add(i).write(*from.offset(i as isize * stride))),
        }
    }
}

/// A row-major copy.
pub(crate) fn copy(array: &Array) -> Result<Array> {
    with_dtype!(array.dtype(), T => {
        let mut out = Uninit::<T>::new(array.shape())?;
        let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>());
        let rows = Rows::new(array.shape(), [&array.strides()]);
        // SAFETY: the elements lie in the array under its strides, all are written, and no two chunks write the same.
        unsafe {
            for_each_chunk(array.len(), &|start, end| {
                gather(array.as_ptr::<T>(), &rows, (start, end), to.get().add(start));
            });
            Ok(out.assume_init())
        }
    })
}
