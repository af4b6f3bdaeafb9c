//! Parameter groups: learning-rate factors, hyperparameters and freezing by variable.
use super::GradientList;
use crate::config::{Config, number, object};
use crate::{Hyper, IntoHyper, NamedHyper};
use regex_lite::Regex;
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};
use slalom_variable::Variable;
use smallvec::SmallVec;
use std::collections::HashMap;

/// Some of the variables, which are trained in another way than the rest; given to [`Optimizer::group`](crate::Optimizer::group).
///
/// The variables are those whose names contain a match of a regular expression, or those of a list. A variable may belong to
/// several groups: what a later one sets goes before what an earlier one sets, and learning-rate factors are multiplied.
///
/// ```
/// use slalom_optim::{Group, Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// let [w, b] = ["dense/kernel", "dense/bias"].map(|name| Variable::new(1.0f64).named(name));
/// let mut opt = Optimizer::new(Sgd::new(0.5))?
///     .group(Group::matching("bias$").learning_rate_factor(0.5))?
///     .group(Group::of([&w]).frozen(true))?;
/// opt.minimize(|| &w + &b, [&w, &b])?;
/// assert_eq!((w.value().item()?, b.value().item()?), (1.0, 0.75));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Group {
    members: Members,
    factor: f64,
    hypers: Vec<(String, Hyper)>,
    frozen: bool,
}

#[derive(Debug, Clone)]
enum Members {
    Pattern(String),
    Variables(Vec<Variable>),
}

impl Group {
    fn new(members: Members) -> Group {
        Group { members, factor: 1.0, hypers: Vec::new(), frozen: false }
    }

    /// The variables whose names contain a match of a regular expression. `"bias"` is any name with these letters in it,
    /// `"^encoder/"` a name that begins so.
    pub fn matching(pattern: impl Into<String>) -> Group {
        Group::new(Members::Pattern(pattern.into()))
    }

    /// These variables.
    pub fn of<V: AsRef<Variable>>(variables: impl IntoIterator<Item = V>) -> Group {
        Group::new(Members::Variables(variables.into_iter().map(|v| v.as_ref().clone()).collect()))
    }

    /// What the effective learning rate is multiplied by. Default: 1. [`Prodigy`](crate::rules::Prodigy), which finds one rate for
    /// all variables, allows none.
    #[must_use]
    pub fn learning_rate_factor(self, factor: f64) -> Group {
        Group { factor, ..self }
    }

    /// A hyperparameter of the group's own. A rule with scalars, which are the same for all variables, allows weight decay alone.
    #[must_use]
    pub fn hyper<M>(mut self, name: impl Into<String>, value: impl IntoHyper<M>) -> Group {
        self.hypers.push((name.into(), value.into_hyper()));
        self
    }

    /// The group's own weight decay; 0 excludes it from weight decay.
    #[must_use]
    pub fn weight_decay<M>(self, weight_decay: impl IntoHyper<M>) -> Group {
        self.hyper("weight_decay", weight_decay)
    }

    /// The group as a config holds it, if it is one of a pattern. Variables and closures stand there with their present values.
    fn to_json(&self, iterations: i64) -> Result<Option<Value>> {
        let Members::Pattern(pattern) = &self.members else { return Ok(None) };
        let hyper = |(name, hyper): &(String, Hyper)| match hyper.to_json(iterations) {
            Ok(value) => Ok((name.clone(), value)),
            Err(error) => Err(error.context(name.clone())),
        };
        let hypers: Config = self.hypers.iter().map(hyper).collect::<Result<_>>()?;
        let group = [
            ("pattern", pattern.as_str().into()),
            ("learning_rate_factor", number(self.factor)),
            ("hypers", hypers.into()),
            ("frozen", self.frozen.into()),
        ];
        Ok(Some(object(group).into()))
    }

    /// What does not change while a training goes on: all but the values of variables and closures, and whether the group is
    /// frozen.
    fn description(&self, name: &impl Fn(&Variable) -> String) -> Value {
        let members = match &self.members {
            Members::Pattern(pattern) => ("pattern", pattern.as_str().into()),
            Members::Variables(list) => ("variables", list.iter().map(name).collect::<Vec<_>>().into()),
        };
        let hyper = |(name, hyper): &(String, Hyper)| match hyper {
            Hyper::Variable(_) => Some((name.clone(), "variable".into())),
            Hyper::Callable(_) => Some((name.clone(), "callable".into())),
            fixed => Some((name.clone(), fixed.to_json(0).ok()?)),
        };
        let hypers: Config = self.hypers.iter().filter_map(hyper).collect();
        object([members, ("learning_rate_factor", number(self.factor)), ("hypers", hypers.into())]).into()
    }

    /// The names of its hyperparameters.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.hypers.iter().map(|hyper| hyper.0.as_str())
    }

    /// Whether the group has a learning-rate factor.
    pub(crate) fn scales(&self) -> bool {
        self.factor != 1.0
    }

    /// Whether the variables stay as they are. Their gradients are dropped before anything else is done with them, and what has
    /// been accumulated of them makes no step; their averages go on, but do not replace them. Default: false.
    #[must_use]
    pub fn frozen(self, frozen: bool) -> Group {
        Group { frozen, ..self }
    }
}

/// A group that has been checked.
#[derive(Debug)]
struct Checked {
    members: CheckedMembers,
    factor: f64,
    /// Hyperparameters with their places in the optimizer's list.
    hypers: Vec<(usize, NamedHyper)>,
    frozen: bool,
    /// As it was given.
    given: Group,
    /// Whether it is known that the pattern matches a variable.
    matched: bool,
}

#[derive(Debug)]
enum CheckedMembers {
    Pattern(Regex),
    Variables(Vec<Variable>),
}

impl Checked {
    fn has(&self, variable: &Variable) -> bool {
        match &self.members {
            CheckedMembers::Pattern(pattern) => pattern.is_match(variable.name()),
            CheckedMembers::Variables(list) => list.iter().any(|member| member.same(variable)),
        }
    }
}

/// All groups of an optimizer, and which variables belong to the same.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: Vec<Checked>,
    /// Sets of groups that occur together; the first is that of the variables in no group.
    sets: Vec<SmallVec<[usize; 2]>>,
    /// The set of a variable, by the address of its id, which the entry keeps alive.
    index: HashMap<usize, (Variable, usize)>,
}

impl Default for Groups {
    fn default() -> Groups {
        Groups { groups: Vec::new(), sets: vec![SmallVec::new()], index: HashMap::new() }
    }
}

impl Groups {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a group; `find` gives the place of a hyperparameter, and checks its value.
    pub(crate) fn add(
        &mut self,
        group: Group,
        find: impl Fn(&str, Hyper) -> Result<(usize, NamedHyper)>,
    ) -> Result<()> {
        let given = group.clone();
        let members = match group.members {
            Members::Variables(list) => CheckedMembers::Variables(list),
            Members::Pattern(pattern) => CheckedMembers::Pattern(Regex::new(&pattern).map_err(|error| {
                let got = format!("{pattern:?} ({error})");
                Error::new(ErrorKind::Argument, "group", "a regular expression", got)
            })?),
        };
        if !group.factor.is_finite() {
            return Err(Error::new(
                ErrorKind::Argument,
                "learning_rate_factor",
                "a finite number",
                group.factor,
            ));
        }
        let hypers = group.hypers.into_iter().map(|(name, hyper)| find(&name, hyper));
        let hypers = hypers.collect::<Result<_>>()?;
        let matched = matches!(members, CheckedMembers::Variables(_));
        self.groups.push(Checked {
            members,
            factor: group.factor,
            hypers,
            frozen: group.frozen,
            given,
            matched,
        });
        (self.sets, self.index) = (vec![SmallVec::new()], HashMap::new());
        Ok(())
    }

    /// Freezes or thaws a group, by the order in which groups were added.
    pub(crate) fn freeze(&mut self, group: usize, frozen: bool) -> Result<()> {
        let count = self.groups.len();
        match self.groups.get_mut(group) {
            Some(group) => group.frozen = frozen,
            None => {
                let expected = format!("the number of a group, less than {count}");
                return Err(Error::new(ErrorKind::NotFound, "set_frozen", expected, group));
            }
        }
        Ok(())
    }

    /// Which groups are frozen.
    pub(crate) fn frozen(&self) -> Vec<bool> {
        self.groups.iter().map(|group| group.frozen).collect()
    }

    /// Freezes and thaws groups as [`frozen`](Groups::frozen) said.
    pub(crate) fn set_frozen(&mut self, frozen: &[bool]) {
        for (group, &frozen) in self.groups.iter_mut().zip(frozen) {
            group.frozen = frozen;
        }
    }

    /// The hyperparameters of groups, with the groups' numbers.
    pub(crate) fn hypers(&self) -> impl Iterator<Item = (usize, &NamedHyper)> {
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(i, group)| group.hypers.iter().map(move |(_, hyper)| (i, hyper)))
    }

    /// The groups that a config can hold.
    pub(crate) fn to_json(&self, iterations: i64) -> Result<Vec<Value>> {
        let given =
            |group: &Checked| Group { frozen: group.frozen, ..group.given.clone() }.to_json(iterations);
        self.groups.iter().filter_map(|group| given(group).transpose()).collect()
    }

    /// What each group is, whatever the values of variables and closures; variables by the names that `name` gives them.
    pub(crate) fn descriptions(&self, name: impl Fn(&Variable) -> String) -> Vec<Value> {
        self.groups.iter().map(|group| group.given.description(&name)).collect()
    }

    /// Whether patterns have still to be compared with the names of variables.
    pub(crate) fn unmatched(&self) -> bool {
        self.groups.iter().any(|group| !group.matched)
    }

    /// Checks that each pattern matches one of the variables.
    pub(crate) fn check<'a>(&mut self, variables: impl Iterator<Item = &'a Variable> + Clone) -> Result<()> {
        for group in self.groups.iter().filter(|group| !group.matched) {
            if let CheckedMembers::Pattern(pattern) = &group.members
                && !variables.clone().any(|variable| group.has(variable))
            {
                let names: Vec<&str> = variables.map(Variable::name).collect();
                let expected = format!("a variable whose name matches {:?}", pattern.as_str());
                return Err(Error::new(ErrorKind::Argument, "group", expected, format!("{names:?}")));
            }
        }
        self.groups.iter_mut().for_each(|group| group.matched = true);
        Ok(())
    }

    /// The number of the variable's set.
    pub(crate) fn set_of(&mut self, variable: &Variable) -> usize {
        if self.groups.is_empty() {
            return 0;
        }
        let address = std::ptr::from_ref(variable.id()).addr();
        if let Some(known) = self.index.get(&address) {
            return known.1;
        }
        let set: SmallVec<[usize; 2]> =
            (0..self.groups.len()).filter(|&i| self.groups[i].has(variable)).collect();
        let place = self.sets.iter().position(|known| *known == set).unwrap_or(self.sets.len());
        if place == self.sets.len() {
            self.sets.push(set);
        }
        self.index.insert(address, (variable.clone(), place));
        place
    }

    /// Drops gradients of variables that are frozen.
    pub(crate) fn drop_frozen(&mut self, gradients: &mut GradientList) {
        if self.groups.iter().any(|group| group.frozen) {
            gradients.retain(|(_, variable)| {
                let set = self.set_of(variable);
                !self.sets[set].iter().any(|&i| self.groups[i].frozen)
            });
        }
    }

    /// Whether the variable is frozen.
    pub(crate) fn is_frozen(&self, variable: &Variable) -> bool {
        self.groups.iter().any(|group| group.frozen && group.has(variable))
    }

    /// For each set but the first: the hyperparameters that it changes, and its learning-rate factor.
    pub(crate) fn sets(&self) -> impl Iterator<Item = (impl Iterator<Item = &(usize, NamedHyper)>, f64)> {
        self.sets[1..].iter().map(|set| {
            let groups = set.iter().map(|&i| &self.groups[i]);
            (groups.clone().flat_map(|group| &group.hypers), groups.map(|group| group.factor).product())
        })
    }
}
