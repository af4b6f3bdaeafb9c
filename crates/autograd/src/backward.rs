//! The backward pass: one reverse walk over the nodes.
use crate::list::{List, Operand, Recorded};
use crate::numerics;
use crate::op::{OpRef, Vjp};
use crate::session::{self, KEPT_NODES, Session};
use crate::sources::SourceKey;
use crate::{Gradient, Tensor};
use slalom_array::{Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::cell::Cell;

/// A node that a gradient is asked for.
const SOURCE: u8 = 1;
/// A node that depends on a source.
const REACHES: u8 = 2;
/// A node that several gradients are asked for.
const SHARED: u8 = 4;

/// The gradients of `targets` with respect to the sources, on the tape of `bit`. `last`: the tape ends with this.
pub(crate) fn backward(
    bit: u64,
    targets: &[&Tensor],
    seeds: Option<&[Tensor]>,
    sources: &[SourceKey<'_>],
    last: bool,
) -> Result<SmallVec<[Option<Gradient>; 4]>> {
    if let Some(seeds) = seeds {
        check_seeds(targets, seeds)?;
    }
    let (mut pass, starts) = session::with(|session| Pass::new(session, bit, targets, sources));
    for (i, (target, start)) in targets.iter().zip(starts).enumerate() {
        let Some(at) = start.and_then(|index| pass.at(index)) else { continue };
        let seed = match seeds {
            Some(seeds) => seeds[i].clone(),
            None => Tensor::ones(target.shape(), target.dtype())?,
        };
        pass.add(at, seed.into())?;
    }
    match Lent::take(bit, last) {
        Some(mut lent) => pass.walk(&mut lent)?,
        None => pass.walk(&mut Shared)?,
    }
    pass.finish(sources.len())
}

/// Whether the gradients to begin with fit the targets.
fn check_seeds(targets: &[&Tensor], seeds: &[Tensor]) -> Result<()> {
    const OP: &str = "gradient";
    if seeds.len() != targets.len() {
        let expected = format!("{} output gradients, one for each target", targets.len());
        return Err(Error::new(ErrorKind::Argument, OP, expected, seeds.len()));
    }
    for (target, seed) in targets.iter().zip(seeds) {
        if seed.dtype() != target.dtype() {
            let expected = format!("an output gradient of the target's dtype {}", target.dtype());
            return Err(Error::new(ErrorKind::DType, OP, expected, seed.dtype()));
        }
        if seed.shape() != target.shape() {
            let expected = format!("an output gradient of the target's shape {}", target.shape());
            return Err(Error::new(ErrorKind::Shape, OP, expected, seed.shape()));
        }
    }
    Ok(())
}

/// A gradient is not one of its input.
#[cold]
fn misfit(op: &'static str, i: usize, input: &Operand, gradient: &Gradient) -> Error {
    let shape = input.shape();
    if gradient.shape() != shape {
        let expected = format!("a gradient of input {i} of its shape {shape}");
        return Error::new(ErrorKind::Shape, op, expected, gradient.shape());
    }
    let expected = format!("a gradient of input {i} of its dtype {}", input.dtype());
    Error::new(ErrorKind::DType, op, expected, gradient.dtype())
}

/// Where the walk finds nodes.
trait Nodes {
    /// Calls `f` with what node `index` recorded, if it did.
    fn visit(&mut self, index: usize, f: impl FnOnce(Recorded<'_>) -> Result<()>) -> Result<()>;
}

/// The thread's list, taken out of the session by a tape that ends, and that nobody else needs: nodes are dropped as
/// soon as the walk has passed them.
struct Lent(List);

impl Lent {
    fn take(bit: u64, last: bool) -> Option<Lent> {
        if !last || session::recording() != 0 {
            return None;
        }
        session::with(|s| s.only(bit).then(|| Lent(s.list.take())))
    }
}

impl Nodes for Lent {
    #[inline]
    fn visit(&mut self, index: usize, f: impl FnOnce(Recorded<'_>) -> Result<()>) -> Result<()> {
        if let Some(recorded) = self.0.recorded(index) {
            f(recorded)?;
            self.0.truncate(index);
        }
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        session::recycle(std::mem::replace(&mut self.0, List::EMPTY));
    }
}

/// The thread's list, which others may need or add to.
struct Shared;

impl Nodes for Shared {
    fn visit(&mut self, index: usize, f: impl FnOnce(Recorded<'_>) -> Result<()>) -> Result<()> {
        type Copied = (OpRef, SmallVec<[Operand; 3]>, usize);
        let copied = session::with(|s| -> Option<Copied> {
            let Recorded { op, inputs, outputs } = s.list.recorded(index)?;
            let operands = inputs.iter().chain(outputs).cloned().collect();
            Some((op.clone(), operands, inputs.len()))
        });
        let Some((op, operands, inputs)) = copied else { return Ok(()) };
        let (inputs, outputs) = operands.split_at(inputs);
        f(Recorded { op: &op, inputs, outputs })
    }
}

/// What a pass works on, kept by its thread from one pass to the next.
#[derive(Default)]
struct Scratch {
    flags: Vec<u8>,
    /// Of each node, until the walk passes it; then only of sources.
    gradients: Vec<Option<Gradient>>,
    /// The nodes of the sources: which source, which node; a source may have several, earlier ones first.
    wanted: Vec<(usize, u32)>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> =
        const { Cell::new(Scratch { flags: Vec::new(), gradients: Vec::new(), wanted: Vec::new() }) };
}

type Starts = SmallVec<[Option<u32>; 1]>;

/// The state of one backward pass over the nodes `low..low + flags.len()`.
struct Pass {
    low: u32,
    scratch: Scratch,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut scratch = std::mem::take(&mut self.scratch);
        if scratch.flags.len() <= KEPT_NODES {
            scratch.flags.clear();
            scratch.gradients.clear();
            scratch.wanted.clear();
            let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        }
    }
}

impl Pass {
    /// The pass, and the node of each target.
    fn new(session: &Session, bit: u64, targets: &[&Tensor], sources: &[SourceKey<'_>]) -> (Pass, Starts) {
        let list = &session.list;
        let node =
            |place| session.node(place).filter(|(_, node)| node.mask & bit != 0).map(|(index, _)| index);
        let mut scratch = SCRATCH.take();
        let mut low = u32::MAX;
        for (i, source) in sources.iter().enumerate() {
            let mut want = |index: u32| {
                low = low.min(index);
                scratch.wanted.push((i, index));
            };
            match source {
                SourceKey::Tensor(tensor) => node(tensor.place).into_iter().for_each(want),
                SourceKey::Variable { id, .. } => session.variable_nodes(id, bit, &mut want),
            }
        }
        let starts: Starts = targets.iter().map(|target| node(target.place)).collect();
        let top = starts.iter().flatten().max();
        let length = top.map_or(0, |top| (top + 1).saturating_sub(low)) as usize;
        scratch.flags.resize(length, 0);
        scratch.gradients.resize_with(length, || None);
        for &(_, index) in &scratch.wanted {
            if let Some(flag) = scratch.flags.get_mut((index - low) as usize) {
                let shared = if *flag & SOURCE != 0 { SHARED } else { 0 };
                *flag = SOURCE | REACHES | shared;
            }
        }
        let mut pass = Pass { low, scratch };
        for at in 0..length {
            let index = low as usize + at;
            if list.nodes()[index].mask & bit == 0 {
                continue;
            }
            let reaches = match list.recorded(index) {
                // Inputs stand on the list as long as what was computed from them.
                Some(recorded) => recorded.inputs.iter().any(|input| pass.reaches(input.node).is_some()),
                None => at > 0 && pass.scratch.flags[at - 1] & REACHES != 0,
            };
            if reaches {
                pass.scratch.flags[at] |= REACHES;
            }
        }
        (pass, starts)
    }

    /// Where a node stands in this pass.
    #[inline]
    fn at(&self, index: u32) -> Option<usize> {
        let at = index.wrapping_sub(self.low) as usize;
        (at < self.scratch.flags.len()).then_some(at)
    }

    /// Where a node that depends on a source stands in this pass.
    #[inline]
    fn reaches(&self, index: u32) -> Option<usize> {
        let at = index.wrapping_sub(self.low) as usize;
        (self.scratch.flags.get(at)? & REACHES != 0).then_some(at)
    }

    /// Adds a gradient to that of a node.
    #[inline(always)]
    fn add(&mut self, at: usize, gradient: Gradient) -> Result<()> {
        let slot = &mut self.scratch.gradients[at];
        *slot = Some(match slot.take() {
            Some(sum) => sum.accumulate(gradient)?,
            None => gradient,
        });
        Ok(())
    }

    fn walk(&mut self, nodes: &mut impl Nodes) -> Result<()> {
        for at in (0..self.scratch.flags.len()).rev() {
            // A further result of an op is left to the op at a lower index.
            let index = self.low + at as u32;
            nodes.visit(index as usize, |recorded| self.step(at, index, recorded))?;
        }
        Ok(())
    }

    /// Passes the gradients of one op's results on to its inputs.
    fn step(&mut self, at: usize, index: u32, recorded: Recorded<'_>) -> Result<()> {
        if self.scratch.flags[at] & REACHES == 0 || recorded.inputs.is_empty() {
            return Ok(());
        }
        let (one, several);
        let grads: &[Option<Tensor>] = if recorded.outputs.len() == 1 {
            let Some(grad) = self.take(at)? else { return Ok(()) };
            one = [Some(grad)];
            &one
        } else {
            let all = at..at + recorded.outputs.len();
            several = all.map(|at| self.take(at)).collect::<Result<Vec<_>>>()?;
            if several.iter().all(Option::is_none) {
                return Ok(());
            }
            &several
        };
        let mut needs = 0;
        for (i, input) in recorded.inputs.iter().enumerate().take(64) {
            if self.reaches(input.node).is_some() {
                needs |= 1 << i;
            }
        }
        if needs == 0 && recorded.inputs.len() <= 64 {
            return Ok(());
        }
        let op = &**recorded.op;
        let cx = Vjp { recorded, grads, needs };
        // Taken from where they are: to move the whole answer costs as much as a small op.
        let mut answer = op.vjp(&cx);
        let Ok(gradients) = &mut answer else {
            return answer.map(drop).map_err(|error| numerics::in_gradient(error, index, op.name()));
        };
        for (i, (gradient, input)) in gradients.iter_mut().zip(recorded.inputs).enumerate() {
            let Some(gradient) = gradient.take() else { continue };
            let Some(target) = self.reaches(input.node) else { continue };
            if gradient.shape() != input.shape() || gradient.dtype() != input.dtype() {
                return Err(misfit(op.name(), i, input, &gradient));
            }
            self.add(target, gradient)?;
        }
        Ok(())
    }

    /// Takes the gradient of a node to be passed on; a source keeps it.
    #[inline(always)]
    fn take(&mut self, at: usize) -> Result<Option<Tensor>> {
        // Later results of an op may lie beyond the last target.
        let Some(slot) = self.scratch.gradients.get_mut(at) else { return Ok(None) };
        let gradient = if self.scratch.flags[at] & SOURCE == 0 { slot.take() } else { slot.clone() };
        gradient.map(Gradient::into_dense).transpose()
    }

    /// The gradient of each source: the sum over its nodes.
    fn finish(mut self, sources: usize) -> Result<SmallVec<[Option<Gradient>; 4]>> {
        let mut found: SmallVec<[Option<Gradient>; 4]> = SmallVec::new();
        found.resize(sources, None);
        let Scratch { wanted, gradients, flags } = &mut self.scratch;
        for &(source, index) in wanted.iter() {
            let at = (index - self.low) as usize;
            let Some(slot) = gradients.get_mut(at) else { continue };
            let gradient = if flags[at] & SHARED == 0 { slot.take() } else { slot.clone() };
            let Some(gradient) = gradient else { continue };
            found[source] = Some(match found[source].take() {
                Some(total) => total.accumulate(gradient)?,
                None => gradient,
            });
        }
        Ok(found)
    }
}
