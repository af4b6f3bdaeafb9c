//! Depthwise and separable convolution layers.
use super::axes::{Lengths, by_rank};
use super::conv::{channels, expect_some, kernel_shape};
use super::options::{Weights, weight_options};
use crate::{Activation, Layer};
use slalom_array::{Padding, Result};
use slalom_autograd::{ConvOptions, Tensor};
use slalom_variable::initializers::Initializer;
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::Arc;

/// A convolution of each channel by itself, over `N` spatial axes (`tf.keras.layers.DepthwiseConv1D`,
/// `DepthwiseConv2D`).
///
/// The input is `[batch, spatial axes.., channels]`, the result `[batch, windows.., channels * depth_multiplier]`. The
/// variables are made at the first call: `depthwise_kernel` of shape `[kernel size.., channels, depth_multiplier]` (by
/// default from [`GlorotUniform`](slalom_variable::initializers::GlorotUniform)) and `bias` (zeros).
///
/// # Errors
/// [`forward`](Layer::forward): as that of [`Conv`](super::Conv).
///
/// ```
/// use slalom_array::{DType, Padding};
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::DepthwiseConv2D};
///
/// let layer = DepthwiseConv2D::new(3).depth_multiplier(2).padding(Padding::Same);
/// assert_eq!(layer.forward(&Tensor::ones([1, 5, 5, 4], DType::F32)?)?.shape()[..], [1, 5, 5, 8]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct DepthwiseConv<const N: usize> {
    name: String,
    window: Window<N>,
    weights: Weights<1>,
}

/// A depthwise convolution over one axis: inputs `[batch, length, channels]`.
pub type DepthwiseConv1D = DepthwiseConv<1>;
/// A depthwise convolution over two axes: inputs `[batch, height, width, channels]`.
pub type DepthwiseConv2D = DepthwiseConv<2>;

/// A depthwise convolution and then one with windows of one cell that mixes its channels
/// (`tf.keras.layers.SeparableConv1D`, `SeparableConv2D`).
///
/// The input is `[batch, spatial axes.., channels]`, the result `[batch, windows.., filters]`. The variables are made at
/// the first call: `depthwise_kernel` of shape `[kernel size.., channels, depth_multiplier]`, `pointwise_kernel` of
/// shape `[1.., channels * depth_multiplier, filters]` (both by default from
/// [`GlorotUniform`](slalom_variable::initializers::GlorotUniform)) and `bias` (zeros).
///
/// # Errors
/// [`forward`](Layer::forward): as that of [`Conv`](super::Conv).
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::SeparableConv2D};
///
/// let layer = SeparableConv2D::new(6, 3);
/// assert_eq!(layer.forward(&Tensor::ones([1, 5, 5, 4], DType::F32)?)?.shape()[..], [1, 3, 3, 6]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct SeparableConv<const N: usize> {
    name: String,
    filters: usize,
    window: Window<N>,
    weights: Weights<2>,
}

/// A separable convolution over one axis: inputs `[batch, length, channels]`.
pub type SeparableConv1D = SeparableConv<1>;
/// A separable convolution over two axes: inputs `[batch, height, width, channels]`.
pub type SeparableConv2D = SeparableConv<2>;

/// How the windows of a depthwise convolution move.
struct Window<const N: usize> {
    size: [usize; N],
    strides: [usize; N],
    dilations: [usize; N],
    padding: Padding,
    multiplier: usize,
}

impl<const N: usize> Window<N> {
    fn new(size: [usize; N]) -> Window<N> {
        Window { size, strides: [1; N], dilations: [1; N], padding: Padding::Valid, multiplier: 1 }
    }

    fn options(&self) -> ConvOptions {
        ConvOptions::new().strides(&self.strides).dilations(&self.dilations).padding(self.padding.clone())
    }
}

impl<const N: usize> DepthwiseConv<N> {
    /// A layer with windows of this size: one number for all axes, or one for each.
    pub fn new(kernel_size: impl Lengths<N>) -> DepthwiseConv<N> {
        let name = by_rank::<N>(["depthwise_conv1d", "depthwise_conv2d", "depthwise_conv3d"]);
        let window = Window::new(kernel_size.lengths());
        DepthwiseConv { name: name.to_owned(), window, weights: Weights::new(["depthwise_kernel"]) }
    }
}

impl<const N: usize> SeparableConv<N> {
    /// A layer of so many filters with windows of this size: one number for all axes, or one for each.
    pub fn new(filters: usize, kernel_size: impl Lengths<N>) -> SeparableConv<N> {
        let name = by_rank::<N>(["separable_conv1d", "separable_conv2d", "separable_conv3d"]);
        let window = Window::new(kernel_size.lengths());
        let weights = Weights::new(["depthwise_kernel", "pointwise_kernel"]);
        SeparableConv { name: name.to_owned(), filters, window, weights }
    }
}

/// The options of a layer with a field `window`.
macro_rules! window_options {
    ($layer:ident) => {
        impl<const N: usize> $layer<N> {
            /// With these steps between windows; 1 by default.
            #[must_use]
            pub fn strides(mut self, strides: impl Lengths<N>) -> Self {
                self.window.strides = strides.lengths();
                self
            }

            /// With these steps between the cells of a window; 1 by default.
            #[must_use]
            pub fn dilation_rate(mut self, dilation_rate: impl Lengths<N>) -> Self {
                self.window.dilations = dilation_rate.lengths();
                self
            }

            /// With padding around the input; none by default.
            #[must_use]
            pub fn padding(mut self, padding: Padding) -> Self {
                self.window.padding = padding;
                self
            }

            /// With so many filters for each channel; 1 by default.
            #[must_use]
            pub fn depth_multiplier(mut self, depth_multiplier: usize) -> Self {
                self.window.multiplier = depth_multiplier;
                self
            }
        }
    };
}
window_options!(DepthwiseConv);
window_options!(SeparableConv);
weight_options!(DepthwiseConv, 0: "kernel", depthwise_initializer, depthwise_constraint);
weight_options!(
    SeparableConv,
    0: "depthwise kernel", depthwise_initializer, depthwise_constraint;
    1: "pointwise kernel", pointwise_initializer, pointwise_constraint
);

impl<const N: usize> Layer for DepthwiseConv<N> {
    fn class_name(&self) -> &'static str {
        by_rank::<N>(["DepthwiseConv1D", "DepthwiseConv2D", "DepthwiseConv3D"])
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Window { size, multiplier, .. } = self.window;
        let channels = channels::<N>(self.class_name(), x)?;
        expect_some(self.class_name(), "a depth multiplier", multiplier)?;
        let kernel = kernel_shape(&size, [channels, multiplier]);
        let built = self.weights.get(&self.name, [kernel], channels * multiplier, x.dtype())?;
        let y = x.depthwise_conv(&built.kernels[0], &self.window.options())?;
        self.weights.finish_all(built, y)
    }

    fn variables(&self) -> Vec<Variable> {
        self.weights.variables()
    }
}

impl<const N: usize> Layer for SeparableConv<N> {
    fn class_name(&self) -> &'static str {
        by_rank::<N>(["SeparableConv1D", "SeparableConv2D", "SeparableConv3D"])
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Window { size, multiplier, .. } = self.window;
        let channels = channels::<N>(self.class_name(), x)?;
        expect_some(self.class_name(), "a depth multiplier", multiplier)?;
        expect_some(self.class_name(), "a number of filters", self.filters)?;
        let depthwise = kernel_shape(&size, [channels, multiplier]);
        let pointwise = kernel_shape(&[1; N], [channels * multiplier, self.filters]);
        let built = self.weights.get(&self.name, [depthwise, pointwise], self.filters, x.dtype())?;
        let [depthwise, pointwise] = &built.kernels;
        let y = x.depthwise_conv(depthwise, &self.window.options())?;
        let options = ConvOptions::new();
        let y = y.convolution_with(pointwise, built.bias().as_ref(), self.weights.fused(), &options)?;
        self.weights.finish(y)
    }

    fn variables(&self) -> Vec<Variable> {
        self.weights.variables()
    }
}
