//! The last checks of gradients before they are used, and of values before they are changed.
use crate::driver::{Checked, Rows};
use slalom_array::{Array, DType, Error, ErrorKind, Result};
use slalom_autograd::Gradient;
use slalom_variable::Variable;

const OP: &str = "apply_gradients";

/// A gradient that fits its variable.
///
/// # Errors
/// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if it does not; [`ErrorKind::Index`], if it is sparse and a row does not
/// exist; [`ErrorKind::State`], if it is sparse and the variable has a constraint. All name the variable.
pub(crate) fn check(gradient: Gradient, variable: &Variable) -> Result<Checked> {
    fits(gradient, variable).map_err(|error| of(error, variable))
}

/// Makes a value that a step is to change contiguous and unshared. Anybody may have put another array into a variable or a
/// slot while it was taken out, and updates trust lengths and types: an array that does not fit is refused.
///
/// # Errors
/// [`ErrorKind::Shape`] or [`ErrorKind::DType`] with the name of the variable, if it does not; [`ErrorKind::Memory`].
#[inline]
pub(crate) fn own(array: &mut Array, variable: &Variable) -> Result<()> {
    if array.shape() != variable.shape() || array.dtype() != variable.dtype() {
        return Err(misfit(array, variable));
    }
    match variable.dtype() {
        DType::F64 => array.make_mut::<f64>().map(drop),
        DType::I64 => array.make_mut::<i64>().map(drop),
        _ => array.make_mut::<f32>().map(drop),
    }
}

#[cold]
fn misfit(array: &Array, variable: &Variable) -> Error {
    let (shape, dtype) = (variable.shape(), variable.dtype());
    let error = if array.shape() != shape {
        Error::new(ErrorKind::Shape, OP, format!("a value of shape {shape}"), array.shape())
    } else {
        Error::new(ErrorKind::DType, OP, format!("a value of dtype {dtype}"), array.dtype())
    };
    of(error, variable)
}

#[cold]
fn of(error: Error, variable: &Variable) -> Error {
    error.context(format_args!("variable {:?}", variable.name()))
}

fn fits(gradient: Gradient, variable: &Variable) -> Result<Checked> {
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
            tensor.array()?;
            let array = Array::from(tensor);
            Ok(Checked::Dense(if array.is_contiguous() { array } else { array.copy()? }))
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
