//! Gradients that compute what they need again instead of keeping it.
use crate::backward::backward;
use crate::op::{self, Gradients, Op, Outputs, Saves, Vjp};
use crate::session::rerun::{self, Log};
use crate::session::{self, Aliases, Block, Read, TRACE, VariableId};
use crate::sources::SourceKey;
use crate::tape::{Pause, Tape};
use crate::tensor::Place;
use crate::{AsTensor, Tensor};
use slalom_array::{Array, Error, ErrorKind, Result};
use std::fmt;
use std::mem::ManuallyDrop;

const OP: &str = "recompute_grad";

type Function = dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync;

/// A closure of which only the inputs are kept: its arguments, and the variables that it reads.
struct Recompute {
    function: Box<Function>,
    arguments: usize,
    variables: Vec<Known>,
    /// What it has done beside.
    log: Log,
}

/// A variable that the closure reads.
struct Known {
    id: ManuallyDrop<VariableId>,
    /// Of the value that it has read.
    version: u64,
    /// Its value is an argument, too: the closure may have used that.
    given: bool,
}

impl fmt::Debug for Recompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recompute")
    }
}

impl Op for Recompute {
    fn name(&self) -> &'static str {
        OP
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        // In a trace, the ops of the closure compute the result: the last input.
        Ok(inputs.last().map(|&result| result.clone()).into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        // The closure on a tape of its own, with the variables as they were.
        let grad = cx.grad()?;
        let tape = Tape::new(false);
        tape.check()?;
        let handle = |i: usize| match cx.input(i) {
            input if i >= self.arguments => session::read_again(tape.bit, input),
            input if input.dtype().is_float() => session::watch(tape.bit, input),
            input => input.clone(),
        };
        let handles: Vec<Tensor> = (0..self.arguments + self.variables.len()).map(handle).collect();
        let (arguments, values) = handles.split_at(self.arguments);
        for variable in &self.variables {
            tape.watch_variable(&variable.id);
        }
        let block = Block::begin();
        let variables = self.variables.iter().zip(values);
        let aliases = Aliases::new(variables.clone().map(|(v, value)| (&*v.id, v.version, value.place)));
        let result = rerun::again(&self.log, || (self.function)(arguments))?;
        if aliases.assigned() {
            let expected = "variables that keep their values until the gradient is computed";
            return Err(Error::new(ErrorKind::State, OP, expected, "an assignment"));
        }
        let used = |place| aliases.displaced(place) || block.uses(place, &result);
        if variables.clone().any(|(variable, value)| !variable.given && !used(value.place)) {
            return Err(captured());
        }
        if result.shape() != grad.shape() {
            let expected = format!("the closure to compute shape {} again", grad.shape());
            return Err(Error::new(ErrorKind::Shape, OP, expected, result.shape()));
        }
        let mut keys: Vec<SourceKey<'_>> = arguments.iter().map(SourceKey::Tensor).collect();
        for (Known { id, .. }, value) in variables {
            keys.push(SourceKey::Variable { id, shape: value.shape(), dtype: value.dtype() });
        }
        let _pause = Pause::new(tape.bit);
        let found = backward(tape.bit, &[&result], Some(&[grad]), &keys, true)?;
        Ok(found.into_iter().collect())
    }
}

fn captured() -> Error {
    let expected = "each recorded tensor that the closure uses among its inputs (or `stop_gradient` of it)";
    Error::new(ErrorKind::Argument, OP, expected, "one that is captured")
}

/// The result of `f`, of which tapes keep only the inputs: what the gradient needs besides is computed again in the
/// backward pass (`tf.recompute_grad`; T. Chen et al., *Training deep nets with sublinear memory cost*, 2016).
///
/// A chain of blocks, each wrapped so, keeps the activations between the blocks and, in the backward pass, those within
/// one of them, for one more forward computation. Variables that `f` reads get their gradients as ever; blocks nest, and
/// derivatives of any order go through. Gradients have the same bits as without, but that the contributions to a value
/// that several blocks use are added up by block.
///
/// `f` must compute the same each time. `dropout` chooses the same elements again, and what `f` assigns, as the moving
/// statistics of a batch normalization, is assigned once; random numbers that it takes from a generator by itself would be
/// others. A variable that it reads must keep its value until the gradient is computed.
///
/// # Errors
/// Those of `f`; `ErrorKind::Argument`, if `f` captures a tensor that a tape has recorded; `ErrorKind::State`, if it
/// assigns a variable that a tape watches, or applies an op of your own that has an effect. The gradient fails with
/// `ErrorKind::State`, if a variable was assigned meanwhile, or if `f` draws more or less often than before.
///
/// ```
/// use slalom_autograd::{GradientTape, Tensor, recompute_grad};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(3.0));
/// let y = recompute_grad([&x], |[x]| Ok(x.square().square()))?;
/// let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
/// assert_eq!(gradient.item()?, 4.0 * 27.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn recompute_grad<const N: usize, T, F>(inputs: [T; N], f: F) -> Result<Tensor>
where
    T: AsTensor,
    F: Fn(&[Tensor; N]) -> Result<Tensor> + Send + Sync + 'static,
{
    let inputs = inputs.map(|input| input.as_tensor().into_owned());
    let block = Block::begin();
    if !block.is_recorded() {
        return f(&inputs);
    }
    let (result, log) = rerun::first(|| f(&inputs))?;
    if !block.computed(result.place) {
        return Ok(result);
    }
    let function = move |inputs: &[Tensor]| f(inputs.first_chunk().expect("as many inputs as before"));
    record(block, &inputs, result, Box::new(function), log)
}

fn record(
    block: Block,
    inputs: &[Tensor],
    result: Tensor,
    function: Box<Function>,
    log: Log,
) -> Result<Tensor> {
    let (places, others) = block.operands_from_outside(std::slice::from_ref(&result));
    let given = |place: Place| inputs.iter().any(|input| input.place == place);
    if others.iter().any(|place| !given(*place)) {
        return Err(captured());
    }
    if let Some(op) = block.effect() {
        let expected = "ops that do nothing beside computing their results";
        return Err(Error::new(ErrorKind::State, OP, expected, format!("`{op}`")));
    }
    let mut reads: Vec<Read> = block.reads(&places)?;
    // Tapes that came and went in the closure have made further nodes of a variable.
    let mut seen: Vec<ManuallyDrop<VariableId>> = Vec::new();
    reads.retain(|read| {
        let new = seen.iter().all(|id| **id != *read.id);
        seen.push(read.id.alias());
        new
    });
    if reads.iter().any(|read| log.assigns(&read.id)) {
        let expected = "no assignment of a variable that a tape watches";
        return Err(Error::new(ErrorKind::State, OP, expected, "one"));
    }
    block.forget(&mut reads);
    let known =
        |read: &Read| Known { id: read.id.alias(), version: read.version, given: given(read.value.place) };
    let variables = reads.iter().map(known).collect();
    let mut operands: Vec<&Tensor> = inputs.iter().chain(reads.iter().map(|read| &read.value)).collect();
    if session::recording() & TRACE != 0 {
        operands.push(&result);
    }
    let op = Recompute { function, arguments: inputs.len(), variables, log };
    let place = op::record(op, &operands, std::slice::from_ref(&result.array));
    Ok(Tensor::placed(result.array, place))
}
