//! Restoring is strict, lists every difference, and changes all or nothing.
use slalom_array::{Array, DType, ErrorKind, Generator, Result};
use slalom_checkpoint::Checkpoint;
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::schedules::{ExponentialDecay, FnSchedule, ReduceOnPlateau};
use slalom_optim::{Group, Hyper, Optimizer};
use slalom_variable::Variable;

fn variable(name: &str, values: &[f32]) -> Variable {
    Variable::new(Array::from_slice([values.len()], values).unwrap()).named(name)
}

fn train(opt: &mut Optimizer, variables: &[&Variable], steps: usize) -> Result<()> {
    for _ in 0..steps {
        let loss = || variables.iter().map(|v| (*v * *v).sum()).reduce(|a, b| &a + &b).unwrap();
        opt.minimize(loss, variables)?;
    }
    Ok(())
}

/// The bits of everything.
fn bits(opt: &Optimizer, variables: &[&Variable]) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x");
    Checkpoint::new().optimizer(opt, variables)?.save(&path)?;
    Ok(std::fs::read(path)?)
}

#[test]
fn every_difference_is_listed_and_nothing_changes() -> Result<()> {
    let (w, b) = (variable("w", &[1.0, 2.0]), variable("b", &[3.0]));
    let mut opt = Optimizer::new(Adam::new(0.1))?;
    train(&mut opt, &[&w, &b], 3)?;
    let checkpoint = Checkpoint::new().optimizer(&opt, [&w, &b])?;

    let (w2, c) = (variable("w", &[5.0, 6.0, 7.0]), variable("c", &[8.0]));
    let mut other = Optimizer::new(Sgd::new(0.5).momentum(0.25).nesterov(true))?;
    train(&mut other, &[&w2, &c], 2)?;
    let before = bits(&other, &[&w2, &c])?;
    let error = checkpoint.restore().optimizer(&mut other, [&w2, &c])?.apply().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    let text = error.to_string();
    for line in [
        "variables/w: expected f32 [3], got f32 [2]",
        "variables/c: expected f32 [1], got nothing",
        "variables/b: expected nothing, got it",
        "optimizer.class_name: expected \"SGD\", got \"Adam\"",
        "optimizer.config: expected {\"nesterov\":true}, got {\"amsgrad\":false}",
        "hyperparameters.momentum: expected a hyperparameter, got nothing",
        "hyperparameters.beta_1: expected no such hyperparameter, got 0.9",
        "slots/w/m: expected nothing, got it",
        "slots/w/momentum: expected f32 [3], got nothing",
        "slots/b/v: expected nothing, got it",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(bits(&other, &[&w2, &c])? == before, "nothing has changed");
    Ok(())
}

#[test]
fn of_several_optimizers_all_change_or_none() -> Result<()> {
    let (g, d) = (variable("g", &[1.0]), variable("d", &[2.0]));
    let (mut first, mut second) = (Optimizer::new(Adam::new(0.1))?, Optimizer::new(Sgd::new(0.1))?);
    train(&mut first, &[&g], 2)?;
    train(&mut second, &[&d], 1)?;
    let noise = Generator::from_seed(3);
    let checkpoint = Checkpoint::new()
        .optimizer_named("generator", &first, [&g])?
        .optimizer_named("discriminator", &second, [&d])?
        .generator("noise", &noise);
    let (at_save, saved) = (bits(&first, &[&g])?, noise.state());
    train(&mut first, &[&g], 2)?;
    noise.reserve(100);
    let (later, drawn) = (bits(&first, &[&g])?, noise.state());

    let wrong = variable("wrong", &[2.0]);
    let restoration = checkpoint.restore().optimizer_named("generator", &mut first, [&g])?;
    let restoration = restoration.optimizer_named("discriminator", &mut second, [&wrong])?;
    let error = restoration.generator("noise", &noise).apply().unwrap_err().to_string();
    assert!(error.contains("optimizers/discriminator/variables/wrong: expected f32 [1]"), "{error}");
    assert!((bits(&first, &[&g])?, noise.state()) == (later, drawn));

    let folder = tempfile::tempdir()?;
    checkpoint.save(folder.path().join("both"))?;
    let loaded = Checkpoint::load(folder.path().join("both"))?;
    let restoration = loaded.restore().optimizer_named("generator", &mut first, [&g])?;
    let restoration = restoration.optimizer_named("discriminator", &mut second, [&d])?;
    restoration.generator("noise", &noise).apply()?;
    assert!((bits(&first, &[&g])?, noise.state()) == (at_save, saved));
    assert_eq!(
        Checkpoint::new().optimizer_named("a/b", &first, [&g]).unwrap_err().kind(),
        ErrorKind::Argument
    );
    Ok(())
}

#[test]
fn what_fits_can_be_taken_alone() -> Result<()> {
    let (w, head) = (variable("w", &[1.0, 2.0]), variable("head", &[3.0]));
    let mut opt = Optimizer::new(Sgd::new(0.25).momentum(0.5))?;
    train(&mut opt, &[&w, &head], 2)?;
    let checkpoint = Checkpoint::new().optimizer(&opt, [&w, &head])?;
    let saved = opt.get_slot(&w, "momentum")?.array().to_vec::<f32>()?;

    let (w2, head2) = (variable("w", &[0.0, 0.0]), variable("head", &[9.0, 9.0]));
    let mut fine = Optimizer::new(Sgd::new(0.125).momentum(0.5))?;
    let left = checkpoint.restore().optimizer(&mut fine, [&w2, &head2])?.apply_partial();
    assert_eq!(
        left,
        [
            "variables/head: expected f32 [2], got f32 [1]",
            "slots/head/momentum: expected f32 [2], got f32 [1]",
        ]
    );
    assert_eq!(w2.array().to_vec::<f32>()?, w.array().to_vec::<f32>()?);
    assert_eq!(head2.array().to_vec::<f32>()?, [9.0, 9.0]);
    assert_eq!(fine.get_slot(&w2, "momentum")?.array().to_vec::<f32>()?, saved);
    assert_eq!(fine.get_slot(&head2, "momentum")?.array().to_vec::<f32>()?, [0.0, 0.0]);
    assert_eq!((fine.learning_rate()?, fine.iterations().array().item()?), (0.25, 2.0));
    Ok(())
}

#[test]
fn hyperparameters_come_back_as_they_were() -> Result<()> {
    let (w, rate) = (variable("w", &[1.0]), Variable::new(0.5f64).named("rate"));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x");
    let mut opt = Optimizer::new(Sgd::new(0.1).momentum(&rate))?.decay(0.25)?.clipvalue(2.0)?;
    opt.set("learning_rate", ExponentialDecay::new(0.01, 20, 0.5))?;
    Checkpoint::new().optimizer(&opt, [&w])?.save(&path)?;
    let checkpoint = Checkpoint::load(&path)?;

    rate.assign(slalom_autograd::Tensor::from(Array::scalar(0.75f64)))?;
    let mut other = Optimizer::new(Sgd::new(0.2).momentum(&rate))?.clipnorm(1.0)?;
    checkpoint.restore().optimizer(&mut other, [&w])?.apply()?;
    assert_eq!((rate.value().item()?, other.get("decay")?), (0.5, 0.25));
    assert_eq!((other.get_clipvalue(), other.get_clipnorm()), (Some(2.0), None));
    assert!(matches!(other.get_hyper("learning_rate")?, Hyper::Schedule(s) if s.value(20) == 0.005));

    // A closure cannot be loaded, and must be there.
    let mut own = Optimizer::new(Sgd::new(|| 0.1).momentum(0.5))?;
    let error = checkpoint.restore().optimizer(&mut own, [&w])?.apply().unwrap_err().to_string();
    assert!(error.contains("hyperparameters.learning_rate: expected a callable"), "{error}");
    assert!(error.contains("hyperparameters.momentum: expected a number or a schedule"), "{error}");
    let of_own = Checkpoint::new().optimizer(&own, [&w])?;
    of_own.restore().optimizer(&mut own, [&w])?.apply()?;
    // So must a schedule of one's own; one that is equal stays.
    let schedule = || FnSchedule::new("Own", |step| 1.0 / (step + 1) as f64);
    let mut own = Optimizer::new(Sgd::new(schedule()))?;
    let of_own = Checkpoint::new().optimizer(&own, [&w])?;
    of_own.restore().optimizer(&mut own, [&w])?.apply()?;
    let mut number = Optimizer::new(Sgd::new(0.1))?;
    let error = of_own.restore().optimizer(&mut number, [&w])?.apply().unwrap_err().to_string();
    assert!(error.contains("learning_rate: expected a known schedule"), "{error}");
    Ok(())
}

#[test]
fn an_earlier_state_comes_back_whole() -> Result<()> {
    let (w, late) = (variable("w", &[1.0, 2.0]), variable("late", &[3.0]));
    let mut opt = Optimizer::new(Adam::new(0.1))?;
    let unbuilt = Checkpoint::new().optimizer(&opt, [&w, &late])?;
    train(&mut opt, &[&w], 2)?;
    let early = Checkpoint::new().optimizer(&opt, [&w, &late])?;
    train(&mut opt, &[&late, &w], 2)?;
    let all = Checkpoint::new().optimizer(&opt, [&w, &late])?;
    let names = |opt: &Optimizer| opt.weights().iter().map(|v| v.name().to_owned()).collect::<Vec<_>>();
    let order = names(&opt);
    assert_eq!(order.len(), 5);
    // The optimizer has updated a variable that is not listed.
    let error = Checkpoint::new().optimizer(&opt, [&w]).unwrap_err().to_string();
    assert!(error.contains("late"), "{error}");

    early.restore().optimizer(&mut opt, [&w, &late])?.apply()?;
    assert_eq!((opt.weights().len(), opt.iterations().array().item()?), (3, 2.0));
    unbuilt.restore().optimizer(&mut opt, [&w, &late])?.apply()?;
    assert_eq!((opt.weights().len(), w.array().to_vec::<f32>()?), (1, vec![1.0, 2.0]));
    all.restore().optimizer(&mut opt, [&w, &late])?.apply()?;
    assert_eq!(names(&opt), order, "weights are in the order of their creation");
    Ok(())
}

#[test]
fn variables_of_one_name_are_told_apart_by_their_order() -> Result<()> {
    let [a, b] = [1.0f32, 2.0].map(Variable::new);
    let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.5))?;
    train(&mut opt, &[&a, &b], 1)?;
    let checkpoint = Checkpoint::new().optimizer(&opt, [&a, &b])?;
    let values = [&a, &b].map(|v| v.array().item().unwrap());
    a.assign(slalom_autograd::Tensor::from(Array::scalar(0.0f32)))?;
    checkpoint.restore().optimizer(&mut opt, [&a, &b])?.apply()?;
    assert_eq!([&a, &b].map(|v| v.array().item().unwrap()), values);
    assert_eq!(a.dtype(), DType::F32);
    Ok(())
}

/// Which groups are frozen, and what their schedules and variables remember, comes back; another number of groups does not fit.
#[test]
fn groups_come_back_as_they_were() -> Result<()> {
    let make = |rate: f32| -> Result<(Optimizer, Variable)> {
        let rate = variable("rate", &[rate]);
        let opt = Optimizer::new(Sgd::new(0.1))?
            .group(Group::matching("w").hyper("learning_rate", ReduceOnPlateau::new(0.5).patience(0)))?
            .group(Group::matching("b").hyper("learning_rate", rate.clone()))?;
        Ok((opt, rate))
    };
    let (w, b) = (variable("w", &[1.0]), variable("b", &[3.0]));
    let (mut opt, rate) = make(0.25)?;
    train(&mut opt, &[&w, &b], 1)?;
    (0..3).try_for_each(|_| opt.observe(1.0))?;
    opt.set_frozen(1, true)?;
    let checkpoint = Checkpoint::new().optimizer(&opt, [&w, &b])?;
    let expected = bits(&opt, &[&w, &b])?;

    let (w2, b2) = (variable("w", &[0.0]), variable("b", &[0.0]));
    let (mut other, other_rate) = make(0.75)?;
    checkpoint.restore().optimizer(&mut other, [&w2, &b2])?.apply()?;
    assert_eq!(bits(&other, &[&w2, &b2])?, expected);
    assert_eq!(other_rate.array().to_vec::<f32>()?, rate.array().to_vec::<f32>()?);
    train(&mut opt, &[&w, &b], 2)?;
    train(&mut other, &[&w2, &b2], 2)?;
    assert_eq!(bits(&other, &[&w2, &b2])?, bits(&opt, &[&w, &b])?);
    assert_eq!(b2.array().to_vec::<f32>()?, b.array().to_vec::<f32>()?);

    let mut none = Optimizer::new(Sgd::new(0.1))?;
    let error = checkpoint.restore().optimizer(&mut none, [&w2, &b2])?.apply().unwrap_err().to_string();
    assert!(error.contains("stages.frozen_groups: expected nothing, got [false,true]"), "{error}");
    Ok(())
}
