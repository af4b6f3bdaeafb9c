//! Gradient descent.
use super::arguments::{at_least, without_defaults};
use crate::config::{Config, Reader, object};
use crate::{ElementRule, Hyper, IntoHyper, NamedHyper, SlotSpec, Step};
use slalom_array::{Float, Result};

/// Gradient descent, with momentum where it is given (`tf.keras.optimizers.legacy.SGD`).
///
/// `x -= lr g`, or with momentum `a = momentum a - lr g; x += a`, or with Nesterov momentum also
/// `x += momentum a - lr g` in place of `x += a`. With [`dampening`](Sgd::dampening) momentum is PyTorch's. Rows that a sparse gradient lacks stay as they are.
///
/// ```
/// use slalom_optim::{Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// let x = Variable::new(1.0f64);
/// let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.9).nesterov(true))?;
/// opt.minimize(|| 5.0 * &x, &x)?;
/// assert!((x.value().item()? - (1.0 - 0.9 * 0.5 - 0.5)).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sgd {
    learning_rate: Hyper,
    momentum: Hyper,
    nesterov: bool,
    dampening: Option<f64>,
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new<M>(learning_rate: impl IntoHyper<M>) -> Sgd {
        let momentum = Hyper::Number(0.0);
        Sgd { learning_rate: learning_rate.into_hyper(), momentum, nesterov: false, dampening: None }
    }

    /// The part of the last step that the next one repeats, from 0 to 1 (default 0). Whether there is momentum at all is
    /// settled here: an optimizer made with 0 keeps no slots, whatever is set later.
    #[must_use]
    pub fn momentum<M>(self, momentum: impl IntoHyper<M>) -> Sgd {
        Sgd { momentum: momentum.into_hyper(), ..self }
    }

    /// Whether momentum is Nesterov's (default false).
    #[must_use]
    pub fn nesterov(self, nesterov: bool) -> Sgd {
        Sgd { nesterov, ..self }
    }

    /// Momentum as in `torch.optim.SGD`, with the learning rate outside: `a = momentum a + (1 - dampening) g`, or `a = g` in the first
    /// step of an element; `x -= lr a`, or `x -= lr (g + momentum a)` with Nesterov momentum. Default: `None`, the reference's.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(0.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.5).dampening(Some(0.25)))?;
    /// for _ in 0..2 {
    ///     opt.minimize(|| -4.0 * &x, &x)?;
    /// }
    /// assert_eq!(x.value().item()?, 0.5 * 4.0 + 0.5 * (0.5 * 4.0 + 0.75 * 4.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[must_use]
    pub fn dampening(self, dampening: Option<f64>) -> Sgd {
        Sgd { dampening, ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Sgd> {
        let sgd = Sgd::new(Hyper::from(reader.take_hyper_or("learning_rate", 0.01)?));
        let momentum = Hyper::from(reader.take_hyper_or("momentum", 0.0)?);
        let sgd = sgd.momentum(momentum).nesterov(reader.take_or("nesterov", false)?);
        Ok(sgd.dampening(reader.take_or("dampening", None)?))
    }

    fn has_momentum(&self) -> bool {
        !matches!(self.momentum, Hyper::Number(momentum) if momentum <= 0.0)
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    rate: F,
    momentum: F,
    nesterov: bool,
    /// `1 - dampening`
    gain: Option<F>,
}

impl ElementRule for Sgd {
    const NAME: &'static str = "SGD";
    const SLOTS: (usize, usize) = (0, 1);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.learning_rate.named("learning_rate"), self.momentum.named("momentum").within(0.0, 1.0)]
    }

    fn slots(&self) -> Vec<SlotSpec> {
        // PyTorch's is NaN until there has been a gradient.
        let momentum = SlotSpec::new("momentum").initial(self.dampening.map_or(0.0, |_| f64::NAN));
        if self.has_momentum() { vec![momentum] } else { Vec::new() }
    }

    fn validate(&self) -> Result<()> {
        self.dampening.map_or(Ok(()), |dampening| at_least("dampening", dampening, 0.0))
    }

    fn config(&self) -> Config {
        without_defaults(
            object([("nesterov", self.nesterov.into()), ("dampening", self.dampening.into())]),
            &["dampening"],
        )
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        Coeffs {
            rate: F::from_f64(step.learning_rate()),
            momentum: F::from_f64(step.hyper("momentum")),
            nesterov: self.nesterov,
            gain: self.dampening.map(|dampening| F::from_f64(1.0 - dampening)),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let Some(a) = slots.first_mut() else { return x - c.rate * g };
        let Some(gain) = c.gain else {
            *a = c.momentum * *a - c.rate * g;
            return x + F::select(c.nesterov, c.momentum * *a - c.rate * g, *a);
        };
        *a = F::select(a.is_nan(), g, c.momentum * *a + gain * g);
        x - c.rate * F::select(c.nesterov, g + c.momentum * *a, *a)
    }
}
