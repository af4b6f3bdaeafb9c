//! Schedule-free AdamW.
use super::arguments::{arguments, bias_correction};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, Optimizer, SlotSpec, Step};
use slalom_array::{Error, ErrorKind, Float, Result};
use slalom_autograd::Tensor;
use slalom_variable::Variable;

arguments! {
    /// Schedule-free AdamW: an average of iterates in place of a schedule (`optax.contrib.schedule_free_adamw`).
    ///
    /// The variables hold `y`, where gradients are to be taken; a slot holds `z`. With the rate `lr'` after warmup:
    /// `v += (1 - β₂)(g² - v); u = g / (√(v / (1 - β₂ᵗ)) + ε) + λ y; z' = z - lr' u; x' = (1 - c) x + c z';
    /// y' = β₁ x' + (1 - β₁) z'`, where `c` is the part that the power [`weight_lr_power`](ScheduleFreeAdamW::weight_lr_power) of
    /// the largest rate so far has in the sum of these of all steps. The average `x`, which is what to evaluate and to keep, is
    /// given by [`average`](ScheduleFreeAdamW::average). Rows that a sparse gradient lacks stay as they are.
    ///
    /// Defazio et al., *The road less scheduled*, 2024, algorithm 1 and section 4.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::ScheduleFreeAdamW};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(ScheduleFreeAdamW::new(0.125))?;
    /// for _ in 0..100 {
    ///     opt.minimize(|| &x * &x, &x)?;
    /// }
    /// assert!(ScheduleFreeAdamW::average(&opt, &x)?.item()?.abs() < 0.1);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct ScheduleFreeAdamW(0.0025);
    hypers {
        /// The weight of the average in `y` (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-8).
        epsilon = 1e-8;
        /// The λ of weight decay (default 0).
        weight_decay = 0.0;
        /// In how many steps the learning rate grows from 0 (default 0).
        warmup_steps = 0.0, non_negative();
        /// The power of the learning rate that weighs an iterate (default 2).
        weight_lr_power = 2.0;
    }
    options {
        /// Whether the rate of warmup is behind by a step in `z` (default false), as in optax: the first step is made with 0.
        late_warmup: bool = false;
    }
}

impl ScheduleFreeAdamW {
    /// The average of the iterates of a variable that an optimizer with this rule has updated: `(y - (1 - β₁) z) / β₁`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if it has not; [`ErrorKind::State`], if β₁ is 0, as `y` is `z` then and does not tell the
    /// average; [`ErrorKind::Memory`].
    pub fn average(optimizer: &Optimizer, variable: &Variable) -> Result<Tensor> {
        let (z, beta_1) = (optimizer.get_slot(variable, "z")?.array(), optimizer.get("beta_1")?);
        if beta_1 == 0.0 {
            return Err(Error::new(ErrorKind::State, "average", "a beta_1 other than 0", beta_1));
        }
        let (y, z) = (Tensor::from(variable.array()), Tensor::from(z));
        Ok((y - z * (1.0 - beta_1)) / beta_1)
    }

    /// The learning rate after so many steps.
    fn rate(step: &Step<'_>, steps: i64) -> f64 {
        let warmup = step.hyper("warmup_steps");
        step.learning_rate() * if warmup > 0.0 { (steps as f64 / warmup).min(1.0) } else { 1.0 }
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    rate: F,
    /// The rate of the direct step of `y`: `lr' (1 - β₁ (1 - c))`.
    direct: F,
    average: F,
    gain: F,
    /// `1 / (1 - β₂ᵗ)`
    correction: F,
    epsilon: F,
    decay: F,
}

impl ElementRule for ScheduleFreeAdamW {
    const NAME: &'static str = "ScheduleFreeAdamW";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::copy_of_variable("z"), SlotSpec::new("v")]
    }

    fn scalars(&self) -> Vec<SlotSpec> {
        ["max_lr", "weight_sum"].map(SlotSpec::new).to_vec()
    }

    fn advance(&self, step: &Step<'_>, _sums: [f64; 2], scalars: &mut [f64]) {
        scalars[0] = scalars[0].max(Self::rate(step, step.iterations() + 1));
        scalars[1] += scalars[0].powf(step.hyper("weight_lr_power"));
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (beta_1, beta_2) = (step.hyper("beta_1"), step.hyper("beta_2"));
        let t = step.iterations() + 1;
        let rate = Self::rate(step, if self.late_warmup { t - 1 } else { t });
        let weight = step.scalar(0).powf(step.hyper("weight_lr_power"));
        let average = if weight == 0.0 { 0.0 } else { weight / step.scalar(1) };
        Coeffs {
            rate: F::from_f64(rate),
            direct: F::from_f64(rate * (1.0 - beta_1 * (1.0 - average))),
            average: F::from_f64(average),
            gain: F::from_f64(1.0 - beta_2),
            correction: F::from_f64(1.0 / bias_correction(beta_2, t as f64)),
            epsilon: F::from_f64(step.hyper("epsilon")),
            decay: F::from_f64(step.hyper("weight_decay")),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, y: F, g: F, slots: &mut [F]) -> F {
        slots[1] += (g * g - slots[1]) * c.gain;
        let u = g / ((slots[1] * c.correction).sqrt() + c.epsilon) + c.decay * y;
        // The average need not be known: y' = (1 - c) y + c z - lr' (1 - β₁ (1 - c)) u.
        let next = y + c.average * (slots[0] - y) - c.direct * u;
        slots[0] -= c.rate * u;
        next
    }
}
