//! Putting back what a training remembered, all or nothing: compare everything, then commit.
//!
//! What a part asks the [`Reader`] for is checked; what nobody asks for is a difference too.
use super::Optimizer;
use super::hypers::Hypers;
use super::state::{FROZEN, Names, State, address};
use super::weights::no_variable;
use crate::config::{Config, FromValue, object};
use crate::rule::Initial;
use crate::slots::SlotTable;
use crate::stages::clip::ClipOptions;
use crate::{Hyper, NamedHyper, schedules};
use serde_json::Value;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use slalom_autograd::Trace;
use slalom_variable::Variable;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// Reads a state, and collects what does not fit.
struct Reader<'a> {
    state: &'a State,
    /// The arrays and values that were asked for.
    asked: [HashSet<String>; 2],
    differences: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(state: &'a State) -> Reader<'a> {
        Reader { state, asked: Default::default(), differences: Vec::new() }
    }

    fn differs(&mut self, name: &str, expected: impl Display, got: impl Display) {
        self.differences.push(format!("{name}: expected {expected}, got {got}"));
    }

    /// The array, if it is there and fits.
    fn array(&mut self, name: String, shape: &Shape, dtype: DType) -> Option<Array> {
        let found = self.state.arrays.get(&name);
        let fits = found.filter(|array| array.shape() == shape && array.dtype() == dtype);
        if fits.is_none() {
            let got = found.map_or("nothing".into(), |array| format!("{} {}", array.dtype(), array.shape()));
            self.differs(&name, format_args!("{dtype} {shape}"), got);
        }
        self.asked[0].insert(name);
        fits.cloned()
    }

    /// As [`array`](Reader::array), for the value of a variable.
    fn value_of(&mut self, name: String, variable: &Variable) -> Option<Array> {
        self.array(name, variable.shape(), variable.dtype())
    }

    /// The value, if it is there.
    fn value(&mut self, name: &str) -> Option<&'a Value> {
        self.asked[1].insert(name.to_owned());
        let found = self.state.values.get(name);
        if found.is_none() {
            self.differs(name, "a value", "nothing");
        }
        found
    }

    /// The value, if it is there and an object.
    fn object(&mut self, name: &str) -> Option<&'a Config> {
        let value = self.value(name)?;
        if !value.is_object() {
            self.differs(name, "an object", value);
        }
        value.as_object()
    }

    /// Checks that two objects have the same keys and values.
    fn same(&mut self, name: &str, expected: &Config, got: &Config) {
        for (key, value) in expected {
            match got.get(key) {
                Some(other) if other == value => {}
                Some(other) => self.differs(&format!("{name}.{key}"), value, other),
                None => self.differs(&format!("{name}.{key}"), value, "nothing"),
            }
        }
        for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
            self.differs(&format!("{name}.{key}"), "nothing", value);
        }
    }

    /// All differences, with what nobody has asked for.
    fn finish(mut self) -> Vec<String> {
        let [arrays, values] = &self.asked;
        let arrays = self.state.arrays.keys().filter(|name| !arrays.contains(*name));
        let values = self.state.values.keys().filter(|name| !values.contains(*name));
        let unknown = arrays.chain(values);
        for name in unknown {
            self.differences.push(format!("{name}: expected nothing, got it"));
        }
        self.differences
    }
}

/// A state that is ready to be put in the place of an optimizer's own; nothing has changed yet.
///
/// Dropping it changes nothing. Several of them may be prepared before the first is committed, so that several optimizers
/// change together or not at all.
#[derive(Debug)]
#[must_use = "nothing has changed before `commit`"]
pub struct Restore<'a> {
    optimizer: &'a mut Optimizer,
    values: Vec<(Variable, Array)>,
    hypers: Hypers,
    clip: ClipOptions,
    scalars: Vec<Variable>,
    slots: Option<SlotTable>,
    built: bool,
    frozen: Vec<bool>,
    differences: Vec<String>,
}

impl Restore<'_> {
    /// Everything in which the state does not fit, a line each; empty if it fits.
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// Puts in place whatever fits, and leaves the rest as it is.
    pub fn commit(self) {
        for (variable, value) in self.values {
            *variable.update().array() = value;
        }
        let optimizer = self.optimizer;
        (optimizer.hypers, optimizer.clip) = (self.hypers, self.clip);
        (optimizer.scalars, optimizer.built) = (self.scalars, self.built);
        optimizer.stages.groups.set_frozen(&self.frozen);
        if let Some(slots) = self.slots {
            optimizer.slots = slots;
        }
        optimizer.poisoned &= !self.differences.is_empty();
    }
}

/// State, to be restored.
impl Optimizer {
    /// Puts back what [`state`](Optimizer::state) returned: the values of the variables, and the state of an optimizer with
    /// a rule of the same class and arguments. Variables have the names, shapes and element types of those saved.
    ///
    /// Hyperparameters come back as they were saved, numbers as well as slalom's schedules. Closures, and schedules of one's own,
    /// cannot be saved: the optimizer must have one in the same place. Slots are made anew.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], with a line for each difference; [`ErrorKind::State`] while a trace records;
    /// [`ErrorKind::Memory`]. Nothing has changed then.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::{Adam, Sgd}};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64).named("x");
    /// let state = Optimizer::new(Sgd::new(0.1))?.state([&x])?;
    /// let error = Optimizer::new(Adam::new(0.1))?.restore([&x], &state).unwrap_err().to_string();
    /// assert!(error.contains(r#"optimizer.class_name: expected "Adam", got "SGD""#));
    /// assert!(error.contains("hyperparameters.beta_1: expected a hyperparameter, got nothing"));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn restore<V: AsRef<Variable>>(
        &mut self,
        variables: impl IntoIterator<Item = V>,
        state: &State,
    ) -> Result<()> {
        let name = self.name.clone();
        let restore = self.prepare_restore(variables, state)?;
        if let [_, ..] = restore.differences() {
            let lines = restore.differences().join("\n  ");
            let expected = "a state that fits";
            let got = format!("one with these differences:\n  {lines}");
            return Err(Error::new(ErrorKind::Argument, "restore", expected, got).context(name));
        }
        restore.commit();
        Ok(())
    }

    /// Compares a state with this optimizer and the variables, and makes ready what fits. Nothing has changed yet:
    /// [`Restore::differences`] tells whether all fits, [`Restore::commit`] puts in place what does.
    ///
    /// # Errors
    /// [`ErrorKind::State`], while a trace records; [`ErrorKind::Memory`].
    pub fn prepare_restore<V: AsRef<Variable>>(
        &mut self,
        variables: impl IntoIterator<Item = V>,
        state: &State,
    ) -> Result<Restore<'_>> {
        if Trace::is_recording() {
            let expected = "a state to be restored outside of a trace";
            return Err(Error::new(ErrorKind::State, "restore", expected, "a trace that records"));
        }
        let names = Names::new(variables);
        let mut from = Reader::new(state);
        let mut values = Vec::new();
        for (name, variable) in names.iter() {
            let value = from.value_of(format!("variables/{name}"), variable);
            values.extend(value.map(|value| (variable.clone(), value)));
        }
        let iterations = from.value_of("iterations".to_owned(), &self.iterations);
        values.extend(iterations.map(|value| (self.iterations.clone(), value)));
        self.compare_rule(&mut from);
        let frozen = self.compare_stages(&mut from, &names);
        let hypers = self.restored_hypers(&mut from, &mut values);
        for (name, variable) in self.remembered(&hypers).into_iter().chain(self.group_variables()) {
            let value = from.value_of(name, &variable);
            values.extend(value.map(|value| (variable, value)));
        }
        let clip = self.restored_clip(&mut from);
        let (mut built, mut slots, mut scalars) = (self.built, None, self.scalars.clone());
        if let Some(weights) = restored_names(&mut from) {
            built = !weights.is_empty();
            let table = self.restored_slots(&mut from, &names, &weights)?;
            scalars = if built { self.restored_scalars(&mut from, &table)? } else { Vec::new() };
            slots = Some(table);
        }
        let differences = from.finish();
        Ok(Restore { optimizer: self, values, hypers, clip, scalars, slots, built, frozen, differences })
    }

    fn compare_rule(&self, from: &mut Reader<'_>) {
        let expected =
            object([("class_name", self.rule.class_name().into()), ("config", self.rule.config().into())]);
        if let Some(got) = from.object("optimizer") {
            from.same("optimizer", &expected, got);
        }
    }

    /// Compares the options of the stages; which groups are frozen.
    fn compare_stages(&self, from: &mut Reader<'_>, names: &Names) -> Vec<bool> {
        let (mut expected, own) = (self.stage_options(names), self.stages.groups.frozen());
        let Some(mut got) = from.object("stages").cloned() else { return own };
        let read = |value: &Value| Vec::<bool>::from_value(value).ok();
        match got.get(FROZEN).and_then(read).filter(|frozen| frozen.len() == own.len()) {
            Some(frozen) => {
                expected.remove(FROZEN);
                got.remove(FROZEN);
                from.same("stages", &expected, &got);
                frozen
            }
            None => {
                from.same("stages", &expected, &got);
                own
            }
        }
    }

    fn restored_hypers(&self, from: &mut Reader<'_>, values: &mut Vec<(Variable, Array)>) -> Hypers {
        let mut hypers = self.hypers.clone();
        let Some(saved) = from.object("hyperparameters") else { return hypers };
        for hyper in &mut hypers.all {
            let name = format!("hyperparameters.{}", hyper.name);
            let Some(value) = saved.get(hyper.name) else {
                from.differs(&name, "a hyperparameter", "nothing");
                continue;
            };
            match restored_hyper(&self.name, hyper, value) {
                Ok(restored) => *hyper = restored,
                Err((expected, got)) => from.differs(&name, expected, got),
            }
            if let Hyper::Variable(variable) = &hyper.hyper {
                let array = from.value_of(format!("hyperparameters/{}", hyper.name), variable);
                values.extend(array.map(|array| (variable.clone(), array)));
            }
        }
        for (name, value) in saved.iter().filter(|(name, _)| hypers.all.iter().all(|h| h.name != **name)) {
            from.differs(&format!("hyperparameters.{name}"), "no such hyperparameter", value);
        }
        hypers
    }

    fn restored_clip(&self, from: &mut Reader<'_>) -> ClipOptions {
        let Some(saved) = from.object("clip") else { return self.clip };
        let mut read = |key: &str, live| match saved.get(key).map(Option::<f64>::from_value) {
            Some(Ok(value)) => value,
            other => {
                let got = other.and_then(Result::err).unwrap_or("nothing".into());
                from.differs(&format!("clip.{key}"), "a number or null", got);
                live
            }
        };
        let clip = ClipOptions {
            value: read("clipvalue", self.clip.value),
            norm: read("clipnorm", self.clip.norm),
            global_norm: read("global_clipnorm", self.clip.global_norm),
        };
        if clip.any() && !self.transformers.is_empty() {
            from.differs("clip", "no clip options beside gradient transformers", "some");
            return self.clip;
        }
        if let Err(error) = clip.check(&self.name) {
            from.differs("clip", error.expected(), error.got());
            return self.clip;
        }
        clip
    }

    /// New slots with the values of the state.
    fn restored_slots(&self, from: &mut Reader<'_>, names: &Names, weights: &[&str]) -> Result<SlotTable> {
        let places: HashMap<&str, usize> = weights.iter().enumerate().map(|(i, &name)| (name, i)).collect();
        let variables: HashMap<&str, &Variable> = names.iter().collect();
        let mut table = SlotTable::default();
        table.begin();
        let mut entries: Vec<&str> = Vec::new();
        for weight in weights {
            let slot = weight.strip_prefix("slots/").and_then(|slot| slot.rsplit_once('/'));
            let Some((name, _)) = slot.filter(|(name, _)| variables.contains_key(name)) else { continue };
            if table.find(entries.len(), variables[name]).0 == entries.len() {
                entries.push(name);
            }
        }
        table.create(&*self.rule, &self.specs, &self.name)?;
        table.keep(self.rule.slot_order());
        let mut order = HashMap::new();
        for (entry, name) in table.kept().iter().zip(entries) {
            let old = self.slots.of(&entry.variable).unwrap_or_default();
            for (i, (spec, slot)) in self.specs.iter().zip(&entry.slots).enumerate() {
                let name = format!("slots/{name}/{}", spec.name);
                let place = places.get(name.as_str()).copied();
                if place.is_none() {
                    from.differs("weights", &name, "a list without it");
                }
                order.insert(address(slot), place.unwrap_or(usize::MAX));
                let value = from.value_of(name, slot).or_else(|| old.get(i).map(Variable::array));
                if let Some(value) = value {
                    *slot.update().array() = value;
                }
            }
        }
        table.reorder(|slot| order[&address(slot)]);
        Ok(table)
    }

    /// New scalars with the values of the state, or else the present ones.
    fn restored_scalars(&self, from: &mut Reader<'_>, table: &SlotTable) -> Result<Vec<Variable>> {
        let scalar = |(i, spec): (usize, crate::SlotSpec)| {
            let name = format!("scalars/{}", spec.name);
            let live = self.scalars.get(i);
            // The type is that of the first variable, which a state without slots does not tell.
            let saved = from.state.arrays.get(&name).map(Array::dtype).filter(|dtype| dtype.is_float());
            let dtype = spec.dtype.or(saved).or(live.map(Variable::dtype)).unwrap_or(table.first_dtype());
            let value = from.array(name, &Shape::SCALAR, dtype);
            let Initial::Number(initial) = spec.initial else { return Err(no_variable(spec.name)) };
            let value = value.or(live.map(Variable::array));
            let value = value.map_or_else(|| Array::full([], initial, dtype), Ok)?;
            Ok(Variable::new(value).named(format!("{}/{}", self.name, spec.name)).untrainable())
        };
        self.rule.scalars().into_iter().enumerate().map(scalar).collect()
    }
}

/// The names of the weights, none before the first step; `None` if they cannot be read.
fn restored_names<'a>(from: &mut Reader<'a>) -> Option<Vec<&'a str>> {
    let value = from.value("weights")?;
    let names = match value {
        Value::Null => Some(Vec::new()),
        value => value.as_array().and_then(|names| names.iter().map(Value::as_str).collect()),
    };
    if names.is_none() {
        from.differs("weights", "a list of names or null", value);
    }
    names
}

/// The hyperparameter as it was saved, or what was expected and what was saved.
fn restored_hyper(optimizer: &str, live: &NamedHyper, saved: &Value) -> Result<NamedHyper, (String, String)> {
    let refuse = |expected: &str| Err((expected.to_owned(), saved.to_string()));
    let is = |kind: &str| saved.get(kind).is_some();
    match &live.hyper {
        Hyper::Callable(_) if is("callable") => return Ok(live.clone()),
        Hyper::Callable(_) => return refuse("a callable"),
        Hyper::Variable(_) if is("variable") => return Ok(live.clone()),
        Hyper::Variable(_) => return refuse("a variable"),
        Hyper::Number(_) | Hyper::Tensor(_) | Hyper::Schedule(_) => {}
    }
    if live.hyper.to_json(0).is_ok_and(|same| same == *saved) {
        return Ok(live.clone());
    }
    let hyper = match saved {
        Value::Number(number) => Hyper::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::Object(envelope) if envelope.contains_key("class_name") => match schedules::deserialize(saved)
        {
            Ok(schedule) => Hyper::Schedule(schedule.into()),
            Err(error) => return Err(("a known schedule".to_owned(), format!("{saved} ({error})"))),
        },
        _ => return refuse("a number or a schedule"),
    };
    live.replaced(optimizer, hyper).map_err(|error| (error.expected().to_owned(), error.got().to_owned()))
}
