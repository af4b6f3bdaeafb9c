//! Follow the regularized leader.
use super::arguments::{arguments, at_least};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotOrder, SlotSpec, Step};
use slalom_array::{Float, Result};

arguments! {
    /// Follow the regularized leader, with L1 and L2 regularization (`tf.keras.optimizers.legacy.Ftrl`).
    ///
    /// `a' = a + g²; l += g + 2 shrinkage x - (a'^-p - a^-p) / lr · x; q = a'^-p / lr + 2 (l2 + β / (2 lr))`, with the learning
    /// rate's power `p`; then `x = 0` where `|l| ≤ l1`, else `(sign(l) l1 - l) / q`. Rows that a sparse gradient lacks stay as
    /// they are.
    ///
    /// McMahan et al., *Ad click prediction: a view from the trenches*, 2013, algorithm 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Ftrl};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Ftrl::new(0.5).l1_regularization_strength(100.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert_eq!(x.value().item()?, 0.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Ftrl(0.001);
    hypers {
        /// The power of the accumulator that divides the learning rate, at most 0 (default -0.5; 0 for a rate that stays).
        learning_rate_power = -0.5, within(f64::NEG_INFINITY, 0.0);
        /// L1 regularization, at least 0 (default 0).
        l1_regularization_strength = 0.0, non_negative();
        /// L2 regularization, at least 0 (default 0).
        l2_regularization_strength = 0.0, non_negative();
        /// The β of the paper (default 0).
        beta = 0.0;
    }
    options {
        /// What the accumulator begins with, at least 0 (default 0.1).
        initial_accumulator_value: f64 = 0.1;
        /// An L2 penalty on the magnitude, at least 0 (default 0).
        l2_shrinkage_regularization_strength: f64 = 0.0;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    /// `1 / lr`
    inverse_rate: F,
    /// `-p`, and whether it is that of a square root.
    power: F,
    root: bool,
    l1: F,
    /// `2 (l2 + β / (2 lr))`
    twice_l2: F,
    twice_shrinkage: F,
}

impl<F: Float> Coeffs<F> {
    /// `a^-p`
    #[inline(always)]
    fn power(self, a: F) -> F {
        if self.root { a.sqrt() } else { a.powf(self.power) }
    }
}

impl ElementRule for Ftrl {
    const NAME: &'static str = "Ftrl";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("accumulator").initial(self.initial_accumulator_value), SlotSpec::new("linear")]
    }

    fn slot_order(&self) -> SlotOrder {
        SlotOrder::VariableMajor
    }

    fn validate(&self) -> Result<()> {
        at_least("initial_accumulator_value", self.initial_accumulator_value, 0.0)?;
        at_least("l2_shrinkage_regularization_strength", self.l2_shrinkage_regularization_strength, 0.0)
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (rate, power) = (step.learning_rate(), step.hyper("learning_rate_power"));
        let l2 = step.hyper("l2_regularization_strength") + step.hyper("beta") / (2.0 * rate);
        Coeffs {
            inverse_rate: F::from_f64(1.0 / rate),
            power: F::from_f64(-power),
            root: power == -0.5,
            l1: F::from_f64(step.hyper("l1_regularization_strength")),
            twice_l2: F::from_f64(2.0 * l2),
            twice_shrinkage: F::from_f64(2.0 * self.l2_shrinkage_regularization_strength),
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let before = c.power(slots[0]);
        slots[0] += g * g;
        let after = c.power(slots[0]);
        slots[1] += g + c.twice_shrinkage * x - (after - before) * c.inverse_rate * x;
        let quadratic = after * c.inverse_rate + c.twice_l2;
        let moved = (c.l1.copysign(slots[1]) - slots[1]) / quadratic;
        F::select(slots[1].abs() > c.l1, moved, F::ZERO)
    }
}
