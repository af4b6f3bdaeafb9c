//! Decoupled weight decay: `x -= lr λ x`, before the rule's update.
use crate::driver::Checked;
use crate::{Item, Rule};
use slalom_array::{Array, DType, Element, Float, Map, Result, map_assign};

/// What decoupled weight decay leaves of a value, as a factor: `1 - lr λ`.
///
/// Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019; `weight_decay` of Keras 3.
#[inline]
pub(crate) fn kept(learning_rate: f64, weight_decay: f64) -> f64 {
    1.0 - learning_rate * weight_decay
}

/// `x k`; the other operand is a number that is broadcast.
#[derive(Clone, Copy)]
struct Times;

impl<F: Float + Element> Map<F, F, 2> for Times {
    #[inline(always)]
    fn eval(self, [x, k]: [F; 2]) -> F {
        x * k
    }
}

/// Takes from each value what its group decays, where the rule does not fold that into its update.
///
/// # Errors
/// [`ErrorKind::Memory`](slalom_array::ErrorKind::Memory), if a value is shared.
#[inline]
pub(crate) fn decay(rule: &dyn Rule, items: &mut [Item<'_>]) -> Result<()> {
    for item in items.iter_mut().filter(|item| item.kept != 1.0) {
        if rule.folds_weight_decay(matches!(item.update.gradient, Checked::Sparse(_))) {
            continue;
        }
        let kept = std::mem::replace(&mut item.kept, 1.0);
        match item.value.dtype() {
            DType::F64 => map_assign::<f64, _>("weight_decay", Times, item.value, &Array::scalar(kept))?,
            _ => map_assign::<f32, _>("weight_decay", Times, item.value, &Array::scalar(kept as f32))?,
        }
    }
    Ok(())
}
