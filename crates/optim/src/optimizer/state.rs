//! All that a training remembers, by name: to be saved.
//!
//! A stage that remembers something takes part with two lines: in [`Optimizer::state`] it puts arrays and values under
//! names of its own, in [`Optimizer::prepare_restore`] it asks for them.
use super::Optimizer;
use crate::config::{Config, number, object};
use crate::stages::average;
use crate::{Hyper, NamedHyper};
use serde_json::{Value, json};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_variable::Variable;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

/// All that a training remembers from step to step, by name.
///
/// | array | |
/// |---|---|
/// | `variables/V` | the value of the variable V |
/// | `iterations` | the number of steps |
/// | `scalars/S` | a scalar of the rule |
/// | `slots/V/S` | the slot S of the variable V |
/// | `hyperparameters/H` | a hyperparameter that is a variable |
/// | `schedules/H/i` | what the schedule of a hyperparameter remembers |
/// | `hyperparameters/groups/n/H`, `schedules/groups/n/H/i` | the same of the group with the number n |
/// | `stages/T` | a number that a stage remembers; sums and averages are slots |
///
/// | value | |
/// |---|---|
/// | `optimizer` | the class of the rule, and its arguments that are not hyperparameters |
/// | `hyperparameters` | numbers, schedules as their envelopes, and `{"callable": x}` for closures |
/// | `clip` | the clip options |
/// | `stages` | the options of accumulation, averages, loss scaling, skipping and groups, and which groups are frozen |
/// | `weights` | the names of the optimizer's weights in their order; `null` before the first step |
///
/// V is the name of the variable; where a name comes again, it is followed by `#1`, `#2` and so on, in the order of the list.
/// Arrays share memory with the variables until those are changed: taking a state copies nothing.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Arrays.
    pub arrays: BTreeMap<String, Array>,
    /// Everything else, as JSON.
    pub values: Config,
}

/// Which groups are frozen, among the options of the stages.
pub(super) const FROZEN: &str = "frozen_groups";

impl State {
    /// The variables of a list, each once, with the names that they have in a state.
    ///
    /// ```
    /// use slalom_optim::State;
    /// use slalom_variable::Variable;
    /// let [v, w] = [1.0f32, 2.0].map(|x| Variable::new(x).named("v"));
    /// let names: Vec<_> = State::names([&v, &w, &v]).into_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["v", "v#1"]);
    /// ```
    pub fn names<V: AsRef<Variable>>(variables: impl IntoIterator<Item = V>) -> Vec<(String, Variable)> {
        let names = Names::new(variables);
        names.iter().map(|(name, variable)| (name.to_owned(), variable.clone())).collect()
    }

    fn array(&mut self, name: impl Into<String>, variable: &Variable) {
        self.arrays.insert(name.into(), variable.array());
    }
}

/// The variables of a list, each once, under names that do not repeat.
pub(super) struct Names {
    /// By the address of a variable's id, which lives as long as the variables.
    names: HashMap<usize, String>,
    variables: Vec<Variable>,
}

pub(super) fn address(variable: &Variable) -> usize {
    std::ptr::from_ref(variable.id()).addr()
}

impl Names {
    pub(super) fn new<V: AsRef<Variable>>(list: impl IntoIterator<Item = V>) -> Names {
        let (mut taken, mut names, mut variables) = (HashSet::new(), HashMap::new(), Vec::new());
        let mut last: HashMap<String, usize> = HashMap::new();
        for variable in list {
            let variable = variable.as_ref();
            if names.contains_key(&address(variable)) {
                continue;
            }
            let mut name = variable.name().to_owned();
            while !taken.insert(name.clone()) {
                let times = last.entry(variable.name().to_owned()).or_default();
                *times += 1;
                name = format!("{}#{times}", variable.name());
            }
            names.insert(address(variable), name);
            variables.push(variable.clone());
        }
        Names { names, variables }
    }

    fn of(&self, variable: &Variable) -> Option<&str> {
        self.names.get(&address(variable)).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.variables.iter().map(|variable| (self.names[&address(variable)].as_str(), variable))
    }
}

/// State, to be saved.
impl Optimizer {
    /// All that a training of these variables remembers: their values and the whole state of the optimizer.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], with the names, if the optimizer has updated variables that are not in the list;
    /// [`ErrorKind::State`], if a rule has panicked in the middle of an update; those of a callable.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Adam};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64).named("x");
    /// let mut opt = Optimizer::new(Adam::new(0.1))?;
    /// opt.minimize(|| &x * &x, &x)?;
    /// let state = opt.state([&x])?;
    /// assert!(state.arrays.contains_key("variables/x") && state.arrays.contains_key("slots/x/m"));
    ///
    /// let (y, mut other) = (Variable::new(0.0f64).named("x"), Optimizer::new(Adam::new(0.5))?);
    /// other.restore([&y], &state)?;
    /// assert_eq!((y.value().item()?, other.learning_rate()?), (x.value().item()?, 0.1));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn state<V: AsRef<Variable>>(&self, variables: impl IntoIterator<Item = V>) -> Result<State> {
        if self.poisoned {
            let expected = "an optimizer whose updates have all ended";
            let got = "one whose rule has panicked in the middle of an update";
            return Err(Error::new(ErrorKind::State, "state", expected, got).context(&self.name));
        }
        let names = Names::new(variables);
        let mut state = State::default();
        for (name, variable) in names.iter() {
            state.array(format!("variables/{name}"), variable);
        }
        let iterations = self.iterations.array().item()? as i64;
        let hypers = self.save_hypers(iterations, &mut state)?;
        state.array("iterations", &self.iterations);
        for (spec, scalar) in self.rule.scalars().iter().zip(&self.scalars) {
            state.array(format!("scalars/{}", spec.name), scalar);
        }
        for (name, variable) in self.remembered(&self.hypers).into_iter().chain(self.group_variables()) {
            state.array(name, &variable);
        }
        let weights = self.save_slots(&names, &mut state)?;
        if self.exchanged.load(Ordering::Relaxed) {
            self.exchange_averages(&names, &mut state);
        }
        let clip = self.clip.named().map(|(key, value)| (key, value.map_or(Value::Null, number)));
        state.values = object([
            ("optimizer", json!({"class_name": self.rule.class_name(), "config": self.rule.config()})),
            ("hyperparameters", hypers.into()),
            ("clip", object(clip).into()),
            ("stages", self.stage_options(&names).into()),
            ("weights", if self.built { weights.into() } else { Value::Null }),
        ]);
        Ok(state)
    }

    fn save_hypers(&self, iterations: i64, state: &mut State) -> Result<Config> {
        let mut values = Config::new();
        for NamedHyper { name, hyper, .. } in &self.hypers.all {
            let value = hyper.to_json(iterations).map_err(|error| error.context(name).context(&self.name))?;
            let value = match hyper {
                Hyper::Callable(_) => json!({"callable": value}),
                Hyper::Variable(variable) => {
                    state.array(format!("hyperparameters/{name}"), variable);
                    json!({"variable": value})
                }
                Hyper::Number(_) | Hyper::Tensor(_) | Hyper::Schedule(_) => value,
            };
            values.insert((*name).to_owned(), value);
        }
        Ok(values)
    }

    /// Saves the slots; the names of all weights.
    fn save_slots(&self, names: &Names, state: &mut State) -> Result<Vec<String>> {
        let mut slots = HashMap::new();
        let mut unlisted = Vec::new();
        for entry in self.slots.kept() {
            let Some(variable) = names.of(&entry.variable) else {
                unlisted.push(entry.variable.name());
                continue;
            };
            for (spec, slot) in self.specs.iter().zip(&entry.slots) {
                let name = format!("slots/{variable}/{}", spec.name);
                state.array(&name, slot);
                slots.insert(address(slot), name);
            }
        }
        if !unlisted.is_empty() {
            let expected = "a list with all variables that the optimizer has updated";
            let got = format!("one without {unlisted:?}");
            return Err(Error::new(ErrorKind::Argument, "state", expected, got).context(&self.name));
        }
        let remembered = self.remembered(&self.hypers).into_iter().map(|(name, _)| name);
        let scalars = self.rule.scalars().into_iter().map(|spec| format!("scalars/{}", spec.name));
        let slots = self.slots.created().iter().map(|slot| slots[&address(slot)].clone());
        Ok(std::iter::once("iterations".to_owned()).chain(remembered).chain(scalars).chain(slots).collect())
    }

    /// Puts values and averages back in their places, in a state that was taken while they are exchanged.
    fn exchange_averages(&self, names: &Names, state: &mut State) {
        for name in self.averages().filter_map(|(variable, _)| names.of(variable)) {
            let names = [format!("variables/{name}"), format!("slots/{name}/{}", average::SLOT)];
            let [value, average] = names.each_ref().map(|name| state.arrays.remove(name));
            let [of_value, of_average] = names;
            state.arrays.extend(value.map(|array| (of_average, array)));
            state.arrays.extend(average.map(|array| (of_value, array)));
        }
    }

    /// The hyperparameters of groups that are variables, by name.
    pub(super) fn group_variables(&self) -> impl Iterator<Item = (String, Variable)> {
        self.stages.groups.hypers().filter_map(|(group, hyper)| match &hyper.hyper {
            Hyper::Variable(variable) => {
                Some((format!("hyperparameters/groups/{group}/{}", hyper.name), variable.clone()))
            }
            _ => None,
        })
    }

    /// The options of the stages that are on.
    pub(super) fn stage_options(&self, names: &Names) -> Config {
        let mut options = Config::new();
        self.stages_to_config(&mut options);
        if self.stages.average.is_none() {
            options.retain(|key, _| !key.starts_with("ema_"));
        }
        if !self.stages.groups.is_empty() {
            let name = |variable: &Variable| names.of(variable).unwrap_or(variable.name()).to_owned();
            let groups = self.stages.groups.descriptions(name);
            // Groups are frozen and thawed while a training goes on.
            options.insert("groups".to_owned(), groups.into());
            options.insert(FROZEN.to_owned(), self.stages.groups.frozen().into());
        }
        let dynamic = self.dynamic_scale().map(|(initial, steps)| json!([number(initial), steps]));
        options.insert("dynamic_loss_scale".to_owned(), dynamic.into());
        options
    }
}
