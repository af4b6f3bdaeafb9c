//! The backward pass: one reverse walk over the nodes.
use crate::op::Vjp;
use crate::session::{self, KEPT_NODES, Node, Recorded};
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
        Pass::new(&session.nodes, bit, wanted, starts)
    });
    for (start, seed) in pass.starts.clone().into_iter().zip(seeds) {
        if let Some(index) = start {
            pass.add(index, seed.into())?;
        }
    }
    // Without another tape that records, no node is added meanwhile: the list can be lent to the walk.
    if session::recording() == 0 {
        let mut lent = Lent::take(bit, last);
        pass.walk(&mut lent)?;
    } else {
        pass.walk(&mut Shared)?;
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
    /// Calls `f` with what node `index` recorded.
    fn visit<R>(&mut self, index: usize, f: impl FnOnce(u64, Option<&Recorded>) -> R) -> R;
}

/// The thread's list, taken out of the session for the walk and put back after it.
struct Lent {
    nodes: Vec<Node>,
    /// Nobody needs a node after the walk has passed it.
    free: bool,
}

impl Lent {
    fn take(bit: u64, last: bool) -> Lent {
        session::with(|s| Lent { nodes: std::mem::take(&mut s.nodes), free: last && s.only(bit) })
    }
}

impl Nodes for Lent {
    #[inline]
    fn visit<R>(&mut self, index: usize, f: impl FnOnce(u64, Option<&Recorded>) -> R) -> R {
        let node = &mut self.nodes[index];
        let result = f(node.epoch, node.recorded.as_ref());
        if self.free {
            node.recorded = None;
        }
        result
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        session::with(|s| s.nodes = nodes);
    }
}

/// The thread's list, while others add to it.
struct Shared;

impl Nodes for Shared {
    fn visit<R>(&mut self, index: usize, f: impl FnOnce(u64, Option<&Recorded>) -> R) -> R {
        let node = session::with(|s| s.nodes[index].clone());
        f(node.epoch, node.recorded.as_ref())
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
    fn new(nodes: &[Node], bit: u64, wanted: Wanted, starts: SmallVec<[Option<u32>; 1]>) -> Pass {
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
            let node = &nodes[low as usize + i];
            if node.mask & bit == 0 {
                continue;
            }
            let reaches = match &node.recorded {
                Some(recorded) => recorded.inputs.iter().any(|input| match input.place {
                    Place::Node { epoch, index } if index >= low && ((index - low) as usize) < i => {
                        flags[(index - low) as usize] & REACHES != 0 && nodes[index as usize].epoch == epoch
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
            let index = self.low + at as u32;
            nodes.visit(index as usize, |epoch, recorded| match recorded {
                Some(recorded) => self.step(at, index, epoch, recorded),
                // A further result of the op at a lower index, which takes the gradient.
                None => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Passes the gradients of one node's results on to its inputs.
    fn step(&mut self, at: usize, index: u32, epoch: u64, recorded: &Recorded) -> Result<()> {
        let passes_on = self.flags[at] & REACHES != 0 && !recorded.inputs.is_empty();
        let mut grads: SmallVec<[Option<Tensor>; 1]> = SmallVec::new();
        let mut any = false;
        for i in 0..recorded.outputs.len() {
            let gradient = self.gradients.get_mut(at + i).and_then(Option::take);
            any |= gradient.is_some();
            // Later results may lie beyond the last target.
            let wanted = self.flags.get(at + i).is_some_and(|flag| flag & SOURCE != 0);
            grads.push(match gradient {
                Some(gradient) if passes_on => {
                    if wanted {
                        self.found.push((index + i as u32, gradient.clone()));
                    }
                    Some(gradient.into_dense()?)
                }
                Some(gradient) if wanted => {
                    self.found.push((index + i as u32, gradient));
                    None
                }
                _ => None,
            });
        }
        if !any || !passes_on {
            return Ok(());
        }
        let mut needs = 0;
        for (i, input) in recorded.inputs.iter().enumerate() {
            if i < 64 && self.reaches(input.place).is_some() {
                needs |= 1 << i;
            }
        }
        if needs == 0 && recorded.inputs.len() <= 64 {
            return Ok(());
        }
        let op = &*recorded.op;
        let cx = Vjp { name: op.name(), recorded, place: Place::Node { epoch, index }, grads: &grads, needs };
        let gradients = op.vjp(&cx)?;
        drop(grads);
        for (i, gradient) in gradients.into_iter().enumerate() {
            let (Some(gradient), Some(input)) = (gradient, recorded.inputs.get(i)) else { continue };
            if let Some(target) = self.reaches(input.place) {
                let expected = input.value.shape();
                if gradient.shape() != expected {
                    let expected = format!("a gradient of input {i} of its shape {expected}");
                    return Err(Error::new(ErrorKind::Shape, op.name(), expected, gradient.shape()));
                }
                self.add(target, gradient)?;
            }
        }
        Ok(())
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
