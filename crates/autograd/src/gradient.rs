//! Gradients, dense and sparse.
use crate::{Tensor, ops};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use std::sync::OnceLock;

/// Rows of a tensor: `values[i]` belongs to row `indices[i]` of a tensor of shape `dense_shape`. Rows may appear more
/// than once and in any order; their values add up (`tf.IndexedSlices`).
#[derive(Debug, Clone)]
pub struct IndexedSlices(Box<Slices>);

/// Boxed, so that a [`Gradient`] is as small as a tensor.
#[derive(Debug, Clone)]
struct Slices {
    indices: Tensor,
    /// Each stands for `times` of the values.
    rows: Tensor,
    times: usize,
    /// All values, once they have been asked for, if `times` is not 1.
    values: OnceLock<Tensor>,
    dense_shape: Shape,
}

impl IndexedSlices {
    /// The rows `values` (shape `[n, ...]`) at `indices` (shape `[n]`, `i32` or `i64`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if they do not fit each other or `dense_shape`. The indices
    /// themselves are checked where they are used.
    ///
    /// ```
    /// use slalom_autograd::{IndexedSlices, Tensor};
    /// let indices = Tensor::from_vec([3], vec![2, 0, 2])?;
    /// let values = Tensor::from_vec([3, 1], vec![1.0f32, 2.0, 3.0])?;
    /// let slices = IndexedSlices::new(indices, values, [3, 1])?;
    /// assert_eq!(slices.to_dense()?.to_vec::<f32>()?, [2.0, 0.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn new(indices: Tensor, values: Tensor, dense_shape: impl Into<Shape>) -> Result<IndexedSlices> {
        let dense_shape = dense_shape.into();
        const OP: &str = "IndexedSlices";
        if !indices.dtype().is_integer() {
            return Err(Error::new(ErrorKind::DType, OP, "indices of i32 or i64", indices.dtype()));
        }
        let fits = indices.rank() == 1
            && values.rank() >= 1
            && dense_shape.rank() == values.rank()
            && values.shape()[0] == indices.shape()[0]
            && values.shape()[1..] == dense_shape[1..];
        if !fits {
            let expected = format!("indices [n] and values [n, ...] as in the dense shape {dense_shape}");
            let got = format!("indices {} and values {}", indices.shape(), values.shape());
            return Err(Error::new(ErrorKind::Shape, OP, expected, got));
        }
        Ok(IndexedSlices::repeated(indices, values, 1, dense_shape))
    }

    /// Values that are constant rows, each repeated so many times.
    pub(crate) fn repeated(indices: Tensor, rows: Tensor, times: usize, dense_shape: Shape) -> IndexedSlices {
        IndexedSlices(Box::new(Slices { indices, rows, times, values: OnceLock::new(), dense_shape }))
    }

    /// Which rows, shape `[n]`.
    pub fn indices(&self) -> &Tensor {
        &self.0.indices
    }

    /// Their values, shape `[n, ...]`.
    ///
    /// # Panics
    /// If the system has no memory for values that are repeated rows.
    pub fn values(&self) -> &Tensor {
        let Slices { rows, times, values, .. } = &*self.0;
        if *times == 1 {
            return rows;
        }
        values
            .get_or_init(|| repeat(&rows.array, *times).expect("memory for the values of a gradient").into())
    }

    /// The values without repetition: rows of shape `[n / times, ...]`, and `times`, where `values[i] = rows[i / times]`.
    ///
    /// The gradient of a mean or a sum over rows that were gathered repeats each row, which need not lie in memory so often.
    ///
    /// ```
    /// use slalom_autograd::{GradientTape, Tensor};
    /// let (table, tape) = (Tensor::zeros([9, 2], slalom_array::DType::F32)?, GradientTape::new());
    /// let table = tape.watch(&table);
    /// let mean = table.gather(&Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?, 0)?.mean_axes(&[1], false)?;
    /// let gradient = tape.gradient(&mean, &table)?.unwrap();
    /// let slices = gradient.as_sparse().unwrap();
    /// let (rows, times) = slices.repeated_rows();
    /// assert_eq!((&rows.shape()[..], times), (&[2, 2][..], 3));
    /// assert_eq!(slices.values().to_vec::<f32>()?, [1.0 / 3.0; 12]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn repeated_rows(&self) -> (&Tensor, usize) {
        (&self.0.rows, self.0.times)
    }

    /// The shape of the tensor that this is the gradient of.
    pub fn dense_shape(&self) -> &Shape {
        &self.0.dense_shape
    }

    /// The same rows with other values of the same shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the shape differs.
    pub fn with_values(&self, values: Tensor) -> Result<IndexedSlices> {
        IndexedSlices::new(self.0.indices.clone(), values, self.0.dense_shape.clone())
    }

    /// The whole tensor: zeros, with the rows added in their order.
    ///
    /// # Errors
    /// [`ErrorKind::Index`], if an index is out of range.
    pub fn to_dense(&self) -> Result<Tensor> {
        ops::index::scatter_rows(&self.0.indices, self.values(), &self.0.dense_shape)
    }
}

/// Each part along the first axis so many times in a row.
fn repeat(rows: &Array, times: usize) -> Result<Array> {
    let (n, inner) = (rows.shape()[0], &rows.shape()[1..]);
    let with = |front: &[usize]| front.iter().chain(inner).copied().collect::<Shape>();
    rows.reshape(with(&[n, 1]))?.broadcast_to(with(&[n, times]))?.copy()?.reshape(with(&[n * times]))
}

/// A gradient: a tensor, or rows of one.
#[derive(Debug, Clone)]
pub enum Gradient {
    /// Of the shape of what it is the gradient of.
    Dense(Tensor),
    /// Only some rows differ from zero (from `gather` and embeddings).
    Sparse(IndexedSlices),
}

impl Gradient {
    /// The shape of what this is the gradient of.
    pub fn shape(&self) -> &Shape {
        match self {
            Gradient::Dense(tensor) => tensor.shape(),
            Gradient::Sparse(slices) => slices.dense_shape(),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Gradient::Dense(tensor) => tensor.dtype(),
            Gradient::Sparse(slices) => slices.0.rows.dtype(),
        }
    }

    /// The gradient as a tensor of its whole shape.
    ///
    /// # Errors
    /// As [`IndexedSlices::to_dense`].
    pub fn to_dense(&self) -> Result<Tensor> {
        match self {
            Gradient::Dense(tensor) => Ok(tensor.clone()),
            Gradient::Sparse(slices) => slices.to_dense(),
        }
    }

    /// As [`to_dense`](Gradient::to_dense), of a gradient that is not needed any more.
    ///
    /// # Errors
    /// As [`IndexedSlices::to_dense`].
    pub fn into_dense(self) -> Result<Tensor> {
        match self {
            Gradient::Dense(tensor) => Ok(tensor),
            Gradient::Sparse(slices) => slices.to_dense(),
        }
    }

    /// The tensor of a dense gradient.
    pub fn as_dense(&self) -> Option<&Tensor> {
        match self {
            Gradient::Dense(tensor) => Some(tensor),
            Gradient::Sparse(_) => None,
        }
    }

    /// The rows of a sparse gradient.
    pub fn as_sparse(&self) -> Option<&IndexedSlices> {
        match self {
            Gradient::Dense(_) => None,
            Gradient::Sparse(slices) => Some(slices),
        }
    }

    /// The sum of two gradients of one thing: sparse ones are put one after the other, a dense one makes it dense.
    ///
    /// The first is changed in place where nothing else holds its memory and nothing records.
    ///
    /// # Errors
    /// If shapes or element types differ.
    pub fn accumulate(self, other: Gradient) -> Result<Gradient> {
        Ok(match (self, other) {
            (Gradient::Dense(a), Gradient::Dense(b)) => Gradient::Dense(ops::arithmetic::accumulate(a, &b)?),
            (Gradient::Sparse(a), Gradient::Sparse(b)) => {
                let [of_a, of_b] = [&a.0.indices, &b.0.indices];
                let dtype = if of_a.dtype() == of_b.dtype() { of_a.dtype() } else { DType::I64 };
                let indices = ops::concat::concat(&[of_a.cast(dtype)?, of_b.cast(dtype)?], 0)?;
                let values = ops::concat::concat(&[a.values(), b.values()], 0)?;
                Gradient::Sparse(IndexedSlices::new(indices, values, a.0.dense_shape)?)
            }
            (Gradient::Dense(a), Gradient::Sparse(b)) | (Gradient::Sparse(b), Gradient::Dense(a)) => {
                Gradient::Dense(ops::arithmetic::accumulate(a, &b.to_dense()?)?)
            }
        })
    }
}

impl From<Tensor> for Gradient {
    #[inline]
    fn from(tensor: Tensor) -> Gradient {
        Gradient::Dense(tensor)
    }
}

impl From<Tensor> for Option<Gradient> {
    #[inline]
    fn from(tensor: Tensor) -> Option<Gradient> {
        Some(Gradient::Dense(tensor))
    }
}

impl From<IndexedSlices> for Gradient {
    fn from(slices: IndexedSlices) -> Gradient {
        Gradient::Sparse(slices)
    }
}
