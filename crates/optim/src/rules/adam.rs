//! Adam.
use super::arguments::{arguments, bias_correction, without_defaults};
use crate::config::Config;
use crate::{ElementRule, NamedHyper, SlotSpec, SparseUpdate, Step};
use slalom_array::Float;

arguments! {
    /// Adam, and AMSGrad (`tf.keras.optimizers.legacy.Adam`).
    ///
    /// `m += (1 - β₁)(g - m); v += (1 - β₂)(g² - v); x -= α m / (√v + ε)` with `α = lr √(1 - β₂ᵗ) / (1 - β₁ᵗ)`, where `t`
    /// counts steps from 1; AMSGrad divides by `√v̂ + ε` with `v̂ = max(v̂, v)`. ε is the "epsilon hat" of the paper: it is
    /// added to the uncorrected root; with [`corrected_epsilon`](Adam::corrected_epsilon) it is the ε of the algorithm
    /// itself, as in PyTorch and optax. With a sparse gradient, `m` and `v` of all rows decay and all rows move; a
    /// [`lazy`](Adam::lazy) Adam leaves those that the gradient lacks as they are.
    ///
    /// Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, section 2; Reddi, Kale and Kumar, *On the
    /// convergence of Adam and beyond*, 2018.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adam};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Adam::new(0.001).epsilon(0.001))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (1.0 - 0.001 * 4.0 / (4.0 + 0.001 / 0.001f64.sqrt()))).abs() < 1e-15);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adam(0.001);
    hypers {
        /// The decay of the first moment (default 0.9).
        beta_1 = 0.9;
        /// The decay of the second moment (default 0.999).
        beta_2 = 0.999;
        /// What is added to the root (default 1e-7, which 0 means too, as in the reference;
        /// [`Optimizer::set`](crate::Optimizer::set) and configs of Keras 3 take 0 as it is).
        epsilon = 1e-7, nonzero();
    }
    options {
        /// Whether to use the largest second moment so far (default false).
        amsgrad: bool = false;
        /// Whether ε is added to the root of the corrected second moment (default false): `√(v / (1 - β₂ᵗ)) + ε`.
        corrected_epsilon: bool = false;
        /// Whether AMSGrad's maximum is that of corrected second moments, as in optax (default false).
        corrected_amsgrad: bool = false;
        /// Whether rows that a sparse gradient lacks stay as they are, in the moments too (default false), as in PyTorch's
        /// `SparseAdam`. A step then takes the time of the rows that it has, not that of the whole variable.
        ///
        /// ```
        /// use slalom_array::{Array, DType};
        /// use slalom_autograd::{IndexedSlices, Tensor};
        /// use slalom_optim::{Optimizer, rules::Adam};
        /// use slalom_variable::Variable;
        /// let table = Variable::new(Array::zeros([1000, 1], DType::F64)?);
        /// let mut opt = Optimizer::new(Adam::new(0.1).lazy(true))?;
        /// for row in [7i64, 5] {
        ///     let rows = Tensor::from_vec([1], vec![row])?;
        ///     let slices = IndexedSlices::new(rows, Tensor::from_vec([1, 1], vec![2.0])?, [1000, 1])?;
        ///     opt.apply_gradients([(slalom_autograd::Gradient::from(slices), &table)])?;
        /// }
        /// assert_eq!(opt.get_slot(&table, "m")?.array().to_vec::<f64>()?[7], (1.0 - 0.9) * 2.0);
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        lazy: bool = false;
    }
}

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub struct Coeffs<F> {
    alpha: F,
    /// `1 - β₁` and `1 - β₂`.
    gain: (F, F),
    epsilon: F,
    /// What the second moment is multiplied by before AMSGrad's maximum.
    correction: F,
}

impl<F: Float> Coeffs<F> {
    /// Those of Adam without options, of step `t`.
    pub(super) fn plain(rate: f64, betas: (f64, f64), epsilon: f64, t: f64) -> Coeffs<F> {
        let correction = bias_correction(betas.1, t).sqrt() / bias_correction(betas.0, t);
        Coeffs {
            alpha: F::from_f64(rate * correction),
            gain: (F::from_f64(1.0 - betas.0), F::from_f64(1.0 - betas.1)),
            epsilon: F::from_f64(epsilon),
            correction: F::ONE,
        }
    }
}

impl ElementRule for Adam {
    const NAME: &'static str = "Adam";
    const SLOTS: (usize, usize) = (2, 3);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let slots = ["m", "v", "vhat"].map(SlotSpec::new);
        slots[..if self.amsgrad { 3 } else { 2 }].to_vec()
    }

    fn config(&self) -> Config {
        without_defaults(self.options(), &["corrected_epsilon", "corrected_amsgrad", "lazy"])
    }

    fn sparse(&self) -> SparseUpdate {
        if self.lazy { SparseUpdate::Lazy } else { SparseUpdate::AllRows }
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let (rate, epsilon) = (step.learning_rate(), step.hyper("epsilon"));
        let betas = (step.hyper("beta_1"), step.hyper("beta_2"));
        let t = (step.iterations() + 1) as f64;
        let second = bias_correction(betas.1, t);
        if self.amsgrad && self.corrected_amsgrad {
            // The root is that of what has been corrected.
            let plain = Coeffs::plain(rate / second.sqrt(), betas, epsilon, t);
            return Coeffs { correction: F::from_f64(1.0 / second), ..plain };
        }
        Coeffs::plain(rate, betas, epsilon * if self.corrected_epsilon { second.sqrt() } else { 1.0 }, t)
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        let m = slots[0] + (g - slots[0]) * c.gain.0;
        let v = slots[1] + (g * g - slots[1]) * c.gain.1;
        (slots[0], slots[1]) = (m, v);
        let second = match slots.get_mut(2) {
            Some(largest) => {
                *largest = largest.max(v * c.correction);
                *largest
            }
            None => v,
        };
        x - m * c.alpha / (second.sqrt() + c.epsilon)
    }
}
