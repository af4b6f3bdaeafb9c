//! Patches: the cells under each window, written one after the other.
use super::{Number, by_dtype, for_units, framed};
use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::window::Windows;
use crate::{Array, DType, Error, ErrorKind, Result, Shape};

const OP: &str = "extract_patches";

/// The cells under each window over an input `[batch, spatial axes.., channels]`, row by row, as the channels of the
/// result: `[batch, windows.., cells of a window * channels]`. Cells outside of the input are 0.
///
/// # Errors
/// [`ErrorKind::Shape`], if the spatial axes are not those of the windows; [`ErrorKind::DType`], if the elements are not
/// floating-point numbers; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Padding, Windows, extract_patches};
/// let x = Array::from_vec([1, 3, 1], vec![1.0f32, 2.0, 3.0])?;
/// let windows = Windows::new("pairs", &[3], &[2], &[1], &[1], &Padding::Valid)?;
/// assert_eq!(extract_patches(&x, &windows)?.to_vec::<f32>()?, [1.0, 2.0, 2.0, 3.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn extract_patches(x: &Array, windows: &Windows) -> Result<Array> {
    by_dtype!(OP, x, extract(x, windows))
}

/// The gradient of [`extract_patches`]: each element of the patches `g`, added to the cell it was read from.
///
/// # Errors
/// As [`extract_patches`].
pub fn extract_patches_grad(g: &Array, windows: &Windows) -> Result<Array> {
    by_dtype!(OP, g, fold(g, windows))
}

/// The batch and the last axis of an array whose spatial axes have these lengths.
fn ends(array: &Array, lengths: &[usize]) -> Result<(usize, usize)> {
    match array.shape()[..] {
        [batch, ref middle @ .., last] if middle == lengths => Ok((batch, last)),
        _ => {
            let expected = format!("spatial axes {lengths:?}");
            Err(Error::new(ErrorKind::Shape, OP, expected, array.shape()))
        }
    }
}

fn extract<T: Number>(x: &Array, windows: &Windows) -> Result<Array> {
    let (batch, channels) = ends(x, windows.input())?;
    let patch = windows.area() * channels;
    let shape: Shape = framed(batch, windows.output(), patch);
    let (x, count) = (x.contiguous()?, windows.count());
    let mut out = Uninit::<T>::new(shape)?;
    let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>());
    let from = Shared::new(x.as_ptr::<T>().cast_mut());
    for_units(batch * count, patch, |i| {
        // SAFETY: patch `i` has `patch` elements, which no other one has; all cells lie inside of the input.
        unsafe {
            let (from, to) =
                (from.get().add(i / count * windows.cells() * channels), to.get().add(i * patch));
            (0..patch).for_each(|k| to.add(k).write(num_traits::zero()));
            windows.for_cells(i % count, |tap, cell| {
                to.add(tap * channels).copy_from_nonoverlapping(from.add(cell * channels), channels);
            });
        }
    });
    // SAFETY: all patches are written.
    Ok(unsafe { out.assume_init() })
}

fn fold<T: Number>(g: &Array, windows: &Windows) -> Result<Array> {
    let (batch, patch) = ends(g, windows.output())?;
    let (channels, count) = (patch / windows.area(), windows.count());
    if channels * windows.area() != patch {
        let expected = format!("patches of {} cells", windows.area());
        return Err(Error::new(ErrorKind::Shape, OP, expected, g.shape()));
    }
    let g = g.contiguous()?;
    let length = windows.cells() * channels;
    let mut out = Uninit::<T>::new(framed(batch, windows.input(), channels))?;
    let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>());
    let from = Shared::new(g.as_ptr::<T>().cast_mut());
    for_units(batch, count * patch + length, |n| {
        // SAFETY: entry `n` of the batch has `length` elements, which no other one has; all cells lie inside of it.
        unsafe {
            let (from, to) = (from.get().add(n * count * patch), to.get().add(n * length));
            (0..length).for_each(|k| to.add(k).write(num_traits::zero()));
            for i in 0..count {
                windows.for_cells(i, |tap, cell| {
                    let (from, to) = (from.add(i * patch + tap * channels), to.add(cell * channels));
                    (0..channels).for_each(|k| *to.add(k) = *to.add(k) + *from.add(k));
                });
            }
        }
    });
    // SAFETY: all entries are written.
    Ok(unsafe { out.assume_init() })
}
