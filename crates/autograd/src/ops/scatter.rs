//! Placing elements at tuples of indices.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::extreme::indicator;
use crate::ops::gather::{reshaped, rows_of};
use crate::ops::index::scatter_rows;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, Error, ErrorKind, Result, Scatter, Shape};
use smallvec::smallvec;

/// A tensor with some of its rows combined with others, or replaced by them.
#[derive(Debug, Clone, Copy)]
struct ScatterInto {
    how: Scatter,
}

impl Op for ScatterInto {
    fn name(&self) -> &'static str {
        match self.how {
            Scatter::Add => "tensor_scatter_nd_add",
            Scatter::Sub => "tensor_scatter_nd_sub",
            Scatter::Min => "tensor_scatter_nd_min",
            Scatter::Max => "tensor_scatter_nd_max",
            _ => "tensor_scatter_nd_update",
        }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let mut target = inputs[0].copy()?;
        slalom_array::scatter(self.how, &mut target, inputs[1], inputs[2])?;
        Ok(smallvec![target])
    }
    fn saves(&self) -> Saves {
        if matches!(self.how, Scatter::Min | Scatter::Max) { Saves::Both } else { Saves::Inputs }
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (indices, g) = (cx.input(1), cx.grad()?);
        let [by_target, by_rows] = match self.how {
            Scatter::Add | Scatter::Mul => [g.clone(), g.gather(indices, 0)?],
            Scatter::Sub => [g.clone(), -g.gather(indices, 0)?],
            Scatter::Update => {
                let zeros = Tensor::zeros(cx.input_shape(2), g.dtype())?;
                [apply(*self, [&g, indices, &zeros])?, g.gather(indices, 0)?]
            }
            Scatter::Min | Scatter::Max => {
                // All that are equal to the result share its gradient.
                let (rows, result) = (cx.input(2), cx.output());
                let kept = indicator(cx.input(0), result)?;
                let placed = indicator(rows, &result.gather(indices, 0)?)?;
                let ties = &kept + scatter_rows(indices, &placed, result.shape())?;
                let share = g / ties;
                [&share * kept, share.gather(indices, 0)? * placed]
            }
        };
        Ok(smallvec![Some(by_target.into()), None, Some(by_rows.into())])
    }
}

/// A tensor of zeros of the given shape, with `updates` added at tuples of indices (`tf.scatter_nd`): the inverse of
/// [`gather_nd`](Tensor::gather_nd).
///
/// `indices` (`i32` or `i64`) of shape `[.., depth]` holds tuples that go through `depth` axes; `updates` has the shape
/// `[..]` followed by that of what is left. Updates at the same place add up, in their order.
///
/// # Errors
/// [`ErrorKind::Index`], if an index is out of range; [`ErrorKind::DType`], if the indices are not integers;
/// [`ErrorKind::Shape`], if the shapes do not fit.
///
/// ```
/// use slalom_autograd::{Tensor, scatter_nd};
/// let indices = Tensor::from_vec([3, 1], vec![2, 0, 2])?;
/// let updates = Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
/// assert_eq!(scatter_nd(&indices, &updates, [4])?.to_vec::<f32>()?, [2.0, 0.0, 4.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn scatter_nd(indices: impl AsTensor, updates: impl AsTensor, shape: impl Into<Shape>) -> Result<Tensor> {
    let (shape, updates) = (shape.into(), updates.as_tensor());
    let (flat, rows) = rows_of("scatter_nd", &indices.as_tensor(), &shape, 0)?;
    expect_updates("scatter_nd", &flat, &updates, &rows)?;
    reshaped(&scatter_rows(&flat, &updates, &rows)?, &shape)
}

fn expect_updates(op: &'static str, flat: &Tensor, updates: &Tensor, rows: &Shape) -> Result<()> {
    let expected: Shape = flat.shape().iter().chain(&rows[1..]).copied().collect();
    if *updates.shape() == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Shape, op, format!("updates of shape {expected}"), updates.shape()))
}

/// Placing at tuples of indices: `indices` (`i32` or `i64`) of shape `[.., depth]` holds tuples that go through `depth`
/// axes, and `updates` has the shape `[..]` followed by that of what is left. Updates at the same place are applied in
/// their order.
impl Tensor {
    fn scatter_into(&self, how: Scatter, indices: &Tensor, updates: &Tensor) -> Result<Tensor> {
        let op = ScatterInto { how };
        let (flat, rows) = rows_of(op.name(), indices, self.shape(), 0)?;
        expect_updates(op.name(), &flat, updates, &rows)?;
        if updates.dtype() != self.dtype() {
            let expected = format!("updates of type {}", self.dtype());
            return Err(Error::new(ErrorKind::DType, op.name(), expected, updates.dtype()));
        }
        reshaped(&apply(op, [&reshaped(self, &rows)?, &flat, updates])?, self.shape())
    }

    /// This tensor with `updates` added at `indices` (`tf.tensor_scatter_nd_add`).
    ///
    /// # Errors
    /// `ErrorKind::Index`, if an index is out of range; `ErrorKind::DType`, if the indices are not integers or the types
    /// differ; `ErrorKind::Shape`, if the shapes do not fit.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
    /// let places = Tensor::from_vec([2, 1], vec![1, 1])?;
    /// let updates = Tensor::from_vec([2], vec![10.0f32, 20.0])?;
    /// assert_eq!(x.tensor_scatter_nd_add(&places, &updates)?.to_vec::<f32>()?, [1.0, 32.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn tensor_scatter_nd_add(&self, indices: impl AsTensor, updates: impl AsTensor) -> Result<Tensor> {
        self.scatter_into(Scatter::Add, &indices.as_tensor(), &updates.as_tensor())
    }

    /// This tensor with `updates` subtracted at `indices` (`tf.tensor_scatter_nd_sub`).
    ///
    /// # Errors
    /// As [`tensor_scatter_nd_add`](Tensor::tensor_scatter_nd_add).
    pub fn tensor_scatter_nd_sub(&self, indices: impl AsTensor, updates: impl AsTensor) -> Result<Tensor> {
        self.scatter_into(Scatter::Sub, &indices.as_tensor(), &updates.as_tensor())
    }

    /// This tensor with `updates` in place of what is at `indices` (`tf.tensor_scatter_nd_update`). Where an index appears
    /// more than once the last update counts, but as in TensorFlow each of them gets the gradient.
    ///
    /// # Errors
    /// As [`tensor_scatter_nd_add`](Tensor::tensor_scatter_nd_add).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
    /// let places = Tensor::from_vec([1, 1], vec![1])?;
    /// assert_eq!(x.tensor_scatter_nd_update(&places, Tensor::from_vec([1], vec![9])?)?.to_vec::<i32>()?, [1, 9, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn tensor_scatter_nd_update(&self, indices: impl AsTensor, updates: impl AsTensor) -> Result<Tensor> {
        self.scatter_into(Scatter::Update, &indices.as_tensor(), &updates.as_tensor())
    }

    /// This tensor with the smaller of its elements and `updates` at `indices` (`tf.tensor_scatter_nd_min`); NaN if either
    /// is NaN. Elements that are equally small share the gradient equally.
    ///
    /// # Errors
    /// As [`tensor_scatter_nd_add`](Tensor::tensor_scatter_nd_add).
    pub fn tensor_scatter_nd_min(&self, indices: impl AsTensor, updates: impl AsTensor) -> Result<Tensor> {
        self.scatter_into(Scatter::Min, &indices.as_tensor(), &updates.as_tensor())
    }

    /// This tensor with the larger of its elements and `updates` at `indices` (`tf.tensor_scatter_nd_max`); otherwise as
    /// [`tensor_scatter_nd_min`](Tensor::tensor_scatter_nd_min).
    ///
    /// # Errors
    /// As [`tensor_scatter_nd_add`](Tensor::tensor_scatter_nd_add).
    pub fn tensor_scatter_nd_max(&self, indices: impl AsTensor, updates: impl AsTensor) -> Result<Tensor> {
        self.scatter_into(Scatter::Max, &indices.as_tensor(), &updates.as_tensor())
    }
}
