//! `modern_optimizers_{keras3,optax,torch}.json`: runs of the optimizers that the reference lacks, step by step.
use crate::fields::Fields;
use crate::modern_state;
use crate::optimizers::variable;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, gradient, tensor};
use serde_json::{Map, Value, json};
use slalom_optim::rules::ScheduleFreeAdamW;
use slalom_optim::{GradientList, Optimizer};
use slalom_variable::Variable;

pub(crate) fn judge_keras_3(case: &Case<'_>) -> Result<(), Failure> {
    let config: Map<String, Value> =
        case.fields.object("config")?.entries().map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let class_name = case.fields.str("optimizer")?;
    let mut optimizer = Optimizer::from_config(class_name, &config)?;
    let printed = optimizer.get_config()?;
    if floats(&printed.clone().into()) != floats(&config.clone().into()) {
        return Err(format!("printed {printed:?}").into());
    }
    if let Some(config) = narrowed(case, &config)? {
        optimizer = Optimizer::from_config(class_name, &config)?;
    }
    for name in case.fields.list("exclude_from_weight_decay")? {
        let name = name.as_str().ok_or("a name that is no string")?;
        optimizer = optimizer.exclude_from_weight_decay([name])?;
    }
    let expected = case.fields.object("expected")?;
    let run = Run::new(case, optimizer)?.judge(case, &expected)?;
    modern_state::judge_keras_3(&run, case, expected.list("state")?)?;
    let (got, want) = (run.iterations()?, expected.number("iterations")?);
    if got != want {
        return Err(format!("{got} iterations, want {want}").into());
    }
    if case.fields.flag("finalize")? {
        run.optimizer.finalize_variable_values()?;
        let want = expected.list("after_finalize")?;
        if want.len() != run.variables.len() {
            return Err(format!("{} variables in the end", want.len()).into());
        }
        for (variable, want) in run.variables.iter().zip(want) {
            let what = format!("{} in the end", variable.name());
            compare(&what, &variable.array().into(), &tensor(want)?, case.tolerance)?;
        }
    }
    expected.finish()
}

/// The config with what Keras computes in f32 also for variables of f64, where its backend is JAX as in this file: means, norms and
/// cosines. With TensorFlow, and so by default here, they are computed in f64.
fn narrowed(case: &Case<'_>, config: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Failure> {
    let variables = case.fields.list("variables")?;
    if !variables.iter().any(|v| v.pointer("/initial/dtype") == Some(&json!("f64"))) {
        return Ok(None);
    }
    let mut config = config.clone();
    match case.fields.str("optimizer")? {
        "Adafactor" => drop(config.insert("narrow_means".to_owned(), true.into())),
        "Muon" => drop(config.insert("narrow_norm".to_owned(), true.into())),
        _ => {}
    }
    if let Some(Value::Object(schedule)) = config.get_mut("learning_rate")
        && schedule.get("class_name") == Some(&json!("CosineDecay"))
        && let Some(Value::Object(arguments)) = schedule.get_mut("config")
    {
        arguments.insert("narrow_cosine".to_owned(), true.into());
    }
    Ok(Some(config))
}

/// The same with every number as a float: Python writes 1 where it means 1.0.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(x) => x.as_f64().into(),
        Value::Array(list) => list.iter().map(floats).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("optimizer")?.to_owned()])
}

/// An optimizer of optax: its name, slalom's class, and the arguments that make slalom's that of optax.
type Optax = (&'static str, &'static str, &'static str);

const OPTAX: &[Optax] = &[
    ("adabelief", "AdaBelief", "{}"),
    ("adafactor", "Adafactor", r#"{"relative": false, "min_dim_size_to_factor": 128}"#),
    ("adamaxw", "Adamax", r#"{"epsilon_in_norm": true, "epsilon": 1e-8, "weight_decay": 1e-4}"#),
    ("adamw", "AdamW", r#"{"corrected_epsilon": true, "epsilon": 1e-8, "weight_decay": 1e-4}"#),
    ("adan", "Adan", r#"{"complement": true, "proximal": false, "epsilon_root": 1e-8}"#),
    ("amsgrad", "Adam", r#"{"amsgrad": true, "corrected_amsgrad": true, "epsilon": 1e-8}"#),
    ("lamb", "Lamb", r#"{"decoupled": false, "epsilon": 1e-6}"#),
    ("lars", "Lars", "{}"),
    ("lion", "Lion", r#"{"weight_decay": 1e-3}"#),
    ("nadamw", "Nadam", r#"{"base": 0.96, "decay": 1e6, "epsilon": 1e-8, "weight_decay": 1e-4}"#),
    ("novograd", "NovoGrad", "{}"),
    ("prodigy", "Prodigy", "{}"),
    ("radam", "RAdam", r#"{"corrected_epsilon": true}"#),
    ("rmsprop", "RMSprop", r#"{"epsilon_in_root": true, "epsilon": 1e-8}"#),
    ("rprop", "Rprop", r#"{"delayed": true}"#),
    ("schedule_free_adamw", "ScheduleFreeAdamW", r#"{"late_warmup": true}"#),
    ("sm3", "SM3", "{}"),
    ("yogi", "Yogi", "{}"),
];

/// slalom's name for an argument of optax.
fn optax_argument(name: &str) -> &str {
    match name {
        "b1" => "beta_1",
        "b2" => "beta_2",
        "b3" => "beta_3",
        "decay" => "rho",
        "eps" => "epsilon",
        "eps_root" => "epsilon_root",
        other => other,
    }
}

pub(crate) fn judge_optax(case: &Case<'_>) -> Result<(), Failure> {
    let (name, arguments) = (case.fields.str("optimizer")?, case.fields.object("config")?);
    let (class, fixed) = match OPTAX.iter().find(|row| row.0 == name) {
        Some(&(_, class, fixed)) => (class, serde_json::from_str(fixed).map_err(|error| error.to_string())?),
        None if name == "lookahead" => ("Lookahead", lookahead(arguments.str("inner")?)?),
        None => return Err(format!("unknown optimizer {name}").into()),
    };
    let Value::Object(mut config) = fixed else { return Err("arguments that are no object".into()) };
    for (name, value) in arguments.entries().filter(|entry| entry.0 != "inner") {
        config.insert(optax_argument(name).to_owned(), value.clone());
    }
    let expected = case.fields.object("expected")?;
    let run = Run::new(case, with_epsilon(Optimizer::from_config(class, &config)?, &config)?)?;
    let run = run.judge(case, &expected)?;
    modern_state::judge_optax(&run, case, expected.list("state")?)?;
    for (field, slot) in [("slow", "slow"), ("eval_params", "z")] {
        let Some(want) = expected.optional(field) else { continue };
        for (variable, want) in run.variables.iter().zip(want.as_array().ok_or("no list")?) {
            let got = match slot {
                "z" => ScheduleFreeAdamW::average(&run.optimizer, variable)?,
                _ => run.optimizer.get_slot(variable, slot)?.value(),
            };
            compare(&format!("{field} of {}", variable.name()), &got, &tensor(want)?, case.tolerance)?;
        }
    }
    expected.finish()
}

/// With an ε of 0, where the arguments say so: slalom's configs mean the default by it.
pub(crate) fn with_epsilon(
    mut optimizer: Optimizer,
    config: &Map<String, Value>,
) -> Result<Optimizer, Failure> {
    if config.get("epsilon").is_some_and(|epsilon| *epsilon == 0.0) {
        optimizer.set("epsilon", 0.0)?;
    }
    Ok(optimizer)
}

/// The arguments of Lookahead around one of optax's optimizers.
fn lookahead(inner: &str) -> Result<Value, Failure> {
    match inner {
        "sgd" => Ok(json!({"inner": "SGD"})),
        "adam" => Ok(json!({"inner": "Adam", "corrected_epsilon": true, "epsilon": 1e-8})),
        _ => Err(format!("unknown optimizer {inner}").into()),
    }
}

/// An optimizer, its variables, and the gradients of each step.
pub(crate) struct Run<'a> {
    pub(crate) optimizer: Optimizer,
    pub(crate) variables: Vec<Variable>,
    steps: &'a [Value],
}

impl<'a> Run<'a> {
    pub(crate) fn new(case: &Case<'a>, optimizer: Optimizer) -> Result<Run<'a>, Failure> {
        let variables = case.fields.list("variables")?.iter().map(variable).collect::<Result<_, _>>()?;
        Ok(Run { optimizer, variables, steps: case.fields.list("steps")? })
    }

    /// Adds a gradient of `weight_decay / 2 · Σ x²`, and turns minimizing into maximizing.
    pub(crate) fn transformed(mut self, weight_decay: f64, maximize: bool) -> Result<Run<'a>, Failure> {
        if weight_decay != 0.0 || maximize {
            let sign = if maximize { -1.0 } else { 1.0 };
            self.optimizer = self.optimizer.gradient_transformer(move |gradients: GradientList| {
                let each = |(gradient, variable): (slalom_autograd::Gradient, Variable)| {
                    let decayed = gradient.to_dense()? * sign + variable.value() * weight_decay;
                    Ok((decayed.into(), variable))
                };
                gradients.into_iter().map(each).collect::<slalom_array::Result<GradientList>>()
            })?;
        }
        Ok(self)
    }

    pub(crate) fn judge(mut self, case: &Case<'_>, expected: &Fields<'_>) -> Result<Run<'a>, Failure> {
        let after = expected.object("after")?;
        for (t, gradients) in self.steps.iter().enumerate() {
            let gradients = gradients.as_array().ok_or("a step that is no list")?;
            if gradients.len() != self.variables.len() {
                return Err(format!("step {}: {} gradients", t + 1, gradients.len()).into());
            }
            let gradients = gradients.iter().map(gradient).collect::<Result<Vec<_>, _>>()?;
            self.optimizer.apply_gradients(gradients.into_iter().zip(&self.variables))?;
            let Some(want) = after.optional(&(t + 1).to_string()) else { continue };
            let want = want.as_array().filter(|want| want.len() == self.variables.len());
            for (variable, want) in self.variables.iter().zip(want.ok_or("a value for each variable")?) {
                let what = format!("{} after step {}", variable.name(), t + 1);
                compare(&what, &variable.array().into(), &tensor(want)?, case.tolerance)?;
            }
        }
        after.finish()?;
        Ok(self)
    }

    /// The number of steps.
    pub(crate) fn iterations(&self) -> Result<f64, Failure> {
        Ok(self.optimizer.iterations().array().item()?)
    }
}
