//! The search for the op that made the first NaN or infinity.
use crate::Tensor;
use crate::op::Op;
use crate::session::{self, CHECK};
use slalom_array::{Array, Error, ErrorKind, Map, Number, Result, reduce_map};
use slalom_array::{DType, Float};
use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    /// How many checks live.
    static ENABLED: Cell<usize> = const { Cell::new(0) };
}

/// Checks the results of all ops of this thread while it lives (`tf.debugging.enable_check_numerics`): the first op that
/// makes a NaN or an infinity fails, with its name and its place on the list of the tape. In a backward pass the error
/// names the op whose gradient it was, too; in a replay the step.
///
/// It costs a pass over each result while it lives, and nothing otherwise. An operator that fails panics, a method
/// returns an error of kind [`ErrorKind::Numerics`].
///
/// ```
/// use slalom_autograd::{CheckNumerics, GradientTape, Tensor};
/// let _check = CheckNumerics::enable();
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::from_vec([2], vec![1.0, 0.0])?);
/// let y = x.square().sqrt()?;
/// let error = tape.gradient(&y, &x).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "gradient of op 2, `sqrt`: sqrt: expected finite results from finite operands, got 1 infinity among 2 elements"
/// );
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "results are checked only while it lives"]
pub struct CheckNumerics {
    thread: PhantomData<*const ()>,
}

impl CheckNumerics {
    /// Begins to check.
    pub fn enable() -> CheckNumerics {
        ENABLED.set(ENABLED.get() + 1);
        session::set_recording(session::recording() | CHECK);
        CheckNumerics { thread: PhantomData }
    }

    /// Whether this thread checks results now.
    pub fn is_enabled() -> bool {
        session::recording() & CHECK != 0
    }
}

impl Drop for CheckNumerics {
    fn drop(&mut self) {
        ENABLED.set(ENABLED.get() - 1);
        if ENABLED.get() == 0 {
            session::set_recording(session::recording() & !CHECK);
        }
    }
}

/// 1 for what is not a finite number.
#[derive(Clone, Copy)]
struct Indicator;

impl<F: Float + Number> Map<F, F, 1> for Indicator {
    #[inline(always)]
    fn eval(self, [x]: [F; 1]) -> F {
        // 0 ∞ and 0 NaN are NaN.
        let zero = <F as Float>::ZERO;
        F::select(x * zero == zero, zero, <F as Float>::ONE)
    }
}

fn is_finite(array: &Array) -> bool {
    let count = match array.dtype() {
        DType::F32 if !array.is_empty() => reduce_map::<f32, f32, _, 1>("check_numerics", Indicator, [array]),
        DType::F64 if !array.is_empty() => reduce_map::<f64, f64, _, 1>("check_numerics", Indicator, [array]),
        _ => return true,
    };
    count.and_then(|count| count.item()).is_ok_and(|count| count == 0.0)
}

/// The results that a program gets to see.
pub(crate) fn visible<'a>(op: &dyn Op, outputs: &'a [Array]) -> &'a [Array] {
    &outputs[..outputs.len().min(op.visible_results())]
}

/// What is wrong in the results of an op.
pub(crate) struct NonFinite {
    nans: usize,
    infinities: usize,
    elements: usize,
}

impl NonFinite {
    /// In the first result that is not finite.
    pub(crate) fn find(outputs: &[Array]) -> Option<NonFinite> {
        outputs.iter().find(|output| !is_finite(output)).map(NonFinite::count)
    }

    #[cold]
    fn count(array: &Array) -> NonFinite {
        let elements = array.cast(DType::F64).and_then(|array| array.to_vec::<f64>()).unwrap_or_default();
        let count = |wrong: fn(&&f64) -> bool| elements.iter().filter(wrong).count();
        NonFinite {
            nans: count(|x| x.is_nan()),
            infinities: count(|x| x.is_infinite()),
            elements: elements.len(),
        }
    }

    fn error(&self, op: &'static str, expected: &'static str) -> Error {
        let infinities = if self.infinities == 1 { "infinity" } else { "infinities" };
        let found = match (self.nans, self.infinities) {
            (nans, 0) => format!("{nans} NaN"),
            (0, count) => format!("{count} {infinities}"),
            (nans, count) => format!("{nans} NaN and {count} {infinities}"),
        };
        Error::new(ErrorKind::Numerics, op, expected, format!("{found} among {} elements", self.elements))
    }

    /// The error for a step of a replay.
    pub(crate) fn in_step(&self, op: &'static str, step: usize) -> Error {
        self.error(op, "finite results").context(format_args!("step {step} of the plan"))
    }
}

/// Fails, if a result is not finite.
#[cold]
pub(crate) fn check(op: &'static str, inputs: &[&Tensor], outputs: &[Array]) -> Result<()> {
    let Some(found) = NonFinite::find(outputs) else { return Ok(()) };
    let finite = inputs.iter().all(|input| is_finite(&input.array));
    let expected = match finite {
        true => "finite results from finite operands",
        false => "finite results (an operand is not finite)",
    };
    let error = found.error(op, expected);
    // Where the op would stand: not in a backward pass, whose ops stand on no list of their own.
    let recorded = session::recording() & !CHECK != 0;
    let index = session::with(|s| s.list.len());
    Err(if recorded { error.context(format_args!("op {index}")) } else { error })
}

/// The error with the op whose gradient was computed.
#[cold]
pub(crate) fn in_gradient(error: Error, index: u32, op: &'static str) -> Error {
    match error.kind() {
        ErrorKind::Numerics => error.context(format_args!("gradient of op {index}, `{op}`")),
        _ => error,
    }
}
