//! Decoupled weight decay: `x -= lr λ x`, before the rule's update.
use crate::{Item, Step};
use slalom_array::{Array, DType, Element, Float, Map, Result, map_assign};

/// `x k`; the other operand is a number that is broadcast.
#[derive(Clone, Copy)]
struct Times;

impl<F: Float + Element> Map<F, F, 2> for Times {
    #[inline(always)]
    fn eval(self, [x, k]: [F; 2]) -> F {
        x * k
    }
}

/// Takes from each value what its group decays.
///
/// Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019; `weight_decay` of Keras 3.
///
/// # Errors
/// [`ErrorKind::Memory`](slalom_array::ErrorKind::Memory), if a value is shared.
#[inline]
pub(crate) fn decay(steps: &[Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
    if steps.iter().all(|step| step.kept == 1.0) {
        return Ok(());
    }
    for item in items {
        let kept = steps[item.group].kept;
        if kept == 1.0 {
            continue;
        }
        match item.value.dtype() {
            DType::F64 => map_assign::<f64, _>("weight_decay", Times, item.value, &Array::scalar(kept))?,
            _ => map_assign::<f32, _>("weight_decay", Times, item.value, &Array::scalar(kept as f32))?,
        }
    }
    Ok(())
}
