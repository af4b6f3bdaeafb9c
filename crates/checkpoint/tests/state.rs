//! What a state holds: all that a training remembers, each thing under a name of its own. What it lacks stays as it is.
use slalom_array::{Array, ErrorKind, Result};
use slalom_checkpoint::Checkpoint;
use slalom_optim::rules::{Lbfgs, Lookahead, Nadam, Sgd, TruncatedNewton};
use slalom_optim::{Hyper, Item, NamedHyper, Optimizer, Rule, SlotSpec, Step};
use slalom_variable::Variable;

fn train(opt: &mut Optimizer, x: &Variable, steps: usize) -> Result<()> {
    (0..steps).try_for_each(|_| opt.minimize(|| (x * x).sum(), x).map(drop))
}

fn vector(name: &str) -> Result<Variable> {
    Ok(Variable::new(Array::from_vec([2], vec![1.0f32, 2.0])?).named(name))
}

/// The bits of everything.
fn bits(opt: &Optimizer, variables: &[&Variable]) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("x");
    Checkpoint::new().optimizer(opt, variables)?.save(&path)?;
    Ok(std::fs::read(path)?)
}

#[test]
fn within_averaged_the_state_is_that_of_the_training() -> Result<()> {
    let (x, idle) = (vector("x")?, vector("idle")?);
    let mut opt = Optimizer::new(Sgd::new(0.1).momentum(0.5))?.use_ema(0.75)?;
    train(&mut opt, &x, 3)?;
    let (expected, value) = (bits(&opt, &[&x, &idle])?, x.array().to_vec::<f32>()?);
    let (outer, inner) = opt.averaged(|| -> Result<_> {
        assert_ne!(x.array().to_vec::<f32>()?, value, "the variable has the value of its average");
        Ok((bits(&opt, &[&x, &idle])?, opt.averaged(|| bits(&opt, &[&x, &idle]))??))
    })??;
    assert!(outer == expected && inner == expected && bits(&opt, &[&x, &idle])? == expected);
    Ok(())
}

/// A rule with these names, which does nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    slots: &'static [&'static str],
    scalars: &'static [&'static str],
    hypers: &'static [&'static str],
}

impl Rule for Named {
    fn class_name(&self) -> &str {
        "Named"
    }
    fn hypers(&self) -> Vec<NamedHyper> {
        self.hypers.iter().map(|name| Hyper::Number(0.5).named(name)).collect()
    }
    fn slots(&self) -> Vec<SlotSpec> {
        self.slots.iter().copied().map(SlotSpec::new).collect()
    }
    fn scalars(&self) -> Vec<SlotSpec> {
        self.scalars.iter().copied().map(SlotSpec::new).collect()
    }
    fn update(&self, _: &mut [Step<'_>], _: &mut [Item<'_>]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn names_that_repeat_are_refused() -> Result<()> {
    let good = Named { slots: &["m", "average"], scalars: &["m"], hypers: &["learning_rate", "m"] };
    for (rule, name) in [
        (Named { slots: &["m", "v", "m"], ..good }, "\"m\""),
        (Named { slots: &["a/b"], ..good }, "\"a/b\""),
        (Named { scalars: &["t", "u", "u"], ..good }, "\"u\""),
        (Named { hypers: &["beta", "rate", "beta"], ..good }, "\"beta\""),
    ] {
        let error = Optimizer::new(rule).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = Optimizer::new(Lookahead::new(Named { slots: &["slow"], ..good })).unwrap_err();
    assert!(error.to_string().contains("\"slow\""), "{error}");

    // Slots of stages stand beside those of the rule.
    let error = Optimizer::new(good)?.use_ema(0.5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(error.to_string().contains("\"average\""), "{error}");
    const OF_STAGES: [&[&str]; 2] = [&["gradient_accumulator"], &["accumulated_rows"]];
    for slots in OF_STAGES {
        let error = Optimizer::new(Named { slots, ..good })?.gradient_accumulation_steps(2).unwrap_err();
        assert!(error.to_string().contains(slots[0]), "{error}");
    }
    // An option that is given again keeps its slot.
    let x = vector("x")?;
    let mut opt = Optimizer::new(Sgd::new(0.1))?.use_ema(0.5)?.use_ema(0.75)?;
    opt = opt.gradient_accumulation_steps(2)?.gradient_accumulation_steps(3)?;
    train(&mut opt, &x, 3)?;
    assert_eq!(opt.get_slot_names(), ["average", "gradient_accumulator", "accumulated_rows"]);
    Ok(())
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
