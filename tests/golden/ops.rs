//! `ops_grad.json`: values and gradients of ops.
use crate::expression::syntax::{Expr, needs, parse};
use crate::expression::{Names, Object, evaluate, not_built};
use crate::runner::{Case, Failure};
use crate::tensors::{compare, compare_gradient, tensor};
use serde_json::Value;
use slalom_autograd::{Gradient, GradientOptions, GradientTape, Tensor};

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    let mut required = vec![case.fields.str("op")?.to_owned()];
    needs(&parse(case.fields.str("tf")?)?, &mut required);
    required.extend(not_built(&required));
    Ok(required)
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let expression = parse(case.fields.str("tf")?)?;
    let inputs = case.fields.list("inputs")?.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    let (outputs, gradients) = differentiate(case, &expression, &inputs)?;
    let want = case.fields.list("output")?;
    if outputs.len() != want.len() {
        return Err(format!("{} outputs, want {}", outputs.len(), want.len()).into());
    }
    for (i, (got, want)) in outputs.iter().zip(want).enumerate() {
        compare(&format!("output {i}"), got, &tensor(want)?, case.tolerance)?;
    }
    let want = case.fields.list("grads")?;
    if gradients.len() != want.len() {
        return Err(format!("{} inputs, but gradients for {}", gradients.len(), want.len()).into());
    }
    for (i, (got, want)) in gradients.iter().zip(want).enumerate() {
        compare_gradient(&format!("gradient {i}"), got.as_ref(), want, case.tolerance)?;
    }
    judge_sparse(case, &gradients)
}

/// The outputs, and the gradient of each input: `None` for inputs without floating-point type.
fn differentiate(
    case: &Case<'_>,
    expression: &Expr,
    inputs: &[Tensor],
) -> Result<(Vec<Tensor>, Vec<Option<Gradient>>), Failure> {
    let mut names = Names::new();
    for (name, value) in case.fields.object("attrs")?.entries() {
        names.insert(name.to_owned(), Object::parse(value)?);
    }
    let tape = GradientTape::new();
    let inputs: Vec<Tensor> =
        inputs.iter().map(|x| if x.dtype().is_float() { tape.watch(x) } else { x.clone() }).collect();
    names.extend(inputs.iter().enumerate().map(|(i, x)| (format!("x{i}"), x.clone().into())));
    names.insert("xs".to_owned(), inputs.clone().into());
    let outputs = evaluate(expression, &names)?.tensors()?;
    let (targets, upstream) = upstream(case.fields.list("upstream")?, &outputs)?;
    let options = GradientOptions::new().output_gradients(upstream);
    let mut gradients = tape.gradient_with(&targets, &inputs, &options)?;
    for (gradient, input) in gradients.iter_mut().zip(&inputs) {
        if !input.dtype().is_float() && gradient.take().is_some() {
            return Err(format!("a gradient of an input of type {}", input.dtype()).into());
        }
    }
    Ok((outputs, gradients))
}

/// The outputs that have an upstream gradient, and these gradients.
fn upstream(upstream: &[Value], outputs: &[Tensor]) -> Result<(Vec<Tensor>, Vec<Tensor>), Failure> {
    if upstream.len() != outputs.len() {
        return Err(format!("{} outputs, want {}", outputs.len(), upstream.len()).into());
    }
    let some = upstream.iter().zip(outputs).filter(|(upstream, _)| !upstream.is_null());
    some.map(|(upstream, output)| Ok((output.clone(), tensor(upstream)?))).collect()
}

/// Exactly the gradients that are listed are sparse.
fn judge_sparse(case: &Case<'_>, gradients: &[Option<Gradient>]) -> Result<(), Failure> {
    let listed = case.fields.optional("sparse").map(Object::parse).transpose()?;
    let listed = listed.map_or(Ok(Vec::new()), |listed| listed.integers())?;
    for (i, gradient) in gradients.iter().enumerate() {
        let sparse = gradient.as_ref().is_some_and(|gradient| gradient.as_sparse().is_some());
        if sparse != listed.contains(&(i as isize)) {
            return Err(format!("gradient {i}: sparse is {sparse}").into());
        }
    }
    Ok(())
}
