//! The gradient of a convolution to its input.
use super::band::{Block, Blocks};
use super::forward::tile_vectors;
use super::{CHUNK, Convolution, Number, even, for_units};
use crate::isa::Isa;
use crate::kernels::gemm::kernels::Kernels;
use crate::kernels::gemm::pack::Panel;
use crate::kernels::gemm::scratch::{Scratch, scratch};
use crate::kernels::gemm::tile::Tile;
use crate::kernels::window::Windows;

/// Most cells of a row in one block.
const COLUMNS: usize = 256;

/// The filters, transposed for each cell of the window: panel `j` of cell `tap` in group `g` is at `at + ((g * taps +
/// tap) * panels + j) * panel`, and holds channels `j * nr..` of the group, a row for each filter.
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
        let (inner, outer) = (c.channels / c.groups, c.filters / c.groups);
        let nr = tile_vectors(kernels, c.windows.out[2], inner) * kernels.lanes;
        let (taps, panels) = (c.windows.area(), inner.div_ceil(nr));
        let memory = scratch::<T>((c.groups * taps * panels * outer + 1) * nr);
        for group in 0..c.groups {
            for tap in 0..taps {
                for j in 0..panels {
                    let place = (group * taps + tap) * panels + j;
                    let panel = Panel {
                        from: w.wrapping_add((tap * inner + j * nr) * c.filters + group * outer),
                        across: c.filters as isize,
                        along: 1,
                        width: nr.min(inner - j * nr),
                        k: outer,
                        to: memory.as_mut_ptr::<T>().wrapping_add(place * outer * nr),
                        step: nr,
                    };
                    // SAFETY: the columns exist, and the panel has room for `outer` rows and one vector.
                    unsafe { (kernels.pack)(&panel) };
                }
            }
        }
        Filters { memory, nr, panels, panel: outer * nr }
    }
}

/// The cells of windows along an axis that fall on one cell of the input: `tap, tap + taps, ...`, `count` of them, of
/// the windows at `position, position - positions, ...`.
struct Meeting {
    tap: usize,
    taps: usize,
    position: usize,
    positions: usize,
    count: usize,
}

impl Meeting {
    fn new(w: &Windows, axis: usize, cell: usize) -> Meeting {
        let (padded, stride, dilation) = (cell + w.before[axis], w.stride[axis], w.dilation[axis]);
        let meets = |tap: usize| {
            let rest = padded.checked_sub(tap * dilation)?;
            (rest % stride == 0 && rest / stride < w.out[axis]).then(|| rest / stride)
        };
        let mut found = Meeting { tap: 0, taps: 1, position: 0, positions: 0, count: 0 };
        for tap in 0..w.size[axis] {
            let Some(position) = meets(tap) else { continue };
            match found.count {
                0 => (found.tap, found.position) = (tap, position),
                1 => (found.taps, found.positions) = (tap - found.tap, found.position - position),
                _ => {}
            }
            found.count += 1;
        }
        found
    }
}

/// # Safety
/// The pointers are valid for the shapes of the convolution; `to` is written.
pub(super) unsafe fn input_grad<T: Number>(c: &Convolution, g: *const T, w: *const T, to: *mut T) {
    let row_work = c.windows.input[2].min(COLUMNS) * c.channels * c.windows.area() * (c.filters / c.groups);
    let rows = (CHUNK / row_work.max(1)).max(1);
    let blocks = Blocks::new(c.batch, c.windows.input, rows, COLUMNS);
    if blocks.count == 0 || c.channels == 0 {
        return;
    }
    let kernels = T::kernels(Isa::current());
    // SAFETY: as the caller promises.
    let filters = unsafe { Filters::new(kernels, c, w) };
    let product = Product { c, kernels, filters: &filters, g, to };
    for_units(blocks.count, rows.min(c.windows.input[1]) * row_work, |i| {
        // SAFETY: as the caller promises.
        unsafe { product.block(&blocks.get(i)) };
    });
}

struct Product<'a, T: 'static> {
    c: &'a Convolution,
    kernels: &'static Kernels<T>,
    filters: &'a Filters,
    g: *const T,
    to: *mut T,
}

// SAFETY: the operands are only read, and blocks write separate parts of the result.
unsafe impl<T: Sync> Sync for Product<'_, T> {}

impl<T: Number> Product<'_, T> {
    /// Sums for a block of the input's cells what all windows over them add.
    ///
    /// # Safety
    /// As [`input_grad`]; the block exists.
    unsafe fn block(&self, block: &Block) {
        let (c, w) = (self.c, &self.c.windows);
        let at = |row: usize| ((block.batch * w.input[0] + block.plane) * w.input[1] + row) * w.input[2];
        for row in block.rows.clone() {
            let (first, length) =
                ((at(row) + block.columns.start) * c.channels, block.columns.len() * c.channels);
            // SAFETY: the cells belong to this block.
            (0..length).for_each(|i| unsafe { self.to.add(first + i).write(num_traits::zero()) });
        }
        if c.filters == 0 || w.count() == 0 {
            return;
        }
        let planes = Meeting::new(w, 0, block.plane);
        for group in 0..c.groups {
            for j in 0..self.filters.panels {
                for run in 0..w.size[2] {
                    let columns = w.positions(2, run, block.columns.clone());
                    if columns.is_empty() {
                        continue;
                    }
                    for plane in 0..planes.count {
                        let (z, out) =
                            (planes.tap + plane * planes.taps, planes.position - plane * planes.positions);
                        for row in block.rows.clone() {
                            let rows = Meeting::new(w, 1, row);
                            let g = (block.batch * w.out[0] + out) * w.out[1] + rows.position;
                            let cells = (at(row) + w.cell(2, columns.start, run)) * c.channels;
                            let place = Place { group, j, tap: (z * w.size[1] + rows.tap) * w.size[2] + run };
                            // SAFETY: the positions exist, and their cells are part of the block.
                            unsafe {
                                self.row(&place, &rows, g * w.out[2] + columns.start, cells, columns.len());
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds what `count` windows from position `g` on add to the cells under them, and so do those of the rows above.
    ///
    /// # Safety
    /// As [`input_grad`]; `cells` is the place of the first cell.
    unsafe fn row(&self, place: &Place, rows: &Meeting, g: usize, cells: usize, count: usize) {
        let (c, w) = (self.c, &self.c.windows);
        if rows.count == 0 {
            return;
        }
        let (inner, outer) = (c.channels / c.groups, c.filters / c.groups);
        let Filters { nr, panels, panel, .. } = *self.filters;
        let width = nr.min(inner - place.j * nr);
        let tiles = self.kernels.tiles[(width - 1) / self.kernels.lanes];
        let height = even(count, tiles.len());
        let panel_at = ((place.group * w.area() + place.tap) * panels + place.j) * panel;
        for i in (0..count).step_by(height) {
            let tile = Tile {
                k: outer,
                segments: rows.count,
                a: self.g.wrapping_add((g + i) * c.filters + place.group * outer),
                a_row: c.filters as isize,
                a_step: 1,
                a_jump: -((rows.positions * w.out[2] * c.filters) as isize),
                b: self.filters.memory.as_mut_ptr::<T>().wrapping_add(panel_at),
                b_step: nr as isize,
                b_jump: (rows.taps * w.size[2] * panels * panel) as isize,
                c: self
                    .to
                    .wrapping_add(cells + i * w.stride[2] * c.channels + place.group * inner + place.j * nr),
                c_step: w.stride[2] * c.channels,
                columns: width,
                accumulate: true,
                bias: std::ptr::null(),
                relu: false,
            };
            // SAFETY: the kernels are those of the processor; all rows, columns and panels exist.
            unsafe { tiles[height.min(count - i) - 1](&tile) };
        }
    }
}

/// A panel of the filters.
struct Place {
    group: usize,
    j: usize,
    tap: usize,
}
