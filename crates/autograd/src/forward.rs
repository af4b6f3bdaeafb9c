//! Forward mode: tangents carried along with values.
//!
//! An accumulator is a tape whose nodes are walked in their own order instead of backwards. Each op maps the tangents
//! of its inputs to those of its results, with tensor ops, so that an accumulator or a tape around it gives higher
//! derivatives. Only what the target needs is computed, each tangent once.
use crate::jvp::{Jvp, Tangents};
use crate::list::{Operand, Recorded};
use crate::session::{self, VariableId};
use crate::sources::{SourceKey, Sources, Targets};
use crate::tape::{Pause, Tape};
#[cfg(doc)]
use crate::{GradientTape, Op};
use crate::{Tensor, UnconnectedGradients};
use slalom_array::{Error, ErrorKind, Result};
use smallvec::{SmallVec, smallvec};
use std::cell::RefCell;
use std::mem::ManuallyDrop;

const OP: &str = "ForwardAccumulator";

/// What is known of the tangent of a node.
#[derive(Debug, Clone, Default)]
enum State {
    #[default]
    Unknown,
    /// To be computed by the walk that runs.
    Pending,
    /// `None` is zero.
    Known(Option<Tensor>),
}

/// Where tangents begin.
#[derive(Debug)]
enum Seed {
    Node(u32),
    Variable(ManuallyDrop<VariableId>),
}

/// Computes Jacobian-vector products in forward mode (`tf.autodiff.ForwardAccumulator`): the derivative of what is
/// computed from *primals* in the direction of their *tangents*.
///
/// It costs about as much as the function itself, whatever the number of inputs. Primals are tensors, whose handles to
/// compute with are [`primals`](ForwardAccumulator::primals), and variables, which are read as ever, from now on.
///
/// ```
/// use slalom_autograd::{ForwardAccumulator, Tensor};
/// let x = Tensor::from_vec([2], vec![3.0, 5.0])?;
/// let direction = Tensor::from_vec([2], vec![1.0, 0.0])?;
/// let accumulator = ForwardAccumulator::new(&x, &direction)?;
/// let x = &accumulator.primals()[0];
/// let y = x.square();
/// assert_eq!(accumulator.jvp(&y)?.unwrap().to_vec::<f64>()?, [6.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// Around the gradient of a tape it gives the product of the Hessian with the direction, for about twice the cost
/// of the gradient:
///
/// ```
/// use slalom_autograd::{ForwardAccumulator, GradientTape, Tensor};
/// let accumulator = ForwardAccumulator::new(&Tensor::scalar(2.0), &Tensor::scalar(10.0))?;
/// let tape = GradientTape::new();
/// let x = tape.watch(&accumulator.primals()[0]);
/// let y = &x * &x * &x;
/// let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
/// assert_eq!(accumulator.jvp(&gradient)?.unwrap().item()?, 6.0 * 2.0 * 10.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// It records like a persistent tape until it is dropped, and keeps what it has recorded as long. Accumulators and tapes
/// nest in any order.
#[derive(Debug)]
#[must_use = "an accumulator records only while it lives"]
pub struct ForwardAccumulator {
    tape: Tape,
    primals: Vec<Tensor>,
    seeds: Vec<(Seed, Tensor)>,
    /// By the nodes' indices.
    tangents: RefCell<Vec<State>>,
}

impl ForwardAccumulator {
    /// Begins to record what depends on `primals`, each of which has a tangent of its shape and element type.
    ///
    /// `primals` takes the forms of the sources of [`GradientTape::gradient`]: `&x`, `[&x, &y]`, slices and vectors of
    /// tensors or variables; `tangents` is a tensor or a list of them.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if there is not one tangent for each primal, or if a variable is listed twice;
    /// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if a tangent does not fit its primal, or a primal does not hold
    /// floating-point numbers; [`ErrorKind::State`], if too many tapes live.
    pub fn new<S: Sources>(primals: S, tangents: &(impl Targets + ?Sized)) -> Result<ForwardAccumulator> {
        let (keys, tangents) = (primals.keys(), tangents.tensors());
        if keys.len() != tangents.len() {
            let expected = format!("{} tangents, one for each primal", keys.len());
            return Err(Error::new(ErrorKind::Argument, OP, expected, tangents.len()));
        }
        let tape = Tape::new(false);
        tape.check()?;
        let (mut handles, mut seeds): (Vec<Tensor>, Vec<(Seed, Tensor)>) = (Vec::new(), Vec::new());
        for (key, tangent) in keys.iter().zip(tangents) {
            check(key, tangent)?;
            let seed = match key {
                SourceKey::Tensor(tensor) => {
                    let handle = tape.watch(tensor);
                    let found = session::with(|s| s.node(handle.place).map(|(index, _)| index));
                    let index = found.expect("watched above");
                    handles.push(handle);
                    Seed::Node(index)
                }
                SourceKey::Variable { id, .. } => {
                    let same =
                        |(seed, _): &(Seed, Tensor)| matches!(seed, Seed::Variable(of) if **of == **id);
                    if seeds.iter().any(same) {
                        let expected = "each variable once among the primals";
                        return Err(Error::new(ErrorKind::Argument, OP, expected, "one listed twice"));
                    }
                    tape.watch_variable(id);
                    Seed::Variable(id.alias())
                }
            };
            seeds.push((seed, tangent.clone()));
        }
        Ok(ForwardAccumulator { tape, primals: handles, seeds, tangents: RefCell::default() })
    }

    /// The handles to compute with, of those primals that are tensors, in their order.
    pub fn primals(&self) -> &[Tensor] {
        &self.primals
    }

    /// The derivative of `target` in the direction of the tangents, of its shape; `None`, if it does not depend on a
    /// primal. The accumulator does not record meanwhile.
    ///
    /// # Errors
    /// Those of the ops.
    pub fn jvp(&self, target: &Tensor) -> Result<Option<Tensor>> {
        let bit = self.tape.bit;
        let find = |s: &mut session::Session| {
            s.node(target.place).filter(|(_, node)| node.mask & bit != 0).map(|(i, _)| i)
        };
        let Some(top) = session::with(find) else { return Ok(None) };
        let _pause = Pause::new(bit);
        let mut tangents = self.tangents.borrow_mut();
        self.place_seeds(&mut tangents, top);
        let pending = needed(&mut tangents, top, bit);
        for &index in &pending {
            if let Err(error) = advance(&mut tangents, index) {
                let pending = tangents.iter_mut().filter(|state| matches!(state, State::Pending));
                pending.for_each(|state| *state = State::Unknown);
                return Err(error);
            }
        }
        match &tangents[top as usize] {
            State::Known(tangent) => Ok(tangent.clone()),
            _ => unreachable!("the walk ends with the target"),
        }
    }

    /// As [`jvp`](ForwardAccumulator::jvp); zeros, where the target does not depend on a primal, if `unconnected` says
    /// so.
    ///
    /// # Errors
    /// As [`jvp`](ForwardAccumulator::jvp).
    pub fn jvp_with(&self, target: &Tensor, unconnected: UnconnectedGradients) -> Result<Option<Tensor>> {
        match (self.jvp(target)?, unconnected) {
            (None, UnconnectedGradients::Zero) => Tensor::zeros(target.shape(), target.dtype()).map(Some),
            (tangent, _) => Ok(tangent),
        }
    }

    /// Runs `f` without recording.
    pub fn stop_recording<R>(&self, f: impl FnOnce() -> R) -> R {
        self.tape.stop_recording(f)
    }

    /// Puts the given tangents on the nodes up to `top`; of a variable on all its reads.
    fn place_seeds(&self, tangents: &mut Vec<State>, top: u32) {
        if tangents.len() <= top as usize {
            tangents.resize(top as usize + 1, State::Unknown);
        }
        for (seed, tangent) in &self.seeds {
            let mut place = |index: u32| {
                if let Some(state) = tangents.get_mut(index as usize) {
                    *state = State::Known(Some(tangent.clone()));
                }
            };
            match seed {
                Seed::Node(index) => place(*index),
                Seed::Variable(id) => session::with(|s| s.variable_nodes(id, self.tape.bit, place)),
            }
        }
    }
}

fn check(key: &SourceKey<'_>, tangent: &Tensor) -> Result<()> {
    let (shape, dtype) = match key {
        SourceKey::Tensor(tensor) => (tensor.shape(), tensor.dtype()),
        SourceKey::Variable { shape, dtype, .. } => (*shape, *dtype),
    };
    if !dtype.is_float() {
        return Err(Error::new(ErrorKind::DType, OP, "primals of a floating-point dtype", dtype));
    }
    if tangent.dtype() != dtype {
        let expected = format!("a tangent of the primal's dtype {dtype}");
        return Err(Error::new(ErrorKind::DType, OP, expected, tangent.dtype()));
    }
    if tangent.shape() != shape {
        let expected = format!("a tangent of the primal's shape {shape}");
        return Err(Error::new(ErrorKind::Shape, OP, expected, tangent.shape()));
    }
    Ok(())
}

/// The ops whose tangents `top` needs and that are not known, in their order; their nodes become pending. Of an op
/// with several results it is the first node, which comes before all others.
fn needed(tangents: &mut [State], top: u32, bit: u64) -> Vec<u32> {
    session::with(|session| {
        let (mut stack, mut pending) = (vec![top], Vec::new());
        while let Some(mut index) = stack.pop() {
            if !matches!(tangents[index as usize], State::Unknown) {
                continue;
            }
            let recorded = loop {
                match session.list.recorded(index as usize) {
                    Some(recorded) => break recorded,
                    None => index -= 1,
                }
            };
            for result in 0..recorded.outputs.len() {
                // Later results may lie beyond the target.
                if let Some(state) = tangents.get_mut(index as usize + result) {
                    *state = State::Pending;
                }
            }
            pending.push(index);
            let wanted = |node: &u32| {
                session.list.nodes().get(*node as usize).is_some_and(|node| node.mask & bit != 0)
            };
            stack.extend(recorded.inputs.iter().map(|input| input.node).filter(wanted));
        }
        pending.sort_unstable();
        pending
    })
}

/// Computes the tangents of the results of the op at `index`.
fn advance(tangents: &mut Vec<State>, index: u32) -> Result<()> {
    let (op, operands, inputs) = session::with(|session| {
        let recorded = session.list.recorded(index as usize).expect("the first node of an op");
        let operands: SmallVec<[Operand; 3]> =
            recorded.inputs.iter().chain(recorded.outputs).cloned().collect();
        let tangent = |input: &Operand| match tangents.get(input.node as usize) {
            Some(State::Known(tangent)) => tangent.clone(),
            _ => None,
        };
        let inputs: SmallVec<[Option<Tensor>; 4]> = recorded.inputs.iter().map(tangent).collect();
        (recorded.op.clone(), operands, inputs)
    });
    let (of_inputs, of_outputs) = operands.split_at(inputs.len());
    let recorded = Recorded { op: &op, inputs: of_inputs, outputs: of_outputs };
    let count = recorded.outputs.len();
    let mut results: Tangents = smallvec![None; count];
    let mut given = inputs.iter().flatten().peekable();
    if given.peek().is_some() && given.all(Tensor::is_empty) {
        // The product with a Jacobian without columns.
        for (result, output) in results.iter_mut().zip(of_outputs) {
            *result = Some(Tensor::zeros(output.shape(), output.dtype())?);
        }
    } else if inputs.iter().any(Option::is_some) {
        let name = recorded.op.name();
        results = recorded.op.jvp(&Jvp::new(recorded, &inputs))?;
        check_results(name, of_outputs, &results)?;
    }
    if tangents.len() < index as usize + count {
        tangents.resize(index as usize + count, State::Unknown);
    }
    for (i, result) in results.into_iter().enumerate() {
        tangents[index as usize + i] = State::Known(result);
    }
    Ok(())
}

fn check_results(name: &'static str, outputs: &[Operand], results: &Tangents) -> Result<()> {
    if results.len() != outputs.len() {
        let expected = format!("{} tangents, one for each result", outputs.len());
        return Err(Error::new(ErrorKind::Argument, name, expected, results.len()));
    }
    for (i, (tangent, output)) in results.iter().zip(outputs).enumerate() {
        let Some(tangent) = tangent else { continue };
        let (shape, dtype) = (output.shape(), output.dtype());
        if tangent.shape() != shape {
            let expected = format!("a tangent of result {i} of its shape {shape}");
            return Err(Error::new(ErrorKind::Shape, name, expected, tangent.shape()));
        }
        if tangent.dtype() != dtype {
            let expected = format!("a tangent of result {i} of its dtype {dtype}");
            return Err(Error::new(ErrorKind::DType, name, expected, tangent.dtype()));
        }
    }
    Ok(())
}
