//! Variables in closures with gradients of their own, and on tapes in forward mode.
use slalom_array::{Array, ErrorKind, Result};
use slalom_autograd::{
    ForwardAccumulator, Gradient, GradientTape, Tensor, Trace, custom_gradient, recompute_grad,
};
use slalom_variable::Variable;

fn value(gradient: Option<Gradient>) -> Option<f64> {
    gradient.map(|g| g.into_dense().unwrap().item().unwrap())
}

#[test]
fn variables_that_a_block_reads_get_gradients() -> Result<()> {
    let (v, w, fixed) = (Variable::new(3.0f64), Variable::new(5.0f64), Variable::new(7.0f64).untrainable());
    let (v1, w1, fixed1) = (v.clone(), w.clone(), fixed.clone());
    let outer = GradientTape::new();
    let first = {
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::scalar(2.0f64));
        // Both blocks read v; the second is nested.
        let h = recompute_grad([&x], move |[x]| Ok(x * &v1 * &v1 * &fixed1))?;
        let v2 = v.clone();
        let y = recompute_grad([&h], move |[h]| {
            let (v, w) = (v2.clone(), w1.clone());
            let inner = recompute_grad([h], move |[h]| Ok(h * &v * &w))?;
            Ok(inner * &v2)
        })?;
        // y = x v² 7 · v w · v = 7 x v⁴ w
        assert_eq!(y.item()?, 7.0 * 2.0 * 81.0 * 5.0);
        let summary = tape.summary();
        assert_eq!(summary.ops().filter(|op| *op == "recompute_grad").count(), 2);
        assert!(!summary.ops().any(|op| op == "multiply"), "{summary}");
        let [by_x, by_v, by_w, by_fixed] =
            tape.gradient(&y, [&x as &dyn slalom_autograd::Source, &v, &w, &fixed])?;
        assert_eq!(value(by_x), Some(7.0 * 81.0 * 5.0));
        assert_eq!(value(by_w), Some(7.0 * 2.0 * 81.0));
        assert!(by_fixed.is_none());
        by_v.unwrap().into_dense()?
    };
    assert_eq!(first.item()?, 28.0 * 2.0 * 27.0 * 5.0);
    let [by_v, by_w] = outer.gradient(&first, [&v, &w])?;
    assert_eq!((value(by_v), value(by_w)), (Some(84.0 * 2.0 * 9.0 * 5.0), Some(28.0 * 2.0 * 27.0)));
    Ok(())
}

#[test]
fn a_variable_may_be_argument_and_read() -> Result<()> {
    let v = Variable::new(3.0f64);
    let v1 = v.clone();
    let tape = GradientTape::new();
    let y = recompute_grad([&v], move |[x]| Ok(x * x * &v1))?;
    assert_eq!(value(tape.gradient(&y, &v)?), Some(27.0));
    let tape = GradientTape::new();
    let y = recompute_grad([&v], |[x]| Ok(x * x))?;
    assert_eq!(value(tape.gradient(&y, &v)?), Some(6.0));
    Ok(())
}

#[test]
fn blocks_see_watched_variables_as_the_tape_does() -> Result<()> {
    let (v, fixed) = (Variable::new(3.0f64), Variable::new(7.0f64).untrainable());
    let (v1, fixed1) = (v.clone(), fixed.clone());
    let tape = GradientTape::unwatched();
    tape.watch_variable(fixed.id());
    let y = recompute_grad([&Tensor::scalar(2.0f64)], move |[x]| Ok(x * &v1 * &fixed1))?;
    let [by_v, by_fixed] = tape.gradient(&y, [&v, &fixed])?;
    assert_eq!((value(by_v), value(by_fixed)), (None, Some(6.0)));
    Ok(())
}

#[test]
fn a_block_with_a_tape_of_its_own() -> Result<()> {
    // The slope of v x³ by x, times v: 3 v² x².
    let slope = |x: &Tensor, v: &Variable| -> Result<Tensor> {
        let tape = GradientTape::new();
        let x = tape.watch(x);
        let y = v * &x * &x * &x;
        Ok(tape.gradient(&y, &x)?.unwrap().into_dense()? * v)
    };
    let v = Variable::new(5.0f64);
    let v1 = v.clone();
    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::scalar(2.0f64));
    let y = recompute_grad([&x], move |[x]| slope(x, &v1))?;
    for _ in 0..2 {
        let [by_x, by_v] = tape.gradient(&y, [&x as &dyn slalom_autograd::Source, &v])?;
        assert_eq!((value(by_x), value(by_v)), (Some(6.0 * 25.0 * 2.0), Some(6.0 * 5.0 * 4.0)));
    }
    Ok(())
}

#[test]
fn an_assignment_before_the_backward_pass_is_refused() -> Result<()> {
    let v = Variable::new(3.0f64);
    let v1 = v.clone();
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::scalar(2.0f64));
    let y = recompute_grad([&x], move |[x]| Ok(x * &v1))?;
    v.assign(Tensor::scalar(4.0f64))?;
    assert_eq!(tape.gradient(&y, [&x]).unwrap_err().kind(), ErrorKind::State);
    // A handle from before, captured, cannot be found again.
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::scalar(2.0f64));
    let read = v.value();
    let y = recompute_grad([&x], move |[x]| Ok(x * &read))?;
    assert_eq!(tape.gradient(&y, [&x]).unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}

#[test]
fn blocks_replay_with_present_values() -> Result<()> {
    let v = Variable::new(3.0f64);
    let v1 = v.clone();
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let y = recompute_grad([&Tensor::scalar(2.0f64)], move |[x]| (x * &v1).square().exp())?;
    v.assign_add(Tensor::scalar(1.0f64))?;
    let gradient = tape.gradient(&y, &v)?.unwrap().into_dense()?;
    let mut plan = trace.finish(&[&y, &gradient])?;
    for start in [0.5f64, 0.25] {
        v.assign(Tensor::scalar(start))?;
        let out = plan.run()?;
        let expected = (4.0 * start * start).exp();
        assert!((out[0].item()? / expected - 1.0).abs() < 1e-15);
        // Of the value before the assignment.
        assert!((out[1].item()? / (8.0 * start * expected) - 1.0).abs() < 1e-14, "{start}: {}", out[1]);
        assert_eq!(v.value().item()?, start + 1.0);
    }
    Ok(())
}

#[test]
fn custom_gradients_name_their_variables() -> Result<()> {
    let v = Variable::new(3.0f64);
    let tape = GradientTape::new();
    // A variable among the inputs, read again inside.
    let y = custom_gradient([&v], |[x]| Ok((x * &v, |g: &Tensor| Ok([100.0 * g]))))?;
    assert_eq!(value(tape.gradient(&y, &v)?), Some(100.0));
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::scalar(2.0f64));
    let error = custom_gradient([&x], |[x]| Ok((x * &v, |g: &Tensor| Ok([g.clone()])))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    // As a constant it is welcome.
    let y = custom_gradient([&x], |[x]| Ok((x * v.value().stop_gradient(), |g: &Tensor| Ok([g.clone()]))))?;
    assert_eq!(value(tape.gradient(&y, &x)?), Some(1.0));
    Ok(())
}

#[test]
fn custom_gradients_replay_with_present_values() -> Result<()> {
    let v = Variable::new(3.0f64);
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    // The square, and twice the value with a slope of -2.
    let [square, twice] = custom_gradient([&v], |[x]| {
        let own = x.clone();
        Ok(([x * x, 2.0 * x], move |[g, h]: &[Tensor; 2]| Ok([2.0 * g * &own - 2.0 * h])))
    })?;
    let gradient = tape.gradient(&(&square * &twice), &v)?.unwrap().into_dense()?;
    let mut plan = trace.finish(&[&square, &twice, &gradient])?;
    for x in [5.0, 7.0] {
        v.assign(Tensor::scalar(x))?;
        let results = plan.run()?.iter().map(|x| x.item()).collect::<Result<Vec<_>>>()?;
        assert_eq!(results, [x * x, 2.0 * x, 2.0 * x * 2.0 * x - 2.0 * x * x]);
    }
    Ok(())
}

#[test]
fn tangents_of_variables() -> Result<()> {
    let (v, w) = (Variable::new(3.0f64), Variable::new(5.0f64).untrainable());
    let one = Tensor::scalar(1.0f64);
    let twice = ForwardAccumulator::new([&v, &v], &[&one, &one]).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Argument);
    let accumulator = ForwardAccumulator::new([&v, &w], &[&one, &Tensor::scalar(10.0f64)])?;
    assert!(accumulator.primals().is_empty());
    let y = &v * &v * &w;
    assert_eq!(accumulator.jvp(&y)?.unwrap().item()?, 30.0 + 90.0);
    // An assigned variable keeps its tangent: each read of it has that.
    v.assign(Tensor::scalar(4.0f64))?;
    let z = &v * &v + &y;
    assert_eq!(accumulator.jvp(&z)?.unwrap().item()?, 8.0 + 120.0);
    // The Hessian of v⁴ w times the direction.
    let tape = GradientTape::new();
    let y = &v * &v * &v * &v * &w;
    let gradient = tape.gradient(&y, &v)?.unwrap().into_dense()?;
    assert_eq!(accumulator.jvp(&gradient)?.unwrap().item()?, 12.0 * 16.0 * 5.0 + 4.0 * 64.0 * 10.0);
    Ok(())
}

#[test]
fn an_array_of_gradients_while_variables_change() -> Result<()> {
    let v = Variable::new(Array::from_vec([2], vec![1.0f64, 2.0])?);
    let tape = GradientTape::persistent();
    let before = v.value().square();
    v.assign(&before)?;
    let after = v.value().square();
    let middle = v.value();
    v.assign(&after)?;
    let sum = &before + &after + &v;
    // Each read is a leaf of its own; the variable's gradient is their sum, that of a read its own.
    let by_v = tape.gradient(&sum, &v)?.unwrap().into_dense()?;
    assert_eq!(by_v.to_vec::<f64>()?, [2.0 + 2.0 + 1.0, 4.0 + 8.0 + 1.0]);
    let by_middle = tape.gradient(&sum, &middle)?.unwrap().into_dense()?;
    assert_eq!(by_middle.to_vec::<f64>()?, [2.0, 8.0]);
    Ok(())
}
