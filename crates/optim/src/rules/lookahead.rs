//! Lookahead.
use super::arguments::{at_least, hyper};
use super::synchronize::Synchronize;
use crate::config::{Config, Reader};
use crate::{Hyper, IntoHyper, Item, NamedHyper, Rule, SlotOrder, SlotSpec, Step, driver};
use slalom_array::{Error, ErrorKind, Result, Shape};
use slalom_variable::Variable;

const NAME: &str = "Lookahead";

/// Lookahead: slow weights that follow those of another rule (`optax.lookahead`).
///
/// The rule within makes its step; after each `sync_period` of them `slow += α (x - slow); x = slow`. The slow weights are
/// the slot `slow`.
///
/// Zhang et al., *Lookahead optimizer: k steps forward, 1 step back*, 2019, algorithm 1.
///
/// ```
/// use slalom_optim::{Optimizer, rules::{Lookahead, Sgd}};
/// use slalom_variable::Variable;
/// let x = Variable::new(8.0f64);
/// let mut opt = Optimizer::new(Lookahead::new(Sgd::new(1.0)).sync_period(2).slow_step_size(0.5))?;
/// for expected in [7.0, 7.0, 6.0, 6.0] {
///     opt.minimize(|| 1.0 * &x, &x)?;
///     assert_eq!(x.value().item()?, expected);
/// }
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Lookahead {
    inner: Box<dyn Rule>,
    slow_step_size: Hyper,
    sync_period: i64,
}

impl Lookahead {
    /// Lookahead around a rule, with the defaults. The rule within updates by gradients: it is neither another Lookahead nor one
    /// that evaluates the loss itself.
    pub fn new(inner: impl Rule + 'static) -> Lookahead {
        Lookahead::around(Box::new(inner))
    }

    fn around(inner: Box<dyn Rule>) -> Lookahead {
        Lookahead { inner, slow_step_size: Hyper::Number(0.5), sync_period: 6 }
    }

    /// How far slow weights go towards the fast ones, the α (default 0.5).
    #[must_use]
    pub fn slow_step_size<M>(self, slow_step_size: impl IntoHyper<M>) -> Lookahead {
        Lookahead { slow_step_size: slow_step_size.into_hyper(), ..self }
    }

    /// After how many steps they do, at least 1 (default 6).
    #[must_use]
    pub fn sync_period(self, sync_period: i64) -> Lookahead {
        Lookahead { sync_period, ..self }
    }

    /// The config holds the class of the rule within, `inner`, and the arguments of both side by side.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Lookahead> {
        let inner = reader.take::<String>("inner")?;
        let inner = reader.rules().find(&inner)?;
        // Its own `inner` would be this one again.
        if inner.class_name == NAME {
            return Err(refused(NAME));
        }
        let lookahead = Lookahead::around((inner.build)(reader)?);
        let slow_step_size = hyper(reader, "slow_step_size", 0.5)?;
        Ok(lookahead.slow_step_size(slow_step_size).sync_period(reader.take_or("sync_period", 6)?))
    }

    /// How many slots the rule within has; the slow weights come after them.
    fn inner_slots(&self) -> usize {
        self.inner.slots().len()
    }
}

#[cold]
fn refused(inner: &str) -> Error {
    let expected = "a rule that updates by gradients, other than Lookahead";
    Error::new(ErrorKind::Argument, "inner", expected, inner)
}

impl Rule for Lookahead {
    fn class_name(&self) -> &str {
        NAME
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        let mut hypers = self.inner.hypers();
        hypers.push(self.slow_step_size.named("slow_step_size"));
        hypers
    }

    fn slots(&self) -> Vec<SlotSpec> {
        let mut slots = self.inner.slots();
        slots.push(SlotSpec::copy_of_variable("slow"));
        slots
    }

    fn slot_order(&self) -> SlotOrder {
        self.inner.slot_order()
    }

    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let inner = slot < self.inner_slots();
        if inner { self.inner.slot_shape(slot, variable) } else { variable.shape().clone() }
    }

    fn scalars(&self) -> Vec<SlotSpec> {
        self.inner.scalars()
    }

    fn validate(&self) -> Result<()> {
        at_least("sync_period", self.sync_period as f64, 1.0)?;
        if self.inner.class_name() == NAME || self.inner.search().is_some() {
            return Err(refused(self.inner.class_name()));
        }
        self.inner.validate()
    }

    fn config(&self) -> Config {
        let mut config = self.inner.config();
        config.insert("inner".to_owned(), self.inner.class_name().into());
        config.insert("sync_period".to_owned(), self.sync_period.into());
        config
    }

    fn updates_in_place(&self) -> bool {
        self.inner.updates_in_place()
    }

    fn updates_together(&self) -> bool {
        self.inner.updates_together()
    }

    fn moves_all_rows(&self) -> bool {
        true
    }

    fn decouples_weight_decay(&self) -> bool {
        self.inner.decouples_weight_decay()
    }

    fn folds_weight_decay(&self, sparse: bool) -> bool {
        self.inner.folds_weight_decay(sparse)
    }

    fn wants_dense(&self) -> bool {
        self.inner.wants_dense()
    }

    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        let slow = self.inner_slots();
        let mut fast: Vec<Item<'_>> = items.iter_mut().map(|item| item.with_slots(0..slow)).collect();
        self.inner.update(steps, &mut fast)?;
        drop(fast);
        if steps.iter().all(|step| (step.iterations() + 1) % self.sync_period == 0) {
            let mut items: Vec<Item<'_>> =
                items.iter_mut().map(|item| Item { kept: 1.0, ..item.with_slots(slow..slow + 1) }).collect();
            driver::run(&Synchronize, steps, &mut items);
        }
        Ok(())
    }
}
