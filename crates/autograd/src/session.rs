//! The nodes that one thread records, shared by all of its tapes and its trace.
//!
//! Nodes stand in execution order in one flat list; each has a mask of the tapes that want it. A node is known by its
//! index and the *epoch* in which it was recorded: when nodes are freed a new epoch begins, so that a handle that
//! outlives its tape, or crosses to another thread, is never mistaken for a handle of a later node.
use crate::Tensor;
use crate::op::{Op, OpRef};
use crate::tensor::{Name, Place};
use slalom_array::{Array, DType, Shape};
use smallvec::{SmallVec, smallvec};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The bit of the trace in a node's mask; the other bits are tapes.
pub(crate) const TRACE: u64 = 1 << 63;
/// How many tapes may live on one thread at a time.
pub(crate) const MAX_TAPES: u32 = 63;
/// Beyond this many nodes the memory of the list, and that of a backward pass, is given back after use.
pub(crate) const KEPT_NODES: usize = 1 << 16;

static EPOCH: AtomicU64 = AtomicU64::new(1);

/// Arrays of at most this many elements are kept whole even where only shape and type are wanted: that is cheaper than
/// to note both. Debug builds do not, so that an op which needs more than it [`saves`](Op::saves) is found.
const SMALL: Option<usize> = if cfg!(debug_assertions) { None } else { Some(16) };

/// A value as a node keeps it: whole, or only its shape and type.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Saved(Array),
    Meta(Box<(Shape, DType)>),
}

impl Value {
    #[inline]
    fn new(array: &Array, save: bool) -> Value {
        match save || SMALL.is_some_and(|small| array.len() <= small) {
            true => Value::Saved(array.clone()),
            false => Value::Meta(Box::new((array.shape().clone(), array.dtype()))),
        }
    }

    #[inline]
    pub(crate) fn array(&self) -> Option<&Array> {
        match self {
            Value::Saved(array) => Some(array),
            Value::Meta(_) => None,
        }
    }

    #[inline]
    pub(crate) fn shape(&self) -> &Shape {
        match self {
            Value::Saved(array) => array.shape(),
            Value::Meta(meta) => &meta.0,
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        match self {
            Value::Saved(array) => array.dtype(),
            Value::Meta(meta) => meta.1,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node holds of the op that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) op: OpRef,
    pub(crate) inputs: SmallVec<[Input; 2]>,
    pub(crate) outputs: SmallVec<[Value; 1]>,
}

impl Recorded {
    pub(crate) fn output_meta(&self, i: usize) -> (Shape, DType) {
        (self.outputs[i].shape().clone(), self.outputs[i].dtype())
    }
}

/// One recorded value. An op of several results takes as many nodes; the first holds the op.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) epoch: u64,
    /// The tapes that want it.
    pub(crate) mask: u64,
    pub(crate) recorded: Option<Recorded>,
}

/// What a thread knows of one variable.
#[derive(Clone, Copy, Default)]
struct VariableEntry {
    /// The node of the last read, valid while its epoch is.
    epoch: u64,
    index: u32,
    /// Of the variable's value at the last read.
    version: u64,
    /// Tapes that watch the variable explicitly.
    watched: u64,
}

pub(crate) struct Session {
    pub(crate) nodes: Vec<Node>,
    epoch: u64,
    /// Bits of the tapes that live.
    live: u64,
    /// Of these, those that watch each trainable variable that is read.
    automatic: u64,
    /// By the variable's id.
    variables: Vec<VariableEntry>,
    /// Earlier nodes of variables that have been read more than once: id, epoch, index.
    earlier: Vec<(u32, u64, u32)>,
}

thread_local! {
    /// Bits of the tapes that record now.
    static RECORDING: Cell<u64> = const { Cell::new(0) };
    static SESSION: RefCell<Session> = const {
        RefCell::new(Session {
            nodes: Vec::new(),
            epoch: 0,
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

/// Whether a trace is recorded on this thread that the value depends on.
pub(crate) fn traces(place: Place) -> bool {
    recording() & TRACE != 0
        && matches!(place, Place::Node { .. })
        && with(|s| s.node(place).is_some_and(|(_, node)| node.mask & TRACE != 0))
}

impl Session {
    /// The node at a place, if it is still there.
    #[inline]
    pub(crate) fn node(&self, place: Place) -> Option<(u32, &Node)> {
        let Place::Node { epoch, index } = place else { return None };
        self.nodes.get(index as usize).filter(|node| node.epoch == epoch).map(|node| (index, node))
    }

    fn push(&mut self, mask: u64, recorded: Recorded) -> Place {
        let index = self.nodes.len() as u32;
        let more = recorded.outputs.len() - 1;
        self.nodes.push(Node { epoch: self.epoch, mask, recorded: Some(recorded) });
        for _ in 0..more {
            self.nodes.push(Node { epoch: self.epoch, mask, recorded: None });
        }
        Place::Node { epoch: self.epoch, index }
    }

    fn next_epoch(&mut self) {
        self.epoch = EPOCH.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the tape of `bit` is the only one that lives.
    pub(crate) fn only(&self, bit: u64) -> bool {
        self.live == bit
    }

    /// The nodes of a variable on the tapes of `mask`.
    pub(crate) fn variable_nodes(&self, id: &VariableId, mask: u64) -> SmallVec<[u32; 2]> {
        let last = self.variables.get(id.0 as usize).map(|entry| (id.0, entry.epoch, entry.index));
        let all = self.earlier.iter().copied().filter(|&(of, ..)| of == id.0).chain(last);
        all.filter_map(|(_, epoch, index)| self.node(Place::Node { epoch, index }))
            .filter(|(_, node)| node.mask & mask != 0)
            .map(|(index, _)| index)
            .collect()
    }
}

/// Puts an op that has been applied on the list, if a tape that records wants it, and returns the place of its first
/// result.
pub(crate) fn record(op: &mut dyn FnMut() -> OpRef, inputs: &[&Tensor], outputs: &[Array]) -> Place {
    let recording = recording();
    with(|session| {
        let mut mask = recording & TRACE;
        let mut cut = Place::Constant;
        // A handle whose node is gone counts as a constant from here on.
        let mut places: SmallVec<[(Place, u64); 4]> = SmallVec::new();
        for input in inputs {
            let wants = session.node(input.place).map(|(_, node)| node.mask);
            if let Place::Cut(_) = input.place {
                cut = input.place;
            }
            mask |= wants.unwrap_or(0) & recording;
            places.push((if wants.is_some() { input.place } else { Place::Constant }, wants.unwrap_or(0)));
        }
        if mask == 0 {
            return cut;
        }
        let op = op();
        if !op.is_differentiable() || !outputs[0].dtype().is_float() {
            if mask & TRACE == 0 {
                return Place::Cut(interned(op.name()));
            }
            mask = TRACE;
        }
        let (save_inputs, save_outputs) = saves(&op, mask);
        let mut recorded = Recorded { op, inputs: SmallVec::new(), outputs: SmallVec::new() };
        for (input, (place, wants)) in inputs.iter().zip(places) {
            // A trace keeps what it does not compute itself.
            let constant = mask & TRACE != 0 && wants & TRACE == 0;
            recorded.inputs.push(Input { place, value: Value::new(&input.array, save_inputs || constant) });
        }
        for array in outputs {
            recorded.outputs.push(Value::new(array, save_outputs));
        }
        session.push(mask, recorded)
    })
}

/// Whether the tapes of `mask` need the values of inputs and of outputs.
fn saves(op: &OpRef, mask: u64) -> (bool, bool) {
    use crate::Saves::{Both, Inputs, Nothing, Outputs};
    match op.saves() {
        _ if mask == TRACE => (false, false),
        Nothing => (false, false),
        Inputs => (true, false),
        Outputs => (false, true),
        Both => (true, true),
    }
}

/// One place for each name of an op, so that a tensor refers to it by one pointer.
fn interned(name: &'static str) -> Name {
    static NAMES: Mutex<Vec<Name>> = Mutex::new(Vec::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| ***known == name) {
        return known;
    }
    let new: Name = Box::leak(Box::new(name));
    names.push(new);
    new
}

/// Puts `tensor` on the tape of `bit` as something to differentiate with respect to.
pub(crate) fn watch(bit: u64, tensor: &Tensor) -> Tensor {
    with(|session| {
        let before = session.node(tensor.place).map_or(0, |(_, node)| node.mask);
        let recorded = Recorded {
            op: OpRef::Static(&crate::ops::shape::Identity),
            inputs: smallvec![Input {
                place: if before != 0 { tensor.place } else { Place::Constant },
                value: Value::new(&tensor.array, recording() & TRACE != 0 && before & TRACE == 0),
            }],
            outputs: smallvec![Value::new(&tensor.array, false)],
        };
        let mask = (before | TRACE) & recording() | bit;
        let place = session.push(mask, recorded);
        Tensor::placed(tensor.array.clone(), place)
    })
}

// ---- tapes come and go ----

/// Begins a tape; its bit is 0 if there are too many. Returns the bit and the index of its first node.
pub(crate) fn open(bits: impl Fn(u64) -> u64, automatic: bool) -> (u64, usize) {
    with(|session| {
        let bit = bits(session.live);
        if session.live == 0 {
            session.next_epoch();
        }
        session.live |= bit;
        if automatic {
            session.automatic |= bit;
        }
        set_recording(recording() | bit);
        (bit, session.nodes.len())
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
    // Freed nodes are dropped after the session is released: what they hold may come back to it.
    let mut freed = Vec::new();
    let _ = SESSION.try_with(|session| {
        let mut session = session.borrow_mut();
        let session = &mut *session;
        session.live &= !bit;
        session.automatic &= !bit;
        for &id in watched {
            session.variables[id as usize].watched &= !bit;
        }
        if session.live == 0 {
            freed = std::mem::take(&mut session.nodes);
            session.earlier.clear();
        } else {
            let start = start.min(session.nodes.len());
            for node in &mut session.nodes[start..] {
                node.mask &= !bit;
                if node.mask == 0 && node.recorded.is_some() {
                    freed.push(Node { epoch: 0, mask: 0, recorded: node.recorded.take() });
                }
            }
            while session.nodes.len() > start && session.nodes.last().is_some_and(|node| node.mask == 0) {
                session.nodes.pop();
            }
            session.next_epoch();
            let Session { earlier, nodes, .. } = session;
            earlier.retain(|&(_, epoch, index)| {
                nodes.get(index as usize).is_some_and(|node| node.epoch == epoch && node.mask != 0)
            });
        }
    });
    recycle(freed);
}

/// Drops the nodes and keeps their memory for the next tape.
pub(crate) fn recycle(mut nodes: Vec<Node>) {
    nodes.clear();
    if nodes.capacity() <= KEPT_NODES {
        let _ = SESSION.try_with(|session| {
            let mut session = session.borrow_mut();
            if session.nodes.is_empty() && session.nodes.capacity() < nodes.capacity() {
                session.nodes = nodes;
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

static VERSION: AtomicU64 = AtomicU64::new(1);

/// A number for a new value of a variable; never given twice, so that a value is known by its version alone.
#[inline]
pub fn next_version() -> u64 {
    VERSION.fetch_add(1, Ordering::Relaxed)
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
        let mask = (entry.watched | automatic | TRACE) & recording;
        if mask == 0 {
            return value.into();
        }
        let last = Place::Node { epoch: entry.epoch, index: entry.index };
        if let Some((_, node)) = session.node(last) {
            if entry.version == version && node.mask & mask == mask {
                return Tensor::placed(value, last);
            }
            session.earlier.push((id as u32, entry.epoch, entry.index));
        }
        let output = Value::new(&value, false);
        let op = OpRef::Shared(op());
        let place = session.push(mask, Recorded { op, inputs: smallvec![], outputs: smallvec![output] });
        if let Place::Node { epoch, index } = place {
            let watched = entry.watched;
            session.variables[id] = VariableEntry { epoch, index, version, watched };
        }
        Tensor::placed(value, place)
    })
}

/// Makes the next read of the variable a new node: its value was assigned in a trace, which changes it only when the
/// trace is replayed.
pub fn forget_variable(id: &VariableId) {
    with(|session| {
        if let Some(entry) = session.variables.get_mut(id.0 as usize) {
            let earlier = (id.0, entry.epoch, entry.index);
            entry.version = 0;
            session.earlier.push(earlier);
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
