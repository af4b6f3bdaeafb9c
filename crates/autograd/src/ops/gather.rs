//! Picking elements by tuples of indices, by masks, and along an axis.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// The indices, of type `i32` or `i64`, row-major.
pub(crate) fn integers(op: &'static str, indices: &Array) -> Result<Vec<i64>> {
    if !indices.dtype().is_integer() {
        return Err(Error::new(ErrorKind::DType, op, "indices of type i32 or i64", indices.dtype()));
    }
    indices.cast(DType::I64)?.to_vec()
}

/// Defines what an op without gradient needs.
macro_rules! no_gradient {
    ($why:literal) => {
        fn saves(&self) -> Saves {
            Saves::Nothing
        }
        fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
            Err(cx.no_gradient($why))
        }
        fn is_differentiable(&self) -> bool {
            false
        }
    };
}
pub(crate) use no_gradient;

/// Tuples of indices (the last axis) as indices (`i64`) of rows: of the outermost axes of a tensor, merged.
#[derive(Debug, Clone)]
struct RowIndices {
    op: &'static str,
    /// The axes that a tuple goes through.
    lengths: SmallVec<[usize; 6]>,
    /// Leading axes that tensor and indices share.
    batch_dims: usize,
}

impl Op for RowIndices {
    fn name(&self) -> &'static str {
        "row_indices"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let tuples = integers(self.op, inputs[0])?;
        let (shape, depth) = (inputs[0].shape(), self.lengths.len());
        let shape = shape.without(shape.rank() - 1);
        let (count, batches) = (shape.num_elements()?, shape[..self.batch_dims].iter().product::<usize>());
        let rows: usize = self.lengths.iter().product();
        let mut flat = Vec::with_capacity(count);
        for i in 0..count {
            let mut row = 0;
            for (axis, (&index, &n)) in tuples[i * depth..].iter().zip(&self.lengths).enumerate() {
                if index < 0 || index as usize >= n {
                    let axis = self.batch_dims + axis;
                    let expected = format!("indices in 0..{n} for axis {axis}");
                    return Err(Error::new(ErrorKind::Index, self.op, expected, index));
                }
                row = row * n + index as usize;
            }
            flat.push((i / (count / batches) * rows + row) as i64);
        }
        Ok(smallvec![Array::from_vec(shape, flat)?])
    }
    no_gradient!("an index");
}

/// The rows of a tensor of shape `shape` that tuples of indices mean, and the shape in which they are rows.
pub(crate) fn rows_of(
    op: &'static str,
    indices: &Tensor,
    shape: &Shape,
    batch_dims: usize,
) -> Result<(Tensor, Shape)> {
    let depth = indices.shape().last().copied().unwrap_or(0);
    let end = batch_dims + depth;
    let fits = indices.rank() > batch_dims
        && end <= shape.rank()
        && indices.shape()[..batch_dims] == shape[..batch_dims];
    if !fits {
        let batch = &shape[..batch_dims.min(shape.rank())];
        let expected = format!("indices {batch:?} + [.., depth] into at most the axes of shape {shape}");
        return Err(Error::new(ErrorKind::Shape, op, expected, indices.shape()));
    }
    let flat = RowIndices { op, lengths: SmallVec::from_slice(&shape[batch_dims..end]), batch_dims };
    let merged = shape[..end].iter().product();
    let rows = [merged].into_iter().chain(shape[end..].iter().copied()).collect();
    Ok((apply(flat, [indices])?, rows))
}

/// `x` in another shape, itself if it has that already: then a gradient that is sparse stays so.
pub(crate) fn reshaped(x: &Tensor, shape: &Shape) -> Result<Tensor> {
    if x.shape() == shape { Ok(x.clone()) } else { x.reshape(shape) }
}

/// The places (`i64`, `[n, rank]`) of what is not zero.
#[derive(Debug, Clone, Copy)]
struct Nonzero;

impl Op for Nonzero {
    fn name(&self) -> &'static str {
        "nonzero"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let truth = inputs[0].cast(DType::Bool)?.to_vec::<bool>()?;
        let (shape, mut places, mut count) = (inputs[0].shape(), Vec::new(), 0);
        for (mut i, _) in truth.iter().enumerate().filter(|(_, truth)| **truth) {
            let first = places.len();
            for &n in shape.iter().rev() {
                places.push((i % n) as i64);
                i /= n;
            }
            places[first..].reverse();
            count += 1;
        }
        Ok(smallvec![Array::from_vec([count, shape.rank()], places)?])
    }
    no_gradient!("an index");
}

/// 1 at each index, else 0.
#[derive(Debug, Clone, Copy)]
struct OneHot {
    depth: usize,
    dtype: DType,
}

impl Op for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::one_hot(inputs[0], self.depth, 1.0, 0.0, self.dtype)?])
    }
    no_gradient!("an index");
}

/// `out[.., i, ..] = x[.., indices[.., i, ..], ..]`
#[derive(Debug, Clone, Copy)]
struct TakeAlong {
    axis: usize,
}

impl Op for TakeAlong {
    fn name(&self) -> &'static str {
        "take_along_axis"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::take_along_axis(inputs[0], inputs[1], self.axis)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let back = AddAlong { axis: self.axis, length: cx.input_shape(0)[self.axis] };
        Ok(smallvec![Some(apply(back, [&cx.grad()?, cx.input(1)])?.into()), None])
    }
}

/// Zeros, with `out[.., indices[.., i, ..], ..] += x[.., i, ..]`.
#[derive(Debug, Clone, Copy)]
struct AddAlong {
    axis: usize,
    length: usize,
}

impl Op for AddAlong {
    fn name(&self) -> &'static str {
        "add_along_axis"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::add_along_axis(inputs[0], inputs[1], self.axis, self.length)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let back = apply(TakeAlong { axis: self.axis }, [&cx.grad()?, cx.input(1)])?;
        Ok(smallvec![Some(back.into()), None])
    }
}

/// The first elements of each sequence reversed; its own inverse.
#[derive(Debug, Clone, Copy)]
struct ReverseSequence {
    batch_axis: usize,
    seq_axis: usize,
}

impl Op for ReverseSequence {
    fn name(&self) -> &'static str {
        "reverse_sequence"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (shape, op) = (inputs[0].shape(), "reverse_sequence");
        let (batch, n) = (shape[self.batch_axis], shape[self.seq_axis]);
        if *inputs[1].shape() != Shape::from([batch]) {
            return Err(Error::new(
                ErrorKind::Shape,
                op,
                format!("lengths of shape [{batch}]"),
                inputs[1].shape(),
            ));
        }
        let lengths = integers(op, inputs[1])?;
        if let Some(bad) = lengths.iter().find(|&&length| length < 0 || length as usize > n) {
            return Err(Error::new(ErrorKind::Index, op, format!("lengths in 0..={n}"), bad));
        }
        // Sequences as rows of rows: [batch, n, rest..].
        let mut order: SmallVec<[usize; 6]> = smallvec![self.batch_axis, self.seq_axis];
        order.extend((0..shape.rank()).filter(|axis| ![self.batch_axis, self.seq_axis].contains(axis)));
        let rows = inputs[0].transpose(&order)?;
        let place =
            |b: usize, i: usize| if i < lengths[b] as usize { lengths[b] as usize - 1 - i } else { i };
        let places: Vec<i64> = (0..batch * n).map(|at| (at / n * n + place(at / n, at % n)) as i64).collect();
        let merged: Shape = [batch * n].into_iter().chain(rows.shape()[2..].iter().copied()).collect();
        let turned = slalom_array::gather(&rows.reshape(merged)?, &Array::from_vec([batch * n], places)?, 0)?;
        let mut back: SmallVec<[usize; 6]> = SmallVec::from_elem(0, order.len());
        order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        Ok(smallvec![turned.reshape(rows.shape())?.transpose(&back)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let mut gradients = one(apply(*self, [&cx.grad()?, cx.input(1)])?)?;
        gradients.push(None);
        Ok(gradients)
    }
}

pub(crate) fn reverse_sequence(
    x: &Tensor,
    lengths: &Tensor,
    batch_axis: usize,
    seq_axis: usize,
) -> Result<Tensor> {
    apply(ReverseSequence { batch_axis, seq_axis }, [x, lengths])
}

/// Picking by several indices, by masks, along an axis.
impl Tensor {
    /// The slices at tuples of indices (`tf.gather_nd`): `indices` (`i32` or `i64`) of shape `[.., depth]` holds tuples
    /// that go through `depth` axes, and the result has the shape `[..]` followed by that of what is left.
    ///
    /// The first `batch_dims` axes of both belong together: a tuple picks from its own part of this tensor. With
    /// `depth` 1 and no batch, the gradient is sparse.
    ///
    /// # Errors
    /// `ErrorKind::Index`, if an index is out of range; `ErrorKind::DType`, if the indices are not integers;
    /// `ErrorKind::Shape`, if the indices are scalar or go through more axes than there are.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// let places = Tensor::from_vec([2, 2], vec![0, 1, 1, 1])?;
    /// assert_eq!(x.gather_nd(&places, 0)?.to_vec::<f32>()?, [2.0, 4.0]);
    /// let error = x.gather_nd(Tensor::from_vec([1], vec![2])?, 0).unwrap_err();
    /// assert_eq!(error.to_string(), "gather_nd: expected indices in 0..2 for axis 0, got 2");
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn gather_nd(&self, indices: impl AsTensor, batch_dims: usize) -> Result<Tensor> {
        let (flat, rows) = rows_of("gather_nd", &indices.as_tensor(), self.shape(), batch_dims)?;
        reshaped(self, &rows)?.gather(flat, 0)
    }

    /// [`gather`](Tensor::gather) from each part of a batch by its own indices (`tf.gather` with `batch_dims`): the first
    /// `batch_dims` axes of both tensors belong together, and `axis` is replaced by the other axes of `indices`.
    ///
    /// # Errors
    /// As [`gather`](Tensor::gather); also `ErrorKind::Shape`, if the leading axes differ, and `ErrorKind::Argument`, if
    /// `axis` is one of them.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?;
    /// let places = Tensor::from_vec([2, 1], vec![2, 0])?;
    /// assert_eq!(x.gather_batched(&places, 1, 1)?.to_vec::<i32>()?, [3, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn gather_batched(&self, indices: impl AsTensor, axis: isize, batch_dims: usize) -> Result<Tensor> {
        let indices = indices.as_tensor();
        let at = self.shape().axis(axis).map_err(|error| error.context("gather"))?;
        if at < batch_dims {
            let expected = format!("an axis after the {batch_dims} of the batch");
            return Err(Error::new(ErrorKind::Argument, "gather", expected, axis));
        }
        // The axis behind those of the batch, and its slices back in their place.
        let (rank, picked) = (self.rank(), indices.rank().saturating_sub(batch_dims));
        let front: Vec<usize> =
            (0..batch_dims).chain([at]).chain(batch_dims..at).chain(at + 1..rank).collect();
        let params = if at == batch_dims { self.clone() } else { self.transpose(&front)? };
        let tuples = indices.expand_dims(-1)?;
        let (flat, rows) = rows_of("gather", &tuples, params.shape(), batch_dims)?;
        let slices = reshaped(&params, &rows)?.gather(flat, 0)?;
        if at == batch_dims {
            return Ok(slices);
        }
        let (start, middle) = (batch_dims + picked, at - batch_dims);
        let back: Vec<usize> = (0..batch_dims)
            .chain(start..start + middle)
            .chain(batch_dims..start)
            .chain(start + middle..slices.rank())
            .collect();
        slices.transpose(&back)
    }

    /// The elements at indices (`i32` or `i64`) along `axis`, line by line: `indices` has the shape of this tensor but for
    /// the length of `axis`, and `out[.., i, ..] = self[.., indices[.., i, ..], ..]` (NumPy's `take_along_axis`).
    ///
    /// # Errors
    /// `ErrorKind::Index`, if an index is out of range; `ErrorKind::DType`, if the indices are not integers;
    /// `ErrorKind::Shape`, if there is no such axis or the other axes differ.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1, 2, 3, 4])?;
    /// let places = Tensor::from_vec([2, 1], vec![1, 0])?;
    /// assert_eq!(x.take_along_axis(&places, 1)?.to_vec::<i32>()?, [2, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn take_along_axis(&self, indices: impl AsTensor, axis: isize) -> Result<Tensor> {
        let axis = self.shape().axis(axis).map_err(|error| error.context("take_along_axis"))?;
        apply(TakeAlong { axis }, [self, &indices.as_tensor()])
    }

    /// The places where the elements are not zero (or `true`), in row-major order: indices (`i64`) of shape `[n, rank]`
    /// (`tf.where` of one argument).
    ///
    /// # Errors
    /// `ErrorKind::Memory`.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![false, true, true, false])?;
    /// assert_eq!(x.nonzero()?.to_vec::<i64>()?, [0, 1, 1, 0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn nonzero(&self) -> Result<Tensor> {
        apply(Nonzero, [self])
    }

    /// The slices where `mask`, a tensor of booleans, is true: the axes of this tensor from `axis` on that `mask` has are
    /// replaced by one (`tf.boolean_mask`).
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the mask is not of booleans; `ErrorKind::Shape`, if it is a scalar or its axes are not
    /// those of this tensor.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
    /// let mask = Tensor::from_vec([3], vec![true, false, true])?;
    /// assert_eq!(x.boolean_mask(&mask, 0)?.to_vec::<f32>()?, [1.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn boolean_mask(&self, mask: impl AsTensor, axis: isize) -> Result<Tensor> {
        let mask = mask.as_tensor();
        if mask.dtype() != DType::Bool {
            return Err(Error::new(ErrorKind::DType, "boolean_mask", "a mask of bool", mask.dtype()));
        }
        let at = self.shape().axis(axis).map_err(|error| error.context("boolean_mask"))?;
        let end = at + mask.rank();
        if mask.rank() == 0 || end > self.rank() || self.shape()[at..end] != mask.shape()[..] {
            let expected = format!("a mask of the axes of shape {} from axis {at} on", self.shape());
            return Err(Error::new(ErrorKind::Shape, "boolean_mask", expected, mask.shape()));
        }
        let (outer, inner) = (&self.shape()[..at], &self.shape()[end..]);
        let merged: Shape = outer.iter().chain(&[mask.len()]).chain(inner).copied().collect();
        let places = mask.reshape([mask.len()])?.nonzero()?.squeeze(-1)?;
        self.reshape(merged)?.gather(places, at as isize)
    }

    /// Of indices (`i32` or `i64`), vectors of length `depth` with 1 at the index and 0 elsewhere, as a new last axis; all
    /// 0 for an index out of range (`tf.one_hot`).
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not integers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// # use slalom_array::DType;
    /// let labels = Tensor::from_vec([2], vec![1, 0])?;
    /// assert_eq!(labels.one_hot(3, DType::F32)?.to_vec::<f32>()?, [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn one_hot(&self, depth: usize, dtype: DType) -> Result<Tensor> {
        apply(OneHot { depth, dtype }, [self])
    }
}
