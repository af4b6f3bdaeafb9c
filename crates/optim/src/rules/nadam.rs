//! Nadam.
use super::arguments::{arguments, bias_correction, hyper, is_keras_3};
use crate::config::{Config, Reader};
use crate::{ElementRule, NamedHyper, SlotSpec, SparseUpdate, Step};
use slalom_array::{Float, Result};

arguments! {
    /// Nadam: Adam with Nesterov momentum, and a momentum that grows (`tf.keras.optimizers.legacy.Nadam`; `NAdam` in
    /// PyTorch).
    ///
    /// With `μₜ = β₁ (1 - 0.5 base^(decay t))`, where `t` counts steps from 1, and `Πₜ = μ₁ ⋯ μₜ` (the scalar
    /// `momentum_cache`): `m = β₁ m + (1 - β₁) g; v = β₂ v + (1 - β₂) g²;
    /// x -= lr ((1 - μₜ) g / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁)) / (√(v / (1 - β₂ᵗ)) + ε)`. The learning rate may be no schedule.
    /// With a sparse gradient, `m` and `v` of all rows decay, but only its own rows move.
    ///
    /// PyTorch's has an ε of 1e-8, a base of 0.96 in `f64`, and a product in `f32`; Keras 3 has a `decay` of 1; a `decay` that is large means no
    /// growth, as in optax.
    ///
    /// Dozat, *Incorporating Nesterov momentum into Adam*, 2016.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Nadam};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// Optimizer::new(Nadam::new(0.1))?.minimize(|| &x * &x, &x)?;
    /// assert!(x.value().item()? < 0.9);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Nadam(0.001);
    hypers {
        /// The decay of the first moment, and the momentum in the end (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// How fast the momentum grows (default 0.004; `schedule_decay`, or PyTorch's `momentum_decay`).
        decay = 0.004;
        /// What is added to the root (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
        /// The λ of decoupled weight decay, `x -= lr λ x` before the step (default 0).
        weight_decay = 0.0;
    }
    options {
        /// The base of the momentum's schedule (default 0.96 rounded to `f32`, as in the reference).
        base: f64 = BASE;
        /// Whether the product is kept in `f32`, as in PyTorch, not in the type of the first variable (default false).
        narrow_product: bool = false;
    }
}

/// The reference has this number in `f32`, whatever the type of the variables.
const BASE: f64 = 0.96f32 as f64;

impl Nadam {
    pub(super) fn read_dialect(reader: &mut Reader<'_>) -> Result<Nadam> {
        let [base, decay] = ["base", "decay"].map(|key| reader.contains(key));
        let keras_3 = is_keras_3(reader);
        let rule = Nadam::read(reader)?;
        let rule = if keras_3 && !decay { rule.decay(1.0) } else { rule };
        let mut rule = if keras_3 && !base { rule.base(0.96) } else { rule };
        if reader.contains("schedule_decay") {
            rule = rule.decay(hyper(reader, "schedule_decay", 0.004)?);
        }
        Ok(rule)
    }

    /// The momentum of step `t`.
    fn momentum(&self, step: &Step<'_>, t: f64) -> f64 {
        step.hyper("beta_1") * (1.0 - 0.5 * self.base.powf(step.hyper("decay") * t))
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    beta: (F, F),
    /// `1 - β₁` and `1 - β₂`.
    gain: (F, F),
    /// What the gradient and the moment are multiplied by.
    weight: (F, F),
    /// `1 / (1 - β₂ᵗ)`
    correction: F,
    epsilon: F,
}

impl ElementRule for Nadam {
    const NAME: &'static str = "Nadam";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        let mut hypers = self.named();
        hypers[0] = self.learning_rate.named("learning_rate").without_schedules();
        hypers
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["m", "v"].map(SlotSpec::new).to_vec()
    }

    fn scalars(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("momentum_cache").initial(1.0)]
    }

    fn advance(&self, step: &Step<'_>, _sums: [f64; 2], scalars: &mut [f64]) {
        let momentum = self.momentum(step, (step.iterations() + 1) as f64);
        scalars[0] = match self.narrow_product {
            true => f64::from(scalars[0] as f32 * momentum as f32),
            false => scalars[0] * momentum,
        };
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn sparse(&self) -> SparseUpdate {
        SparseUpdate::AllSlotRows
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let t = (step.iterations() + 1) as f64;
        let (now, next, product) = (self.momentum(step, t), self.momentum(step, t + 1.0), step.scalar(0));
        let rate = step.learning_rate();
        let weight = (rate * (1.0 - now) / (1.0 - product), rate * next / (1.0 - product * next));
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        Coeffs {
            beta: (F::from_f64(beta_1), F::from_f64(beta_2)),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
            weight: (F::from_f64(weight.0), F::from_f64(weight.1)),
            correction: F::from_f64(1.0 / bias_correction(beta_2, t)),
            epsilon: F::from_f64(step.hyper("epsilon")),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] = c.beta.0 * slots[0] + c.gain.0 * g;
        slots[1] = c.beta.1 * slots[1] + c.gain.1 * (g * g);
        x - (c.weight.0 * g + c.weight.1 * slots[0]) / ((slots[1] * c.correction).sqrt() + c.epsilon)
    }
}
