//! Normalization: fused forward and backward.
use super::composed::second_order;
use super::reduce::{expect_float, resolve};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::{Tensor, apply_many};
use slalom_array::{Array, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// `(x - mean) rstd gamma + beta` along the last axis, and the means and `rstd`s, which the gradient needs.
#[derive(Debug, Clone, Copy)]
struct LayerNorm {
    epsilon: f64,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(slalom_array::layer_norm(inputs[0], inputs[1], inputs[2], self.epsilon)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn visible_results(&self) -> usize {
        1
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let op = LayerNormGradient { epsilon: self.epsilon };
        let (x, gamma, mean, rstd) = (cx.input(0), cx.input(1), cx.output_of(1), cx.output_of(2));
        let gradients = apply_many(op, &[x, gamma, mean, rstd, &cx.grad()?])?;
        Ok(gradients.into_iter().map(|gradient| Some(gradient.into())).collect())
    }
}

/// The gradients of a layer normalization for `x`, `gamma` and `beta`.
#[derive(Debug, Clone, Copy)]
struct LayerNormGradient {
    epsilon: f64,
}

impl Op for LayerNormGradient {
    fn name(&self) -> &'static str {
        "layer_norm_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [x, gamma, mean, rstd, g] = std::array::from_fn(|i| inputs[i]);
        Ok(slalom_array::layer_norm_grad(x, gamma, mean, rstd, g)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        // Means and `rstd`s are functions of `x`, and have their part in its gradient.
        of_gradient(cx, 4, |x, gamma, beta| {
            let mean = x.mean_axes(&[-1], true)?;
            let rstd = (x.variance(&[-1], true)? + self.epsilon).rsqrt()?;
            Ok((x - mean) * rstd * gamma + beta)
        })
    }
}

/// The gradients of a gradient whose inputs are `x`, `gamma`, two statistics, and the gradient at place `g`.
fn of_gradient(
    cx: &Vjp<'_>,
    g: usize,
    normalized: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Gradients> {
    let (x, gamma) = (cx.input(0), cx.input(1));
    let beta = Tensor::zeros(gamma.shape(), gamma.dtype())?;
    let upstream = [cx.grad_of(0)?, cx.grad_of(1)?, cx.grad_of(2)?];
    let function = |x: &[Tensor]| Ok(vec![normalized(&x[0], &x[1], &x[2])?]);
    let [x, gamma, _, by_g] = second_order(&[x, gamma, &beta], &[cx.input(g)], &upstream, function)?
        .into_iter()
        .collect::<Vec<_>>()
        .try_into()
        .expect("a gradient for each input and for g");
    Ok(smallvec![x, gamma, None, None, by_g])
}

/// `(x - mean) gamma / √(variance + epsilon) + beta` over all axes but the last, and the means and variances.
#[derive(Debug, Clone, Copy)]
struct BatchNorm {
    epsilon: f64,
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(slalom_array::batch_norm(inputs[0], inputs[1], inputs[2], self.epsilon)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let op = BatchNormGradient { epsilon: self.epsilon };
        let (x, gamma, mean, variance) = (cx.input(0), cx.input(1), cx.output_of(1), cx.output_of(2));
        let gradients = apply_many(op, &[x, gamma, mean, variance, &cx.grad()?])?;
        let [mut by_x, by_gamma, by_beta] =
            gradients.into_iter().collect::<Vec<_>>().try_into().expect("three gradients");
        let count = (x.len() / mean.len().max(1)) as f64;
        if cx.has_grad(1) {
            by_x = by_x + cx.grad_of(1)? / count;
        }
        if cx.has_grad(2) {
            by_x = by_x + cx.grad_of(2)? * (2.0 / count) * (x - mean);
        }
        Ok(smallvec![Some(by_x.into()), Some(by_gamma.into()), Some(by_beta.into())])
    }
}

/// The gradients of a batch normalization for `x`, `gamma` and `beta`.
#[derive(Debug, Clone, Copy)]
struct BatchNormGradient {
    epsilon: f64,
}

impl Op for BatchNormGradient {
    fn name(&self) -> &'static str {
        "batch_norm_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [x, gamma, mean, variance, g] = std::array::from_fn(|i| inputs[i]);
        let gradients = slalom_array::batch_norm_grad(x, gamma, mean, variance, g, self.epsilon)?;
        Ok(gradients.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let axes: Vec<isize> = (0..cx.input_shape(0).rank() as isize - 1).collect();
        of_gradient(cx, 4, |x, gamma, beta| {
            let mean = x.mean_axes(&axes, false)?;
            let rstd = (x.variance(&axes, false)? + self.epsilon).rsqrt()?;
            Ok((x - mean) * rstd * gamma + beta)
        })
    }
}

/// Ones or zeros where a vector is not given, else the vector in shape `[n]`.
fn vector(
    given: Option<&Tensor>,
    shape: &Shape,
    default: f64,
    x: &Tensor,
    op: &'static str,
) -> Result<Tensor> {
    let n = shape.num_elements()?;
    let Some(vector) = given else { return Tensor::full([n], default, x.dtype()) };
    if vector.shape() != shape {
        return Err(Error::new(
            ErrorKind::Shape,
            op,
            format!("gamma and beta of shape {shape}"),
            vector.shape(),
        ));
    }
    if vector.rank() == 1 { Ok(vector.clone()) } else { vector.reshape([n]) }
}

/// The axes with those of `last` moved to the end.
fn order(rank: usize, last: &[usize]) -> SmallVec<[usize; 6]> {
    (0..rank).filter(|axis| !last.contains(axis)).chain(last.iter().copied()).collect()
}

/// Moves axes; in their order already, the tensor stays as it is.
fn moved(x: &Tensor, order: &[usize], back: bool) -> Result<Tensor> {
    if order.iter().enumerate().all(|(i, &axis)| i == axis) {
        return Ok(x.clone());
    }
    if !back {
        return x.transpose(order);
    }
    let mut inverse: SmallVec<[usize; 6]> = SmallVec::from_elem(0, order.len());
    for (to, &from) in order.iter().enumerate() {
        inverse[from] = to;
    }
    x.transpose(&inverse)
}

/// Normalization.
impl Tensor {
    /// `(x - mean) gamma / √(variance + epsilon) + beta`, with mean and variance over `axes` (negative: from the end)
    /// for each place along the others (J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016). `gamma` (ones
    /// by default) and `beta` (zeros) have the lengths of `axes`, in their order.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice, or if `gamma` or `beta` do not fit;
    /// `ErrorKind::DType`, if the types differ or are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([1, 2], vec![1.0f64, 5.0])?;
    /// let gamma = Tensor::from_vec([2], vec![1.0f64, 3.0])?;
    /// assert_eq!(x.layer_norm(&[-1], Some(&gamma), None, 0.0)?.to_vec::<f64>()?, [-1.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn layer_norm(
        &self,
        axes: &[isize],
        gamma: Option<&Tensor>,
        beta: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<Tensor> {
        const OP: &str = "layer_norm";
        expect_float(OP, self.dtype())?;
        let axes = resolve(OP, self.shape(), axes)?;
        let own: Shape = axes.iter().map(|&axis| self.shape()[axis]).collect();
        let (gamma, beta) = (vector(gamma, &own, 1.0, self, OP)?, vector(beta, &own, 0.0, self, OP)?);
        let order = order(self.rank(), &axes);
        let x = moved(self, &order, false)?;
        let outer = &x.shape()[..x.rank() - axes.len()];
        let rows: Shape = outer.iter().copied().chain([own.num_elements()?]).collect();
        let shape = x.shape().clone();
        let x = if axes.len() == 1 { x } else { x.reshape(rows)? };
        let y = first(apply_many(LayerNorm { epsilon }, &[&x, &gamma, &beta])?);
        moved(&if axes.len() == 1 { y } else { y.reshape(shape)? }, &order, true)
    }

    /// `(x - mean) gamma / √(variance + epsilon) + beta`, with mean and variance over all axes but `axis` (negative:
    /// from the end), and these means and variances: batch normalization in training (S. Ioffe, C. Szegedy, "Batch
    /// Normalization", 2015). `gamma` (ones by default) and `beta` (zeros) are vectors along `axis`. The variance is
    /// divided by the number of elements, not by one less.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis or `gamma` or `beta` do not fit; `ErrorKind::DType`, if the types
    /// differ or are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 1], vec![1.0f64, 5.0])?;
    /// let [y, mean, variance] = x.batch_norm(-1, None, None, 0.0)?;
    /// assert_eq!((y.to_vec::<f64>()?, mean.item()?, variance.item()?), (vec![-1.0, 1.0], 3.0, 4.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn batch_norm(
        &self,
        axis: isize,
        gamma: Option<&Tensor>,
        beta: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<[Tensor; 3]> {
        const OP: &str = "batch_norm";
        expect_float(OP, self.dtype())?;
        let axis = self.shape().axis(axis).map_err(|error| error.context(OP))?;
        let own = Shape::from([self.shape()[axis]]);
        let (gamma, beta) = (vector(gamma, &own, 1.0, self, OP)?, vector(beta, &own, 0.0, self, OP)?);
        let order = order(self.rank(), &[axis]);
        let results = apply_many(BatchNorm { epsilon }, &[&moved(self, &order, false)?, &gamma, &beta])?;
        let [y, mean, variance] = results.into_iter().collect::<Vec<_>>().try_into().expect("three results");
        Ok([moved(&y, &order, true)?, mean, variance])
    }

    /// `(x - mean) scale / √(variance + epsilon) + offset`, with given statistics (`tf.nn.batch_normalization`); all
    /// broadcast together.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ or are not
    /// floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1.0f64, 5.0])?;
    /// let (mean, variance) = (Tensor::scalar(3.0f64), Tensor::scalar(4.0f64));
    /// assert_eq!(x.batch_normalization(&mean, &variance, None, None, 0.0)?.to_vec::<f64>()?, [-1.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn batch_normalization(
        &self,
        mean: &Tensor,
        variance: &Tensor,
        offset: Option<&Tensor>,
        scale: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<Tensor> {
        use super::binary::{Add, Multiply, Subtract, binary};
        expect_float("batch_normalization", variance.dtype())?;
        let mut factor = (variance + epsilon).rsqrt()?;
        if let Some(scale) = scale {
            factor = binary(Multiply, &factor, scale)?;
        }
        let y = binary(Multiply, &binary(Subtract, self, mean)?, &factor)?;
        offset.map_or(Ok(y.clone()), |offset| binary(Add, &y, offset))
    }

    /// [`layer_norm`](Tensor::layer_norm) of groups of neighbours along `axis` (negative: from the end), each over its
    /// part of `axis` and all axes but it and the first, which is the batch (Y. Wu, K. He, "Group Normalization", 2018).
    /// `gamma` (ones by default) and `beta` (zeros) are vectors along `axis`.
    ///
    /// # Errors
    /// As [`batch_norm`](Tensor::batch_norm); `ErrorKind::Argument`, if the length of `axis` is no multiple of `groups`
    /// or `axis` is the first.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([1, 4], vec![1.0f64, 5.0, 0.0, 2.0])?;
    /// assert_eq!(x.group_norm(2, -1, None, None, 0.0)?.to_vec::<f64>()?, [-1.0, 1.0, -1.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn group_norm(
        &self,
        groups: usize,
        axis: isize,
        gamma: Option<&Tensor>,
        beta: Option<&Tensor>,
        epsilon: f64,
    ) -> Result<Tensor> {
        const OP: &str = "group_norm";
        let axis = self.shape().axis(axis).map_err(|error| error.context(OP))?;
        let n = self.shape()[axis];
        if axis == 0 || groups == 0 || !n.is_multiple_of(groups) {
            let expected = "an axis after the first, of a length that is a multiple of the number of groups";
            let got = format!("{groups} groups along axis {axis} of {}", self.shape());
            return Err(Error::new(ErrorKind::Argument, OP, expected, got));
        }
        let mut split: Shape = self.shape().clone();
        split = split.replaced(axis, n / groups).with(axis, groups);
        let axes: Vec<isize> = (1..split.rank() as isize).filter(|&i| i != axis as isize).collect();
        let y = self.reshape(split)?.layer_norm(&axes, None, None, epsilon)?.reshape(self.shape())?;
        let mut along: Shape = self.shape().iter().map(|_| 1).collect();
        along = along.replaced(axis, n);
        let own = Shape::from([n]);
        let gamma = gamma.map(|gamma| vector(Some(gamma), &own, 1.0, self, OP)?.reshape(along.clone()));
        let beta = beta.map(|beta| vector(Some(beta), &own, 0.0, self, OP)?.reshape(along.clone()));
        let y = gamma.transpose()?.map_or_else(|| y.clone(), |gamma| &y * gamma);
        Ok(beta.transpose()?.map_or_else(|| y.clone(), |beta| &y + beta))
    }
}

/// The first result.
fn first(results: SmallVec<[Tensor; 1]>) -> Tensor {
    results.into_iter().next().expect("an op has a result")
}
