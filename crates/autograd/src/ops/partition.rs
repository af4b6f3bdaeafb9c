//! Rows by number: apart, and put together.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::concat::concat;
use crate::ops::gather::integers;
use crate::{AsTensor, Tensor, apply, apply_many};
use slalom_array::{Array, Error, ErrorKind, Result, Scatter, Shape};
use smallvec::smallvec;

/// `data` as rows, and the number of each: the axes that both share are merged.
fn numbered_rows(op: &'static str, data: &Tensor, numbers: &Tensor) -> Result<(Tensor, Tensor)> {
    let rank = numbers.rank();
    if data.rank() < rank || data.shape()[..rank] != numbers.shape()[..] {
        let expected = format!("data of shape {} + [..]", numbers.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, data.shape()));
    }
    let merged: Shape = [numbers.len()].into_iter().chain(data.shape()[rank..].iter().copied()).collect();
    Ok((data.reshape(merged)?, numbers.reshape([numbers.len()])?))
}

/// The rows of each number below `count`.
#[derive(Debug, Clone, Copy)]
struct DynamicPartition {
    count: usize,
}

impl DynamicPartition {
    /// The places of the rows of each number.
    fn places(&self, numbers: &Array) -> Result<Vec<Array>> {
        let mut places = Vec::new();
        let full = |_| Error::new(ErrorKind::Memory, self.name(), "memory for all partitions", self.count);
        places.try_reserve_exact(self.count).map_err(full)?;
        places.resize(self.count, Vec::new());
        for (place, number) in integers(self.name(), numbers)?.into_iter().enumerate() {
            let part = usize::try_from(number).ok().and_then(|number| places.get_mut(number));
            let wrong = || {
                let expected = format!("numbers of partitions in 0..{}", self.count);
                Error::new(ErrorKind::Index, self.name(), expected, number)
            };
            part.ok_or_else(wrong)?.push(place as i64);
        }
        places.into_iter().map(|places| Array::from_vec([places.len()], places)).collect()
    }
}

impl Op for DynamicPartition {
    fn name(&self) -> &'static str {
        "dynamic_partition"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let places = self.places(inputs[1])?;
        places.iter().map(|places| slalom_array::gather(inputs[0], places, 0)).collect()
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let given = (0..self.count).filter(|&i| cx.has_grad(i)).collect::<Vec<_>>();
        let grads = given.iter().map(|&i| cx.grad_of(i)).collect::<Result<Vec<_>>>()?;
        let (rows, numbers) = (cx.input_shape(0)[0], cx.input(1));
        let inputs: Vec<&Tensor> = [numbers].into_iter().chain(&grads).collect();
        let gradient = apply_many(RowsOfPartitions { partition: *self, rows, given }, &inputs)?.remove(0);
        Ok(smallvec![Some(gradient.into()), None])
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        let Some(tangent) = cx.tangent(0) else { return Ok(smallvec![None; self.count]) };
        Ok(apply_many(*self, &[tangent, cx.input(1)])?.into_iter().map(Some).collect())
    }
}

/// The inverse of [`DynamicPartition`]: rows of some numbers in their places, zeros in those of the others.
#[derive(Debug, Clone)]
struct RowsOfPartitions {
    partition: DynamicPartition,
    rows: usize,
    given: Vec<usize>,
}

impl Op for RowsOfPartitions {
    fn name(&self) -> &'static str {
        "rows_of_partitions"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let places = self.partition.places(inputs[0])?;
        let mut target = Array::zeros(inputs[1].shape().replaced(0, self.rows), inputs[1].dtype())?;
        for (&number, rows) in self.given.iter().zip(&inputs[1..]) {
            slalom_array::scatter(Scatter::Update, &mut target, &places[number], rows)?;
        }
        Ok(smallvec![target])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let parts = apply_many(self.partition, &[&cx.grad()?, cx.input(0)])?;
        let given = self.given.iter().map(|&number| Some(parts[number].clone().into()));
        Ok([None].into_iter().chain(given).collect())
    }
}

/// Rows at their indices, the last one of those at the same; zeros at the indices that are missing.
#[derive(Debug, Clone, Copy)]
struct DynamicStitch;

impl Op for DynamicStitch {
    fn name(&self) -> &'static str {
        "dynamic_stitch"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let indices = integers("dynamic_stitch", inputs[0])?;
        if let Some(bad) = indices.iter().find(|&&index| index < 0) {
            return Err(Error::new(ErrorKind::Index, "dynamic_stitch", "indices of at least 0", bad));
        }
        let length = indices.iter().max().map_or(0, |&last| last as usize + 1);
        let mut target = Array::zeros(inputs[1].shape().replaced(0, length), inputs[1].dtype())?;
        slalom_array::scatter(Scatter::Update, &mut target, inputs[0], inputs[1])?;
        Ok(smallvec![target])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Ok(smallvec![None, Some(cx.grad()?.gather(cx.input(0), 0)?.into())])
    }
}

/// The slices of several tensors, put together by index (`tf.dynamic_stitch`): `out[indices[m][i, ..]] = data[m][i, ..]`.
///
/// The indices (`i32` or `i64`) of each tensor have the shape of its first axes. The result is as long as the largest
/// index asks for; where an index is missing it is 0; where one appears more than once the last slice counts, but as in
/// TensorFlow each of them gets the gradient.
///
/// # Errors
/// [`ErrorKind::Argument`], if there are no tensors, or not indices for each; [`ErrorKind::Index`], if an index is
/// negative; [`ErrorKind::Shape`] or [`ErrorKind::DType`], if the tensors do not fit each other.
///
/// ```
/// use slalom_autograd::{Tensor, dynamic_stitch};
/// let indices = [Tensor::from_vec([2], vec![0, 2])?, Tensor::from_vec([1], vec![1])?];
/// let data = [Tensor::from_vec([2], vec![1.0f32, 3.0])?, Tensor::from_vec([1], vec![2.0f32])?];
/// assert_eq!(dynamic_stitch(&indices, &data)?.to_vec::<f32>()?, [1.0, 2.0, 3.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn dynamic_stitch<I: AsTensor, D: AsTensor>(indices: &[I], data: &[D]) -> Result<Tensor> {
    let op = "dynamic_stitch";
    if indices.len() != data.len() || data.is_empty() {
        let got = format!("{} and {}", indices.len(), data.len());
        return Err(Error::new(ErrorKind::Argument, op, "one or more tensors, and indices for each", got));
    }
    let (mut places, mut rows) = (Vec::new(), Vec::new());
    for (indices, data) in indices.iter().zip(data) {
        let (data, indices) = numbered_rows(op, &data.as_tensor(), &indices.as_tensor())?;
        places.push(indices);
        rows.push(data);
    }
    let in_place = |error: Error| error.context(op);
    let places = concat(&places, 0).map_err(in_place)?;
    apply(DynamicStitch, [&places, &concat(&rows, 0).map_err(in_place)?])
}

impl Tensor {
    /// The slices of this tensor, put apart by number (`tf.dynamic_partition`): result `i` has the slices `self[j, ..]`
    /// for which `partitions[j]` is `i`, in their order.
    ///
    /// The numbers (`i32` or `i64`) have the shape of the first axes of this tensor, which are one axis of each result.
    /// [`dynamic_stitch`] is the inverse, with the partitions of the places of all slices as indices.
    ///
    /// # Errors
    /// `ErrorKind::Argument`, if `num_partitions` is 0; `ErrorKind::Index`, if a number is negative or not below it;
    /// `ErrorKind::Shape`, if the numbers have not the shape of the first axes; `ErrorKind::DType`, if they are not
    /// integers; `ErrorKind::Memory`.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([4], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// let parts = x.dynamic_partition(Tensor::from_vec([4], vec![1, 0, 0, 1])?, 2)?;
    /// assert_eq!(parts[0].to_vec::<f32>()?, [2.0, 3.0]);
    /// assert_eq!(parts[1].to_vec::<f32>()?, [1.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn dynamic_partition(&self, partitions: impl AsTensor, num_partitions: usize) -> Result<Vec<Tensor>> {
        let op = DynamicPartition { count: num_partitions };
        if num_partitions == 0 {
            return Err(Error::new(ErrorKind::Argument, op.name(), "at least one partition", 0));
        }
        let (rows, numbers) = numbered_rows(op.name(), self, &partitions.as_tensor())?;
        Ok(apply_many(op, &[&rows, &numbers])?.into_vec())
    }
}
