//! Variables on tapes and in traces.
use slalom_array::{DType, Result};
use slalom_autograd::{GradientTape, Tensor, Trace};
use slalom_variable::Variable;

fn value(gradient: Option<slalom_autograd::Gradient>) -> Option<f64> {
    gradient.map(|g| g.to_dense().unwrap().item().unwrap())
}

#[test]
fn gradients_of_variables() -> Result<()> {
    let (v1, v2, unused) = (Variable::new(3.0f64), Variable::new(2.0f64), Variable::new(0.0f64));
    let tape = GradientTape::new();
    let loss = 3.0 * &v1 * &v1 + 2.0 * &v2 * &v2;
    let [g1, g2, g3] = tape.gradient(&loss, [&v1, &v2, &unused])?;
    assert_eq!((loss.item()?, value(g1), value(g2), value(g3)), (35.0, Some(18.0), Some(8.0), None));
    Ok(())
}

#[test]
fn an_assignment_makes_a_new_leaf() -> Result<()> {
    let x = Variable::new(2.0f64);
    let tape = GradientTape::new();
    let z = x.value().square();
    x.assign_add(Tensor::scalar(1.0f64))?;
    let s = z + &x * &x * &x;
    assert_eq!(value(tape.gradient(&s, &x)?), Some(4.0 + 27.0));
    Ok(())
}

#[test]
fn nested_tapes_give_higher_derivatives() -> Result<()> {
    let x = Variable::new(2.0f64);
    let outer = GradientTape::new();
    let first = {
        let inner = GradientTape::new();
        let y = &x * &x * &x * &x;
        inner.gradient(&y, &x)?.unwrap().to_dense()?
    };
    assert_eq!(first.item()?, 32.0);
    assert_eq!(value(outer.gradient(&first, &x)?), Some(48.0));
    Ok(())
}

#[test]
fn stale_handles_are_constants() -> Result<()> {
    let x = Variable::new(2.0f64);
    let old = {
        let _tape = GradientTape::new();
        &x * &x
    };
    let tape = GradientTape::new();
    let y = Variable::new(5.0f64);
    let z = &old * &y;
    let elsewhere = std::thread::spawn(move || {
        let tape = GradientTape::new();
        let v = Variable::new(7.0f64);
        let w = &v * &z;
        let [by_v, by_z] = [tape.gradient(&w, &v).unwrap(), None::<slalom_autograd::Gradient>];
        (value(by_v), value(by_z), z)
    });
    let (by_v, _, z) = elsewhere.join().unwrap();
    assert_eq!(by_v, Some(20.0));
    let [gx, gy] = tape.gradient(&z, [&x, &y])?;
    assert_eq!((value(gx), value(gy)), (None, Some(4.0)));
    Ok(())
}

#[test]
fn layers_of_nothing() -> Result<()> {
    use slalom_array::FusedActivation::Relu;
    let w = Variable::new(slalom_array::Array::zeros([0, 2], DType::F64)?);
    let b = Variable::new(slalom_array::Array::ones([2], DType::F64)?);
    let x = Tensor::zeros([3, 4, 0], DType::F64)?;
    let tape = GradientTape::new();
    let y = x.linear(&w, Some(&b.value()), Relu)?;
    let [by_w, by_b] = tape.gradient(&y, &[&w, &b])?;
    assert_eq!(by_w.unwrap().shape(), w.shape());
    assert_eq!(by_b.unwrap().to_dense()?.to_vec::<f64>()?, [12.0, 12.0]);
    Ok(())
}

#[test]
fn what_was_recorded_before_a_reset_is_a_constant() -> Result<()> {
    let x = Variable::new(3.0f64);
    let tape = GradientTape::new();
    let z = x.value().square();
    tape.reset();
    let s = z + &x * &x * &x;
    assert_eq!(value(tape.gradient(&s, &x)?), Some(27.0));
    Ok(())
}

#[test]
fn a_trace_replays_with_present_values() -> Result<()> {
    let x = Variable::new(2.0f64);
    let count = Variable::new(0.0f64).untrainable();
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let y = &x * &x * 3.0;
    count.assign_add(Tensor::scalar(1.0f64))?;
    let after = &count * 10.0;
    let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
    assert!(y.item().is_err());
    let mut plan = trace.finish(&[&y, &gradient, &after])?;
    assert_eq!(count.value().item()?, 0.0);
    for (value, run) in [(2.0, 1.0), (5.0, 2.0)] {
        x.assign(Tensor::scalar(value))?;
        let out = plan.run()?;
        let out: Vec<f64> = out.iter().map(|t| t.item().unwrap()).collect();
        assert_eq!(out, [3.0 * value * value, 6.0 * value, 10.0 * run]);
    }
    Ok(())
}

#[test]
fn a_traced_assignment_leaves_earlier_reads_alone() -> Result<()> {
    let x = Variable::new(3.0f64);
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let y = x.value().square();
    x.assign(Tensor::scalar(10.0f64))?;
    let z = y + &x * &x * &x;
    let gradient = tape.gradient(&z, &x)?.unwrap().to_dense()?;
    let mut plan = trace.finish(&[&gradient])?;
    assert_eq!(plan.run()?[0].item()?, 6.0 + 300.0);
    assert_eq!(plan.run()?[0].item()?, 20.0 + 300.0);
    Ok(())
}

#[test]
fn a_million_ops_on_a_small_stack() {
    let work = || {
        let v = Variable::new(1.0f32);
        let tape = GradientTape::new();
        let mut h = v.value();
        for _ in 0..1_000_000 {
            h = h.negative();
        }
        let gradient = tape.gradient(&h, &v).unwrap();
        assert_eq!(value(gradient), Some(1.0));
        let tape = GradientTape::new();
        let mut h = v.value();
        for _ in 0..1_000_000 {
            h = h.tanh().unwrap();
        }
        drop(tape);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn a_value_that_is_out_is_waited_for_or_not() {
    let v = Variable::new(1.0f32);
    let mut update = v.update();
    assert!(v.try_update().is_none());
    let reader = {
        let v = v.clone();
        std::thread::spawn(move || v.array().item().unwrap())
    };
    *update.array() = slalom_array::Array::scalar(2.0f32);
    drop(update);
    assert_eq!(reader.join().unwrap(), 2.0);
    assert_eq!(v.try_update().expect("nobody has it").array().item().unwrap(), 2.0);
}

#[test]
fn readers_see_whole_values() {
    let v = Variable::new(slalom_array::Array::zeros([100_000], DType::F32).unwrap());
    let handle = v.clone();
    let reader = std::thread::spawn(move || {
        let mut last = 0.0;
        while last < 200.0 {
            let values = handle.array().to_vec::<f32>().unwrap();
            assert!(values.iter().all(|&x| x == values[0]), "a torn read");
            last = values[0];
        }
    });
    for step in 1..=200 {
        let mut update = v.update();
        update.array().make_mut::<f32>().unwrap().fill(step as f32);
    }
    reader.join().unwrap();
}
