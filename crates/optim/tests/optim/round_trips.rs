//! What configs and states must not lose.
use crate::common::item;
use serde_json::{Value, json};
use slalom_array::{ErrorKind, Float, Result};
use slalom_optim::config::{Dialect, Entry, object};
use slalom_optim::rules::{self, Adam, Lookahead, Nadam, Sgd};
use slalom_optim::schedules::{self, ExponentialDecay, FnSchedule, Schedule};
use slalom_optim::{
    ElementRule, GradientList, Group, Hyper, Loader, NamedHyper, Optimizer, Rule, Step, Transformer,
};
use slalom_variable::Variable;

fn named<const N: usize>(names: [&str; N]) -> [Variable; N] {
    names.map(|name| Variable::new(1.0f64).named(name))
}

/// A group with hyperparameters of any kind is in the config, with its factor and whether it is frozen.
#[test]
fn groups_keep_schedules_and_values() -> Result<()> {
    let rate = Variable::new(0.25f64);
    let opt = Optimizer::new(Sgd::new(0.5))?
        .group(
            Group::matching("x")
                .hyper("learning_rate", ExponentialDecay::new(0.5, 1, 0.5))
                .learning_rate_factor(0.5),
        )?
        .group(Group::matching("y").hyper("learning_rate", &rate).frozen(true))?
        .group(Group::matching("z").hyper("weight_decay", || 0.5))?;
    let config = opt.get_config()?;
    let groups = config["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[0]["hypers"]["learning_rate"]["class_name"], "ExponentialDecay");
    assert_eq!(groups[1]["hypers"], json!({"learning_rate": 0.25}));
    assert_eq!((&groups[1]["frozen"], &groups[2]["hypers"]), (&json!(true), &json!({"weight_decay": 0.5})));
    let mut again = Optimizer::from_config("SGD", &config)?;
    assert_eq!(again.get_config()?, config);
    let [x, y, z] = named(["x", "y", "z"]);
    for _ in 0..2 {
        again.minimize(|| &x + &y + &z, [&x, &y, &z])?;
    }
    // 0.5 (0.5 + 0.25), nothing, and 0.5 twice after a quarter less.
    assert_eq!([&x, &y, &z].map(item), [0.625, 1.0, -0.3125]);
    let mut wrong = config.clone();
    wrong["groups"][2]["hypers"]["weight_decay"] = json!("fast");
    let error = Optimizer::from_config("SGD", &wrong).unwrap_err();
    let text =
        "Group.from_config: expected a number or a schedule for `weight_decay`, got the string \"fast\"";
    assert_eq!(error.to_string(), text);
    Ok(())
}

/// A state fits only groups of the same variables, factors and hyperparameters; what variables and closures are worth now does not
/// count.
#[test]
fn states_tell_groups_apart() -> Result<()> {
    let differences = |saved: fn([&Variable; 2]) -> Group, loaded: fn([&Variable; 2]) -> Group| {
        let make = |group: fn([&Variable; 2]) -> Group| -> Result<_> {
            let [v, w] = named(["v", "w"]);
            let group = group([&v, &w]);
            Ok((Optimizer::new(Sgd::new(0.5))?.group(group)?, v, w))
        };
        let (mut first, v, w) = make(saved)?;
        first.minimize(|| &v + &w, [&v, &w])?;
        let state = first.state([&v, &w])?;
        let (mut second, v, w) = make(loaded)?;
        second.prepare_restore([&v, &w], &state).map(|restore| restore.differences().len())
    };
    type Make = fn([&Variable; 2]) -> Group;
    let apart: [(Make, Make); 6] = [
        (
            |[_, w]| Group::of([w]).learning_rate_factor(0.5),
            |[_, w]| Group::of([w]).learning_rate_factor(0.1),
        ),
        (|[_, w]| Group::of([w]), |[v, _]| Group::of([v])),
        (|[_, w]| Group::of([w]), |_| Group::matching("w")),
        (|[_, w]| Group::of([w]).hyper("momentum", 0.5), |[_, w]| Group::of([w]).hyper("momentum", 0.25)),
        (|_| Group::matching("w").hyper("momentum", || 0.5), |_| Group::matching("w").hyper("momentum", 0.5)),
        (
            |_| Group::matching("w").hyper("learning_rate", ExponentialDecay::new(0.5, 1, 0.5)),
            |_| Group::matching("w").hyper("learning_rate", ExponentialDecay::new(0.25, 1, 0.5)),
        ),
    ];
    for (i, (saved, loaded)) in apart.into_iter().enumerate() {
        assert_eq!(differences(saved, loaded)?, 1, "{i}");
        assert_eq!((differences(saved, saved)?, differences(loaded, loaded)?), (0, 0), "{i}");
    }
    let same = differences(
        |[_, w]| Group::of([w]).hyper("momentum", || 0.5).frozen(true),
        |[_, w]| Group::of([w]).hyper("momentum", || 0.25),
    );
    assert_eq!(same?, 0);
    Ok(())
}

/// The reference takes an ε of 0 for its default, Keras 3 does not.
#[test]
fn an_epsilon_of_0_is_0_in_keras_3() -> Result<()> {
    for class in ["RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"] {
        let config = object([("epsilon", json!(0.0)), ("use_ema", json!(false))]);
        let opt = Optimizer::from_config(class, &config)?;
        assert_eq!((opt.get("epsilon")?, &opt.get_config()?["epsilon"]), (0.0, &json!(0.0)), "{class}");
    }
    // Elsewhere it can be set, and a step of Adam without ε is as long as the learning rate.
    let x = Variable::new(1.0f64);
    let mut opt = Optimizer::new(Adam::new(0.25).epsilon(0.0))?;
    assert_eq!(opt.get("epsilon")?, 1e-7);
    opt.set("epsilon", 0.0)?;
    opt.minimize(|| 1e-9 * &x, &x)?;
    assert!((item(&x) - 0.75).abs() < 1e-12);
    Ok(())
}

#[test]
fn no_weight_decay_is_printed_as_it_was_read() -> Result<()> {
    for class in ["SGD", "Adam", "Nadam", "AdamW", "Lion", "Lamb", "Adafactor", "Muon"] {
        for none in [json!(null), json!(0.0)] {
            let mut opt = Optimizer::from_config(class, &object([("weight_decay", none.clone())]))?;
            assert_eq!(opt.get("weight_decay")?, 0.0, "{class}");
            let config = opt.get_config()?;
            assert_eq!(config["weight_decay"], none, "{class}");
            assert!(!config.contains_key("decay"), "{class}: {config:?}");
            assert_eq!(Optimizer::from_config(class, &config)?.get_config()?, config, "{class}");
            opt.set("weight_decay", 0.5)?;
            assert_eq!(opt.get_config()?["weight_decay"], json!(0.5), "{class}");
        }
    }
    Ok(())
}

#[test]
fn nadam_is_of_the_dialect_that_the_caller_names() -> Result<()> {
    let bare = object([("learning_rate", json!(0.5))]);
    let decay = |dialect| Loader::new().dialect(dialect).from_config("Nadam", &bare)?.get("decay");
    assert_eq!((decay(Dialect::Legacy)?, decay(Dialect::Keras3)?), (0.004, 1.0));
    let mut averaged = bare.clone();
    averaged.insert("use_ema".to_owned(), json!(false));
    assert_eq!(Optimizer::from_config("Nadam", &averaged)?.get("decay")?, 1.0);
    Ok(())
}

#[test]
fn nadam_refuses_schedules_wherever_they_come_from() -> Result<()> {
    let rate = || ExponentialDecay::new(0.5, 1, 0.5);
    let mut opt = Optimizer::new(Nadam::new(0.1))?;
    let errors = [
        Optimizer::new(Nadam::new(rate())).unwrap_err(),
        Optimizer::new(Lookahead::new(Nadam::new(rate()))).unwrap_err(),
        opt.set("learning_rate", rate()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(
            (error.kind(), error.expected()),
            (ErrorKind::Argument, "no schedule, which the rule does not support")
        );
    }
    Ok(())
}

/// `x -= rate`
#[derive(Debug, Clone)]
struct Walk {
    rate: Hyper,
}

impl ElementRule for Walk {
    const NAME: &'static str = "Walk";
    type Coeffs<F: Float> = F;
    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.rate.named("learning_rate")]
    }
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> F {
        F::from_f64(step.learning_rate())
    }
    #[inline(always)]
    fn element<F: Float>(rate: F, x: F, _: F, _: &mut [F]) -> F {
        x - rate
    }
}

const RULES: &[Entry<Box<dyn Rule>>] = &[
    Entry {
        class_name: "Walk",
        build: |r| Ok(Box::new(Walk { rate: r.take_hyper("learning_rate")?.into() })),
    },
    Entry { class_name: "far>Walk", build: |_| Ok(Box::new(Walk { rate: Hyper::Number(8.0) })) },
];
const SCHEDULES: &[Entry<Box<dyn Schedule>>] = &[
    Entry { class_name: "Half", build: |_| Ok(Box::new(FnSchedule::new("Half", |_| 0.5))) },
    Entry { class_name: "low>Half", build: |_| Ok(Box::new(FnSchedule::new("Half", |_| 0.25))) },
];
const TRANSFORMERS: &[Entry<Transformer>] =
    &[Entry { class_name: "own>Same", build: |_| Ok(Transformer::new(|list: GradientList| list)) }];

fn loader() -> Loader<'static> {
    let (rules, schedules) = (rules::registry().with(RULES), schedules::registry().with(SCHEDULES));
    Loader::new().rules(rules).schedules(schedules).transformers(TRANSFORMERS)
}

#[test]
fn lookahead_finds_own_rules() -> Result<()> {
    let config = Optimizer::new(Lookahead::new(Walk { rate: Hyper::Number(2.0) }))?.get_config()?;
    assert_eq!(config["inner"], "Walk");
    let mut opt = loader().from_config("Lookahead", &config)?;
    assert_eq!(opt.get_config()?, config);
    let x = Variable::new(1.0f64);
    opt.minimize(|| 1.0 * &x, &x)?;
    assert_eq!(item(&x), -1.0);
    Ok(())
}

/// The registered name goes before that of the class, and the envelope is printed as it was.
#[test]
fn registered_names_find_classes_and_come_back() -> Result<()> {
    let envelope = |module: Value, class: &str, registered: &str, config: Value| json!({"module": module, "class_name": class, "registered_name": registered, "config": config});
    let half = envelope(json!("m"), "Half", "low>Half", json!({}));
    let same = envelope(json!("n"), "Same", "own>Same", json!({}));
    let walk = json!({"learning_rate": half, "gradient_transformers": [same]});
    let opt = loader().deserialize(&envelope(json!("o"), "Walk", "Walk", walk.clone()))?;
    let json = opt.serialize()?;
    assert_eq!((opt.learning_rate()?, &json["config"]["learning_rate"]), (0.25, &half));
    assert_eq!(json["config"]["gradient_transformers"], json!([same]));
    assert_eq!((&json["module"], &json["registered_name"]), (&json!("o"), &json!("Walk")));
    assert_eq!(loader().deserialize(&json)?.serialize()?, json);

    let far = envelope(json!(null), "Walk", "far>Walk", json!({}));
    let opt = loader().deserialize(&far)?;
    assert_eq!((opt.learning_rate()?, &opt.serialize()?["registered_name"]), (8.0, &json!("far>Walk")));
    // A registered name that nobody knows leaves that of the class.
    let near = envelope(json!("o"), "Walk", "near>Walk", walk);
    let wrapped = json!({"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": near}});
    let json = loader().deserialize(&wrapped)?.serialize()?;
    let inner = &json["config"]["inner_optimizer"];
    assert_eq!((&inner["module"], &inner["registered_name"]), (&json!("o"), &json!("near>Walk")));
    // What is made under a registered name is printed so.
    let json = schedules::serialize(&FnSchedule::new("low>Half", |_| 0.25));
    assert_eq!((&json["class_name"], &json["registered_name"]), (&json!("Half"), &json!("low>Half")));
    Ok(())
}
