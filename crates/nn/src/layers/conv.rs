//! Convolution layers.
use super::axes::{Lengths, by_rank};
use super::options::{Weights, weight_options};
use crate::{Activation, Layer};
use slalom_array::{Error, ErrorKind, Padding, Result, Shape};
use slalom_autograd::{ConvOptions, Tensor};
use slalom_variable::initializers::Initializer;
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::Arc;

/// A convolution over `N` spatial axes: `activation(x ∗ kernel + bias)` (`tf.keras.layers.Conv1D`, `Conv2D`, `Conv3D`).
///
/// The input is `[batch, spatial axes.., channels]`, the result `[batch, windows.., filters]`. The variables are made
/// at the first call, with the element type of the input: `kernel` of shape `[kernel size.., channels / groups, filters]`
/// (by default from [`GlorotUniform`](slalom_variable::initializers::GlorotUniform)) and `bias` of shape `[filters]`
/// (zeros). By default strides and dilations are 1, there is no padding and one group.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input has another number of axes, if its channels are not
/// those of the first call, or if the window does not fit; [`ErrorKind::DType`], if its elements are not floating-point
/// numbers or not of the variables' type; [`ErrorKind::Argument`], if there are no filters, or if a size, stride, dilation
/// or the number of groups is 0.
///
/// ```
/// use slalom_array::{DType, Padding};
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Activation, Layer, layers::Conv2D};
///
/// let layer = Conv2D::new(8, 3).strides(2).padding(Padding::Same).activation(Activation::Relu);
/// let y = layer.forward(&Tensor::ones([4, 28, 28, 1], DType::F32)?)?;
/// assert_eq!(y.shape()[..], [4, 14, 14, 8]);
/// assert_eq!(layer.variables()[0].shape()[..], [3, 3, 1, 8]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Conv<const N: usize> {
    name: String,
    filters: usize,
    kernel_size: [usize; N],
    strides: [usize; N],
    dilations: [usize; N],
    padding: Padding,
    is_causal: bool,
    groups: usize,
    weights: Weights<1>,
}

/// A convolution over one axis: inputs `[batch, length, channels]`.
pub type Conv1D = Conv<1>;
/// A convolution over two axes: inputs `[batch, height, width, channels]`.
pub type Conv2D = Conv<2>;
/// A convolution over three axes: inputs `[batch, depth, height, width, channels]`.
pub type Conv3D = Conv<3>;

impl<const N: usize> Conv<N> {
    /// A layer of so many filters with windows of this size: one number for all axes, or one for each.
    pub fn new(filters: usize, kernel_size: impl Lengths<N>) -> Conv<N> {
        Conv {
            name: by_rank::<N>(["conv1d", "conv2d", "conv3d"]).to_owned(),
            filters,
            kernel_size: kernel_size.lengths(),
            strides: [1; N],
            dilations: [1; N],
            padding: Padding::Valid,
            is_causal: false,
            groups: 1,
            weights: Weights::new(["kernel"]),
        }
    }

    /// With these steps between windows; 1 by default.
    #[must_use]
    pub fn strides(mut self, strides: impl Lengths<N>) -> Conv<N> {
        self.strides = strides.lengths();
        self
    }

    /// With these steps between the cells of a window; 1 by default.
    #[must_use]
    pub fn dilation_rate(mut self, dilation_rate: impl Lengths<N>) -> Conv<N> {
        self.dilations = dilation_rate.lengths();
        self
    }

    /// With padding around the input; none by default.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Conv<N> {
        (self.padding, self.is_causal) = (padding, false);
        self
    }

    /// With the channels and the filters cut into so many groups; 1 by default.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Conv<N> {
        self.groups = groups;
        self
    }
}

impl Conv<1> {
    /// With as much padding before the input as lets no result depend on a later element.
    ///
    /// ```
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::Conv1D};
    /// use slalom_variable::initializers::Constant;
    /// let sums = Conv1D::new(1, 2).causal().kernel_initializer(Constant::new(1.0));
    /// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 2.0, 4.0])?;
    /// assert_eq!(sums.forward(&x)?.to_vec::<f32>()?, [1.0, 3.0, 6.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[must_use]
    pub fn causal(mut self) -> Conv<1> {
        self.is_causal = true;
        self
    }
}

weight_options!(Conv, 0: "kernel", kernel_initializer, kernel_constraint);

/// The channels of an input with `N` spatial axes.
pub(crate) fn channels<const N: usize>(layer: &'static str, x: &Tensor) -> Result<usize> {
    if x.rank() == N + 2 {
        return Ok(x.shape()[N + 1]);
    }
    let expected = format!("an input of {} axes, [batch, spatial axes.., channels]", N + 2);
    Err(Error::new(ErrorKind::Shape, layer, expected, x.shape()))
}

/// A kernel's shape: that of the window, and two axes more.
pub(crate) fn kernel_shape<const N: usize>(size: &[usize; N], last: [usize; 2]) -> Shape {
    size.iter().copied().chain(last).collect()
}

/// Fails, if there are none.
pub(crate) fn expect_some(layer: &'static str, what: &str, n: usize) -> Result<()> {
    if n > 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, layer, format!("{what} of at least 1"), n))
}

impl<const N: usize> Layer for Conv<N> {
    fn class_name(&self) -> &'static str {
        by_rank::<N>(["Conv1D", "Conv2D", "Conv3D"])
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
        expect_some(layer, "a number of groups", self.groups)?;
        let kernel = kernel_shape(&self.kernel_size, [channels / self.groups, self.filters]);
        let built = self.weights.get(&self.name, [kernel], self.filters, x.dtype())?;
        let padding = match self.is_causal {
            // A window reaches back over its span without the last cell.
            true => Padding::Explicit(vec![[self.dilations[0] * self.kernel_size[0].saturating_sub(1), 0]]),
            false => self.padding.clone(),
        };
        let options = ConvOptions::new()
            .strides(&self.strides)
            .dilations(&self.dilations)
            .padding(padding)
            .groups(self.groups);
        let y =
            x.convolution_with(&built.kernels[0], built.bias().as_ref(), self.weights.fused(), &options)?;
        self.weights.finish(y)
    }

    fn variables(&self) -> Vec<Variable> {
        self.weights.variables()
    }
}
