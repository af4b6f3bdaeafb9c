//! RMSprop.
use super::arguments::{arguments, is_keras_3, without_defaults};
use crate::config::{Config, Reader};
use crate::{ElementRule, Hyper, NamedHyper, SlotSpec, SparseUpdate, Step};
use slalom_array::{Float, Result};

arguments! {
    /// RMSprop, with momentum and centered where that is asked for (`tf.keras.optimizers.legacy.RMSprop`).
    ///
    /// `s = ρ s + (1 - ρ) g²`, centered also `a = ρ a + (1 - ρ) g` and `d = s - a²`, else `d = s`; then
    /// `x -= lr g / (√d + ε)`, or with momentum `b = momentum b + lr g / √(d + ε); x -= b`. In the reference ε stands inside
    /// of the root if and only if there is momentum; [`epsilon_in_root`](RMSprop::epsilon_in_root) puts it inside always, as
    /// Keras 3 and optax have it, or never, as PyTorch has it. With a sparse gradient, rows that it lacks stay as they are,
    /// but without momentum their `s` and `a` decay.
    ///
    /// Hinton, Srivastava and Swersky, *Neural networks for machine learning*, lecture 6, 2012; Graves, *Generating
    /// sequences with recurrent neural networks*, 2013, section 4.2.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::RMSprop};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(RMSprop::new(0.1).rho(0.75).epsilon(0.5))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.1 * 4.0 / (2.0 + 0.5))).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct RMSprop(0.001);
    hypers {
        /// The decay of the averages of gradients and of their squares (default 0.9).
        rho = 0.9;
        /// The part of the last step that the next one repeats, from 0 to 1 (default 0). Whether there is momentum at all is
        /// settled here: an optimizer made with 0 keeps no slot for it, whatever is set later.
        momentum = 0.0, within(0.0, 1.0);
        /// What keeps the divisor from 0 (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
    }
    options {
        /// Whether gradients are divided by their standard deviation, not by their root mean square (default false).
        centered: bool = false;
        /// Whether momentum is Nesterov's (default false): `x -= momentum b + lr g / √(d + ε)` in place of `x -= b`.
        nesterov: bool = false;
        /// Whether ε stands inside of the root (default `None`: if and only if there is momentum).
        epsilon_in_root: Option<bool> = None;
    }
}

impl RMSprop {
    pub(super) fn read_dialect(reader: &mut Reader<'_>) -> Result<RMSprop> {
        let keras_3 = is_keras_3(reader).then_some(true);
        let rule = RMSprop::read(reader)?;
        Ok(RMSprop { epsilon_in_root: rule.epsilon_in_root.or(keras_3), ..rule })
    }

    fn has_momentum(&self) -> bool {
        !matches!(self.momentum, Hyper::Number(momentum) if momentum <= 0.0)
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    rate: F,
    rho: F,
    gain: F,
    momentum: F,
    /// ε inside of the root, and outside of it.
    epsilon: (F, F),
    has_momentum: bool,
    nesterov: bool,
    centered: bool,
}

impl ElementRule for RMSprop {
    const NAME: &'static str = "RMSprop";
    const SLOTS: (usize, usize) = (1, 3);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let names = [("rms", true), ("momentum", self.has_momentum()), ("mg", self.centered)];
        names.into_iter().filter(|slot| slot.1).map(|slot| SlotSpec::new(slot.0)).collect()
    }

    fn config(&self) -> Config {
        without_defaults(self.options(), &["nesterov", "epsilon_in_root"])
    }

    fn sparse(&self) -> SparseUpdate {
        if self.has_momentum() { SparseUpdate::TouchedRows } else { SparseUpdate::AllSlotRows }
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (rho, epsilon) = (step.hyper("rho"), step.hyper("epsilon"));
        let inside = self.epsilon_in_root.unwrap_or(self.has_momentum());
        let (inner, outer) = if inside { (epsilon, 0.0) } else { (0.0, epsilon) };
        Coeffs {
            rate: F::from_f64(step.learning_rate()),
            rho: F::from_f64(rho),
            gain: F::from_f64(1.0 - rho),
            momentum: F::from_f64(step.hyper("momentum")),
            epsilon: (F::from_f64(inner), F::from_f64(outer)),
            has_momentum: self.has_momentum(),
            nesterov: self.nesterov,
            centered: self.centered,
        }
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        // Known when this is compiled, as the number of slots is.
        let last = slots.len() - 1;
        let mut divisor = c.rho * slots[0] + c.gain * (g * g);
        slots[0] = divisor;
        if c.centered {
            let mean = &mut slots[last];
            *mean = c.rho * *mean + c.gain * g;
            divisor -= *mean * *mean;
        }
        let step = c.rate * g / ((divisor + c.epsilon.0).sqrt() + c.epsilon.1);
        if !c.has_momentum || last == 0 {
            return x - step;
        }
        slots[1] = c.momentum * slots[1] + step;
        x - F::select(c.nesterov, c.momentum * slots[1] + step, slots[1])
    }
}
