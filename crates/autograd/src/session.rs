//! The nodes that one thread records, shared by all of its tapes and its trace.
//!
//! Nodes stand in execution order in one flat list; each has a mask of the tapes that want it. A node is known by its
//! serial number, which no other node has: a handle that outlives its tape, or crosses to another thread, is never mistaken
//! for that of another node.
mod aliases;
mod block;
pub(crate) mod rerun;

pub(crate) use aliases::{Aliases, read_again};
pub(crate) use block::{Block, Read};
pub use rerun::{assign_variable, notes_assignments};

use crate::Tensor;
use crate::cut;
use crate::list::{List, NOWHERE, Node, Operand};
use crate::op::{Op, OpRef, Saves};
use crate::tensor::Place;
use slalom_array::Array;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The bit of the trace in a node's mask; the other bits are tapes.
pub(crate) const TRACE: u64 = 1 << 63;
/// Set beside them while results are checked.
pub(crate) const CHECK: u64 = 1 << 62;
/// The bits of all tapes.
pub(crate) const TAPES: u64 = !(TRACE | CHECK);
/// How many tapes may live on one thread at a time.
pub(crate) const MAX_TAPES: u32 = 62;
/// Beyond this many nodes the memory of the list, and that of a backward pass, is given back after use.
pub(crate) const KEPT_NODES: usize = 1 << 16;

/// What a thread knows of one variable.
#[derive(Clone, Copy, Default, PartialEq)]
struct VariableEntry {
    /// Of the node of the last read.
    place: Place,
    /// Of the variable's value at the last read.
    version: u64,
    /// Tapes that watch the variable explicitly.
    watched: u64,
}

pub(crate) struct Session {
    pub(crate) list: List,
    /// Bits of the tapes that live.
    live: u64,
    /// Of these, those that watch each trainable variable that is read.
    automatic: u64,
    /// By the variable's id.
    variables: Vec<VariableEntry>,
    /// Ids of variables that have been read more than once, with their earlier nodes.
    earlier: Vec<(u32, Place)>,
}

thread_local! {
    /// Bits of the tapes that record now.
    static RECORDING: Cell<u64> = const { Cell::new(0) };
    static SESSION: RefCell<Session> = const {
        RefCell::new(Session {
            list: List::EMPTY,
            live: 0,
            automatic: 0,
            variables: Vec::new(),
            earlier: Vec::new(),
        })
    };
}

/// The tapes (and the trace) that record now.
#[inline]
pub(crate) fn recording() -> u64 {
    RECORDING.get()
}

pub(crate) fn set_recording(mask: u64) {
    RECORDING.set(mask);
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Session) -> R) -> R {
    SESSION.with_borrow_mut(f)
}

/// While it lives, the trace of this thread does not record: an op that is applied may compute with tensors, and look at them.
pub(crate) struct Untraced(u64);

impl Untraced {
    #[inline]
    pub(crate) fn new() -> Untraced {
        let trace = recording() & TRACE;
        if trace != 0 {
            set_recording(recording() & !TRACE);
        }
        Untraced(trace)
    }
}

impl Drop for Untraced {
    #[inline]
    fn drop(&mut self) {
        if self.0 != 0 {
            set_recording(recording() | TRACE);
        }
    }
}

/// Whether a trace is recorded on this thread that the value depends on.
pub(crate) fn traces(place: Place) -> bool {
    recording() & TRACE != 0 && place.is_node() && with(|s| s.list.wanted(place) & TRACE != 0)
}

/// Whether a tape records that the value belongs to.
pub(crate) fn differentiates(place: Place) -> bool {
    recording() & TAPES != 0 && with(|s| s.list.wanted(place) & recording() & TAPES != 0)
}

impl Session {
    /// The node at a place, if it is still there.
    #[inline]
    pub(crate) fn node(&self, place: Place) -> Option<(u32, &Node)> {
        self.list.find(place).map(|index| (index as u32, &self.list.nodes()[index]))
    }

    /// Sees to it that there are serial numbers for what comes.
    pub(super) fn reserve(&mut self) {
        /// How many numbers a thread takes at a time.
        const BLOCK: u64 = 1 << 36;
        /// More than there are nodes on a list.
        const ENOUGH: u64 = 1 << 33;
        static BLOCKS: AtomicU64 = AtomicU64::new(BLOCK);
        let taken = self.list.next_serial() % BLOCK;
        if taken == 0 || taken > BLOCK - ENOUGH {
            // Not at the beginning of the block, to which a thread comes that has used up the one before.
            self.list.go_on_with(BLOCKS.fetch_add(BLOCK, Ordering::Relaxed) + 1);
        }
    }

    /// Whether the tape (or the trace) of `bit` lives; it may pause.
    pub(crate) fn lives(&self, bit: u64) -> bool {
        self.live & bit != 0
    }

    /// Whether the tape of `bit` is the only one that lives.
    pub(crate) fn only(&self, bit: u64) -> bool {
        self.live == bit
    }

    /// Calls `f` with each node of a variable on the tapes of `mask`, earlier ones first.
    #[inline]
    pub(crate) fn variable_nodes(&self, id: &VariableId, mask: u64, mut f: impl FnMut(u32)) {
        let mut visit = |place| match self.node(place) {
            Some((index, node)) if node.mask & mask != 0 => f(index),
            _ => {}
        };
        for &(_, place) in self.earlier.iter().filter(|&&(of, _)| of == id.0) {
            visit(place);
        }
        if let Some(entry) = self.variables.get(id.0 as usize) {
            visit(entry.place);
        }
    }
}

/// What to know of an op before it is recorded.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) saves: Saves,
    pub(crate) differentiable: bool,
}

/// Puts an op that has been applied on the list, if a tape that records wants it, and returns the place of its first
/// result.
pub(crate) fn record(
    op: &mut dyn FnMut() -> OpRef,
    facts: Facts,
    inputs: &[&Tensor],
    outputs: &[Array],
) -> Place {
    let recording = recording();
    with(|session| {
        let mut mask = recording & TRACE;
        let mut cut = Place::CONSTANT;
        for input in inputs {
            mask |= session.list.wanted(input.place) & recording;
            if input.place.as_cut().is_some() {
                cut = cut::join(cut, input.place);
            }
        }
        if mask == 0 {
            return cut;
        }
        let op = op();
        if !facts.differentiable || !outputs.iter().any(|output| output.dtype().is_float()) {
            if mask & TRACE == 0 {
                return cut::cut(mask, op.name(), inputs.iter().map(|input| input.place));
            }
            mask = TRACE;
        }
        session.list.operands(mask, facts.saves, inputs, outputs);
        session.list.push(mask, op, (inputs.len(), outputs.len()))
    })
}

/// Puts `tensor` on the tape of `bit` as something to differentiate with respect to, if it holds floats.
pub(crate) fn watch(bit: u64, tensor: &Tensor) -> Tensor {
    watch_as(OpRef::Static(&crate::ops::shape::Identity), bit, tensor)
}

/// As [`watch`], by an op of another name.
fn watch_as(op: OpRef, bit: u64, tensor: &Tensor) -> Tensor {
    if !tensor.dtype().is_float() {
        return tensor.clone();
    }
    with(|session| {
        let before = session.list.wanted(tensor.place);
        let known = if before != 0 { session.list.known(tensor.place) } else { (Place::CONSTANT, NOWHERE) };
        let constant = recording() & TRACE != 0 && before & TRACE == 0;
        session.list.operand(Operand::new(&tensor.array, known, constant));
        session.list.operand(Operand::new(&tensor.array, session.list.next(), false));
        let mask = (before | TRACE) & recording() | bit;
        let place = session.list.push(mask, op, (1, 1));
        Tensor::placed(tensor.array.clone(), place)
    })
}

// ---- tapes come and go ----

/// Begins a tape; its bit is 0 if there are too many. Returns the bit and the index of its first node.
pub(crate) fn open(bits: impl Fn(u64) -> u64, automatic: bool) -> (u64, usize) {
    with(|session| {
        let bit = bits(session.live);
        session.reserve();
        session.live |= bit;
        if automatic {
            session.automatic |= bit;
        }
        set_recording(recording() | bit);
        (bit, session.list.len())
    })
}

/// The lowest bit that no tape has.
pub(crate) fn free_bit(live: u64) -> u64 {
    match (!live).trailing_zeros() {
        MAX_TAPES.. => 0,
        bit => 1 << bit,
    }
}

/// Ends a tape: it stops recording, and nodes that no other tape wants are freed.
pub(crate) fn close(bit: u64, start: usize, watched: &[u32]) {
    set_recording(recording() & !bit);
    cut::close(bit);
    // Freed nodes are dropped after the session is released: what they hold may come back to it.
    let mut freed = Vec::new();
    let mut all = List::EMPTY;
    let _ = SESSION.try_with(|session| {
        let mut session = session.borrow_mut();
        let session = &mut *session;
        session.live &= !bit;
        session.automatic &= !bit;
        for &id in watched {
            session.variables[id as usize].watched &= !bit;
        }
        if session.live == 0 {
            all = session.list.take();
            session.earlier.clear();
            return;
        }
        let list = &mut session.list;
        let start = start.min(list.len());
        let mut kept = start;
        for index in start..list.len() {
            let node = list.node_mut(index);
            node.mask &= !bit;
            if node.mask == 0 {
                freed.extend(list.free(index));
            } else {
                kept = index + 1;
            }
        }
        list.truncate(kept);
        let Session { earlier, list, .. } = session;
        earlier.retain(|&(_, place)| list.wanted(place) != 0);
    });
    recycle(all);
}

/// Drops the nodes and keeps their memory for the next tape.
pub(crate) fn recycle(mut list: List) {
    list.truncate(0);
    if list.capacity() <= KEPT_NODES {
        let _ = SESSION.try_with(|session| {
            let mut session = session.borrow_mut();
            if session.list.capacity() < list.capacity() && session.list.len() == 0 {
                list.go_on_with(session.list.next_serial());
                session.list = list;
            }
        });
    }
}

// ---- variables ----

/// The number under which tapes know a variable; freed numbers are given out again.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct VariableId(u32);

static IDS: Mutex<(u32, Vec<u32>)> = Mutex::new((0, Vec::new()));

impl VariableId {
    /// A number that no living variable has.
    pub fn allocate() -> VariableId {
        let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.1.pop() {
            return VariableId(id);
        }
        ids.0 += 1;
        VariableId(ids.0 - 1)
    }
}

impl Drop for VariableId {
    fn drop(&mut self) {
        IDS.lock().unwrap_or_else(PoisonError::into_inner).1.push(self.0);
    }
}

/// A number for a new value of a variable; never given twice, so that a value is known by its version alone. A thread takes
/// many at a time, so that most cost nothing.
#[inline]
pub fn next_version() -> u64 {
    const BLOCK: u64 = 1 << 16;
    static BLOCKS: AtomicU64 = AtomicU64::new(BLOCK);
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    NEXT.with(|next| {
        let version = match next.get() {
            end if end % BLOCK == 0 => BLOCKS.fetch_add(BLOCK, Ordering::Relaxed),
            version => version,
        };
        next.set(version + 1);
        version
    })
}

/// The value of a variable as a tensor, recorded where a tape wants it: `value` is what the variable holds at
/// `version`, and `op` reads it again. Two reads of one version are one node.
#[inline]
pub fn read_variable(
    id: &VariableId,
    version: u64,
    trainable: bool,
    value: Array,
    op: impl FnOnce() -> Arc<dyn Op>,
) -> Tensor {
    if let Some(value) = rerun::value(id) {
        return value;
    }
    let recording = recording();
    if recording == 0 {
        return value.into();
    }
    with(|session| {
        let id = id.0 as usize;
        if session.variables.len() <= id {
            session.variables.resize(id + 1, VariableEntry::default());
        }
        let entry = session.variables[id];
        let automatic = if trainable { session.automatic } else { 0 };
        let tapes = if value.dtype().is_float() { entry.watched | automatic } else { 0 };
        let mask = (tapes | TRACE) & recording;
        if mask == 0 {
            return value.into();
        }
        if let Some((_, node)) = session.node(entry.place) {
            if entry.version == version && node.mask & mask == mask {
                return Tensor::placed(value, entry.place);
            }
            session.earlier.push((id as u32, entry.place));
        }
        session.list.operand(Operand::new(&value, session.list.next(), false));
        let place = session.list.push(mask, OpRef::Shared(op()), (0, 1));
        session.variables[id] = VariableEntry { place, version, watched: entry.watched };
        Tensor::placed(value, place)
    })
}

/// Makes the next read of the variable a new node: its value was assigned in a trace, which changes it only when the
/// trace is replayed.
pub fn forget_variable(id: &VariableId) {
    with(|session| {
        if let Some(entry) = session.variables.get_mut(id.0 as usize) {
            entry.version = 0;
        }
    });
}

/// Has the tape of `bit` watch a variable; returns what [`close`] must know.
pub(crate) fn watch_variable(bit: u64, id: &VariableId) -> u32 {
    with(|session| {
        let index = id.0 as usize;
        if session.variables.len() <= index {
            session.variables.resize(index + 1, VariableEntry::default());
        }
        session.variables[index].watched |= bit;
    });
    id.0
}
