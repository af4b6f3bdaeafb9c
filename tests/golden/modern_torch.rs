//! `modern_optimizers_torch.json`: PyTorch's optimizers, and its L-BFGS with a function to be evaluated.
use crate::fields::{Fields, number};
use crate::modern::{Run, with_epsilon};
use crate::modern_state::judge_torch;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::{Map, Value, json};
use slalom_array::{Array, DType};
use slalom_autograd::Tensor;
use slalom_optim::Optimizer;
use slalom_variable::Variable;
use std::cell::Cell;

/// slalom's class for one of PyTorch's, and the arguments that make it PyTorch's.
const CLASSES: &[(&str, &str, &str)] = &[
    ("ASGD", "ASGD", "{}"),
    ("Adadelta", "Adadelta", "{}"),
    ("Adafactor", "Adafactor", r#"{"clamped": true}"#),
    ("Adagrad", "Adagrad", "{}"),
    ("Adam", "Adam", r#"{"corrected_epsilon": true}"#),
    ("AdamW", "AdamW", r#"{"corrected_epsilon": true}"#),
    ("Adamax", "Adamax", r#"{"epsilon_in_norm": true}"#),
    ("NAdam", "Nadam", r#"{"base": 0.96, "narrow_product": true}"#),
    ("RAdam", "RAdam", "{}"),
    ("RMSprop", "RMSprop", r#"{"epsilon_in_root": false}"#),
    ("Rprop", "Rprop", "{}"),
    ("SGD", "SGD", "{}"),
];

/// Arguments that say how PyTorch computes, not what.
const IGNORED: &[&str] = &["capturable", "differentiable", "foreach", "fused"];

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let name = case.fields.str("optimizer")?;
    if name == "LBFGS" {
        return judge_lbfgs(case);
    }
    let arguments = case.fields.object("config")?;
    case.fields.ignore(&["kwargs"]);
    let (_, class, fixed) = CLASSES.iter().find(|row| row.0 == name).ok_or("an unknown optimizer")?;
    let mut config: Map<String, Value> = serde_json::from_str(fixed).map_err(|error| error.to_string())?;
    let weight_decay = arguments.number_or("weight_decay", 0.0)?;
    let decoupled = name == "Adafactor" || arguments.flag("decoupled_weight_decay")?;
    let maximize = arguments.flag("maximize")?;
    if decoupled {
        config.insert("weight_decay".to_owned(), json!(weight_decay));
    }
    arguments.ignore(IGNORED);
    insert(&arguments, name, case, &mut config)?;
    arguments.finish()?;
    let expected = case.fields.object("expected")?;
    let added = if decoupled { 0.0 } else { weight_decay };
    let optimizer = with_epsilon(Optimizer::from_config(class, &config)?, &config)?;
    let run = Run::new(case, optimizer)?.transformed(added, maximize)?;
    judge_torch(&run.judge(case, &expected)?, case, expected.list("state")?)?;
    expected.finish()
}

/// The arguments by slalom's names.
fn insert(
    arguments: &Fields<'_>,
    optimizer: &str,
    case: &Case<'_>,
    config: &mut Map<String, Value>,
) -> Result<(), Failure> {
    const NAMES: &[(&str, &str)] = &[
        ("amsgrad", "amsgrad"),
        ("beta2_decay", "beta_2_decay"),
        ("centered", "centered"),
        ("dampening", "dampening"),
        ("d", "clip_threshold"),
        ("initial_accumulator_value", "initial_accumulator_value"),
        ("lambd", "lambd"),
        ("lr", "learning_rate"),
        ("lr_decay", "decay"),
        ("momentum", "momentum"),
        ("momentum_decay", "decay"),
        ("nesterov", "nesterov"),
        ("rho", "rho"),
        ("t0", "t0"),
    ];
    for (theirs, ours) in NAMES {
        if let Some(value) = arguments.optional(theirs) {
            config.insert((*ours).to_owned(), value.clone());
        }
    }
    if let Some(alpha) = arguments.optional("alpha") {
        let name = if optimizer == "RMSprop" { "rho" } else { "alpha" };
        config.insert(name.to_owned(), alpha.clone());
    }
    for (theirs, ours) in [
        ("betas", ["beta_1", "beta_2"]),
        ("etas", ["eta_minus", "eta_plus"]),
        ("step_sizes", ["min_step_size", "max_step_size"]),
    ] {
        let pair = arguments.optional(theirs).and_then(Value::as_array);
        config.extend(ours.iter().zip(pair.into_iter().flatten()).map(|(k, v)| ((*k).to_owned(), v.clone())));
    }
    match arguments.optional("eps") {
        Some(Value::Array(pair)) if pair.len() == 2 => {
            config.insert("epsilon_1".to_owned(), json!(least(&pair[0], case)?));
            config.insert("epsilon_2".to_owned(), pair[1].clone());
        }
        Some(epsilon) => drop(config.insert("epsilon".to_owned(), epsilon.clone())),
        None => {}
    }
    Ok(())
}

/// The distance from 1 to the next number of the variables' type, where PyTorch's argument is null.
fn least(epsilon: &Value, case: &Case<'_>) -> Result<f64, Failure> {
    if !epsilon.is_null() {
        return number(epsilon);
    }
    let variables = case.fields.list("variables")?;
    let dtype = variables.first().and_then(|v| v.pointer("/initial/dtype")).and_then(Value::as_str);
    Ok(if dtype == Some("f32") { f64::from(f32::EPSILON) } else { f64::EPSILON })
}

/// One of the functions that L-BFGS minimizes, by its text in the file.
fn function(text: &str, x: &Tensor) -> slalom_array::Result<Tensor> {
    let n = x.shape()[0];
    let at = |i: usize| x.slice(0, i, 1);
    Ok(match text {
        "sum(100*(x[1:]-x[:-1]**2)**2 + (1-x[:-1])**2)" => {
            let (head, tail) = (x.slice(0, 0, n - 1)?, x.slice(0, 1, n - 1)?);
            (100.0 * (&tail - head.square()).square() + (1.0 - &head).square()).sum()
        }
        "sum(i*(x_i-0.5)**2), i from 1" => {
            let weights = (1..=n).map(|i| i as f64).collect();
            let weights = Array::from_vec([n], weights)?.cast(x.dtype())?;
            ((x - 0.5).square() * Tensor::from(weights)).sum()
        }
        "0.5*sum(x**4-16x**2+5x)" => 0.5 * (x.square().square() - 16.0 * x.square() + 5.0 * x).sum(),
        "(1.5-x0+x0*x1)**2 + (2.25-x0+x0*x1**2)**2 + (2.625-x0+x0*x1**3)**2" => {
            let (x0, x1) = (at(0)?, at(1)?);
            let term = |constant: f64, power: &Tensor| (constant - &x0 + &x0 * power).square();
            let square = x1.square();
            (term(1.5, &x1) + term(2.25, &square) + term(2.625, &(&square * &x1))).sum()
        }
        _ => return Err(slalom_array::Error::other(format!("unknown function {text}"))),
    })
}

fn judge_lbfgs(case: &Case<'_>) -> Result<(), Failure> {
    case.fields.ignore(&["kwargs"]);
    let arguments = case.fields.object("config")?;
    let strong_wolfe = arguments.optional("line_search_fn").is_some();
    let mut config = Map::from_iter([("strong_wolfe".to_owned(), json!(strong_wolfe))]);
    if arguments.flag("maximize")? {
        return Err("maximize is not understood".into());
    }
    for (key, value) in arguments.entries().filter(|(key, _)| !["line_search_fn", "maximize"].contains(key)) {
        config.insert(if key == "lr" { "learning_rate" } else { key }.to_owned(), value.clone());
    }
    let mut optimizer = Optimizer::from_config("LBFGS", &config)?;
    let x = Variable::new(Array::from(tensor(case.fields.get("x0")?)?));
    let (text, calls) = (case.fields.str("function")?, Cell::new(0.0));
    let loss = || {
        calls.set(calls.get() + 1.0);
        function(text, &x.value())
    };
    let expected = case.fields.object("expected")?;
    for (i, want) in expected.list("after_each_step_call")?.iter().enumerate() {
        let want = Fields::new(want, format!("call {}", i + 1))?;
        let returned = optimizer.minimize(loss, [&x])?.loss()?;
        compare("x", &x.array().into(), &tensor(want.get("x")?)?, case.tolerance)?;
        let weights = optimizer.weights();
        let iterations = weights.iter().find(|weight| weight.name() == "LBFGS/n_iter");
        let iterations = iterations.ok_or("no weight n_iter")?.array().item()?;
        let bound = case.tolerance.of(x.dtype())?;
        for (name, got) in [
            ("returned_loss", returned),
            ("closure_calls", calls.get()),
            ("n_iter", iterations),
            ("loss", function(text, &x.value())?.item()?),
        ] {
            let want = want.number(name)?;
            // Near an end the rounding of f32 decides whether a search goes on, also from one build of PyTorch to another.
            let count = ["closure_calls", "n_iter"].contains(&name);
            let right = match x.dtype() {
                DType::F32 if count => (got - want).abs() <= 2.0,
                _ if count => got == want,
                _ => bound.admits(got, want),
            };
            if !right {
                return Err(format!("call {}: {name}: got {got}, want {want}", i + 1).into());
            }
        }
        want.finish()?;
    }
    expected.finish()
}
