//! AdaBelief.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// AdaBelief: Adam that divides by how far gradients are from what was expected (`optax.adabelief`).
    ///
    /// `m += (1 - β₁)(g - m); s += (1 - β₂)((g - m)² - s) + ε'; x -= lr m / (1 - β₁ᵗ) / (√(s / (1 - β₂ᵗ)) + ε)`. Rows that a
    /// sparse gradient lacks stay as they are.
    ///
    /// Zhuang et al., *AdaBelief optimizer: adapting stepsizes by the belief in observed gradients*, 2020, algorithm 2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::AdaBelief};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(AdaBelief::new(0.1))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 / 0.9)).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct AdaBelief(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the residual's second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-16).
        epsilon = 1e-16;
        /// The ε' that is added to the residual's second moment in each step (default 1e-16).
        epsilon_root = 1e-16;
    }
    options {}
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    gain: (F, F),
    /// `1 / (1 - β₂ᵗ)`
    correction: F,
    epsilon: (F, F),
}

impl ElementRule for AdaBelief {
    const NAME: &'static str = "AdaBelief";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["m", "s"].map(SlotSpec::new).to_vec()
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let t = (step.iterations() + 1) as f64;
        Coeffs {
            alpha: F::from_f64(step.learning_rate() / bias_correction(beta_1, t)),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            correction: F::from_f64(1.0 / bias_correction(beta_2, t)),
            epsilon: (F::from_f64(step.hyper("epsilon")), F::from_f64(step.hyper("epsilon_root"))),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += (g - slots[0]) * c.gain.0;
        let residual = g - slots[0];
        slots[1] += (residual * residual - slots[1]) * c.gain.1 + c.epsilon.1;
        x - c.alpha * slots[0] / ((slots[1] * c.correction).sqrt() + c.epsilon.0)
    }
}
