//! Ops without a gradient, as far as they cut something watched from what was computed of it.
//!
//! They are no nodes, as the backward pass has nothing to do with them. They are kept beside the list so that somebody
//! who misses a gradient can be told why.
use crate::session::{self, TRACE};
use crate::sources::{SourceKey, Sources};
use crate::tape::{AnyTape, GradientTape, PersistentGradientTape, Tape};
use crate::tensor::Place;
use crate::{Source, Targets, Tensor};
use slalom_array::{Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// An op that was applied to something that tapes want.
struct Cut {
    /// Never given twice, and ascending.
    serial: u64,
    /// The tapes that want what it was applied to.
    mask: u64,
    /// The op; `None` where several cut values meet.
    op: Option<&'static str>,
    inputs: SmallVec<[Place; 2]>,
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static CUTS: RefCell<Vec<Cut>> = const { RefCell::new(Vec::new()) };
}

fn push(mask: u64, op: Option<&'static str>, inputs: SmallVec<[Place; 2]>) -> Place {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    CUTS.with_borrow_mut(|cuts| {
        cuts.push(Cut { serial, mask, op, inputs });
        COUNT.set(cuts.len());
    });
    Place::cut(serial)
}

/// The place of a result of an op without gradient.
#[cold]
pub(crate) fn cut(mask: u64, op: &'static str, inputs: impl Iterator<Item = Place>) -> Place {
    push(mask, Some(op), inputs.collect())
}

/// The place of what is computed from two cut values.
pub(crate) fn join(a: Place, b: Place) -> Place {
    match (a.as_cut(), b.as_cut()) {
        (Some(first), Some(second)) if first != second => {
            let mask = CUTS.with_borrow(|cuts| {
                let mask = |serial| find(cuts, serial).map_or(0, |cut| cut.mask);
                mask(first) | mask(second)
            });
            if mask == 0 { b } else { push(mask, None, SmallVec::from_buf([a, b])) }
        }
        _ => b,
    }
}

fn find(cuts: &[Cut], serial: u64) -> Option<&Cut> {
    cuts.binary_search_by_key(&serial, |cut| cut.serial).ok().map(|i| &cuts[i])
}

/// Forgets what only the tape of `bit` wanted.
#[inline]
pub(crate) fn close(bit: u64) {
    if COUNT.get() != 0 {
        release(bit);
    }
}

#[cold]
fn release(bit: u64) {
    let _ = CUTS.try_with(|cuts| {
        let cuts = &mut *cuts.borrow_mut();
        cuts.retain_mut(|cut| {
            cut.mask &= !bit;
            cut.mask != 0
        });
        COUNT.set(cuts.len());
    });
}

/// Refuses an operand without gradient, if a tape wants one.
pub(crate) fn refuse(op: &'static str, x: &Tensor, what: &str) -> Result<()> {
    if !session::differentiates(x.place) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Gradient, op, "an op with a gradient for its watched operand", what))
}

/// Why a target has no gradient with respect to a source.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnection {
    /// The target was computed from the source by way of an op without gradient.
    Cut {
        /// The name of the op; of several, that which comes first after the source.
        op: &'static str,
    },
    /// The target was not computed from the source.
    Unused,
    /// The source was neither watched nor, if it is a variable, read while the tape recorded.
    Unwatched,
}

impl fmt::Display for Disconnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disconnection::Cut { op } => write!(f, "the op `{op}`, which has no gradient, cuts the graph"),
            Disconnection::Unused => f.write_str("the target was not computed from it"),
            Disconnection::Unwatched => {
                f.write_str("it was neither watched nor read while the tape recorded")
            }
        }
    }
}

/// What the targets were computed from, by node.
struct Reach {
    nodes: Vec<Reached>,
}

#[derive(Clone, Copy, PartialEq)]
enum Reached {
    No,
    /// Through this op.
    Cut(&'static str),
    Yes,
}

impl Reach {
    fn new(bit: u64, targets: &[&Tensor]) -> Reach {
        session::with(|session| {
            let mut nodes = vec![Reached::No; session.list.len()];
            let mut open: Vec<(Place, Option<&'static str>)> = Vec::new();
            let mut behind: Vec<(Place, Option<&'static str>)> =
                targets.iter().map(|t| (t.place, None)).collect();
            let mut seen_cuts = HashSet::new();
            // First what is reached without a cut, then what lies behind cuts.
            while let Some((place, by)) = open.pop().or_else(|| behind.pop()) {
                if let Some(serial) = place.as_cut() {
                    if seen_cuts.insert(serial) {
                        CUTS.with_borrow(|cuts| {
                            let Some(cut) = find(cuts, serial) else { return };
                            behind.extend(cut.inputs.iter().map(|&input| (input, cut.op.or(by))));
                        });
                    }
                    continue;
                }
                let Some((index, _)) = session.node(place) else { continue };
                let now = by.map_or(Reached::Yes, Reached::Cut);
                let before = std::mem::replace(&mut nodes[index as usize], now);
                if before != Reached::No {
                    nodes[index as usize] = before;
                    continue;
                }
                // A further result stands for its op.
                let mut head = index as usize;
                let recorded = loop {
                    match session.list.recorded(head) {
                        Some(recorded) => break Some(recorded),
                        None if head == 0 => break None,
                        None => head -= 1,
                    }
                };
                let Some(recorded) = recorded else { continue };
                // A trace records ops without gradient as well.
                let cuts = session.list.nodes()[head].mask & bit == 0;
                let by = if cuts { Some(recorded.op.name()) } else { by };
                let list = if by.is_none() { &mut open } else { &mut behind };
                list.extend(recorded.inputs.iter().map(|input| (input.place(), by)));
            }
            Reach { nodes }
        })
    }

    fn of(&self, bit: u64, source: &SourceKey<'_>) -> Option<Disconnection> {
        session::with(|session| {
            let mut found = Some(Disconnection::Unwatched);
            let mut add = |index: u32| {
                found = match (self.nodes.get(index as usize), found) {
                    (_, None) | (Some(Reached::Yes), _) => None,
                    (Some(Reached::Cut(op)), _) => Some(Disconnection::Cut { op }),
                    (_, Some(Disconnection::Unwatched)) => Some(Disconnection::Unused),
                    (_, found) => found,
                };
            };
            match source {
                SourceKey::Tensor(tensor) => match session.node(tensor.place) {
                    Some((index, node)) if node.mask & bit != 0 => add(index),
                    _ => {}
                },
                SourceKey::Variable { id, .. } => session.variable_nodes(id, bit, add),
            }
            found
        })
    }
}

impl Tape {
    fn disconnection(&self, target: &impl Targets, source: &impl Source) -> Option<Disconnection> {
        Reach::new(self.bit, &target.tensors()).of(self.bit, &source.key())
    }

    /// For each source the op that cuts it from the target, if it is cut; nothing, if no op has cut anything.
    #[inline]
    pub(crate) fn cuts<S: Sources>(&self, target: &impl Targets, sources: &S) -> Vec<Option<&'static str>> {
        // A trace has its own nodes for ops without gradient.
        if COUNT.get() == 0 && session::recording() & TRACE == 0 {
            return Vec::new();
        }
        let reach = Reach::new(self.bit, &target.tensors());
        let op = |key: &SourceKey<'_>| match reach.of(self.bit, key) {
            Some(Disconnection::Cut { op }) => Some(op),
            _ => None,
        };
        sources.keys().iter().map(op).collect()
    }
}

macro_rules! disconnections {
    ($($Tape:ident),*) => {$(
        /// Missing gradients.
        impl $Tape {
            /// Why `target` has no gradient with respect to `source`; `None`, if it has one by what the tape has recorded.
            /// To be asked before [`gradient`](GradientTape::gradient).
            ///
            /// ```
            /// use slalom_autograd::{Disconnection, GradientTape, Tensor};
            /// let tape = GradientTape::new();
            /// let x = tape.watch(&Tensor::scalar(2.6));
            /// let y = x.exp()?.round()?.square();
            /// let why = tape.disconnection(&y, &x);
            /// assert_eq!(why, Some(Disconnection::Cut { op: "round" }));
            /// assert!(tape.gradient(&y, &x)?.is_none());
            /// # Ok::<(), slalom_array::Error>(())
            /// ```
            pub fn disconnection(&self, target: &impl Targets, source: &impl Source) -> Option<Disconnection> {
                self.0.disconnection(target, source)
            }
        }
    )*};
}
disconnections!(GradientTape, PersistentGradientTape);

/// For each source the op that cuts it from the target, if it is cut; nothing, if no op has cut anything.
#[doc(hidden)]
#[inline]
pub fn cuts<S: Sources>(
    tape: &impl AnyTape,
    target: &impl Targets,
    sources: &S,
) -> Vec<Option<&'static str>> {
    tape.tape().cuts(target, sources)
}
