//! `initializers.json`: fixed values, or the moments and bounds of many draws.
use crate::fields::{Fields, number, shape};
use crate::objects::expect_error;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::json;
use slalom_array::{Array, DType, Result, Shape};
use slalom_optim::config::initializers;
use slalom_variable::initializers::Initializer;
use slalom_variable::random::set_seed;

/// So many elements are drawn at least.
const DRAWN: usize = 200_000;
/// How far products of the rows of an orthogonal matrix of f32 may be off: the rounding of its elements.
const ORTHONORMAL: f64 = 1e-6;

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("initializer")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    // The fans show in the distribution.
    case.fields.ignore(&["fan_in", "fan_out"]);
    set_seed(20_240_611);
    let config = case.fields.get("config")?;
    let json = json!({"class_name": case.fields.str("initializer")?, "config": config});
    let shape = Shape::from(shape(case.fields.get("shape")?)?);
    let facts = case.fields.object("facts")?;
    facts.ignore(&["note", "message"]);
    let initializer = initializers::deserialize(&json);
    let draw = || {
        initializer
            .as_ref()
            .map_err(|error| Failure::from(format!("{error:?}")))?
            .initialize(&shape, DType::F32)
            .map_err(Failure::from)
    };
    if let Some(exception) = facts.optional("error") {
        let made = initializers::deserialize(&json)
            .and_then(|initializer| initializer.initialize(&shape, DType::F32));
        expect_error(made, exception.as_str().unwrap_or_default())?;
    } else if let Some(values) = facts.optional("values") {
        compare("values", &draw()?.into(), &tensor(values)?, case.tolerance)?;
    } else if facts.optional("property").is_some() {
        orthonormal(&draw()?, &facts, config.get("gain").map_or(Ok(1.0), number)?)?;
    } else {
        moments(draw, &facts)?;
    }
    facts.finish()
}

/// Mean within 5 standard errors, standard deviation within 2 %, every element within the bounds.
fn moments(draw: impl Fn() -> Result<Array, Failure>, facts: &Fields<'_>) -> Result<(), Failure> {
    let distribution = facts.str("distribution")?;
    if !["uniform", "normal", "truncated_normal"].contains(&distribution) {
        return Err(format!("unknown distribution {distribution}").into());
    }
    let (mean, std) = (facts.number("mean")?, facts.number("std")?);
    // The bounds are rounded as the elements are.
    let low = facts.number_or("min", f64::NEG_INFINITY)? as f32;
    let high = facts.number_or("max", f64::INFINITY)? as f32;
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    while count < DRAWN as f64 {
        for x in draw()?.to_vec::<f32>()? {
            if !(low..=high).contains(&x) {
                return Err(format!("{x} is not in {low}..={high}").into());
            }
            let deviation = f64::from(x) - mean;
            (count, sum, squares) = (count + 1.0, sum + deviation, squares + deviation * deviation);
        }
    }
    let offset = sum / count;
    if offset.abs() > 5.0 * std / f64::sqrt(count) {
        return Err(format!("mean {}, want {mean} (of {count} draws)", mean + offset).into());
    }
    let got = f64::sqrt(squares / count - offset * offset);
    if (got - std).abs() > 0.02 * std {
        return Err(format!("standard deviation {got}, want {std}").into());
    }
    Ok(())
}

/// The vectors of the shorter side, divided by the gain, are orthonormal.
fn orthonormal(matrix: &Array, facts: &Fields<'_>, gain: f64) -> Result<(), Failure> {
    let flat = shape(facts.get("flattened")?)?;
    let &[rows, columns] = &flat[..] else { return Err("flattened to a matrix".into()) };
    let of_rows = match facts.str("property")?.split(' ').next() {
        Some("rows") => true,
        Some("columns") => false,
        other => return Err(format!("unknown property of {other:?}").into()),
    };
    let values = matrix.cast(DType::F64)?.to_vec::<f64>()?;
    if values.len() != rows * columns {
        return Err(format!("{} elements, want {}", values.len(), rows * columns).into());
    }
    let (vectors, length) = if of_rows { (rows, columns) } else { (columns, rows) };
    let at =
        |vector: usize, i: usize| values[if of_rows { vector * columns + i } else { i * columns + vector }];
    for a in 0..vectors {
        for b in 0..vectors {
            let product: f64 = (0..length).map(|i| at(a, i) * at(b, i)).sum::<f64>() / (gain * gain);
            let want = f64::from(a == b);
            if (product - want).abs() > ORTHONORMAL {
                return Err(format!("product of vectors {a} and {b}: {product}, want {want}").into());
            }
        }
    }
    Ok(())
}
