//! Interpolation along an axis, for images of another size.
use super::Shared;
use super::conv::for_units;
use crate::array::Uninit;
use crate::isa::{Isa, Kernel, dispatch};
use crate::{Array, Element, Error, ErrorKind, Float, Result, with_float};

const OP: &str = "resize";

/// How elements between those of an input are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Interpolation {
    /// The nearest element.
    Nearest,
    /// Between the two nearest, in a straight line.
    #[default]
    Bilinear,
}

/// Element `i` of a result is `(1 - weight) x[low] + weight x[high]`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Blend {
    low: usize,
    high: usize,
    weight: f64,
}

impl Interpolation {
    /// Element `i` of `to`, from `from` elements. Elements are points in the middle of cells of equal size, as TensorFlow has
    /// them, which computes in `f32`.
    fn blend<F: Float>(self, i: usize, from: usize, to: usize) -> Blend {
        let scale = F::from_f64(from as f64) / F::from_f64(to as f64);
        let middle = (F::from_f64(i as f64) + F::HALF) * scale;
        match self {
            Interpolation::Nearest => {
                let low = (middle.floor().to_f64() as usize).min(from - 1);
                Blend { low, high: low, weight: 0.0 }
            }
            Interpolation::Bilinear => {
                let at = middle - F::HALF;
                let low = at.floor();
                // Beyond 2²⁴ a rounded place may lie behind the last element.
                let clamped = |at: F| (at.to_f64().max(0.0) as usize).min(from - 1);
                Blend { low: clamped(low), high: clamped(at.ceil()), weight: (at - low).to_f64() }
            }
        }
    }
}

/// The array with `length` elements along `axis`, interpolated between its own.
///
/// # Errors
/// [`ErrorKind::Shape`], if there is no such axis or if it is empty; [`ErrorKind::DType`], if the elements are not
/// floating-point numbers; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Interpolation, resize};
/// let x = Array::from_vec([2], vec![0.0f32, 4.0])?;
/// assert_eq!(resize(&x, 0, 4, Interpolation::Bilinear)?.to_vec::<f32>()?, [0.0, 1.0, 3.0, 4.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn resize(x: &Array, axis: usize, length: usize, interpolation: Interpolation) -> Result<Array> {
    with_float!(OP, x.dtype(), F => run::<F>(x, axis, length, length, interpolation, false))
}

/// The gradient of [`resize`] to its input, which has `length` elements along `axis`, from the gradient `g` of its result.
///
/// # Errors
/// As [`resize`].
pub fn resize_grad(g: &Array, axis: usize, length: usize, interpolation: Interpolation) -> Result<Array> {
    let to = g.shape().get(axis).copied().unwrap_or(0);
    with_float!(OP, g.dtype(), F => run::<F>(g, axis, length, to, interpolation, true))
}

/// Gives the axis `length` elements; `to` is the longer side of the blends, the result's or, transposed, the input's.
fn run<F: Float + Element>(
    x: &Array,
    axis: usize,
    length: usize,
    to: usize,
    interpolation: Interpolation,
    transposed: bool,
) -> Result<Array> {
    let Some(&own) = x.shape().get(axis) else {
        return Err(Error::new(ErrorKind::Shape, OP, format!("an axis of {}", x.shape()), axis));
    };
    let from = if transposed { length } else { own };
    if from == 0 && to > 0 {
        return Err(Error::new(ErrorKind::Shape, OP, "elements to interpolate between", x.shape()));
    }
    let blends: Vec<Blend> = (0..to).map(|i| interpolation.blend::<F>(i, from, to)).collect();
    let (outer, inner): (usize, usize) =
        (x.shape()[..axis].iter().product(), x.shape()[axis + 1..].iter().product());
    let x = x.contiguous()?;
    let mut out = Uninit::<F>::new(x.shape().replaced(axis, length))?;
    let source = Shared::new(x.as_ptr::<F>().cast_mut());
    let result = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<F>());
    for_units(outer, (own + length) * inner, |n| {
        let (from, to) =
            (source.get().wrapping_add(n * own * inner), result.get().wrapping_add(n * length * inner));
        dispatch(Block { from, to, blends: &blends, length, inner, transposed });
    });
    // SAFETY: each block is written.
    Ok(unsafe { out.assume_init() })
}

/// All elements along the axis, `inner` of them side by side.
struct Block<'a, F> {
    from: *const F,
    to: *mut F,
    blends: &'a [Blend],
    length: usize,
    inner: usize,
    transposed: bool,
}

impl<F: Float> Kernel for Block<'_, F> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) {
        let Block { from, to, blends, length, inner, transposed } = self;
        // SAFETY: `run` makes it for all elements along the axis of the input and of the result.
        unsafe {
            if transposed {
                for i in 0..length * inner {
                    to.add(i).write(F::ZERO);
                }
            }
            for (i, blend) in blends.iter().enumerate() {
                let weight = F::from_f64(blend.weight);
                let (low, high, one) = (blend.low * inner, blend.high * inner, i * inner);
                for k in 0..inner {
                    if transposed {
                        let g = *from.add(one + k);
                        *to.add(low + k) += g * (F::ONE - weight);
                        *to.add(high + k) += g * weight;
                    } else {
                        let (a, b) = (*from.add(low + k), *from.add(high + k));
                        // The nearest element as it is, though it may be infinite.
                        let between = if low == high { a } else { a + (b - a) * weight };
                        to.add(one + k).write(between);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blends_stay_within_an_axis_longer_than_f32_counts() {
        let from = (1 << 24) + 4;
        for to in [from - 1, from, from + 1, 2 * from] {
            for i in (0..4).chain(to - 4..to) {
                for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
                    let Blend { low, high, weight } = interpolation.blend::<f32>(i, from, to);
                    assert!(low <= high && high < from, "{interpolation:?} {i} of {to}: {low}, {high}");
                    assert!((0.0..=1.0).contains(&weight));
                }
            }
        }
    }
}
