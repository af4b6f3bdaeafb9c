//! Pooling: the largest or the mean element under each window, channel by channel.
#[cfg(test)]
mod tests;

use super::Shared;
use super::conv::for_units;
use super::window::Windows;
use crate::array::Uninit;
use crate::isa::{Isa, Kernel, dispatch};
use crate::{Array, Element, Error, ErrorKind, Float, Result, Shape, with_float};
use smallvec::SmallVec;

/// The cells of a window that lie inside of the input, in elements from the start of a batch entry.
type Cells = SmallVec<[usize; 16]>;

/// The largest element under each window over an input `[batch, spatial axes.., channels]`, for each channel: shape
/// `[batch, windows.., channels]`; NaN, if one is NaN. Cells outside of the input do not count.
///
/// # Errors
/// [`ErrorKind::Shape`], if the spatial axes are not those of the windows, or if a window lies outside of the input
/// entirely; [`ErrorKind::DType`], if the elements are not floating-point numbers; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Padding, Windows, max_pool};
/// let x = Array::from_vec([1, 4, 1], vec![1.0f32, 3.0, 2.0, 0.0])?;
/// let windows = Windows::new("max_pool", &[4], &[2], &[2], &[1], &Padding::Valid)?;
/// assert_eq!(max_pool(&x, &windows)?.to_vec::<f32>()?, [3.0, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn max_pool(x: &Array, windows: &Windows) -> Result<Array> {
    with_float!("max_pool", x.dtype(), F => forward::<F, Max>("max_pool", &[x], windows))
}

/// The gradient of [`max_pool`] to its input `x`, from the gradient `g` of its result: it goes to the element that was
/// picked, the first one of equals, row by row.
///
/// # Errors
/// As [`max_pool`].
pub fn max_pool_grad(x: &Array, g: &Array, windows: &Windows) -> Result<Array> {
    with_float!("max_pool_grad", x.dtype(), F => backward::<F, Max>("max_pool_grad", Some(x), g, windows))
}

/// The elements of `u` at the places from which [`max_pool`] picks those of `x`, which has the same shape.
///
/// # Errors
/// As [`max_pool`].
pub fn max_pool_pick(x: &Array, u: &Array, windows: &Windows) -> Result<Array> {
    with_float!("max_pool_pick", x.dtype(), F => forward::<F, Pick>("max_pool_pick", &[x, u], windows))
}

/// The mean of the elements under each window, for each channel; otherwise as [`max_pool`]. Cells outside of the input do
/// not count: the sum is divided by the number of those inside.
///
/// # Errors
/// As [`max_pool`].
pub fn avg_pool(x: &Array, windows: &Windows) -> Result<Array> {
    with_float!("avg_pool", x.dtype(), F => forward::<F, Mean>("avg_pool", &[x], windows))
}

/// The gradient of [`avg_pool`] to its input, from the gradient `g` of its result.
///
/// # Errors
/// As [`max_pool`].
pub fn avg_pool_grad(g: &Array, windows: &Windows) -> Result<Array> {
    with_float!("avg_pool_grad", g.dtype(), F => backward::<F, Mean>("avg_pool_grad", None, g, windows))
}

/// Channels that are computed together.
const LANES: usize = 32;

/// What becomes of the cells of a window. All pointers are to the first channel.
trait Pool<F>: 'static {
    /// The result for channels `i..i + N`, from the inputs.
    ///
    /// # Safety
    /// The cells and channels exist in the inputs; `to` is memory for all channels.
    unsafe fn gather<const N: usize>(cells: &[usize], from: [*const F; 2], to: *mut F, i: usize);

    /// Adds the gradient of the result, or writes it where `exclusive`, for channels `i..i + N`.
    ///
    /// # Safety
    /// The cells and channels exist in `x` and `to`, the channels in `g`.
    unsafe fn scatter<const N: usize>(
        cells: &[usize],
        x: *const F,
        g: *const F,
        to: *mut F,
        exclusive: bool,
        i: usize,
    );
}

struct Max;
struct Pick;
struct Mean;

/// `N` elements from `at` on.
///
/// # Safety
/// They exist.
#[inline(always)]
unsafe fn load<F: Float, const N: usize>(at: *const F) -> [F; N] {
    // SAFETY: the caller's promise; an array needs no more alignment than its elements.
    unsafe { *at.cast::<[F; N]>() }
}

/// Whether `x` takes the place of the largest element `m` so far.
#[inline(always)]
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "true for NaN")]
#[expect(clippy::eq_op, reason = "false for NaN")]
fn takes<F: Float>(x: F, m: F) -> bool {
    !(x <= m) & (m == m)
}

impl<F: Float> Pool<F> for Max {
    #[inline(always)]
    unsafe fn gather<const N: usize>(cells: &[usize], from: [*const F; 2], to: *mut F, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut m = load::<F, N>(from[0].add(cells[0] + i));
            for cell in &cells[1..] {
                let x = load::<F, N>(from[0].add(cell + i));
                for k in 0..N {
                    m[k] = F::select(takes(x[k], m[k]), x[k], m[k]);
                }
            }
            *to.add(i).cast::<[F; N]>() = m;
        }
    }

    #[inline(always)]
    unsafe fn scatter<const N: usize>(
        cells: &[usize],
        x: *const F,
        g: *const F,
        to: *mut F,
        exclusive: bool,
        i: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut m = load::<F, N>(x.add(cells[0] + i));
            let mut place = [F::ZERO; N];
            let mut number = F::ZERO;
            for cell in &cells[1..] {
                number += F::ONE;
                let x = load::<F, N>(x.add(cell + i));
                for k in 0..N {
                    let takes = takes(x[k], m[k]);
                    m[k] = F::select(takes, x[k], m[k]);
                    place[k] = F::select(takes, number, place[k]);
                }
            }
            let g = load::<F, N>(g.add(i));
            number = F::ZERO;
            for cell in cells {
                let to = to.add(cell + i).cast::<[F; N]>();
                let mut sum = if exclusive { [F::ZERO; N] } else { *to };
                for k in 0..N {
                    sum[k] += F::select(place[k] == number, g[k], F::ZERO);
                }
                *to = sum;
                number += F::ONE;
            }
        }
    }
}

impl<F: Float> Pool<F> for Pick {
    #[inline(always)]
    unsafe fn gather<const N: usize>(cells: &[usize], from: [*const F; 2], to: *mut F, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut m = load::<F, N>(from[0].add(cells[0] + i));
            let mut picked = load::<F, N>(from[1].add(cells[0] + i));
            for cell in &cells[1..] {
                let x = load::<F, N>(from[0].add(cell + i));
                let u = load::<F, N>(from[1].add(cell + i));
                for k in 0..N {
                    let takes = takes(x[k], m[k]);
                    m[k] = F::select(takes, x[k], m[k]);
                    picked[k] = F::select(takes, u[k], picked[k]);
                }
            }
            *to.add(i).cast::<[F; N]>() = picked;
        }
    }

    #[inline(always)]
    unsafe fn scatter<const N: usize>(
        cells: &[usize],
        x: *const F,
        g: *const F,
        to: *mut F,
        exclusive: bool,
        i: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe { <Max as Pool<F>>::scatter::<N>(cells, x, g, to, exclusive, i) }
    }
}

impl<F: Float> Pool<F> for Mean {
    #[inline(always)]
    unsafe fn gather<const N: usize>(cells: &[usize], from: [*const F; 2], to: *mut F, i: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = [F::ZERO; N];
            for cell in cells {
                let x = load::<F, N>(from[0].add(cell + i));
                for k in 0..N {
                    sum[k] += x[k];
                }
            }
            let count = F::from_f64(cells.len() as f64);
            for k in 0..N {
                sum[k] /= count;
            }
            *to.add(i).cast::<[F; N]>() = sum;
        }
    }

    #[inline(always)]
    unsafe fn scatter<const N: usize>(
        cells: &[usize],
        _x: *const F,
        g: *const F,
        to: *mut F,
        exclusive: bool,
        i: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut g = load::<F, N>(g.add(i));
            let count = F::from_f64(cells.len() as f64);
            for k in 0..N {
                g[k] /= count;
            }
            for cell in cells {
                let to = to.add(cell + i).cast::<[F; N]>();
                let mut sum = if exclusive { [F::ZERO; N] } else { *to };
                for k in 0..N {
                    sum[k] += g[k];
                }
                *to = sum;
            }
        }
    }
}

/// The result for one window, all channels.
struct Gather<'a, F, P> {
    cells: &'a [usize],
    channels: usize,
    from: [*const F; 2],
    to: *mut F,
    pool: std::marker::PhantomData<P>,
}

impl<F: Float, P: Pool<F>> Kernel for Gather<'_, F, P> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) {
        let Gather { cells, channels, from, to, .. } = self;
        let whole = channels / LANES * LANES;
        for i in (0..whole).step_by(LANES) {
            // SAFETY: whoever makes one vouches for all cells and channels.
            unsafe { P::gather::<LANES>(cells, from, to, i) };
        }
        for i in whole..channels {
            // SAFETY: as above.
            unsafe { P::gather::<1>(cells, from, to, i) };
        }
    }
}

/// The gradient of one window, all channels.
struct Scatter<'a, F, P> {
    cells: &'a [usize],
    channels: usize,
    x: *const F,
    g: *const F,
    to: *mut F,
    exclusive: bool,
    pool: std::marker::PhantomData<P>,
}

impl<F: Float, P: Pool<F>> Kernel for Scatter<'_, F, P> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) {
        let Scatter { cells, channels, x, g, to, exclusive, .. } = self;
        let whole = channels / LANES * LANES;
        for i in (0..whole).step_by(LANES) {
            // SAFETY: whoever makes one vouches for all cells and channels.
            unsafe { P::scatter::<LANES>(cells, x, g, to, exclusive, i) };
        }
        for i in whole..channels {
            // SAFETY: as above.
            unsafe { P::scatter::<1>(cells, x, g, to, exclusive, i) };
        }
    }
}

fn forward<F: Float + Element, P: Pool<F>>(
    op: &'static str,
    inputs: &[&Array],
    w: &Windows,
) -> Result<Array> {
    let (batch, channels) = ends(op, inputs[0], w.input())?;
    expect_cells(op, w)?;
    for input in inputs {
        input.expect_dtype(op, F::DTYPE)?;
        if input.shape() != inputs[0].shape() {
            let expected = format!("inputs of the shape {}", inputs[0].shape());
            return Err(Error::new(ErrorKind::Shape, op, expected, input.shape()));
        }
    }
    let inputs = inputs.iter().map(|input| input.contiguous()).collect::<Result<SmallVec<[Array; 2]>>>()?;
    let from = [0, inputs.len() - 1].map(|i| Shared::new(inputs[i].as_ptr::<F>().cast_mut()));
    let mut out = Uninit::<F>::new(framed(batch, w.output(), channels))?;
    let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<F>());
    let length = w.cells() * channels;
    for_units(batch * w.count() / w.out[2].max(1), w.out[2] * w.area() * channels * 16, |row| {
        for_row(w, row, channels, |i, cells, shift| {
            let entry = i / w.count() * length + shift;
            let (from, to) = (from.map(|x| x.get().wrapping_add(entry).cast_const()), to.get());
            let (to, pool) = (to.wrapping_add(i * channels), std::marker::PhantomData::<P>);
            dispatch(Gather { cells, channels, from, to, pool });
        });
    });
    // SAFETY: each window has written its part.
    Ok(unsafe { out.assume_init() })
}

fn backward<F: Float + Element, P: Pool<F>>(
    op: &'static str,
    x: Option<&Array>,
    g: &Array,
    w: &Windows,
) -> Result<Array> {
    g.expect_dtype(op, F::DTYPE)?;
    let (batch, channels) = ends(op, g, w.output())?;
    expect_cells(op, w)?;
    let shape = framed(batch, w.input(), channels);
    if let Some(x) = x
        && *x.shape() != shape
    {
        return Err(Error::new(ErrorKind::Shape, op, format!("an input of shape {shape}"), x.shape()));
    }
    let (g, x) = (g.contiguous()?, x.map(Array::contiguous).transpose()?);
    let mut out = Uninit::<F>::new(shape)?;
    let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<F>());
    let from = Shared::new(x.as_ref().map_or(std::ptr::null(), Array::as_ptr::<F>).cast_mut());
    let g = Shared::new(g.as_ptr::<F>().cast_mut());
    let (length, exclusive) = (w.cells() * channels, w.is_tiling());
    // Where windows share cells, or leave some out, one thread writes a whole batch entry.
    let windows = if exclusive { w.out[2] } else { w.count() };
    let units = if exclusive { batch * w.count() / windows.max(1) } else { batch };
    for_units(units, windows * w.area() * channels * 16 + length, |unit| {
        if !exclusive {
            // SAFETY: the batch entry belongs to this unit.
            (0..length).for_each(|i| unsafe { to.get().add(unit * length + i).write(F::ZERO) });
        }
        let rows = windows / w.out[2].max(1);
        for row in unit * rows..(unit + 1) * rows {
            for_row(w, row, channels, |i, cells, shift| {
                let entry = i / w.count() * length + shift;
                let scatter = Scatter {
                    cells,
                    channels,
                    x: from.get().wrapping_add(entry),
                    g: g.get().wrapping_add(i * channels),
                    to: to.get().wrapping_add(entry),
                    exclusive,
                    pool: std::marker::PhantomData::<P>,
                };
                dispatch(scatter);
            });
        }
    });
    // SAFETY: each cell is written, by its only window or as part of its batch entry.
    Ok(unsafe { out.assume_init() })
}

fn framed(batch: usize, lengths: &[usize], channels: usize) -> Shape {
    [batch].into_iter().chain(lengths.iter().copied()).chain([channels]).collect()
}

/// The batch and the channels of an array whose spatial axes have these lengths.
fn ends(op: &'static str, array: &Array, lengths: &[usize]) -> Result<(usize, usize)> {
    match array.shape()[..] {
        [batch, ref middle @ .., last] if middle == lengths => Ok((batch, last)),
        _ => Err(Error::new(ErrorKind::Shape, op, format!("spatial axes {lengths:?}"), array.shape())),
    }
}

/// Fails, if a window has no cell inside of the input.
fn expect_cells(op: &'static str, w: &Windows) -> Result<()> {
    let empty = |axis: usize| (0..w.out[axis]).any(|position| w.taps(axis, position).is_empty());
    if (0..3).any(empty) {
        let got = "a window that lies in the padding";
        return Err(Error::new(ErrorKind::Argument, op, "windows with cells inside of the input", got));
    }
    Ok(())
}

/// Calls `body(window, cells, shift)` for the windows of a row of the result: the cells, and what is added to each.
fn for_row(w: &Windows, row: usize, channels: usize, mut body: impl FnMut(usize, &[usize], usize)) {
    let windows = row * w.out[2]..(row + 1) * w.out[2];
    if w.is_padded() {
        return windows.for_each(|i| body(i, &cells(w, i % w.count(), channels), 0));
    }
    // Without padding all windows of a row are alike.
    let cells = cells(w, windows.start % w.count().max(1), channels);
    for (k, i) in windows.enumerate() {
        body(i, &cells, k * w.stride[2] * channels);
    }
}

fn cells(w: &Windows, index: usize, channels: usize) -> Cells {
    let mut cells = Cells::new();
    w.for_cells(index, |_, cell| cells.push(cell * channels));
    cells
}
