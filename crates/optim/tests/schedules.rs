//! The schedules against the values that TensorFlow computed, and what they refuse.
use serde_json::{Value, json};
use slalom_array::ErrorKind;
use slalom_optim::schedules::{
    self, CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay,
    PolynomialDecay, Schedule,
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
    let mut registered: Vec<_> = schedules::registry().entries().map(|entry| entry.class_name).collect();
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
