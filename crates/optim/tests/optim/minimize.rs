//! Losses, lists of variables, and ops.
use crate::common::{dense, item};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{Gradient, GradientTape, Tensor};
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::schedules::ExponentialDecay;
use slalom_optim::{MinimizeOptions, Optimizer};
use slalom_variable::Variable;
use std::sync::OnceLock;

#[test]
fn an_op_does_what_minimize_does() -> Result<()> {
    let make = || -> Result<_> {
        let table =
            Variable::new(Array::from_vec([3, 2], vec![0.1f32, 0.2, 0.3, 0.4, 0.5, 0.6])?).named("table");
        let w = Variable::new(Array::from_vec([2], vec![0.7f32, -0.8])?).named("w");
        Ok((table, w, Optimizer::new(Adam::new(0.1))?.global_clipnorm(0.3)?))
    };
    let ids = Tensor::from_vec([3], vec![2i64, 0, 2])?;
    let loss = |table: &Variable, w: &Variable| -> Result<Tensor> {
        Ok((table.value().gather(&ids, 0)? * w).tanh()?.square())
    };
    let (table, w, mut opt) = make()?;
    let mut eager = Vec::new();
    for _ in 0..5 {
        eager.push(opt.minimize(|| loss(&table, &w), [&table, &w])?.loss()?);
    }
    let (again, v, mut opt) = make()?;
    let mut op = opt.minimize_op(|| loss(&again, &v), [&again, &v])?;
    let mut replayed = vec![op.run()?.loss()?];
    op.optimizer_mut().set_learning_rate(|| 0.1)?;
    for _ in 1..5 {
        replayed.push(op.run()?.loss()?);
    }
    assert_eq!(eager, replayed);
    assert_eq!(table.array().to_vec::<f32>()?, again.array().to_vec::<f32>()?);
    assert_eq!(w.array().to_vec::<f32>()?, v.array().to_vec::<f32>()?);
    Ok(())
}

#[test]
fn variables_that_come_into_being_in_the_loss() -> Result<()> {
    let built = OnceLock::new();
    let model = || built.get_or_init(|| Variable::new(1.0f64));
    let mut opt = Optimizer::new(Sgd::new(0.25))?;
    for _ in 0..2 {
        opt.minimize(|| model() * model(), || vec![model()])?;
    }
    assert_eq!(item(model()), 0.25);
    Ok(())
}

#[test]
fn forms_of_losses() -> Result<()> {
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 2.0])?);
    let mut opt = Optimizer::new(Sgd::new(0.5))?;
    let report = opt.minimize(|| Ok(x.value().square()), &[x.clone()][..])?;
    assert_eq!((report.loss()?, x.array().to_vec::<f64>()?), (5.0, vec![0.0, 0.0]));
    let weights = Tensor::from_vec([2], vec![1.0f64, 3.0])?;
    opt.minimize_with(|| &x * 1.0, vec![&x], &MinimizeOptions::new().grad_loss(weights))?;
    assert_eq!(x.array().to_vec::<f64>()?, [-0.5, -1.5]);
    let fails = || Err(slalom_array::Error::other("no data"));
    assert_eq!(opt.minimize(fails, &x).unwrap_err().to_string(), "no data");
    // A listed variable is watched, trainable or not.
    let fixed = Variable::new(3.0f64).untrainable();
    opt.minimize(|| &fixed * &fixed, [&fixed])?;
    assert_eq!(item(&fixed), 0.0);
    let persistent = GradientTape::persistent();
    let loss = x.value().square();
    opt.minimize_with_tape(loss, persistent, [&x])?;
    assert_eq!(x.array().to_vec::<f64>()?, [0.0, 0.0]);
    assert_eq!(item(opt.iterations()), 4.0);
    Ok(())
}

#[test]
fn missing_gradients() -> Result<()> {
    let (x, y) = (Variable::new(1.0f64).named("x"), Variable::new(1.0f64).named("y"));
    let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.5))?;
    opt.minimize(|| &x * &x, [&x, &y])?;
    assert_eq!((item(&x), item(&y), opt.weights().len()), (0.0, 1.0, 2));
    let error = opt.minimize(|| &x * 2.0, [&y]).unwrap_err();
    assert_eq!((error.kind(), error.got()), (ErrorKind::Gradient, "none for [\"y\"]"));
    assert_eq!(opt.apply_gradients(std::iter::empty::<(Gradient, &Variable)>())?, 1);
    let no_gradient: [(Option<Gradient>, &Variable); 1] = [(None, &x)];
    assert!(opt.apply_gradients(no_gradient).is_err());
    assert_eq!((item(&x), item(opt.iterations())), (0.0, 1.0));
    Ok(())
}

#[test]
fn a_variable_listed_twice_is_updated_twice() -> Result<()> {
    let run = |together: bool| -> Result<_> {
        let x = Variable::new(Array::from_vec([1], vec![1.0f64])?);
        let y = Variable::new(Array::from_vec([1], vec![1.0f64])?);
        let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.9))?;
        let pairs = [(dense(&[1.0]), &x), (dense(&[5.0]), &y), (dense(&[2.0]), &x)];
        if together {
            opt.apply_gradients(pairs)?;
        } else {
            for pair in pairs {
                opt.apply_gradients([pair])?;
            }
        }
        assert_eq!(item(opt.iterations()), if together { 1.0 } else { 3.0 });
        Ok((item(&x), item(&y), item(&opt.get_slot(&x, "momentum")?)))
    };
    assert_eq!(run(true)?, run(false)?);
    Ok(())
}

/// At each run the schedule has the value of the step, and what the closure captures is what it was when it was traced.
#[test]
fn steps_on_two_threads_share_variables() -> Result<()> {
    let variables = [Variable::new(0.0f64), Variable::new(0.0f64)];
    let mut backwards = variables.clone();
    backwards.reverse();
    let descend = |variables: &[Variable]| -> Result<i64> {
        let mut opt = Optimizer::new(Sgd::new(1.0))?;
        for _ in 0..5000 {
            let slopes = variables.iter().map(|_| Gradient::Dense(Tensor::scalar(-1.0)));
            opt.apply_gradients(slopes.zip(variables))?;
        }
        opt.minimize(|| -(&variables[0] + &variables[1]), variables).map(|report| report.iterations)
    };
    std::thread::scope(|scope| -> Result<()> {
        let other = scope.spawn(|| descend(&backwards));
        assert_eq!(descend(&variables)?, 5001);
        assert_eq!(other.join().expect("no panic")?, 5001);
        Ok(())
    })?;
    assert_eq!([item(&variables[0]), item(&variables[1])], [10_002.0; 2]);
    Ok(())
}

#[test]
fn a_replayed_schedule_moves_on_and_captured_tensors_stay() -> Result<()> {
    let make = || -> Result<_> {
        let x = Variable::new(Array::from_vec([2], vec![0.7f32, -0.8])?);
        let rule = Adam::new(ExponentialDecay::new(0.3, 2, 0.5).staircase(true));
        Ok((x, Optimizer::new(rule)?))
    };
    let target = Variable::new(Array::from_vec([2], vec![0.3f32, 0.1])?);
    let captured = target.value();
    let (x, mut eager) = make()?;
    let (y, mut opt) = make()?;
    let mut op = opt.minimize_op(|| (&y - &captured).square(), &y)?;
    target.assign(Tensor::zeros([2], DType::F32)?)?;
    let mut rates = Vec::new();
    for _ in 0..5 {
        rates.push(eager.learning_rate()?);
        assert_eq!(op.optimizer_mut().learning_rate()?, eager.learning_rate()?);
        let losses = (eager.minimize(|| (&x - &captured).square(), &x)?.loss()?, op.run()?.loss()?);
        assert_eq!(losses.0.to_bits(), losses.1.to_bits());
        assert_eq!(x.array().to_vec::<f32>()?, y.array().to_vec::<f32>()?);
    }
    assert_eq!(rates, [0.3, 0.3, 0.15, 0.15, 0.075]);
    Ok(())
}
