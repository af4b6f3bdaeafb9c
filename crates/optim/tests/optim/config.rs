//! Configs: round trips, and what reading refuses.
use proptest::prelude::*;
use serde_json::{Value, json};
use slalom_array::{ErrorKind, Result};
use slalom_optim::config::{
    Config, Entry, Envelope, FromValue, NumberOrSchedule, Reader, Registry, number, object,
};
use slalom_optim::schedules::{
    self, CosineDecay, CosineDecayRestarts, ExponentialDecay, FnSchedule, InverseTimeDecay,
    PiecewiseConstantDecay, PolynomialDecay, Schedule, Steps,
};

/// Any valid schedule, with any arguments set.
fn any_schedule() -> impl Strategy<Value = Box<dyn Schedule>> {
    let rate = || any::<f64>().prop_filter("only finite arguments are allowed", |x| x.is_finite());
    let steps = || prop_oneof![(1i64..1 << 53).prop_map(Steps::from), (1e-3..1e9).prop_map(Steps::from)];
    let flag = any::<bool>;
    prop_oneof![
        (rate(), steps(), rate(), flag(), ".*")
            .prop_map(|(lr, n, x, f, name)| boxed(ExponentialDecay::new(lr, n, x).staircase(f).name(name))),
        (rate(), steps(), rate(), flag())
            .prop_map(|(lr, n, x, f)| boxed(InverseTimeDecay::new(lr, n, x).staircase(f))),
        (rate(), steps(), rate(), rate(), flag()).prop_map(|(lr, n, end, power, f)| boxed(
            PolynomialDecay::new(lr, n).end_learning_rate(end).power(power).cycle(f)
        )),
        (rate(), steps(), rate(), rate(), steps())
            .prop_map(|(lr, n, x, to, warm)| boxed(CosineDecay::new(lr, n).alpha(x).warmup(to, warm))),
        (rate(), steps(), 0.1..4.0, rate(), rate())
            .prop_map(|(lr, n, t, m, x)| boxed(CosineDecayRestarts::new(lr, n).t_mul(t).m_mul(m).alpha(x))),
        prop::collection::vec((steps(), rate()), 2..8).prop_map(|mut pairs| {
            pairs.sort_by(|a, b| a.0.get().total_cmp(&b.0.get()));
            let boundaries: Vec<_> = pairs.iter().skip(1).map(|pair| pair.0).collect();
            let values: Vec<_> = pairs.iter().map(|pair| pair.1).collect();
            boxed(PiecewiseConstantDecay::new(boundaries, values))
        }),
    ]
}

fn boxed(schedule: impl Schedule + 'static) -> Box<dyn Schedule> {
    Box::new(schedule)
}

proptest! {
    #[test]
    fn schedules_survive_a_round_trip_through_text(schedule in any_schedule(), step in 0i64..1 << 40) {
        let json = schedules::serialize(&schedule);
        let parsed: Value = serde_json::from_str(&json.to_string()).unwrap();
        prop_assert_eq!(&parsed, &json);
        let loaded = schedules::deserialize(&parsed).unwrap();
        prop_assert_eq!(loaded.value(step).to_bits(), schedule.value(step).to_bits());
        prop_assert_eq!(format!("{loaded:?}"), format!("{schedule:?}"));
    }

    #[test]
    fn numbers_survive_a_round_trip_through_text(bits: u64) {
        let x = f64::from_bits(bits);
        let parsed: Value = serde_json::from_str(&number(x).to_string()).unwrap();
        let loaded = f64::from_value(&parsed).unwrap();
        prop_assert!(loaded.to_bits() == x.to_bits() || (x.is_nan() && loaded.is_nan()));
    }
}

/// One object of each of the forms that the two Kerases print.
#[test]
fn envelopes_of_both_kerases_load() {
    let config = json!({"initial_learning_rate": 0.5, "decay_steps": 10, "decay_rate": 0.25});
    for json in [
        json!({"class_name": "ExponentialDecay", "config": config}),
        json!({"module": "keras.optimizers.schedules", "class_name": "ExponentialDecay", "config": config,
               "registered_name": null}),
        json!({"module": "keras.src.optimizers.schedules.learning_rate_schedule", "class_name": "ExponentialDecay",
               "config": config, "registered_name": "ExponentialDecay"}),
    ] {
        assert_eq!(schedules::deserialize(&json).unwrap().value(5), 0.25);
    }
    // The class may be named beside the config instead.
    let config = config.as_object().unwrap();
    let schedule = schedules::registry().build("ExponentialDecay", config, schedules::registry()).unwrap();
    assert_eq!(schedule.value(5), 0.25);
}

#[test]
fn malformed_schedules_are_errors() {
    let exponential = |key: &str, value: Value| {
        let mut config = json!({"initial_learning_rate": 0.5, "decay_steps": 10, "decay_rate": 0.25});
        config[key] = value;
        json!({"class_name": "ExponentialDecay", "config": config})
    };
    let envelope =
        "from_config: expected an object with `class_name` (a string) and `config` (an object), got ";
    let cases = [
        (json!(0.1), format!("{envelope}the number 0.1")),
        (json!(null), format!("{envelope}null")),
        (json!({"config": {}}), format!("{envelope}an object with `config`")),
        (json!({"class_name": "CosineDecay"}), format!("{envelope}an object with `class_name`")),
        (json!({}), format!("{envelope}an object with no keys")),
        (json!({"class_name": 3, "config": {}}), format!("{envelope}the number 3 for `class_name`")),
        (
            json!({"class_name": "CosineDecay", "config": [1, 2]}),
            format!("{envelope}an array of length 2 for `config`"),
        ),
        (
            json!({"class_name": "CosineDecay", "config": {}, "confg": {}}),
            format!("{envelope}also the key `confg`"),
        ),
        (
            json!({"class_name": "CosineDecay", "config": {"decay_steps": 3}}),
            "CosineDecay.from_config: expected a number for `initial_learning_rate`, got a config with `decay_steps`".into(),
        ),
        (
            exponential("decay_stepps", json!(3)),
            "ExponentialDecay.from_config: expected only `initial_learning_rate`, `decay_steps`, `decay_rate`, \
             `staircase`, `name`, got also `decay_stepps`"
                .into(),
        ),
        (
            exponential("decay_rate", json!("half")),
            "ExponentialDecay.from_config: expected a number for `decay_rate`, got the string \"half\"".into(),
        ),
        (
            exponential("decay_rate", json!(true)),
            "ExponentialDecay.from_config: expected a number for `decay_rate`, got the boolean true".into(),
        ),
        (
            exponential("decay_rate", json!(null)),
            "ExponentialDecay.from_config: expected a number for `decay_rate`, got null".into(),
        ),
        (
            exponential("decay_steps", json!([10])),
            "ExponentialDecay.from_config: expected a number of steps for `decay_steps`, got an array of length 1".into(),
        ),
        (
            exponential("staircase", json!(1)),
            "ExponentialDecay.from_config: expected a boolean for `staircase`, got the number 1".into(),
        ),
        (
            exponential("name", json!(1)),
            "ExponentialDecay.from_config: expected a string or null for `name`, got the number 1".into(),
        ),
        (
            json!({"class_name": "PiecewiseConstantDecay", "config": {"boundaries": [1], "values": [0.1, "x"]}}),
            "PiecewiseConstantDecay.from_config: expected an array, each element a number for `values`, \
             got the string \"x\" as element 1"
                .into(),
        ),
    ];
    for (json, text) in cases {
        let error = schedules::deserialize(&json).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Config, text));
    }
}

#[test]
fn numbers_that_are_not_finite() {
    let json = |rate: &str| {
        let config = json!({"initial_learning_rate": rate, "decay_steps": 10, "decay_rate": 1.0});
        json!({"class_name": "ExponentialDecay", "config": config})
    };
    // They are read as the numbers that they are, which no schedule takes.
    for (rate, number) in [("NaN", "NaN"), ("nan", "NaN"), ("Infinity", "inf"), ("-inf", "-inf")] {
        let error = schedules::deserialize(&json(rate)).unwrap_err();
        let text = format!("ExponentialDecay: expected a finite initial_learning_rate, got {number}");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Argument, text));
    }
    let error = schedules::deserialize(&json("fast")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);

    // A number of steps has to be one.
    let config = json!({"initial_learning_rate": 0.1, "decay_steps": "NaN", "decay_rate": 1.0});
    let error =
        schedules::deserialize(&json!({"class_name": "ExponentialDecay", "config": config})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
}

#[test]
fn an_unknown_class_lists_the_known_ones() {
    let json = json!({"class_name": "LinearDecay", "config": {}});
    let error = schedules::deserialize(&json).unwrap_err();
    let text = "from_config: expected a schedule, one of `ExponentialDecay`, `PiecewiseConstantDecay`, \
                `PolynomialDecay`, `InverseTimeDecay`, `CosineDecay`, `CosineDecayRestarts`, `Constant`, \
                `LinearWarmup`, `OneCycle`, `ReduceOnPlateau`, `Sequence`, `StepDecay`, got `LinearDecay`";
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, text.to_string()));
}

/// `inner(step + offset)`: an own schedule that is made of another.
#[derive(Debug)]
struct Shifted {
    inner: Box<dyn Schedule>,
    offset: i64,
}

impl Schedule for Shifted {
    fn value(&self, step: i64) -> f64 {
        self.inner.value(step + self.offset)
    }
    fn class_name(&self) -> &str {
        "Shifted"
    }
    fn get_config(&self) -> Config {
        object([("inner", schedules::serialize(&self.inner)), ("offset", self.offset.into())])
    }
}

const OWN: &[Entry<Box<dyn Schedule>>] = &[
    Entry {
        class_name: "Shifted",
        build: |reader| {
            Ok(Box::new(Shifted {
                inner: reader.take_schedule("inner")?,
                offset: reader.take_or("offset", 0)?,
            }))
        },
    },
    Entry { class_name: "One", build: |_| Ok(Box::new(FnSchedule::new("One", |_| 1.0))) },
];

#[test]
fn own_schedules_load_with_their_entries() {
    let own = schedules::registry().with(OWN);
    let inner = Box::new(PiecewiseConstantDecay::new([10], [1.0, 0.5]));
    let json = schedules::serialize(&Shifted { inner, offset: 5 });
    assert_eq!(json["module"], Value::Null);
    assert_eq!(json["registered_name"], "Shifted");

    let loaded = schedules::deserialize_with(&json, own).unwrap();
    assert_eq!((loaded.value(5), loaded.value(6)), (1.0, 0.5));
    assert_eq!(schedules::serialize(&loaded), json);
    assert_eq!(schedules::deserialize(&json).unwrap_err().kind(), ErrorKind::NotFound);

    // An own class within an own class is found too.
    let one = schedules::serialize(&FnSchedule::new("One", |_| 1.0));
    let json = json!({"class_name": "Shifted", "config": {"inner": one}});
    assert_eq!(schedules::deserialize_with(&json, own).unwrap().value(3), 1.0);
    let json = json!({"class_name": "Shifted", "config": {"inner": 1.0}});
    let error = schedules::deserialize_with(&json, own).unwrap_err();
    assert_eq!(error.to_string(), "Shifted.from_config: expected a schedule for `inner`, got the number 1");
}

#[test]
fn an_own_class_goes_before_a_built_in_one() {
    let own: &[Entry<Box<dyn Schedule>>] = &[Entry {
        class_name: "CosineDecay",
        build: |_| Ok(Box::new(FnSchedule::new("CosineDecay", |_| 7.0))),
    }];
    let json = json!({"class_name": "CosineDecay", "config": {}});
    assert_eq!(schedules::deserialize_with(&json, schedules::registry().with(own)).unwrap().value(0), 7.0);
}

/// A class of another kind, with every type of argument.
#[derive(Debug)]
struct Example {
    learning_rate: NumberOrSchedule,
    momentum: NumberOrSchedule,
    steps: i64,
    nesterov: bool,
    name: String,
    shape: Vec<i64>,
    clipnorm: Option<f64>,
}

fn example(reader: &mut Reader<'_>) -> Result<Example> {
    Ok(Example {
        learning_rate: reader.take_hyper("learning_rate")?,
        momentum: reader.take_hyper_or("momentum", 0.0)?,
        steps: reader.take("steps")?,
        nesterov: reader.take("nesterov")?,
        name: reader.take("name")?,
        shape: reader.take("shape")?,
        clipnorm: reader.take_or("clipnorm", None)?,
    })
}

const EXAMPLES: Registry<'static, Example> =
    Registry::new("example", &[Entry { class_name: "Example", build: example }]);

fn example_config() -> Value {
    let schedule = schedules::serialize(&PiecewiseConstantDecay::new([10], [1.0, 0.5]));
    json!({"learning_rate": schedule, "steps": 20.0, "nesterov": true, "name": "x", "shape": [3, 4], "clipnorm": null})
}

#[test]
fn arguments_of_every_type() {
    let json = json!({"class_name": "example", "config": example_config()});
    let example = EXAMPLES.deserialize(&json, schedules::registry()).unwrap();
    let NumberOrSchedule::Schedule(schedule) = example.learning_rate else { panic!("{example:?}") };
    assert_eq!(schedule.value(11), 0.5);
    assert!(matches!(example.momentum, NumberOrSchedule::Number(0.0)));
    assert_eq!((example.steps, example.nesterov, &*example.name), (20, true, "x"));
    assert_eq!((example.shape, example.clipnorm), (vec![3, 4], None));
}

#[test]
fn malformed_arguments_are_errors() {
    let cases = [
        (
            "learning_rate",
            json!("fast"),
            "a number or a schedule for `learning_rate`, got the string \"fast\"",
        ),
        ("momentum", json!(null), "a number or a schedule for `momentum`, got null"),
        ("steps", json!(2.5), "a whole number for `steps`, got the number 2.5"),
        ("steps", json!(1e300), "a whole number for `steps`, got the number 1e+300"),
        ("steps", json!(u64::MAX), "a whole number for `steps`, got the number 18446744073709551615"),
        ("nesterov", json!("true"), "a boolean for `nesterov`, got the string \"true\""),
        ("name", json!({"a": 1}), "a string for `name`, got an object with `a`"),
        ("shape", json!(3), "an array, each element a whole number for `shape`, got the number 3"),
        ("clipnorm", json!(false), "a number or null for `clipnorm`, got the boolean false"),
    ];
    for (key, value, text) in cases {
        let mut config = example_config();
        config[key] = value;
        let config = config.as_object().unwrap();
        let error = EXAMPLES.build("Example", config, schedules::registry()).unwrap_err();
        let text = format!("Example.from_config: expected {text}");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Config, text));
    }
}

/// An error within a nested schedule says where it is, and keeps its kind.
#[test]
fn errors_of_nested_schedules_name_the_place() {
    let cases = [
        (
            json!({"class_name": "Linear", "config": {}}),
            ErrorKind::NotFound,
            "from_config: expected a schedule",
        ),
        (json!({"value": 0.1}), ErrorKind::Config, "from_config: expected an object with `class_name`"),
        (
            json!({"class_name": "CosineDecay", "config": {"initial_learning_rate": 1, "decay_steps": -1}}),
            ErrorKind::Argument,
            "CosineDecay: expected decay_steps > 0, got -1",
        ),
    ];
    for (value, kind, text) in cases {
        let mut config = example_config();
        config["learning_rate"] = value;
        let json = json!({"class_name": "Example", "config": config});
        let error = EXAMPLES.deserialize(&json, schedules::registry()).unwrap_err();
        let place = format!("Example.from_config: `learning_rate`: {text}");
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with(&place), "{error}");
    }
}

#[test]
fn an_envelope_is_what_it_was() {
    let config = example_config();
    let envelope = Envelope { class_name: "Example", config: config.as_object().unwrap() };
    let json = envelope.to_json(Some("keras.optimizers"));
    assert_eq!(Envelope::read(&json).unwrap(), envelope);
}
