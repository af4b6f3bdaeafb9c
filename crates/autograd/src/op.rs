//! What an op is.
use crate::jvp::{Jvp, Tangents};
use crate::list::Recorded;
use crate::numerics;
use crate::session::{self, CHECK, Facts, Untraced};
use crate::tensor::Place;
use crate::{Gradient, Tensor};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

/// The results of an op; most have one.
pub type Outputs = SmallVec<[Array; 1]>;

/// The only result of an op, if there is one.
#[inline]
pub(crate) fn single(result: Result<Array>) -> Result<Outputs> {
    Ok(Outputs::from_buf([result?]))
}

/// The gradients of an op's inputs, in their order; `None` where there is none.
pub type Gradients = SmallVec<[Option<Gradient>; 2]>;

/// What an op needs for its gradient: the tape keeps only that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saves {
    /// Shapes and element types, no values.
    Nothing,
    /// The values of the inputs.
    Inputs,
    /// The values of the outputs.
    Outputs,
    /// The values of both.
    Both,
}

/// An operation on arrays, as a value: a small struct that holds its numbers (axes, flags) but never a tensor.
///
/// A tape or a trace keeps ops and applies them again: [`forward`](Op::forward) computes the results,
/// [`vjp`](Op::vjp) the gradients of the inputs from those of the results. `vjp` is written with tensor ops, so that a
/// tape around the backward pass gives higher derivatives. Apply an op with [`apply`].
///
/// ```
/// use slalom_array::{Array, Result};
/// use slalom_autograd::{AsTensor, GradientTape, Gradients, Op, Outputs, Saves, Tensor, Vjp, apply};
///
/// /// `x + 1`
/// #[derive(Debug, Clone)]
/// struct Increment;
///
/// impl Op for Increment {
///     fn name(&self) -> &'static str {
///         "increment"
///     }
///     fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
///         let more: Vec<f32> = inputs[0].to_vec::<f32>()?.iter().map(|x| x + 1.0).collect();
///         Ok([Array::from_vec(inputs[0].shape(), more)?].into())
///     }
///     fn saves(&self) -> Saves {
///         Saves::Nothing
///     }
///     fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
///         Ok([Some(cx.grad()?.into())].into_iter().collect())
///     }
/// }
///
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(1.0f32));
/// let y = apply(Increment, [&x])?;
/// let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
/// assert_eq!((y.item()?, gradient.item()?), (2.0, 1.0));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait Op: Debug + Send + Sync + 'static {
    /// The op's name, as errors and listings show it.
    fn name(&self) -> &'static str;

    /// Computes the results. Must not change anything else, and must check its inputs before it computes.
    ///
    /// # Errors
    /// If the inputs do not fit, saying what was expected.
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs>;

    /// What [`vjp`](Op::vjp) needs.
    fn saves(&self) -> Saves;

    /// The gradients of the inputs (vector-Jacobian products): those for which [`Vjp::needs`] holds; the others may
    /// be `None`.
    ///
    /// # Errors
    /// If an op in it fails, or if there is no such gradient.
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients>;

    /// The tangents of the results from those of the inputs (Jacobian-vector products), for
    /// [`ForwardAccumulator`](crate::ForwardAccumulator).
    ///
    /// By default [`vjp`](Op::vjp) is transposed, which is right for every op whose `vjp` is written with
    /// differentiable ops; one that costs less may be given.
    ///
    /// # Errors
    /// As [`vjp`](Op::vjp).
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.transposed(&|cx| self.vjp(cx))
    }

    /// Whether gradients pass through. If not, results are *cut* from the tape, and the op is named when somebody
    /// asks for the gradient.
    fn is_differentiable(&self) -> bool {
        true
    }

    /// How many of the results, from the first on, a program gets to see. Those beyond are notes for the gradient, which
    /// may be infinite: [`CheckNumerics`](crate::CheckNumerics) leaves them out.
    fn visible_results(&self) -> usize {
        usize::MAX
    }

    /// Whether applying the op does more than computing its results (assigning a variable, drawing random numbers). A
    /// replay leaves out what nobody uses, but not this.
    fn has_effect(&self) -> bool {
        false
    }
}

/// Gives an op away, once.
#[inline]
fn once<O: Op>(op: O) -> impl FnMut() -> OpRef {
    let mut op = Some(op);
    move || OpRef::new(op.take().expect("an op is recorded once"))
}

/// An op on a tape. An op without fields takes no memory.
#[derive(Debug, Clone)]
pub(crate) enum OpRef {
    Static(&'static dyn Op),
    Shared(Arc<dyn Op>),
}

impl OpRef {
    #[inline]
    fn new<O: Op>(op: O) -> OpRef {
        if const { size_of::<O>() == 0 } {
            // A box of nothing allocates nothing: leaking it is free.
            return OpRef::Static(Box::leak(Box::new(op)));
        }
        OpRef::Shared(Arc::new(op))
    }
}

impl std::ops::Deref for OpRef {
    type Target = dyn Op;
    #[inline]
    fn deref(&self) -> &dyn Op {
        match self {
            OpRef::Static(op) => *op,
            OpRef::Shared(op) => &**op,
        }
    }
}

/// Applies an op of one result, and records it where a tape or a trace wants it.
///
/// # Errors
/// Those of the op's [`forward`](Op::forward).
#[inline]
pub fn apply<O: Op, const N: usize>(op: O, inputs: [&Tensor; N]) -> Result<Tensor> {
    let outputs = {
        let _untraced = Untraced::new();
        op.forward(&arrays(&inputs))
    };
    let (name, facts) = (op.name(), facts(&op));
    finish(name, facts, &mut once(op), &inputs, outputs)
}

/// The arrays of the inputs, by one copy of the code for all ops.
#[inline]
fn arrays<'a, const N: usize>(inputs: &[&'a Tensor; N]) -> [&'a Array; N] {
    inputs.map(|input| &input.array)
}

/// [`apply`] after the op's `forward`, for all ops.
fn finish(
    name: &'static str,
    facts: Facts,
    op: &mut dyn FnMut() -> OpRef,
    inputs: &[&Tensor],
    outputs: Result<Outputs>,
) -> Result<Tensor> {
    let [array] = outputs?.into_inner().unwrap_or_else(|_| several(name));
    let recording = session::recording();
    if recording == 0 {
        return Ok(array.into());
    }
    let outputs = std::slice::from_ref(&array);
    if recording & CHECK != 0 {
        numerics::check(name, inputs, outputs)?;
    }
    let place = session::record(op, facts, inputs, outputs);
    Ok(Tensor::placed(array, place))
}

#[cold]
fn several(op: &'static str) -> ! {
    panic!("{op}: `apply` is for ops of one result");
}

#[inline]
fn facts<O: Op>(op: &O) -> Facts {
    Facts { saves: op.saves(), differentiable: op.is_differentiable() }
}

/// Records an op whose results are known.
pub(crate) fn record<O: Op>(op: O, inputs: &[&Tensor], outputs: &[Array]) -> Place {
    let facts = facts(&op);
    session::record(&mut once(op), facts, inputs, outputs)
}

/// Applies an op of any number of inputs and results, and records it where a tape or a trace wants it.
///
/// # Errors
/// Those of the op's [`forward`](Op::forward).
pub fn apply_many<O: Op>(op: O, inputs: &[&Tensor]) -> Result<SmallVec<[Tensor; 1]>> {
    let arrays: SmallVec<[&Array; 4]> = inputs.iter().map(|t| &t.array).collect();
    let outputs = {
        let _untraced = Untraced::new();
        op.forward(&arrays)?
    };
    let first = match session::recording() {
        0 => Place::CONSTANT,
        recording => {
            if recording & CHECK != 0 {
                numerics::check(op.name(), inputs, numerics::visible(&op, &outputs))?;
            }
            record(op, inputs, &outputs)
        }
    };
    Ok(outputs.into_iter().enumerate().map(|(i, array)| Tensor::placed(array, first.result(i))).collect())
}

/// Records an op in the trace of this thread without applying it: it is applied when the trace is replayed. `value` is
/// its input, and stands for its result.
pub fn defer<O: Op>(op: O, value: &Tensor) -> Tensor {
    let place = record(op, &[value], std::slice::from_ref(&value.array));
    Tensor::placed(value.array.clone(), place)
}

/// What a [`vjp`](Op::vjp) can see: the op's inputs and results, and the gradients of the results.
pub struct Vjp<'a> {
    pub(crate) recorded: Recorded<'a>,
    pub(crate) grads: &'a [Option<Tensor>],
    /// Bit `i`: input `i` needs a gradient.
    pub(crate) needs: u64,
}

impl Vjp<'_> {
    /// Whether somebody asks for the gradient of input `i`.
    #[inline]
    pub fn needs(&self, i: usize) -> bool {
        i >= 64 || self.needs >> i & 1 == 1
    }

    /// The gradient of the (first) result.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    #[inline]
    pub fn grad(&self) -> Result<Tensor> {
        self.grad_of(0)
    }

    /// Whether result `i` has a gradient: whether what is differentiated depends on it.
    #[inline]
    pub fn has_grad(&self, i: usize) -> bool {
        self.grads[i].is_some()
    }

    /// The gradient of result `i`: zeros, where it has none.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    #[inline]
    pub fn grad_of(&self, i: usize) -> Result<Tensor> {
        match &self.grads[i] {
            Some(grad) => Ok(grad.clone()),
            None => self.zeros(i),
        }
    }

    #[cold]
    fn zeros(&self, i: usize) -> Result<Tensor> {
        let value = &self.recorded.outputs[i];
        Tensor::zeros(value.shape(), value.dtype())
    }

    /// [`grad`](Vjp::grad), without another handle to it.
    #[inline]
    pub(crate) fn upstream(&self) -> Result<Cow<'_, Tensor>> {
        match &self.grads[0] {
            Some(grad) => Ok(Cow::Borrowed(grad)),
            None => self.zeros(0).map(Cow::Owned),
        }
    }

    /// Input `i`, in its place on the tapes that record now.
    ///
    /// # Panics
    /// If the op does not say that it [`saves`](Op::saves) inputs.
    #[inline]
    pub fn input(&self, i: usize) -> &Tensor {
        self.recorded.inputs[i].tensor().unwrap_or_else(|| self.lacks("inputs"))
    }

    /// The (first) result, in its place on the tapes that record now.
    ///
    /// # Panics
    /// If the op does not say that it [`saves`](Op::saves) outputs.
    #[inline]
    pub fn output(&self) -> &Tensor {
        self.output_of(0)
    }

    /// Result `i`, in its place on the tapes that record now.
    ///
    /// # Panics
    /// If the op does not say that it [`saves`](Op::saves) outputs.
    pub fn output_of(&self, i: usize) -> &Tensor {
        self.recorded.outputs[i].tensor().unwrap_or_else(|| self.lacks("outputs"))
    }

    #[cold]
    fn lacks(&self, what: &str) -> ! {
        panic!("{}: `saves` lacks the {what}", self.recorded.op.name())
    }

    /// The shape of input `i`.
    #[inline]
    pub fn input_shape(&self, i: usize) -> &Shape {
        self.recorded.inputs[i].shape()
    }

    /// The element type of input `i`.
    pub fn input_dtype(&self, i: usize) -> DType {
        self.recorded.inputs[i].dtype()
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.recorded.inputs.len()
    }

    /// The error for an op without this gradient.
    pub fn no_gradient(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::Gradient, self.recorded.op.name(), "an op with this gradient", why)
    }
}

/// The gradient of an op of one input.
#[inline]
pub(crate) fn one(gradient: impl Into<Gradient>) -> Result<Gradients> {
    Ok(smallvec![Some(gradient.into())])
}
