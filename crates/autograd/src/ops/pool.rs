//! Pooling, patches and images of another size: ops with windows or cells along spatial axes.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::{Tensor, apply};
use slalom_array::{Array, Interpolation, Padding, Result, Windows};
use smallvec::smallvec;

/// What is done with the elements under windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mean,
    Patches,
}

/// A linear function of the elements under windows.
#[derive(Debug, Clone)]
struct Linear {
    kind: Kind,
    windows: Windows,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        if self.kind == Kind::Mean { "avg_pool" } else { "extract_patches" }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![match self.kind {
            Kind::Mean => slalom_array::avg_pool(inputs[0], &self.windows)?,
            Kind::Patches => slalom_array::extract_patches(inputs[0], &self.windows)?,
        }])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Transposed(self.clone()), [&cx.grad()?])?)
    }
}

/// The transposed linear function.
#[derive(Debug, Clone)]
struct Transposed(Linear);

impl Op for Transposed {
    fn name(&self) -> &'static str {
        if self.0.kind == Kind::Mean { "avg_pool_gradient" } else { "extract_patches_gradient" }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![match self.0.kind {
            Kind::Mean => slalom_array::avg_pool_grad(inputs[0], &self.0.windows)?,
            Kind::Patches => slalom_array::extract_patches_grad(inputs[0], &self.0.windows)?,
        }])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(self.0.clone(), [&cx.grad()?])?)
    }
}

/// The largest element under each window.
#[derive(Debug, Clone)]
struct MaxPool(Windows);

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::max_pool(inputs[0], &self.0)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(MaxPoolGradient(self.0), [cx.input(0), &cx.grad()?])?)
    }
}

/// From `x` and `g`: the elements of `g` at the places that `max_pool` picks from `x`, zeros elsewhere.
#[derive(Debug, Clone)]
struct MaxPoolGradient(Windows);

impl Op for MaxPoolGradient {
    fn name(&self) -> &'static str {
        "max_pool_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::max_pool_grad(inputs[0], inputs[1], &self.0)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        // The places do not move with `x`.
        let by_g = apply(MaxPoolPick(self.0), [cx.input(0), &cx.grad()?])?;
        Ok(smallvec![None, Some(by_g.into())])
    }
}

/// From `x` and `u`: the elements of `u` at the places that `max_pool` picks from `x`.
#[derive(Debug, Clone)]
struct MaxPoolPick(Windows);

impl Op for MaxPoolPick {
    fn name(&self) -> &'static str {
        "max_pool_pick"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::max_pool_pick(inputs[0], inputs[1], &self.0)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let by_u = apply(MaxPoolGradient(self.0), [cx.input(0), &cx.grad()?])?;
        Ok(smallvec![None, Some(by_u.into())])
    }
}

/// Other elements along an axis, interpolated.
#[derive(Debug, Clone)]
struct Resize {
    axis: usize,
    from: usize,
    to: usize,
    interpolation: Interpolation,
}

impl Op for Resize {
    fn name(&self) -> &'static str {
        "resize"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::resize(inputs[0], self.axis, self.to, self.interpolation)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(ResizeGradient(self.clone()), [&cx.grad()?])?)
    }
}

/// The gradient of a [`Resize`].
#[derive(Debug, Clone)]
struct ResizeGradient(Resize);

impl Op for ResizeGradient {
    fn name(&self) -> &'static str {
        "resize_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let Resize { axis, from, interpolation, .. } = self.0;
        Ok(smallvec![slalom_array::resize_grad(inputs[0], axis, from, interpolation)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(self.0.clone(), [&cx.grad()?])?)
    }
}

/// Windows over the spatial axes of a tensor `[batch, spatial axes.., channels]`.
fn windows(
    op: &'static str,
    x: &Tensor,
    size: &[usize],
    strides: &[usize],
    dilations: &[usize],
    padding: &Padding,
) -> Result<Windows> {
    let rank = x.rank().max(2);
    let axes = x.shape().get(1..rank - 1).unwrap_or_default();
    Windows::new(op, axes, size, strides, dilations, padding)
}

/// Pooling over one to three spatial axes, with channels last: `[batch, spatial axes.., channels]`. Sizes and strides
/// have one number for all spatial axes, or one for each.
impl Tensor {
    /// The largest element under each window, for each channel (`tf.nn.max_pool`); cells of the padding do not count. The
    /// gradient goes to the element that was picked; of equals, the first one, row by row.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there are not one to three spatial axes, if a list has another length, or if a window does not
    /// fit; `ErrorKind::Argument`, if a size or a stride is 0; `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    ///
    /// ```
    /// use slalom_autograd::{GradientTape, Padding, Tensor};
    /// let tape = GradientTape::new();
    /// let x = tape.watch(&Tensor::from_vec([1, 4, 1], vec![1.0f32, 3.0, 2.0, 2.0])?);
    /// let y = x.max_pool(&[2], &[2], &Padding::Valid)?;
    /// assert_eq!(y.to_vec::<f32>()?, [3.0, 2.0]);
    /// let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
    /// assert_eq!(gradient.to_vec::<f32>()?, [0.0, 1.0, 1.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn max_pool(&self, size: &[usize], strides: &[usize], padding: &Padding) -> Result<Tensor> {
        apply(MaxPool(windows("max_pool", self, size, strides, &[1], padding)?), [self])
    }

    /// The mean of the elements under each window, for each channel (`tf.nn.avg_pool`); cells of the padding do not count.
    ///
    /// # Errors
    /// As [`max_pool`](Tensor::max_pool).
    ///
    /// ```
    /// use slalom_autograd::{Padding, Tensor};
    /// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 3.0, 2.0])?;
    /// assert_eq!(x.avg_pool(&[2], &[2], &Padding::Same)?.to_vec::<f32>()?, [2.0, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn avg_pool(&self, size: &[usize], strides: &[usize], padding: &Padding) -> Result<Tensor> {
        let windows = windows("avg_pool", self, size, strides, &[1], padding)?;
        apply(Linear { kind: Kind::Mean, windows }, [self])
    }

    /// The elements under each window as the channels of the result (`tf.image.extract_patches`): `[batch, windows..,
    /// cells of the window * channels]`, the cells row by row; 0 for those of the padding. `rates` are the steps between
    /// the cells of a window.
    ///
    /// # Errors
    /// As [`max_pool`](Tensor::max_pool).
    ///
    /// ```
    /// use slalom_autograd::{Padding, Tensor};
    /// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 2.0, 3.0])?;
    /// let patches = x.extract_patches(&[2], &[1], &[1], &Padding::Valid)?;
    /// assert_eq!(patches.to_vec::<f32>()?, [1.0, 2.0, 2.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn extract_patches(
        &self,
        size: &[usize],
        strides: &[usize],
        rates: &[usize],
        padding: &Padding,
    ) -> Result<Tensor> {
        let windows = windows("extract_patches", self, size, strides, rates, padding)?;
        apply(Linear { kind: Kind::Patches, windows }, [self])
    }

    /// The tensor with `length` elements along `axis` (negative: from the end), interpolated between its own. Elements are
    /// points in the middle of cells of equal size, and the ends are continued; there is no smoothing where there are fewer
    /// (`tf.image.resize` for both axes of an image, without `antialias`).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis or if it is empty; `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    ///
    /// ```
    /// use slalom_autograd::{Interpolation, Tensor};
    /// let x = Tensor::from_vec([2], vec![0.0f32, 4.0])?;
    /// assert_eq!(x.resize(0, 4, Interpolation::Bilinear)?.to_vec::<f32>()?, [0.0, 1.0, 3.0, 4.0]);
    /// assert_eq!(x.resize(0, 3, Interpolation::Nearest)?.to_vec::<f32>()?, [0.0, 4.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn resize(&self, axis: isize, length: usize, interpolation: Interpolation) -> Result<Tensor> {
        let axis = self.shape().axis(axis)?;
        apply(Resize { axis, from: self.shape()[axis], to: length, interpolation }, [self])
    }
}
