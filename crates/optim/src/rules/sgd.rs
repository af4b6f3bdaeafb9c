//! Gradient descent.
use crate::config::{Config, Reader, object};
use crate::{ElementRule, Hyper, IntoHyper, NamedHyper, SlotSpec, Step};
use slalom_array::{Float, Result};

/// Gradient descent, with momentum where it is given (`tf.keras.optimizers.legacy.SGD`).
///
/// `x -= lr g`, or with momentum `a = momentum a - lr g; x += a`, or with Nesterov momentum also
/// `x += momentum a - lr g` in place of `x += a`. Rows that a sparse gradient lacks stay as they are.
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
}

impl Sgd {
    /// Plain gradient descent.
    pub fn new<M>(learning_rate: impl IntoHyper<M>) -> Sgd {
        Sgd { learning_rate: learning_rate.into_hyper(), momentum: Hyper::Number(0.0), nesterov: false }
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

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Sgd> {
        let sgd = Sgd::new(Hyper::from(reader.take_hyper_or("learning_rate", 0.01)?));
        let momentum = Hyper::from(reader.take_hyper_or("momentum", 0.0)?);
        Ok(sgd.momentum(momentum).nesterov(reader.take_or("nesterov", false)?))
    }

    fn has_momentum(&self) -> bool {
        !matches!(self.momentum, Hyper::Number(momentum) if momentum <= 0.0)
    }
}

impl ElementRule for Sgd {
    const NAME: &'static str = "SGD";
    const SLOTS: (usize, usize) = (0, 1);
    /// The learning rate, the momentum, and whether it is Nesterov's.
    type Coeffs<F: Float> = (F, F, bool);

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.learning_rate.named("learning_rate"), self.momentum.named("momentum").within(0.0, 1.0)]
    }

    fn slots(&self) -> Vec<SlotSpec> {
        if self.has_momentum() { vec![SlotSpec::new("momentum")] } else { Vec::new() }
    }

    fn config(&self) -> Config {
        object([("nesterov", self.nesterov.into())])
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F, bool) {
        (F::from_f64(step.learning_rate()), F::from_f64(step.hyper("momentum")), self.nesterov)
    }

    #[inline(always)]
    fn element<F: Float>((rate, momentum, nesterov): (F, F, bool), x: F, g: F, slots: &mut [F]) -> F {
        let Some(a) = slots.first_mut() else { return x - rate * g };
        *a = momentum * *a - rate * g;
        x + F::select(nesterov, momentum * *a - rate * g, *a)
    }
}
