//! The backward pass: one reverse walk over the nodes.
use crate::list::{List, Operand, Recorded};
use crate::op::{OpRef, Vjp};
use crate::session::{self, KEPT_NODES};
use crate::sources::SourceKey;
use crate::tensor::Place;
use crate::{Gradient, Tensor};
use slalom_array::{Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::cell::Cell;

/// A node that a gradient is asked for.
const SOURCE: u8 = 1;
/// A node that depends on a source.
const REACHES: u8 = 2;

/// The gradients of `targets` with respect to the sources, on the tape of `bit`. `last`: the tape ends with this.
pub(crate) fn backward(
    bit: u64,
    targets: &[&Tensor],
    seeds: Option<&[Tensor]>,
    sources: &[SourceKey<'_>],
    last: bool,
) -> Result<SmallVec<[Option<Gradient>; 4]>> {
    let seeds = seeds_of(targets, seeds)?;
    let mut pass = session::with(|session| {
        let node =
            |place| session.node(place).filter(|(_, node)| node.mask & bit != 0).map(|(index, _)| index);
        let wanted: Wanted = sources
            .iter()
            .map(|source| match source {
                SourceKey::Tensor(tensor) => node(tensor.place).into_iter().collect(),
                SourceKey::Variable { id, .. } => session.variable_nodes(id, bit),
            })
            .collect();
        let starts: SmallVec<[Option<u32>; 1]> = targets.iter().map(|target| node(target.place)).collect();
        Pass::new(&session.list, bit, wanted, starts)
    });
    for (start, seed) in pass.starts.clone().into_iter().zip(seeds) {
        if let Some(index) = start {
            pass.add(index, seed.into())?;
        }
    }
    match Lent::take(bit, last) {
        Some(mut lent) => pass.walk(&mut lent)?,
        None => pass.walk(&mut Shared)?,
    }
    pass.finish()
}

type Wanted = SmallVec<[SmallVec<[u32; 2]>; 4]>;

/// The gradients to begin with.
fn seeds_of(targets: &[&Tensor], given: Option<&[Tensor]>) -> Result<SmallVec<[Tensor; 1]>> {
    let Some(given) = given else {
        return targets.iter().map(|target| Tensor::ones(target.shape(), target.dtype())).collect();
    };
    const OP: &str = "gradient";
    if given.len() != targets.len() {
        let expected = format!("{} output gradients, one for each target", targets.len());
        return Err(Error::new(ErrorKind::Argument, OP, expected, given.len()));
    }
    for (target, seed) in targets.iter().zip(given) {
        if seed.dtype() != target.dtype() {
            let expected = format!("an output gradient of the target's dtype {}", target.dtype());
            return Err(Error::new(ErrorKind::DType, OP, expected, seed.dtype()));
        }
        if seed.shape() != target.shape() {
            let expected = format!("an output gradient of the target's shape {}", target.shape());
            return Err(Error::new(ErrorKind::Shape, OP, expected, seed.shape()));
        }
    }
    Ok(given.iter().cloned().collect())
}

/// Where the walk finds nodes.
trait Nodes {
    /// Calls `f` with the epoch of node `index` and what it recorded, if it did.
    fn visit(&mut self, index: usize, f: impl FnOnce(u64, Recorded<'_>) -> Result<()>) -> Result<()>;
}

/// The thread's list, taken out of the session by a tape that ends, and that nobody else needs: nodes are dropped as
/// soon as the walk has passed them.
struct Lent(List);

impl Lent {
    fn take(bit: u64, last: bool) -> Option<Lent> {
        if !last || session::recording() != 0 {
            return None;
        }
        session::with(|s| s.only(bit).then(|| Lent(std::mem::replace(&mut s.list, List::EMPTY))))
    }
}

impl Nodes for Lent {
    #[inline]
    fn visit(&mut self, index: usize, f: impl FnOnce(u64, Recorded<'_>) -> Result<()>) -> Result<()> {
        if let Some(recorded) = self.0.recorded(index) {
            f(self.0.nodes()[index].epoch, recorded)?;
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
    fn visit(&mut self, index: usize, f: impl FnOnce(u64, Recorded<'_>) -> Result<()>) -> Result<()> {
        type Copied = (u64, OpRef, SmallVec<[Operand; 3]>, usize);
        let copied = session::with(|s| -> Option<Copied> {
            let Recorded { op, inputs, outputs } = s.list.recorded(index)?;
            let operands = inputs.iter().chain(outputs).cloned().collect();
            Some((s.list.nodes()[index].epoch, op.clone(), operands, inputs.len()))
        });
        let Some((epoch, op, operands, inputs)) = copied else { return Ok(()) };
        let (inputs, outputs) = operands.split_at(inputs);
        f(epoch, Recorded { op: &op, inputs, outputs })
    }
}

/// What a pass works on, kept by its thread from one pass to the next.
#[derive(Default)]
struct Scratch {
    flags: Vec<u8>,
    gradients: Vec<Option<Gradient>>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch { flags: Vec::new(), gradients: Vec::new() }) };
}

/// The state of one backward pass over the nodes `low..low + flags.len()`.
struct Pass {
    low: u32,
    flags: Vec<u8>,
    /// Of each node, until the walk passes it.
    gradients: Vec<Option<Gradient>>,
    wanted: Wanted,
    starts: SmallVec<[Option<u32>; 1]>,
    found: SmallVec<[(u32, Gradient); 4]>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut scratch = Scratch {
            flags: std::mem::take(&mut self.flags),
            gradients: std::mem::take(&mut self.gradients),
        };
        if scratch.flags.len() <= KEPT_NODES {
            scratch.flags.clear();
            scratch.gradients.clear();
            let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        }
    }
}

impl Pass {
    fn new(list: &List, bit: u64, wanted: Wanted, starts: SmallVec<[Option<u32>; 1]>) -> Pass {
        let low = wanted.iter().flatten().copied().min();
        let top = starts.iter().flatten().copied().max();
        let (low, length) = match (low, top) {
            (Some(low), Some(top)) if low <= top => (low, (top - low + 1) as usize),
            _ => (0, 0),
        };
        let Scratch { mut flags, mut gradients } = SCRATCH.take();
        flags.resize(length, 0);
        gradients.resize_with(length, || None);
        for &index in wanted.iter().flatten() {
            if let Some(flag) = flags.get_mut((index - low) as usize) {
                *flag = SOURCE | REACHES;
            }
        }
        for i in 0..flags.len() {
            if list.nodes()[low as usize + i].mask & bit == 0 {
                continue;
            }
            let reaches = match list.recorded(low as usize + i) {
                // Inputs stand on the list as long as what was computed from them.
                Some(recorded) => recorded.inputs.iter().any(|input| match input.place {
                    Place::Node { index, .. } => {
                        flags.get(index.wrapping_sub(low) as usize).is_some_and(|flag| flag & REACHES != 0)
                    }
                    _ => false,
                }),
                None => i > 0 && flags[i - 1] & REACHES != 0,
            };
            if reaches {
                flags[i] |= REACHES;
            }
        }
        Pass { low, flags, gradients, wanted, starts, found: SmallVec::new() }
    }

    #[inline]
    fn reaches(&self, place: Place) -> Option<u32> {
        let Place::Node { index, .. } = place else { return None };
        let at = index.checked_sub(self.low)? as usize;
        (self.flags.get(at)? & REACHES != 0).then_some(index)
    }

    /// Adds a gradient to that of a node.
    #[inline]
    fn add(&mut self, index: u32, gradient: Gradient) -> Result<()> {
        let at = index.wrapping_sub(self.low) as usize;
        if let Some(slot) = self.gradients.get_mut(at) {
            *slot = Some(match slot.take() {
                Some(sum) => sum.accumulate(gradient)?,
                None => gradient,
            });
        }
        Ok(())
    }

    fn walk(&mut self, nodes: &mut impl Nodes) -> Result<()> {
        for at in (0..self.flags.len()).rev() {
            // A further result of an op is left to the op at a lower index.
            let index = self.low + at as u32;
            nodes.visit(index as usize, |epoch, recorded| self.step(at, index, epoch, recorded))?;
        }
        Ok(())
    }

    /// Passes the gradients of one op's results on to its inputs.
    fn step(&mut self, at: usize, index: u32, epoch: u64, recorded: Recorded<'_>) -> Result<()> {
        let passes_on = self.flags[at] & REACHES != 0 && !recorded.inputs.is_empty();
        let (one, several);
        let grads: &[Option<Tensor>] = if recorded.outputs.len() == 1 {
            one = [self.take(at, passes_on)?];
            &one
        } else {
            let all = at..at + recorded.outputs.len();
            several = all.map(|at| self.take(at, passes_on)).collect::<Result<Vec<_>>>()?;
            &several
        };
        if grads.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut needs = 0;
        for (i, input) in recorded.inputs.iter().enumerate().take(64) {
            if self.reaches(input.place).is_some() {
                needs |= 1 << i;
            }
        }
        if needs == 0 && recorded.inputs.len() <= 64 {
            return Ok(());
        }
        let op = &**recorded.op;
        let cx = Vjp { name: op.name(), recorded, place: Place::Node { epoch, index }, grads, needs };
        let gradients = op.vjp(&cx)?;
        for (i, (gradient, input)) in gradients.into_iter().zip(recorded.inputs).enumerate() {
            let Some(gradient) = gradient else { continue };
            let Some(target) = self.reaches(input.place) else { continue };
            let expected = input.value.shape();
            if gradient.shape() != expected {
                let expected = format!("a gradient of input {i} of its shape {expected}");
                return Err(Error::new(ErrorKind::Shape, op.name(), expected, gradient.shape()));
            }
            self.add(target, gradient)?;
        }
        Ok(())
    }

    /// Takes the gradient of a node: for its source, if it is one, and to be passed on.
    #[inline]
    fn take(&mut self, at: usize, passes_on: bool) -> Result<Option<Tensor>> {
        // Later results of an op may lie beyond the last target.
        let Some(gradient) = self.gradients.get_mut(at).and_then(Option::take) else { return Ok(None) };
        let index = self.low + at as u32;
        match (self.flags[at] & SOURCE != 0, passes_on) {
            (true, true) => self.found.push((index, gradient.clone())),
            (true, false) => {
                self.found.push((index, gradient));
                return Ok(None);
            }
            (false, true) => {}
            (false, false) => return Ok(None),
        }
        gradient.into_dense().map(Some)
    }

    /// The gradient of each source: the sum over its nodes, earlier ones first.
    fn finish(mut self) -> Result<SmallVec<[Option<Gradient>; 4]>> {
        let wanted = std::mem::take(&mut self.wanted);
        self.found.sort_unstable_by_key(|(index, _)| *index);
        let sum = |nodes: SmallVec<[u32; 2]>| {
            let mut total: Option<Gradient> = None;
            for index in nodes {
                let Some((_, gradient)) = self.found.iter().find(|(found, _)| *found == index) else {
                    continue;
                };
                total = Some(match total {
                    Some(total) => total.accumulate(gradient.clone())?,
                    None => gradient.clone(),
                });
            }
            Ok(total)
        };
        wanted.into_iter().map(sum).collect()
    }
}
