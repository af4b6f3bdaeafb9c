//! Prodigy.
use super::arguments::arguments;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step, Sums};
use slalom_array::Float;

arguments! {
    /// Prodigy: Adam that finds its learning rate from the distance that it has come (`optax.contrib.prodigy`).
    ///
    /// With the estimate `d` of the distance to the solution, which begins with `d₀`, and the step
    /// `γ = d lr √(1 - β₂ᵗ) / (1 - β₁ᵗ)`: `m = β₁ m + (1 - β₁) d g; v = β₂ v + (1 - β₂)(d g)²; s = β₃ s + γ d g / d₀;
    /// r = β₃ r + d γ / d₀ · Σ g (x₀ - x); d' = max(d, coef · r / Σ |s|); x -= γ (λ x + m / (√v + d' ε))`. The sums are over all
    /// variables; the learning rate is 1 as a rule.
    ///
    /// Mishchenko and Defazio, *Prodigy: an expeditiously adaptive parameter-free learner*, 2024, algorithm 4.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Prodigy};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(10.0f64);
    /// let mut opt = Optimizer::new(Prodigy::new(1.0))?;
    /// for _ in 0..300 {
    ///     opt.minimize(|| &x * &x, &x)?;
    /// }
    /// assert!(x.value().item()?.abs() < 1.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Prodigy(1.0);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root, times the estimate (default 1e-8).
        epsilon = 1e-8;
        /// A factor of the estimate (default 1).
        estim_lr_coef = 1.0;
        /// The λ of decoupled weight decay (default 0).
        weight_decay = 0.0;
    }
    options {
        /// The first estimate of the distance (default 1e-6).
        estim_lr0: f64 = 1e-6;
        /// The decay of the sums of gradients (default `None`: the root of β₂).
        beta_3: Option<f64> = None;
        /// Whether warmup must not raise the estimate (default false): `s = β₃ s + d² g / d₀`.
        safeguard_warmup: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    /// `d`, before and after the step.
    estimate: F,
    epsilon: F,
    rate: F,
    beta: (F, F, F),
    gain: (F, F),
    /// What a gradient is multiplied by in the sum.
    summed: F,
    kept: F,
}

impl Prodigy {
    fn beta_3_in(&self, step: &Step<'_>) -> f64 {
        self.beta_3.unwrap_or_else(|| step.hyper("beta_2").sqrt())
    }

    /// The step `γ` with an estimate `d`.
    fn rate(step: &Step<'_>, estimate: f64) -> f64 {
        let t = (step.iterations() + 1) as f64;
        let correction = (1.0 - step.hyper("beta_2").powf(t)).sqrt() / (1.0 - step.hyper("beta_1").powf(t));
        estimate * step.learning_rate() * correction
    }
}

impl ElementRule for Prodigy {
    const NAME: &'static str = "Prodigy";
    const SLOTS: (usize, usize) = (4, 4);
    const SUMS: Sums = Sums::All;
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let mut slots = ["m", "v", "s"].map(SlotSpec::new).to_vec();
        slots.push(SlotSpec::copy_of_variable("x0"));
        slots
    }

    fn scalars(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("estim_lr").initial(self.estim_lr0), SlotSpec::new("numerator")]
    }

    fn advance(&self, step: &Step<'_>, [advance, gradients]: [f64; 2], scalars: &mut [f64]) {
        let estimate = scalars[0];
        let weight = estimate / self.estim_lr0 * Self::rate(step, estimate);
        scalars[1] = self.beta_3_in(step) * scalars[1] + weight * advance;
        let found = step.hyper("estim_lr_coef") * scalars[1] / gradients;
        scalars[0] = estimate.max(found);
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let estimate = step.scalar(0);
        let rate = Self::rate(step, estimate);
        let summed = estimate / self.estim_lr0 * if self.safeguard_warmup { estimate } else { rate };
        Coeffs {
            estimate: F::from_f64(estimate),
            epsilon: F::ZERO,
            rate: F::from_f64(rate),
            beta: (F::from_f64(beta_1), F::from_f64(beta_2), F::from_f64(self.beta_3_in(step))),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            summed: F::from_f64(summed),
            kept: F::from_f64(1.0 - rate * step.hyper("weight_decay")),
        }
    }

    #[inline(always)]
    fn terms<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &[F]) -> [F; 2] {
        [g * (slots[3] - x), (c.beta.2 * slots[2] + c.summed * g).abs()]
    }

    fn with_sums<F: Float>(&self, step: &Step<'_>, c: Coeffs<F>, _: [f64; 2], _: &mut [f64]) -> Coeffs<F> {
        Coeffs { epsilon: F::from_f64(step.hyper("epsilon") * step.scalar(0)), ..c }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let scaled = c.estimate * g;
        slots[0] = c.beta.0 * slots[0] + c.gain.0 * scaled;
        slots[1] = c.beta.1 * slots[1] + c.gain.1 * (scaled * scaled);
        slots[2] = c.beta.2 * slots[2] + c.summed * g;
        x * c.kept - c.rate * slots[0] / (slots[1].sqrt() + c.epsilon)
    }
}
