//! Ops that pick and place elements by index.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::{AsTensor, Gradient, IndexedSlices, Tensor, apply, session};
use slalom_array::{Array, Result, Shape};
use smallvec::smallvec;

/// `params[indices]` along an axis.
#[derive(Debug, Clone, Copy)]
struct Gather {
    axis: usize,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::gather(inputs[0], inputs[1], self.axis)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (indices, shape, grad) = (cx.input(1), cx.input_shape(0), cx.grad()?);
        let flat = indices.reshape([indices.len()])?;
        // The gathered axis to the front: its rows are the slices.
        let (rows, axis) = (grad, self.axis);
        let rank = rows.rank();
        let picked = indices.rank();
        let order: Vec<usize> = (axis..axis + picked).chain(0..axis).chain(axis + picked..rank).collect();
        let rows = if axis == 0 { rows } else { rows.transpose(&order)? };
        let front: Shape = [shape[axis]].into_iter().chain(shape.without(axis).iter().copied()).collect();
        if axis == 0 && picked > 0 && session::recording() == 0 && rows.array.is_repeated(picked - 1) {
            let times = rows.shape()[picked - 1];
            let once =
                rows.slice(picked as isize - 1, 0, 1)?.reshape(front.replaced(0, flat.len() / times))?;
            return Ok(smallvec![Some(IndexedSlices::repeated(flat, once, times, front).into()), None]);
        }
        let values = rows.reshape(front.replaced(0, flat.len()))?;
        let slices = IndexedSlices::new(flat, values, front)?;
        if axis == 0 {
            return Ok(smallvec![Some(Gradient::Sparse(slices)), None]);
        }
        let back: Vec<usize> = (1..=axis).chain([0]).chain(axis + 1..shape.rank()).collect();
        Ok(smallvec![Some(slices.to_dense()?.transpose(&back)?.into()), None])
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        let tangent = cx.tangent(0).map(|tangent| apply(*self, [tangent, cx.input(1)]));
        Ok(smallvec![tangent.transpose()?])
    }
}

/// Zeros, with rows added in their order.
#[derive(Debug, Clone)]
struct ScatterRows {
    shape: Shape,
}

impl Op for ScatterRows {
    fn name(&self) -> &'static str {
        "scatter_rows"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let mut dense = Array::zeros(&self.shape, inputs[1].dtype())?;
        slalom_array::scatter_add(&mut dense, inputs[0], inputs[1])?;
        Ok(smallvec![dense])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let rows = apply(Gather { axis: 0 }, [&cx.grad()?, cx.input(0)])?;
        Ok(smallvec![None, Some(rows.into())])
    }
}

/// Zeros of `shape`, with `rows[i]` added to row `indices[i]`.
pub(crate) fn scatter_rows(indices: &Tensor, rows: &Tensor, shape: &Shape) -> Result<Tensor> {
    apply(ScatterRows { shape: shape.clone() }, [indices, rows])
}

/// Picking by index.
impl Tensor {
    /// The slices of this tensor along `axis` (negative: from the end) at `indices` (`i32` or `i64`, any shape): the
    /// axis is replaced by the axes of `indices`.
    ///
    /// Along axis 0 the gradient is sparse: [`IndexedSlices`] of the rows that were picked.
    ///
    /// # Errors
    /// `ErrorKind::Index`, if an index is not in `0..n`; `ErrorKind::DType`, if the indices are not integers;
    /// `ErrorKind::Shape`, if there is no such axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let table = Tensor::from_vec([3, 2], vec![0.0f32, 1.0, 10.0, 11.0, 20.0, 21.0])?;
    /// let rows = table.gather(&Tensor::from_vec([2], vec![2, 0])?, 0)?;
    /// assert_eq!(rows.to_vec::<f32>()?, [20.0, 21.0, 0.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn gather(&self, indices: impl AsTensor, axis: isize) -> Result<Tensor> {
        let axis = self.shape().axis(axis)?;
        apply(Gather { axis }, [self, &indices.as_tensor()])
    }
}
