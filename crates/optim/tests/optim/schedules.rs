//! The schedules against the values that TensorFlow computed, and what they refuse.
use serde_json::{Value, json};
use slalom_array::ErrorKind;
use slalom_optim::schedules::{
    self, Constant, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, LinearWarmup,
    OneCycle, PiecewiseConstantDecay, PolynomialDecay, ReduceOnPlateau, Schedule, Sequence, StepDecay,
};
use std::collections::BTreeMap;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/schedules.json");

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(GOLDEN).unwrap()).unwrap()
}

/// The worst `|got - want| / (atol + rtol * |want|)` of a case.
fn excess(case: &Value, tolerance: &Value) -> f64 {
    let json = json!({"class_name": case["class_name"], "config": case["config"]});
    let schedule = schedules::deserialize(&json).unwrap();
    let [rtol, atol] = ["rtol", "atol"].map(|key| tolerance[key].as_f64().unwrap());
    let steps = case["steps"]["data"].as_array().unwrap();
    let values = case["values"]["data"].as_array().unwrap();
    assert_eq!(steps.len(), values.len());
    let excess = |(step, want): (&Value, &Value)| {
        let (got, want) = (schedule.value(step.as_i64().unwrap()), want.as_f64().unwrap());
        let excess = (got - want).abs() / (atol + rtol * want.abs());
        assert!(excess <= 1.0, "{} at step {step}: expected {want}, got {got}", case["id"]);
        excess
    };
    steps.iter().zip(values).map(excess).fold(0.0, f64::max)
}

#[test]
fn values_are_those_of_tensorflow() {
    let golden = golden();
    let mut judged = BTreeMap::<&str, usize>::new();
    for case in golden["cases"].as_array().unwrap() {
        if case["informational"] == true {
            continue;
        }
        let dtype = case["dtype"].as_str().unwrap();
        let tolerance = case.get("tol").unwrap_or(&golden["tolerance"]);
        let worst = excess(case, &tolerance[dtype]);
        println!("{}: {worst:.3} of the tolerance", case["id"]);
        *judged.entry(case["class_name"].as_str().unwrap()).or_default() += 1;
    }
    let mut registered: Vec<_> =
        schedules::registry().entries().map(|entry| entry.class_name).take(6).collect();
    registered.sort();
    assert_eq!(judged.values().sum::<usize>(), 96);
    assert_eq!(judged.keys().copied().collect::<Vec<_>>(), registered);
}

#[test]
fn configs_of_tensorflow_come_back_unchanged() {
    for case in golden()["cases"].as_array().unwrap() {
        let json = json!({
            "module": "keras.optimizers.schedules",
            "class_name": case["class_name"],
            "config": case["config"],
            "registered_name": null,
        });
        let schedule = schedules::deserialize(&json).unwrap();
        assert_eq!(schedules::serialize(&*schedule), json, "{}", case["id"]);
    }
}

/// At a restart the new period has begun, also where the restart is not a number of f64.
#[test]
fn restarts_start_a_period() {
    for t_mul in [1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0] {
        let first = 1_000_000;
        let schedule = CosineDecayRestarts::new(1.0, first).t_mul(t_mul).m_mul(0.5).alpha(0.125);
        let mut start = 0.0;
        for i in 0..8 {
            let step = (start * f64::from(first)).round();
            if (start * f64::from(first) - step).abs() < 1e-6 {
                let want = 0.875 * 0.5f64.powi(i) + 0.125;
                let got = schedule.value(step as i64);
                assert!((got - want).abs() < 1e-9, "t_mul {t_mul}, restart {i}: expected {want}, got {got}");
            }
            start += f64::powi(t_mul, i);
        }
    }
}

#[test]
fn cycles_stay_finite() {
    for decay_steps in [0.1, 0.3, 0.7, 1.1, 2.9] {
        let schedule = PolynomialDecay::new(0.5, decay_steps).power(0.5).cycle(true);
        assert!((0..10_000).all(|step| schedule.value(step).is_finite()), "decay_steps {decay_steps}");
    }
}

#[test]
fn arguments_that_are_not_allowed_are_errors() {
    let refused: &[(&str, Box<dyn Schedule>)] = &[
        ("decay_steps > 0, got 0", Box::new(ExponentialDecay::new(0.1, 0, 0.5))),
        ("decay_steps > 0, got -3", Box::new(InverseTimeDecay::new(0.1, -3, 0.5))),
        ("decay_steps > 0, got NaN", Box::new(PolynomialDecay::new(0.1, f64::NAN))),
        ("decay_steps > 0, got 0", Box::new(CosineDecay::new(0.1, 0))),
        ("warmup_steps >= 0, got -1", Box::new(CosineDecay::new(0.1, 1).warmup(0.2, -1))),
        ("first_decay_steps > 0, got 0", Box::new(CosineDecayRestarts::new(0.1, 0))),
        ("t_mul > 0, got 0", Box::new(CosineDecayRestarts::new(0.1, 1).t_mul(0.0))),
        ("drop_every > 0, got 0", Box::new(StepDecay::new(0.1, 0))),
        ("total_steps > 0, got 0", Box::new(OneCycle::new(0.1, 0))),
        ("pct_start from 0 to 1, got 1.5", Box::new(OneCycle::new(0.1, 10).pct_start(1.5))),
        ("div_factor > 0, got 0", Box::new(OneCycle::new(0.1, 10).div_factor(0.0))),
        ("final_div_factor > 0, got -1", Box::new(OneCycle::new(0.1, 10).final_div_factor(-1.0))),
        ("warmup_steps >= 0, got -1", Box::new(LinearWarmup::new(Constant::new(0.1), -1))),
        (
            "boundaries in ascending order, got [9,3]",
            Box::new(
                Sequence::new(Constant::new(0.1)).then(9, Constant::new(0.2)).then(3, Constant::new(0.3)),
            ),
        ),
        ("factor < 1, got 1", Box::new(ReduceOnPlateau::new(0.1).factor(1.0))),
        ("patience >= 0, got -1", Box::new(ReduceOnPlateau::new(0.1).patience(-1))),
        ("cooldown >= 0, got -1", Box::new(ReduceOnPlateau::new(0.1).cooldown(-1))),
        ("a finite initial_learning_rate, got NaN", Box::new(ExponentialDecay::new(f64::NAN, 10, 0.5))),
        ("a finite decay_rate, got inf", Box::new(ExponentialDecay::new(0.1, 10, f64::INFINITY))),
        ("a finite decay_steps, got inf", Box::new(InverseTimeDecay::new(0.1, f64::INFINITY, 0.5))),
        ("a finite power, got NaN", Box::new(PolynomialDecay::new(0.1, 10).power(f64::NAN))),
        ("a finite alpha, got NaN", Box::new(CosineDecay::new(0.1, 10).alpha(f64::NAN))),
        ("a finite warmup_target, got inf", Box::new(CosineDecay::new(0.1, 1).warmup(f64::INFINITY, 1))),
        ("a finite m_mul, got NaN", Box::new(CosineDecayRestarts::new(0.1, 1).m_mul(f64::NAN))),
        ("a finite learning_rate, got NaN", Box::new(Constant::new(f64::NAN))),
        ("a finite drop, got NaN", Box::new(StepDecay::new(0.1, 1).drop(f64::NAN))),
        ("a finite max_learning_rate, got -inf", Box::new(OneCycle::new(f64::NEG_INFINITY, 10))),
        (
            "a finite initial_learning_rate, got NaN",
            Box::new(LinearWarmup::new(Constant::new(0.1), 1).initial_learning_rate(f64::NAN)),
        ),
        (
            "a finite boundary, got inf",
            Box::new(Sequence::new(Constant::new(0.1)).then(f64::INFINITY, Constant::new(0.2))),
        ),
        ("a finite min_delta, got NaN", Box::new(ReduceOnPlateau::new(0.1).min_delta(f64::NAN))),
        ("a finite value, got NaN", Box::new(PiecewiseConstantDecay::new([1], [1.0, f64::NAN]))),
        ("at least one boundary, got none", Box::new(PiecewiseConstantDecay::new([0; 0], [1.0]))),
        (
            "one value more than boundaries, got 2 boundaries and 2 values",
            Box::new(PiecewiseConstantDecay::new([1, 2], [1.0, 2.0])),
        ),
        (
            "boundaries in ascending order, got [10,5]",
            Box::new(PiecewiseConstantDecay::new([10, 5], [1.0, 2.0, 3.0])),
        ),
    ];
    for (expected, schedule) in refused {
        let text = format!("{}: expected {expected}", schedule.class_name());
        let error = schedule.validate().unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Argument, text.clone()));
        // What cannot be used cannot be loaded either.
        let error = schedules::deserialize(&schedules::serialize(schedule)).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Argument, text));
    }
}

/// What the reference accepts, odd as it is, is accepted here.
#[test]
fn arguments_that_are_allowed() {
    let allowed: &[Box<dyn Schedule>] = &[
        Box::new(ExponentialDecay::new(-0.1, 0.5, 2.0)),
        Box::new(PiecewiseConstantDecay::new([5, 5], [1.0, 2.0, 3.0])),
        Box::new(PiecewiseConstantDecay::new([2.5], [1.0, 2.0])),
        Box::new(CosineDecay::new(0.1, 10).alpha(2.0).warmup(0.0, 0)),
        Box::new(CosineDecayRestarts::new(0.1, 10).t_mul(0.5)),
    ];
    for schedule in allowed {
        schedule.validate().unwrap();
        assert!(schedule.value(3).is_finite());
    }
}

/// An error within a schedule that is made of others is found as well.
#[test]
fn parts_are_checked() {
    let warmup = LinearWarmup::new(ExponentialDecay::new(0.1, 0, 0.5), 10);
    assert_eq!(
        warmup.validate().unwrap_err().to_string(),
        "ExponentialDecay: expected decay_steps > 0, got 0"
    );
    let sequence = Sequence::new(Constant::new(0.1)).then(3, warmup);
    assert_eq!(sequence.validate().unwrap_err().kind(), ErrorKind::Argument);
}

/// Up and down: the ends of the phases and their middles, by hand.
#[test]
fn one_cycle_goes_up_and_down() {
    let close = |got: f64, want: f64| assert!((got - want).abs() <= 1e-15, "expected {want}, got {got}");
    for (linear, three_quarters) in [(false, 0.25 + 0.75 * (1.0 + 0.5f64.sqrt()) / 2.0), (true, 0.8125)] {
        // The top is at step 0.25 * 100 - 1 = 24; from there it takes 75 steps down.
        let cycle =
            OneCycle::new(1.0, 100).pct_start(0.25).div_factor(4.0).final_div_factor(10.0).linear(linear);
        close(cycle.value(0), 0.25);
        close(cycle.value(12), 0.625);
        close(cycle.value(18), three_quarters);
        close(cycle.value(24), 1.0);
        close(cycle.value(49), if linear { 1.0 - 0.975 / 3.0 } else { 0.025 + 0.975 * 0.75 });
        close(cycle.value(99), 0.025);
        close(cycle.value(1000), 0.025);
        // Down to the initial value at 2 * 24 = 48, then 51 steps to the end.
        let cycle = cycle.three_phase(true);
        close(cycle.value(24), 1.0);
        close(cycle.value(36), 0.625);
        close(cycle.value(48), 0.25);
        close(cycle.value(65), if linear { 0.25 - 0.225 / 3.0 } else { 0.025 + 0.225 * 0.75 });
        close(cycle.value(99), 0.025);
    }
}

#[test]
fn schedules_in_turn_count_from_their_own_start() {
    let schedule = LinearWarmup::new(
        Sequence::new(Constant::new(8.0))
            .then(4, StepDecay::new(4.0, 2).drop(0.5))
            .then(8.5, Constant::new(0.5)),
        4,
    )
    .initial_learning_rate(4.0);
    let values: Vec<f64> = (0..14).map(|step| schedule.value(step)).collect();
    assert_eq!(values, [4.0, 5.0, 6.0, 7.0, 8.0, 8.0, 8.0, 8.0, 4.0, 4.0, 2.0, 2.0, 1.0, 0.5]);
}

/// The callback's rules, step by step.
#[test]
fn plateaus() {
    let plateau =
        ReduceOnPlateau::new(1.0).factor(0.5).patience(2).cooldown(1).min_delta(0.1).min_learning_rate(0.2);
    let shared = plateau.clone();
    let rates = |metrics: &[f64]| -> Vec<f64> {
        let observe = |&metric: &f64| {
            plateau.observe(metric).unwrap();
            shared.value(0)
        };
        metrics.iter().map(observe).collect()
    };
    // The best is 3, then nothing gains 0.1: reduced at the second of two. The cooldown's one observation counts already, as
    // it ends the cooldown.
    assert_eq!(rates(&[3.0, 2.95, 3.0]), [1.0, 1.0, 0.5]);
    assert_eq!(rates(&[3.0, 3.0]), [0.5, 0.25]);
    assert_eq!(rates(&[f64::NAN, 2.0, 2.0]), [0.25, 0.25, 0.25]);
    assert_eq!(rates(&[2.0, 2.0, 2.0, 2.0]), [0.2, 0.2, 0.2, 0.2]);
    let up = ReduceOnPlateau::new(1.0).maximize(true).patience(1);
    for (metric, rate) in [(0.5, 1.0), (0.6, 1.0), (0.55, 0.1)] {
        up.observe(metric).unwrap();
        assert_eq!(up.value(0), rate);
    }
}

#[test]
fn schedules_of_schedules_survive_a_round_trip() {
    let plateau = ReduceOnPlateau::new(0.5).maximize(true).cooldown(3);
    let sequence =
        Sequence::new(plateau).then(5, OneCycle::new(0.1, 100).linear(true)).then(50, StepDecay::new(1.0, 3));
    let schedule = LinearWarmup::new(sequence, 7).initial_learning_rate(0.25);
    let json = schedules::serialize(&schedule);
    let same = schedules::deserialize(&json).unwrap();
    assert_eq!(schedules::serialize(&same), json);
    assert!((0..100).all(|step| same.value(step) == schedule.value(step)));
    assert_eq!((same.state().len(), json["registered_name"].as_str()), (1, Some("LinearWarmup")));
    // A number is a constant schedule.
    let json = json!({"class_name": "LinearWarmup", "config": {"schedule": 0.5, "warmup_steps": 10}});
    assert_eq!(schedules::deserialize(&json).unwrap().value(5), 0.25);
    let json = json!({"class_name": "Sequence", "config": {"schedules": [0.5, "x"], "boundaries": [10]}});
    assert_eq!(
        schedules::deserialize(&json).unwrap_err().to_string(),
        "Sequence.from_config: expected a number or a schedule for element 1 of `schedules`, got the string \"x\""
    );
}
