//! Ops that make one tensor of several, or of one several times.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::slice::part;
use crate::{AsTensor, Tensor, apply_many};
use slalom_array::{Array, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// Put one after the other along an axis.
#[derive(Debug, Clone, Copy)]
struct Concat {
    axis: usize,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::concat(inputs, self.axis)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let grad = cx.grad()?;
        let mut start = 0;
        let mut gradients = Gradients::new();
        for i in 0..cx.inputs() {
            let length = cx.input_shape(i)[self.axis];
            gradients.push(match cx.needs(i) {
                true => Some(part(&grad, self.axis, start, length)?.into()),
                false => None,
            });
            start += length;
        }
        Ok(gradients)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        let tangents = (0..cx.inputs()).map(|i| cx.tangent_or_zeros(i)).collect::<Result<Vec<_>>>()?;
        Ok(smallvec![Some(concat(&tangents, self.axis as isize)?)])
    }
}

fn first<'a, T: AsTensor>(op: &'static str, tensors: &'a [T]) -> Result<std::borrow::Cow<'a, Tensor>> {
    let none = || Error::new(ErrorKind::Shape, op, "at least one tensor", "none");
    tensors.first().map(AsTensor::as_tensor).ok_or_else(none)
}

/// Tensors put one after the other along `axis` (negative: from the end), where they may differ in length.
///
/// # Errors
/// [`ErrorKind::Shape`], if the list is empty or other axes differ; [`ErrorKind::DType`], if the types do.
///
/// ```
/// use slalom_autograd::{Tensor, concat};
/// let a = Tensor::from_vec([1, 2], vec![1.0f32, 2.0])?;
/// assert_eq!(concat(&[&a, &a], 0)?.to_vec::<f32>()?, [1.0, 2.0, 1.0, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn concat<T: AsTensor>(tensors: &[T], axis: isize) -> Result<Tensor> {
    let axis = first("concat", tensors)?.shape().axis(axis)?;
    let tensors: SmallVec<[_; 4]> = tensors.iter().map(|t| t.as_tensor()).collect();
    let tensors: SmallVec<[&Tensor; 4]> = tensors.iter().map(|t| &**t).collect();
    let mut results = apply_many(Concat { axis }, &tensors)?;
    Ok(results.remove(0))
}

/// Tensors of one shape put beside each other along a new axis (negative: from the end of the new shape).
///
/// # Errors
/// As [`concat()`].
///
/// ```
/// use slalom_autograd::{Tensor, stack};
/// let a = Tensor::from_vec([2], vec![1, 2])?;
/// let b = Tensor::from_vec([2], vec![3, 4])?;
/// assert_eq!(stack(&[&a, &b], 1)?.to_vec::<i32>()?, [1, 3, 2, 4]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn stack<T: AsTensor>(tensors: &[T], axis: isize) -> Result<Tensor> {
    let rank = first("stack", tensors)?.rank() as isize;
    let tensors = tensors.iter().map(|t| t.as_tensor().expand_dims(axis)).collect::<Result<Vec<_>>>();
    let tensors = tensors.map_err(|error| error.context("stack"))?;
    concat(&tensors, if axis < 0 { axis + rank + 1 } else { axis })
}

/// The length of an axis of length `n` that becomes so many times as long.
pub(crate) fn times_as_long(op: &'static str, n: usize, times: usize) -> Result<usize> {
    let too_long =
        || Error::new(ErrorKind::Shape, op, "an axis that `usize` can count", format!("{n} times {times}"));
    n.checked_mul(times).ok_or_else(too_long)
}

/// Repetition.
impl Tensor {
    /// The tensor repeated `multiples[i]` times along axis `i`, whole after whole (`tf.tile`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not one number for each axis, or if an axis becomes too long.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1, 2])?;
    /// assert_eq!(x.tile(&[2])?.to_vec::<i32>()?, [1, 2, 1, 2]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn tile(&self, multiples: &[usize]) -> Result<Tensor> {
        if multiples.len() != self.rank() {
            let expected = format!("one number for each of the {} axes", self.rank());
            return Err(Error::new(ErrorKind::Shape, "tile", expected, format!("{multiples:?}")));
        }
        let axes = || self.shape().iter().zip(multiples);
        let single: Shape = axes().flat_map(|(&n, _)| [1, n]).collect();
        let repeated: Shape = axes().flat_map(|(&n, &times)| [times, n]).collect();
        let merged: Shape =
            axes().map(|(&n, &times)| times_as_long("tile", n, times)).collect::<Result<_>>()?;
        self.reshape(single)?.broadcast_to(repeated)?.reshape(merged)
    }
}
