//! Updates of copies: where something may still fail after the update, or a variable is updated more than once.
use super::average::Blend;
use super::{Target, check, decay};
use crate::driver::{Checked, Rows, Update};
use crate::slots::SlotTable;
use crate::{Item, Rule, Step};
use slalom_array::{Array, DType, Element, Error, ErrorKind, Result, gather};
use slalom_variable::{Constraint, Variable};
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
    blend: Option<Blend>,
) -> Result<(Copies, SmallVec<[f64; 1]>)> {
    let mut copies = Copies::new();
    if targets.is_empty() {
        return Ok((copies, SmallVec::new()));
    }
    for target in targets.iter().filter(|target| target.round == 0) {
        let mut all = SmallVec::new();
        for variable in slots.parts(target.entry, blend) {
            let mut copy = variable.array().copy()?;
            check::own(&mut copy, variable)?;
            all.push(copy);
        }
        copies.insert(target.entry, all);
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
                let own = arrays.len() - blend.is_some() as usize;
                let (value, slots) = arrays[..own].split_first_mut()?;
                let &Target { ref update, group, .. } = in_round.remove(entry)?;
                let kept = steps[group].kept;
                Some(Item { value, slots: slots.iter_mut().collect(), update, group, kept })
            })
            .collect();
        let mut own: SmallVec<[Step<'_>; 1]> = steps.iter().cloned().collect();
        decay::decay(rule, &mut items)?;
        rule.update(&mut own, &mut items)?;
        drop(items);
        if round == 0 {
            scalars.clone_from(&own[0].scalars);
        }
        for target in targets.iter().filter(|target| target.round == round) {
            let Some(arrays) = copies.get_mut(&target.entry) else { continue };
            for (array, variable) in arrays.iter_mut().zip(slots.parts(target.entry, blend)) {
                check::own(array, variable)?;
            }
            let blend = blend.filter(|_| round == slots.last_round(target.entry));
            if let Some(blend) = blend
                && let [value, .., average] = &mut arrays[..]
            {
                blend.apply(value, average)?;
            }
            if let Some(value) = arrays.first_mut() {
                // Weight decay moves all rows, but where a rule folds it into the update of the rows that it touches.
                let decays = steps[target.group].kept != 1.0 && !rule.folds_weight_decay(true);
                let all_rows = rule.moves_all_rows() || decays || blend.is_some_and(|blend| blend.overwrite);
                constrain(&slots.entry(target.entry).variable, value, &target.update, all_rows)?;
            }
        }
    }
    Ok((copies, scalars))
}

/// Applies the constraint of a variable to its new value: to the rows of a sparse gradient, where others have not moved.
fn constrain(variable: &Variable, value: &mut Array, update: &Update, all_rows: bool) -> Result<()> {
    if variable.constraint().is_none() {
        return Ok(());
    }
    match &update.gradient {
        Checked::Sparse(rows) if !all_rows => {
            let indices: Vec<i64> = rows.indices().map(|row| row as i64).collect();
            let indices = Array::from_vec([indices.len()], indices)?;
            let moved = constrain_all(variable, gather(value, &indices, 0)?)?;
            put_rows(value, &moved, rows)?;
        }
        _ => *value = constrain_all(variable, value.clone())?,
    }
    // The next update in turn changes it in place.
    if !value.is_contiguous() || !value.is_unshared() {
        *value = value.copy()?;
    }
    Ok(())
}

/// What the constraint of a variable, if it has one, makes of a value.
///
/// # Errors
/// Those of the constraint, and if it gives another shape or element type.
pub(crate) fn constrain_all(variable: &Variable, value: Array) -> Result<Array> {
    let Some(constraint) = variable.constraint() else { return Ok(value) };
    constrained(constraint, value)
        .map_err(|error| error.context(format_args!("constraint of variable {:?}", variable.name())))
}

/// What a constraint makes of a value; of the same shape and element type.
fn constrained(constraint: &dyn Constraint, value: Array) -> Result<Array> {
    let (shape, dtype) = (value.shape().clone(), value.dtype());
    let constrained = constraint.apply(&value.into())?;
    if *constrained.shape() != shape {
        let expected = format!("a value of shape {shape}");
        return Err(Error::new(ErrorKind::Shape, "constraint", expected, constrained.shape()));
    }
    if constrained.dtype() != dtype {
        let expected = format!("a value of dtype {dtype}");
        return Err(Error::new(ErrorKind::DType, "constraint", expected, constrained.dtype()));
    }
    Ok(constrained.array()?.clone())
}

/// Replaces the rows of a gradient in a value.
fn put_rows(value: &mut Array, from: &Array, rows: &Rows) -> Result<()> {
    fn put<T: Element>(value: &mut Array, from: &Array, rows: &Rows) -> Result<()> {
        let (width, from) = (rows.width, from.to_vec::<T>()?);
        let value = value.make_mut::<T>()?;
        for (i, row) in rows.indices().enumerate() {
            value[row * width..][..width].copy_from_slice(&from[i * width..][..width]);
        }
        Ok(())
    }
    match value.dtype() {
        DType::F64 => put::<f64>(value, from, rows),
        _ => put::<f32>(value, from, rows),
    }
}
