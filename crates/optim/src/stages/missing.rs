//! Drops variables without a gradient.
use super::GradientList;
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Gradient;
use slalom_variable::Variable;

/// The pairs that have a gradient; warns of those that have none.
///
/// # Errors
/// [`ErrorKind::Gradient`], if none has one.
pub(crate) fn drop_missing(
    optimizer: &str,
    pairs: impl IntoIterator<Item = (Option<Gradient>, Variable)>,
) -> Result<GradientList> {
    let pairs = pairs.into_iter();
    let mut present = GradientList::with_capacity(pairs.size_hint().0);
    let mut missing = Vec::new();
    for (gradient, variable) in pairs {
        match gradient {
            Some(gradient) => present.push((gradient, variable)),
            None => missing.push(variable),
        }
    }
    if missing.is_empty() {
        return Ok(present);
    }
    let names: Vec<&str> = missing.iter().map(Variable::name).collect();
    if present.is_empty() {
        let got = format!("none for {names:?}");
        return Err(Error::new(ErrorKind::Gradient, "apply_gradients", "a gradient for some variable", got)
            .context(optimizer));
    }
    tracing::warn!(optimizer, variables = ?names, "gradients do not exist for some variables, which stay as they are");
    Ok(present)
}
