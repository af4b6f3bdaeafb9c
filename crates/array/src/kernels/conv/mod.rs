//! Convolutions over one to three axes, channels last.
//!
//! A convolution is a matrix product of the patches under the windows with the filters. The patches are never written
//! down: along a row of the input the cells of one patch follow each other in memory, and so do the patches, so the
//! tiles of the matrix product read them where they are; only an input with padding is copied, band by band, into a frame of
//! zeros. The gradient to the input adds its products to the cells where they belong, and the gradient to the filters
//! reads the same patches as columns.
//!
//! Work is cut by its size, and the gradient to the filters sums over a fixed split of the batch: the bits are the same
//! at any number of threads.
mod band;
mod depthwise;
mod epilogue;
mod filters;
mod forward;
mod input;
mod patches;
#[cfg(test)]
mod tests;

use super::gemm::kernels::Float;
use super::window::Windows;
use crate::array::Uninit;
use crate::{Array, DType, Element, Error, ErrorKind, FusedActivation, Padding, Result, Shape, parallel};

pub use epilogue::bias_relu_grad;
pub use patches::{extract_patches, extract_patches_grad};

/// The shapes of a convolution: of its input, its filters and its result.
///
/// The input is `[batch, spatial axes.., channels]`, the filters `[window.., channels / groups, filters]`, the result
/// `[batch, windows.., filters]`, each with one to three spatial axes. With `groups`, the channels and the filters are cut
/// into so many parts, and each part of the filters sees its part of the channels only; as many groups as channels is a
/// depthwise convolution.
///
/// ```
/// use slalom_array::{Convolution, Padding, Shape};
/// let (input, filters) = (Shape::from([8, 28, 28, 3]), Shape::from([3, 3, 3, 16]));
/// let convolution = Convolution::new("conv2d", &input, &filters, &[2], &[1], &Padding::Same, 1)?;
/// assert_eq!(convolution.output_shape(), Shape::from([8, 14, 14, 16]));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    op: &'static str,
    windows: Windows,
    batch: usize,
    channels: usize,
    filters: usize,
    groups: usize,
}

impl Convolution {
    /// The convolution of an input with filters; `strides` and `dilations` have one number for all spatial axes, or
    /// one for each.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the shapes do not fit; [`ErrorKind::Argument`], if a stride, a dilation or the number of
    /// groups is 0. All name `op`.
    pub fn new(
        op: &'static str,
        input: &Shape,
        filters: &Shape,
        strides: &[usize],
        dilations: &[usize],
        padding: &Padding,
        groups: usize,
    ) -> Result<Convolution> {
        let error = |expected: &str| {
            Err(Error::new(ErrorKind::Shape, op, expected, format!("{input} and {filters}")))
        };
        let (&[batch, ref lengths @ .., channels], &[ref size @ .., inner, outer]) =
            (&input[..], &filters[..])
        else {
            return error(
                "an input [batch, spatial axes.., channels] and filters [window.., channels, filters]",
            );
        };
        if size.len() != lengths.len() {
            return error("as many spatial axes in the filters as in the input");
        }
        if groups == 0 {
            return Err(Error::new(ErrorKind::Argument, op, "at least one group", groups));
        }
        if inner.checked_mul(groups) != Some(channels) || outer % groups != 0 {
            return error(&format!("channels and filters that {groups} groups share"));
        }
        let windows = Windows::new(op, lengths, size, strides, dilations, padding)?;
        let convolution = Convolution { op, windows, batch, channels, filters: outer, groups };
        convolution.output_shape().num_elements()?;
        Ok(convolution)
    }

    /// `[batch, spatial axes.., channels]`
    pub fn input_shape(&self) -> Shape {
        framed(self.batch, self.windows.input(), self.channels)
    }

    /// `[window.., channels / groups, filters]`
    pub fn filter_shape(&self) -> Shape {
        self.windows.size().iter().copied().chain([self.channels / self.groups, self.filters]).collect()
    }

    /// `[batch, windows.., filters]`
    pub fn output_shape(&self) -> Shape {
        framed(self.batch, self.windows.output(), self.filters)
    }

    /// The lengths of the summed dimension.
    fn depth(&self) -> usize {
        self.windows.area() * (self.channels / self.groups)
    }

    fn is_depthwise(&self) -> bool {
        self.channels == self.groups && self.groups > 1
    }

    /// Whether a patch's cells in one row of the input follow each other in memory.
    fn has_whole_rows(&self) -> bool {
        self.groups == 1 && (self.windows.dilation[2] == 1 || self.windows.size[2] == 1)
    }

    /// How many runs of following elements a patch has in a row of the input, and how long they are.
    fn runs(&self) -> (usize, usize) {
        let (taps, channels) = (self.windows.size[2], self.channels / self.groups);
        if self.has_whole_rows() { (1, taps * channels) } else { (taps, channels) }
    }

    /// The array, contiguous, if it has this shape and is of type `T`.
    fn expect<T: Element>(&self, array: &Array, shape: Shape) -> Result<Array> {
        array.expect_dtype(self.op, T::DTYPE)?;
        if *array.shape() != shape {
            return Err(Error::new(ErrorKind::Shape, self.op, format!("shape {shape}"), array.shape()));
        }
        array.contiguous()
    }
}

fn framed(first: usize, middle: &[usize], last: usize) -> Shape {
    [first].into_iter().chain(middle.iter().copied()).chain([last]).collect()
}

/// An element type of convolutions.
pub(super) trait Number: Float + Element {}
impl Number for f32 {}
impl Number for f64 {}

/// Calls a function for the element type of an array: floating-point ones only.
macro_rules! by_dtype {
    ($op:expr, $array:expr, $function:ident $arguments:tt) => {
        match $array.dtype() {
            DType::F32 => $function::<f32> $arguments,
            DType::F64 => $function::<f64> $arguments,
            other => Err(Error::new(ErrorKind::DType, $op, "a floating-point dtype", other)),
        }
    };
}
use by_dtype;

/// The convolution (cross-correlation, as TensorFlow computes it) of an input with filters, then bias and activation:
/// `y[n, o, f] = activation(Σ x[n, o stride + k dilation - padding, c] w[k, c, f] + bias[f])`, summed over the cells `k` of
/// the window and over the channels `c`. `bias` has shape `[filters]`.
///
/// # Errors
/// [`ErrorKind::Shape`], if an array has not the shape that `convolution` says; [`ErrorKind::DType`], if the types differ or
/// are not floating-point ones; [`ErrorKind::Memory`].
pub fn conv(
    x: &Array,
    w: &Array,
    bias: Option<&Array>,
    activation: FusedActivation,
    convolution: &Convolution,
) -> Result<Array> {
    by_dtype!(convolution.op, x, conv_of(x, w, bias, activation, convolution))
}

fn conv_of<T: Number>(
    x: &Array,
    w: &Array,
    bias: Option<&Array>,
    activation: FusedActivation,
    convolution: &Convolution,
) -> Result<Array> {
    let x = convolution.expect::<T>(x, convolution.input_shape())?;
    let w = convolution.expect::<T>(w, convolution.filter_shape())?;
    let bias = bias.map(|bias| convolution.expect::<T>(bias, [convolution.filters].into())).transpose()?;
    let bias = bias.as_ref().map_or(std::ptr::null(), Array::as_ptr::<T>);
    let mut out = Uninit::<T>::new(convolution.output_shape())?;
    let to = out.as_mut_slice().as_mut_ptr().cast::<T>();
    // SAFETY: all arrays are contiguous and have the shapes of the convolution; each element of `out` is written.
    unsafe {
        if convolution.is_depthwise() {
            depthwise::forward(convolution, x.as_ptr(), w.as_ptr(), (bias, activation), to);
        } else {
            forward::forward(convolution, x.as_ptr(), w.as_ptr(), (bias, activation), to);
        }
        Ok(out.assume_init())
    }
}

/// The gradient of [`conv`] to its input, from the gradient `g` of its result (without bias and activation): a
/// transposed convolution.
///
/// # Errors
/// As [`conv`].
pub fn conv_input_grad(g: &Array, w: &Array, convolution: &Convolution) -> Result<Array> {
    by_dtype!(convolution.op, g, input_grad_of(g, w, convolution))
}

fn input_grad_of<T: Number>(g: &Array, w: &Array, convolution: &Convolution) -> Result<Array> {
    let g = convolution.expect::<T>(g, convolution.output_shape())?;
    let w = convolution.expect::<T>(w, convolution.filter_shape())?;
    let mut out = Uninit::<T>::new(convolution.input_shape())?;
    let to = out.as_mut_slice().as_mut_ptr().cast::<T>();
    // SAFETY: as in `conv_of`.
    unsafe {
        if convolution.is_depthwise() {
            depthwise::input_grad(convolution, g.as_ptr(), w.as_ptr(), to);
        } else {
            input::input_grad(convolution, g.as_ptr(), w.as_ptr(), to);
        }
        Ok(out.assume_init())
    }
}

/// The gradient of [`conv`] to its filters, from its input and the gradient `g` of its result (without bias and
/// activation).
///
/// # Errors
/// As [`conv`].
pub fn conv_filter_grad(x: &Array, g: &Array, convolution: &Convolution) -> Result<Array> {
    by_dtype!(convolution.op, x, filter_grad_of(x, g, convolution))
}

fn filter_grad_of<T: Number>(x: &Array, g: &Array, convolution: &Convolution) -> Result<Array> {
    let x = convolution.expect::<T>(x, convolution.input_shape())?;
    let g = convolution.expect::<T>(g, convolution.output_shape())?;
    let mut out = Uninit::<T>::new(convolution.filter_shape())?;
    let to = out.as_mut_slice().as_mut_ptr().cast::<T>();
    // SAFETY: as in `conv_of`.
    unsafe {
        filters::filter_grad(convolution, x.as_ptr(), g.as_ptr(), to);
        Ok(out.assume_init())
    }
}

/// Multiply-adds in one chunk.
const CHUNK: usize = 1 << 21;

/// Calls `body` for each of `units` pieces of so much work, several pieces in one chunk where they are small.
pub(super) fn for_units(units: usize, work: usize, body: impl Fn(usize) + Sync) {
    let group = (CHUNK / work.max(1)).clamp(1, units.max(1));
    parallel::for_each(units.div_ceil(group), |chunk| {
        (chunk * group..units.min((chunk + 1) * group)).for_each(&body);
    });
}

/// The largest part of `total` that is not larger than `limit`, if it is cut into even parts.
fn even(total: usize, limit: usize) -> usize {
    total.div_ceil(total.div_ceil(limit.max(1)).max(1)).max(1)
}
