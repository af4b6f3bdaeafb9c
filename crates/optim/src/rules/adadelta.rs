//! Adadelta.
use super::arguments::arguments;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Adadelta (`tf.keras.optimizers.legacy.Adadelta`).
    ///
    /// `a = ρ a + (1 - ρ) g²; u = g √(b + ε) / √(a + ε); b = ρ b + (1 - ρ) u²; x -= lr u`. The learning rate of the paper
    /// is 1. Rows that a sparse gradient lacks stay as they are.
    ///
    /// Zeiler, *ADADELTA: an adaptive learning rate method*, 2012, algorithm 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adadelta};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Adadelta::new(1.0).rho(0.75).epsilon(1.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 4.0 / 5f64.sqrt())).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adadelta(0.001);
    hypers {
        /// The decay of both averages (default 0.95).
        rho = 0.95;
        /// What keeps the divisor from 0, and lets the first steps begin (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
    }
    options {}
}

impl ElementRule for Adadelta {
    const NAME: &'static str = "Adadelta";
    const SLOTS: (usize, usize) = (2, 2);
    /// The learning rate, ρ, `1 - ρ` and ε.
    type Coeffs<F: Float> = (F, F, F, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["accum_grad", "accum_var"].map(SlotSpec::new).to_vec()
    }

    fn config(&self) -> crate::config::Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F, F, F) {
        let rho = step.hyper("rho");
        let all = [step.learning_rate(), rho, 1.0 - rho, step.hyper("epsilon")].map(F::from_f64);
        all.into()
    }

    #[inline(always)]
    fn element<F: Float>((rate, rho, gain, epsilon): (F, F, F, F), x: F, g: F, slots: &mut [F]) -> F {
        slots[0] = rho * slots[0] + gain * (g * g);
        let u = ((slots[1] + epsilon) / (slots[0] + epsilon)).sqrt() * g;
        slots[1] = rho * slots[1] + gain * (u * u);
        x - rate * u
    }
}
