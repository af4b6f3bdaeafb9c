//! Adagrad.
use super::arguments::{arguments, at_least, is_keras_3};
use crate::config::{Config, Reader, object};
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::{Float, Result};

arguments! {
    /// Adagrad (`tf.keras.optimizers.legacy.Adagrad`).
    ///
    /// `a += g²; x -= lr g / (√a + ε)`, in Keras 3 `x -= lr g / √(a + ε)`. Rows that a sparse gradient lacks stay as they
    /// are.
    ///
    /// Duchi, Hazan and Singer, *Adaptive subgradient methods for online learning and stochastic optimization*, 2011.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adagrad};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Adagrad::new(0.1).initial_accumulator_value(9.0).epsilon(0.5))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 * 4.0 / (5.0 + 0.5))).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adagrad(0.001);
    hypers {
        /// What keeps the divisor from 0 (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
    }
    options {
        /// What the sum of squares begins with, at least 0 (default 0.1).
        initial_accumulator_value: f64 = 0.1;
        /// Whether ε stands inside of the root, as Keras 3 has it (default false).
        epsilon_in_root: bool = false;
    }
}

impl Adagrad {
    pub(super) fn read_dialect(reader: &mut Reader<'_>) -> Result<Adagrad> {
        let keras_3 = is_keras_3(reader);
        let rule = Adagrad::read(reader)?;
        Ok(Adagrad { epsilon_in_root: rule.epsilon_in_root || keras_3, ..rule })
    }
}

impl ElementRule for Adagrad {
    const NAME: &'static str = "Adagrad";
    const SLOTS: (usize, usize) = (1, 1);
    /// The learning rate, and ε inside of the root and outside of it.
    type Coeffs<F: Float> = (F, F, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("accumulator").initial(self.initial_accumulator_value)]
    }

    fn validate(&self) -> Result<()> {
        at_least("initial_accumulator_value", self.initial_accumulator_value, 0.0)
    }

    fn config(&self) -> Config {
        let initial = object([("initial_accumulator_value", self.initial_accumulator_value.into())]);
        if self.epsilon_in_root { self.options() } else { initial }
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F, F) {
        let epsilon = step.hyper("epsilon");
        let (inner, outer) = if self.epsilon_in_root { (epsilon, 0.0) } else { (0.0, epsilon) };
        (F::from_f64(step.learning_rate()), F::from_f64(inner), F::from_f64(outer))
    }

    #[inline(always)]
    fn element<F: Float>((rate, inner, outer): (F, F, F), x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += g * g;
        x - rate * g / ((slots[0] + inner).sqrt() + outer)
    }
}
