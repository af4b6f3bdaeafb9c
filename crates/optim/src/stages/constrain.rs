//! Updates of copies: where something may still fail after the update, or a variable is updated more than once.
use super::Target;
use crate::slots::SlotTable;
use crate::{Item, Rule, Step};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_variable::Variable;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// New values by entry: that of the variable, then those of its slots.
pub(crate) type Copies = BTreeMap<usize, SmallVec<[Array; 4]>>;

/// Updates copies of the targets' variables and slots, and constrains them; also gives the scalars' new values. A variable
/// that is listed more than once is updated as often, in turn.
///
/// # Errors
/// Those of the rule and of constraints; [`ErrorKind::Memory`].
pub(crate) fn update_copies(
    rule: &dyn Rule,
    steps: &[Step<'_>],
    slots: &SlotTable,
    targets: &[&Target],
) -> Result<(Copies, SmallVec<[f64; 1]>)> {
    let mut copies = Copies::new();
    for target in targets.iter().filter(|target| target.round == 0) {
        let entry = slots.entry(target.entry);
        let all = std::iter::once(&entry.variable).chain(&entry.slots);
        copies.insert(target.entry, all.map(|variable| variable.array().copy()).collect::<Result<_>>()?);
    }
    let mut scalars = steps.first().map_or(SmallVec::new(), |step| step.scalars.clone());
    let rounds = targets.iter().map(|target| target.round + 1).max().unwrap_or(0);
    for round in 0..rounds {
        let mut in_round: BTreeMap<usize, &Target> = targets
            .iter()
            .filter(|target| target.round == round)
            .map(|target| (target.entry, *target))
            .collect();
        let mut items: Vec<Item<'_>> = copies
            .iter_mut()
            .filter_map(|(entry, arrays)| {
                let (value, slots) = arrays.split_first_mut()?;
                let update = &in_round.remove(entry)?.update;
                Some(Item { value, slots: slots.iter_mut().collect(), update, group: 0 })
            })
            .collect();
        let mut own: SmallVec<[Step<'_>; 1]> = steps.iter().cloned().collect();
        rule.update(&mut own, &mut items)?;
        drop(items);
        if round == 0 {
            scalars.clone_from(&own[0].scalars);
        }
        for target in targets.iter().filter(|target| target.round == round) {
            let value = copies.get_mut(&target.entry).and_then(|arrays| arrays.first_mut());
            if let Some(value) = value {
                constrain(&slots.entry(target.entry).variable, value)?;
            }
        }
    }
    Ok((copies, scalars))
}

/// Applies the constraint of a variable to its new value.
fn constrain(variable: &Variable, value: &mut Array) -> Result<()> {
    let Some(constraint) = variable.constraint() else { return Ok(()) };
    let place = |error: Error| error.context(format_args!("constraint of variable {:?}", variable.name()));
    let constrained = constraint.apply(&value.clone().into()).map_err(place)?;
    if constrained.shape() != variable.shape() {
        let expected = format!("a value of shape {}", variable.shape());
        return Err(place(Error::new(ErrorKind::Shape, "constraint", expected, constrained.shape())));
    }
    if constrained.dtype() != variable.dtype() {
        let expected = format!("a value of dtype {}", variable.dtype());
        return Err(place(Error::new(ErrorKind::DType, "constraint", expected, constrained.dtype())));
    }
    *value = constrained.array()?.clone();
    // The next update in turn changes it in place.
    if !value.is_contiguous() || !value.is_unshared() {
        *value = value.copy()?;
    }
    Ok(())
}
