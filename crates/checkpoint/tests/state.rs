//! What a state holds: all that a training remembers, each thing under a name of its own. What it lacks stays as it is.
use slalom_array::{Array, ErrorKind, Result};
use slalom_optim::Optimizer;
use slalom_optim::rules::{Lbfgs, Lookahead, Nadam, Sgd, TruncatedNewton};
use slalom_variable::Variable;

fn train(opt: &mut Optimizer, x: &Variable, steps: usize) -> Result<()> {
    (0..steps).try_for_each(|_| opt.minimize(|| (x * x).sum(), x).map(drop))
}

fn vector(name: &str) -> Result<Variable> {
    Ok(Variable::new(Array::from_vec([2], vec![1.0f32, 2.0])?).named(name))
}

#[test]
fn a_rule_around_another_needs_one_with_updates() {
    let around = [
        Lookahead::new(Lbfgs::new(1.0)),
        Lookahead::new(TruncatedNewton::new(1.0)),
        Lookahead::new(Lookahead::new(Sgd::new(0.1))),
    ];
    for rule in around {
        let error = Optimizer::new(rule).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        assert!(error.to_string().contains("Lookahead"), "{error}");
    }
}

#[test]
fn what_a_state_lacks_stays_as_it_is() -> Result<()> {
    let x = vector("x")?;
    let mut opt = Optimizer::new(Nadam::new(0.1))?.clipnorm(2.0)?;
    train(&mut opt, &x, 2)?;
    let saved = opt.state([&x])?;
    train(&mut opt, &x, 2)?;
    let live = opt.get_weights().iter().map(Array::to_vec::<f32>).collect::<Vec<_>>();
    let now = |opt: &Optimizer| opt.get_weights().iter().map(Array::to_vec::<f32>).collect::<Vec<_>>();
    assert_eq!(live.len(), 4);

    // Without the scalar.
    let mut state = saved.clone();
    let scalar = state.arrays.keys().find(|name| name.starts_with("scalars/")).cloned().expect("a scalar");
    state.arrays.remove(&scalar);
    let current = opt.state([&x])?;
    let restore = opt.prepare_restore([&x], &state)?;
    assert_eq!(restore.differences(), [format!("{scalar}: expected f32 [], got nothing")]);
    restore.commit();
    let after = now(&opt);
    assert_eq!(format!("{:?}", after[1]), format!("{:?}", live[1]), "the scalar stays");
    assert_ne!(format!("{:?}", after[2]), format!("{:?}", live[2]), "the slots have come back");
    opt.restore([&x], &current)?;
    assert_eq!(format!("{:?}", now(&opt)), format!("{live:?}"));

    // Without the list of weights, or with something else in its place: slots and scalars stay, and the training goes on.
    for wrong in [None, Some(serde_json::json!(7)), Some(serde_json::json!(["iterations", 7]))] {
        let mut state = saved.clone();
        state.values.remove("weights");
        state.values.extend(wrong.map(|value| ("weights".to_owned(), value)));
        let restore = opt.prepare_restore([&x], &state)?;
        assert!(restore.differences().iter().any(|line| line.starts_with("weights: expected")));
        restore.commit();
        assert_eq!(format!("{:?}", &now(&opt)[1..]), format!("{:?}", &live[1..]));
        opt.restore([&x], &current)?;
    }

    // Without a clip option.
    let mut state = saved.clone();
    let clip = state.values["clip"].as_object_mut().expect("an object");
    clip.remove("clipnorm");
    clip.insert("clipvalue".to_owned(), serde_json::json!(3.0));
    let restore = opt.prepare_restore([&x], &state)?;
    assert_eq!(restore.differences(), ["clip.clipnorm: expected a number or null, got nothing"]);
    restore.commit();
    assert_eq!((opt.get_clipnorm(), opt.get_clipvalue()), (Some(2.0), Some(3.0)));
    Ok(())
}

#[test]
fn clip_options_beside_transformers_are_a_difference() -> Result<()> {
    let x = vector("x")?;
    let state = Optimizer::new(Sgd::new(0.1))?.clipnorm(2.0)?.state([&x])?;
    let mut opt = Optimizer::new(Sgd::new(0.1))?.gradient_transformer(|list| list)?;
    let error = opt.restore([&x], &state).unwrap_err().to_string();
    assert!(error.contains("clip: expected no clip options beside gradient transformers, got"), "{error}");
    let restore = opt.prepare_restore([&x], &state)?;
    restore.commit();
    assert_eq!(opt.get_clipnorm(), None);
    Ok(())
}
