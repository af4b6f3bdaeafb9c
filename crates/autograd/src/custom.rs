//! Gradients given by a closure.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, record};
use crate::session::{self, Block, TRACE};
use crate::tensor::Place;
use crate::{AsTensor, Gradient, Tensor};
use slalom_array::{Array, Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::fmt;

/// Results of a closure with a gradient of its own: a tensor, or an array of tensors.
pub trait CustomResults: sealed::Results {}

impl CustomResults for Tensor {}
impl<const M: usize> CustomResults for [Tensor; M] {}

mod sealed {
    use crate::Tensor;

    pub trait Results: Sized {
        fn tensors(&self) -> &[Tensor];
        /// As many tensors in this form.
        fn of(tensors: impl Iterator<Item = Tensor>) -> Self;
    }

    impl Results for Tensor {
        fn tensors(&self) -> &[Tensor] {
            std::slice::from_ref(self)
        }
        fn of(mut tensors: impl Iterator<Item = Tensor>) -> Tensor {
            tensors.next().expect("one tensor")
        }
    }

    impl<const M: usize> Results for [Tensor; M] {
        fn tensors(&self) -> &[Tensor] {
            self
        }
        fn of(mut tensors: impl Iterator<Item = Tensor>) -> [Tensor; M] {
            std::array::from_fn(|_| tensors.next().expect("one tensor for each"))
        }
    }
}

/// The results of a closure with the gradient that another one gives.
struct CustomGradient {
    results: usize,
    #[allow(clippy::type_complexity, reason = "said once")]
    gradient: Box<dyn Fn(&Vjp<'_>) -> Result<Gradients> + Send + Sync>,
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
        // In a trace, the ops of the closure compute the results: the last inputs.
        Ok(inputs[inputs.len() - self.results..].iter().map(|&result| result.clone()).collect())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        (self.gradient)(cx)
    }
}

/// The result or the results of `f` with a gradient of your own (`tf.custom_gradient`).
///
/// `f` is called once, with the inputs. It returns a result, or an array of results, and a second closure, which gives
/// the gradients of the inputs from that of the result (`&Tensor`) or those of the results (`&[Tensor; M]`, zeros for
/// one that nobody uses), as tensors, as [`Gradient`]s, or as `None`; what it needs, it captures. It is written with
/// tensor ops: derivatives of higher order are those of what it computes.
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
///
/// Polar coordinates, whose gradient by the chain rule is NaN at the origin:
///
/// ```
/// use slalom_autograd::{GradientTape, Tensor, custom_gradient};
/// let tape = GradientTape::new();
/// let [x, y] = [3.0, 4.0].map(|x| tape.watch(&Tensor::scalar(x)));
/// let [radius, angle] = custom_gradient([&x, &y], |[x, y]| {
///     let (radius, angle) = ((x * x + y * y).sqrt()?, y.atan2(x)?);
///     let [cos, sin] = [x.divide_no_nan(&radius)?, y.divide_no_nan(&radius)?];
///     let r = radius.clone();
///     let gradient = move |[by_radius, by_angle]: &[Tensor; 2]| {
///         let turn = by_angle.divide_no_nan(&r)?;
///         Ok([by_radius * &cos - &turn * &sin, by_radius * &sin + turn * &cos])
///     };
///     Ok(([radius, angle], gradient))
/// })?;
/// let gradient = tape.gradient(&(radius + 5.0 * angle), &x)?.unwrap().to_dense()?;
/// assert!((gradient.item()? - (0.6 - 0.8)).abs() < 1e-6);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn custom_gradient<const N: usize, T, Y, F, G, R>(inputs: [T; N], f: F) -> Result<Y>
where
    T: AsTensor,
    Y: CustomResults,
    F: FnOnce(&[Tensor; N]) -> Result<(Y, G)>,
    G: Fn(&Y) -> Result<[R; N]> + Send + Sync + 'static,
    R: Into<Option<Gradient>>,
{
    let inputs = inputs.map(|input| input.as_tensor().into_owned());
    let block = Block::begin();
    let (results, gradient) = f(&inputs)?;
    let count = results.tensors().len();
    let gradient = move |cx: &Vjp<'_>| {
        let grads = (0..count).map(|i| cx.grad_of(i)).collect::<Result<SmallVec<[Tensor; 1]>>>()?;
        Ok(gradient(&Y::of(grads.into_iter()))?.into_iter().map(Into::into).collect())
    };
    let op = CustomGradient { results: count, gradient: Box::new(gradient) };
    let Some(first) = with_gradient(block, &inputs, results.tensors(), op)? else { return Ok(results) };
    let placed = |(i, result): (usize, &Tensor)| Tensor::placed(result.array.clone(), first.result(i));
    Ok(Y::of(results.tensors().iter().enumerate().map(placed)))
}

/// Records the op; returns the place of its first result, if tapes record.
fn with_gradient(
    block: Block,
    inputs: &[Tensor],
    results: &[Tensor],
    op: CustomGradient,
) -> Result<Option<Place>> {
    if !block.is_recorded() || results.is_empty() {
        return Ok(None);
    }
    let (reads, others) = block.operands_from_outside(results);
    if reads.iter().chain(&others).any(|place| inputs.iter().all(|input| input.place != *place)) {
        let expected = "each variable and each recorded tensor that the closure uses among its inputs (or `stop_gradient` of it)";
        return Err(Error::new(ErrorKind::Argument, "custom_gradient", expected, "one that is captured"));
    }
    let mut operands: Vec<&Tensor> = inputs.iter().collect();
    if session::recording() & TRACE != 0 {
        operands.extend(results);
    }
    let outputs: Outputs = results.iter().map(|result| result.array.clone()).collect();
    Ok(Some(record(op, &operands, &outputs)))
}
