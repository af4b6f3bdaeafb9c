//! Averaged stochastic gradient descent.
use super::arguments::arguments;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Averaged stochastic gradient descent (`torch.optim.ASGD`).
    ///
    /// `η = lr / (1 + λ lr t)^α; x -= η (λ x + g); a += (x - a) / max(1, t - t₀)`, where `t` counts the steps before this one.
    /// The average `a` is the slot `ax`. Rows that a sparse gradient lacks stay as they are.
    ///
    /// Polyak and Juditsky, *Acceleration of stochastic approximation by averaging*, 1992.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Asgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Asgd::new(0.5).lambd(0.0).t0(0.0))?;
    /// for (value, average) in [(0.5, 0.5), (0.0, 0.0), (-0.5, -0.25)] {
    ///     opt.minimize(|| 1.0 * &x, &x)?;
    ///     assert_eq!((x.value().item()?, opt.get_slot(&x, "ax")?.array().item()?), (value, average));
    /// }
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Asgd(0.01);
    hypers {
        /// The λ of the decay (default 1e-4).
        lambd = 1e-4;
        /// The power of the decay of η (default 0.75).
        alpha = 0.75;
        /// After how many steps the average begins (default 1e6); until then it is the variable itself.
        t0 = 1e6;
    }
    options {}
}

impl ElementRule for Asgd {
    const NAME: &'static str = "ASGD";
    const SLOTS: (usize, usize) = (1, 1);
    /// `η`, `1 - λ η`, and the weight of a new value in the average.
    type Coeffs<F: Float> = (F, F, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("ax")]
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F, F) {
        let (rate, lambd, t) = (step.learning_rate(), step.hyper("lambd"), step.iterations() as f64);
        let eta = rate / (1.0 + lambd * rate * t).powf(step.hyper("alpha"));
        let weight = 1.0 / (t - step.hyper("t0")).max(1.0);
        // PyTorch keeps both in `f32`, whatever the type of the variables.
        let [eta, weight] = [eta, weight].map(|x| f64::from(x as f32));
        (F::from_f64(eta), F::from_f64(1.0 - lambd * eta), F::from_f64(weight))
    }

    #[inline(always)]
    fn element<F: Float>((eta, kept, weight): (F, F, F), x: F, g: F, slots: &mut [F]) -> F {
        let x = x * kept - eta * g;
        slots[0] = F::select(weight == F::ONE, x, slots[0] + (x - slots[0]) * weight);
        x
    }
}
