//! The general product: cut into blocks, packed into panels where that pays, computed tile by tile.
use super::kernels::{Float, Kernels};
use super::pack::Panel;
use super::plan::Plan;
use super::scratch::{Scratch, scratch};
use super::tile::Tile;
use super::{FusedActivation, Mat, Product, Shared, activation};
use crate::parallel;

/// Elements packed in one chunk.
const PACK_CHUNK: usize = 1 << 16;
/// Most elements of the right operand that are packed at a time.
const PACK_LIMIT: usize = 1 << 24;

/// The right operand as the tiles read it: columns `j * nr..` of row `p` are at `at + j * panel + p * step`.
struct Panels<T> {
    at: *const T,
    panel: usize,
    step: isize,
    _memory: Option<Scratch>,
}

/// A product with more than one row and column.
///
/// # Safety
/// As [`super::gemm`], with `k > 0`.
pub(super) unsafe fn product<T: Float>(kernels: &Kernels<T>, p: &Product<T>) {
    let (m, k, n) = (p.a.rows, p.a.cols, p.b.cols);
    let plan = Plan::new(kernels, &p.a, &p.b);
    let group =
        if plan.pack_b && k * n > PACK_LIMIT { (PACK_LIMIT / k).next_multiple_of(plan.nc) } else { n };
    for first in steps(n, group) {
        // SAFETY: the columns exist.
        let p = unsafe { p.columns(first, group.min(n - first)) };
        // SAFETY: as the caller promises.
        let panels = Shared(unsafe { panels(kernels, &plan, p.b) });
        if m <= plan.mc && n <= plan.nc {
            // SAFETY: as the caller promises.
            return unsafe { block(kernels, &plan, &p, panels.get(), (0, 0)) };
        }
        let (down, across) = (m.div_ceil(plan.mc), p.b.cols.div_ceil(plan.nc));
        parallel::for_each(down * across, |chunk| {
            let (i, j) = (chunk / across * plan.mc, chunk % across * plan.nc);
            // SAFETY: the chunks are separate blocks of the result.
            unsafe { block(kernels, &plan, &p, panels.get(), (i, j)) };
        });
    }
}

/// `0, step, 2 step, ...` below `end`. Unlike `step_by` it does not divide, which small products would notice.
fn steps(end: usize, step: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(0), move |at| Some(at + step)).take_while(move |at| *at < end)
}

/// Packs the right operand, if the plan says so.
///
/// # Safety
/// As [`product`].
unsafe fn panels<T: Float>(kernels: &Kernels<T>, plan: &Plan, b: Mat<T>) -> Panels<T> {
    if !plan.pack_b {
        return Panels { at: b.ptr, panel: plan.nr, step: b.row_stride, _memory: None };
    }
    let (k, nr, count) = (b.rows, plan.nr, b.cols.div_ceil(plan.nr));
    let memory = scratch::<T>((count * k + 1) * nr);
    let (to, from) = (Shared(memory.as_mut_ptr::<T>()), Shared(b));
    let group = (PACK_CHUNK / (nr * k)).max(1);
    parallel::for_each(count.div_ceil(group), |chunk| {
        for j in chunk * group..count.min((chunk + 1) * group) {
            let (b, to) = (from.get(), to.get().wrapping_add(j * nr * k));
            let width = nr.min(b.cols - j * nr);
            // SAFETY: panel `j` has room for `nr * k` elements, and vectors never cross `nr`.
            unsafe {
                let (across, along) = (b.col_stride, b.row_stride);
                (kernels.pack)(&Panel { from: b.at(0, j * nr), across, along, width, k, to, step: nr });
            }
        }
    });
    Panels { at: memory.as_mut_ptr(), panel: nr * k, step: nr as isize, _memory: Some(memory) }
}

/// The left operand as the tiles read it: rows `i..` (`i` a multiple of a tile's) begin at `at + i * panel`; there,
/// rows are `row` apart and columns `step`.
struct Rows<T> {
    at: *const T,
    panel: isize,
    row: isize,
    step: isize,
}

/// Rows `i0..i0 + rows`, columns `k0..k0 + kc` of the left operand, packed into `memory` if the plan says so.
///
/// # Safety
/// As [`product`].
unsafe fn rows<T: Float>(
    kernels: &Kernels<T>,
    plan: &Plan,
    a: &Mat<T>,
    memory: Option<&Scratch>,
    (i0, rows): (usize, usize),
    (k0, kc): (usize, usize),
) -> Rows<T> {
    let (across, along) = (a.row_stride, a.col_stride);
    // SAFETY: the rows and columns exist; the scratch memory holds whole panels and one vector more.
    unsafe {
        let Some(memory) = memory else {
            return Rows { at: a.at(i0, k0), panel: across, row: across, step: along };
        };
        let packed = memory.as_mut_ptr::<T>();
        for i in steps(rows, plan.mr) {
            let (from, to) = (a.at(i0 + i, k0), packed.add(i * kc));
            let width = plan.mr.min(rows - i);
            (kernels.pack)(&Panel { from, across, along, width, k: kc, to, step: plan.mr });
        }
        Rows { at: packed, panel: kc as isize, row: 1, step: plan.mr as isize }
    }
}

/// The block of the result whose first element is `(i0, j0)`.
///
/// # Safety
/// As [`product`].
unsafe fn block<T: Float>(
    kernels: &Kernels<T>,
    plan: &Plan,
    p: &Product<T>,
    panels: &Panels<T>,
    (i0, j0): (usize, usize),
) {
    let k = p.a.cols;
    let height = plan.mc.min(p.a.rows - i0);
    let width = plan.nc.min(p.b.cols - j0);
    let memory = plan.pack_a.then(|| scratch::<T>((plan.mc + plan.mr) * plan.kc + kernels.lanes));
    for k0 in steps(k, plan.kc) {
        let kc = plan.kc.min(k - k0);
        let last = k0 + kc == k;
        let bias = if last { p.epilogue.bias } else { std::ptr::null() };
        // SAFETY: all indices lie inside of the operands and of the packed panels.
        unsafe {
            let a = rows(kernels, plan, &p.a, memory.as_ref(), (i0, height), (k0, kc));
            let mut b = panels.at.add(j0 / plan.nr * panels.panel).offset(k0 as isize * panels.step);
            for j in steps(width, plan.nr) {
                let columns = plan.nr.min(width - j);
                let tiles = kernels.tiles[(columns - 1) / kernels.lanes];
                for i in steps(height, plan.mr) {
                    tiles[plan.mr.min(height - i) - 1](&Tile {
                        k: kc,
                        segments: 1,
                        a_jump: 0,
                        b_jump: 0,
                        a: a.at.offset(i as isize * a.panel),
                        a_row: a.row,
                        a_step: a.step,
                        b,
                        b_step: panels.step,
                        c: p.c.add((i0 + i) * p.ldc + j0 + j),
                        c_step: p.ldc,
                        columns,
                        accumulate: p.accumulate || k0 > 0,
                        bias: if bias.is_null() { bias } else { bias.add(j0 + j) },
                        relu: last && p.epilogue.activation == FusedActivation::Relu,
                    });
                }
                b = b.wrapping_add(panels.panel);
            }
        }
    }
    if !p.epilogue.activation.in_registers() {
        for i in i0..i0 + height {
            // SAFETY: the row segment belongs to this chunk and is initialised.
            let row = unsafe { std::slice::from_raw_parts_mut(p.c.add(i * p.ldc + j0), width) };
            activation::apply(p.epilogue.activation, row);
        }
    }
}
