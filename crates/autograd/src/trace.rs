//! Traces: what a closure computes, recorded once to be replayed many times.
use crate::list::List;
use crate::numerics::{self, CheckNumerics, NonFinite};
use crate::op::OpRef;
use crate::session::{self, TRACE};
use crate::{Summary, Tensor};
use slalom_array::{Array, Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::marker::PhantomData;

/// Records every op that is applied on this thread, also those of backward passes, to be replayed.
///
/// Variables are read again, and random ops draw anew, at each run; a plain tensor that the closure captured is a
/// constant. Reading a value on the host while a trace records is an error.
///
/// ```
/// use slalom_autograd::{Tensor, Trace};
/// let trace = Trace::new()?;
/// let x = Tensor::scalar(2.0f32);
/// let y = (&x * &x).sqrt()?;
/// assert!(y.item().is_err());
/// let mut plan = trace.finish(&[&y])?;
/// assert_eq!(plan.run()?[0].item()?, 2.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a trace records only while it lives"]
pub struct Trace {
    start: usize,
    thread: PhantomData<*const ()>,
}

impl Trace {
    /// Begins to record.
    ///
    /// # Errors
    /// [`ErrorKind::State`], if this thread records a trace already.
    pub fn new() -> Result<Trace> {
        if session::with(|s| s.lives(TRACE)) {
            let expected = "one trace at a time on one thread";
            return Err(Error::new(ErrorKind::State, "Trace", expected, "a trace within a trace"));
        }
        let (_, start) = session::open(|_| TRACE, false);
        Ok(Trace { start, thread: PhantomData })
    }

    /// Whether this thread records a trace now.
    pub fn is_recording() -> bool {
        session::recording() & TRACE != 0
    }

    /// What has been recorded so far.
    pub fn summary(&self) -> Summary {
        Summary::of(TRACE)
    }

    /// Ends the recording, and makes the plan that computes `results`.
    ///
    /// # Errors
    /// [`ErrorKind::State`], if a tape from outside of the trace still needs what was recorded.
    pub fn finish(self, results: &[&Tensor]) -> Result<Plan> {
        let start = self.start;
        session::with(|s| {
            let index = |place| s.node(place).map(|(index, _)| index as usize);
            let places: Vec<Option<usize>> = results.iter().map(|result| index(result.place)).collect();
            Plan::new(&s.list, start, results, &places)
        })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        session::close(TRACE, self.start, &[]);
    }
}

/// An operand of a step: a value computed before, or a constant.
#[derive(Debug)]
enum Operand {
    Slot(usize),
    Constant(Array),
}

#[derive(Debug)]
struct Step {
    op: OpRef,
    operands: SmallVec<[Operand; 2]>,
    /// The slots of the results.
    first: usize,
    /// Slots that nobody needs after this step.
    last_uses: SmallVec<[usize; 2]>,
}

/// The steps of a trace that its results need, to be run any number of times.
///
/// A value is freed after its last use, into the pool that the next values come from: from the second run on, a run
/// asks the system for no memory.
#[derive(Debug)]
pub struct Plan {
    steps: Vec<Step>,
    slots: Vec<Option<Array>>,
    results: Vec<Operand>,
}

impl Plan {
    fn new(list: &List, start: usize, results: &[&Tensor], places: &[Option<usize>]) -> Result<Plan> {
        let length = list.len() - start;
        let inside = |index: usize| index.checked_sub(start).filter(|&i| i < length);
        let needed = needed(list, start, places);
        // Nodes in order get slots in order; only those that are computed.
        let mut slot_of: HashMap<usize, usize> = HashMap::new();
        let mut steps = Vec::new();
        let mut slots = 0;
        for i in (0..length).filter(|&i| needed[i]) {
            let Some(recorded) = list.recorded(start + i) else { continue };
            let operands = recorded
                .inputs
                .iter()
                .map(|input| match (inside(input.node as usize), input.tensor()) {
                    (Some(at), _) => Ok(Operand::Slot(slot_of[&at])),
                    (_, Some(tensor)) => Ok(Operand::Constant(tensor.array.clone())),
                    _ => Err(from_outside(recorded.op.name())),
                })
                .collect::<Result<_>>()?;
            for k in 0..recorded.outputs.len() {
                slot_of.insert(i + k, slots + k);
            }
            let op = recorded.op.clone();
            steps.push(Step { op, operands, first: slots, last_uses: SmallVec::new() });
            slots += recorded.outputs.len();
        }
        let results = results
            .iter()
            .zip(places)
            .map(|(result, place)| match place.and_then(inside) {
                Some(i) => Operand::Slot(slot_of[&i]),
                None => Operand::Constant(result.array.clone()),
            })
            .collect::<Vec<_>>();
        let mut plan = Plan { steps, slots: vec![None; slots], results };
        plan.find_last_uses();
        Ok(plan)
    }

    /// Notes after which step each slot is free.
    fn find_last_uses(&mut self) {
        let mut seen = vec![false; self.slots.len()];
        for result in &self.results {
            if let Operand::Slot(slot) = result {
                seen[*slot] = true;
            }
        }
        for i in (0..self.steps.len()).rev() {
            let outputs = match self.steps.get(i + 1) {
                Some(next) => self.steps[i].first..next.first,
                None => self.steps[i].first..self.slots.len(),
            };
            let step = &mut self.steps[i];
            let used = step.operands.iter().filter_map(|operand| match operand {
                Operand::Slot(slot) => Some(*slot),
                Operand::Constant(_) => None,
            });
            for slot in used.chain(outputs) {
                if !std::mem::replace(&mut seen[slot], true) {
                    step.last_uses.push(slot);
                }
            }
        }
    }

    /// How many ops a run applies.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The names of the ops that a run applies, in order.
    pub fn ops(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().map(|step| step.op.name())
    }

    /// Computes the results with the present values of all variables.
    ///
    /// # Errors
    /// Those of the ops. Intermediate values are dropped then, and the plan can be run again.
    pub fn run(&mut self) -> Result<SmallVec<[Tensor; 4]>> {
        let done = self.compute();
        let results = done.map(|()| {
            let array = |result: &Operand| match result {
                Operand::Slot(slot) => self.slots[*slot].clone().expect("computed above"),
                Operand::Constant(array) => array.clone(),
            };
            self.results.iter().map(|result| array(result).into()).collect()
        });
        for result in &self.results {
            if let Operand::Slot(slot) = result {
                self.slots[*slot] = None;
            }
        }
        if results.is_err() {
            self.slots.fill(None);
        }
        results
    }

    fn compute(&mut self) -> Result<()> {
        let slots = &mut self.slots;
        let check = CheckNumerics::is_enabled();
        for (i, step) in self.steps.iter().enumerate() {
            let outputs = {
                let operand = |operand| match operand {
                    &Operand::Slot(slot) => slots[slot].as_ref().expect("computed before it is used"),
                    Operand::Constant(array) => array,
                };
                match step.operands.as_slice() {
                    [a] => step.op.forward(&[operand(a)]),
                    [a, b] => step.op.forward(&[operand(a), operand(b)]),
                    all => step.op.forward(&all.iter().map(operand).collect::<SmallVec<[&Array; 4]>>()),
                }?
            };
            if check && let Some(found) = NonFinite::find(numerics::visible(&*step.op, &outputs)) {
                return Err(found.in_step(step.op.name(), i));
            }
            for (i, output) in outputs.into_iter().enumerate() {
                slots[step.first + i] = Some(output);
            }
            for &slot in &step.last_uses {
                slots[slot] = None;
            }
        }
        Ok(())
    }
}

/// Which nodes the results need, or have effects of their own.
fn needed(list: &List, start: usize, places: &[Option<usize>]) -> Vec<bool> {
    let mut needed = vec![false; list.len() - start];
    for place in places.iter().flatten() {
        if let Some(flag) = place.checked_sub(start).and_then(|i| needed.get_mut(i)) {
            *flag = true;
        }
    }
    for i in (0..needed.len()).rev() {
        let Some(recorded) = list.recorded(start + i) else {
            // A further result of the op before: that op is needed.
            if needed[i] {
                needed[i - 1] = true;
            }
            continue;
        };
        if recorded.op.has_effect() {
            needed[i] = true;
        }
        if needed[i] {
            for input in recorded.inputs {
                let at = (input.node as usize).checked_sub(start);
                if let Some(flag) = at.and_then(|at| needed.get_mut(at)) {
                    *flag = true;
                }
            }
        }
    }
    needed
}

fn from_outside(op: &'static str) -> Error {
    let expected = "operands computed in the trace, variables and constants";
    Error::new(ErrorKind::State, op, expected, "a tensor that a tape from outside of the trace recorded")
}
