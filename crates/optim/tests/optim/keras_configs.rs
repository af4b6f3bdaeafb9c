//! Configs that the two Kerases printed: they load, train, and are printed again as they were.
use serde_json::{Map, Value, json};
use slalom_array::Float;
use slalom_array::{Array, DType, ErrorKind, Generator, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::config::{Config, Dialect, Entry, Reader, number, object};
use slalom_optim::rules::{self, RMSprop, Sgd};
use slalom_optim::schedules::{self, FnSchedule, Schedule};
use slalom_optim::{
    ElementRule, GradientList, Group, Hyper, IntoHyper, Loader, NamedHyper, Optimizer, Rule, Step,
    Transformer,
};
use slalom_variable::Variable;

const LEGACY: (&str, Dialect, &str) = ("optimizers", Dialect::Legacy, "keras.optimizers.legacy");
const KERAS_3: (&str, Dialect, &str) = ("modern_optimizers_keras3", Dialect::Keras3, "keras.optimizers");

/// Class names and configs of a golden file.
fn golden(file: &str) -> Vec<(String, Config)> {
    let path = format!("{}/../../tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap().iter();
    // The file's own word for a callable.
    let cases = cases.filter(|case| case["config"]["learning_rate"] != "callable");
    let pair = |case: &Value| {
        (case["optimizer"].as_str().unwrap().to_owned(), case["config"].as_object().unwrap().clone())
    };
    cases.map(pair).collect()
}

/// The bits of two variables after some steps.
fn train(mut opt: Optimizer) -> Vec<u64> {
    let [w, b] = [([3, 2], "kernel"), ([2, 1], "bias")]
        .map(|(shape, name)| Variable::new(Array::full(shape, 0.5, DType::F32).unwrap()).named(name));
    let random = Generator::from_seed(4);
    for _ in 0..5 {
        let gradients = [&w, &b].map(|v| {
            let mut g = vec![0.0f32; v.shape().iter().product()];
            random.normal(0.0, 1.0, &mut g);
            (Gradient::Dense(Tensor::from_vec(v.shape(), g).unwrap()), v)
        });
        opt.apply_gradients(gradients).unwrap();
    }
    let all = [w, b].map(|v| v.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap());
    all.concat().into_iter().map(f64::to_bits).collect()
}

/// The same with every number as a float: Python writes 1 where it means 1.0.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(x) => x.as_f64().into(),
        Value::Array(list) => list.iter().map(floats).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn configs_of_both_kerases_come_back_unchanged() {
    for (file, dialect, module) in [LEGACY, KERAS_3] {
        let cases = golden(file);
        assert!(cases.len() > 80, "{file}: {} configs", cases.len());
        for (class_name, config) in cases {
            assert_eq!(Dialect::of(&config), dialect, "{class_name} {config:?}");
            let opt = Optimizer::from_config(&class_name, &config).unwrap();
            let config = Value::from(config);
            assert_eq!(floats(&opt.get_config().unwrap().into()), floats(&config), "{class_name} in {file}");
            let json = json!({"module": module, "class_name": class_name, "config": config, "registered_name": null});
            assert_eq!(floats(&opt.serialize().unwrap()), floats(&json));
            let again = Optimizer::deserialize(&json).unwrap();
            assert_eq!(floats(&again.serialize().unwrap()), floats(&json));
            assert_eq!(train(again), train(opt), "{class_name} in {file}");
        }
    }
}

#[test]
fn unknown_keys_and_wrong_values_are_errors() {
    for (file, ..) in [LEGACY, KERAS_3] {
        for (class_name, config) in golden(file).into_iter().step_by(7) {
            let mut unknown = config.clone();
            unknown.insert("epsylon".to_owned(), json!(0.1));
            let error = Optimizer::from_config(&class_name, &unknown).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{class_name}");
            assert_eq!(error.got(), "also `epsylon`");
            assert!(error.expected().contains("`learning_rate`"), "{error}");
            for key in config.keys() {
                let mut wrong = config.clone();
                wrong.insert(key.clone(), json!({"a": [1]}));
                let error = Optimizer::from_config(&class_name, &wrong).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config, "{class_name}: {key}");
                assert!(error.to_string().contains(&format!("`{key}`")), "{key}: {error}");
            }
        }
    }
}

#[test]
fn values_that_the_reference_refuses_are_errors() {
    let legacy = |class: &str, key: &str, value: f64| (class.to_owned(), json!({"decay": 0.0, key: value}));
    let keras_3 = |arguments: Value| {
        let mut config = Map::from_iter([("weight_decay".to_owned(), Value::Null)]);
        config.extend(arguments.as_object().unwrap().clone());
        ("SGD".to_owned(), Value::from(config))
    };
    let refused = [
        legacy("SGD", "momentum", 1.5),
        legacy("SGD", "momentum", -0.5),
        legacy("SGD", "decay", -0.1),
        legacy("SGD", "clipnorm", -1.0),
        legacy("SGD", "clipvalue", -1.0),
        legacy("RMSprop", "momentum", 1.5),
        legacy("Adagrad", "initial_accumulator_value", -1.0),
        legacy("Ftrl", "initial_accumulator_value", -1.0),
        legacy("Ftrl", "learning_rate_power", 0.5),
        legacy("Ftrl", "l1_regularization_strength", -0.5),
        legacy("Ftrl", "l2_regularization_strength", -0.5),
        legacy("Ftrl", "l2_shrinkage_regularization_strength", -0.5),
        ("SGD".to_owned(), json!({"decay": 0.0, "clipnorm": 1.0, "global_clipnorm": 1.0})),
        keras_3(json!({"clipnorm": 1.0, "clipvalue": 1.0})),
        keras_3(json!({"gradient_accumulation_steps": 1})),
        keras_3(json!({"use_ema": true, "ema_momentum": 1.5})),
        keras_3(json!({"use_ema": true, "ema_overwrite_frequency": -1})),
        keras_3(json!({"momentum": 2.0})),
    ];
    for (class_name, config) in refused {
        let error = Optimizer::from_config(&class_name, config.as_object().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{class_name} {config}: {error}");
    }
    // Of what is off, nothing is asked.
    let (class_name, config) = keras_3(json!({"ema_momentum": 1.5, "gradient_accumulation_steps": null}));
    let opt = Optimizer::from_config(&class_name, config.as_object().unwrap()).unwrap();
    assert_eq!(opt.get_config().unwrap()["ema_momentum"], 1.5);
    // Each dialect has the keys of its own.
    let loader = Loader::new().dialect(Dialect::Keras3);
    let error = loader.from_config("SGD", &object([("decay", 0.0.into())])).unwrap_err();
    assert_eq!((error.kind(), error.got()), (ErrorKind::Config, "also `decay`"));
}

/// ε stands outside of the root in the one, inside in the other.
#[test]
fn the_caller_or_the_keys_name_the_dialect() -> Result<()> {
    let bare = object([("learning_rate", 0.1.into()), ("epsilon", 0.5.into())]);
    let load = |dialect| Loader::new().dialect(dialect).from_config("RMSprop", &bare);
    let [legacy, keras_3] = [load(Dialect::Legacy)?, load(Dialect::Keras3)?];
    let made = Optimizer::new(RMSprop::new(0.1).epsilon(0.5))?;
    let inside = Optimizer::new(RMSprop::new(0.1).epsilon(0.5).epsilon_in_root(Some(true)))?;
    let [legacy_bits, keras_3_bits] = [train(legacy), train(keras_3)];
    assert_eq!((&legacy_bits, &keras_3_bits), (&train(made), &train(inside)));
    assert_ne!(legacy_bits, keras_3_bits);
    for (key, bits) in [("decay", legacy_bits), ("use_ema", keras_3_bits)] {
        let mut config = bare.clone();
        config.insert(key.to_owned(), if key == "decay" { json!(0.0) } else { json!(false) });
        assert_eq!(train(Optimizer::from_config("RMSprop", &config)?), bits);
    }
    Ok(())
}

#[test]
fn dynamic_loss_scaling_is_an_optimizer_around_another() -> Result<()> {
    let (class_name, inner) = golden(KERAS_3.0).remove(0);
    let inner = json!({"module": "keras.optimizers", "class_name": class_name, "config": inner, "registered_name": null});
    let json = json!({
        "module": "keras.optimizers",
        "class_name": "LossScaleOptimizer",
        "config": {"name": "scale", "inner_optimizer": inner, "initial_scale": 64.0, "dynamic_growth_steps": 3},
        "registered_name": null,
    });
    let opt = Optimizer::deserialize(&json)?;
    assert_eq!(
        (opt.class_name(), opt.loss_scale()?, opt.serialize()?),
        ("LossScaleOptimizer", 64.0, json.clone())
    );
    // Old files have options that are off.
    let mut config = json["config"].as_object().unwrap().clone();
    config.extend(object([
        ("ema_momentum", 0.99.into()),
        ("dynamic", true.into()),
        ("clipnorm", Value::Null),
    ]));
    assert_eq!(Optimizer::from_config("LossScaleOptimizer", &config)?.serialize()?, json);
    for (key, value) in
        [("clipnorm", json!(1.0)), ("dynamic", json!(false)), ("dynamic_growth_steps", json!(0))]
    {
        let mut refused = config.clone();
        refused.insert(key.to_owned(), value);
        let error = Optimizer::from_config("LossScaleOptimizer", &refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{key}");
    }
    Ok(())
}

/// `x -= rate sign(g)`.
#[derive(Debug, Clone)]
struct Sign {
    rate: Hyper,
}

impl ElementRule for Sign {
    const NAME: &'static str = "Sign";
    type Coeffs<F: Float> = F;
    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.rate.named("learning_rate")]
    }
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> F {
        F::from_f64(step.learning_rate())
    }
    #[inline(always)]
    fn element<F: Float>(rate: F, x: F, g: F, _: &mut [F]) -> F {
        x - F::select(g > F::ZERO, rate, -rate)
    }
}

#[test]
fn own_classes_take_part_by_their_names() -> Result<()> {
    const RULES: &[Entry<Box<dyn Rule>>] = &[Entry {
        class_name: "Sign",
        build: |reader: &mut Reader<'_>| {
            Ok(Box::new(Sign { rate: Hyper::from(reader.take_hyper("learning_rate")?) }))
        },
    }];
    const SCHEDULES: &[Entry<Box<dyn Schedule>>] = &[Entry {
        class_name: "Harmonic",
        build: |_| Ok(Box::new(FnSchedule::new("Harmonic", |step| 1.0 / (step + 1) as f64))),
    }];
    const TRANSFORMERS: &[Entry<Transformer>] = &[Entry { class_name: "Negate", build: |_| Ok(negate()) }];
    fn negate() -> Transformer {
        Transformer::named("Negate", |gradients: GradientList| -> Result<GradientList> {
            gradients.into_iter().map(|(g, v)| Ok(((g.to_dense()? * -1.0).into(), v))).collect()
        })
    }
    let rate = || FnSchedule::new("Harmonic", |step| 1.0 / (step + 1) as f64);
    let opt = Optimizer::new(Sign { rate: rate().into_hyper() })?
        .transformer(negate())?
        .group(Group::matching("bias").learning_rate_factor(0.5).weight_decay(0.25))?
        .use_ema(0.75)?
        .skip_nonfinite();
    let json = opt.serialize()?;
    assert_eq!((&json["module"], &json["registered_name"]), (&Value::Null, &json!("Sign")));
    let loader = Loader::new()
        .rules(rules::registry().with(RULES))
        .schedules(schedules::registry().with(SCHEDULES))
        .transformers(TRANSFORMERS);
    let same = loader.deserialize(&json)?;
    assert_eq!(same.serialize()?, json);
    assert_eq!(train(same), train(opt));
    let error = Optimizer::deserialize(&json).unwrap_err();
    assert_eq!((error.kind(), error.got()), (ErrorKind::NotFound, "`Sign`"));
    let error = Loader::new().rules(rules::registry().with(RULES)).deserialize(&json).unwrap_err();
    assert_eq!((error.kind(), error.got()), (ErrorKind::NotFound, "`Harmonic`"));
    // A class of Keras with an own schedule prints what Keras prints.
    let config = Optimizer::new(Sgd::new(rate()))?.get_config()?;
    assert_eq!(config.keys().collect::<Vec<_>>(), ["decay", "learning_rate", "momentum", "name", "nesterov"]);
    Ok(())
}

/// What the reference lacks stands in a legacy config beside it, and comes back.
#[test]
fn stages_of_a_legacy_optimizer_come_back() -> Result<()> {
    let opt = Optimizer::new(RMSprop::new(0.1).epsilon(0.5))?
        .decay(0.25)?
        .weight_decay(0.5)?
        .exclude_from_weight_decay(["bias"])?
        .use_ema(0.5)?
        .ema_overwrite_frequency(2)?
        .gradient_accumulation_steps(2)?
        .loss_scale_factor(0.5)?;
    let config = opt.get_config()?;
    let loaded = Optimizer::from_config("RMSprop", &config)?;
    assert_eq!(loaded.get_config()?, config);
    assert_eq!((&config["weight_decay"], config["decay"].clone()), (&json!(0.5), number(0.25)));
    assert_eq!(train(loaded), train(opt));
    Ok(())
}

/// What Keras 2.11 to 2.15 print: the keys of both, but for those that only Keras 3 has.
#[test]
fn configs_between_the_two_kerases_load() -> Result<()> {
    let config = |legacy: bool, jit: bool| {
        let json = json!({
            "name": "Adagrad", "weight_decay": null, "clipnorm": null, "global_clipnorm": null, "clipvalue": null,
            "use_ema": false, "ema_momentum": 0.99, "ema_overwrite_frequency": null, "jit_compile": jit,
            "is_legacy_optimizer": legacy, "learning_rate": 0.1, "initial_accumulator_value": 0.1, "epsilon": 0.01,
        });
        json.as_object().unwrap().clone()
    };
    assert_eq!(Dialect::of(&config(false, true)), Dialect::Keras3);
    assert_eq!(Dialect::of(&config(true, false)), Dialect::Legacy);
    let class = |json: Value| Optimizer::from_config("Adagrad", json.as_object().unwrap());
    let arguments = json!({"learning_rate": 0.1, "epsilon": 0.01});
    let legacy = train(class(arguments.clone())?);
    let keras_3 =
        train(Loader::new().dialect(Dialect::Keras3).from_config("Adagrad", arguments.as_object().unwrap())?);
    assert_ne!(legacy, keras_3);
    for (is_legacy, expected) in [(false, keras_3), (true, legacy)] {
        let opt = Optimizer::from_config("Adagrad", &config(is_legacy, true))?;
        let again = Optimizer::from_config("Adagrad", &opt.get_config()?)?;
        assert_eq!(again.get_config()?, opt.get_config()?);
        assert!(!opt.get_config()?.contains_key("jit_compile"));
        assert_eq!((train(opt), train(again)), (expected.clone(), expected));
    }
    let mut wrong = config(false, false);
    wrong.insert("is_legacy_optimizer".to_owned(), 1.into());
    assert_eq!(Optimizer::from_config("Adagrad", &wrong).unwrap_err().kind(), ErrorKind::Config);
    Ok(())
}

#[test]
fn lr_is_the_learning_rate_of_old_configs() -> Result<()> {
    let made = |json: Value| Optimizer::from_config("SGD", json.as_object().unwrap());
    let opt = made(json!({"lr": 0.25, "decay": 0.0, "momentum": 0.5}))?;
    assert_eq!((opt.learning_rate()?, opt.get_config()?.contains_key("lr")), (0.25, false));
    let schedule = schedules::serialize(&schedules::Constant::new(0.5));
    assert_eq!(made(json!({"lr": schedule}))?.learning_rate()?, 0.5);
    assert_eq!(made(json!({"lr": 0.1, "learning_rate": 0.1})).unwrap_err().kind(), ErrorKind::Config);
    Ok(())
}
