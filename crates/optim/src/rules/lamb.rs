//! LAMB.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step, Sums};
use slalom_array::Float;

arguments! {
    /// LAMB: Adam whose step is as long as the variable, layer by layer (`keras.optimizers.Lamb`).
    ///
    /// `m += (1 - β₁)(g - m); v += (1 - β₂)(g² - v); u = m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)`, then
    /// `x -= lr ‖x‖ / ‖u‖ · u`, where the ratio is 1 if either norm is 0. Weight decay goes before, `x -= lr λ x`, as in Keras,
    /// or belongs to the step, `u += λ x`, as in the paper and optax ([`decoupled`](Lamb::decoupled)).
    ///
    /// You et al., *Large batch optimization for deep learning: training BERT in 76 minutes*, 2020, algorithm 2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Lamb};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(8.0f64);
    /// let mut opt = Optimizer::new(Lamb::new(0.25))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - 6.0).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Lamb(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-7).
        epsilon = 1e-7;
        /// The λ of weight decay (default 0).
        weight_decay = 0.0;
    }
    options {
        /// Whether weight decay goes before the step (default true).
        decoupled: bool = true;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    /// The learning rate, then its product with the ratio of norms.
    rate: F,
    /// `1 - β₁` and `1 - β₂`.
    gain: (F, F),
    /// `1 / (1 - βᵗ)`
    correction: (F, F),
    epsilon: F,
    /// The λ of the step.
    decay: F,
}

impl<F: Float> Coeffs<F> {
    /// The moments and the step, before it is scaled.
    #[inline(always)]
    fn step(self, x: F, g: F, slots: &[F]) -> (F, F, F) {
        let m = slots[0] + (g - slots[0]) * self.gain.0;
        let v = slots[1] + (g * g - slots[1]) * self.gain.1;
        let u = m * self.correction.0 / ((v * self.correction.1).sqrt() + self.epsilon);
        (m, v, u + self.decay * x)
    }
}

impl ElementRule for Lamb {
    const NAME: &'static str = "Lamb";
    const SLOTS: (usize, usize) = (2, 2);
    const SUMS: Sums = Sums::Variable;
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
        self.decoupled
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (rate, decay) = (step.learning_rate(), step.hyper("weight_decay"));
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let t = (step.iterations() + 1) as f64;
        let decay = if self.decoupled { 0.0 } else { decay };
        Coeffs {
            rate: F::from_f64(rate),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            correction: (
                F::from_f64(1.0 / bias_correction(beta_1, t)),
                F::from_f64(1.0 / bias_correction(beta_2, t)),
            ),
            epsilon: F::from_f64(step.hyper("epsilon")),
            decay: F::from_f64(decay),
        }
    }

    #[inline(always)]
    fn terms<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &[F]) -> [F; 2] {
        let u = c.step(x, g, slots).2;
        [x * x, u * u]
    }

    fn with_sums<F: Float>(&self, _: &Step<'_>, c: Coeffs<F>, sums: [f64; 2], _: &mut [f64]) -> Coeffs<F> {
        Coeffs { rate: F::from_f64(c.rate.to_f64() * trust_ratio(sums, 1.0, 0.0)), ..c }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let (m, v, u) = c.step(x, g, slots);
        (slots[0], slots[1]) = (m, v);
        x - c.rate * u
    }
}

/// `coefficient · ‖x‖ / (‖u‖ + ε)` from the squares of both norms; 1 if either is 0.
pub(super) fn trust_ratio([x, u]: [f64; 2], coefficient: f64, epsilon: f64) -> f64 {
    if x == 0.0 || u == 0.0 { 1.0 } else { coefficient * x.sqrt() / (u.sqrt() + epsilon) }
}
