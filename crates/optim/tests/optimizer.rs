//! What an optimizer does around its rule: lists of variables, user stages, refusals, and that a refused step changes
//! nothing.
use slalom_array::{Array, DType, ErrorKind, Float, Result};
use slalom_autograd::{Gradient, GradientTape, IndexedSlices, Tensor};
use slalom_optim::config::{Config, Entry, Reader};
use slalom_optim::rules::{self, Adam, Sgd};
use slalom_optim::schedules::{self, ExponentialDecay};
use slalom_optim::{
    ApplyOptions, ElementRule, GradientList, Hyper, Item, MinimizeOptions, NamedHyper, Optimizer, Rule,
    SlotSpec, Step,
};
use slalom_variable::{Constraint, Variable};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

fn item(variable: &Variable) -> f64 {
    variable.array().item().unwrap()
}

fn dense(elements: &[f64]) -> Gradient {
    Gradient::Dense(Tensor::from_vec([elements.len()], elements.to_vec()).unwrap())
}

fn sparse(indices: &[i64], values: &[f64], rows: usize) -> Gradient {
    let indices = Tensor::from_vec([indices.len()], indices.to_vec()).unwrap();
    let values = Tensor::from_vec([indices.len(), values.len() / indices.len()], values.to_vec()).unwrap();
    let width = values.shape()[1];
    IndexedSlices::new(indices, values, [rows, width]).unwrap().into()
}

// ---- an optimizer of one's own ----

/// RMSprop without options: `s += (1 - ρ)(g² - s); x -= lr g / √(s + ε)`
#[derive(Debug, Clone)]
struct Rms {
    learning_rate: Hyper,
    rho: Hyper,
}

impl Rms {
    fn read(reader: &mut Reader<'_>) -> Result<Box<dyn Rule>> {
        let learning_rate = reader.take_hyper("learning_rate")?.into();
        Ok(Box::new(Rms { learning_rate, rho: reader.take_hyper_or("rho", 0.5)?.into() }))
    }
}

impl ElementRule for Rms {
    const NAME: &'static str = "Rms";
    type Coeffs<F: Float> = (F, F);

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.learning_rate.named("learning_rate"), self.rho.named("rho").within(0.0, 1.0)]
    }
    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("rms").dtype(DType::F64)]
    }
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> (F, F) {
        (F::from_f64(step.learning_rate()), F::from_f64(1.0 - step.hyper("rho")))
    }
    #[inline(always)]
    fn element<F: Float>((rate, gain): (F, F), x: F, g: F, slots: &mut [F]) -> F {
        slots[0] += gain * (g * g - slots[0]);
        x - rate * g / (slots[0] + F::from_f64(1e-7)).sqrt()
    }
}

#[test]
fn an_own_optimizer_from_a_config() -> Result<()> {
    let own: &[Entry<Box<dyn Rule>>] = &[Entry { class_name: "Rms", build: Rms::read }];
    let rate = schedules::serialize(&ExponentialDecay::new(0.5, 1, 0.5));
    let config =
        Config::from_iter([("learning_rate".to_owned(), rate), ("clipvalue".to_owned(), 2.0.into())]);
    let mut opt =
        Optimizer::from_config_with("Rms", &config, rules::registry().with(own), schedules::registry())?;
    let x = Variable::new(1.0f32);
    let mut expected = (1.0f64, 0.0f64);
    for rate in [0.5, 0.25, 0.125] {
        opt.minimize(|| 10.0 * &x, &x)?;
        expected.1 += 0.5 * (4.0 - expected.1);
        expected.0 -= rate * 2.0 / (expected.1 + 1e-7).sqrt();
    }
    assert!((item(&x) - expected.0).abs() < 1e-6);
    let slot = opt.get_slot(&x, "rms")?;
    assert_eq!((slot.dtype(), item(&slot), slot.name()), (DType::F64, expected.1, "Rms/Variable/rms"));
    assert_eq!(opt.get_config()?["rho"], 0.5);
    Ok(())
}

/// Each variable moves by its gradient divided by the norm of all its elements.
#[derive(Debug)]
struct Normalized;

impl Rule for Normalized {
    fn class_name(&self) -> &str {
        "Normalized"
    }
    fn hypers(&self) -> Vec<NamedHyper> {
        vec![Hyper::Number(1.0).named("learning_rate")]
    }
    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("norm")]
    }
    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        for item in items {
            let gradient = item.gradient()?.to_vec::<f64>()?;
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            if norm > 1e6 {
                return Err(slalom_array::Error::other("too steep"));
            }
            let rate = steps[item.group()].learning_rate() / norm;
            item.slot(0).make_mut::<f64>()?.fill(norm);
            for (x, g) in item.value().make_mut::<f64>()?.iter_mut().zip(gradient) {
                *x -= rate * g;
            }
        }
        Ok(())
    }
}

#[test]
fn a_rule_of_whole_variables() -> Result<()> {
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 1.0])?);
    let table = Variable::new(Array::zeros([3, 1], DType::F64)?);
    let mut opt = Optimizer::new(Normalized)?;
    opt.apply_gradients([(dense(&[0.0, 4.0]), &x), (sparse(&[2, 0, 2], &[1.0, 0.0, 3.0], 3), &table)])?;
    assert_eq!(x.array().to_vec::<f64>()?, [1.0, 0.0]);
    assert_eq!(table.array().to_vec::<f64>()?, [0.0, 0.0, -1.0]);
    let before = (x.array().to_vec::<f64>()?, opt.get_slot(&x, "norm")?.array().to_vec::<f64>()?);
    let y = Variable::new(Array::zeros([1], DType::F64)?);
    assert_eq!(
        opt.apply_gradients([(dense(&[1.0, 0.0]), &x), (dense(&[1e7]), &y)]).unwrap_err().kind(),
        ErrorKind::Other
    );
    assert_eq!((x.array().to_vec::<f64>()?, opt.get_slot(&x, "norm")?.array().to_vec::<f64>()?), before);
    assert!(opt.get_slot(&y, "norm").is_err());
    assert_eq!((opt.weights().len(), item(opt.iterations())), (3, 1.0));
    Ok(())
}

// ---- minimize ----

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

// ---- user stages ----

#[test]
fn aggregator_and_transformers_run_in_order() -> Result<()> {
    let add = |amount: f64| {
        move |gradients: GradientList| -> Result<GradientList> {
            gradients.into_iter().map(|(g, v)| Ok(((g.to_dense()? + amount).into(), v))).collect()
        }
    };
    let double = |gradients: GradientList| -> GradientList {
        let twice = |g: Gradient| Gradient::Dense(g.to_dense().expect("dense") * 2.0);
        gradients.into_iter().map(|(g, v)| (twice(g), v)).collect()
    };
    let x = Variable::new(Array::from_vec([1], vec![0.0f64])?);
    let opt = Optimizer::new(Sgd::new(1.0))?.gradient_aggregator(add(100.0));
    let mut opt = opt.gradient_transformer(add(1.0))?.gradient_transformer(double)?;
    opt.apply_gradients([(dense(&[1.0]), &x)])?;
    assert_eq!(item(&x), -204.0);
    opt.apply_gradients_with([(dense(&[1.0]), &x)], &ApplyOptions::new().aggregate_gradients(false))?;
    assert_eq!(item(&x), -208.0);
    assert_eq!(opt.set_clipnorm(Some(1.0)).unwrap_err().kind(), ErrorKind::Argument);
    let clipped = Optimizer::new(Sgd::new(1.0))?.clipvalue(1.0)?;
    assert_eq!(clipped.gradient_transformer(double).unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}

/// Calls a closure.
struct By<F>(F);

impl<F> std::fmt::Debug for By<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("By")
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor> + Send + Sync> Constraint for By<F> {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        (self.0)(value)
    }
}

#[test]
fn constraints_follow_updates() -> Result<()> {
    let at_most = |limit: f64| By(move |value: &Tensor| Ok(value * 0.0 + value.item()?.min(limit)));
    let x = Variable::new(Array::from_vec([1], vec![0.0f64])?).constrained(at_most(1.5));
    let mut opt = Optimizer::new(Sgd::new(1.0))?;
    opt.apply_gradients([(dense(&[-1.0]), &x), (dense(&[-1.0]), &x), (dense(&[0.25]), &x)])?;
    assert_eq!(item(&x), 1.25);
    Ok(())
}

// ---- refusals ----

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
    assert_eq!(kind(sgd().global_clipnorm(f64::NAN)), ErrorKind::Argument);
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
