//! What configs and states must not lose.
use crate::common::item;
use serde_json::json;
use slalom_array::Result;
use slalom_optim::rules::Sgd;
use slalom_optim::schedules::ExponentialDecay;
use slalom_optim::{Group, Optimizer};
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
        .group(Group::matching("z").hyper("momentum", || 0.75))?;
    let config = opt.get_config()?;
    let groups = config["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[0]["hypers"]["learning_rate"]["class_name"], "ExponentialDecay");
    assert_eq!(groups[1]["hypers"], json!({"learning_rate": 0.25}));
    assert_eq!((&groups[1]["frozen"], &groups[2]["hypers"]), (&json!(true), &json!({"momentum": 0.75})));
    let mut again = Optimizer::from_config("SGD", &config)?;
    assert_eq!(again.get_config()?, config);
    let [x, y, z] = named(["x", "y", "z"]);
    for _ in 0..2 {
        again.minimize(|| &x + &y + &z, [&x, &y, &z])?;
    }
    // 0.5 (0.5 + 0.25), nothing, and 0.5 + 0.5 + 0.75 · 0.5.
    assert_eq!([&x, &y, &z].map(item), [0.625, 1.0, -0.375]);
    let mut wrong = config.clone();
    wrong["groups"][2]["hypers"]["momentum"] = json!("fast");
    let error = Optimizer::from_config("SGD", &wrong).unwrap_err();
    let text = "Group.from_config: expected a number or a schedule for `momentum`, got the string \"fast\"";
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
