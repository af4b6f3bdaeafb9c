//! Reductions over axes.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::arithmetic::or_panic;
use crate::{Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Reduction, Result, Shape, reduce};
use smallvec::{SmallVec, smallvec};

type Axes = SmallVec<[usize; 6]>;

/// The sum over axes, which keep length 1 or go.
#[derive(Debug, Clone)]
struct Sum {
    axes: Axes,
    keep_dims: bool,
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![reduce(Reduction::Sum, inputs[0], &self.axes, self.keep_dims)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(spread(cx.grad()?, cx.input_shape(0), &self.axes)?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// The mean over axes.
#[derive(Debug, Clone)]
struct Mean {
    axes: Axes,
    keep_dims: bool,
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![reduce(Reduction::Mean, inputs[0], &self.axes, self.keep_dims)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let shape = cx.input_shape(0);
        let count: usize = self.axes.iter().map(|&axis| shape[axis]).product();
        one(spread(cx.grad()? / count as f64, shape, &self.axes)?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// The sum over the axes along which `shape` was broadcast.
#[derive(Debug, Clone)]
struct SumTo {
    shape: Shape,
}

impl Op for SumTo {
    fn name(&self) -> &'static str {
        "sum_to"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::sum_to(inputs[0], &self.shape)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(cx.grad()?.broadcast_to(cx.input_shape(0))?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// The inverse of broadcasting: `x` summed over the axes along which `shape` broadcasts to that of `x`.
#[inline]
pub(crate) fn sum_to(x: Tensor, shape: &Shape) -> Result<Tensor> {
    if x.shape() == shape { Ok(x) } else { apply(SumTo { shape: shape.clone() }, [&x]) }
}

/// The gradient of a reduction, repeated along the reduced axes of `shape`.
pub(crate) fn spread(grad: Tensor, shape: &Shape, axes: &[usize]) -> Result<Tensor> {
    let kept: Shape = shape.iter().enumerate().map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect();
    let grad = if *grad.shape() == kept { grad } else { grad.reshape(kept)? };
    if grad.shape() == shape { Ok(grad) } else { grad.broadcast_to(shape) }
}

/// The axes that a list of possibly negative ones means.
pub(crate) fn resolve(op: &'static str, shape: &Shape, axes: &[isize]) -> Result<Axes> {
    let mut resolved = Axes::new();
    for &axis in axes {
        let axis = shape.axis(axis).map_err(|error| error.context(op))?;
        if resolved.contains(&axis) {
            return Err(Error::new(ErrorKind::Shape, op, "each axis once", format!("{axes:?}")));
        }
        resolved.push(axis);
    }
    Ok(resolved)
}

/// The elements to reduce as the last axis of a tensor, and the shape of the result.
pub(crate) fn as_rows(
    op: &'static str,
    x: &Tensor,
    axes: &[isize],
    keep_dims: bool,
) -> Result<(Tensor, Shape)> {
    let axes = resolve(op, x.shape(), axes)?;
    let kept: Axes = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let order: Axes = kept.iter().chain(&axes).copied().collect();
    let count: usize = axes.iter().map(|&axis| x.shape()[axis]).product();
    let rows: Shape = kept.iter().map(|&axis| x.shape()[axis]).chain([count]).collect();
    let shape = match keep_dims {
        true => x.shape().iter().enumerate().map(|(i, &n)| if axes.contains(&i) { 1 } else { n }).collect(),
        false => rows.without(kept.len()),
    };
    let in_order = order.iter().enumerate().all(|(i, &axis)| i == axis);
    let x = if in_order { x.reshape(rows)? } else { x.transpose(&order)?.reshape(rows)? };
    Ok((x, shape))
}

pub(crate) fn expect_float(op: &'static str, dtype: DType) -> Result<()> {
    if dtype.is_float() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::DType, op, "a floating-point dtype", dtype))
}

/// Reductions. Axes may be negative, to count from the end; no axes is no reduction.
impl Tensor {
    /// The sum of all elements, a scalar.
    ///
    /// # Panics
    /// If the elements are booleans, which [`count_nonzero`](Tensor::count_nonzero) counts.
    #[must_use]
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        let all = Sum { axes: (0..self.rank()).collect(), keep_dims: false };
        or_panic(apply(all, [self]))
    }

    /// The sums over some axes, which keep length 1 if `keep_dims`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(x.sum_axes(&[0], false)?.to_vec::<f32>()?, [4.0, 6.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn sum_axes(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        apply(Sum { axes: resolve("sum", self.shape(), axes)?, keep_dims }, [self])
    }

    /// How many elements are not zero, or true, over some axes, which keep length 1 if `keep_dims`; of type `i64`, without
    /// gradient (`tf.math.count_nonzero`).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, 0.0, -3.0, 0.5])?;
    /// assert_eq!(x.count_nonzero(&[0], false)?.to_vec::<i64>()?, [2, 1]);
    /// assert_eq!(x.greater(Tensor::scalar(0.0f32))?.count_nonzero(&[0, 1], false)?.item()?, 2.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn count_nonzero(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        const OP: &str = "count_nonzero";
        let counted = match self.dtype() {
            DType::Bool => self.cast(DType::I64)?,
            _ => self.not_equal(self.like(OP, 0.0)?)?.cast(DType::I64)?,
        };
        counted.sum_axes(axes, keep_dims).map_err(|error| error.context(OP))
    }

    /// The mean of all elements, a scalar; NaN if there are none.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers.
    pub fn mean(&self) -> Result<Tensor> {
        expect_float("mean", self.dtype())?;
        apply(Mean { axes: (0..self.rank()).collect(), keep_dims: false }, [self])
    }

    /// The means over some axes, which keep length 1 if `keep_dims`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    pub fn mean_axes(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        expect_float("mean", self.dtype())?;
        apply(Mean { axes: resolve("mean", self.shape(), axes)?, keep_dims }, [self])
    }
}
