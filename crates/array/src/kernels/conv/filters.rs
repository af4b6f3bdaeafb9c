//! The gradient of a convolution to its filters.
use super::band::{Band, Block, Blocks};
use super::depthwise;
use super::forward::tile_vectors;
use super::{CHUNK, Convolution, Number, even};
use crate::isa::Isa;
use crate::kernels::Shared;
use crate::kernels::gemm::kernels::Kernels;
use crate::kernels::gemm::pack::Panel;
use crate::kernels::gemm::scratch::scratch;
use crate::kernels::gemm::tile::Tile;
use crate::parallel;

/// Steps along the positions in one pass: the gradient of the result that they take stays in the first-level cache.
const STEPS: usize = 128;
/// Rows of the gradient of the result that are this short are read where they are.
const DIRECT_BYTES: usize = 512;
/// Most partial sums, and most elements in all of them.
const PARTS: usize = 16;
const PART_ELEMENTS: usize = 1 << 22;

/// # Safety
/// The pointers are valid for the shapes of the convolution; `to` is written.
pub(super) unsafe fn filter_grad<T: Number>(c: &Convolution, x: *const T, g: *const T, to: *mut T) {
    let elements = c.depth() * c.filters;
    let out = c.windows.out;
    let rows = (STEPS / out[2].max(1)).max(1);
    let blocks = Blocks::new(c.batch, out, rows, STEPS);
    if elements == 0 {
        return;
    }
    let work = (c.batch * c.windows.count()).saturating_mul(elements);
    let parts =
        (work / CHUNK).clamp(1, PARTS).min((PART_ELEMENTS / elements).max(1)).min(blocks.count.max(1));
    // The sum of each part of the blocks, and then the sum of those, in order.
    let memory = scratch::<T>((parts - 1) * elements);
    let (others, to) = (Shared::new(memory.as_mut_ptr::<T>()), Shared::new(to));
    let place =
        |part: usize| if part == 0 { to.get() } else { others.get().wrapping_add((part - 1) * elements) };
    let gradient = Gradient { c, kernels: T::kernels(Isa::current()), x, g };
    parallel::for_each(parts, |part| {
        let range = part * blocks.count / parts..(part + 1) * blocks.count / parts;
        // SAFETY: as the caller promises; each part has memory of its own.
        unsafe {
            let sum = place(part);
            (0..elements).for_each(|i| sum.add(i).write(num_traits::zero()));
            range.for_each(|i| gradient.add(&blocks.get(i), sum));
        }
    });
    let chunk = 1 << 14;
    parallel::for_each(elements.div_ceil(chunk), |i| {
        for part in 1..parts {
            for k in i * chunk..elements.min((i + 1) * chunk) {
                // SAFETY: all parts are written, and chunks are separate.
                unsafe { *to.get().add(k) = *to.get().add(k) + *place(part).add(k) };
            }
        }
    });
}

/// Some columns of the gradient of the result as tiles read them: positions are `step` elements apart, rows of them `jump`.
struct Rows<T> {
    at: *const T,
    step: usize,
    jump: usize,
    width: usize,
}

struct Gradient<'a, T: 'static> {
    c: &'a Convolution,
    kernels: &'static Kernels<T>,
    x: *const T,
    g: *const T,
}

// SAFETY: the operands are only read.
unsafe impl<T: Sync> Sync for Gradient<'_, T> {}

impl<T: Number> Gradient<'_, T> {
    /// Adds what the windows of a block contribute.
    ///
    /// # Safety
    /// As [`filter_grad`]; the block exists, and `sum` holds as many elements as the filters.
    unsafe fn add(&self, block: &Block, sum: *mut T) {
        let (c, w) = (self.c, &self.c.windows);
        // SAFETY: as the caller promises.
        unsafe {
            if c.is_depthwise() {
                return depthwise::filter_grad(c, self.x, self.g, block, sum);
            }
            let band = Band::new(c, self.x, block, 1);
            let (inner, outer) = (c.channels / c.groups, c.filters / c.groups);
            let nr = tile_vectors(self.kernels, c.runs().1, outer) * self.kernels.lanes;
            let direct = c.filters * size_of::<T>() <= DIRECT_BYTES;
            let steps = block.rows.len() * block.columns.len();
            let memory = scratch::<T>(if direct { 0 } else { (steps + 1) * nr });
            for group in 0..c.groups {
                for j in (0..outer).step_by(nr) {
                    let width = nr.min(outer - j);
                    let column = group * outer + j;
                    let rows = match direct {
                        true => self.in_place(block, column, width),
                        false => self.packed(block, column, width, memory.as_mut_ptr(), nr),
                    };
                    for z in 0..w.size[0] {
                        for y in 0..w.size[1] {
                            let a = band.at.wrapping_add(z * band.plane + y * w.dilation[1] * band.row);
                            let place = (z * w.size[1] + y) * w.size[2] * inner;
                            let to = sum.add(place * c.filters + group * outer + j);
                            self.products(block, &band, a.wrapping_add(group * inner), &rows, to);
                        }
                    }
                }
            }
        }
    }

    /// Where the gradient of the result begins at a position of the block.
    fn place(&self, block: &Block, row: usize, column: usize) -> *const T {
        let (c, w) = (self.c, &self.c.windows);
        let at = ((block.batch * w.out[0] + block.plane) * w.out[1] + row) * w.out[2] + block.columns.start;
        self.g.wrapping_add(at * c.filters + column)
    }

    /// Columns of the gradient of the result where they are.
    fn in_place(&self, block: &Block, column: usize, width: usize) -> Rows<T> {
        let (at, step) = (self.place(block, block.rows.start, column), self.c.filters);
        Rows { at, step, jump: self.c.windows.out[2] * step, width }
    }

    /// Columns of the gradient of the result, packed: a row for each position of the block.
    ///
    /// # Safety
    /// As [`filter_grad`]; `to` is memory for all rows and one vector more.
    unsafe fn packed(&self, block: &Block, column: usize, width: usize, to: *mut T, nr: usize) -> Rows<T> {
        let columns = block.columns.len();
        for row in block.rows.clone() {
            let panel = Panel {
                from: self.place(block, row, column),
                across: 1,
                along: self.c.filters as isize,
                width,
                k: columns,
                to: to.wrapping_add((row - block.rows.start) * columns * nr),
                step: nr,
            };
            // SAFETY: the positions exist; rows that follow overwrite the vector that is written too much.
            unsafe { (self.kernels.pack)(&panel) };
        }
        Rows { at: to, step: nr, jump: columns * nr, width }
    }

    /// The products for all cells of the window in one of its rows, whose first cell is at `a`.
    ///
    /// # Safety
    /// As [`Gradient::add`].
    unsafe fn products(&self, block: &Block, band: &Band<T>, a: *const T, b: &Rows<T>, to: *mut T) {
        let (c, w) = (self.c, &self.c.windows);
        let (runs, length) = c.runs();
        let tiles = self.kernels.tiles[(b.width - 1) / self.kernels.lanes];
        let height = even(length, tiles.len());
        for run in 0..runs {
            for i in (0..length).step_by(height) {
                let tile = Tile {
                    k: block.columns.len(),
                    segments: block.rows.len(),
                    a: a.wrapping_add(run * w.dilation[2] * c.channels + i),
                    a_row: 1,
                    a_step: (w.stride[2] * c.channels) as isize,
                    a_jump: (w.stride[1] * band.row) as isize,
                    b: b.at,
                    b_step: b.step as isize,
                    b_jump: b.jump as isize,
                    c: to.wrapping_add((run * (c.channels / c.groups) + i) * c.filters),
                    c_step: c.filters,
                    columns: b.width,
                    accumulate: true,
                    bias: std::ptr::null(),
                    relu: false,
                };
                // SAFETY: the kernels are those of the processor; the band holds all cells of the block's windows.
                unsafe { tiles[height.min(length - i) - 1](&tile) };
            }
        }
    }
}
