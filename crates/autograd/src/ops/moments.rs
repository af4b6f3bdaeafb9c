//! Variance, standard deviation and norms, composed of other ops.
use crate::Tensor;
use slalom_array::Result;

/// Statistics and norms. Axes may be negative, to count from the end; no axes is no reduction.
impl Tensor {
    /// The mean of `(x - mean(x))²` over some axes, which keep length 1 if `keep_dims` (`tf.reduce_variance`); divided
    /// by the number of elements, not by one less.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1.0f32, 5.0])?;
    /// assert_eq!(x.variance(&[0], false)?.item()?, 4.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn variance(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        (self - self.mean_axes(axes, true)?).square().mean_axes(axes, keep_dims)
    }

    /// The square root of [`variance`](Tensor::variance); its gradient is NaN where that is 0.
    ///
    /// # Errors
    /// As [`variance`](Tensor::variance).
    pub fn std(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        self.variance(axes, keep_dims)?.sqrt()
    }

    /// The Euclidean norm `√Σ x²` over some axes, which keep length 1 if `keep_dims`; its gradient is NaN where that
    /// is 0.
    ///
    /// # Errors
    /// As [`variance`](Tensor::variance).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![3.0f32, 4.0])?;
    /// assert_eq!(x.norm(&[0], false)?.item()?, 5.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn norm(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        self.square().sum_axes(axes, keep_dims)?.sqrt()
    }

    /// `x / √max(Σ x², 10⁻¹²)` over some axes (`tf.math.l2_normalize`).
    ///
    /// # Errors
    /// As [`variance`](Tensor::variance).
    pub fn l2_normalize(&self, axes: &[isize]) -> Result<Tensor> {
        let square_sum = self.square().sum_axes(axes, true)?;
        let least = square_sum.like("l2_normalize", 1e-12)?;
        Ok(self * square_sum.maximum(least)?.rsqrt()?)
    }
}
