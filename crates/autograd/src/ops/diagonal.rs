//! Diagonals and bands of matrices, composed of other ops.
//!
//! The elements of a diagonal are equally spaced in a row-major matrix, so they are a slice of its flat elements.
use crate::ops::slice::unslice;
use crate::{AsTensor, Tensor};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// Rows and columns of the last two axes.
pub(crate) fn matrix_of(op: &'static str, shape: &Shape) -> Result<(usize, usize)> {
    match &**shape {
        [.., rows, columns] => Ok((*rows, *columns)),
        _ => Err(Error::new(ErrorKind::Shape, op, "a matrix [..., m, n]", shape)),
    }
}

/// The leading axes with other last ones.
pub(crate) fn with_last(outer: &[usize], last: &[usize]) -> Shape {
    outer.iter().chain(last).copied().collect()
}

/// Where diagonal `k` of a matrix begins in its flat elements, and how many elements it has.
fn diagonal(op: &'static str, (rows, columns): (usize, usize), k: isize) -> Result<(usize, usize)> {
    let (down, across) = if k < 0 { (k.unsigned_abs(), 0) } else { (0, k as usize) };
    if k != 0 && (down >= rows || across >= columns) {
        let expected = format!("a diagonal of a {rows} x {columns} matrix");
        return Err(Error::new(ErrorKind::Argument, op, expected, k));
    }
    let length = rows.saturating_sub(down).min(columns.saturating_sub(across));
    Ok((if length == 0 { 0 } else { down * columns + across }, length))
}

/// Ones on the main diagonal of an array of zeros.
fn eye(rows: usize, columns: usize, dtype: DType) -> Result<Array> {
    let ones = Array::ones([rows.min(columns)], dtype)?;
    let step = columns as isize + 1;
    slalom_array::unslice(&ones, [rows * columns], &[0], &[step])?.reshape([rows, columns])
}

/// Diagonals and bands.
impl Tensor {
    /// The matrix `[rows, columns]` with ones on its main diagonal and zeros elsewhere (`tf.eye`).
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if it does not fit in memory.
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::Tensor;
    /// assert_eq!(Tensor::eye(2, 2, DType::F32)?.to_vec::<f32>()?, [1.0, 0.0, 0.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn eye(rows: usize, columns: usize, dtype: DType) -> Result<Tensor> {
        Ok(eye(rows, columns, dtype)?.into())
    }

    /// The square matrix (or batch of them) with the last axis of this tensor on diagonal `k`, and zeros elsewhere:
    /// `[..., n]` gives `[..., n + |k|, n + |k|]` (`tf.linalg.diag`). Diagonals above the main one have `k > 0`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if this is a scalar; [`ErrorKind::Memory`].
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([1], vec![3.0f32])?;
    /// assert_eq!(x.diag(1)?.to_vec::<f32>()?, [0.0, 3.0, 0.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn diag(&self, k: isize) -> Result<Tensor> {
        let Some((&length, outer)) = self.shape().split_last() else {
            return Err(Error::new(ErrorKind::Shape, "diag", "at least one axis", self.shape()));
        };
        let n = length.saturating_add(k.unsigned_abs());
        let shape = with_last(outer, &[n, n]);
        shape.num_elements()?;
        let (start, _) = diagonal("diag", (n, n), if length == 0 { 0 } else { k })?;
        unslice(self, outer.len(), n * n, start, n as isize + 1)?.reshape(shape)
    }

    /// Diagonal `k` of each matrix: `[..., m, n]` gives `[..., length]` (`tf.linalg.diag_part`). Diagonals above the
    /// main one have `k > 0`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are fewer than two axes; [`ErrorKind::Argument`], if there is no such diagonal.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?;
    /// assert_eq!(x.diag_part(0)?.to_vec::<i32>()?, [1, 5]);
    /// assert_eq!(x.diag_part(1)?.to_vec::<i32>()?, [2, 6]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn diag_part(&self, k: isize) -> Result<Tensor> {
        let (rows, columns) = matrix_of("diag_part", self.shape())?;
        let (start, length) = diagonal("diag_part", (rows, columns), k)?;
        let outer = &self.shape()[..self.rank() - 2];
        self.reshape(with_last(outer, &[rows * columns]))?.slice_by(-1, start, length, columns as isize + 1)
    }

    /// Each matrix `[..., m, n]` with its main diagonal replaced by `diagonal`, of shape `[..., min(m, n)]`
    /// (`tf.linalg.set_diag`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the shapes do not fit; [`ErrorKind::DType`], if the types differ.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1, 2, 3, 4])?;
    /// let zeros = Tensor::from_vec([2], vec![0, 0])?;
    /// assert_eq!(x.set_diag(&zeros)?.to_vec::<i32>()?, [0, 2, 3, 0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn set_diag(&self, diagonal: impl AsTensor) -> Result<Tensor> {
        let diagonal = diagonal.as_tensor();
        let (rows, columns) = matrix_of("set_diag", self.shape())?;
        let outer = &self.shape()[..self.rank() - 2];
        let expected = with_last(outer, &[rows.min(columns)]);
        if *diagonal.shape() != expected {
            let expected = format!("a diagonal of shape {expected}");
            return Err(Error::new(ErrorKind::Shape, "set_diag", expected, diagonal.shape()));
        }
        let placed = unslice(&diagonal, outer.len(), rows * columns, 0, columns as isize + 1)?;
        let on_diagonal = Tensor::eye(rows, columns, DType::Bool)?;
        on_diagonal.where_(placed.reshape(self.shape())?, self).map_err(|error| error.context("set_diag"))
    }

    /// Each matrix with zeros outside of a band: the main diagonal, `lower` diagonals below and `upper` above it;
    /// `None` keeps all of them (`tf.linalg.band_part`, where -1 does). `band_part(None, Some(0))` is the lower
    /// triangle.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are fewer than two axes.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1, 2, 3, 4])?;
    /// assert_eq!(x.band_part(None, Some(0))?.to_vec::<i32>()?, [1, 0, 3, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn band_part(&self, lower: Option<usize>, upper: Option<usize>) -> Result<Tensor> {
        let (rows, columns) = matrix_of("band_part", self.shape())?;
        let (lower, upper) = (lower.unwrap_or(rows), upper.unwrap_or(columns));
        let inside = |i: usize, j: usize| j.saturating_sub(i) <= upper && i.saturating_sub(j) <= lower;
        let band = (0..rows).flat_map(|i| (0..columns).map(move |j| inside(i, j))).collect();
        let zero = self.like("band_part", 0.0)?;
        Tensor::from_vec([rows, columns], band)?.where_(self, zero)
    }

    /// The sum of the main diagonal of each matrix: `[..., m, n]` gives `[...]` (`tf.linalg.trace`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are fewer than two axes.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(x.trace()?.item()?, 5.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn trace(&self) -> Result<Tensor> {
        self.diag_part(0).map_err(|error| error.context("trace"))?.sum_axes(&[-1], false)
    }
}
