//! Adam with decoupled weight decay.
use super::adam::Adam;
use super::arguments::hyper;
use crate::config::{Config, Reader};
use crate::{Hyper, IntoHyper, Item, NamedHyper, Rule, SlotSpec, Step};
use slalom_array::Result;

/// Adam with decoupled weight decay (`keras.optimizers.AdamW`, `torch.optim.AdamW`).
///
/// `x -= lr λ x`, then the step of [`Adam`]: Adam with another default of the optimizer's
/// [`weight_decay`](crate::Optimizer::weight_decay). All of its options are taken from the Adam that it is made of.
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

impl Rule for AdamW {
    fn class_name(&self) -> &str {
        "AdamW"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        let mut hypers = Rule::hypers(&self.adam);
        hypers.push(self.weight_decay.named("weight_decay"));
        hypers
    }

    fn decouples_weight_decay(&self) -> bool {
        true
    }

    fn slots(&self) -> Vec<SlotSpec> {
        Rule::slots(&self.adam)
    }

    fn config(&self) -> Config {
        Rule::config(&self.adam)
    }

    fn updates_in_place(&self) -> bool {
        self.adam.updates_in_place()
    }

    fn moves_all_rows(&self) -> bool {
        self.adam.moves_all_rows()
    }

    fn folds_weight_decay(&self, sparse: bool) -> bool {
        self.adam.folds_weight_decay(sparse)
    }

    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        self.adam.update(steps, items)
    }
}
