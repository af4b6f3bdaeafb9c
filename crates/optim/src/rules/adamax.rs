//! Adamax.
use super::arguments::{arguments, bias_correction};
use crate::config::{Config, object};
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Adamax (`tf.keras.optimizers.legacy.Adamax`).
    ///
    /// `m += (1 - β₁)(g - m); v = max(β₂ v, |g|); x -= lr / (1 - β₁ᵗ) · m / (v + ε)`, where `t` counts steps from 1. In
    /// PyTorch and optax ε stands in the norm: `v = max(β₂ v, |g| + ε)`. Rows that a sparse gradient lacks stay as they
    /// are.
    ///
    /// Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, section 7.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adamax};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Adamax::new(0.1).epsilon(1.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 * 4.0 / (4.0 + 1.0))).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adamax(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the norm (default 0.999).
        beta_2 = 0.999;
        /// What keeps the divisor from 0 (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
    }
    options {
        /// Whether ε stands in the norm (default false).
        epsilon_in_norm: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    gain: F,
    beta_2: F,
    /// ε in the norm, and after it.
    epsilon: (F, F),
}

impl ElementRule for Adamax {
    const NAME: &'static str = "Adamax";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["m", "v"].map(SlotSpec::new).to_vec()
    }

    fn config(&self) -> Config {
        if self.epsilon_in_norm { self.options() } else { object([]) }
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, epsilon) = (step.hyper("beta_1"), step.hyper("epsilon"));
        let correction = bias_correction(beta_1, (step.iterations() + 1) as f64);
        let (inner, outer) = if self.epsilon_in_norm { (epsilon, 0.0) } else { (0.0, epsilon) };
        Coeffs {
            alpha: F::from_f64(step.learning_rate() / correction),
            gain: F::from_f64(1.0 - beta_1),
            beta_2: F::from_f64(step.hyper("beta_2")),
            epsilon: (F::from_f64(inner), F::from_f64(outer)),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += (g - slots[0]) * c.gain;
        // A gradient of NaN leaves the norm as it is, as in the reference.
        slots[1] = (c.beta_2 * slots[1]).max(g.abs() + c.epsilon.0);
        x - c.alpha * (slots[0] / (slots[1] + c.epsilon.1))
    }
}
