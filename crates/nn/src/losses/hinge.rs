//! Hinge losses.
use super::simple_losses;
use slalom_array::Result;
use slalom_autograd::Tensor;

simple_losses! {
    /// The mean of `max(1 - y_true y_pred, 0)` over the last axis, for labels -1 and 1. Labels that are all 0 or 1 are
    /// taken for -1 and 1.
    hinge = Hinge: |y_true, y_pred| margin(y_true, y_pred)?.mean_axes(&[-1], false);
    example [-1.0, 1.0] [0.5, 3.0] = 0.75;

    /// The mean of `max(1 - y_true y_pred, 0)²` over the last axis, for labels as those of [`hinge`].
    squared_hinge = SquaredHinge: |y_true, y_pred| margin(y_true, y_pred)?.square().mean_axes(&[-1], false);
    example [-1.0, 1.0] [1.0, 3.0] = 2.0;

    /// `max(1 + max((1 - y_true) y_pred) - Σ y_true y_pred, 0)` over the last axis, for labels 0 and 1, of which one
    /// in each row is 1.
    categorical_hinge = CategoricalHinge: |y_true, y_pred| {
        let positive = (y_true * y_pred).sum_axes(&[-1], false)?;
        let negative = ((1.0 - y_true) * y_pred).max(&[-1], false)?;
        (negative - positive + 1.0).maximum(Tensor::zeros([], y_pred.dtype())?)
    };
    example [0.0, 1.0] [0.5, 1.0] = 0.5;
}

/// `max(1 - y_true y_pred, 0)`
fn margin(y_true: &Tensor, y_pred: &Tensor) -> Result<Tensor> {
    let zero = Tensor::zeros([], y_pred.dtype())?;
    let one = Tensor::ones([], y_pred.dtype())?;
    // Whether labels are binary depends on all of them, and is computed: the labels of a replay may differ.
    let binary = y_true.equal(&zero)?.logical_or(y_true.equal(&one)?)?;
    let axes: Vec<isize> = (0..y_true.rank() as isize).collect();
    let labels = binary.all(&axes, false)?.where_(2.0 * y_true - 1.0, y_true)?;
    (1.0 - labels * y_pred).maximum(zero)
}
