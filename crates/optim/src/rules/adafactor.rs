//! Adafactor.
use super::arguments::{arguments, without_defaults};
use super::whole::{
    UpdateItem, combine, factored_axes, mean, over_root, over_root_of_product, quotient, root_mean_square,
    square,
};
use crate::config::Config;
use crate::{Item, NamedHyper, Rule, SlotSpec, Step};
use slalom_array::{Array, Element, Float, Result, Shape};
use slalom_variable::Variable;

arguments! {
    /// Adafactor: a second moment that is kept by rows and columns (`keras.optimizers.Adafactor`).
    ///
    /// With `β = 1 - t^decay`: for variables of two axes or more `r` and `c` follow the means of `g² + ε₁` along the last axis
    /// and the last but one, `r = β r + (1 - β) mean(g² + ε₁)`, and `v = r c / mean(r)`; for others `v` follows `g² + ε₁` itself.
    /// `u = g / √v; x -= max(ε₂, rms(x)) min(lr, 1/√t) / max(1, rms(u) / d) · u` with the clip threshold `d`, where `rms` is the
    /// root of the mean square. Weight decay goes before: `x -= lr λ x`.
    ///
    /// [`torch`](Adafactor::torch) and [`optax`](Adafactor::optax) make the forms of these. Shazeer and Stern, *Adafactor:
    /// adaptive learning rates with sublinear memory cost*, 2018, algorithm 4.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adafactor};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(8.0f64);
    /// let mut opt = Optimizer::new(Adafactor::new(0.25))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert!((x.value().item()? - (8.0 - 8.0 * 0.25)).abs() < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Adafactor(0.001);
    hypers {
        /// The power of the step number in the decay of the second moment (default -0.8).
        beta_2_decay = -0.8;
        /// What keeps the second moment from 0 (default 1e-30).
        epsilon_1 = 1e-30;
        /// The least root mean square that counts for a variable (default 1e-3).
        epsilon_2 = 1e-3;
        /// The largest root mean square of an update (default 1).
        clip_threshold = 1.0;
        /// The λ of weight decay (default 0).
        weight_decay = 0.0;
    }
    options {
        /// Whether the learning rate is at most `1/√t` (default true).
        relative: bool = true;
        /// An argument of Keras, which changes nothing there nor here (default true); configs hold it.
        relative_step: bool = true;
        /// Whether ε₁ is the least mean of `r`, and its square the least `v`, in place of being added (default false).
        clamped: bool = false;
        /// Whether `r` and `c` stand for the two longest axes, if both are at least so long, not for the last two whatever
        /// their lengths (default `None`).
        min_dim_size_to_factor: Option<i64> = None;
        /// Whether means are computed in `f32` for all variables, as Keras does with JAX (default false).
        narrow_means: bool = false;
    }
}

impl Adafactor {
    /// As `torch.optim.Adafactor`: ε₁ is a least value, and 2⁻²³ by default, which is for `f32`.
    pub fn torch<M>(learning_rate: impl crate::IntoHyper<M>) -> Adafactor {
        Adafactor::new(learning_rate).clamped(true).epsilon_1(f64::from(f32::EPSILON))
    }

    /// As `optax.adafactor`: the learning rate is used as it is, and only axes of 128 and more are factored.
    pub fn optax<M>(learning_rate: impl crate::IntoHyper<M>) -> Adafactor {
        Adafactor::new(learning_rate).relative(false).min_dim_size_to_factor(Some(128))
    }

    fn axes(&self, shape: &Shape) -> Option<[usize; 2]> {
        factored_axes(shape, self.min_dim_size_to_factor)
    }

    /// The step before it is scaled.
    fn direction<F: Float + Element>(&self, step: &Step<'_>, item: &mut Item<'_>) -> Result<Array> {
        let gain = ((step.iterations() + 1) as f64).powf(step.hyper("beta_2_decay"));
        let (gradient, epsilon) = (item.gradient()?, step.hyper("epsilon_1"));
        let (added, least) = if self.clamped { (0.0, epsilon) } else { (epsilon, 0.0) };
        let squares = square::<F>(&gradient, added)?;
        let Some([row, column]) = self.axes(item.value.shape()) else {
            combine::<F>(item.slots[2], 1.0 - gain, &squares, gain)?;
            return over_root::<F>(&gradient, item.slots[2], least * least);
        };
        for (slot, axis) in [(0, row), (1, column)] {
            let mean = mean(&squares, axis, self.narrow_means)?;
            combine::<F>(item.slots[slot], 1.0 - gain, &mean, gain)?;
        }
        let mean = mean(item.slots[0], column, self.narrow_means)?;
        let share = quotient::<F>(item.slots[0], &mean, least)?;
        over_root_of_product::<F>(&gradient, &share, item.slots[1], least * least)
    }
}

impl UpdateItem for Adafactor {
    fn update_item<F: Float + Element>(&self, step: &Step<'_>, item: &mut Item<'_>) -> Result<()> {
        let (rate, t) = (step.learning_rate(), (step.iterations() + 1) as f64);
        let u = self.direction::<F>(step, item)?;
        // PyTorch takes the variable's size before weight decay, Keras after it.
        let size = root_mean_square::<F>(item.value, self.narrow_means)?
            * if self.clamped { 1.0 } else { item.kept };
        let rate = if self.relative { rate.min(1.0 / t.sqrt()) } else { rate };
        let clipped = (root_mean_square::<F>(&u, self.narrow_means)? / step.hyper("clip_threshold")).max(1.0);
        let scale = size.max(step.hyper("epsilon_2")) * rate / clipped;
        combine::<F>(item.value, item.kept, &u, -scale)
    }
}

impl Rule for Adafactor {
    fn class_name(&self) -> &str {
        "Adafactor"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["r", "c", "v"].map(SlotSpec::new).to_vec()
    }

    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let shape = variable.shape();
        match (self.axes(shape), slot) {
            (Some(axes), 0 | 1) => shape.replaced(axes[slot], 1),
            (None, 2) => shape.clone(),
            _ => Shape::from([0]),
        }
    }

    fn config(&self) -> Config {
        without_defaults(self.options(), &["narrow_means"])
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn folds_weight_decay(&self, _sparse: bool) -> bool {
        !self.narrow_means
    }

    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        self.update_items(steps, items)
    }
}
