//! Muon.
use super::adam_of_muon::AdamOfMuon;
use super::arguments::{arguments, at_least, without_defaults};
use super::whole::{UpdateItem, combine, orthogonal};
use crate::config::Config;
use crate::stages::decay;
use crate::{Item, NamedHyper, Rule, SlotSpec, Step, driver};
use slalom_array::{Element, Float, Result, Shape};
use slalom_variable::Variable;

arguments! {
    /// Muon: momentum whose matrices are made orthogonal (`keras.optimizers.Muon`).
    ///
    /// Of a variable of two axes: `m = momentum m + g`, with Nesterov momentum `u = g + momentum m`, else `u = m`; then
    /// `ns_steps` of the Newton–Schulz iteration on `u / (‖u‖ + 1e-7)`, `A = u uᵀ; u = a u + (b A + c A²) u`, and
    /// `x -= lr λ x + lr rms_rate √(max(rows, columns)) u`. All other variables, those that have "embedding" in their names, and
    /// those excluded, take the step of [`Adam`](super::Adam) with weight decay.
    ///
    /// Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024; Liu et al., *Muon is scalable for LLM
    /// training*, 2025, section 2.2.
    ///
    /// ```
    /// use slalom_array::{Array, DType};
    /// use slalom_optim::{Optimizer, rules::Muon};
    /// use slalom_variable::Variable;
    /// let w = Variable::new(Array::ones([3, 2], DType::F64)?);
    /// Optimizer::new(Muon::new(0.1))?.minimize(|| (&w * &w).sum(), &w)?;
    /// assert!(w.value().sum().item()? < 6.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Muon(0.001);
    hypers {
        /// The decay of Adam's first moment (default 0.9).
        adam_beta_1 = 0.9;
        /// The decay of Adam's second moment (default 0.999).
        adam_beta_2 = 0.999;
        /// The ε of Adam (default 1e-7).
        epsilon = 1e-7;
        /// The λ of decoupled weight decay (default 0.004).
        weight_decay = 0.004;
        /// That of variables that take Adam's step (default 0.004).
        adam_weight_decay = 0.004;
        /// The momentum (default 0.95).
        momentum = 0.95;
        /// Adam's learning rate is this times the learning rate (default 1).
        adam_lr_ratio = 1.0;
        /// The `a` of the iteration (default 3.4445).
        muon_a = 3.4445;
        /// The `b` of the iteration (default -4.775).
        muon_b = -4.775;
        /// The `c` of the iteration (default 2.0315).
        muon_c = 2.0315;
    }
    options {
        /// How often to iterate, at least 0 (default 5).
        ns_steps: i64 = 5;
        /// Whether momentum is Nesterov's (default true).
        nesterov: bool = true;
        /// The root mean square of the elements of a step of learning rate 1 (default 0.2); with `None` steps have no scale.
        rms_rate: Option<f64> = Some(0.2);
        /// Whether variables with "embedding" in their names, in any case, take Adam's step (default true).
        exclude_embeddings: bool = true;
        /// Parts of names whose variables take Adam's step (default none).
        exclude_layers: Vec<String> = Vec::new();
        /// Whether norms are computed in `f32` for all variables, as Keras does with JAX (default false).
        narrow_norm: bool = false;
    }
}

impl Muon {
    fn is_orthogonal(&self, variable: &Variable) -> bool {
        let name = variable.name();
        let embedding = self.exclude_embeddings && name.to_lowercase().contains("embedding");
        let excluded = self.exclude_layers.iter().any(|part| name.contains(part));
        variable.shape().rank() == 2 && !embedding && !excluded
    }
}

impl UpdateItem for Muon {
    fn update_item<F: Float + Element>(&self, step: &Step<'_>, item: &mut Item<'_>) -> Result<()> {
        let (gradient, momentum, rate) = (item.gradient()?, step.hyper("momentum"), step.learning_rate());
        combine::<F>(item.slots[0], momentum, &gradient, 1.0)?;
        let mut u = item.slots[0].copy()?;
        if self.nesterov {
            combine::<F>(&mut u, momentum, &gradient, 1.0)?;
        }
        let coefficients = ["muon_a", "muon_b", "muon_c"].map(|name| step.hyper(name));
        let u = orthogonal::<F>(&u, coefficients, self.ns_steps, self.narrow_norm)?;
        let longest = item.value.shape().iter().copied().max().unwrap_or(0);
        let scale = self.rms_rate.map_or(1.0, |rms| (longest as f64).sqrt() * rms);
        combine::<F>(item.value, item.kept, &u, -rate * scale)
    }
}

impl Rule for Muon {
    fn class_name(&self) -> &str {
        "Muon"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["momentum", "velocity"].map(SlotSpec::new).to_vec()
    }

    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let none = slot == 1 && self.is_orthogonal(variable);
        if none { Shape::from([0, 0]) } else { variable.shape().clone() }
    }

    fn validate(&self) -> Result<()> {
        at_least("ns_steps", self.ns_steps as f64, 0.0)
    }

    fn config(&self) -> Config {
        without_defaults(self.options(), &["narrow_norm"])
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn folds_weight_decay(&self, _sparse: bool) -> bool {
        true
    }

    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        let is_matrix = |item: &Item<'_>| item.slots[1].shape() != item.value.shape();
        items.sort_by_key(|item| is_matrix(item));
        let (others, matrices) = items.split_at_mut(items.partition_point(|item| !is_matrix(item)));
        for item in others.iter_mut() {
            let step = &steps[item.group];
            item.kept = decay::kept(step.learning_rate(), step.hyper("adam_weight_decay"));
        }
        driver::run(&AdamOfMuon, steps, others);
        self.update_items(steps, matrices)
    }
}
