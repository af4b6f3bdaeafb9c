//! Gradients given by a closure.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, record};
use crate::session::{self, Block, TRACE};
use crate::{AsTensor, Gradient, Tensor};
use slalom_array::{Array, Error, ErrorKind, Result};
use std::fmt;

/// The result of a closure with the gradient that another one gives.
struct CustomGradient {
    #[allow(clippy::type_complexity, reason = "said once")]
    gradient: Box<dyn Fn(&Tensor) -> Result<Gradients> + Send + Sync>,
}

impl fmt::Debug for CustomGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomGradient")
    }
}

impl Op for CustomGradient {
    fn name(&self) -> &'static str {
        "custom_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        // In a trace, the ops of the closure compute the result: the last input.
        Ok(inputs.last().map(|&result| result.clone()).into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        (self.gradient)(&cx.grad()?)
    }
}

/// The result of `f` with a gradient of your own (`tf.custom_gradient`).
///
/// `f` is called once, with the inputs. It returns a result and a second closure, which gives the gradients of the
/// inputs from that of the result, as tensors, as [`Gradient`]s, or as `None`; what it needs, it captures. It is
/// written with tensor ops: derivatives of higher order are those of what it computes.
///
/// Variables may be among the inputs. A variable that `f` only reads, or a tensor that a tape has recorded and that `f`
/// captures, would get no gradient, so that is an error. Other tensors that it captures are constants.
///
/// # Errors
/// Those of `f`; `ErrorKind::Argument`, if `f` uses a variable that a tape watches, or a tensor that it has recorded, which
/// is not among the inputs.
///
/// `log(1 + eˣ)`, whose gradient by the chain rule is NaN for large `x`:
///
/// ```
/// use slalom_autograd::{GradientTape, Tensor, custom_gradient};
/// fn log1pexp(x: &Tensor) -> slalom_array::Result<Tensor> {
///     custom_gradient([x], |[x]| {
///         let e = x.exp()?;
///         let y = (1.0 + &e).log()?;
///         Ok((y, move |upstream: &Tensor| Ok([upstream * (1.0 - 1.0 / (1.0 + &e))])))
///     })
/// }
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(1000.0));
/// let y = log1pexp(&x)?;
/// assert_eq!(tape.gradient(&y, &x)?.unwrap().to_dense()?.item()?, 1.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn custom_gradient<const N: usize, T, F, G, R>(inputs: [T; N], f: F) -> Result<Tensor>
where
    T: AsTensor,
    F: FnOnce(&[Tensor; N]) -> Result<(Tensor, G)>,
    G: Fn(&Tensor) -> Result<[R; N]> + Send + Sync + 'static,
    R: Into<Option<Gradient>>,
{
    let inputs = inputs.map(|input| input.as_tensor().into_owned());
    let block = Block::begin();
    let (result, gradient) = f(&inputs)?;
    let gradient = move |grad: &Tensor| Ok(gradient(grad)?.into_iter().map(Into::into).collect());
    with_gradient(block, &inputs, result, CustomGradient { gradient: Box::new(gradient) })
}

fn with_gradient(block: Block, inputs: &[Tensor], result: Tensor, op: CustomGradient) -> Result<Tensor> {
    if !block.is_recorded() {
        return Ok(result);
    }
    let (reads, others) = block.operands_from_outside(&result);
    if reads.iter().chain(&others).any(|place| inputs.iter().all(|input| input.place != *place)) {
        let expected = "each variable and each recorded tensor that the closure uses among its inputs (or `stop_gradient` of it)";
        return Err(Error::new(ErrorKind::Argument, "custom_gradient", expected, "one that is captured"));
    }
    let mut operands: Vec<&Tensor> = inputs.iter().collect();
    if session::recording() & TRACE != 0 {
        operands.push(&result);
    }
    let outputs = std::slice::from_ref(&result.array);
    let place = record(op, &operands, outputs);
    Ok(Tensor::placed(result.array, place))
}
