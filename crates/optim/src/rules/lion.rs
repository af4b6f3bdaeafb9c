//! Lion.
use super::arguments::arguments;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Lion: steps by signs (`keras.optimizers.Lion`).
    ///
    /// `x -= lr (sign(β₁ m + (1 - β₁) g) + λ x); m = β₂ m + (1 - β₂) g`. Rows that a sparse gradient lacks stay as they are.
    ///
    /// Chen et al., *Symbolic discovery of optimization algorithms*, 2023, algorithm 2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Lion};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Lion::new(0.125).weight_decay(1.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert_eq!(x.value().item()?, 0.75);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Lion(0.001);
    hypers {
        /// The weight of the momentum in the direction of a step (default 0.9).
        beta_1 = 0.9;
        /// The decay of the momentum (default 0.99).
        beta_2 = 0.99;
        /// The λ of decoupled weight decay (default 0).
        weight_decay = 0.0;
    }
    options {}
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    rate: F,
    /// What a value is multiplied by before its step.
    beta: (F, F),
    gain: (F, F),
}

impl ElementRule for Lion {
    const NAME: &'static str = "Lion";
    const SLOTS: (usize, usize) = (1, 1);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("momentum")]
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (rate, beta_1, beta_2) = (step.learning_rate(), step.hyper("beta_1"), step.hyper("beta_2"));
        Coeffs {
            rate: F::from_f64(rate),
            beta: (F::from_f64(beta_1), F::from_f64(beta_2)),
            gain: (F::from_f64(1.0 - beta_1), F::from_f64(1.0 - beta_2)),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let direction = c.beta.0 * slots[0] + c.gain.0 * g;
        slots[0] = c.beta.1 * slots[0] + c.gain.1 * g;
        x - c.rate * direction.signum()
    }
}
