//! Yogi.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Yogi: Adam whose second moment grows and falls additively (`optax.yogi`).
    ///
    /// `m += (1 - β₁)(g - m); v -= (1 - β₂) sign(v - g²) g²; x -= lr m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)`. Rows that a
    /// sparse gradient lacks stay as they are.
    ///
    /// Zaheer et al., *Adaptive methods for nonconvex optimization*, 2018, algorithm 2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Yogi};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Yogi::new(0.1).initial_accumulator_value(0.0).epsilon(1.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 * 4.0 / (4.0 + 1.0))).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Yogi(0.01);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// How slowly the second moment follows (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-3).
        epsilon = 1e-3;
    }
    options {
        /// What both moments begin with (default 1e-6).
        initial_accumulator_value: f64 = 1e-6;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    gain: (F, F),
    /// `1 / (1 - β₂ᵗ)`
    correction: F,
    epsilon: F,
}

impl ElementRule for Yogi {
    const NAME: &'static str = "Yogi";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["m", "v"].map(|name| SlotSpec::new(name).initial(self.initial_accumulator_value)).to_vec()
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
            epsilon: F::from_f64(step.hyper("epsilon")),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += (g - slots[0]) * c.gain.0;
        let square = g * g;
        slots[1] -= (slots[1] - square).signum() * square * c.gain.1;
        x - c.alpha * slots[0] / ((slots[1] * c.correction).sqrt() + c.epsilon)
    }
}
