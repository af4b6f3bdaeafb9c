//! The rows of an input that some windows cover, in a frame of zeros where they reach out of it.
use super::Convolution;
use crate::kernels::gemm::scratch::{Scratch, scratch};
use crate::kernels::window::{Range, Windows};

/// The windows of one batch entry at one position of the first axis, and ranges of positions of the other two.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub batch: usize,
    pub plane: usize,
    pub rows: Range,
    pub columns: Range,
}

/// How the windows over a batch are cut into blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    out: [usize; 3],
    rows: usize,
    columns: usize,
    per_plane: [usize; 2],
    pub count: usize,
}

impl Blocks {
    /// Blocks of at most so many rows and columns.
    pub(super) fn new(batch: usize, out: [usize; 3], rows: usize, columns: usize) -> Blocks {
        let (rows, columns) = (super::even(out[1], rows), super::even(out[2], columns));
        let per_plane = [out[1].div_ceil(rows), out[2].div_ceil(columns)];
        Blocks { out, rows, columns, per_plane, count: batch * out[0] * per_plane[0] * per_plane[1] }
    }

    pub(super) fn get(&self, index: usize) -> Block {
        let [down, across] = self.per_plane;
        let range = |i: usize, step: usize, end: usize| i * step..((i + 1) * step).min(end);
        let plane = index / (down * across);
        Block {
            batch: plane / self.out[0],
            plane: plane % self.out[0],
            rows: range(index / across % down, self.rows, self.out[1]),
            columns: range(index % across, self.columns, self.out[2]),
        }
    }
}

/// Elements `[cell of the first axis][row][column][channel]` under the windows of a block.
pub(super) struct Band<T> {
    /// The first cell of the first window.
    pub at: *const T,
    /// Elements from one cell of a window to the next along the first axis.
    pub plane: usize,
    /// Elements from one row to the next.
    pub row: usize,
    _memory: Option<Scratch>,
}

impl<T: Copy + num_traits::Zero> Band<T> {
    /// The band of a block, with each channel `repeat` times: the input itself, where that will do.
    ///
    /// # Safety
    /// `x` is the contiguous input of the convolution, and the block has windows.
    pub(super) unsafe fn new(c: &Convolution, x: *const T, block: &Block, repeat: usize) -> Band<T> {
        let w = &c.windows;
        let [depth, height, width] = w.input;
        let line = width * c.channels;
        if repeat == 1 && !w.is_padded() {
            let first = (block.batch * depth + block.plane * w.stride[0]) * height;
            let row = first + block.rows.start * w.stride[1];
            let at = x.wrapping_add(row * line + block.columns.start * w.stride[2] * c.channels);
            return Band { at, plane: w.dilation[0] * height * line, row: line, _memory: None };
        }
        let (rows, columns) = (w.reach(1, block.rows.len()), w.reach(2, block.columns.len()));
        let row = columns * c.channels * repeat;
        let memory = scratch::<T>(w.size[0] * rows * row);
        for z in 0..w.size[0] {
            for y in 0..rows {
                let cells = [
                    (block.plane * w.stride[0] + z * w.dilation[0])
                        .checked_sub(w.before[0])
                        .filter(|&z| z < depth),
                    (block.rows.start * w.stride[1] + y).checked_sub(w.before[1]).filter(|&y| y < height),
                ];
                let from = match cells {
                    [Some(z), Some(y)] => {
                        Some(x.wrapping_add(((block.batch * depth + z) * height + y) * line))
                    }
                    _ => None,
                };
                // SAFETY: the scratch memory holds `size[0] * rows` rows, and `from` is a row of the input.
                unsafe {
                    let to = memory.as_mut_ptr::<T>().add((z * rows + y) * row);
                    copy_row(w, from, to, (block.columns.start, columns), (c.channels, repeat));
                }
            }
        }
        Band { at: memory.as_mut_ptr(), plane: rows * row, row, _memory: Some(memory) }
    }
}

/// Copies the cells of a row that the windows from a position on cover, so many of them; zeros outside of the input.
///
/// # Safety
/// `from` is a row of the input, `to` memory for `cells * channels * repeat` elements.
unsafe fn copy_row<T: Copy + num_traits::Zero>(
    w: &Windows,
    from: Option<*const T>,
    to: *mut T,
    (position, cells): (usize, usize),
    (channels, repeat): (usize, usize),
) {
    let wide = channels * repeat;
    let start = position * w.stride[2];
    let left = w.before[2].saturating_sub(start).min(cells);
    let first = (start + left).saturating_sub(w.before[2]);
    let inside = match from {
        Some(_) => w.input[2].saturating_sub(first).min(cells - left),
        None => 0,
    };
    // SAFETY: the caller vouches for `to`; cells `first..first + inside` lie in the row.
    unsafe {
        let zeros = |from: usize, to_end: usize| {
            for i in from * wide..to_end * wide {
                to.add(i).write(T::zero());
            }
        };
        let Some(from) = from else { return zeros(0, cells) };
        zeros(0, left);
        let (from, inner) = (from.wrapping_add(first * channels), to.add(left * wide));
        if repeat == 1 {
            inner.copy_from_nonoverlapping(from, inside * channels);
        } else {
            for i in 0..inside * channels {
                for k in 0..repeat {
                    inner.add(i * repeat + k).write(*from.add(i));
                }
            }
        }
        zeros(left + inside, cells);
    }
}
