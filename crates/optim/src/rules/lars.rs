//! LARS.
use super::arguments::arguments;
use super::lamb::trust_ratio;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step, Sums};
use slalom_array::Float;

arguments! {
    /// LARS: momentum whose step is in proportion to the variable, layer by layer (`optax.lars`).
    ///
    /// `u = g + λ x; r = η ‖x‖ / (‖u‖ + ε)`, or `r = 1` if either norm is 0; `b = momentum b + lr r u; x -= b`, or with
    /// Nesterov momentum `x -= momentum b + lr r u`.
    ///
    /// You, Gitman and Ginsburg, *Large batch training of convolutional networks*, 2017, algorithm 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Lars};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(8.0f64);
    /// let mut opt = Optimizer::new(Lars::new(1.0).trust_coefficient(0.25))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert_eq!(x.value().item()?, 6.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Lars(0.01);
    hypers {
        /// The part of the last step that the next one repeats (default 0.9).
        momentum = 0.9;
        /// The λ of weight decay, which belongs to the gradient (default 0).
        weight_decay = 0.0;
        /// The η: how long a step of learning rate 1 is, beside the variable (default 0.001).
        trust_coefficient = 0.001;
        /// What is added to the norm of the gradient (default 0).
        epsilon = 0.0;
    }
    options {
        /// Whether momentum is Nesterov's (default false).
        nesterov: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    /// The learning rate, then its product with the ratio of norms.
    rate: F,
    momentum: F,
    decay: F,
    nesterov: bool,
}

impl ElementRule for Lars {
    const NAME: &'static str = "Lars";
    const SLOTS: (usize, usize) = (1, 1);
    const SUMS: Sums = Sums::Variable;
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

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        Coeffs {
            rate: F::from_f64(step.learning_rate()),
            momentum: F::from_f64(step.hyper("momentum")),
            decay: F::from_f64(step.hyper("weight_decay")),
            nesterov: self.nesterov,
        }
    }

    #[inline(always)]
    fn terms<F: Float>(c: Coeffs<F>, x: F, g: F, _: &[F]) -> [F; 2] {
        let u = g + c.decay * x;
        [x * x, u * u]
    }

    fn with_sums<F: Float>(&self, step: &Step<'_>, c: Coeffs<F>, sums: [f64; 2], _: &mut [f64]) -> Coeffs<F> {
        let ratio = trust_ratio(sums, step.hyper("trust_coefficient"), step.hyper("epsilon"));
        Coeffs { rate: F::from_f64(step.learning_rate() * ratio), ..c }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let u = c.rate * (g + c.decay * x);
        slots[0] = c.momentum * slots[0] + u;
        x - F::select(c.nesterov, c.momentum * slots[0] + u, slots[0])
    }
}
