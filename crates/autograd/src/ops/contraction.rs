//! Products over any axes, composed of matrix products.
use crate::ops::binary::{Multiply, Subtract, binary};
use crate::ops::concat::concat;
use crate::{AsTensor, Tensor};
use slalom_array::{Error, ErrorKind, Result, Shape};

/// `(x, y, z)` to `(y, z, x)` along the last axis.
fn rotated(x: &Tensor) -> Result<Tensor> {
    concat(&[x.slice(-1, 1, 2)?, x.slice(-1, 0, 1)?], -1)
}

/// Products over any axes.
impl Tensor {
    /// The product of a matrix and a vector: shapes `[..., m, n]` and `[..., n]` give `[..., m]`; leading axes
    /// broadcast (`tf.linalg.matvec`). With `transpose` the matrix is `[..., n, m]`.
    ///
    /// # Errors
    /// As [`matmul`](Tensor::matmul).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// let x = Tensor::from_vec([2], vec![1.0f32, -1.0])?;
    /// assert_eq!(a.matvec(&x, false)?.to_vec::<f32>()?, [-1.0, -1.0]);
    /// assert_eq!(a.matvec(&x, true)?.to_vec::<f32>()?, [-2.0, -2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn matvec(&self, vector: impl AsTensor, transpose: bool) -> Result<Tensor> {
        let column = vector.as_tensor().expand_dims(-1)?;
        let product = self.matmul_transposed(column, transpose, false);
        product.map_err(|error| error.context("matvec"))?.squeeze(-1)
    }

    /// All products of the elements of two vectors: shapes `[..., m]` and `[..., n]` give `[..., m, n]`; leading axes
    /// broadcast.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the leading axes do not broadcast; `ErrorKind::DType`, if the types differ.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let (a, b) = (Tensor::from_vec([2], vec![1, 2])?, Tensor::from_vec([2], vec![3, 4])?);
    /// assert_eq!(a.outer(&b)?.to_vec::<i32>()?, [3, 4, 6, 8]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn outer(&self, other: impl AsTensor) -> Result<Tensor> {
        let other = other.as_tensor();
        if self.rank() == 0 || other.rank() == 0 {
            let got = format!("{} and {}", self.shape(), other.shape());
            return Err(Error::new(ErrorKind::Shape, "outer", "at least one axis in each operand", got));
        }
        let product = binary(Multiply, &self.expand_dims(-1)?, &other.expand_dims(-2)?);
        product.map_err(|error| error.context("outer"))
    }

    /// The cross product of vectors of length 3 along the last axis; other axes broadcast (`tf.linalg.cross`).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the last axis of either is not of length 3, or the others do not broadcast;
    /// `ErrorKind::DType`, if the types differ.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 0.0, 0.0])?;
    /// let y = Tensor::from_vec([3], vec![0.0f32, 1.0, 0.0])?;
    /// assert_eq!(x.cross(&y)?.to_vec::<f32>()?, [0.0, 0.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cross(&self, other: impl AsTensor) -> Result<Tensor> {
        let other = other.as_tensor();
        if self.shape().last() != Some(&3) || other.shape().last() != Some(&3) {
            let got = format!("{} and {}", self.shape(), other.shape());
            return Err(Error::new(ErrorKind::Shape, "cross", "vectors [..., 3]", got));
        }
        let product = |a: &Tensor, b: &Tensor| binary(Multiply, a, b).map_err(|error| error.context("cross"));
        let (forth, back) = (product(self, &rotated(&other)?)?, product(&rotated(self)?, &other)?);
        rotated(&binary(Subtract, &forth, &back)?)
    }

    /// The sum of products over the last `axes` axes of this tensor and the first ones of `other`
    /// (`tf.tensordot` with a number). With 0 it is the outer product, with 1 the matrix product.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there are not so many axes or their lengths differ; `ErrorKind::DType`, if the types
    /// differ or are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(a.tensordot(&a, 2)?.item()?, 30.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn tensordot(&self, other: impl AsTensor, axes: usize) -> Result<Tensor> {
        let other = other.as_tensor();
        if axes > self.rank().min(other.rank()) {
            let expected = format!("at least {axes} axes in each operand");
            let got = format!("{} and {}", self.shape(), other.shape());
            return Err(Error::new(ErrorKind::Shape, "tensordot", expected, got));
        }
        let last: Vec<isize> = (0..axes).map(|i| (self.rank() - axes + i) as isize).collect();
        let first: Vec<isize> = (0..axes).map(|i| i as isize).collect();
        self.tensordot_axes(&*other, &last, &first)
    }

    /// The sum of products over pairs of axes, `axes[i]` of this tensor with `other_axes[i]` of `other`, negative ones
    /// counted from the end (`tf.tensordot` with two lists). The result has the other axes of this tensor, then those
    /// of `other`, each in their order.
    ///
    /// # Errors
    /// As [`tensordot`](Tensor::tensordot); `ErrorKind::Shape` also if an axis is named twice.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?;
    /// assert_eq!(a.tensordot_axes(&a, &[0], &[0])?.shape()[..], [3, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn tensordot_axes(
        &self,
        other: impl AsTensor,
        axes: &[isize],
        other_axes: &[isize],
    ) -> Result<Tensor> {
        let other = other.as_tensor();
        let (a, b) = (self.shape(), other.shape());
        let axes = super::reduce::resolve("tensordot", a, axes)?;
        let other_axes = super::reduce::resolve("tensordot", b, other_axes)?;
        let paired =
            axes.len() == other_axes.len() && axes.iter().zip(&other_axes).all(|(&i, &j)| a[i] == b[j]);
        if !paired {
            let got = format!("axes {axes:?} of {a} and {other_axes:?} of {b}");
            return Err(Error::new(ErrorKind::Shape, "tensordot", "pairs of axes of equal lengths", got));
        }
        let free = |rank: usize, axes: &[usize]| (0..rank).filter(|i| !axes.contains(i)).collect::<Vec<_>>();
        let (left, right) = (free(a.rank(), &axes), free(b.rank(), &other_axes));
        let count = |shape: &Shape, axes: &[usize]| axes.iter().map(|&i| shape[i]).product::<usize>();
        let (m, k, n) = (count(a, &left), count(a, &axes), count(b, &right));
        let rows = self.transpose(&[&left, &axes[..]].concat())?.reshape([m, k])?;
        let columns = other.transpose(&[&other_axes[..], &right].concat())?.reshape([k, n])?;
        let shape: Shape = left.iter().map(|&i| a[i]).chain(right.iter().map(|&j| b[j])).collect();
        let product = rows.matmul(columns).map_err(|error| error.context("tensordot"))?;
        product.reshape(shape)
    }
}
