//! NovoGrad.
use super::arguments::arguments;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step, Sums};
use slalom_array::Float;

arguments! {
    /// NovoGrad: momentum of gradients that are normalized layer by layer (`optax.novograd`).
    ///
    /// `v = β₂ v + (1 - β₂) ‖g‖²`, one number for each variable, or `v = ‖g‖²` in its first step;
    /// `m = β₁ m + g / (√v + ε) + λ x; x -= lr m`.
    ///
    /// Ginsburg et al., *Stochastic gradient methods with layer-wise adaptive moments for training of deep networks*, 2019,
    /// algorithm 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::NovoGrad};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(NovoGrad::new(0.5).epsilon(4.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert_eq!(x.value().item()?, 0.75);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct NovoGrad(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.25).
        beta_2 = 0.25;
        /// What is added to the root (default 1e-6).
        epsilon = 1e-6;
        /// The λ of weight decay (default 0).
        weight_decay = 0.0;
    }
    options {}
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    rate: F,
    beta_1: F,
    decay: F,
    /// `1 / (√v + ε)`
    scale: F,
}

impl ElementRule for NovoGrad {
    const NAME: &'static str = "NovoGrad";
    const SLOTS: (usize, usize) = (1, 1);
    const STATES: usize = 1;
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

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        Coeffs {
            rate: F::from_f64(step.learning_rate()),
            beta_1: F::from_f64(step.hyper("beta_1")),
            decay: F::from_f64(step.hyper("weight_decay")),
            scale: F::ONE,
        }
    }

    #[inline(always)]
    fn terms<F: Float>(_: Coeffs<F>, _: F, g: F, _: &[F]) -> [F; 2] {
        [g * g, F::ZERO]
    }

    fn with_sums<F: Float>(&self, step: &Step<'_>, c: Coeffs<F>, sums: [f64; 2], v: &mut [f64]) -> Coeffs<F> {
        let beta_2 = step.hyper("beta_2");
        v[0] = if v[0] == 0.0 { sums[0] } else { beta_2 * v[0] + (1.0 - beta_2) * sums[0] };
        Coeffs { scale: F::from_f64(1.0 / (v[0].sqrt() + step.hyper("epsilon"))), ..c }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        slots[0] = c.beta_1 * slots[0] + g * c.scale + c.decay * x;
        x - c.rate * slots[0]
    }
}
