//! The hyperparameters of an optimizer.
use super::Optimizer;
use crate::config::Config;
use crate::schedules::Schedule;
use crate::stages::{decay, groups::Groups};
use crate::{Group, Hyper, IntoHyper, NamedHyper, Rule, Step};
use slalom_array::{Error, ErrorKind, Result};
use slalom_variable::Variable;
use smallvec::{SmallVec, smallvec};

/// The hyperparameters of the rule, and those that all rules have in common.
#[derive(Debug, Clone)]
pub(super) struct Hypers {
    pub(super) all: Vec<NamedHyper>,
    learning_rate: Option<usize>,
    /// The common hyperparameter `decay`; `None` if the rule has one of its own.
    pub(super) decay: Option<usize>,
    /// The common hyperparameter `weight_decay`; `None` if the rule has one of its own.
    pub(super) weight_decay: Option<usize>,
    /// The hyperparameter of decoupled weight decay: the common one, or the rule's own.
    decoupled: Option<usize>,
}

impl Hypers {
    pub(super) fn new(optimizer: &str, rule: &dyn Rule) -> Result<Hypers> {
        let mut all = rule.hypers();
        let own = |all: &[NamedHyper]| all.iter().position(|hyper| hyper.name == "weight_decay");
        let decoupled = own(&all).filter(|_| rule.decouples_weight_decay());
        let mut common = |hyper: NamedHyper| {
            let own = all.iter().any(|known| known.name == hyper.name);
            (!own).then(|| {
                all.push(hyper);
                all.len() - 1
            })
        };
        let decay = common(Hyper::Number(0.0).named("decay").non_negative());
        let weight_decay = common(Hyper::Number(0.0).named("weight_decay"));
        for hyper in &all {
            hyper.check(optimizer)?;
        }
        let learning_rate = all.iter().position(|hyper| hyper.name == "learning_rate");
        Ok(Hypers { all, learning_rate, decay, weight_decay, decoupled: decoupled.or(weight_decay) })
    }

    fn find(&self, optimizer: &str, name: &str) -> Result<usize> {
        self.all.iter().position(|hyper| hyper.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.all.iter().map(|hyper| hyper.name).collect();
            let expected = format!("one of the hyperparameters {}", names.join(", "));
            Error::new(ErrorKind::NotFound, "hyperparameter", expected, format!("{name:?}"))
                .context(optimizer)
        })
    }

    /// The schedules among the hyperparameters, by name.
    pub(super) fn schedules(&self) -> impl Iterator<Item = (&'static str, &dyn Schedule)> {
        self.all.iter().filter_map(|hyper| match &hyper.hyper {
            Hyper::Schedule(schedule) => Some((hyper.name, &**schedule)),
            _ => None,
        })
    }

    /// Puts the hyperparameters into a config.
    pub(super) fn to_config(&self, optimizer: &str, iterations: i64, config: &mut Config) -> Result<()> {
        for NamedHyper { name, hyper, .. } in &self.all {
            let value = hyper.to_json(iterations).map_err(|error| error.context(name).context(optimizer))?;
            config.insert((*name).to_owned(), value);
        }
        Ok(())
    }

    /// The values in the step after `iterations` others. The learning rate is the effective one.
    pub(super) fn step(&self, optimizer: &str, iterations: i64) -> Result<Step<'_>> {
        Ok(self.effective(iterations, 0, self.values(optimizer, iterations)?, 1.0))
    }

    /// The values in the step after `iterations` others, for variables in no group and for each set of groups.
    #[inline]
    pub(super) fn steps(
        &self,
        optimizer: &str,
        iterations: i64,
        groups: &Groups,
    ) -> Result<SmallVec<[Step<'_>; 1]>> {
        if groups.is_empty() {
            return Ok(smallvec![self.step(optimizer, iterations)?]);
        }
        let values = self.values(optimizer, iterations)?;
        let mut steps = smallvec![self.effective(iterations, 0, values.clone(), 1.0)];
        for (i, (changed, factor)) in groups.sets().enumerate() {
            let mut values = values.clone();
            for (place, hyper) in changed {
                values[*place] = hyper.at(optimizer, iterations)?;
            }
            steps.push(self.effective(iterations, i + 1, values, factor));
        }
        Ok(steps)
    }

    fn values(&self, optimizer: &str, iterations: i64) -> Result<Values> {
        let mut values = Values::new();
        for hyper in &self.all {
            values.push(hyper.at(optimizer, iterations)?);
        }
        Ok(values)
    }

    /// The step of a group with these values, before `decay` and the group's factor are applied to its learning rate.
    #[inline]
    fn effective(&self, iterations: i64, group: usize, mut values: Values, factor: f64) -> Step<'_> {
        if let Some(rate) = self.learning_rate {
            if let Some(decay) = self.decay {
                values[rate] /= 1.0 + values[decay] * iterations as f64;
            }
            values[rate] *= factor;
        }
        let rate = self.learning_rate.map_or(factor, |rate| values[rate]);
        let kept = self.decoupled.map_or(1.0, |decay| decay::kept(rate, values[decay]));
        let (hypers, learning_rate) = (&self.all[..], self.learning_rate);
        Step { iterations, group, hypers, values, learning_rate, scalars: SmallVec::new(), kept }
    }

    /// Whether the common weight decay is more than 0.
    pub(super) fn has_weight_decay(&self) -> bool {
        self.weight_decay.is_some_and(|i| !matches!(self.all[i].hyper, Hyper::Number(0.0)))
    }

    /// Whether the rule has a learning rate.
    pub(super) fn has_learning_rate(&self) -> bool {
        self.learning_rate.is_some()
    }

    /// A hyperparameter's place, and the same with another value.
    pub(super) fn replaced(&self, optimizer: &str, name: &str, hyper: Hyper) -> Result<(usize, NamedHyper)> {
        let i = self.find(optimizer, name)?;
        Ok((i, self.all[i].replaced(optimizer, hyper)?))
    }
}

/// Refuses what would give a group scalars of its own: those of a rule are the same for all variables, and follow from the
/// hyperparameters of variables in no group. Weight decay has no part in them, and a learning-rate factor only where they
/// come from sums over all variables.
pub(super) fn check_shared(rule: &dyn Rule, group: &Group) -> Result<()> {
    if rule.scalars().is_empty() {
        return Ok(());
    }
    if let Some(name) = group.names().find(|name| !name.ends_with("weight_decay")) {
        let expected = "hyperparameters that are the same for all variables, as the rule's scalars are";
        return Err(Error::new(ErrorKind::Argument, "group", expected, format!("{name:?} of a group")));
    }
    if group.scales() && rule.updates_together() {
        let expected = "no factor, as the rule finds one learning rate for all variables";
        return Err(Error::new(ErrorKind::Argument, "learning_rate_factor", expected, "one"));
    }
    Ok(())
}

type Values = SmallVec<[f64; 8]>;

/// Hyperparameters.
impl Optimizer {
    fn done(&self) -> Result<i64> {
        Ok(self.iterations.array().item()? as i64)
    }

    /// The present value of a hyperparameter: a schedule is asked for the present step, a callable is called.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are; [`ErrorKind::Argument`], if the value is not allowed; those
    /// of a callable.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// let mut opt = Optimizer::new(Sgd::new(0.1))?;
    /// opt.set("learning_rate", 0.05)?;
    /// assert_eq!(opt.get("learning_rate")?, 0.05);
    /// assert!(opt.set("learningrate", 0.1).unwrap_err().to_string().contains("learning_rate, momentum"));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn get(&self, name: &str) -> Result<f64> {
        self.hypers.all[self.hypers.find(&self.name, name)?].at(&self.name, self.done()?)
    }

    /// A hyperparameter as it was given.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    pub fn get_hyper(&self, name: &str) -> Result<&Hyper> {
        Ok(&self.hypers.all[self.hypers.find(&self.name, name)?].hyper)
    }

    /// Changes a hyperparameter, from the next step on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are; [`ErrorKind::Argument`], if the value is not allowed.
    pub fn set<M>(&mut self, name: &str, value: impl IntoHyper<M>) -> Result<()> {
        let (i, hyper) = self.hypers.replaced(&self.name, name, value.into_hyper())?;
        self.hypers.all[i] = hyper;
        Ok(())
    }

    /// Tells the schedules among the hyperparameters, also those of groups, of a metric, usually the loss on validation data after each epoch:
    /// [`ReduceOnPlateau`](crate::schedules::ReduceOnPlateau) waits for it. Schedules that share what they remember are told once.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn observe(&self, metric: f64) -> Result<()> {
        let of_groups = self.stages.groups.hypers().filter_map(|(_, hyper)| match &hyper.hyper {
            Hyper::Schedule(schedule) => Some(&**schedule),
            _ => None,
        });
        let mut told: Vec<Variable> = Vec::new();
        for schedule in self.hypers.schedules().map(|(_, schedule)| schedule).chain(of_groups) {
            let state = schedule.state();
            let known = |variable: &Variable| told.iter().any(|other| other.same(variable));
            if state.is_empty() || !state.iter().all(known) {
                schedule.observe(metric)?;
                told.extend(state);
            }
        }
        Ok(())
    }

    /// As [`get`](Optimizer::get) of `learning_rate`: before `decay`.
    ///
    /// # Errors
    /// As [`get`](Optimizer::get).
    pub fn learning_rate(&self) -> Result<f64> {
        self.get("learning_rate")
    }

    /// As [`set`](Optimizer::set) of `learning_rate`.
    ///
    /// # Errors
    /// As [`set`](Optimizer::set).
    pub fn set_learning_rate<M>(&mut self, value: impl IntoHyper<M>) -> Result<()> {
        self.set("learning_rate", value)
    }

    /// The learning rate of the next step, as its rule will see it: `learning_rate / (1 + decay · iterations)`.
    ///
    /// # Errors
    /// As [`get`](Optimizer::get).
    pub fn effective_learning_rate(&self) -> Result<f64> {
        self.hypers.find(&self.name, "learning_rate")?;
        Ok(self.hypers.step(&self.name, self.done()?)?.learning_rate())
    }
}
