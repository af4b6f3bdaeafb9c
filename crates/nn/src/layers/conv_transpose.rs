//! Transposed convolution layers.
use super::axes::{Lengths, by_rank};
use super::conv::{channels, expect_some, kernel_shape};
use super::options::{Weights, weight_options};
use crate::{Activation, Layer};
use slalom_array::{Error, ErrorKind, Padding, Result, Shape};
use slalom_autograd::{ConvOptions, Tensor};
use slalom_variable::initializers::Initializer;
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::Arc;

/// A transposed convolution over `N` spatial axes (`tf.keras.layers.Conv1DTranspose`, `Conv2DTranspose`,
/// `Conv3DTranspose`): each element of the input adds a window of weights to the result.
///
/// The input is `[batch, spatial axes.., channels]`, the result `[batch, lengths.., filters]`, with lengths of `n * stride`
/// for an axis of `n` elements and [`Padding::Same`], and `n * stride + max(span - stride, 0)` without padding, where the
/// window spans `span` cells. The variables are made at the first call: `kernel` of shape `[kernel size.., filters,
/// channels]` (by default from [`GlorotUniform`](slalom_variable::initializers::GlorotUniform)) and `bias` of shape
/// `[filters]` (zeros).
///
/// # Errors
/// [`forward`](Layer::forward): as that of [`Conv`](super::Conv); [`ErrorKind::Argument`] too, if the padding is explicit, or
/// if the output padding is not smaller than the stride.
///
/// ```
/// use slalom_array::{DType, Padding};
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Conv2DTranspose};
///
/// let layer = Conv2DTranspose::new(3, 4).strides(2).padding(Padding::Same);
/// let y = layer.forward(&Tensor::ones([1, 7, 7, 16], DType::F32)?)?;
/// assert_eq!(y.shape()[..], [1, 14, 14, 3]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct ConvTranspose<const N: usize> {
    name: String,
    filters: usize,
    kernel_size: [usize; N],
    strides: [usize; N],
    dilations: [usize; N],
    padding: Padding,
    output_padding: Option<[usize; N]>,
    weights: Weights<1>,
}

/// A transposed convolution over one axis: inputs `[batch, length, channels]`.
pub type Conv1DTranspose = ConvTranspose<1>;
/// A transposed convolution over two axes: inputs `[batch, height, width, channels]`.
pub type Conv2DTranspose = ConvTranspose<2>;
/// A transposed convolution over three axes: inputs `[batch, depth, height, width, channels]`.
pub type Conv3DTranspose = ConvTranspose<3>;

impl<const N: usize> ConvTranspose<N> {
    /// A layer of so many filters with windows of this size: one number for all axes, or one for each.
    pub fn new(filters: usize, kernel_size: impl Lengths<N>) -> ConvTranspose<N> {
        ConvTranspose {
            name: by_rank::<N>(["conv1d_transpose", "conv2d_transpose", "conv3d_transpose"]).to_owned(),
            filters,
            kernel_size: kernel_size.lengths(),
            strides: [1; N],
            dilations: [1; N],
            padding: Padding::Valid,
            output_padding: None,
            weights: Weights::new(["kernel"]),
        }
    }

    /// With windows that are added in these steps; 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Lengths<N>) -> ConvTranspose<N> {
        self.strides = strides.lengths();
        self
    }

    /// With these steps between the cells of a window; 1 by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Lengths<N>) -> ConvTranspose<N> {
        self.dilations = dilation_rate.lengths();
        self
    }

    /// With the padding of the convolution that this one transposes, `Valid` (the default) or `Same`.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> ConvTranspose<N> {
        self.padding = padding;
        self
    }

    /// With a result of `(n - 1) * stride + span - 2 * padding + output_padding` elements along each axis, where the
    /// padding is half the span with [`Padding::Same`] and 0 without.
    #[must_use]
    pub fn output_padding(mut self, output_padding: impl Lengths<N>) -> ConvTranspose<N> {
        self.output_padding = Some(output_padding.lengths());
        self
    }

    /// The length of the result along an axis, for `n` elements of the input.
    fn length(&self, axis: usize, n: usize) -> Result<usize> {
        let stride = self.strides[axis];
        let span = self.kernel_size[axis].saturating_sub(1) * self.dilations[axis] + 1;
        let same = match self.padding {
            Padding::Valid => false,
            Padding::Same => true,
            Padding::Explicit(_) => {
                let got = "explicit padding";
                return Err(Error::new(ErrorKind::Argument, self.class_name(), "valid or same padding", got));
            }
        };
        let Some(extra) = self.output_padding.map(|padding| padding[axis]) else {
            return Ok(n * stride + if same { 0 } else { span.saturating_sub(stride) });
        };
        if extra >= stride {
            let expected = format!("an output padding below the stride {stride}");
            return Err(Error::new(ErrorKind::Argument, self.class_name(), expected, extra));
        }
        let around = if same { span / 2 * 2 } else { 0 };
        Ok((n.saturating_sub(1) * stride + span + extra).saturating_sub(around))
    }
}

weight_options!(ConvTranspose, 0: "kernel", kernel_initializer, kernel_constraint);

impl<const N: usize> Layer for ConvTranspose<N> {
    fn class_name(&self) -> &'static str {
        by_rank::<N>(["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"])
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let layer = self.class_name();
        let channels = channels::<N>(layer, x)?;
        expect_some(layer, "a number of filters", self.filters)?;
        let lengths =
            (0..N).map(|axis| self.length(axis, x.shape()[axis + 1])).collect::<Result<Vec<_>>>()?;
        let kernel = kernel_shape(&self.kernel_size, [self.filters, channels]);
        let built = self.weights.get(&self.name, [kernel], self.filters, x.dtype())?;
        let shape: Shape = [x.shape()[0]].into_iter().chain(lengths).chain([self.filters]).collect();
        let options = ConvOptions::new()
            .strides(&self.strides)
            .dilations(&self.dilations)
            .padding(self.padding.clone());
        let y = x.conv_transpose(&built.kernels[0], shape, &options)?;
        self.weights.finish_all(built, y)
    }

    fn variables(&self) -> Vec<Variable> {
        self.weights.variables()
    }
}
