//! The commit: variables and slots change.
use super::average::Blend;
use super::constrain::Copies;
use super::{Target, check, decay};
use crate::slots::SlotTable;
use crate::{Item, Rule, Step};
use slalom_array::{Array, Result};
use slalom_variable::{Update, Variable};
use smallvec::SmallVec;
use std::sync::{Mutex, PoisonError};

/// Held while a step waits for values. A step that has taken all of its values needs nothing more to finish, so only
/// steps that are still taking could wait for each other; there is one of those at a time.
static TAKING: Mutex<()> = Mutex::new(());

/// The values of a step, taken out of their variables. They are put back when this is dropped.
pub(crate) struct Taken<'a> {
    /// For each target the variable's value, then those of its slots and the average.
    values: SmallVec<[Update<'a>; 4]>,
    /// The number of steps.
    count: Update<'a>,
}

impl<'a> Taken<'a> {
    /// Takes the values out, ready to be changed in place.
    ///
    /// # Errors
    /// [`Memory`](slalom_array::ErrorKind::Memory), if a value is shared and there is none for a copy;
    /// [`Shape`](slalom_array::ErrorKind::Shape) or [`DType`](slalom_array::ErrorKind::DType), if a value is not of its
    /// variable's. Nothing has changed then.
    pub(crate) fn new(
        slots: &'a SlotTable,
        targets: &[&Target],
        iterations: &'a Variable,
        blend: Option<Blend>,
    ) -> Result<Taken<'a>> {
        let take = |waits: bool| -> Result<Option<Taken<'a>>> {
            let take = |variable: &'a Variable| -> Result<Option<Update<'a>>> {
                let value = if waits { Some(variable.update()) } else { variable.try_update() };
                let Some(mut value) = value else { return Ok(None) };
                check::own(value.array(), variable)?;
                Ok(Some(value))
            };
            let mut values: SmallVec<[Update<'a>; 4]> = SmallVec::with_capacity(targets.len());
            for target in targets {
                for variable in slots.parts(target.entry, blend) {
                    let Some(value) = take(variable)? else { return Ok(None) };
                    values.push(value);
                }
            }
            Ok(take(iterations)?.map(|count| Taken { values, count }))
        };
        if let Some(taken) = take(false)? {
            return Ok(taken);
        }
        let _taking = TAKING.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(take(true)?.expect("each value comes back"))
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
        blend: Option<Blend>,
    ) -> Result<()> {
        let mut items: SmallVec<[Item<'_>; 2]> = SmallVec::with_capacity(targets.len());
        let mut averages: SmallVec<[&mut Array; 2]> = SmallVec::new();
        let each = self.values.len().checked_div(targets.len()).unwrap_or(1);
        for (arrays, target) in self.values.chunks_exact_mut(each).zip(targets) {
            let (slots, average) = arrays.split_at_mut(each - blend.is_some() as usize);
            let mut slots = slots.iter_mut().map(Update::array);
            let Some(value) = slots.next() else { continue };
            let (group, kept) = (target.group, steps[target.group].kept);
            items.push(Item { value, slots: slots.collect(), update: &target.update, group, kept });
            if let [average] = average {
                averages.push(average.array());
            }
        }
        decay::decay(rule, &mut items)?;
        rule.update(steps, &mut items)?;
        if let Some(blend) = blend {
            for (item, average) in items.iter_mut().zip(averages) {
                blend.apply(item.value(), average)?;
            }
        }
        Ok(())
    }

    /// Sets the number of steps, and puts everything back.
    pub(crate) fn count(mut self, steps: i64) {
        self.count.array().as_mut_slice::<i64>().into_iter().for_each(|count| count.fill(steps));
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
pub(crate) fn swap_in(slots: &SlotTable, copies: Copies, blend: Option<Blend>) {
    for (entry, arrays) in copies {
        for (variable, array) in slots.parts(entry, blend).zip(arrays) {
            *variable.update().array() = array;
        }
    }
}
