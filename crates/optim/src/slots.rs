//! Which slots belong to which variable.
use crate::rule::{Extent, Initial};
use crate::stages::accumulate::rows;
use crate::stages::average::Blend;
use crate::{Rule, SlotOrder, SlotSpec};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use slalom_variable::Variable;
use smallvec::SmallVec;
use std::collections::HashMap;

/// A variable that the optimizer has updated, and its slots.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) variable: Variable,
    pub(crate) slots: SmallVec<[Variable; 2]>,
    /// The step that last asked for the entry, and how often it has.
    asked: (u64, usize),
}

/// All slots of an optimizer.
#[derive(Debug, Default)]
pub(crate) struct SlotTable {
    entries: Vec<Entry>,
    /// How many entries belong to steps that have been done; those behind them are of a step that failed.
    kept: usize,
    /// By the address of the variable's id, which the entry keeps alive.
    index: HashMap<usize, usize>,
    /// The entry for each position of the last list of variables: lists rarely change between steps.
    order: Vec<usize>,
    step: u64,
    /// All slots, in the order of their creation.
    created: Vec<Variable>,
    /// How many of a variable's slots are the rule's; those of stages stand behind them.
    of_rule: usize,
}

fn address(variable: &Variable) -> usize {
    std::ptr::from_ref(variable.id()).addr()
}

/// Refuses names under which a state could not be kept: those that repeat, and those with the `/` that divides the parts of a
/// longer name.
///
/// # Errors
/// [`Argument`](ErrorKind::Argument), with the name.
pub(crate) fn check_names((what, names): (&'static str, Vec<&str>)) -> Result<()> {
    for (i, name) in names.iter().enumerate() {
        if name.contains('/') || names[..i].contains(name) {
            let expected = "names without `/` that do not repeat";
            return Err(Error::new(ErrorKind::Argument, what, expected, format_args!("{name:?}")));
        }
    }
    Ok(())
}

impl SlotTable {
    /// Begins a step: forgets what a failed one has left.
    pub(crate) fn begin(&mut self) {
        for entry in self.entries.drain(self.kept..) {
            self.index.remove(&address(&entry.variable));
        }
        self.step += 1;
    }

    /// The entry of the variable at a position of the list, and how often the list had it before. The entry is new
    /// where it has to be; its slots are made by [`create`](SlotTable::create).
    #[inline]
    pub(crate) fn find(&mut self, position: usize, variable: &Variable) -> (usize, usize) {
        let known = self.order.get(position).copied();
        let known = known.filter(|&i| self.entries.get(i).is_some_and(|entry| entry.variable.same(variable)));
        let i = known.unwrap_or_else(|| self.search(position, variable));
        let asked = &mut self.entries[i].asked;
        *asked = if asked.0 == self.step { (self.step, asked.1 + 1) } else { (self.step, 0) };
        (i, asked.1)
    }

    #[cold]
    fn search(&mut self, position: usize, variable: &Variable) -> usize {
        let new = self.entries.len();
        let i = *self.index.entry(address(variable)).or_insert(new);
        if i == new {
            let entry = Entry { variable: variable.clone(), slots: SmallVec::new(), asked: (0, 0) };
            self.entries.push(entry);
        }
        if position < self.order.len() {
            self.order[position] = i;
        } else {
            self.order.push(i);
        }
        i
    }

    /// Whether the step has the entry's variable more than once.
    #[inline]
    pub(crate) fn repeats(&self, i: usize) -> bool {
        self.entries[i].asked.1 > 0
    }

    #[inline]
    pub(crate) fn entry(&self, i: usize) -> &Entry {
        &self.entries[i]
    }

    /// All entries, those of the present step with them.
    #[inline]
    pub(crate) fn all(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries of steps that have been done.
    pub(crate) fn kept(&self) -> &[Entry] {
        &self.entries[..self.kept]
    }

    /// What a step changes of an entry: the variable, the rule's slots and, if there is one, the average.
    #[inline]
    pub(crate) fn parts(&self, i: usize, blend: Option<Blend>) -> impl Iterator<Item = &Variable> {
        let entry = &self.entries[i];
        let average = blend.map(|blend| &entry.slots[blend.slot]);
        std::iter::once(&entry.variable).chain(&entry.slots[..self.of_rule]).chain(average)
    }

    /// The entries that the present step has not asked for.
    pub(crate) fn idle(&self) -> impl Iterator<Item = &Entry> {
        self.entries[..self.kept].iter().filter(|entry| entry.asked.0 != self.step)
    }

    /// How often the present step has asked for the entry, but for the first time.
    #[inline]
    pub(crate) fn last_round(&self, i: usize) -> usize {
        self.entries[i].asked.1
    }

    /// Makes the slots of new entries.
    ///
    /// # Errors
    /// [`Memory`](slalom_array::ErrorKind::Memory).
    #[inline]
    pub(crate) fn create(&mut self, rule: &dyn Rule, specs: &[SlotSpec], optimizer: &str) -> Result<()> {
        if self.entries.len() == self.kept {
            return Ok(());
        }
        self.of_rule = specs.iter().filter(|spec| spec.extent == Extent::Rule).count();
        for entry in &mut self.entries[self.kept..] {
            for (k, spec) in specs.iter().enumerate() {
                let value = match spec.initial {
                    Initial::Variable => entry.variable.array().copy()?,
                    Initial::Number(number) => {
                        let dtype = spec.dtype.unwrap_or(entry.variable.dtype());
                        let shape = match spec.extent {
                            Extent::Rule => rule.slot_shape(k, &entry.variable),
                            Extent::Variable => entry.variable.shape().clone(),
                            Extent::Rows => Shape::from([rows(&entry.variable)]),
                        };
                        Array::full(shape, number, dtype)?
                    }
                };
                let name = format!("{optimizer}/{}/{}", entry.variable.name(), spec.name);
                entry.slots.push(Variable::new(value).named(name).untrainable());
            }
        }
        Ok(())
    }

    /// Keeps the entries of the step.
    #[inline]
    pub(crate) fn keep(&mut self, order: SlotOrder) {
        if self.entries.len() == self.kept {
            return;
        }
        let new = &self.entries[self.kept..];
        match order {
            SlotOrder::VariableMajor => {
                self.created.extend(new.iter().flat_map(|entry| entry.slots.iter().cloned()));
            }
            SlotOrder::SlotMajor => {
                let slots = new.first().map_or(0, |entry| entry.slots.len());
                for k in 0..slots {
                    self.created.extend(new.iter().map(|entry| entry.slots[k].clone()));
                }
            }
        }
        self.kept = self.entries.len();
    }

    /// The slots of a variable.
    pub(crate) fn of(&self, variable: &Variable) -> Option<&[Variable]> {
        let i = *self.index.get(&address(variable))?;
        self.entries[..self.kept].get(i).map(|entry| &entry.slots[..])
    }

    /// The element type of the first variable.
    pub(crate) fn first_dtype(&self) -> DType {
        self.entries.first().map_or(DType::F32, |entry| entry.variable.dtype())
    }

    /// Puts the slots into the order of their creation, as someone else knows it.
    pub(crate) fn reorder(&mut self, place: impl FnMut(&Variable) -> usize) {
        self.created.sort_by_cached_key(place);
    }

    /// All slots, in the order of their creation.
    pub(crate) fn created(&self) -> &[Variable] {
        &self.created
    }
}
