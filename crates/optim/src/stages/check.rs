//! The last check of the gradients before they are used.
use crate::driver::{Checked, Rows};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Gradient;
use slalom_variable::Variable;

/// A gradient that fits its variable.
///
/// # Errors
/// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if it does not; [`ErrorKind::Index`], if it is sparse and a row does not
/// exist; [`ErrorKind::State`], if it is sparse and the variable has a constraint. All name the variable.
pub(crate) fn check(gradient: &Gradient, variable: &Variable) -> Result<Checked> {
    fits(gradient, variable).map_err(|error| error.context(format_args!("variable {:?}", variable.name())))
}

fn fits(gradient: &Gradient, variable: &Variable) -> Result<Checked> {
    const OP: &str = "apply_gradients";
    if !variable.dtype().is_float() {
        return Err(Error::new(ErrorKind::DType, OP, "a variable of floats", variable.dtype()));
    }
    if gradient.dtype() != variable.dtype() {
        let expected = format!("a gradient of dtype {}", variable.dtype());
        return Err(Error::new(ErrorKind::DType, OP, expected, gradient.dtype()));
    }
    if gradient.shape() != variable.shape() {
        let expected = format!("a gradient of shape {}", variable.shape());
        return Err(Error::new(ErrorKind::Shape, OP, expected, gradient.shape()));
    }
    match gradient {
        Gradient::Dense(tensor) => {
            let array = tensor.array()?;
            Ok(Checked::Dense(if array.is_contiguous() { array.clone() } else { array.copy()? }))
        }
        Gradient::Sparse(_) if variable.constraint().is_some_and(|constraint| !constraint.is_row_wise()) => {
            let expected = "a dense gradient, as the variable has a constraint";
            Err(Error::new(ErrorKind::State, OP, expected, "a sparse one"))
        }
        Gradient::Sparse(slices) => {
            let (values, times) = slices.repeated_rows();
            let rows = Rows::new(slices.indices().array()?, values.array()?, times, variable.shape());
            Ok(Checked::Sparse(rows?))
        }
    }
}
