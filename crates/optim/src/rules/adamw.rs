//! Adam with decoupled weight decay.
use super::adam::{self, Adam};
use super::arguments::hyper;
use crate::config::{Config, Reader};
use crate::{ElementRule, Hyper, IntoHyper, NamedHyper, SlotSpec, SparseUpdate, Step};
use slalom_array::{Float, Result};

/// Adam with decoupled weight decay (`keras.optimizers.AdamW`, `torch.optim.AdamW`).
///
/// `x -= lr λ x`, then the step of [`Adam`]. All of its options are taken from the Adam that it is made of.
///
/// Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019, algorithm 2.
///
/// ```
/// use slalom_optim::{Optimizer, rules::{Adam, AdamW}};
/// use slalom_variable::Variable;
/// let x = Variable::new(1.0f64);
/// let mut opt = Optimizer::new(AdamW::from(Adam::new(0.5).beta_1(0.8)).weight_decay(0.5))?;
/// opt.minimize(|| 0.0 * &x, &x)?;
/// assert_eq!(x.value().item()?, 1.0 - 0.5 * 0.5);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AdamW {
    adam: Adam,
    weight_decay: Hyper,
}

impl AdamW {
    /// AdamW with the usual decay rates.
    pub fn new<M>(learning_rate: impl IntoHyper<M>) -> AdamW {
        AdamW::from(Adam::new(learning_rate))
    }

    /// The part of a value that a step of learning rate 1 takes away (default 0.004).
    #[must_use]
    pub fn weight_decay<M>(self, weight_decay: impl IntoHyper<M>) -> AdamW {
        AdamW { weight_decay: weight_decay.into_hyper(), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<AdamW> {
        Ok(AdamW { adam: Adam::read(reader)?, weight_decay: hyper(reader, "weight_decay", 0.004)? })
    }
}

impl From<Adam> for AdamW {
    fn from(adam: Adam) -> AdamW {
        AdamW { adam, weight_decay: Hyper::Number(0.004) }
    }
}

impl ElementRule for AdamW {
    const NAME: &'static str = "AdamW";
    const SLOTS: (usize, usize) = Adam::SLOTS;
    /// Those of Adam, and what a value is multiplied by before its step.
    type Coeffs<F: Float> = (<Adam as ElementRule>::Coeffs<F>, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        let mut hypers = ElementRule::hypers(&self.adam);
        hypers.push(self.weight_decay.named("weight_decay"));
        hypers
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ElementRule::slots(&self.adam)
    }

    fn config(&self) -> Config {
        ElementRule::config(&self.adam)
    }

    fn sparse(&self) -> SparseUpdate {
        self.adam.sparse()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Self::Coeffs<F> {
        (self.adam.coeffs(step), F::from_f64(1.0 - step.learning_rate() * step.hyper("weight_decay")))
    }

    #[inline(always)]
    fn element<F: Float>((adam, kept): Self::Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        Adam::element(adam, x * kept, g, slots)
    }
}

/// Adam with decoupled weight decay, by the hyperparameters of [`Muon`](super::Muon).
#[derive(Debug, Clone)]
pub(super) struct AdamOfMuon;

impl ElementRule for AdamOfMuon {
    const NAME: &'static str = "Adam";
    const SLOTS: (usize, usize) = (2, 2);
    /// Those of Adam, and what a value is multiplied by before its step.
    type Coeffs<F: Float> = (adam::Coeffs<F>, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        Vec::new()
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Self::Coeffs<F> {
        let rate = step.learning_rate();
        let betas = (step.hyper("adam_beta_1"), step.hyper("adam_beta_2"));
        let t = (step.iterations() + 1) as f64;
        let adam = adam::Coeffs::plain(rate * step.hyper("adam_lr_ratio"), betas, step.hyper("epsilon"), t);
        (adam, F::from_f64(1.0 - rate * step.hyper("adam_weight_decay")))
    }

    #[inline(always)]
    fn element<F: Float>((adam, kept): Self::Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        Adam::element(adam, x * kept, g, slots)
    }
}
