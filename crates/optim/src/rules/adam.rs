//! Adam.
use crate::config::{Config, Reader, object};
use crate::{ElementRule, Hyper, IntoHyper, NamedHyper, SlotSpec, SparseUpdate, Step};
use slalom_array::{Float, Result};

/// Adam, and AMSGrad (`tf.keras.optimizers.legacy.Adam`).
///
/// `m += (1 - β₁)(g - m); v += (1 - β₂)(g² - v); x -= α m / (√v + ε)` with `α = lr √(1 - β₂ᵗ) / (1 - β₁ᵗ)`, where `t`
/// counts steps from 1; AMSGrad divides by `√v̂ + ε` with `v̂ = max(v̂, v)`. ε is the "epsilon hat" of the paper: it is
/// added to the uncorrected root. With a sparse gradient, `m` and `v` of all rows decay and all rows move.
///
/// Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, section 2; Reddi, Kale and Kumar, *On the
/// convergence of Adam and beyond*, 2018.
///
/// ```
/// use slalom_optim::{Optimizer, rules::Adam};
/// use slalom_variable::Variable;
/// let x = Variable::new(1.0f64);
/// let mut opt = Optimizer::new(Adam::new(0.001).epsilon(0.001))?;
/// opt.minimize(|| 4.0 * &x, &x)?;
/// assert!((x.value().item()? - (1.0 - 0.001 * 4.0 / (4.0 + 0.001 / 0.001f64.sqrt()))).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Adam {
    learning_rate: Hyper,
    beta_1: Hyper,
    beta_2: Hyper,
    epsilon: Hyper,
    amsgrad: bool,
}

impl Adam {
    /// Adam with the usual decay rates.
    pub fn new<M>(learning_rate: impl IntoHyper<M>) -> Adam {
        Adam {
            learning_rate: learning_rate.into_hyper(),
            beta_1: Hyper::Number(0.9),
            beta_2: Hyper::Number(0.999),
            epsilon: Hyper::Number(EPSILON),
            amsgrad: false,
        }
    }

    /// The decay of the first moment (default 0.9).
    #[must_use]
    pub fn beta_1<M>(self, beta_1: impl IntoHyper<M>) -> Adam {
        Adam { beta_1: beta_1.into_hyper(), ..self }
    }

    /// The decay of the second moment (default 0.999).
    #[must_use]
    pub fn beta_2<M>(self, beta_2: impl IntoHyper<M>) -> Adam {
        Adam { beta_2: beta_2.into_hyper(), ..self }
    }

    /// What is added to the root (default 1e-7, which 0 means too).
    #[must_use]
    pub fn epsilon<M>(self, epsilon: impl IntoHyper<M>) -> Adam {
        let epsilon = match epsilon.into_hyper() {
            Hyper::Number(0.0) => Hyper::Number(EPSILON),
            given => given,
        };
        Adam { epsilon, ..self }
    }

    /// Whether to use the largest second moment so far (default false).
    #[must_use]
    pub fn amsgrad(self, amsgrad: bool) -> Adam {
        Adam { amsgrad, ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Adam> {
        let mut hyper = |name, default| reader.take_hyper_or(name, default).map(Hyper::from);
        Ok(Adam::new(hyper("learning_rate", 0.001)?)
            .beta_1(hyper("beta_1", 0.9)?)
            .beta_2(hyper("beta_2", 0.999)?)
            .epsilon(hyper("epsilon", EPSILON)?)
            .amsgrad(reader.take_or("amsgrad", false)?))
    }
}

const EPSILON: f64 = 1e-7;

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    /// `1 - β₁` and `1 - β₂`.
    gain: (F, F),
    epsilon: F,
}

impl ElementRule for Adam {
    const NAME: &'static str = "Adam";
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![
            self.learning_rate.named("learning_rate"),
            self.beta_1.named("beta_1"),
            self.beta_2.named("beta_2"),
            self.epsilon.named("epsilon"),
        ]
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let slots = ["m", "v", "vhat"].map(SlotSpec::new);
        slots[..if self.amsgrad { 3 } else { 2 }].to_vec()
    }

    fn config(&self) -> Config {
        object([("amsgrad", self.amsgrad.into())])
    }

    fn sparse(&self) -> SparseUpdate {
        SparseUpdate::AllRows
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let t = (step.iterations() + 1) as f64;
        let correction = (1.0 - beta_2.powf(t)).sqrt() / (1.0 - beta_1.powf(t));
        Coeffs {
            alpha: F::from_f64(step.learning_rate() * correction),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            epsilon: F::from_f64(step.hyper("epsilon")),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let m = slots[0] + (g - slots[0]) * c.gain.0;
        let v = slots[1] + (g * g - slots[1]) * c.gain.1;
        (slots[0], slots[1]) = (m, v);
        let second = match slots.get_mut(2) {
            Some(largest) => {
                *largest = largest.max(v);
                *largest
            }
            None => v,
        };
        x - m * c.alpha / (second.sqrt() + c.epsilon)
    }
}
