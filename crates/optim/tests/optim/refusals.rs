//! What is refused, and that a refused step changes nothing.
use crate::common::{By, dense, item, sparse};
use slalom_array::{Array, DType, ErrorKind, Float, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::config::{Config, number, object};
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::schedules::ExponentialDecay;
use slalom_optim::{ElementRule, NamedHyper, Optimizer, Step};
use slalom_variable::Variable;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Everything that a step could change.
fn state(opt: &Optimizer, variables: &[&Variable]) -> Vec<(String, Vec<u64>)> {
    let bits = |variable: &Variable| -> Vec<u64> {
        let values = variable.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        values.into_iter().map(f64::to_bits).collect()
    };
    let all = opt
        .weights()
        .into_iter()
        .chain(variables.iter().map(|&v| v.clone()))
        .chain([opt.iterations().clone()]);
    all.map(|variable| (variable.name().to_owned(), bits(&variable))).collect()
}

#[test]
fn a_refused_step_changes_nothing() -> Result<()> {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let constraint = {
        let calls = calls.clone();
        By(move |value: &Tensor| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(value.clone()),
            1 => Err(slalom_array::Error::other("refused")),
            2 => value.reshape([1, 2]),
            3 => Ok(Tensor::zeros([2], DType::F32)?),
            _ => panic!("the constraint panics"),
        })
    };
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 2.0])?).named("x");
    let held = Variable::new(Array::from_vec([2], vec![3.0f64, 4.0])?).named("held").constrained(constraint);
    let table = Variable::new(Array::zeros([4, 1], DType::F64)?).named("table");
    let count = Variable::new(1i64).named("count");
    let mut opt = Optimizer::new(Adam::new(0.1))?;
    let good = || dense(&[0.5, 0.5]);
    opt.apply_gradients([(good(), &x), (good(), &held)])?;
    let variables = [&x, &held, &table];
    let before = state(&opt, &variables);
    let wrong_dtype = Gradient::Dense(Tensor::zeros([2], DType::F32)?);
    let rows = Gradient::Sparse(IndexedSlices::new(
        Tensor::from_vec([1], vec![0i32])?,
        Tensor::from_vec([1], vec![1.0f64])?,
        [2],
    )?);
    let integer = Gradient::Dense(Tensor::scalar(1i64));
    let refused: [(Gradient, &Variable, ErrorKind, &str); 9] = [
        (
            dense(&[1.0]),
            &x,
            ErrorKind::Shape,
            "Adam: variable \"x\": apply_gradients: expected a gradient of shape [2], got [1]",
        ),
        (
            wrong_dtype,
            &x,
            ErrorKind::DType,
            "Adam: variable \"x\": apply_gradients: expected a gradient of dtype f64, got f32",
        ),
        (
            integer,
            &count,
            ErrorKind::DType,
            "Adam: variable \"count\": apply_gradients: expected a variable of floats, got i64",
        ),
        (
            sparse(&[1, 4], &[1.0, 1.0], 4),
            &table,
            ErrorKind::Index,
            "Adam: variable \"table\": apply_gradients: expected indices of rows in 0..4, got 4",
        ),
        (
            sparse(&[-1], &[1.0], 4),
            &table,
            ErrorKind::Index,
            "Adam: variable \"table\": apply_gradients: expected indices of rows in 0..4, got -1",
        ),
        (
            rows,
            &held,
            ErrorKind::State,
            "Adam: variable \"held\": apply_gradients: expected a dense gradient, as the variable has a constraint, got a sparse one",
        ),
        (good(), &held, ErrorKind::Other, "constraint of variable \"held\": refused"),
        (
            good(),
            &held,
            ErrorKind::Shape,
            "constraint of variable \"held\": constraint: expected a value of shape [2], got [1, 2]",
        ),
        (
            good(),
            &held,
            ErrorKind::DType,
            "constraint of variable \"held\": constraint: expected a value of dtype f64, got f32",
        ),
    ];
    for (gradient, variable, kind, text) in refused {
        let error = opt.apply_gradients([(good(), &x), (gradient, variable)]).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        assert_eq!(state(&opt, &variables), before);
    }
    let panics = std::panic::AssertUnwindSafe(|| opt.apply_gradients([(good(), &x), (good(), &held)]));
    assert!(std::panic::catch_unwind(panics).is_err());
    assert_eq!(state(&opt, &variables), before);

    for (name, value) in [("learning_rate", f64::NAN), ("beta_1", f64::INFINITY)] {
        opt.set(name, move || value)?;
        let error = opt.apply_gradients([(good(), &x), (sparse(&[0], &[1.0], 4), &table)]).unwrap_err();
        assert_eq!(error.to_string(), format!("Adam: {name}: expected a finite number, got {value}"));
        assert_eq!(state(&opt, &variables), before);
        opt.set(name, 0.5)?;
    }
    opt.apply_gradients([(good(), &x)])?;
    assert_ne!(state(&opt, &variables), before);
    Ok(())
}

#[test]
fn refused_arguments() -> Result<()> {
    let kind = |made: Result<Optimizer>| made.unwrap_err().kind();
    for momentum in [-0.1, 1.1, f64::NAN] {
        assert_eq!(kind(Optimizer::new(Sgd::new(0.1).momentum(momentum))), ErrorKind::Argument);
    }
    let sgd = || Optimizer::new(Sgd::new(0.1).momentum(1.0)).unwrap();
    assert_eq!(kind(sgd().decay(-0.1)), ErrorKind::Argument);
    assert_eq!(kind(sgd().clipvalue(-0.1)), ErrorKind::Argument);
    assert_eq!(kind(sgd().clipnorm(-0.1)), ErrorKind::Argument);
    for limit in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(kind(sgd().clipvalue(limit)), ErrorKind::Argument);
        assert_eq!(kind(sgd().clipnorm(limit)), ErrorKind::Argument);
        assert_eq!(kind(sgd().global_clipnorm(limit)), ErrorKind::Argument);
        let config = object([("clipnorm", number(limit))]);
        assert_eq!(kind(Optimizer::from_config("SGD", &config)), ErrorKind::Argument);
    }
    assert_eq!(kind(sgd().global_clipnorm(1.0)?.clipnorm(1.0)), ErrorKind::Argument);
    assert_eq!(kind(Optimizer::new(Sgd::new(f64::INFINITY))), ErrorKind::Argument);
    assert_eq!(kind(Optimizer::new(Sgd::new(ExponentialDecay::new(0.1, 0, 0.5)))), ErrorKind::Argument);
    let mut opt = sgd();
    assert_eq!(opt.set("momentum", 2.0).unwrap_err().kind(), ErrorKind::Argument);
    let error = opt.set("lr", 0.1).unwrap_err();
    let expected = "one of the hyperparameters learning_rate, momentum, decay, weight_decay";
    assert_eq!((error.kind(), error.expected()), (ErrorKind::NotFound, expected));
    assert_eq!(opt.get("beta").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((opt.get("momentum")?, opt.learning_rate()?), (1.0, 0.1));
    opt.set_clipnorm(Some(2.0))?;
    assert!(opt.set_global_clipnorm(Some(2.0)).is_err());
    assert_eq!((opt.get_clipnorm(), opt.get_global_clipnorm(), opt.get_clipvalue()), (Some(2.0), None, None));
    let config = Config::from_iter([("nestrov".to_owned(), true.into())]);
    assert_eq!(kind(Optimizer::from_config("SGD", &config)), ErrorKind::Config);
    assert_eq!(kind(Optimizer::from_config("Sgdd", &Config::new())), ErrorKind::NotFound);
    Ok(())
}

#[test]
fn weights_and_iterations() -> Result<()> {
    let x = Variable::new(Array::from_vec([2], vec![1.0f32, 2.0])?).named("x");
    let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.5))?.name("mine");
    let count = Variable::new(7i64);
    assert_eq!(opt.set_iterations(Variable::new(1.0f64)).unwrap_err().kind(), ErrorKind::DType);
    opt.set_iterations(count.clone())?;
    assert!(opt.weights().len() == 1 && opt.get_slot_names().is_empty());
    opt.minimize(|| x.value().square(), &x)?;
    assert_eq!((item(&count), opt.get_slot_names()), (8.0, vec!["momentum"]));
    assert_eq!(opt.set_iterations(Variable::new(0i64)).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(opt.get_slot(&x, "momentum")?.name(), "mine/x/momentum");
    assert_eq!(opt.get_slot(&x, "m").unwrap_err().expected(), "one of the slots [\"momentum\"]");
    let before = state(&opt, &[&x]);
    let slot = Array::zeros([2], DType::F32)?;
    let wrong: [(Vec<Array>, ErrorKind); 3] = [
        (vec![Array::scalar(1i64)], ErrorKind::Argument),
        (vec![Array::scalar(1i64), Array::zeros([3], DType::F32)?], ErrorKind::Shape),
        (vec![Array::scalar(1i32), slot.clone()], ErrorKind::DType),
    ];
    for (weights, kind) in wrong {
        assert_eq!(opt.set_weights(&weights).unwrap_err().kind(), kind);
        assert_eq!(state(&opt, &[&x]), before);
    }
    opt.set_weights(&[Array::scalar(3i64), slot])?;
    assert_eq!((item(&count), opt.get_weights()[1].to_vec::<f32>()?), (3.0, vec![0.0, 0.0]));
    Ok(())
}

#[test]
fn a_counter_stays_when_the_optimizer_is_named() -> Result<()> {
    let count = Variable::new(7i64).named("count");
    let mut opt = Optimizer::new(Sgd::new(0.1))?;
    opt.set_iterations(count.clone())?;
    let mut opt = opt.name("mine");
    assert!(opt.iterations().same(&count));
    let x = Variable::new(1.0f64).named("x");
    opt.minimize(|| &x * &x, &x)?;
    assert_eq!(item(&count), 8.0);
    // A counter of the optimizer's own is named after it, and so are the scalars of its stages.
    let opt = Optimizer::new(Sgd::new(0.1))?.dynamic_loss_scale(8.0, 2)?.gradient_accumulation_steps(2)?;
    let mut opt = opt.name("one").name("two");
    opt.minimize(|| &x * &x, &x)?;
    for weight in opt.weights().iter().chain([opt.iterations()]) {
        assert!(weight.name().starts_with("two/"), "{}", weight.name());
    }
    Ok(())
}

#[test]
fn a_panic_within_an_update_poisons() -> Result<()> {
    #[derive(Debug, Clone)]
    struct Panics;
    impl ElementRule for Panics {
        const NAME: &'static str = "Panics";
        type Coeffs<F: Float> = ();
        fn hypers(&self) -> Vec<NamedHyper> {
            Vec::new()
        }
        fn coeffs<F: Float>(&self, _step: &Step<'_>) {}
        fn element<F: Float>(_: (), x: F, g: F, _: &mut [F]) -> F {
            assert!(g != F::ZERO, "no gradient");
            x - g
        }
    }
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 1.0])?);
    let mut opt = Optimizer::new(Panics)?;
    let step = std::panic::AssertUnwindSafe(|| opt.apply_gradients([(dense(&[1.0, 0.0]), &x)]));
    assert!(std::panic::catch_unwind(step).is_err());
    assert_eq!(x.array().to_vec::<f64>()?, [0.0, 1.0]);
    assert_eq!(opt.apply_gradients([(dense(&[1.0, 1.0]), &x)]).unwrap_err().kind(), ErrorKind::State);
    Ok(())
}

#[test]
fn optimizers_are_send() {
    fn send<T: Send>() {}
    send::<Optimizer>();
}
