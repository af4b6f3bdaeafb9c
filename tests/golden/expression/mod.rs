//! Evaluates the expressions of the files with slalom's ops, so that what is judged is what the reference computed.
mod functions;
mod index;
mod object;
pub(crate) mod syntax;

use crate::runner::Failure;
pub(crate) use functions::{FACTORIZATIONS, not_built};
use object::Arguments;
pub(crate) use object::Object;
use slalom_array::DType;
use slalom_autograd::Tensor;
use std::collections::HashMap;
use syntax::{Argument, Expr, Subscript};

/// The names that an expression may use.
pub(crate) type Names = HashMap<String, Object>;

/// Evaluates an expression.
pub(crate) fn evaluate(expression: &Expr, names: &Names) -> Result<Object, Failure> {
    match expression {
        Expr::Integer(n) => Ok(Object::Integer(*n)),
        Expr::Float(x) => Ok(Object::Float(*x)),
        Expr::Text(text) => Ok(Object::Text(text.clone())),
        Expr::Name(name) => named(name, names),
        Expr::List(items) => {
            Ok(Object::List(items.iter().map(|item| evaluate(item, names)).collect::<Result<_, _>>()?))
        }
        Expr::Attribute(of, attribute) => attribute_of(expression, of, attribute, names),
        Expr::Call(function, arguments) => call(function, arguments, names),
        Expr::Index(of, subscripts) => indexed(&evaluate(of, names)?, subscripts, names),
        Expr::Negative(of) => Ok((-evaluate(of, names)?.tensor()?).into()),
        Expr::Binary(operator, a, b) => binary(operator, &evaluate(a, names)?, &evaluate(b, names)?),
        Expr::Choice { then, condition, otherwise } => match evaluate(condition, names)? {
            Object::Bool(true) => evaluate(then, names),
            Object::Bool(false) => evaluate(otherwise, names),
            other => Err(format!("not a condition: {other}").into()),
        },
        Expr::Lambda(..) => Err("a function as a value".into()),
    }
}

/// Evaluates an expression whose value is one tensor.
pub(crate) fn tensor(expression: &Expr, names: &Names) -> Result<Tensor, Failure> {
    evaluate(expression, names)?.tensor()
}

fn named(name: &str, names: &Names) -> Result<Object, Failure> {
    match name {
        "None" => Ok(Object::None),
        "True" => Ok(Object::Bool(true)),
        "False" => Ok(Object::Bool(false)),
        _ => names.get(name).cloned().ok_or_else(|| format!("unknown name {name}").into()),
    }
}

/// `x.dtype`, or the constant `tf.float32`.
fn attribute_of(whole: &Expr, of: &Expr, attribute: &str, names: &Names) -> Result<Object, Failure> {
    match syntax::dotted(whole).as_deref() {
        Some("tf.float32") => return Ok(Object::DType(DType::F32)),
        Some("tf.float64") => return Ok(Object::DType(DType::F64)),
        Some("tf.int32") => return Ok(Object::DType(DType::I32)),
        Some("tf.int64") => return Ok(Object::DType(DType::I64)),
        _ => {}
    }
    match attribute {
        "dtype" => Ok(Object::DType(evaluate(of, names)?.tensor()?.dtype())),
        _ => Err(format!("unknown attribute {attribute}").into()),
    }
}

fn call(function: &Expr, arguments: &[Argument], names: &Names) -> Result<Object, Failure> {
    let name = syntax::dotted(function).ok_or("a call of something without a name")?;
    if name == "grouped" {
        return grouped(arguments, names);
    }
    let mut given = Arguments { positional: Default::default(), keywords: Vec::new() };
    for argument in arguments {
        match argument {
            Argument::Positional(value) => given.positional.push_back(evaluate(value, names)?),
            Argument::Keyword(keyword, value) => {
                given.keywords.push((keyword.clone(), evaluate(value, names)?))
            }
            Argument::Splat(list) => given.positional.extend(evaluate(list, names)?.list()?.iter().cloned()),
        }
    }
    let function = functions::find(&name).ok_or_else(|| format!("unknown function {name}"))?;
    let value = function(&mut given).map_err(|failure| failure.within(&name))?;
    given.finish().map_err(|failure| failure.within(&name))?;
    Ok(value)
}

/// `grouped(lambda p, q: f(p, q, ..), x, w, groups)`: `f` of `x` and `w` in so many groups.
fn grouped(arguments: &[Argument], names: &Names) -> Result<Object, Failure> {
    use Argument::{Keyword, Positional};
    let [Positional(Expr::Lambda(parameters, body)), Positional(x), Positional(w), Positional(groups)] =
        arguments
    else {
        return Err("groups of something else".into());
    };
    let ([p, q], Expr::Call(function, given)) = (&parameters[..], &**body) else {
        return Err("groups of something else than a call".into());
    };
    let mut names = names.clone();
    names.extend([(p.clone(), evaluate(x, &names)?), (q.clone(), evaluate(w, &names)?)]);
    let given: Vec<Argument> =
        given.iter().cloned().chain([Keyword("groups".to_owned(), groups.clone())]).collect();
    call(function, &given, &names)
}

/// `list[i]` or `tensor[subscripts]`.
fn indexed(of: &Object, subscripts: &[Subscript], names: &Names) -> Result<Object, Failure> {
    let mut spec = Vec::new();
    for subscript in subscripts {
        spec.push(match subscript {
            Subscript::Ellipsis => index::Item::Ellipsis,
            Subscript::At(at) => match evaluate(at, names)? {
                Object::None => index::Item::NewAxis,
                at => index::Item::At(at.integer()? as isize),
            },
            Subscript::Range(parts) => {
                let mut bounds = [None; 3];
                for (bound, part) in bounds.iter_mut().zip(parts) {
                    *bound = match part {
                        Some(part) => Some(evaluate(part, names)?.integer()? as isize),
                        None => None,
                    };
                }
                index::Item::Range(bounds)
            }
        });
    }
    match (of, &spec[..]) {
        (Object::List(items), [index::Item::At(at)]) => {
            let item = usize::try_from(*at).ok().and_then(|at| items.get(at));
            item.cloned().ok_or_else(|| format!("no item {at} in a list of {}", items.len()).into())
        }
        _ => Ok(index::index(of.tensor()?, &spec)?.into()),
    }
}

/// An operator: between tensors, or with a number on either side.
fn binary(operator: &str, a: &Object, b: &Object) -> Result<Object, Failure> {
    if let ("==", Object::Text(a), b) = (operator, a, b) {
        return Ok(Object::Bool(matches!(b, Object::Text(b) if a == b)));
    }
    if let ("==", a, Object::Text(_)) = (operator, a, b) {
        return match a {
            Object::Tensor(_) => Err("a tensor compared with a string".into()),
            _ => Ok(Object::Bool(false)),
        };
    }
    Ok(match (a, b) {
        (Object::Tensor(a), Object::Tensor(b)) => functions::of_tensors(operator, a, b)?,
        (Object::Tensor(a), b) => functions::with_scalar(operator, a, b.float()?)?,
        (a, Object::Tensor(b)) => functions::of_scalar(operator, a.float()?, b)?,
        (a, b) => return Err(format!("{a} {operator} {b} is not understood").into()),
    }
    .into())
}

/// Whether there is a function of this name, for the table of what is not built.
pub(crate) fn knows(name: &str) -> bool {
    functions::find(name).is_some()
}
