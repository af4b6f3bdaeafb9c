//! What a step reports.
use slalom_array::Result;
use slalom_autograd::Tensor;

/// What [`minimize`](crate::Optimizer::minimize) did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The loss before the step, as the closure returned it.
    pub loss: Tensor,
    /// How many steps the optimizer has done, this one included (unless it was skipped, or was a micro-batch of several).
    pub iterations: i64,
}

impl Report {
    /// The loss before the step as a number: the sum of its elements.
    ///
    /// # Errors
    /// As [`Tensor::item`].
    pub fn loss(&self) -> Result<f64> {
        if self.loss.rank() == 0 { self.loss.item() } else { self.loss.sum().item() }
    }
}
