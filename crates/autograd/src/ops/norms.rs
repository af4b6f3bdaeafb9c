//! Norms, what is scaled by them, and functions of several passes, composed of other ops.
use crate::ops::concat::concat;
use crate::ops::reduce::expect_float;
use crate::{AsTensor, Tensor};
use slalom_array::{Error, ErrorKind, Result};

/// `√Σ x²` over the elements of all tensors (`tf.linalg.global_norm`).
///
/// # Errors
/// [`ErrorKind::Argument`], if there are no tensors; [`ErrorKind::DType`], if they are not of one floating-point type.
///
/// ```
/// use slalom_autograd::{Tensor, global_norm};
/// let tensors = [Tensor::scalar(3.0f32), Tensor::from_vec([1], vec![4.0f32])?];
/// assert_eq!(global_norm(&tensors)?.item()?, 5.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn global_norm<T: AsTensor>(tensors: &[T]) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for tensor in tensors {
        let half = tensor.as_tensor().l2_loss()?;
        total = Some(match total {
            Some(total) if total.dtype() != half.dtype() => {
                let expected = format!("tensors of {}", total.dtype());
                return Err(Error::new(ErrorKind::DType, "global_norm", expected, half.dtype()));
            }
            Some(total) => total + half,
            None => half,
        });
    }
    let none = || Error::new(ErrorKind::Argument, "global_norm", "at least one tensor", "none");
    (2.0 * total.ok_or_else(none)?).sqrt()
}

/// The tensors scaled down together, so that their [`global_norm`] is at most `clip_norm`, and that norm before
/// (`tf.clip_by_global_norm`). If it is not finite, all become NaN.
///
/// # Errors
/// As [`global_norm`].
///
/// ```
/// use slalom_autograd::{Tensor, clip_by_global_norm};
/// let tensors = [Tensor::scalar(3.0f32), Tensor::from_vec([1], vec![4.0f32])?];
/// let (clipped, norm) = clip_by_global_norm(&tensors, 2.5)?;
/// assert_eq!((clipped[0].item()?, clipped[1].item()?, norm.item()?), (1.5, 2.0, 5.0));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn clip_by_global_norm<T: AsTensor>(tensors: &[T], clip_norm: f64) -> Result<(Vec<Tensor>, Tensor)> {
    let norm = global_norm(tensors)?;
    let most = norm.like("clip_by_global_norm", 1.0 / clip_norm)?;
    // The second term makes NaN of what is not finite.
    let scale = clip_norm * norm.reciprocal()?.minimum(most)? + 0.0 * &norm;
    Ok((tensors.iter().map(|tensor| &*tensor.as_tensor() * &scale).collect(), norm))
}

/// Norms and what is scaled by them. Axes may be negative, to count from the end; no axes is no reduction.
impl Tensor {
    /// The norm of order `ord` of the elements over some axes, which keep length 1 if `keep_dims`: `(Σ |x|ᵒʳᵈ)^(1/ord)`,
    /// the largest `|x|` for infinity (`tf.norm` of vectors). Order 2 is [`norm`](Tensor::norm). Over several axes the
    /// elements count as one vector.
    ///
    /// The gradient for elements that are 0 is NaN for orders below 2 but 1, as in TensorFlow.
    ///
    /// # Errors
    /// `ErrorKind::Argument`, if the order is not positive; `ErrorKind::Shape`, if an axis does not exist or is named
    /// twice; `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-3.0f32, 4.0])?;
    /// assert_eq!(x.vector_norm(1.0, &[0], false)?.item()?, 7.0);
    /// assert_eq!(x.vector_norm(f64::INFINITY, &[0], false)?.item()?, 4.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn vector_norm(&self, ord: f64, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        expect_float("vector_norm", self.dtype())?;
        if ord == 1.0 {
            self.abs().sum_axes(axes, keep_dims)
        } else if ord == 2.0 {
            self.norm(axes, keep_dims)
        } else if ord == f64::INFINITY {
            self.abs().max(axes, keep_dims)
        } else if ord > 0.0 {
            let powers = self.abs().pow(self.like("vector_norm", ord)?)?.sum_axes(axes, keep_dims)?;
            powers.pow(self.like("vector_norm", 1.0 / ord)?)
        } else {
            Err(Error::new(ErrorKind::Argument, "vector_norm", "a positive order", ord))
        }
    }

    /// The norm of order `ord` of the matrices over two axes, that of the rows and that of the columns, which keep length
    /// 1 if `keep_dims` (`tf.norm` of matrices). The Frobenius norm is [`norm`](Tensor::norm) over both axes.
    ///
    /// | order | norm |
    /// |---|---|
    /// | 1, -1 | the largest, smallest sum of `|x|` over the rows of a column |
    /// | ∞, -∞ | the largest, smallest sum of `|x|` over the columns of a row |
    /// | 2, -2 | the largest, smallest singular value, with the feature `linalg` |
    ///
    /// Sums and singular values that are equally large share the gradient.
    ///
    /// # Errors
    /// `ErrorKind::Argument`, if the order is none of these; `ErrorKind::Shape`, if an axis does not exist, both are the
    /// same, or there is nothing to choose from; `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, -5.0, 3.0, 2.0])?;
    /// assert_eq!(x.matrix_norm(1.0, [0, 1], false)?.item()?, 7.0);
    /// assert_eq!(x.matrix_norm(f64::INFINITY, [0, 1], false)?.item()?, 6.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn matrix_norm(&self, ord: f64, axes: [isize; 2], keep_dims: bool) -> Result<Tensor> {
        let [rows, columns] = self.matrix_axes("matrix_norm", axes)?;
        let sums = match ord.abs() {
            1.0 => self.abs().sum_axes(&[rows], true)?,
            f64::INFINITY => self.abs().sum_axes(&[columns], true)?,
            #[cfg(feature = "linalg")]
            2.0 => self.singular_values([rows, columns])?,
            _ => {
                let expected = match cfg!(feature = "linalg") {
                    true => "an order of 1, 2, ∞ or their negatives",
                    false => "an order of 1, ∞ or their negatives (2 with the feature `linalg`)",
                };
                return Err(Error::new(ErrorKind::Argument, "matrix_norm", expected, ord));
            }
        };
        let choose = if ord > 0.0 { Tensor::max } else { Tensor::min };
        choose(&sums, &[rows, columns], keep_dims)
    }

    /// The nuclear norm of the matrices over two axes, which keep length 1 if `keep_dims`: the sum of the singular
    /// values (`torch.linalg.matrix_norm` of order `nuc`). Needs the feature `linalg`.
    ///
    /// # Errors
    /// As [`matrix_norm`](Tensor::matrix_norm).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![3.0f64, 0.0, 0.0, -4.0])?;
    /// assert!((x.nuclear_norm([0, 1], false)?.item()? - 7.0).abs() < 1e-14);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[cfg(feature = "linalg")]
    pub fn nuclear_norm(&self, axes: [isize; 2], keep_dims: bool) -> Result<Tensor> {
        let axes = self.matrix_axes("nuclear_norm", axes)?;
        self.singular_values(axes)?.sum_axes(&axes, keep_dims)
    }

    /// Two axes of matrices, from the start.
    fn matrix_axes(&self, op: &'static str, axes: [isize; 2]) -> Result<[isize; 2]> {
        expect_float(op, self.dtype())?;
        let axis = |axis| self.shape().axis(axis).map_err(|error| error.context(op));
        let [rows, columns] = [axis(axes[0])?, axis(axes[1])?];
        if rows == columns {
            return Err(Error::new(ErrorKind::Shape, op, "two different axes", format!("{axes:?}")));
        }
        Ok([rows as isize, columns as isize])
    }

    /// The singular values of the matrices over two axes, along the first of these.
    #[cfg(feature = "linalg")]
    fn singular_values(&self, [rows, columns]: [isize; 2]) -> Result<Tensor> {
        let matrix = [rows as usize, columns as usize];
        let order: Vec<usize> =
            (0..self.rank()).filter(|axis| !matrix.contains(axis)).chain(matrix).collect();
        let mut back = vec![0; self.rank()];
        order.iter().enumerate().for_each(|(from, &to)| back[to] = from);
        self.transpose(&order)?.svdvals()?.expand_dims(-1)?.transpose(&back)
    }

    /// The tensor divided by its [`vector_norm`](Tensor::vector_norm) over some axes, and that norm, whose axes have length
    /// 1 (`tf.linalg.normalize`).
    ///
    /// # Errors
    /// As [`vector_norm`](Tensor::vector_norm).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let (x, norm) = Tensor::from_vec([2], vec![6.0f32, 8.0])?.normalize(2.0, &[0])?;
    /// assert_eq!((x.to_vec::<f32>()?, norm.item()?), (vec![0.6, 0.8], 10.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn normalize(&self, ord: f64, axes: &[isize]) -> Result<(Tensor, Tensor)> {
        let norm = self.vector_norm(ord, axes, true)?;
        Ok((self / &norm, norm))
    }

    /// `Σ x² / 2`, a scalar (`tf.nn.l2_loss`).
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// assert_eq!(Tensor::from_vec([2], vec![3.0f32, 4.0])?.l2_loss()?.item()?, 12.5);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn l2_loss(&self) -> Result<Tensor> {
        expect_float("l2_loss", self.dtype())?;
        Ok(0.5 * self.square().sum())
    }

    /// The tensor scaled down so that its Euclidean norm over some axes is at most `clip_norm`: `x c / max(‖x‖, c)`
    /// (`tf.clip_by_norm`). TensorFlow's `axes=None` is all axes. Gradients are finite also where all elements are 0.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![3.0f32, 4.0])?;
    /// assert_eq!(x.clip_by_norm(2.5, &[0])?.to_vec::<f32>()?, [1.5, 2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn clip_by_norm(&self, clip_norm: f64, axes: &[isize]) -> Result<Tensor> {
        let op = "clip_by_norm";
        expect_float(op, self.dtype())?;
        let square_sum = self.square().sum_axes(axes, true)?;
        let positive = square_sum.greater(square_sum.like(op, 0.0)?)?;
        let safe = positive.where_(&square_sum, square_sum.like(op, 1.0)?)?;
        let norm = positive.where_(safe.sqrt()?, &square_sum)?;
        Ok(self * clip_norm / norm.maximum(norm.like(op, clip_norm)?)?)
    }

    /// `max(x, 0)` and `max(-x, 0)`, one after the other along `axis` (`tf.nn.crelu`; W. Shang et al., 2016).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-1.0f32, 2.0])?;
    /// assert_eq!(x.crelu(-1)?.to_vec::<f32>()?, [0.0, 2.0, 1.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn crelu(&self, axis: isize) -> Result<Tensor> {
        concat(&[self.relu(), (-self).relu()], axis).map_err(|error| error.context("crelu"))
    }

    /// The cross entropy of `labels` (probabilities) and `sigmoid(self)`, elementwise, in which positive labels count
    /// `pos_weight` times: `-w z log(sigmoid(x)) - (1 - z) log(1 - sigmoid(x))`, for which nothing overflows
    /// (`tf.nn.weighted_cross_entropy_with_logits`).
    ///
    /// At `x = 0`, where TensorFlow puts together the slopes of kinks, the gradient is that of the formula.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ or are not
    /// floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let (logits, labels) = (Tensor::scalar(0.0f32), Tensor::scalar(1.0f32));
    /// let loss = logits.weighted_cross_entropy_with_logits(&labels, 3.0)?.item()?;
    /// assert!((loss - 3.0 * 2f64.ln()).abs() < 1e-6);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn weighted_cross_entropy_with_logits(
        &self,
        labels: impl AsTensor,
        pos_weight: f64,
    ) -> Result<Tensor> {
        let (op, labels) = ("weighted_cross_entropy_with_logits", labels.as_tensor());
        expect_float(op, self.dtype())?;
        if labels.dtype() != self.dtype() {
            return Err(Error::new(
                ErrorKind::DType,
                op,
                format!("labels of {}", self.dtype()),
                labels.dtype(),
            ));
        }
        let shape = self.shape().broadcast(labels.shape()).map_err(|error| error.context(op))?;
        let (logits, labels) = (self.broadcast_to(&shape)?, labels.broadcast_to(shape)?);
        let weight = 1.0 + (pos_weight - 1.0) * &labels;
        Ok((1.0 - labels) * &logits + weight * (-logits).softplus()?)
    }
}
