//! Losses of predictions that are numbers, and of distributions: no options but the reduction.
use super::{EPSILON, simple_losses};
use slalom_array::Result;
use slalom_autograd::Tensor;

simple_losses! {
    /// The mean of `|y_true - y_pred|` over the last axis; slope 0 where both are equal.
    mae = MeanAbsoluteError: |y_true, y_pred| (y_pred - y_true).abs().mean_axes(&[-1], false);
    example [2.0, 0.0] [1.0, 0.5] = 0.75;

    /// 100 times the mean of `|y_true - y_pred| / max(|y_true|, 10⁻⁷)` over the last axis.
    mape = MeanAbsolutePercentageError: |y_true, y_pred| {
        let scale = y_true.abs().maximum(filled(y_true, EPSILON)?)?;
        Ok(100.0 * ((y_true - y_pred) / scale).abs().mean_axes(&[-1], false)?)
    };
    example [2.0, 4.0] [1.0, 4.0] = 25.0;

    /// The mean of `(log(1 + y_true) - log(1 + y_pred))²` over the last axis, of numbers that are at least 10⁻⁷.
    msle = MeanSquaredLogarithmicError: |y_true, y_pred| {
        let log = |x: &Tensor| (x.maximum(filled(x, EPSILON)?)? + 1.0).log();
        log(y_pred)?.squared_difference(log(y_true)?)?.mean_axes(&[-1], false)
    };
    example [3.0] [3.0] = 0.0;

    /// The mean of `log cosh(y_pred - y_true)` over the last axis, which does not overflow.
    log_cosh = LogCosh: |y_true, y_pred| {
        let x = y_pred - y_true;
        let log_cosh = &x + (-2.0 * &x).softplus()? - std::f64::consts::LN_2;
        log_cosh.mean_axes(&[-1], false)
    };
    example [1.0] [1.0] = 0.0;

    /// The mean of `y_pred - y_true log(y_pred + 10⁻⁷)` over the last axis.
    poisson = Poisson: |y_true, y_pred| {
        (y_pred - y_true * (y_pred + EPSILON).log()?).mean_axes(&[-1], false)
    };
    example [0.0] [2.0] = 2.0;

    /// The Kullback-Leibler divergence `Σ y_true log(y_true / y_pred)` over the last axis, of probabilities that are
    /// moved into `[10⁻⁷, 1]`.
    kl_divergence = KLDivergence: |y_true, y_pred| {
        let [y_true, y_pred] = [y_true, y_pred].map(|x| x.clip_by_value(EPSILON, 1.0));
        let (y_true, y_pred) = (y_true?, y_pred?);
        (&y_true * (&y_true / y_pred).log()?).sum_axes(&[-1], false)
    };
    example [1.0, 0.0] [1.0, 1.0e-7] = 0.0;
}

/// A scalar of the type of `x`.
fn filled(x: &Tensor, value: f64) -> Result<Tensor> {
    Tensor::full([], value, x.dtype())
}
