//! `expected.state` of the modern cases: what a framework remembers of each variable, and the slot that holds it here.
use crate::modern::Run;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::Value;
use slalom_array::DType;
use slalom_autograd::Tensor;
use slalom_variable::Variable;

/// What a slot is to the framework's array.
#[derive(Debug, Clone, Copy)]
enum Form {
    Same,
    /// The same with the other sign.
    Negated,
    /// Multiplied by the learning rate.
    TimesRate,
    /// The same, as precise as f32.
    Narrow,
    /// Of the same signs: one holds gradients, the other steps.
    Sign,
    /// A scalar of the optimizer.
    Scalar,
    /// The number of steps.
    Steps,
    /// Nothing: the framework keeps what follows from the rest.
    Nowhere,
}
use Form::{Narrow, Negated, Nowhere, Same, Scalar, Sign, Steps, TimesRate};

/// For an optimizer ("" for any): the framework's name, the slot, and in what form. The first row that fits counts.
type Row = (&'static str, &'static str, &'static str, Form);

const KERAS_3: &[Row] = &[
    ("", "average", "average", Same),
    ("", "gradient_accumulator", "gradient_accumulator", Same),
    ("Lion", "momentum", "momentum", Same),
    ("Muon", "momentum", "momentum", Same),
    ("Muon", "velocity", "velocity", Same),
    ("SGD", "momentum", "momentum", Same),
    ("RMSprop", "velocity", "rms", Same),
    ("RMSprop", "momentum", "momentum", Same),
    ("RMSprop", "average_gradient", "mg", Same),
    ("Adagrad", "accumulator", "accumulator", Same),
    ("Adadelta", "accumulated_grad", "accum_grad", Same),
    ("Adadelta", "accumulated_delta_var", "accum_var", Same),
    ("Ftrl", "accumulator", "accumulator", Same),
    ("Ftrl", "linear", "linear", Same),
    ("Adafactor", "0", "r", Same),
    ("Adafactor", "1", "c", Same),
    ("Adafactor", "velocity", "v", Same),
    ("", "momentum", "m", Same),
    ("", "velocity", "v", Same),
    ("", "velocity_hat", "vhat", Same),
    ("", "norm", "v", Same),
];

const OPTAX: &[Row] = &[
    ("", "count", "", Steps),
    // It begins with 1.
    ("schedule_free_adamw", "step_count", "", Nowhere),
    ("adan", "t", "", Steps),
    ("adabelief", "nu", "s", Same),
    ("lars", "trace", "momentum", Negated),
    ("lion", "mu", "momentum", Same),
    ("novograd", "nu", "v", Same),
    ("rmsprop", "mu", "mg", Same),
    ("rmsprop", "nu", "rms", Same),
    ("rmsprop", "trace", "momentum", Negated),
    ("rprop", "step_sizes", "step_size", Same),
    ("rprop", "prev_updates", "prev", Same),
    ("sm3", "mu", "accumulator", Same),
    ("sm3", "nu", "momentum", Same),
    // The decay is computed in f32.
    ("adafactor", "v_row", "r", Narrow),
    ("adafactor", "v_col", "c", Narrow),
    ("adafactor", "v", "v", Narrow),
    ("prodigy", "exp_avg", "m", Same),
    ("prodigy", "exp_avg_sq", "v", Same),
    ("prodigy", "grad_sum", "s", Same),
    ("prodigy", "params0", "x0", Same),
    ("prodigy", "estim_lr", "estim_lr", Scalar),
    ("prodigy", "numerator_weighted", "numerator", Scalar),
    ("schedule_free_adamw", "weight_sum", "weight_sum", Scalar),
    ("schedule_free_adamw", "max_lr", "max_lr", Scalar),
    // An argument.
    ("schedule_free_adamw", "b1", "", Nowhere),
    // The number of steps modulo the period.
    ("lookahead", "steps_since_sync", "", Nowhere),
    ("", "mu", "m", Same),
    ("", "nu", "v", Same),
    ("", "nu_max", "vhat", Same),
    ("", "m", "m", Same),
    ("", "v", "v", Same),
    ("", "n", "n", Same),
    ("", "g", "g", Same),
    ("", "z", "z", Same),
];

const TORCH: &[Row] = &[
    ("", "step", "", Steps),
    ("NAdam", "mu_product", "momentum_cache", Scalar),
    ("RMSprop", "square_avg", "rms", Same),
    // PyTorch multiplies by the learning rate afterwards.
    ("RMSprop", "momentum_buffer", "momentum", TimesRate),
    ("RMSprop", "grad_avg", "mg", Same),
    ("SGD", "momentum_buffer", "momentum", Same),
    ("Adadelta", "square_avg", "accum_grad", Same),
    ("Adadelta", "acc_delta", "accum_var", Same),
    ("Adagrad", "sum", "accumulator", Same),
    ("Adafactor", "row_var", "r", Same),
    ("Adafactor", "col_var", "c", Same),
    ("Adafactor", "variance", "v", Same),
    ("Rprop", "prev", "prev", Sign),
    ("Rprop", "step_size", "step_size", Same),
    ("ASGD", "ax", "ax", Same),
    // They follow from the number of steps.
    ("ASGD", "eta", "", Nowhere),
    ("ASGD", "mu", "", Nowhere),
    ("Adamax", "exp_inf", "v", Same),
    ("", "exp_avg", "m", Same),
    ("", "exp_avg_sq", "v", Same),
    ("", "max_exp_avg_sq", "vhat", Same),
];

/// Keras 3: `optimizer.variables` with their names, `"adam/kernel_momentum"`.
pub(crate) fn judge_keras_3(run: &Run<'_>, case: &Case<'_>, state: &[Value]) -> Result<(), Failure> {
    // Keras counts micro-batches.
    let batches = case.fields.object("config")?.number_or("gradient_accumulation_steps", 1.0)?;
    let calls = run.iterations()? * batches + run.optimizer.accumulated_steps()? as f64;
    let mut last = String::new();
    for (i, entry) in state.iter().enumerate() {
        let (path, value) = parts(entry, "name")?;
        let name = path.rsplit('/').next().unwrap_or_default();
        let again = std::mem::replace(&mut last, name.to_owned()) == name;
        let of = |v: &&Variable| {
            name == v.name() || name.strip_prefix(v.name()).is_some_and(|rest| rest.starts_with('_'))
        };
        match run.variables.iter().find(of) {
            _ if i == 0 => same_number("iteration", calls, value)?,
            None if name == "learning_rate" => {
                let rate = run.optimizer.learning_rate()?;
                one("learning_rate", &Tensor::from_vec([], vec![rate])?, value, case)?;
            }
            None if name.starts_with("variable") => scalar(run, case, "momentum_cache", value)?,
            None => return Err(format!("state: {path} belongs to no variable").into()),
            Some(variable) if name == variable.name() => {
                let key = if again { "1" } else { "0" };
                slot(run, case, KERAS_3, key, variable, &[value])?;
            }
            Some(variable) => {
                slot(run, case, KERAS_3, &name[variable.name().len() + 1..], variable, &[value])?;
            }
        }
    }
    Ok(())
}

/// optax: leaves with their paths, `"[0].mu[1]"`, or of several parts `"[0].mu[1][0]"`.
pub(crate) fn judge_optax(run: &Run<'_>, case: &Case<'_>, state: &[Value]) -> Result<(), Failure> {
    let leaves = state.iter().map(|entry| parts(entry, "path")).collect::<Result<Vec<_>, _>>()?;
    for (path, value) in &leaves {
        let field = path.rsplit('.').next().unwrap_or_default();
        let (key, places) = field.split_once('[').unwrap_or((field, ""));
        let mut places = places.trim_end_matches(']').split("][");
        let Some(variable) = places.next().and_then(|place| place.parse::<usize>().ok()) else {
            slot(run, case, OPTAX, key, &run.variables[0], &[value])?;
            continue;
        };
        let whole = &path[..path.len() - field.len() + key.len()];
        let part = format!("{whole}[{variable}][");
        let values: Vec<_> = match places.next() {
            None => vec![*value],
            Some("0") => leaves.iter().filter(|leaf| leaf.0.starts_with(&part)).map(|leaf| leaf.1).collect(),
            Some(_) => continue,
        };
        slot(run, case, OPTAX, key, &run.variables[variable], &values)?;
    }
    Ok(())
}

/// PyTorch: an object for each variable.
pub(crate) fn judge_torch(run: &Run<'_>, case: &Case<'_>, state: &[Value]) -> Result<(), Failure> {
    if state.len() != run.variables.len() {
        return Err(format!("state of {} variables", state.len()).into());
    }
    for (variable, entry) in run.variables.iter().zip(state) {
        for (key, value) in entry.as_object().ok_or("a state that is no object")? {
            slot(run, case, TORCH, key, variable, &[value])?;
        }
    }
    Ok(())
}

fn parts<'a>(entry: &'a Value, name: &str) -> Result<(&'a str, &'a Value), Failure> {
    let name = entry.get(name).and_then(Value::as_str).ok_or("a part of the state without a name")?;
    Ok((name, entry.get("value").ok_or("a part of the state without a value")?))
}

/// Compares the slot of a variable with the values, one after the other.
fn slot(
    run: &Run<'_>,
    case: &Case<'_>,
    table: &[Row],
    key: &str,
    variable: &Variable,
    values: &[&Value],
) -> Result<(), Failure> {
    let optimizer = case.fields.str("optimizer")?;
    let row = table.iter().find(|row| (row.0.is_empty() || row.0 == optimizer) && row.1 == key);
    let &(_, _, name, form) = row.ok_or_else(|| format!("state: {key} is not understood"))?;
    match form {
        Nowhere => return Ok(()),
        Steps => return same_number(key, run.iterations()?, values[0]),
        Scalar => return scalar(run, case, name, values[0]),
        Same | Narrow | Negated | TimesRate | Sign => {}
    }
    // Sums of which no gradient is part yet mean nothing here.
    if name == "gradient_accumulator" && run.optimizer.accumulated_steps()? == 0 {
        return Ok(());
    }
    let mut got = run.optimizer.get_slot(variable, name)?.value();
    // A slot that the variable has no use for is empty here; the frameworks have something in its place.
    if got.shape().contains(&0) {
        return Ok(());
    }
    got = match form {
        Negated => &got * -1.0,
        TimesRate => &got / run.optimizer.learning_rate()?,
        Sign => got.sign(),
        Narrow => got.cast(DType::F32)?,
        _ => got,
    };
    let (what, mut start) = (format!("{key} of {}", variable.name()), 0);
    let got = got.reshape([got.shape().iter().product()])?;
    for value in values {
        let want = tensor(value)?;
        let want = match form {
            Sign => want.sign(),
            Narrow => want.cast(DType::F32)?,
            _ => want,
        };
        let count = want.shape().iter().product::<usize>();
        if start + count > got.shape()[0] {
            return Err(format!("{what}: {} elements, want more", got.shape()[0]).into());
        }
        compare(&what, &got.slice(0, start, count)?, &want.reshape([count])?, case.tolerance)?;
        start += count;
    }
    match got.shape()[0] {
        all if all == start => Ok(()),
        all => Err(format!("{what}: {all} elements, want {start}").into()),
    }
}

/// Compares a scalar of the optimizer.
fn scalar(run: &Run<'_>, case: &Case<'_>, name: &str, value: &Value) -> Result<(), Failure> {
    let weights = run.optimizer.weights();
    let found = weights.iter().find(|weight| weight.name().rsplit('/').next() == Some(name));
    one(name, &found.ok_or_else(|| format!("no weight {name}"))?.value(), value, case)
}

/// Compares numbers, whatever their types.
fn one(what: &str, got: &Tensor, value: &Value, case: &Case<'_>) -> Result<(), Failure> {
    let want = tensor(value)?;
    // What a framework keeps in f32 is as precise as that.
    let bound = case.tolerance.of(if want.dtype() == DType::F64 { DType::F64 } else { DType::F32 })?;
    let (got, want) = (got.item()?, want.item()?);
    if bound.admits(got, want) { Ok(()) } else { Err(format!("{what}: got {got}, want {want}").into()) }
}

fn same_number(what: &str, got: f64, value: &Value) -> Result<(), Failure> {
    let want = tensor(value)?.item()?;
    if got == want { Ok(()) } else { Err(format!("{what}: got {got}, want {want}").into()) }
}
