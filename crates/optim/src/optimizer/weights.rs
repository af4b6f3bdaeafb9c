//! What an optimizer remembers: the number of steps, scalars and slots.
use super::Optimizer;
use super::hypers::Hypers;
use crate::Hyper;
use crate::rule::Initial;
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_variable::Variable;

/// Weights and slots.
impl Optimizer {
    /// All that the optimizer remembers, in the order of its creation: `iterations`, what schedules and stages remember, and from
    /// the first step on the rule's scalars and the slots.
    pub fn weights(&self) -> Vec<Variable> {
        let scalars = if self.built { &self.scalars[..] } else { &[] };
        let mut weights = vec![self.iterations.clone()];
        weights.extend(self.remembered(&self.hypers).into_iter().map(|(_, variable)| variable));
        weights.extend(scalars.iter().chain(self.slots.created()).cloned());
        weights
    }

    /// What the schedules among these hyperparameters and those of groups, and the stages remember, by name:
    /// `schedules/learning_rate/0`, `stages/loss_scale`.
    pub(super) fn remembered(&self, hypers: &Hypers) -> Vec<(String, Variable)> {
        let mut all = Vec::new();
        for (hyper, schedule) in hypers.schedules() {
            let state = schedule.state().into_iter().enumerate();
            all.extend(state.map(|(i, variable)| (format!("schedules/{hyper}/{i}"), variable)));
        }
        for (group, hyper) in self.stages.groups.hypers() {
            let Hyper::Schedule(schedule) = &hyper.hyper else { continue };
            let state = schedule.state().into_iter().enumerate();
            all.extend(state.map(|(i, v)| (format!("schedules/groups/{group}/{}/{i}", hyper.name), v)));
        }
        let stages = self.stages.variables();
        all.extend(stages.map(|(name, variable)| (format!("stages/{name}"), variable.clone())));
        all
    }

    /// The same as [`weights`](Optimizer::weights).
    pub fn variables(&self) -> Vec<Variable> {
        self.weights()
    }

    /// The values of [`weights`](Optimizer::weights).
    pub fn get_weights(&self) -> Vec<Array> {
        self.weights().iter().map(Variable::array).collect()
    }

    /// Replaces the values of [`weights`](Optimizer::weights). An optimizer that has not done a step yet has no slots:
    /// [`build`](Optimizer::build) makes them.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if there are more or fewer weights; [`ErrorKind::Shape`] or [`ErrorKind::DType`], if those of one differ.
    /// Nothing has changed then.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.9))?;
    /// opt.minimize(|| &x * &x, &x)?;
    /// let mut fresh = Optimizer::new(Sgd::new(0.1).momentum(0.9))?;
    /// fresh.build([&x])?;
    /// fresh.set_weights(&opt.get_weights())?;
    /// assert_eq!(fresh.get_slot(&x, "momentum")?.value().item()?, -0.2);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn set_weights(&mut self, values: &[Array]) -> Result<()> {
        const OP: &str = "set_weights";
        let weights = self.weights();
        if values.len() != weights.len() {
            let expected = format!("{} arrays, one for each weight", weights.len());
            return Err(Error::new(ErrorKind::Argument, OP, expected, values.len()).context(&self.name));
        }
        for (weight, value) in weights.iter().zip(values) {
            let error = if value.shape() != weight.shape() {
                Error::new(ErrorKind::Shape, OP, format!("shape {}", weight.shape()), value.shape())
            } else if value.dtype() != weight.dtype() {
                Error::new(ErrorKind::DType, OP, format!("dtype {}", weight.dtype()), value.dtype())
            } else {
                continue;
            };
            return Err(error.context(format_args!("weight {:?}", weight.name())).context(&self.name));
        }
        for (weight, value) in weights.iter().zip(values) {
            *weight.update().array() = value.clone();
        }
        Ok(())
    }

    /// Makes the weights for these variables, as the first step would.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the pattern of a group matches none of their names; [`ErrorKind::Memory`].
    pub fn build<V: AsRef<Variable>>(&mut self, variables: impl IntoIterator<Item = V>) -> Result<()> {
        let variables: Vec<Variable> = variables.into_iter().map(|v| v.as_ref().clone()).collect();
        if self.stages.groups.unmatched() {
            self.stages.groups.check(variables.iter()).map_err(|error| error.context(&self.name))?;
        }
        self.slots.begin();
        for (position, variable) in variables.iter().enumerate() {
            self.slots.find(position, variable);
        }
        self.slots.create(&*self.rule, &self.specs, &self.name)?;
        let scalars = self.new_scalars()?;
        self.keep(scalars);
        Ok(())
    }

    /// The names of the slots that each variable has; empty before the first step.
    pub fn get_slot_names(&self) -> Vec<&'static str> {
        let specs = if self.slots.created().is_empty() { &[][..] } else { &self.specs };
        specs.iter().map(|spec| spec.name).collect()
    }

    /// A slot of a variable: a variable itself, to be read at any time.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if there is no such slot, or if the variable has not been updated yet.
    pub fn get_slot(&self, variable: &Variable, name: &str) -> Result<Variable> {
        let error = |expected: String, got: String| {
            Error::new(ErrorKind::NotFound, "get_slot", expected, got).context(&self.name)
        };
        let Some(index) = self.specs.iter().position(|spec| spec.name == name) else {
            let names: Vec<_> = self.specs.iter().map(|spec| spec.name).collect();
            return Err(error(format!("one of the slots {names:?}"), format!("{name:?}")));
        };
        let slots = self.slots.of(variable).and_then(|slots| slots.get(index));
        slots.cloned().ok_or_else(|| {
            error("a variable that has been updated".to_owned(), format!("variable {:?}", variable.name()))
        })
    }

    /// The rule's scalars, where they do not exist yet: of the element type of the first variable.
    pub(super) fn new_scalars(&self) -> Result<Option<Vec<Variable>>> {
        if self.built {
            return Ok(None);
        }
        let first = self.slots.first_dtype();
        let scalar = |spec: crate::SlotSpec| {
            let Initial::Number(initial) = spec.initial else { return Err(no_variable(spec.name)) };
            let value = Array::full([], initial, spec.dtype.unwrap_or(first))?;
            Ok(Variable::new(value).named(format!("{}/{}", self.name, spec.name)).untrainable())
        };
        self.rule.scalars().into_iter().map(scalar).collect::<Result<_>>().map(Some)
    }

    /// Keeps the weights that a step has made.
    pub(super) fn keep(&mut self, scalars: Option<Vec<Variable>>) {
        if let Some(scalars) = scalars {
            self.scalars = scalars;
        }
        self.slots.keep(self.rule.slot_order());
        self.built = true;
    }
}

#[cold]
pub(super) fn no_variable(scalar: &str) -> Error {
    Error::new(ErrorKind::Argument, "scalars", "a number as the first value", "a copy of a variable")
        .context(scalar)
}
