//! Depthwise convolutions: each channel by itself. They do one multiply-add for each element that they read, so
//! plain loops over the channels will do.
use super::band::{Band, Block, Blocks};
use super::{Convolution, Number, for_units};
use crate::Element;
use crate::isa::{Isa, Kernel, dispatch};
use crate::kernels::Shared;
use crate::kernels::gemm::scratch::scratch;
use crate::kernels::gemm::{FusedActivation, activation};
use std::ops::{Add, Mul};

/// `to[p][i] += a[p][i] * b[p][i]` for `count` positions `p` and `channels` channels `i`. Positions are so many
/// elements apart; no elements apart is the same row for all.
struct MultiplyAdd<T> {
    count: usize,
    channels: usize,
    to: (*mut T, usize),
    a: (*const T, usize),
    b: (*const T, usize),
}

/// Channels that are computed together.
const LANES: usize = 32;

impl<T: Element + Add<Output = T> + Mul<Output = T>> Kernel for MultiplyAdd<T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2.of::<T>();

    #[inline(always)]
    fn run(self) {
        let whole = self.channels / LANES * LANES;
        for i in (0..whole).step_by(LANES) {
            // SAFETY: whoever makes one vouches for all channels of all positions.
            unsafe { self.channels::<LANES>(i) };
        }
        for i in whole..self.channels {
            // SAFETY: as above.
            unsafe { self.channels::<1>(i) };
        }
    }
}

impl<T: Element + Add<Output = T> + Mul<Output = T>> MultiplyAdd<T> {
    /// # Safety
    /// The pointers are valid for channels `i..i + N` of all positions.
    #[inline(always)]
    unsafe fn channels<const N: usize>(&self, i: usize) {
        // SAFETY: the caller's promise; arrays of `T` need no alignment beyond that of `T`.
        unsafe {
            let (to, a, b) = (self.to.0.add(i), self.a.0.add(i), self.b.0.add(i));
            let mut sum = *to.cast::<[T; N]>();
            let fixed = *b.cast::<[T; N]>();
            for p in 0..self.count {
                let a = *a.add(p * self.a.1).cast::<[T; N]>();
                let factor = if self.b.1 == 0 { fixed } else { *b.add(p * self.b.1).cast::<[T; N]>() };
                if self.to.1 > 0 {
                    sum = *to.add(p * self.to.1).cast::<[T; N]>();
                }
                for k in 0..N {
                    sum[k] = sum[k] + a[k] * factor[k];
                }
                if self.to.1 > 0 {
                    *to.add(p * self.to.1).cast::<[T; N]>() = sum;
                }
            }
            if self.to.1 == 0 {
                *to.cast::<[T; N]>() = sum;
            }
        }
    }
}

/// # Safety
/// As [`super::forward::forward`].
pub(super) unsafe fn forward<T: Number>(
    c: &Convolution,
    x: *const T,
    w: *const T,
    (bias, function): (*const T, FusedActivation),
    to: *mut T,
) {
    let s = &c.windows;
    let blocks = Blocks::new(c.batch, s.out, 1, usize::MAX);
    let (x, w, bias, to) =
        (Shared::new(x.cast_mut()), Shared::new(w.cast_mut()), Shared::new(bias.cast_mut()), Shared::new(to));
    for_units(blocks.count, s.out[2] * s.area() * c.filters * 4, |i| {
        let block = blocks.get(i);
        // SAFETY: as the caller promises; blocks write separate rows.
        unsafe {
            let to = to.get().add(i * s.out[2] * c.filters);
            for p in 0..s.out[2] {
                let row = to.add(p * c.filters);
                match bias.get().is_null() {
                    true => (0..c.filters).for_each(|i| row.add(i).write(num_traits::zero())),
                    false => row.copy_from_nonoverlapping(bias.get(), c.filters),
                }
            }
            if c.filters == 0 || s.out[2] == 0 {
                return;
            }
            let band = Band::new(c, x.get(), &block, c.filters / c.channels);
            for (tap, at) in taps(c, &band) {
                dispatch(MultiplyAdd {
                    count: s.out[2],
                    channels: c.filters,
                    to: (to, c.filters),
                    a: (at, s.stride[2] * c.filters),
                    b: (w.get().add(tap * c.filters), 0),
                });
            }
            activation::apply(function, std::slice::from_raw_parts_mut(to, s.out[2] * c.filters));
        }
    });
}

/// The cells of a window and where they begin in the band of a row.
fn taps<T: Number>(c: &Convolution, band: &Band<T>) -> impl Iterator<Item = (usize, *const T)> {
    let ([depth, height, width], dilation, filters) = (c.windows.size, c.windows.dilation, c.filters);
    let (at, plane, row) = (band.at, band.plane, band.row);
    (0..depth * height * width).map(move |tap| {
        let (z, y, x) = (tap / width / height, tap / width % height, tap % width);
        (tap, at.wrapping_add(z * plane + y * dilation[1] * row + x * dilation[2] * filters))
    })
}

/// # Safety
/// As [`super::input::input_grad`].
pub(super) unsafe fn input_grad<T: Number>(c: &Convolution, g: *const T, w: *const T, to: *mut T) {
    let s = &c.windows;
    let blocks = Blocks::new(c.batch, s.input, 1, usize::MAX);
    let repeat = c.filters.checked_div(c.channels).unwrap_or(0);
    let (g, w, to) = (Shared::new(g.cast_mut()), Shared::new(w.cast_mut()), Shared::new(to));
    for_units(blocks.count, s.input[2] * s.area() * c.filters * 4, |i| {
        let Block { batch, plane, rows, columns } = blocks.get(i);
        let length = s.input[2] * c.channels;
        let memory = scratch::<T>(length * repeat);
        // SAFETY: as the caller promises; blocks write separate rows, and the scratch memory is one row.
        unsafe {
            let row = to.get().add(i * length);
            let sums = if repeat == 1 { row } else { memory.as_mut_ptr() };
            (0..length * repeat).for_each(|i| sums.add(i).write(num_traits::zero()));
            for tap in 0..if c.filters > 0 { s.area() } else { 0 } {
                let [z, y, x] = [tap / s.size[2] / s.size[1], tap / s.size[2] % s.size[1], tap % s.size[2]];
                let [planes, lines] = [(0, z, plane), (1, y, rows.start)]
                    .map(|(axis, tap, cell)| s.positions(axis, tap, cell..cell + 1).next());
                let (Some(p), Some(q)) = (planes, lines) else { continue };
                let at = s.positions(2, x, columns.clone());
                if at.is_empty() {
                    continue;
                }
                let first = ((batch * s.out[0] + p) * s.out[1] + q) * s.out[2] + at.start;
                dispatch(MultiplyAdd {
                    count: at.len(),
                    channels: c.filters,
                    to: (sums.add(s.cell(2, at.start, x) * c.filters), s.stride[2] * c.filters),
                    a: (g.get().add(first * c.filters), c.filters),
                    b: (w.get().add(tap * c.filters), 0),
                });
            }
            if repeat != 1 {
                for i in 0..length {
                    let sum =
                        (0..repeat).fold(num_traits::zero(), |sum: T, k| sum + *sums.add(i * repeat + k));
                    row.add(i).write(sum);
                }
            }
        }
    });
}

/// Adds what the windows of a block contribute to the gradient of the filters.
///
/// # Safety
/// As [`super::filters::filter_grad`]; the block exists, and `sum` holds as many elements as the filters.
pub(super) unsafe fn filter_grad<T: Number>(
    c: &Convolution,
    x: *const T,
    g: *const T,
    block: &Block,
    sum: *mut T,
) {
    let s = &c.windows;
    // SAFETY: as the caller promises.
    unsafe {
        let band = Band::new(c, x, block, c.filters / c.channels);
        for row in block.rows.clone() {
            let line = (row - block.rows.start) * s.stride[1] * band.row;
            let at =
                ((block.batch * s.out[0] + block.plane) * s.out[1] + row) * s.out[2] + block.columns.start;
            for (tap, cell) in taps(c, &band) {
                dispatch(MultiplyAdd {
                    count: block.columns.len(),
                    channels: c.filters,
                    to: (sum.add(tap * c.filters), 0),
                    a: (cell.wrapping_add(line), s.stride[2] * c.filters),
                    b: (g.add(at * c.filters), c.filters),
                });
            }
        }
    }
}
