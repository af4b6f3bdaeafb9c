//! What a closure records: the end of the thread's list, from when the closure began.
use super::{Session, TAPES, TRACE, VariableId, recording, with};
use crate::Tensor;
use crate::list::Recorded;
use crate::op::OpRef;
use crate::tensor::Place;
use slalom_array::{Array, Result};
use std::mem::ManuallyDrop;

/// A variable that a closure has read, on the tapes that record.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) id: ManuallyDrop<VariableId>,
    pub(crate) version: u64,
    /// The value in its place.
    pub(crate) value: Tensor,
}

/// The nodes that were recorded since it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    start: u32,
    /// The tapes that record.
    tapes: u64,
    /// The tapes that lived then.
    live: u64,
}

impl Block {
    pub(crate) fn begin() -> Block {
        let tapes = recording() & TAPES;
        with(|s| Block { start: s.list.len() as u32, tapes, live: s.live })
    }

    /// Whether any tape records.
    pub(crate) fn is_recorded(&self) -> bool {
        self.tapes != 0
    }

    /// Whether the value of `place` was computed in the block.
    pub(crate) fn computed(&self, place: Place) -> bool {
        with(|s| s.node(place).is_some_and(|(i, _)| i >= self.start && !s.is_read(i, self.tapes)))
    }

    /// Whether an op of the block, or `result`, is of the value at `place`.
    pub(crate) fn uses(&self, place: Place, result: &Tensor) -> bool {
        result.place == place || with(|s| self.operands(s).any(|operand| operand == place))
    }

    /// The name of an op that does something, which would be done twice if the closure was run again; of random ops that
    /// is known not to be so.
    pub(crate) fn effect(&self) -> Option<&'static str> {
        with(|session| {
            let mut ops = (self.start as usize..session.list.len())
                .filter(|&index| session.list.nodes()[index].mask & self.tapes != 0)
                .filter_map(|index| session.list.recorded(index));
            let effect = |op: &OpRef| op.has_effect() && op.name() != "dropout";
            ops.find(|recorded| effect(recorded.op)).map(|recorded| recorded.op.name())
        })
    }

    /// Places of the operands of the block's ops, as far as the tapes want them.
    fn operands<'a>(&self, session: &'a Session) -> impl Iterator<Item = Place> + use<'a> {
        let tapes = self.tapes;
        let nodes = self.start as usize..session.list.len();
        nodes
            .filter(move |&index| session.list.nodes()[index].mask & tapes != 0)
            .filter_map(|index| session.list.recorded(index))
            .flat_map(|recorded| recorded.inputs.iter().map(|input| input.place()))
    }

    /// What the block's ops, and `results`, take from outside of it, each place once, in order of first use: variables
    /// that were read, in the block or before, and other values that the tapes know.
    pub(crate) fn operands_from_outside(&self, results: &[Tensor]) -> (Vec<Place>, Vec<Place>) {
        with(|session| {
            let (mut reads, mut others) = (Vec::new(), Vec::new());
            for place in self.operands(session).chain(results.iter().map(|result| result.place)) {
                let Some((index, node)) = session.node(place) else { continue };
                let outside = index < self.start && node.mask & self.tapes != 0;
                let list = match session.is_read(index, self.tapes) {
                    true => &mut reads,
                    false if outside && session.variable_at(place).is_some() => &mut reads,
                    false if outside => &mut others,
                    false => continue,
                };
                if !list.contains(&place) {
                    list.push(place);
                }
            }
            (reads, others)
        })
    }

    /// The variables behind places of reads.
    pub(crate) fn reads(&self, places: &[Place]) -> Result<Vec<Read>> {
        let read = |&place: &Place| {
            let found = with(|session| {
                let (index, _) = session.node(place)?;
                let (id, version) = session.variable_at(place)?;
                Some((id, version, session.list.recorded(index as usize)?.op.clone()))
            });
            let (id, version, op) = found.expect("a read that the session knows");
            // The node may hold only the shape; nobody has assigned the variable since.
            let value: Option<Array> = op.forward(&[])?.pop();
            Ok(Read { id, version, value: Tensor::placed(value.expect("the value that was read"), place) })
        };
        places.iter().map(read).collect()
    }

    /// Takes all nodes of the block off the tapes but the variables that were read, which may move. Not while a trace
    /// records, which needs them, nor if tapes were made in the block that still live.
    pub(crate) fn forget(&self, reads: &mut [Read]) {
        // What nodes hold may come back to the session when it is dropped.
        let mut freed = Vec::new();
        with(|session| {
            if recording() & TRACE != 0 || session.live != self.live {
                return;
            }
            let (start, end) = (self.start, session.list.len() as u32);
            let mut kept = Vec::new();
            for index in (start..end).filter(|&index| session.is_read(index, TAPES)) {
                let node = &session.list.nodes()[index as usize];
                let before = node.place();
                let Some(Recorded { op, outputs, .. }) = session.list.recorded(index as usize) else {
                    continue;
                };
                kept.push((before, node.mask, op.clone(), outputs[0].clone()));
            }
            freed.extend((start..end).filter_map(|index| session.list.free(index as usize)));
            session.list.truncate(start as usize);
            session.reserve();
            for (before, mask, op, value) in kept {
                session.list.operand(value.placed(session.list.next()));
                let after = session.list.push(mask, op, (0, 1));
                session.move_variable(before, after);
                for read in reads.iter_mut().filter(|read| read.value.place == before) {
                    read.value.place = after;
                }
            }
        });
    }
}

impl Session {
    /// Whether a node is the read of a variable: no other node on a tape is without inputs.
    fn is_read(&self, index: u32, tapes: u64) -> bool {
        let index = index as usize;
        self.list.nodes()[index].mask & tapes & TAPES != 0
            && self.list.recorded(index).is_some_and(|recorded| recorded.inputs.is_empty())
    }
}
