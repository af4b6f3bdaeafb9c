//! `higher_order.json`: derivatives of derivatives, products with them, and what tapes promise.
mod semantics;

use crate::expression::syntax::{Expr, needs, parse};
use crate::expression::{self, Names, Object, not_built};
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::Value;
use slalom_autograd::{
    ForwardAccumulator, Gradient, GradientOptions, GradientTape, Tensor, UnconnectedGradients,
};

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    let mut required = vec![case.fields.str("kind")?.to_owned(), case.fields.str("function")?.to_owned()];
    if let Some(f) = case.fields.optional("f").and_then(Value::as_str) {
        needs(&parse(f)?, &mut required);
    }
    required.extend(not_built(&required));
    Ok(required)
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    match case.fields.str("kind")? {
        "scalar" => scalar(case),
        "vector" => vector(case),
        "nested" => nested(case),
        "batch_jacobian" => batch_jacobian(case),
        "cross_hessian" => cross_hessian(case),
        "semantics" => semantics::judge(case),
        other => Err(format!("unknown kind {other}").into()),
    }
}

/// A case's function.
struct Function {
    expression: Expr,
    names: Names,
}

impl Function {
    fn new(case: &Case<'_>) -> Result<Function, Failure> {
        let expression = parse(case.fields.str("f")?)?;
        let mut names = Names::new();
        if case.fields.optional("consts").is_some() {
            for (name, value) in case.fields.object("consts")?.entries() {
                names.insert(name.to_owned(), Object::parse(value)?);
            }
        }
        Ok(Function { expression, names })
    }

    fn at(&self, arguments: &[(&str, &Tensor)]) -> Result<Tensor, Failure> {
        let mut names = self.names.clone();
        names.extend(arguments.iter().map(|(name, x)| ((*name).to_owned(), (*x).clone().into())));
        expression::tensor(&self.expression, &names)
    }

    /// The gradient of the function of `x`, on whatever tapes are open.
    fn gradient(&self, x: &Tensor) -> Result<Tensor, Failure> {
        let tape = GradientTape::new();
        let x = tape.watch(x);
        let y = self.at(&[("x", &x)])?;
        dense(tape.gradient(&y, &x)?)
    }
}

fn dense(gradient: Option<Gradient>) -> Result<Tensor, Failure> {
    Ok(gradient.ok_or("no gradient")?.to_dense()?)
}

fn field(case: &Case<'_>, name: &str) -> Result<Tensor, Failure> {
    tensor(case.fields.get(name)?)
}

fn check(case: &Case<'_>, name: &str, got: &Tensor) -> Result<(), Failure> {
    compare(name, got, &field(case, name)?, case.tolerance)
}

/// The derivatives of `f(x)` by `x`; `None`, if it does not depend on it.
fn jacobian(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor, Failure>) -> Result<Option<Tensor>, Failure> {
    let tape = GradientTape::new();
    let x = tape.watch(x);
    let y = f(&x)?;
    Ok(tape.jacobian(&y, &x)?.map(Gradient::into_dense).transpose()?)
}

/// The product of the Jacobian at `x` with `v`.
fn jvp(x: &Tensor, v: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor, Failure>) -> Result<Tensor, Failure> {
    let accumulator = ForwardAccumulator::new(x, v)?;
    let y = f(&accumulator.primals()[0])?;
    Ok(accumulator.jvp(&y)?.ok_or("no tangent")?)
}

/// A function of a vector with a scalar value.
fn scalar(case: &Case<'_>) -> Result<(), Failure> {
    let (f, x, v) = (Function::new(case)?, field(case, "x")?, field(case, "v")?);
    let value = |x: &Tensor| f.at(&[("x", x)]);
    check(case, "value", &value(&x)?)?;
    check(case, "grad", &f.gradient(&x)?)?;
    check(case, "hessian", &jacobian(&x, |x| f.gradient(x))?.ok_or("no Hessian")?)?;
    check(case, "jvp", &jvp(&x, &v, value)?)?;
    check(case, "hvp", &jvp(&x, &v, |x| f.gradient(x))?)?;

    let gradient_of = |g: &dyn Fn(&Tensor) -> Result<Tensor, Failure>, x: &Tensor| {
        let tape = GradientTape::new();
        let x = tape.watch(x);
        dense(tape.gradient(&g(&x)?, &x)?)
    };
    check(case, "hvp", &gradient_of(&|x| Ok((f.gradient(x)? * &v).sum()), &x)?)?;
    let of_sum = |x: &Tensor| gradient_of(&|x| Ok(f.gradient(x)?.sum()), x);
    check(case, "grad_of_sum_grad", &of_sum(&x)?)?;
    let third = gradient_of(&|x| Ok((of_sum(x)? * f.gradient(x)?).sum()), &x)?;
    check(case, "grad_of_dot_hessian1_grad", &third)
}

/// A function of a vector with a vector value.
fn vector(case: &Case<'_>) -> Result<(), Failure> {
    let (f, x, v) = (Function::new(case)?, field(case, "x")?, field(case, "v")?);
    let value = |x: &Tensor| f.at(&[("x", x)]);
    check(case, "value", &value(&x)?)?;
    check(case, "jacobian", &jacobian(&x, value)?.ok_or("no Jacobian")?)?;
    check(case, "jvp", &jvp(&x, &v, value)?)?;
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    let options = GradientOptions::new().output_gradients([field(case, "upstream")?]);
    check(case, "vjp", &dense(tape.gradient_with(&value(&x)?, &x, &options)?)?)
}

/// The derivatives of order 0, 1, .. of a function of a number, each from a tape around those below.
fn nested(case: &Case<'_>) -> Result<(), Failure> {
    fn derivative(f: &Function, x: &Tensor, order: usize) -> Result<Tensor, Failure> {
        if order == 0 {
            return f.at(&[("x", x)]);
        }
        let tape = GradientTape::new();
        let x = tape.watch(x);
        let y = derivative(f, &x, order - 1)?;
        dense(tape.gradient(&y, &x)?)
    }
    let (f, x) = (Function::new(case)?, field(case, "x")?);
    for (order, want) in case.fields.list("derivatives")?.iter().enumerate() {
        compare(&format!("order {order}"), &derivative(&f, &x, order)?, &tensor(want)?, case.tolerance)?;
    }
    Ok(())
}

/// A function `[b, n] -> [b, m]` of each row: its Jacobian in each row, `[b, m, n]`.
fn batch_jacobian(case: &Case<'_>) -> Result<(), Failure> {
    let (f, x) = (Function::new(case)?, field(case, "x")?);
    let tape = GradientTape::persistent();
    let x = tape.watch(&x);
    let y = f.at(&[("x", &x)])?;
    check(case, "value", &y)?;
    check(case, "batch_jacobian", &dense(tape.batch_jacobian(&y, &x)?)?)
}

/// A function of two vectors: gradients and all four blocks of second derivatives.
fn cross_hessian(case: &Case<'_>) -> Result<(), Failure> {
    let (f, x, y) = (Function::new(case)?, field(case, "x")?, field(case, "y")?);
    let gradients = |x: &Tensor, y: &Tensor| -> Result<[Tensor; 2], Failure> {
        let tape = GradientTape::new();
        let (x, y) = (tape.watch(x), tape.watch(y));
        let z = f.at(&[("x", &x), ("y", &y)])?;
        let [gx, gy] = tape.gradient(&z, [&x, &y])?;
        Ok([dense(gx)?, dense(gy)?])
    };
    check(case, "value", &f.at(&[("x", &x), ("y", &y)])?)?;
    let [gx, gy] = gradients(&x, &y)?;
    check(case, "grad_x", &gx)?;
    check(case, "grad_y", &gy)?;
    for (i, by) in ["x", "y"].into_iter().enumerate() {
        let second = |name: &str| match name {
            "x" => jacobian(&x, |x| Ok(gradients(x, &y)?[i].clone())),
            _ => jacobian(&y, |y| Ok(gradients(&x, y)?[i].clone())),
        };
        for of in ["x", "y"] {
            let name = format!("h_{by}{of}");
            match (second(of)?, case.fields.nullable(&name)?) {
                (None, None) => {}
                (Some(got), Some(_)) => check(case, &name, &got)?,
                (got, _) => return Err(format!("{name}: connected is {}", got.is_some()).into()),
            }
        }
    }
    Ok(())
}

/// The options that ask for zeros where a source is not connected.
fn zeros_if_unconnected() -> GradientOptions {
    GradientOptions::new().unconnected_gradients(UnconnectedGradients::Zero)
}
