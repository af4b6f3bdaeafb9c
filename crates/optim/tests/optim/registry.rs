//! What all rules of the registry have in common: configs, sparse gradients, threads, and state that can be seen.
use crate::common::{configs, gradient, make, noise, stepping, values, variable};
use serde_json::json;
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::config::{Config, object};
use slalom_optim::rules::{self, Lamb};
use slalom_variable::Variable;

#[test]
fn configs_survive_a_round_trip() -> Result<()> {
    for (class, config) in configs() {
        let printed = make(class, &config).get_config()?;
        let again = make(class, &printed);
        assert_eq!(again.get_config()?, printed, "{class}");
        assert_eq!(format!("{:?}", again.rule()), format!("{:?}", make(class, &config).rule()), "{class}");
        let mut unknown = printed;
        unknown.insert("momentun".to_owned(), json!(0.5));
        assert_eq!(Optimizer::from_config(class, &unknown).unwrap_err().kind(), ErrorKind::Config, "{class}");
    }
    Ok(())
}

#[test]
fn envelopes_say_which_classes_are_keras_s() -> Result<()> {
    assert_eq!(Optimizer::new(Lamb::new(0.1))?.serialize()?["module"], "keras.optimizers");
    assert_eq!(Optimizer::new(rules::Yogi::new(0.1))?.serialize()?["module"], json!(null));
    Ok(())
}

#[test]
fn both_dialects_load() -> Result<()> {
    let keras_3 = |more: [(&str, serde_json::Value); 1]| {
        let mut config = object([
            ("name", json!("rmsprop")),
            ("learning_rate", json!(0.1)),
            ("weight_decay", json!(null)),
            ("clipnorm", json!(null)),
            ("use_ema", json!(false)),
            ("ema_momentum", json!(0.99)),
            ("ema_overwrite_frequency", json!(null)),
            ("loss_scale_factor", json!(null)),
            ("gradient_accumulation_steps", json!(null)),
        ]);
        config.extend(object(more));
        config
    };
    // The step of one element with a gradient of 2: ε inside of the root in Keras 3, outside of it before.
    let step = |config: &Config| -> Result<f64> {
        let x = Variable::new(0.0f64);
        make("RMSprop", config).minimize(|| 2.0 * &x, &x)?;
        x.value().item()
    };
    let new = step(&keras_3([("epsilon", json!(12.0))]))?;
    assert!((new + 0.1 * 2.0 / (0.1f64 * 4.0 + 12.0).sqrt()).abs() < 1e-15);
    let legacy = object([("learning_rate", json!(0.1)), ("decay", json!(0.0)), ("epsilon", json!(12.0))]);
    assert!((step(&legacy)? + 0.1 * 2.0 / ((0.1f64 * 4.0).sqrt() + 12.0)).abs() < 1e-15);
    let adamw = Optimizer::from_config("AdamW", &keras_3([("weight_decay", json!(0.25))]))?;
    assert_eq!(adamw.get("weight_decay")?, 0.25);
    Ok(())
}

#[test]
fn duplicate_and_unsorted_indices_are_summed_first() -> Result<()> {
    let (rows, width) = (40, 300);
    for (class, config) in stepping() {
        let start = variable(1, &[rows, width]);
        let run = |summed: bool| -> Result<Vec<Vec<u64>>> {
            let table = Variable::new(start.array().copy()?).named("table");
            let mut opt = make(class, &config);
            for step in 0..4 {
                let indices: Vec<i64> =
                    noise(step + 9, 30).iter().map(|x| ((x + 1.0) * 19.9) as i64).collect();
                let values = noise(step + 50, 30 * width);
                let (indices, values) =
                    if summed { sum(&indices, &values, width) } else { (indices, values) };
                let n = indices.len();
                let slices = IndexedSlices::new(
                    Tensor::from_vec([n], indices)?,
                    Tensor::from_vec([n, width], values)?,
                    [rows, width],
                )?;
                opt.apply_gradients([(Gradient::from(slices), &table)])?;
            }
            Ok(values(&opt, &[table]))
        };
        assert!(run(false)? == run(true)?, "{class} {config:?}");
    }
    Ok(())
}

/// Each index once, sorted, with the sum of its rows in their order.
fn sum(indices: &[i64], values: &[f32], width: usize) -> (Vec<i64>, Vec<f32>) {
    let mut rows = std::collections::BTreeMap::<i64, Vec<f32>>::new();
    for (index, row) in indices.iter().zip(values.chunks(width)) {
        match rows.get_mut(index) {
            Some(sum) => sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x),
            None => drop(rows.insert(*index, row.to_vec())),
        }
    }
    (rows.keys().copied().collect(), rows.into_values().flatten().collect())
}

const SHAPES: [&[usize]; 6] = [&[300, 500], &[3, 4, 5], &[70_001], &[1], &[], &[17, 9]];

#[test]
fn the_same_bits_at_any_number_of_threads() -> Result<()> {
    for (class, config) in stepping() {
        let run = || -> Result<Vec<Vec<u64>>> {
            let variables: Vec<_> = SHAPES.iter().zip(1..).map(|(shape, i)| variable(i, shape)).collect();
            let mut opt = make(class, &config);
            for step in 0..2 {
                let gradients =
                    SHAPES.iter().enumerate().map(|(i, shape)| gradient(100 * step + i as u64 + 7, shape));
                opt.apply_gradients(gradients.zip(&variables))?;
            }
            Ok(values(&opt, &variables))
        };
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert!(pool(1).install(run)? == pool(3).install(run)?, "{class}");
    }
    Ok(())
}

/// All that a rule remembers is among the weights.
#[test]
fn weights_carry_all_of_the_state() -> Result<()> {
    for (class, config) in configs() {
        let make_variables =
            || -> Vec<_> { (1..4).map(|i| variable(i, &[4, 3][..2.min(i as usize)])).collect() };
        let train =
            |opt: &mut Optimizer, variables: &[Variable], steps: std::ops::Range<u64>| -> Result<()> {
                for step in steps {
                    let target = Tensor::from_vec([4], noise(step % 3 + 20, 4))?;
                    opt.minimize(
                        || {
                            let [a, b, c] = variables else { unreachable!() };
                            let first = (a.value() - &target).square().sum();
                            first + (b.value() + c.value()).square().sum() + b.value().square().sum()
                        },
                        variables,
                    )?;
                }
                Ok(())
            };
        let (through, variables) = (&mut make(class, &config), make_variables());
        train(through, &variables, 0..7)?;

        let (early, first) = (&mut make(class, &config), make_variables());
        train(early, &first, 0..4)?;
        let (late, second) = (&mut make(class, &config), make_variables());
        // Slots may begin with the variables' first values, so that these are restored after the build.
        late.build(&second)?;
        for (to, from) in second.iter().zip(&first) {
            to.assign(from.value())?;
        }
        late.set_weights(&early.get_weights())?;
        train(late, &second, 4..7)?;
        assert!(values(late, &second) == values(through, &variables), "{class} {config:?}");
    }
    Ok(())
}

#[test]
fn invalid_arguments_are_refused() {
    let refused = [
        ("RMSprop", object([("momentum", json!(1.5))])),
        ("Adagrad", object([("initial_accumulator_value", json!(-0.1))])),
        ("Ftrl", object([("learning_rate_power", json!(0.1))])),
        ("Ftrl", object([("l1_regularization_strength", json!(-0.1))])),
        ("Ftrl", object([("l2_shrinkage_regularization_strength", json!(-0.1))])),
        ("Ftrl", object([("initial_accumulator_value", json!(-0.1))])),
        ("Lookahead", object([("inner", json!("SGD")), ("sync_period", json!(0))])),
        ("LBFGS", object([("history_size", json!(0))])),
        ("Muon", object([("ns_steps", json!(-1))])),
        ("TruncatedNewton", object([("max_products", json!(0))])),
    ];
    for (class, config) in refused {
        let error = Optimizer::from_config(class, &config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{class}: {error}");
    }
    let schedule =
        json!({"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 9}});
    let error = Optimizer::from_config("Nadam", &object([("learning_rate", schedule)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert_eq!(Optimizer::from_config("Lookahead", &object([])).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn an_epsilon_of_0_is_the_default_as_in_the_reference() -> Result<()> {
    for class in ["RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"] {
        let opt = make(class, &object([("epsilon", json!(0.0))]));
        assert_eq!(opt.get("epsilon")?, 1e-7, "{class}");
    }
    Ok(())
}
