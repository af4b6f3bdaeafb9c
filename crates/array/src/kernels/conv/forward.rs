//! The convolution itself.
use super::band::{Band, Block, Blocks};
use super::{CHUNK, Convolution, Number, even, for_units};
use crate::isa::Isa;
use crate::kernels::gemm::FusedActivation;
use crate::kernels::gemm::kernels::Kernels;
use crate::kernels::gemm::pack::Panel;
use crate::kernels::gemm::scratch::{Scratch, scratch};
use crate::kernels::gemm::tile::Tile;

/// Most positions of a row in one block.
const COLUMNS: usize = 256;

/// Columns of a tile for rows of so many positions and so many columns of the result: wide where rows are short.
pub(super) fn tile_vectors<T>(kernels: &Kernels<T>, rows: usize, columns: usize) -> usize {
    let fits = kernels.tiles.iter().rposition(|tiles| rows <= tiles.len()).map_or(2, |v| (v + 1).max(2));
    let all = columns.div_ceil(kernels.lanes).max(1);
    even(all, fits)
}

/// The filters in panels, as tiles read them: panel `j` of group `g` is at `at + (g * panels + j) * panel`, and holds
/// columns `j * nr..` of the group, `step` elements from row to row.
struct Filters {
    memory: Scratch,
    nr: usize,
    panels: usize,
    panel: usize,
}

impl Filters {
    /// # Safety
    /// `w` holds the filters of the convolution.
    unsafe fn new<T: Number>(kernels: &Kernels<T>, c: &Convolution, w: *const T) -> Filters {
        let (depth, columns) = (c.depth(), c.filters / c.groups);
        let nr = tile_vectors(kernels, c.windows.out[2], columns) * kernels.lanes;
        let panels = columns.div_ceil(nr);
        let memory = scratch::<T>((c.groups * panels * depth + 1) * nr);
        for group in 0..c.groups {
            for j in 0..panels {
                let panel = Panel {
                    from: w.wrapping_add(group * columns + j * nr),
                    across: 1,
                    along: c.filters as isize,
                    width: nr.min(columns - j * nr),
                    k: depth,
                    to: memory.as_mut_ptr::<T>().wrapping_add((group * panels + j) * depth * nr),
                    step: nr,
                };
                // SAFETY: the columns exist, and the panel has room for `depth` rows and one vector.
                unsafe { (kernels.pack)(&panel) };
            }
        }
        Filters { memory, nr, panels, panel: depth * nr }
    }
}

/// # Safety
/// The pointers are valid for the shapes of the convolution; `to` is written.
pub(super) unsafe fn forward<T: Number>(
    c: &Convolution,
    x: *const T,
    w: *const T,
    epilogue: (*const T, FusedActivation),
    to: *mut T,
) {
    let row_work = c.windows.out[2].min(COLUMNS) * c.depth() * (c.filters / c.groups) * c.groups;
    let blocks = Blocks::new(c.batch, c.windows.out, (CHUNK / row_work.max(1)).max(1), COLUMNS);
    if blocks.count == 0 || c.filters == 0 {
        return;
    }
    let kernels = T::kernels(Isa::current());
    // SAFETY: as the caller promises.
    let filters = unsafe { Filters::new(kernels, c, w) };
    let product = Product { c, kernels, filters: &filters, epilogue, x, to };
    let rows = c.windows.out[1].div_ceil(blocks.count / (c.batch * c.windows.out[0]).max(1)).max(1);
    for_units(blocks.count, rows * row_work, |i| {
        // SAFETY: as the caller promises.
        unsafe { product.block(&blocks.get(i)) };
    });
}

struct Product<'a, T: 'static> {
    c: &'a Convolution,
    kernels: &'static Kernels<T>,
    filters: &'a Filters,
    epilogue: (*const T, FusedActivation),
    x: *const T,
    to: *mut T,
}

// SAFETY: the operands are only read, and blocks write separate parts of the result.
unsafe impl<T: Sync> Sync for Product<'_, T> {}

impl<T: Number> Product<'_, T> {
    /// # Safety
    /// As [`forward`]; the block exists.
    unsafe fn block(&self, block: &Block) {
        let (c, w) = (self.c, &self.c.windows);
        // SAFETY: as the caller promises.
        let band = unsafe { Band::new(c, self.x, block, 1) };
        let (inner, columns) = (c.channels / c.groups, c.filters / c.groups);
        let mr = |rows: usize, nr: usize| {
            even(rows, self.kernels.tiles[nr.div_ceil(self.kernels.lanes) - 1].len())
        };
        for group in 0..c.groups {
            for j in 0..self.filters.panels {
                let width = self.filters.nr.min(columns - j * self.filters.nr);
                let height = mr(block.columns.len(), width);
                let column = group * columns + j * self.filters.nr;
                let panel = (group * self.filters.panels + j) * self.filters.panel;
                for row in block.rows.clone() {
                    let a = (row - block.rows.start) * w.stride[1] * band.row + group * inner;
                    let at = ((block.batch * w.out[0] + block.plane) * w.out[1] + row) * w.out[2];
                    for i in block.columns.clone().step_by(height) {
                        let a = a + (i - block.columns.start) * w.stride[2] * c.channels;
                        // SAFETY: patch and panel hold what the tile reads; the tile is part of the block.
                        unsafe {
                            self.tile(
                                &band,
                                band.at.wrapping_add(a),
                                self.filters.memory.as_mut_ptr::<T>().wrapping_add(panel),
                                (at + i) * c.filters + column,
                                (height.min(block.columns.end - i), width),
                            );
                        }
                    }
                }
            }
        }
    }

    /// One tile of the result, in as few passes as the windows allow.
    ///
    /// # Safety
    /// As [`forward`]; `a` is the first patch and `b` the panel.
    unsafe fn tile(
        &self,
        band: &Band<T>,
        a: *const T,
        b: *const T,
        at: usize,
        (rows, columns): (usize, usize),
    ) {
        let (c, w) = (self.c, &self.c.windows);
        let (runs, length) = c.runs();
        let inner = c.channels / c.groups;
        let compute = self.kernels.tiles[(columns - 1) / self.kernels.lanes][rows - 1];
        let (nr, first_column) = (self.filters.nr, at % c.filters);
        for z in 0..w.size[0] {
            for run in 0..runs {
                let last = z + 1 == w.size[0] && run + 1 == runs;
                let bias = if last { self.epilogue.0 } else { std::ptr::null() };
                let tile = Tile {
                    k: length,
                    segments: w.size[1],
                    a: a.wrapping_add(z * band.plane + run * w.dilation[2] * c.channels),
                    a_row: (w.stride[2] * c.channels) as isize,
                    a_step: 1,
                    a_jump: (w.dilation[1] * band.row) as isize,
                    b: b.wrapping_add((z * w.size[1] * w.size[2] + run) * inner * nr),
                    b_step: nr as isize,
                    b_jump: (w.size[2] * inner * nr) as isize,
                    c: self.to.wrapping_add(at),
                    c_step: c.filters,
                    columns,
                    accumulate: z > 0 || run > 0,
                    bias: if bias.is_null() { bias } else { bias.wrapping_add(first_column) },
                    relu: last && self.epilogue.1 == FusedActivation::Relu,
                };
                // SAFETY: the kernels are those of the processor; the pointers are as the caller promises.
                unsafe { compute(&tile) };
            }
        }
    }
}
