//! Convolutions. The three products of a convolution (its result, and the gradients to input and filters) are each
//! other's gradients.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::unary;
use crate::{AsTensor, Tensor, apply, apply_many};
use slalom_array::{
    Array, Convolution, Error, ErrorKind, FusedActivation, Padding, Result, Shape, conv, conv_filter_grad,
    conv_input_grad,
};
use smallvec::{SmallVec, smallvec};

/// `activation(x ∗ w + b)`
#[derive(Debug, Clone)]
struct Forward {
    convolution: Convolution,
    activation: FusedActivation,
}

impl Op for Forward {
    fn name(&self) -> &'static str {
        "convolution"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let bias = inputs.get(2).copied();
        Ok(smallvec![conv(inputs[0], inputs[1], bias, self.activation, &self.convolution)?])
    }
    fn saves(&self) -> Saves {
        if self.activation == FusedActivation::Linear { Saves::Inputs } else { Saves::Both }
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (g, by_bias) = epilogue_gradients(self.activation, cx)?;
        let mut gradients: Gradients = smallvec![
            if cx.needs(0) { Some(by_input(&self.convolution, &g, cx.input(1))?.into()) } else { None },
            if cx.needs(1) { Some(by_filters(&self.convolution, cx.input(0), &g)?.into()) } else { None },
        ];
        if cx.inputs() == 3 {
            gradients.push(by_bias.map(Tensor::into));
        }
        Ok(gradients)
    }
}

/// The gradients before the activation, and to the bias, which is the third input, if it needs one.
fn epilogue_gradients(activation: FusedActivation, cx: &Vjp<'_>) -> Result<(Tensor, Option<Tensor>)> {
    let (g, biased) = (cx.grad()?, cx.inputs() == 3 && cx.needs(2));
    if biased && activation == FusedActivation::Relu {
        let mut both = apply_many(BiasReluGradient, &[&g, cx.output()])?;
        return Ok((both.remove(0), both.pop()));
    }
    let g = match activation {
        FusedActivation::Linear => g,
        other => unary::activation_gradient(other, &g, cx.output())?,
    };
    if !biased {
        return Ok((g, None));
    }
    let leading: SmallVec<[isize; 4]> = (0..g.rank() as isize - 1).collect();
    let sums = g.sum_axes(&leading, false)?;
    Ok((g, Some(sums)))
}

/// The gradients of `relu(x + bias)` to `x` and to the bias, from those of its result and the result, in one pass.
#[derive(Debug, Clone, Copy)]
struct BiasReluGradient;

impl Op for BiasReluGradient {
    fn name(&self) -> &'static str {
        "bias_relu_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (by_x, by_bias) = slalom_array::bias_relu_grad(inputs[0], inputs[1])?;
        Ok(smallvec![by_x, by_bias])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        // Both results are linear in `g`, and constant in `y` but for its kink.
        let u = cx.grad_of(0)? + cx.grad_of(1)?;
        let by_g = unary::activation_gradient(FusedActivation::Relu, &u, cx.input(1))?;
        Ok(smallvec![Some(by_g.into()), None])
    }
}

/// The gradient to the input, from the gradient of the result and the filters: a transposed convolution.
#[derive(Debug, Clone)]
struct ByInput(Convolution);

impl Op for ByInput {
    fn name(&self) -> &'static str {
        "conv_transpose"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![conv_input_grad(inputs[0], inputs[1], &self.0)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let u = cx.grad()?;
        Ok(smallvec![
            if cx.needs(0) { Some(by_result(&self.0, &u, cx.input(1))?.into()) } else { None },
            if cx.needs(1) { Some(by_filters(&self.0, &u, cx.input(0))?.into()) } else { None },
        ])
    }
}

/// The gradient to the filters, from the input and the gradient of the result.
#[derive(Debug, Clone)]
struct ByFilters(Convolution);

impl Op for ByFilters {
    fn name(&self) -> &'static str {
        "conv_filter_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![conv_filter_grad(inputs[0], inputs[1], &self.0)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let u = cx.grad()?;
        Ok(smallvec![
            if cx.needs(0) { Some(by_input(&self.0, cx.input(1), &u)?.into()) } else { None },
            if cx.needs(1) { Some(by_result(&self.0, cx.input(0), &u)?.into()) } else { None },
        ])
    }
}

fn by_result(convolution: &Convolution, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let activation = FusedActivation::Linear;
    apply(Forward { convolution: *convolution, activation }, [x, w])
}

fn by_input(convolution: &Convolution, g: &Tensor, w: &Tensor) -> Result<Tensor> {
    apply(ByInput(*convolution), [g, w])
}

fn by_filters(convolution: &Convolution, x: &Tensor, g: &Tensor) -> Result<Tensor> {
    apply(ByFilters(*convolution), [x, g])
}

/// How the windows of a convolution move, and how the channels are shared.
///
/// ```
/// use slalom_autograd::{ConvOptions, Padding};
/// let options = ConvOptions::new().strides(&[2]).padding(Padding::Same);
/// assert_eq!(options, ConvOptions::default().strides(&[2]).padding(Padding::Same).groups(1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvOptions {
    strides: SmallVec<[usize; 3]>,
    dilations: SmallVec<[usize; 3]>,
    padding: Padding,
    groups: usize,
}

impl Default for ConvOptions {
    fn default() -> ConvOptions {
        ConvOptions::new()
    }
}

impl ConvOptions {
    /// Windows that move in steps of 1 and stay inside of the input, without dilation; one group.
    pub fn new() -> ConvOptions {
        ConvOptions { strides: smallvec![1], dilations: smallvec![1], padding: Padding::Valid, groups: 1 }
    }

    /// The steps between windows: one number for all spatial axes, or one for each.
    #[must_use]
    pub fn strides(mut self, strides: &[usize]) -> ConvOptions {
        self.strides = strides.into();
        self
    }

    /// The steps between the cells of a window: one number for all spatial axes, or one for each.
    #[must_use]
    pub fn dilations(mut self, dilations: &[usize]) -> ConvOptions {
        self.dilations = dilations.into();
        self
    }

    /// What is put around the input.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> ConvOptions {
        self.padding = padding;
        self
    }

    /// Into how many groups the channels and the filters are cut; each group of filters sees its channels only.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> ConvOptions {
        self.groups = groups;
        self
    }

    fn convolution(&self, op: &'static str, input: &Shape, filters: &Shape) -> Result<Convolution> {
        Convolution::new(op, input, filters, &self.strides, &self.dilations, &self.padding, self.groups)
    }
}

fn expect_axes(op: &'static str, x: &Tensor, spatial: usize) -> Result<()> {
    if x.rank() == spatial + 2 {
        return Ok(());
    }
    let expected = format!("an input with {spatial} spatial axes, [batch, .., channels]");
    Err(Error::new(ErrorKind::Shape, op, expected, x.shape()))
}

/// Convolutions, with channels last: inputs `[batch, spatial axes.., channels]`, filters `[window.., channels / groups,
/// filters]`, results `[batch, windows.., filters]`.
impl Tensor {
    /// The convolution with filters, over one to three spatial axes (`tf.nn.convolution`): for each position of the
    /// window, the sum over its cells and channels of element times weight, for each filter. As in TensorFlow the window
    /// is not turned around (it is a cross-correlation).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::Argument`, if a stride, a dilation or the number of groups
    /// is 0; `ErrorKind::DType`, if the types differ or are not floating-point ones.
    ///
    /// ```
    /// use slalom_autograd::{ConvOptions, Padding, Tensor};
    /// let x = Tensor::from_vec([1, 4, 1], vec![1.0f32, 2.0, 4.0, 8.0])?;
    /// let difference = Tensor::from_vec([2, 1, 1], vec![-1.0f32, 1.0])?;
    /// let y = x.convolution(&difference, &ConvOptions::new())?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 2.0, 4.0]);
    /// let y = x.convolution(&difference, &ConvOptions::new().padding(Padding::Same).strides(&[2]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn convolution(&self, filters: impl AsTensor, options: &ConvOptions) -> Result<Tensor> {
        self.convolution_with(filters, None, FusedActivation::Linear, options)
    }

    /// `activation(convolution + bias)`, applied while the sums are still in registers; the bias has shape `[filters]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    pub fn convolution_with(
        &self,
        filters: impl AsTensor,
        bias: Option<&Tensor>,
        activation: FusedActivation,
        options: &ConvOptions,
    ) -> Result<Tensor> {
        let filters = filters.as_tensor();
        let convolution = options.convolution("convolution", self.shape(), filters.shape())?;
        let op = Forward { convolution, activation };
        match bias {
            Some(bias) => apply(op, [self, &filters, bias]),
            None => apply(op, [self, &filters]),
        }
    }

    /// [`convolution`](Tensor::convolution) over one spatial axis (`tf.nn.conv1d`): `[batch, length, channels]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    pub fn conv1d(&self, filters: impl AsTensor, options: &ConvOptions) -> Result<Tensor> {
        expect_axes("conv1d", self, 1)?;
        self.convolution(filters, options)
    }

    /// [`convolution`](Tensor::convolution) over two spatial axes (`tf.nn.conv2d`): `[batch, height, width, channels]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::{ConvOptions, Tensor};
    /// let (x, w) = (Tensor::ones([1, 3, 3, 2], DType::F32)?, Tensor::ones([2, 2, 2, 5], DType::F32)?);
    /// let y = x.conv2d(&w, &ConvOptions::new())?;
    /// assert_eq!((y.shape()[..].to_vec(), y.to_vec::<f32>()?[0]), (vec![1, 2, 2, 5], 8.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn conv2d(&self, filters: impl AsTensor, options: &ConvOptions) -> Result<Tensor> {
        expect_axes("conv2d", self, 2)?;
        self.convolution(filters, options)
    }

    /// [`convolution`](Tensor::convolution) over three spatial axes (`tf.nn.conv3d`): `[batch, depth, height, width,
    /// channels]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    pub fn conv3d(&self, filters: impl AsTensor, options: &ConvOptions) -> Result<Tensor> {
        expect_axes("conv3d", self, 3)?;
        self.convolution(filters, options)
    }

    /// The transposed convolution (`tf.nn.conv_transpose`): the gradient of [`convolution`](Tensor::convolution) to an input
    /// of shape `output_shape`, where this tensor is the gradient of its result. The filters are `[window.., channels of
    /// the output / groups, channels of this tensor]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution); `ErrorKind::Shape` too, if the convolution of an input of that shape has not
    /// the shape of this tensor.
    ///
    /// ```
    /// use slalom_autograd::{ConvOptions, Tensor};
    /// let x = Tensor::from_vec([1, 2, 1], vec![1.0f32, 2.0])?;
    /// let w = Tensor::from_vec([2, 1, 1], vec![1.0f32, 10.0])?;
    /// let y = x.conv_transpose(&w, [1, 4, 1], &ConvOptions::new().strides(&[2]))?;
    /// assert_eq!(y.to_vec::<f32>()?, [1.0, 10.0, 2.0, 20.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn conv_transpose(
        &self,
        filters: impl AsTensor,
        output_shape: impl Into<Shape>,
        options: &ConvOptions,
    ) -> Result<Tensor> {
        let filters = filters.as_tensor();
        let convolution = options.convolution("conv_transpose", &output_shape.into(), filters.shape())?;
        by_input(&convolution, self, &filters)
    }

    /// The depthwise convolution (`tf.nn.depthwise_conv2d`, over one to three spatial axes): each channel is convolved with
    /// filters of its own. The filters are `[window.., channels, multiplier]`, the result has `channels * multiplier`
    /// channels, those of one channel of the input side by side. The groups of the options are not used.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    ///
    /// ```
    /// use slalom_autograd::{ConvOptions, Tensor};
    /// let x = Tensor::from_vec([1, 2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// let w = Tensor::from_vec([2, 2, 1], vec![1.0f32, 1.0, 1.0, -1.0])?;
    /// assert_eq!(x.depthwise_conv(&w, &ConvOptions::new())?.to_vec::<f32>()?, [4.0, -2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn depthwise_conv(&self, filters: impl AsTensor, options: &ConvOptions) -> Result<Tensor> {
        let filters = filters.as_tensor();
        let [ref window @ .., channels, multiplier] = filters.shape()[..] else {
            let expected = "filters [window.., channels, multiplier]";
            return Err(Error::new(ErrorKind::Shape, "depthwise_conv", expected, filters.shape()));
        };
        let shape: Shape = window.iter().copied().chain([1, channels * multiplier]).collect();
        // No channels are one group of none.
        let options = options.clone().groups(channels.max(1));
        if channels == 0 {
            return self.convolution(filters.reshape(shape.replaced(window.len(), 0))?, &options);
        }
        self.convolution(filters.reshape(shape)?, &options)
    }

    /// A depthwise convolution, and then one with windows of one cell that mixes its channels
    /// (`tf.nn.separable_conv2d`, over one to three spatial axes): filters `[window.., channels, multiplier]` and
    /// `[1.., channels * multiplier, filters]`.
    ///
    /// # Errors
    /// As [`convolution`](Tensor::convolution).
    pub fn separable_conv(
        &self,
        depthwise_filters: impl AsTensor,
        pointwise_filters: impl AsTensor,
        options: &ConvOptions,
    ) -> Result<Tensor> {
        self.depthwise_conv(depthwise_filters, options)?.convolution(pointwise_filters, &ConvOptions::new())
    }
}
