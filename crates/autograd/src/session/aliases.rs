//! Variables by the nodes of their reads, and reads that are other nodes for a while.
use super::{Session, VariableEntry, VariableId, watch_as, with};
use crate::Tensor;
use crate::op::{Gradients, Op, OpRef, Outputs, Saves, Vjp, one};
use crate::tensor::Place;
use slalom_array::{Array, Result};
use smallvec::smallvec;
use std::mem::ManuallyDrop;
use std::sync::Arc;

impl VariableId {
    /// Another handle to the number, for as long as the variable lives.
    pub(crate) fn alias(&self) -> ManuallyDrop<VariableId> {
        ManuallyDrop::new(VariableId(self.0))
    }
}

impl Session {
    /// The variable whose read is at `place`, and its version at the last read.
    pub(super) fn variable_at(&self, place: Place) -> Option<(ManuallyDrop<VariableId>, u64)> {
        if !place.is_node() {
            return None;
        }
        let earlier = self.earlier.iter().find(|&&(_, of)| of == place).map(|&(id, _)| id);
        let last = || self.variables.iter().position(|entry| entry.place == place);
        let id = earlier.or_else(|| last().map(|id| id as u32))?;
        Some((ManuallyDrop::new(VariableId(id)), self.variables[id as usize].version))
    }

    /// Notes that the read of a variable has moved.
    pub(super) fn move_variable(&mut self, before: Place, after: Place) {
        for entry in self.variables.iter_mut().filter(|entry| entry.place == before) {
            entry.place = after;
        }
        for entry in self.earlier.iter_mut().filter(|entry| entry.1 == before) {
            entry.1 = after;
        }
    }
}

/// The value of a variable at an earlier read.
#[derive(Debug)]
struct ReadAgain(Array);

impl Op for ReadAgain {
    fn name(&self) -> &'static str {
        "read_variable"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![inputs.first().map_or(&self.0, |&value| value).clone()])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(cx.grad()?)
    }
}

/// Puts the value of an earlier read on the tape of `bit`, to stand for the variable.
pub(crate) fn read_again(bit: u64, value: &Tensor) -> Tensor {
    watch_as(OpRef::Shared(Arc::new(ReadAgain(value.array.clone()))), bit, value)
}

/// Has variables appear as other nodes while it lives: a read of the given version is that node.
pub(crate) struct Aliases(Vec<Alias>);

struct Alias {
    id: u32,
    before: VariableEntry,
    alias: VariableEntry,
}

impl Aliases {
    /// Variables, each once, that a tape watches.
    pub(crate) fn new<'a>(variables: impl Iterator<Item = (&'a VariableId, u64, Place)>) -> Aliases {
        let alias = |(id, version, place): (&VariableId, u64, Place)| {
            with(|session| {
                let entry = &mut session.variables[id.0 as usize];
                let before = *entry;
                *entry = VariableEntry { place, version, watched: before.watched };
                Alias { id: id.0, before, alias: *entry }
            })
        };
        Aliases(variables.map(alias).collect())
    }

    /// Whether a read has found another version.
    pub(crate) fn assigned(&self) -> bool {
        with(|s| self.0.iter().any(|a| s.variables[a.id as usize].version != a.alias.version))
    }

    /// Whether the variable of a node has been read as another node.
    pub(crate) fn displaced(&self, place: Place) -> bool {
        let of = |a: &&Alias| a.alias.place == place;
        self.0.iter().find(of).is_some_and(|a| with(|s| s.variables[a.id as usize] != a.alias))
    }
}

impl Drop for Aliases {
    fn drop(&mut self) {
        with(|session| {
            for Alias { id, before, alias } in &self.0 {
                let last = std::mem::replace(&mut session.variables[*id as usize], *before);
                session.earlier.retain(|entry| *entry != (*id, alias.place));
                if last != *alias {
                    session.earlier.push((*id, last.place));
                }
            }
        });
    }
}
