//! What tapes promise, one small program for each script of the file.
use super::zeros_if_unconnected;
use crate::runner::{Case, Failure};
use crate::tensors::{compare_gradient, tensor};
use slalom_array::{Array, DType};
use slalom_autograd::{
    ForwardAccumulator, Gradient, GradientOptions, GradientTape, PersistentGradientTape, Tensor,
    UnconnectedGradients, custom_gradient,
};
use slalom_variable::Variable;

type Answer = Result<Vec<Option<Gradient>>, Failure>;

pub(super) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    case.fields.ignore(&["script"]);
    let inputs = case.fields.list("inputs")?.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    let name = case.fields.str("function")?;
    let script = SCRIPTS.iter().find(|row| row.0 == name).ok_or_else(|| format!("unknown script {name}"))?;
    let (got, want) = (script.1(&inputs)?, case.fields.list("result")?);
    if got.len() != want.len() {
        return Err(format!("{} results, want {}", got.len(), want.len()).into());
    }
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        compare_gradient(&format!("result {i}"), got.as_ref(), want, case.tolerance)?;
    }
    Ok(())
}

type Script = fn(&[Tensor]) -> Answer;

const SCRIPTS: &[(&str, Script)] = &[
    ("unconnected_none", |inputs| unconnected(inputs, GradientOptions::new())),
    ("unconnected_zero", |inputs| unconnected(inputs, zeros_if_unconnected())),
    ("constant_not_watched", constant_not_watched),
    ("watched_constant", watched_constant),
    ("watch_after_use", watch_after_use),
    ("intermediate", intermediate),
    ("multiple_targets", multiple_targets),
    ("output_gradients", output_gradients),
    ("output_gradients_list", output_gradients_list),
    ("target_is_source", target_is_source),
    ("target_is_source_twice", target_is_source_twice),
    ("persistent_twice", persistent_twice),
    ("stop_recording", stop_recording),
    ("reset", reset),
    ("watch_accessed_variables_false", watch_accessed_variables_false),
    ("non_trainable", non_trainable),
    ("stop_gradient", stop_gradient),
    ("stop_gradient_only", stop_gradient_only),
    ("through_integer", through_integer),
    ("assign_inside", assign_inside),
    ("inner_gradient_inside", inner_gradient_inside),
    ("gather_sparse", gather_sparse),
    ("sparse_plus_dense", sparse_plus_dense),
    ("custom_gradient", clipped_gradient),
    ("forward_two_inputs", forward_two_inputs),
    ("forward_over_forward", forward_over_forward),
];

/// The inputs as variables.
fn variables<const N: usize>(inputs: &[Tensor]) -> Result<[Variable; N], Failure> {
    let variables: Vec<Variable> = inputs.iter().map(|x| Variable::new(Array::from(x.clone()))).collect();
    variables.try_into().map_err(|_| format!("not {N} inputs").into())
}

/// The inputs as tensors.
fn tensors<const N: usize>(inputs: &[Tensor]) -> Result<[Tensor; N], Failure> {
    inputs.to_vec().try_into().map_err(|_| format!("not {N} inputs").into())
}

fn cube(x: &Tensor) -> Tensor {
    x * x * x
}

fn unconnected(inputs: &[Tensor], options: GradientOptions) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = (2.0 * &x).sum();
    Ok(tape.gradient_with(&z, [&x, &y], &options)?.into())
}

fn constant_not_watched(inputs: &[Tensor]) -> Answer {
    let [x] = tensors(inputs)?;
    let tape = GradientTape::new();
    let z = 2.0 * &x;
    Ok(vec![tape.gradient(&z, &x)?])
}

fn watched_constant(inputs: &[Tensor]) -> Answer {
    let [x] = tensors(inputs)?;
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    Ok(vec![tape.gradient(&cube(&x), &x)?])
}

fn watch_after_use(inputs: &[Tensor]) -> Answer {
    let [x] = tensors(inputs)?;
    let tape = GradientTape::new();
    let z1 = x.square();
    let x = tape.watch(&x);
    let z = cube(&x) + z1;
    Ok(vec![tape.gradient(&z, &x)?])
}

fn intermediate(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let x = x.value();
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    let m = &x * &y;
    let z = m.square().sum();
    Ok(tape.gradient(&z, [&m, &x, &m])?.into())
}

fn multiple_targets(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = GradientTape::new();
    let m = &x * &y;
    let z = m.square().sum();
    Ok(tape.gradient(&[&z, &m], [&x, &y])?.into())
}

fn output_gradients(inputs: &[Tensor]) -> Answer {
    let [x, y, u] = tensors(inputs)?;
    let [x, y] = variables(&[x, y])?;
    let tape = GradientTape::new();
    let m = &x * &y;
    Ok(tape.gradient_with(&m, [&x, &y], &GradientOptions::new().output_gradients([u]))?.into())
}

fn output_gradients_list(inputs: &[Tensor]) -> Answer {
    let [x, y, u, c] = tensors(inputs)?;
    let [x, y] = variables(&[x, y])?;
    let tape = GradientTape::new();
    let m = &x * &y;
    let z = m.square().sum();
    Ok(vec![tape.gradient_with(&[&m, &z], &x, &GradientOptions::new().output_gradients([u, c]))?])
}

fn target_is_source(inputs: &[Tensor]) -> Answer {
    let [x] = tensors(inputs)?;
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    Ok(vec![tape.gradient(&x, &x)?])
}

fn target_is_source_twice(inputs: &[Tensor]) -> Answer {
    let [x, y] = tensors(inputs)?;
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    let z = (&x * &y).square().sum();
    Ok(vec![tape.gradient(&[&x, &z], &x)?])
}

fn persistent_twice(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = GradientTape::persistent();
    let z = (&x * &y).square().sum();
    let first = tape.gradient(&z, [&x, &y])?;
    let second = tape.gradient(&z, [&x, &y])?;
    for (a, b) in first.iter().zip(&second) {
        let [a, b] = [a, b].map(|g| g.as_ref().map(|g| g.to_dense().and_then(|g| g.to_vec::<f64>())));
        if a.transpose()? != b.transpose()? {
            return Err("the second gradient differs from the first".into());
        }
    }
    Ok(second.into())
}

fn stop_recording(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = x.value().square();
    let q = tape.stop_recording(|| cube(&x.value()));
    let s = z + q;
    Ok(vec![tape.gradient(&s, &x)?])
}

fn reset(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = x.value().square();
    tape.reset();
    let s = z + cube(&x.value());
    Ok(vec![tape.gradient(&s, &x)?])
}

fn watch_accessed_variables_false(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = PersistentGradientTape::unwatched();
    tape.watch_variable(x.id());
    let z = &x * &y;
    Ok(tape.gradient(&z, [&x, &y])?.into())
}

fn non_trainable(inputs: &[Tensor]) -> Answer {
    let [n, x] = variables(inputs)?;
    let n = n.untrainable();
    let tape = GradientTape::new();
    let z = &n * &x;
    Ok(tape.gradient(&z, [&n, &x])?.into())
}

fn stop_gradient(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = &x * x.value().square().stop_gradient();
    Ok(vec![tape.gradient(&z, &x)?])
}

fn stop_gradient_only(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = 2.0 * x.value().stop_gradient();
    Ok(vec![tape.gradient(&z, &x)?])
}

fn through_integer(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = x.value().cast(DType::I32)?.cast(DType::F64)? * &y;
    Ok(tape.gradient(&z, [&x, &y])?.into())
}

fn assign_inside(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = x.value().square();
    x.assign_add(&Tensor::ones(x.shape(), x.dtype())?)?;
    let s = z + cube(&x.value());
    Ok(vec![tape.gradient(&s, &x)?])
}

fn inner_gradient_inside(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let outer = GradientTape::new();
    let inner = GradientTape::new();
    let z = cube(&x.value()).sum();
    let g = inner.gradient(&z, &x)?.ok_or("no inner gradient")?.to_dense()?;
    let w = (g * &y).sum();
    Ok(outer.gradient(&w, [&x, &y])?.into())
}

fn gathered(x: &Variable) -> Result<Tensor, Failure> {
    Ok(3.0 * x.value().gather(&Tensor::from_vec([3], vec![0i32, 0, 2])?, 0)?)
}

fn gather_sparse(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let gradient = tape.gradient(&gathered(&x)?, &x)?;
    if gradient.as_ref().is_none_or(|gradient| gradient.as_sparse().is_none()) {
        return Err("the gradient is not sparse".into());
    }
    Ok(vec![gradient])
}

fn sparse_plus_dense(inputs: &[Tensor]) -> Answer {
    let [x] = variables(inputs)?;
    let tape = GradientTape::new();
    let z = gathered(&x)? + x.value().sum();
    let gradient = tape.gradient(&z, &x)?;
    if gradient.as_ref().is_none_or(|gradient| gradient.as_dense().is_none()) {
        return Err("the gradient is not dense".into());
    }
    Ok(vec![gradient])
}

fn clipped_gradient(inputs: &[Tensor]) -> Answer {
    let [x, y] = variables(inputs)?;
    let tape = GradientTape::new();
    let clipped = custom_gradient([&x], |[x]| {
        let own = x.clone();
        Ok((x * x, move |g: &Tensor| Ok([(2.0 * g * &own).clip_by_value(-1.0, 1.0)?])))
    })?;
    let z = (clipped * &y).sum();
    Ok(tape.gradient(&z, [&x, &y])?.into())
}

fn forward_two_inputs(inputs: &[Tensor]) -> Answer {
    let [x, y, u] = tensors(inputs)?;
    let accumulator = ForwardAccumulator::new([&x, &y], &[&u, &y])?;
    let [x, y] = accumulator.primals() else { return Err("two primals have two handles".into()) };
    let z = x * y;
    let unrelated = u.exp()?;
    let tangents = [
        accumulator.jvp(&z)?,
        accumulator.jvp(&unrelated)?,
        accumulator.jvp_with(&unrelated, UnconnectedGradients::Zero)?,
    ];
    Ok(tangents.into_iter().map(|tangent| tangent.map(Gradient::from)).collect())
}

fn forward_over_forward(inputs: &[Tensor]) -> Answer {
    let [x, y, u] = tensors(inputs)?;
    let outer = ForwardAccumulator::new(&x, &u)?;
    let inner = ForwardAccumulator::new(&outer.primals()[0], &y)?;
    let z = cube(&inner.primals()[0]);
    let first = inner.jvp(&z)?.ok_or("no inner tangent")?;
    Ok(vec![outer.jvp(&first)?.map(Gradient::from)])
}
