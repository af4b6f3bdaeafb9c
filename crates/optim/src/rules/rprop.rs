//! Rprop.
use super::arguments::arguments;
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, Step};
use slalom_array::Float;

arguments! {
    /// Rprop: a step size for each element, which grows while the gradient keeps its sign (`torch.optim.Rprop`).
    ///
    /// With the sign `s` of the gradient times the last step's: `size *= η⁺` where `s > 0`, `size *= η⁻` where `s < 0`, within
    /// its limits; then `x -= size sign(g)`, but nothing where `s < 0`. The first size is the learning rate. It is meant for
    /// gradients of all of the data. Rows that a sparse gradient lacks stay as they are.
    ///
    /// Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning: the RPROP algorithm*, 1993.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Rprop};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(8.0f64);
    /// let mut opt = Optimizer::new(Rprop::new(1.0).eta_plus(2.0))?;
    /// for expected in [7.0, 5.0, 1.0, -7.0, -7.0, -3.0] {
    ///     opt.minimize(|| &x * &x, &x)?;
    ///     assert_eq!(x.value().item()?, expected);
    /// }
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Rprop(0.01);
    hypers {
        /// What a step size is multiplied by when the sign has changed (default 0.5).
        eta_minus = 0.5;
        /// What a step size is multiplied by when it has not (default 1.2).
        eta_plus = 1.2;
        /// The least step size (default 1e-6).
        min_step_size = 1e-6;
        /// The largest step size (default 50).
        max_step_size = 50.0;
    }
    options {
        /// Whether each step is made one call later, and dropped if the sign has changed by then, as in optax (default
        /// false).
        delayed: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    first_size: F,
    eta: (F, F),
    limits: (F, F),
    delayed: bool,
}

impl ElementRule for Rprop {
    const NAME: &'static str = "Rprop";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    /// The last step, and the step size, which is 0 before the first step.
    fn slots(&self) -> Vec<SlotSpec> {
        ["prev", "step_size"].map(SlotSpec::new).to_vec()
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let hyper = |name| F::from_f64(step.hyper(name));
        Coeffs {
            first_size: F::from_f64(step.learning_rate()),
            eta: (hyper("eta_minus"), hyper("eta_plus")),
            limits: (hyper("min_step_size"), hyper("max_step_size")),
            delayed: self.delayed,
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let sign = g.signum();
        let agreement = sign * slots[0];
        let (reversed, kept) = (agreement < F::ZERO, agreement > F::ZERO);
        let size = F::select(slots[1] == F::ZERO, c.first_size, slots[1]);
        let factor = F::select(reversed, c.eta.0, F::select(kept, c.eta.1, F::ONE));
        let resized = (size * factor).clamp(c.limits.0, c.limits.1);
        slots[1] = F::select(c.delayed && agreement == F::ZERO, size, resized);
        let last = slots[0];
        slots[0] = F::select(reversed, F::ZERO, slots[1] * sign);
        x - F::select(c.delayed, F::select(reversed, F::ZERO, last), slots[0])
    }
}
