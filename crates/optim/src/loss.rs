//! What a loss closure may return.
use slalom_array::Result;
use slalom_autograd::Tensor;

/// What a loss closure returns: a [`Tensor`], or a `Result` of one. A loss that is not a scalar is summed.
pub trait LossValue {
    /// The loss.
    ///
    /// # Errors
    /// The closure's own.
    fn into_loss(self) -> Result<Tensor>;
}

impl LossValue for Tensor {
    #[inline]
    fn into_loss(self) -> Result<Tensor> {
        Ok(self)
    }
}

impl LossValue for Result<Tensor> {
    #[inline]
    fn into_loss(self) -> Result<Tensor> {
        self
    }
}
