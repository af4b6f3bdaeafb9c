//! `optimizers.json`: runs of the legacy optimizers, step by step.
use crate::fields::{Fields, number};
use crate::objects::expect_error;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, dtype, gradient, tensor};
use serde_json::{Map, Value, json};
use slalom_array::{Array, DType};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::config::constraints;
use slalom_variable::Variable;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the file writes for a learning rate that is a callable.
const CALLABLE: &str = "callable";

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("optimizer")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let run = Run::new(case)?;
    let expected = case.fields.object("expected")?;
    run.judge(case, &expected)?;
    expected.finish()
}

/// An optimizer and its variables.
struct Run<'a> {
    optimizer: Optimizer,
    variables: Vec<Variable>,
    steps: &'a [Value],
    events: Vec<Event<'a>>,
    /// The present step, for a learning rate that is a callable.
    step: Arc<AtomicUsize>,
}

/// A hyperparameter that changes before a step, counted from 1.
struct Event<'a> {
    before_step: usize,
    name: &'a str,
    value: f64,
}

impl<'a> Run<'a> {
    fn new(case: &Case<'a>) -> Result<Run<'a>, Failure> {
        let events = events(case)?;
        let mut config = case.fields.object("config")?.entries().map(pair).collect::<Map<_, _>>();
        let given = case.fields.object("config_py")?;
        for event in &events {
            // The reference holds hyperparameters in f32, and so `config` gives them; `config_py` does not.
            let held = f64::from(given.number(event.name)? as f32);
            config.insert(event.name.to_owned(), json!(held));
        }
        given.entries().for_each(drop);
        let step = Arc::new(AtomicUsize::new(0));
        let callable = config.get("learning_rate").is_some_and(|rate| rate == CALLABLE);
        if callable {
            config.insert("learning_rate".to_owned(), json!(0.0));
        }
        let class_name = case.fields.str("optimizer")?;
        let mut optimizer = Optimizer::from_config(class_name, &config)?;
        if callable {
            let values =
                case.fields.list("lr_callable")?.iter().map(number).collect::<Result<Vec<_>, _>>()?;
            let step = step.clone();
            optimizer.set_learning_rate(move || values[step.load(Ordering::Relaxed)])?;
        }
        let variables = case.fields.list("variables")?.iter().map(variable).collect::<Result<_, _>>()?;
        Ok(Run { optimizer, variables, steps: case.fields.list("steps")?, events, step })
    }

    fn judge(mut self, case: &Case<'_>, expected: &Fields<'_>) -> Result<(), Failure> {
        let after = expected.object("after")?;
        let rates = expected.list("effective_lr")?.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        if rates.len() != self.steps.len() {
            return Err(format!("{} steps, but {} learning rates", self.steps.len(), rates.len()).into());
        }
        let error = expected.optional("error").map(|error| Fields::new(error, "error")).transpose()?;
        let fails_at = error.as_ref().map(|error| error.usize("step")).transpose()?;
        for (t, gradients) in self.steps.iter().enumerate() {
            for event in self.events.iter().filter(|event| event.before_step == t + 1) {
                self.optimizer.set(event.name, event.value)?;
            }
            self.step.store(t, Ordering::Relaxed);
            let (got, want) = (self.optimizer.effective_learning_rate()?, rates[t]);
            if !case.file_tolerance.of(DType::F32)?.admits(got, want) {
                return Err(format!("effective_lr[{t}]: got {got:e}, want {want:e}").into());
            }
            let gradients = gradients.as_array().ok_or("a step that is no list")?;
            if gradients.len() != self.variables.len() {
                return Err(format!("step {}: {} gradients", t + 1, gradients.len()).into());
            }
            let gradients = gradients.iter().map(gradient).collect::<Result<Vec<_>, _>>()?;
            match &error {
                Some(error) if fails_at == Some(t + 1) => {
                    error.ignore(&["message"]);
                    self.fails(gradients, error.str("type")?)?;
                    break;
                }
                _ => drop(self.optimizer.apply_gradients(gradients.into_iter().zip(&self.variables))?),
            }
            if let Some(want) = after.optional(&(t + 1).to_string()) {
                self.compare_variables(t + 1, want, case)?;
            }
        }
        after.finish()?;
        error.map_or(Ok(()), |error| error.finish())?;
        self.judge_state(case, expected)
    }

    /// The gradients are refused with an error of the right kind, and nothing has changed.
    fn fails(&mut self, gradients: Vec<Option<Gradient>>, exception: &str) -> Result<(), Failure> {
        let before = self.values()?;
        expect_error(self.optimizer.apply_gradients(gradients.into_iter().zip(&self.variables)), exception)?;
        if self.values()? != before {
            return Err("the step that failed has changed something".into());
        }
        Ok(())
    }

    /// The bits of all variables and weights.
    fn values(&self) -> Result<Vec<Vec<u64>>, Failure> {
        let weights = self.optimizer.weights();
        let all = self.variables.iter().chain([self.optimizer.iterations()]).chain(&weights);
        all.map(|v| Ok(v.array().cast(DType::F64)?.to_vec::<f64>()?.into_iter().map(f64::to_bits).collect()))
            .collect()
    }

    fn compare_variables(&self, step: usize, want: &Value, case: &Case<'_>) -> Result<(), Failure> {
        let want = want.as_array().ok_or("values that are no list")?;
        if want.len() != self.variables.len() {
            return Err(format!("after step {step}: {} variables", want.len()).into());
        }
        for (variable, want) in self.variables.iter().zip(want) {
            let what = format!("{} after step {step}", variable.name());
            compare(&what, &variable.array().into(), &tensor(want)?, case.tolerance)?;
        }
        Ok(())
    }

    /// The iterations, the slots and the weights at the end.
    fn judge_state(&self, case: &Case<'_>, expected: &Fields<'_>) -> Result<(), Failure> {
        let (got, want) = (self.optimizer.iterations().array().item()?, expected.number("iterations")?);
        if got != want {
            return Err(format!("iterations: got {got}, want {want}").into());
        }
        let want = expected.list("slot_names")?;
        let names = self.optimizer.get_slot_names();
        if names.iter().map(|name| json!(name)).collect::<Vec<_>>() != want {
            return Err(format!("slot names: got {names:?}, want {want:?}").into());
        }
        let slots = expected.list("slots")?;
        if slots.len() != self.variables.len() {
            return Err(format!("slots of {} variables", slots.len()).into());
        }
        for (variable, slots) in self.variables.iter().zip(slots) {
            let slots = Fields::new(slots, "slots")?;
            for name in &names {
                self.judge_slot(variable, name, slots.optional(name), case)?;
            }
            slots.finish()?;
        }
        self.judge_weights(case, expected)
    }

    /// A slot has its value; one that was never created is not there.
    fn judge_slot(
        &self,
        variable: &Variable,
        name: &str,
        want: Option<&Value>,
        case: &Case<'_>,
    ) -> Result<(), Failure> {
        let what = format!("slot {name} of {}", variable.name());
        match (self.optimizer.get_slot(variable, name), want) {
            (Ok(slot), Some(want)) => compare(&what, &slot.array().into(), &tensor(want)?, case.tolerance),
            (Err(_), None) => Ok(()),
            (Ok(_), None) => Err(format!("{what}: is there, want none").into()),
            (Err(error), Some(_)) => Err(format!("{what}: {error:?}").into()),
        }
    }

    /// Names (but for the optimizer's own and that of the iterations), shapes and types, in order; and the scalar of Nadam.
    fn judge_weights(&self, case: &Case<'_>, expected: &Fields<'_>) -> Result<(), Failure> {
        let (got, want) = (self.optimizer.weights(), expected.list("weights")?);
        if got.len() != want.len() {
            return Err(format!("{} weights, want {}", got.len(), want.len()).into());
        }
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let want = Fields::new(want, format!("weight {i}"))?;
            let (own, name) = (within_optimizer(got.name()), within_optimizer(want.str("name")?));
            if i > 0 && own != name {
                return Err(format!("weight {i}: got {own}, want {name}").into());
            }
            let zeros = Tensor::zeros(crate::fields::shape(want.get("shape")?)?, dtype(want.str("dtype")?)?)?;
            if (got.shape(), got.dtype()) != (zeros.shape(), zeros.dtype()) {
                let [got, want] = [(got.shape(), got.dtype()), (zeros.shape(), zeros.dtype())];
                return Err(format!("weight {i}: got {got:?}, want {want:?}").into());
            }
            want.finish()?;
        }
        if let Some(want) = expected.optional("momentum_cache") {
            let cache = got.iter().find(|weight| within_optimizer(weight.name()) == "momentum_cache");
            let cache = cache.ok_or("no weight momentum_cache")?;
            compare("momentum_cache", &cache.array().into(), &tensor(want)?, case.tolerance)?;
        }
        Ok(())
    }
}

fn pair((name, value): (&str, &Value)) -> (String, Value) {
    (name.to_owned(), value.clone())
}

/// `v0/m` of `Adam/v0/m:0`.
fn within_optimizer(name: &str) -> &str {
    let name = name.strip_suffix(":0").unwrap_or(name);
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn events<'a>(case: &Case<'a>) -> Result<Vec<Event<'a>>, Failure> {
    let mut events = Vec::new();
    if case.fields.optional("events").is_none() {
        return Ok(events);
    }
    for event in case.fields.list("events")? {
        let event = Fields::new(event, "event")?;
        let before_step = event.usize("before_step")?;
        for (name, value) in event.object("set")?.entries() {
            events.push(Event { before_step, name, value: number(value)? });
        }
        event.finish()?;
    }
    Ok(events)
}

pub(crate) fn variable(value: &Value) -> Result<Variable, Failure> {
    let fields = Fields::new(value, "variable")?;
    let mut variable = Variable::new(Array::from(tensor(fields.get("initial")?)?)).named(fields.str("name")?);
    if let Some(constraint) = fields.optional("constraint") {
        variable = variable.constrained(constraints::deserialize(constraint)?);
    }
    fields.finish()?;
    Ok(variable)
}
