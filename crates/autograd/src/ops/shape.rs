//! Ops that move elements or rename them.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::arithmetic::or_panic;
use crate::ops::reduce::sum_to;
use crate::{Tensor, apply, session};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// `x`: what `watch` records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity;

impl Op for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs[0].clone()])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(cx.grad()?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(*self)
    }
}

/// `x`, as a constant.
#[derive(Debug, Clone, Copy)]
struct StopGradient;

impl Op for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Identity.forward(inputs)
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a stopped one"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

pub(crate) fn stop_gradient(x: &Tensor) -> Tensor {
    if session::recording() == 0 {
        return x.array.clone().into();
    }
    or_panic(apply(StopGradient, [x]))
}

/// The same elements in another shape.
#[derive(Debug, Clone)]
struct Reshape {
    shape: Shape,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs[0].reshape(&self.shape)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Reshape { shape: cx.input_shape(0).clone() }, [&cx.grad()?])?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// The axes in another order.
#[derive(Debug, Clone)]
struct Transpose {
    axes: SmallVec<[usize; 6]>,
}

impl Op for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs[0].transpose(&self.axes)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let mut back: SmallVec<[usize; 6]> = SmallVec::from_elem(0, self.axes.len());
        for (to, &from) in self.axes.iter().enumerate() {
            back[from] = to;
        }
        one(apply(Transpose { axes: back }, [&cx.grad()?])?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// Repeated along axes of length 1 and new outer axes.
#[derive(Debug, Clone)]
struct BroadcastTo {
    shape: Shape,
}

impl Op for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs[0].broadcast_to(&self.shape)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(sum_to(cx.grad()?, cx.input_shape(0))?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// Another element type.
#[derive(Debug, Clone, Copy)]
struct Cast {
    from: DType,
    dtype: DType,
}

impl Op for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs[0].cast(self.dtype)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Cast { from: self.dtype, dtype: self.from }, [&cx.grad()?])?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(*self)
    }
    fn is_differentiable(&self) -> bool {
        self.from.is_float()
    }
}

/// Shapes.
impl Tensor {
    /// The same elements, row-major, in another shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the number of elements differs.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        apply(Reshape { shape: shape.into() }, [self])
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this tensor.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if `axes` is not a permutation of the axes.
    pub fn transpose(&self, axes: &[usize]) -> Result<Tensor> {
        apply(Transpose { axes: axes.into() }, [self])
    }

    /// The last two axes exchanged: the transpose of a matrix, or of each matrix of a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are fewer than two axes.
    pub fn t(&self) -> Result<Tensor> {
        let rank = self.rank();
        if rank < 2 {
            return Err(Error::new(ErrorKind::Shape, "t", "at least two axes", self.shape()));
        }
        let mut axes: SmallVec<[usize; 6]> = (0..rank).collect();
        axes.swap(rank - 1, rank - 2);
        apply(Transpose { axes }, [self])
    }

    /// The tensor repeated along axes of length 1 and new outer axes.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the shape does not broadcast to `shape`.
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        apply(BroadcastTo { shape: shape.into() }, [self])
    }

    /// A new axis of length 1 at `axis` (negative: from the end of the new shape).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the axis is out of range.
    pub fn expand_dims(&self, axis: isize) -> Result<Tensor> {
        let rank = self.rank() as isize;
        let at = if axis < 0 { axis + rank + 1 } else { axis };
        if !(0..=rank).contains(&at) {
            let expected = format!("an axis in {}..={rank}", -rank - 1);
            return Err(Error::new(ErrorKind::Shape, "expand_dims", expected, axis));
        }
        self.reshape(self.shape().with(at as usize, 1))
    }

    /// Without the given axis (negative: from the end), which has length 1.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if its length is not 1 or there is no such axis.
    pub fn squeeze(&self, axis: isize) -> Result<Tensor> {
        let at = self.shape().axis(axis)?;
        if self.shape()[at] != 1 {
            let expected = format!("axis {at} of length 1");
            return Err(Error::new(ErrorKind::Shape, "squeeze", expected, self.shape()));
        }
        self.reshape(self.shape().without(at))
    }

    /// The elements converted to another type, as [`Array::cast`] does. Gradients pass between floating-point types
    /// only.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn cast(&self, dtype: DType) -> Result<Tensor> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        apply(Cast { from: self.dtype(), dtype }, [self])
    }
}
