//! The commit: variables and slots change.
use super::Target;
use super::constrain::Copies;
use crate::slots::SlotTable;
use crate::{Item, Rule, Step};
use slalom_array::{Array, DType, Result};
use slalom_variable::{Update, Variable};
use smallvec::SmallVec;
use std::sync::{Mutex, PoisonError};

/// Held while a step takes values out. A step that has taken all of its values needs nothing more to finish, so only
/// steps that are still taking could wait for each other; there is one of those at a time.
static TAKING: Mutex<()> = Mutex::new(());

/// The values of a step, taken out of their variables. They are put back when this is dropped.
pub(crate) struct Taken {
    /// For each target the variable's value, then those of its slots.
    values: SmallVec<[Update; 4]>,
    /// The number of steps.
    count: Update,
}

impl Taken {
    /// Takes the values out, ready to be changed in place.
    ///
    /// # Errors
    /// [`Memory`](slalom_array::ErrorKind::Memory), if a value is shared and there is none for a copy. Nothing has changed
    /// then.
    pub(crate) fn new(slots: &SlotTable, targets: &[&Target], iterations: &Variable) -> Result<Taken> {
        let taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut values: SmallVec<[Update; 4]> = SmallVec::with_capacity(targets.len());
        for target in targets {
            let entry = slots.entry(target.entry);
            for variable in std::iter::once(&entry.variable).chain(&entry.slots) {
                values.push(variable.update());
                own(values.last_mut(), variable)?;
            }
        }
        let mut count = iterations.update();
        own(Some(&mut count), iterations)?;
        drop(taking);
        Ok(Taken { values, count })
    }

    /// Updates the values in place.
    ///
    /// # Errors
    /// None, as the rule says that it updates in place.
    pub(crate) fn update(
        &mut self,
        rule: &dyn Rule,
        steps: &mut [Step<'_>],
        targets: &[&Target],
    ) -> Result<()> {
        let mut items: SmallVec<[Item<'_>; 2]> = SmallVec::with_capacity(targets.len());
        let each = self.values.len().checked_div(targets.len()).unwrap_or(1);
        for (arrays, target) in self.values.chunks_exact_mut(each).zip(targets) {
            let mut arrays = arrays.iter_mut().map(Update::array);
            let Some(value) = arrays.next() else { continue };
            items.push(Item { value, slots: arrays.collect(), update: &target.update, group: 0 });
        }
        rule.update(steps, &mut items)
    }

    /// Sets the number of steps, and puts everything back.
    pub(crate) fn count(mut self, steps: i64) {
        self.count.array().as_mut_slice::<i64>().into_iter().for_each(|count| count.fill(steps));
    }
}

/// Makes a value that has been taken out contiguous and unshared.
#[inline]
fn own(update: Option<&mut Update>, variable: &Variable) -> Result<()> {
    let Some(update) = update else { return Ok(()) };
    match variable.dtype() {
        DType::F64 => update.array().make_mut::<f64>().map(drop),
        DType::I64 => update.array().make_mut::<i64>().map(drop),
        _ => update.array().make_mut::<f32>().map(drop),
    }
}

/// Gives each of the scalars `into` its number.
pub(crate) fn fill(into: &mut [Array], numbers: &[f64]) {
    for (scalar, &number) in into.iter_mut().zip(numbers) {
        scalar.as_mut_slice::<f64>().into_iter().for_each(|x| x.fill(number));
        scalar.as_mut_slice::<f32>().into_iter().for_each(|x| x.fill(number as f32));
    }
}

/// Puts the updated copies into their variables and slots.
pub(crate) fn swap_in(slots: &SlotTable, copies: Copies) {
    for (entry, arrays) in copies {
        let entry = slots.entry(entry);
        for (variable, array) in std::iter::once(&entry.variable).chain(&entry.slots).zip(arrays) {
            *variable.update().array() = array;
        }
    }
}
