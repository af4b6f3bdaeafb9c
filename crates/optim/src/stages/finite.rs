//! Steps whose gradients are not finite are skipped.
use super::GradientList;
use slalom_array::{Array, DType, Element, Float, Map, Result, reduce_map};
use slalom_autograd::Gradient;

/// 0, or NaN for an element that is not finite.
#[derive(Clone, Copy)]
struct Residue;

impl<F: Float + Element> Map<F, f64, 1> for Residue {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> f64 {
        (x * F::ZERO).to_f64()
    }
}

/// Whether all elements of all gradients are finite.
///
/// # Errors
/// [`ErrorKind::Memory`](slalom_array::ErrorKind::Memory).
pub(crate) fn all_finite(gradients: &GradientList) -> Result<bool> {
    for (gradient, _) in gradients {
        let values: &Array = match gradient {
            Gradient::Dense(tensor) => tensor.array()?,
            Gradient::Sparse(slices) => slices.repeated_rows().0.array()?,
        };
        let residue = match values.dtype() {
            DType::F64 => reduce_map::<f64, f64, _, 1>("all_finite", Residue, [values])?.item()?,
            DType::F32 => reduce_map::<f32, f64, _, 1>("all_finite", Residue, [values])?.item()?,
            // Refused later, with the name of the variable.
            _ => 0.0,
        };
        if residue.is_nan() {
            return Ok(false);
        }
    }
    Ok(true)
}
