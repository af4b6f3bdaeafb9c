//! The list of nodes: which op was applied to what, in execution order.
use crate::Tensor;
use crate::op::{OpRef, Saves};
use crate::session::TRACE;
use crate::tensor::Place;
use slalom_array::{Array, DType, Shape};

/// Arrays of at most this many elements are kept whole even where only shape and type are wanted: that is cheaper than
/// to note both. Debug builds do not, so that an op which needs more than it [`saves`](crate::Op::saves) is found.
const SMALL: Option<usize> = if cfg!(debug_assertions) { None } else { Some(16) };

/// There are never so many nodes.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// An input or a result of an op.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    /// The index of the node whose value it is; `NOWHERE`, if it is that of none.
    pub(crate) node: u32,
    kept: Kept,
}

/// A value as a node keeps it: whole, or only where it stands, and its shape and type.
#[derive(Debug, Clone)]
enum Kept {
    Whole(Tensor),
    /// Of shape `[]`.
    Scalar(Place, DType),
    Meta(Place, Box<(Shape, DType)>),
}

impl Operand {
    const NOTHING: Operand = Operand { node: NOWHERE, kept: Kept::Scalar(Place::CONSTANT, DType::F32) };

    #[inline(always)]
    pub(crate) fn new(array: &Array, (place, node): (Place, u32), save: bool) -> Operand {
        let whole = || Kept::Whole(Tensor::placed(array.clone(), place));
        let kept = match array.rank() {
            _ if save => whole(),
            0 => Kept::Scalar(place, array.dtype()),
            _ if SMALL.is_some_and(|small| array.len() <= small) => whole(),
            _ => Kept::Meta(place, Box::new((array.shape().clone(), array.dtype()))),
        };
        Operand { node, kept }
    }

    /// The whole value, if it is kept.
    #[inline]
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match &self.kept {
            Kept::Whole(tensor) => Some(tensor),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> Place {
        match &self.kept {
            Kept::Whole(tensor) => tensor.place,
            Kept::Scalar(place, _) | Kept::Meta(place, _) => *place,
        }
    }

    /// The same value elsewhere.
    pub(crate) fn placed(mut self, (place, node): (Place, u32)) -> Operand {
        self.node = node;
        match &mut self.kept {
            Kept::Whole(tensor) => tensor.place = place,
            Kept::Scalar(before, _) | Kept::Meta(before, _) => *before = place,
        }
        self
    }

    #[inline]
    pub(crate) fn shape(&self) -> &Shape {
        match &self.kept {
            Kept::Whole(tensor) => tensor.shape(),
            Kept::Scalar(..) => const { &Shape::SCALAR },
            Kept::Meta(_, meta) => &meta.0,
        }
    }

    #[inline]
    pub(crate) fn dtype(&self) -> DType {
        match &self.kept {
            Kept::Whole(tensor) => tensor.dtype(),
            Kept::Scalar(_, dtype) => *dtype,
            Kept::Meta(_, meta) => meta.1,
        }
    }
}

/// One recorded value. An op of several results takes as many nodes; the first holds the op.
#[derive(Debug)]
pub(crate) struct Node {
    serial: u64,
    /// The tapes that want it.
    pub(crate) mask: u64,
    op: Option<OpRef>,
    /// Where the op's inputs begin in the list of operands; its results follow.
    first: usize,
    inputs: u32,
    outputs: u32,
}

impl Node {
    pub(crate) fn place(&self) -> Place {
        Place::node(self.serial)
    }
}

/// What is known of an op that was applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded<'a> {
    pub(crate) op: &'a OpRef,
    pub(crate) inputs: &'a [Operand],
    pub(crate) outputs: &'a [Operand],
}

/// Nodes, and the operands of all of them, each in one piece of memory.
///
/// Nodes have serial numbers, which grow along the list and are never given again: so a handle that outlives its tape is not
/// mistaken for that of a later node. Each is one more than that before it, unless nodes between both have been dropped.
#[derive(Debug)]
pub(crate) struct List {
    nodes: Vec<Node>,
    operands: Vec<Operand>,
    /// The serial number of the next node, less its index.
    base: u64,
}

impl List {
    pub(crate) const EMPTY: List = List { nodes: Vec::new(), operands: Vec::new(), base: 0 };

    /// The serial number of the next node.
    #[inline]
    pub(crate) fn next_serial(&self) -> u64 {
        self.base.wrapping_add(self.nodes.len() as u64)
    }

    /// Goes on with a serial number, larger than all before.
    pub(crate) fn go_on_with(&mut self, serial: u64) {
        self.base = serial.wrapping_sub(self.nodes.len() as u64);
    }

    /// The list; an empty one with the next serial numbers is left.
    pub(crate) fn take(&mut self) -> List {
        let next = List { base: self.next_serial(), ..List::EMPTY };
        std::mem::replace(self, next)
    }

    /// The index of the node at a place, if it is there.
    #[inline]
    pub(crate) fn find(&self, place: Place) -> Option<usize> {
        find(&self.nodes, self.base, place)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node_mut(&mut self, index: usize) -> &mut Node {
        &mut self.nodes[index]
    }

    /// How many nodes there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// What node `index` recorded; `None` for a further result of the op before it, and for what has been freed.
    #[inline]
    pub(crate) fn recorded(&self, index: usize) -> Option<Recorded<'_>> {
        let node = &self.nodes[index];
        let op = node.op.as_ref()?;
        let operands = &self.operands[node.first..][..(node.inputs + node.outputs) as usize];
        let (inputs, outputs) = operands.split_at(node.inputs as usize);
        Some(Recorded { op, inputs, outputs })
    }

    /// The tapes that want the node at a place; 0, if there is none.
    #[inline]
    pub(crate) fn wanted(&self, place: Place) -> u64 {
        self.find(place).map_or(0, |index| self.nodes[index].mask)
    }

    /// A place as an operand keeps it, and its node: a handle whose node is gone counts as a constant from here on.
    #[inline]
    pub(crate) fn known(&self, place: Place) -> (Place, u32) {
        known(&self.nodes, self.base, place).0
    }

    /// Where the next result will be.
    #[inline]
    pub(crate) fn next(&self) -> (Place, u32) {
        (Place::node(self.next_serial()), self.nodes.len() as u32)
    }

    /// Adds the inputs and results of an op, of which only the tapes of `mask` want to know.
    #[inline]
    pub(crate) fn operands(&mut self, mask: u64, saves: Saves, inputs: &[&Tensor], outputs: &[Array]) {
        let (save_inputs, save_outputs) = match saves {
            _ if mask == TRACE => (false, false),
            Saves::Nothing => (false, false),
            Saves::Inputs => (true, false),
            Saves::Outputs => (false, true),
            Saves::Both => (true, true),
        };
        let (first, index) = self.next();
        let List { nodes, operands, base } = self;
        operands.extend(inputs.iter().map(|input| {
            let (known, wanted) = known(nodes, *base, input.place);
            // A trace keeps what it does not compute itself.
            let constant = mask & TRACE & !wanted != 0;
            Operand::new(&input.array, known, save_inputs || constant)
        }));
        let result = |(i, array)| Operand::new(array, (first.result(i), index + i as u32), save_outputs);
        operands.extend(outputs.iter().enumerate().map(result));
    }

    /// Adds an op: first its inputs and results, then itself. Returns the place of its first result.
    #[inline]
    pub(crate) fn push(&mut self, mask: u64, op: OpRef, counts: (usize, usize)) -> Place {
        let serial = self.next_serial();
        let (inputs, outputs) = (counts.0 as u32, counts.1 as u32);
        let end = self.operands.len();
        let first = end - (counts.0 + counts.1);
        self.nodes.push(Node { serial, mask, op: Some(op), first, inputs, outputs });
        for i in 1..outputs {
            let serial = serial + u64::from(i);
            self.nodes.push(Node { serial, mask, op: None, first: end, inputs: 0, outputs: 0 });
        }
        Place::node(serial)
    }

    #[inline]
    pub(crate) fn operand(&mut self, operand: Operand) {
        self.operands.push(operand);
    }

    /// Drops the nodes from `length` on.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        if let Some(node) = self.nodes.get(length) {
            self.operands.truncate(node.first);
            let next = self.next_serial();
            self.nodes.truncate(length);
            self.go_on_with(next);
        }
    }

    /// Takes out what node `index` holds; the node stays.
    pub(crate) fn free(&mut self, index: usize) -> Option<(OpRef, Vec<Operand>)> {
        let node = &mut self.nodes[index];
        let op = node.op.take()?;
        let operands = &mut self.operands[node.first..][..(node.inputs + node.outputs) as usize];
        let nothing = |operand: &mut Operand| std::mem::replace(operand, Operand::NOTHING);
        Some((op, operands.iter_mut().map(nothing).collect()))
    }
}

#[inline]
fn find(nodes: &[Node], base: u64, place: Place) -> Option<usize> {
    let index = place.serial().wrapping_sub(base) as usize;
    match nodes.get(index) {
        Some(node) if node.serial == place.serial() => Some(index),
        _ if place == Place::CONSTANT => None,
        _ => search(nodes, place),
    }
}

/// [`find`] among nodes from before others were dropped.
#[inline(never)]
fn search(nodes: &[Node], place: Place) -> Option<usize> {
    let oldest = nodes.first()?.serial;
    if !place.is_node() || place.serial() < oldest {
        return None;
    }
    nodes.binary_search_by_key(&place.serial(), |node| node.serial).ok()
}

/// [`List::known`], and the tapes that want the node.
#[inline]
fn known(nodes: &[Node], base: u64, place: Place) -> ((Place, u32), u64) {
    match find(nodes, base, place) {
        Some(index) if nodes[index].mask != 0 => ((place, index as u32), nodes[index].mask),
        _ if place.is_node() => ((Place::CONSTANT, NOWHERE), 0),
        _ => ((place, NOWHERE), 0),
    }
}
