//! Drops variables without a gradient.
use super::GradientList;
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Gradient;
use slalom_variable::Variable;

/// The pairs that have a gradient; warns of those that have none. `cuts` says which op has cut a variable from the loss, as
/// far as that is known.
///
/// # Errors
/// [`ErrorKind::Gradient`], if none has one.
pub(crate) fn drop_missing(
    optimizer: &str,
    pairs: impl IntoIterator<Item = (Option<Gradient>, Variable)>,
    cuts: &[Option<&'static str>],
) -> Result<GradientList> {
    let pairs = pairs.into_iter();
    let mut present = GradientList::with_capacity(pairs.size_hint().0);
    let mut missing = Vec::new();
    for (i, (gradient, variable)) in pairs.enumerate() {
        match gradient {
            Some(gradient) => present.push((gradient, variable)),
            None => missing.push((variable, cuts.get(i).copied().flatten())),
        }
    }
    if missing.is_empty() {
        return Ok(present);
    }
    let reasons = missing.iter().map(|(variable, cut)| reason(variable, *cut)).collect::<Vec<_>>().join(", ");
    if present.is_empty() {
        let got = format!("none for [{reasons}]");
        return Err(Error::new(ErrorKind::Gradient, "apply_gradients", "a gradient for some variable", got)
            .context(optimizer));
    }
    tracing::warn!(optimizer, variables = %reasons, "gradients do not exist for some variables, which stay as they are");
    Ok(present)
}

/// The variable's name, and the op that cut it from the loss.
fn reason(variable: &Variable, cut: Option<&'static str>) -> String {
    let name = variable.name();
    match cut {
        Some(op) => format!("{name:?} (the op `{op}`, which has no gradient, cuts it from the loss)"),
        None => format!("{name:?}"),
    }
}
