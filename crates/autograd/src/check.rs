//! Gradients against finite differences.
use crate::{GradientOptions, GradientTape, PersistentGradientTape, Tensor, UnconnectedGradients};
use slalom_array::{Array, DType, Error, ErrorKind, Result};
use smallvec::SmallVec;

const OP: &str = "check_gradients";
/// How many step widths are tried, each half of the one before.
const LEVELS: usize = 8;

type Function<'a> = dyn Fn(&[Tensor]) -> Result<Vec<Tensor>> + 'a;

/// Checks the gradients of `function` at `inputs`, first and second order, with the default tolerances of
/// [`GradientCheck`].
///
/// # Errors
/// As [`GradientCheck::run`].
///
/// ```
/// use slalom_autograd::{Tensor, check_gradients};
/// let x = Tensor::from_vec([3], vec![0.5, 1.0, 2.0])?;
/// let report = check_gradients(|x| (&x[0] * &x[0]).log(), &[x])?;
/// assert!(report.worst(1) < 1e-9 && report.worst(2) < 1e-9);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn check_gradients(
    function: impl Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
) -> Result<GradientReport> {
    GradientCheck::new().run(function, inputs)
}

/// A comparison of the tape's derivatives of a function with central finite differences in `f64`.
///
/// The first order is the whole Jacobian: the tape's gradient of each element of the output. The second order is the
/// Jacobian of the gradient itself, with respect to the inputs and to the output gradients, by a tape around a tape;
/// the third is the Jacobian of that, and so on. Differences are extrapolated to step 0 by Ridders' method (C. J. F.
/// Ridders, *Advances in Engineering Software* 4, 1982), with an error near that of rounding; at kinks and jumps they
/// mean nothing, so choose inputs away from them.
///
/// ```
/// use slalom_autograd::{GradientCheck, Tensor};
/// let x = Tensor::scalar(0.7f64);
/// let check = GradientCheck::new().tolerances(&[1e-8, 1e-8, 1e-8]);
/// assert!(check.run(|x| x[0].tanh(), &[x])?.worst(3) < 1e-8);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GradientCheck {
    tolerances: SmallVec<[f64; 2]>,
    floor: f64,
    step: f64,
}

impl Default for GradientCheck {
    fn default() -> GradientCheck {
        GradientCheck::new()
    }
}

impl GradientCheck {
    /// The defaults: relative errors up to 10⁻⁶ in the first order and 10⁻⁵ in the second.
    pub fn new() -> GradientCheck {
        GradientCheck { tolerances: SmallVec::from_slice(&[1e-6, 1e-5]), floor: 1e-3, step: 1.0 / 32.0 }
    }

    /// The largest relative error that is allowed in each order; as many orders are checked as are given.
    #[must_use]
    pub fn tolerances(mut self, tolerances: &[f64]) -> GradientCheck {
        self.tolerances = SmallVec::from_slice(tolerances);
        self
    }

    /// Errors of derivatives smaller than this are taken relative to this (default 10⁻³).
    #[must_use]
    pub fn floor(mut self, floor: f64) -> GradientCheck {
        self.floor = floor;
        self
    }

    /// The widest step (default 1/32), in units of `max(1, |x|)`. The function must be smooth that far around the
    /// inputs, or at least within a hundredth of it, where the narrowest steps lie.
    #[must_use]
    pub fn step(mut self, step: f64) -> GradientCheck {
        self.step = step;
        self
    }

    /// Compares; inputs that are not floating-point numbers are held fixed.
    ///
    /// # Errors
    /// [`ErrorKind::Gradient`], if a derivative is off: the error names the order, the elements, and both values.
    /// [`ErrorKind::DType`], if inputs or output are floating-point numbers other than `f64`. Errors of `function`.
    pub fn run(
        &self,
        function: impl Fn(&[Tensor]) -> Result<Tensor>,
        inputs: &[Tensor],
    ) -> Result<GradientReport> {
        let mut report = GradientReport { worst: SmallVec::new(), derivatives: 0 };
        self.order(1, &|x| Ok(vec![function(x)?]), inputs, &mut report)?;
        Ok(report)
    }

    /// Checks `function`, which gives derivatives of one order less, and those of higher orders.
    fn order(
        &self,
        order: usize,
        function: &Function<'_>,
        inputs: &[Tensor],
        report: &mut GradientReport,
    ) -> Result<()> {
        let Some(&tolerance) = self.tolerances.get(order - 1) else { return Ok(()) };
        report.worst.push(0.0);
        let found = jacobian(function, inputs)?;
        for (i, input) in inputs.iter().enumerate().filter(|(_, input)| input.dtype().is_float()) {
            for element in 0..input.len() {
                let expected = self.differences(function, inputs, i, element)?;
                for ((position, row), expected) in found.iter().zip(expected) {
                    let found = row[i][element];
                    let error = self.error(found, expected);
                    let worst = &mut report.worst[order - 1];
                    *worst = worst.max(error);
                    report.derivatives += 1;
                    if error.is_nan() || error > tolerance {
                        return Err(mismatch(order, position, (i, index(input, element)), expected, found));
                    }
                }
            }
        }
        let seeds = function(inputs)?.iter().map(seed).collect::<Result<Vec<_>>>()?;
        let count = inputs.len();
        let gradient = |x: &[Tensor]| gradient(function, &x[..count], &x[count..]);
        self.order(order + 1, &gradient, &[inputs, &seeds].concat(), report)
    }

    fn error(&self, found: f64, expected: f64) -> f64 {
        (found - expected).abs() / found.abs().max(expected.abs()).max(self.floor)
    }

    /// The derivatives of all elements of the outputs by one element of one input, from differences.
    fn differences(
        &self,
        function: &Function<'_>,
        inputs: &[Tensor],
        input: usize,
        element: usize,
    ) -> Result<Vec<f64>> {
        let mut elements = inputs[input].to_vec::<f64>()?;
        let x = elements[element];
        let mut inputs = inputs.to_vec();
        let mut at = |x: f64| -> Result<Vec<f64>> {
            elements[element] = x;
            inputs[input] = Tensor::from_vec(inputs[input].shape(), elements.clone())?;
            let outputs = function(&inputs)?.iter().map(Tensor::to_vec).collect::<Result<Vec<_>>>()?;
            Ok(outputs.concat())
        };
        let mut estimates: Vec<Ridders> = Vec::new();
        for level in 0..LEVELS {
            let h = self.step * x.abs().max(1.0) / f64::from(1 << level);
            let (right, left) = (at(x + h)?, at(x - h)?);
            estimates.resize_with(right.len(), Ridders::default);
            for (estimate, (right, left)) in estimates.iter_mut().zip(right.iter().zip(left)) {
                estimate.add((right - left) / ((x + h) - (x - h)));
            }
        }
        Ok(estimates.into_iter().map(|estimate| estimate.best).collect())
    }
}

/// The errors that a check has found.
#[derive(Debug, Clone)]
pub struct GradientReport {
    worst: SmallVec<[f64; 2]>,
    derivatives: usize,
}

impl GradientReport {
    /// The largest relative error among the derivatives of an order, from 1 on; 0 if there were none.
    pub fn worst(&self, order: usize) -> f64 {
        order.checked_sub(1).and_then(|i| self.worst.get(i)).copied().unwrap_or(0.0)
    }

    /// How many derivatives were compared.
    pub fn derivatives(&self) -> usize {
        self.derivatives
    }
}

/// A derivative from quotients of differences with halved steps: their extrapolation whose neighbours differ least.
struct Ridders {
    /// Of the last step: element `k` is free of the errors of order `h²` to `h²ᵏ`.
    row: SmallVec<[f64; LEVELS]>,
    best: f64,
    error: f64,
}

impl Default for Ridders {
    fn default() -> Ridders {
        Ridders { row: SmallVec::new(), best: f64::NAN, error: f64::INFINITY }
    }
}

impl Ridders {
    fn add(&mut self, quotient: f64) {
        let mut row: SmallVec<[f64; LEVELS]> = SmallVec::from_elem(quotient, 1);
        let mut factor = 1.0;
        for (k, &coarse) in self.row.iter().enumerate() {
            factor *= 4.0;
            let finer = (factor * row[k] - coarse) / (factor - 1.0);
            let error = (finer - row[k]).abs().max((finer - coarse).abs());
            if error <= self.error {
                (self.best, self.error) = (finer, error);
            }
            row.push(finer);
        }
        self.row = row;
    }
}

/// Where an output is: its number and the index of an element.
type Position = (usize, Vec<usize>);

/// For each element of each output, the derivatives by the elements of each input, from the tape.
fn jacobian(function: &Function<'_>, inputs: &[Tensor]) -> Result<Vec<(Position, Vec<Vec<f64>>)>> {
    let tape = PersistentGradientTape::unwatched();
    let watched = inputs.iter().map(|x| watch(x, |x| tape.watch(x))).collect::<Result<Vec<_>>>()?;
    let outputs = function(&watched)?;
    let mut rows = Vec::new();
    for (number, output) in outputs.iter().enumerate() {
        expect_f64(output)?;
        for element in 0..output.len() {
            let mut unit = vec![0.0; output.len()];
            unit[element] = 1.0;
            let options = GradientOptions::new().output_gradients([Tensor::from_vec(output.shape(), unit)?]);
            let row = tape
                .gradient_with(output, &watched, &options)?
                .iter()
                .zip(inputs)
                .map(|(gradient, input)| match gradient {
                    Some(gradient) => gradient.to_dense()?.to_vec(),
                    None => Ok(vec![0.0; input.len()]),
                })
                .collect::<Result<_>>()?;
            rows.push(((number, index(output, element)), row));
        }
    }
    Ok(rows)
}

/// The gradient of the outputs, weighted by `seeds`, with respect to each input of type `f64`.
fn gradient(function: &Function<'_>, inputs: &[Tensor], seeds: &[Tensor]) -> Result<Vec<Tensor>> {
    let tape = GradientTape::unwatched();
    let watched = inputs.iter().map(|x| watch(x, |x| tape.watch(x))).collect::<Result<Vec<_>>>()?;
    let outputs = function(&watched)?;
    let sources: Vec<&Tensor> = watched.iter().filter(|x| x.dtype().is_float()).collect();
    let options = GradientOptions::new()
        .output_gradients(seeds.iter().cloned())
        .unconnected_gradients(UnconnectedGradients::Zero);
    let gradients = tape.gradient_with(&outputs, sources, &options)?;
    gradients.into_iter().flatten().map(|gradient| gradient.to_dense()).collect()
}

fn watch(x: &Tensor, watch: impl Fn(&Tensor) -> Tensor) -> Result<Tensor> {
    if !x.dtype().is_float() {
        return Ok(x.clone());
    }
    expect_f64(x)?;
    Ok(watch(x))
}

fn expect_f64(x: &Tensor) -> Result<()> {
    match x.dtype() {
        DType::F64 => Ok(()),
        other => Err(Error::new(ErrorKind::DType, OP, "inputs and outputs of f64", other)),
    }
}

/// Weights that differ from element to element, so that errors do not cancel.
fn seed(output: &Tensor) -> Result<Tensor> {
    expect_f64(output)?;
    let weights = (0..output.len()).map(|i| 1.0 + (i as f64 * 0.618_033_988_749_895).fract()).collect();
    Ok(Array::from_vec::<f64>(output.shape(), weights)?.into())
}

/// The index along each axis of an element, counted row-major.
fn index(tensor: &Tensor, element: usize) -> Vec<usize> {
    let mut rest = element;
    let mut index: Vec<usize> = tensor
        .shape()
        .iter()
        .rev()
        .map(|&n| {
            let i = rest % n;
            rest /= n;
            i
        })
        .collect();
    index.reverse();
    index
}

fn mismatch(order: usize, output: &Position, input: Position, expected: f64, found: f64) -> Error {
    let (of, at) = output;
    let what = match order {
        1 => format!("element {at:?} of the output"),
        _ => format!("element {at:?} of gradient {of} (of order {})", order - 1),
    };
    let (number, element) = input;
    let expected = format!(
        "{expected:e} (from differences) as derivative of {what} by element {element:?} of input {number}"
    );
    Error::new(ErrorKind::Gradient, OP, expected, format!("{found:e} from the tape"))
}
