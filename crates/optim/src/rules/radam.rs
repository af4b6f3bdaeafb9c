//! Rectified Adam.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// RAdam: Adam that begins without adapting, until its second moment is known well enough (`torch.optim.RAdam`).
    ///
    /// With `ρ∞ = 2 / (1 - β₂) - 1` and `ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)`: `m += (1 - β₁)(g - m); v += (1 - β₂)(g² - v)`;
    /// where `ρ` exceeds the threshold, `x -= lr r m / (1 - β₁ᵗ) · √(1 - β₂ᵗ) / (√v + ε)` with
    /// `r = √((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ))`, else `x -= lr m / (1 - β₁ᵗ)`. Before that, `x -= lr λ x`. Rows that
    /// a sparse gradient lacks stay as they are.
    ///
    /// Liu et al., *On the variance of the adaptive learning rate and beyond*, 2020, algorithm 2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::RAdam};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(RAdam::new(0.125))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - 0.5).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct RAdam(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-8).
        epsilon = 1e-8;
        /// The λ of decoupled weight decay (default 0).
        weight_decay = 0.0;
        /// The length of memory from which on steps are adapted (default 5).
        threshold = 5.0;
    }
    options {
        /// Whether ε is added to the root of the corrected second moment, as in optax (default false).
        corrected_epsilon: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    gain: (F, F),
    /// What the root of the second moment is multiplied by, 0 or 1, and what is added to it.
    divisor: (F, F),
}

impl ElementRule for RAdam {
    const NAME: &'static str = "RAdam";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["m", "v"].map(SlotSpec::new).to_vec()
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let (rate, t) = (step.learning_rate(), (step.iterations() + 1) as f64);
        let (first, second) = (bias_correction(beta_1, t), bias_correction(beta_2, t));
        let longest = 2.0 / (1.0 - beta_2) - 1.0;
        let length = longest - 2.0 * t * beta_2.powf(t) / second;
        let (factor, divisor) = if length > step.hyper("threshold") {
            let rectified = (length - 4.0) * (length - 2.0) * longest;
            let rectifier = (rectified / ((longest - 4.0) * (longest - 2.0) * length)).sqrt();
            let epsilon = step.hyper("epsilon") * if self.corrected_epsilon { second.sqrt() } else { 1.0 };
            (rectifier * second.sqrt(), (F::ONE, F::from_f64(epsilon)))
        } else {
            (1.0, (F::ZERO, F::ONE))
        };
        Coeffs {
            alpha: F::from_f64(rate * factor / first),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            divisor,
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += (g - slots[0]) * c.gain.0;
        slots[1] += (g * g - slots[1]) * c.gain.1;
        x - c.alpha * slots[0] / (slots[1].sqrt() * c.divisor.0 + c.divisor.1)
    }
}
