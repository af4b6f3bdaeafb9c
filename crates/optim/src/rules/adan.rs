//! Adan.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Adan: adaptive Nesterov momentum (`optax.adan`).
    ///
    /// With the difference `d` to the gradient of the step before (0 in the first of an element):
    /// `m += (1 - β₁)(g - m); v += (1 - β₂)(d - v); n += (1 - β₃)((g + w d)² - n); x -= lr (m̂ + w v̂) / (√(n̂ + ε') + ε)`,
    /// where hats correct the bias; `w = β₂`, or in optax `w = 1 - β₂` ([`complement`](Adan::complement)). The βs are decays,
    /// as in the authors' code; those of the paper are 1 less these. Weight decay is proximal, `x / (1 + lr λ)` after the
    /// step, as the authors have it, or decoupled ([`proximal`](Adan::proximal)). Rows that a sparse gradient lacks stay as
    /// they are.
    ///
    /// Xie et al., *Adan: adaptive Nesterov momentum algorithm for faster optimizing deep models*, 2022, algorithm 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adan};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Adan::new(0.1).epsilon(1.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 * 4.0 / (4.0 + 1.0))).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adan(0.001);
    hypers {
        /// The decay of gradients (default 0.98).
        beta_1 = 0.98;
        /// The decay of differences (default 0.92).
        beta_2 = 0.92;
        /// The decay of the second moment (default 0.99).
        beta_3 = 0.99;
        /// What is added to the root (default 1e-8).
        epsilon = 1e-8;
        /// The ε' in the root (default 0; optax has 1e-8).
        epsilon_root = 0.0;
        /// The λ of weight decay (default 0).
        weight_decay = 0.0;
    }
    options {
        /// Whether weight decay is proximal (default true).
        proximal: bool = true;
        /// Whether differences are weighted by `1 - β₂`, as in optax (default false).
        complement: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    gain: (F, F, F),
    /// The weight of the difference.
    ahead: F,
    /// The weights of `m` and `v` in the step.
    weight: (F, F),
    /// `1 / (1 - b₃ᵗ)`
    correction: F,
    epsilon: (F, F),
    /// What a value is multiplied by after its step.
    shrunk: F,
}

impl ElementRule for Adan {
    const NAME: &'static str = "Adan";
    const SLOTS: (usize, usize) = (4, 4);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let mut slots = ["m", "v", "n"].map(SlotSpec::new).to_vec();
        // NaN until there has been a gradient.
        slots.push(SlotSpec::new("g").initial(f64::NAN));
        slots
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn decouples_weight_decay(&self) -> bool {
        !self.proximal
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let [b1, b2, b3] = ["beta_1", "beta_2", "beta_3"].map(|name| step.hyper(name));
        let (rate, t) = (step.learning_rate(), (step.iterations() + 1) as f64);
        let decay = rate * step.hyper("weight_decay");
        let shrunk = if self.proximal { 1.0 / (1.0 + decay) } else { 1.0 };
        let ahead = if self.complement { 1.0 - b2 } else { b2 };
        Coeffs {
            ahead: F::from_f64(ahead),
            gain: (F::from_f64(1.0 - b1), F::from_f64(1.0 - b2), F::from_f64(1.0 - b3)),
            weight: (
                F::from_f64(rate / bias_correction(b1, t)),
                F::from_f64(rate * ahead / bias_correction(b2, t)),
            ),
            correction: F::from_f64(1.0 / bias_correction(b3, t)),
            epsilon: (F::from_f64(step.hyper("epsilon")), F::from_f64(step.hyper("epsilon_root"))),
            shrunk: F::from_f64(shrunk),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let difference = F::select(slots[3].is_nan(), F::ZERO, g - slots[3]);
        let ahead = g + c.ahead * difference;
        slots[0] += (g - slots[0]) * c.gain.0;
        slots[1] += (difference - slots[1]) * c.gain.1;
        slots[2] += (ahead * ahead - slots[2]) * c.gain.2;
        slots[3] = g;
        let divisor = (slots[2] * c.correction + c.epsilon.1).sqrt() + c.epsilon.0;
        (x - (c.weight.0 * slots[0] + c.weight.1 * slots[1]) / divisor) * c.shrunk
    }
}
