//! Running totals along an axis.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::concat::concat;
use crate::ops::reduce::expect_float;
use crate::ops::slice::part;
use crate::{Tensor, apply};
use slalom_array::{Array, Result, Scan};
use smallvec::smallvec;

/// Totals of the elements up to each one.
#[derive(Debug, Clone, Copy)]
struct Cumulative {
    scan: Scan,
    axis: usize,
    /// Without the element itself; not for log-sums.
    exclusive: bool,
    reverse: bool,
}

impl Op for Cumulative {
    fn name(&self) -> &'static str {
        ["cumsum", "cumprod", "cumulative_logsumexp"][self.scan as usize]
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let Cumulative { scan, axis, exclusive, reverse } = *self;
        Ok(smallvec![slalom_array::scan(scan, inputs[0], axis, exclusive, reverse)?])
    }
    fn saves(&self) -> Saves {
        if self.scan == Scan::Sum { Saves::Nothing } else { Saves::Both }
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let g = cx.grad()?;
        let back = Cumulative { scan: Scan::Sum, reverse: !self.reverse, ..*self };
        one(match self.scan {
            Scan::Sum => apply(back, [&g])?,
            // As in TensorFlow: right unless an element is 0.
            Scan::Prod => apply(back, [&(cx.output() * g)])?.divide_no_nan(cx.input(0))?,
            Scan::LogSumExp => self.logsumexp_vjp(cx.input(0), cx.output(), &g)?,
        })
    }
}

impl Cumulative {
    /// With `y` as totals of `x` and `j ≥ i`: `Σⱼ gⱼ exp(xᵢ - yⱼ) = exp(xᵢ - yᵢ) rᵢ`, where `rᵢ = gᵢ + exp(yᵢ - yᵢ₊₁)
    /// rᵢ₊₁`. No exponent is positive.
    fn logsumexp_vjp(&self, x: &Tensor, y: &Tensor, g: &Tensor) -> Result<Tensor> {
        let (axis, n) = (self.axis, x.shape()[self.axis]);
        if n == 0 {
            return Ok(g.clone());
        }
        let (head, tail) = (part(y, axis, 0, n - 1)?, part(y, axis, 1, n - 1)?);
        let fall = if self.reverse { (tail - head).exp()? } else { (head - tail).exp()? };
        let mut paddings = vec![[0, 0]; x.rank()];
        paddings[axis] = if self.reverse { [1, 0] } else { [0, 1] };
        let factors = fall.pad(&paddings, 0.0)?;
        let sums = apply(LinearScan { axis, reverse: !self.reverse }, [g, &factors])?;
        Ok(sums * (x - y).exp()?)
    }
}

/// `yᵢ = aᵢ + fᵢ yᵢ₋₁`
#[derive(Debug, Clone, Copy)]
struct LinearScan {
    axis: usize,
    reverse: bool,
}

impl LinearScan {
    /// Each element in the place of the next one (`later`) or the one before, and 0 in the place that is left.
    fn moved(&self, x: &Tensor, later: bool) -> Result<Tensor> {
        let n = x.shape()[self.axis];
        let mut paddings = vec![[0, 0]; x.rank()];
        paddings[self.axis] = if later { [1, 0] } else { [0, 1] };
        part(x, self.axis, usize::from(!later), n - 1)?.pad(&paddings, 0.0)
    }
}

impl Op for LinearScan {
    fn name(&self) -> &'static str {
        "linear_scan"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::linear_scan(inputs[0], inputs[1], self.axis, self.reverse)?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let factors = self.moved(cx.input(1), self.reverse)?;
        let back = LinearScan { reverse: !self.reverse, ..*self };
        let by_terms = apply(back, [&cx.grad()?, &factors])?;
        let by_factors = match cx.needs(1) {
            true => Some((&by_terms * self.moved(cx.output(), !self.reverse)?).into()),
            false => None,
        };
        Ok(smallvec![Some(by_terms.into()), by_factors])
    }
}

/// Running totals along an axis (negative: from the end).
///
/// Element `i` of the result is made of the elements `0..=i` of its line; of `0..i`, if `exclusive`; and of `i..n` or
/// `i + 1..n`, if `reverse`.
impl Tensor {
    /// Running sums of numbers (`tf.cumsum`); integers wrap around.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis; `ErrorKind::DType`, if the elements are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
    /// assert_eq!(x.cumsum(0, false, false)?.to_vec::<f32>()?, [1.0, 3.0, 6.0]);
    /// assert_eq!(x.cumsum(0, true, true)?.to_vec::<f32>()?, [5.0, 3.0, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cumsum(&self, axis: isize, exclusive: bool, reverse: bool) -> Result<Tensor> {
        self.cumulative(Scan::Sum, axis, exclusive, reverse)
    }

    /// Running products of numbers (`tf.math.cumprod`); integers wrap around.
    ///
    /// As in TensorFlow, the gradient of an element that is 0 is 0, and a 0 ends the gradient of those before it.
    ///
    /// # Errors
    /// As [`cumsum`](Tensor::cumsum).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![2, 3, 4])?;
    /// assert_eq!(x.cumprod(0, false, false)?.to_vec::<i32>()?, [2, 6, 24]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cumprod(&self, axis: isize, exclusive: bool, reverse: bool) -> Result<Tensor> {
        self.cumulative(Scan::Prod, axis, exclusive, reverse)
    }

    /// Running `log(Σ eˣ)` (`tf.math.cumulative_logsumexp`), for which nothing overflows; negative infinity for no
    /// elements.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis; `ErrorKind::DType`, if the elements are not floating-point numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1000.0f32, 1000.0])?;
    /// assert_eq!(x.cumulative_logsumexp(0, false, false)?.to_vec::<f32>()?, [1000.0, 1000.0 + 2f32.ln()]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn cumulative_logsumexp(&self, axis: isize, exclusive: bool, reverse: bool) -> Result<Tensor> {
        expect_float("cumulative_logsumexp", self.dtype())?;
        let at = self.shape().axis(axis).map_err(|error| error.context("cumulative_logsumexp"))?;
        let n = self.shape()[at];
        if !exclusive || n == 0 {
            return self.cumulative(Scan::LogSumExp, axis, false, reverse);
        }
        let nothing = Tensor::full(self.shape().replaced(at, 1), f64::NEG_INFINITY, self.dtype())?;
        let others = part(self, at, usize::from(reverse), n - 1)?;
        let totals = others.cumulative(Scan::LogSumExp, axis, false, reverse)?;
        if reverse { concat(&[totals, nothing], axis) } else { concat(&[nothing, totals], axis) }
    }

    fn cumulative(&self, scan: Scan, axis: isize, exclusive: bool, reverse: bool) -> Result<Tensor> {
        let axis = self.shape().axis(axis).map_err(|error| error.context(scan.name()))?;
        apply(Cumulative { scan, axis, exclusive, reverse }, [self])
    }
}
