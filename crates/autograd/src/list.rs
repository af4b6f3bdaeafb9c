//! The list of nodes: which op was applied to what, in execution order.
use crate::Tensor;
use crate::op::{OpRef, Saves};
use crate::session::TRACE;
use crate::tensor::Place;
use slalom_array::{Array, DType, Shape};

/// Arrays of at most this many elements are kept whole even where only shape and type are wanted: that is cheaper than
/// to note both. Debug builds do not, so that an op which needs more than it [`saves`](crate::Op::saves) is found.
const SMALL: Option<usize> = if cfg!(debug_assertions) { None } else { Some(16) };

/// An input or a result of an op, as its node keeps it: whole, or only where it stands, and its shape and type.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Saved(Tensor),
    /// Of shape `[]`.
    Scalar(Place, DType),
    Meta(Place, Box<(Shape, DType)>),
}

impl Operand {
    #[inline(always)]
    pub(crate) fn new(array: &Array, place: Place, save: bool) -> Operand {
        let saved = || Operand::Saved(Tensor::placed(array.clone(), place));
        if save {
            return saved();
        }
        match array.rank() {
            0 => Operand::Scalar(place, array.dtype()),
            _ if SMALL.is_some_and(|small| array.len() <= small) => saved(),
            _ => Operand::Meta(place, Box::new((array.shape().clone(), array.dtype()))),
        }
    }

    /// The whole value, if it is kept.
    #[inline]
    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match self {
            Operand::Saved(tensor) => Some(tensor),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn place(&self) -> Place {
        match self {
            Operand::Saved(tensor) => tensor.place,
            Operand::Scalar(place, _) | Operand::Meta(place, _) => *place,
        }
    }

    /// The same value at another place.
    pub(crate) fn placed(self, place: Place) -> Operand {
        match self {
            Operand::Saved(tensor) => Operand::Saved(Tensor { place, ..tensor }),
            Operand::Scalar(_, dtype) => Operand::Scalar(place, dtype),
            Operand::Meta(_, meta) => Operand::Meta(place, meta),
        }
    }

    #[inline]
    pub(crate) fn shape(&self) -> &Shape {
        match self {
            Operand::Saved(tensor) => tensor.shape(),
            Operand::Scalar(..) => const { &Shape::SCALAR },
            Operand::Meta(_, meta) => &meta.0,
        }
    }

    #[inline]
    pub(crate) fn dtype(&self) -> DType {
        match self {
            Operand::Saved(tensor) => tensor.dtype(),
            Operand::Scalar(_, dtype) => *dtype,
            Operand::Meta(_, meta) => meta.1,
        }
    }
}

/// One recorded value. An op of several results takes as many nodes; the first holds the op.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) epoch: u64,
    /// The tapes that want it.
    pub(crate) mask: u64,
    op: Option<OpRef>,
    /// Where the op's inputs begin in the list of operands; its results follow.
    first: usize,
    inputs: u32,
    outputs: u32,
}

/// What is known of an op that was applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorded<'a> {
    /// Of the first result.
    pub(crate) place: Place,
    pub(crate) op: &'a OpRef,
    pub(crate) inputs: &'a [Operand],
    pub(crate) outputs: &'a [Operand],
}

#[inline]
fn wanted(nodes: &[Node], place: Place) -> u64 {
    let (epoch, index) = place.parts();
    nodes.get(index).filter(|node| node.epoch == epoch).map_or(0, |node| node.mask)
}

/// Nodes, and the operands of all of them, each in one piece of memory.
#[derive(Debug)]
pub(crate) struct List {
    nodes: Vec<Node>,
    operands: Vec<Operand>,
}

impl List {
    pub(crate) const EMPTY: List = List { nodes: Vec::new(), operands: Vec::new() };

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
        Some(Recorded { place: Place::node(node.epoch, index as u32), op, inputs, outputs })
    }

    /// The tapes that want the node at a place; 0, if there is none.
    #[inline]
    pub(crate) fn wanted(&self, place: Place) -> u64 {
        wanted(&self.nodes, place)
    }

    /// Adds the inputs and results of an op, of which only the tapes of `mask` want to know.
    #[inline]
    pub(crate) fn operands(
        &mut self,
        epoch: u64,
        mask: u64,
        saves: Saves,
        inputs: &[&Tensor],
        outputs: &[Array],
    ) {
        let (save_inputs, save_outputs) = match saves {
            _ if mask == TRACE => (false, false),
            Saves::Nothing => (false, false),
            Saves::Inputs => (true, false),
            Saves::Outputs => (false, true),
            Saves::Both => (true, true),
        };
        let List { nodes, operands } = self;
        operands.extend(inputs.iter().map(|input| {
            let wanted = wanted(nodes, input.place);
            // A handle whose node is gone counts as a constant from here on.
            let place =
                if wanted == 0 && input.place.as_node().is_some() { Place::CONSTANT } else { input.place };
            // A trace keeps what it does not compute itself.
            let constant = mask & TRACE & !wanted != 0;
            Operand::new(&input.array, place, save_inputs || constant)
        }));
        let first = Place::node(epoch, nodes.len() as u32);
        let result = |(i, array)| Operand::new(array, first.result(i), save_outputs);
        operands.extend(outputs.iter().enumerate().map(result));
    }

    /// Adds an op: first its inputs and results, then itself. Returns its index.
    #[inline]
    pub(crate) fn push(&mut self, epoch: u64, mask: u64, op: OpRef, counts: (usize, usize)) -> u32 {
        let index = self.nodes.len() as u32;
        let (inputs, outputs) = (counts.0 as u32, counts.1 as u32);
        let end = self.operands.len();
        let first = end - (counts.0 + counts.1);
        self.nodes.push(Node { epoch, mask, op: Some(op), first, inputs, outputs });
        for _ in 1..outputs {
            self.nodes.push(Node { epoch, mask, op: None, first: end, inputs: 0, outputs: 0 });
        }
        index
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
            self.nodes.truncate(length);
        }
    }

    /// Takes out what node `index` holds; the node stays.
    pub(crate) fn free(&mut self, index: usize) -> Option<(OpRef, Vec<Operand>)> {
        let node = &mut self.nodes[index];
        let op = node.op.take()?;
        let operands = &mut self.operands[node.first..][..(node.inputs + node.outputs) as usize];
        let nothing =
            |operand: &mut Operand| std::mem::replace(operand, Operand::Scalar(Place::CONSTANT, DType::F32));
        Some((op, operands.iter_mut().map(nothing).collect()))
    }
}
