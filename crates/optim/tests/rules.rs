//! What all rules of the registry have in common: configs, sparse gradients, threads, and state that can be seen.
use serde_json::json;
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::config::{Config, object};
use slalom_optim::rules::{self, Adam, AdamW, Lamb, Lbfgs, Lookahead, RMSprop, Sgd, TruncatedNewton};
use slalom_optim::{Optimizer, Rule};
use slalom_variable::{Variable, constraints::NonNeg};

/// Numbers between -1 and 1 that look random.
fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn variable(seed: u64, shape: &[usize]) -> Variable {
    let n = shape.iter().product();
    Variable::new(Array::from_vec(shape, noise(seed, n)).unwrap()).named(format!("v{seed}"))
}

fn gradient(seed: u64, shape: &[usize]) -> Gradient {
    Tensor::from_vec(shape, noise(seed, shape.iter().product())).unwrap().into()
}

/// A config of each class, with options that matter.
fn configs() -> Vec<(&'static str, Config)> {
    let rate = || ("learning_rate", json!(0.1));
    let mut all: Vec<_> = rules::registry()
        .entries()
        .filter(|entry| entry.class_name != "Lookahead")
        .map(|entry| (entry.class_name, object([rate()])))
        .collect();
    all.extend([
        ("SGD", object([rate(), ("momentum", json!(0.5)), ("nesterov", json!(true))])),
        ("RMSprop", object([rate(), ("momentum", json!(0.5)), ("centered", json!(true))])),
        ("RMSprop", object([rate(), ("centered", json!(true)), ("epsilon_in_root", json!(false))])),
        ("Adam", object([rate(), ("amsgrad", json!(true)), ("lazy", json!(true))])),
        ("AdamW", object([rate(), ("weight_decay", json!(0.5)), ("corrected_epsilon", json!(true))])),
        ("Adafactor", object([rate(), ("min_dim_size_to_factor", json!(2))])),
        ("Lookahead", object([rate(), ("inner", json!("Adam")), ("sync_period", json!(2))])),
        ("Lookahead", object([rate(), ("inner", json!("Muon")), ("sync_period", json!(3))])),
    ]);
    all
}

/// The same without rules that search.
fn stepping() -> impl Iterator<Item = (&'static str, Config)> {
    configs().into_iter().filter(|(class, config)| make(class, config).rule().search().is_none())
}

fn make(class: &str, config: &Config) -> Optimizer {
    Optimizer::from_config(class, config).unwrap_or_else(|error| panic!("{class}: {error}"))
}

fn values(optimizer: &Optimizer, variables: &[Variable]) -> Vec<Vec<u64>> {
    let weights = optimizer.weights();
    let all = variables.iter().chain(&weights);
    let bits = |v: &Variable| {
        let elements = v.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        elements.into_iter().map(f64::to_bits).collect()
    };
    all.map(bits).collect()
}

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

// ---- sums over variables ----

/// Norms are of the variable alone: what else a step has does not change a bit.
#[test]
fn sums_do_not_depend_on_other_variables() -> Result<()> {
    let run = |others: usize| -> Result<Vec<f32>> {
        let x = variable(1, &[40_000]);
        let mut all: Vec<_> = (0..others).map(|i| variable(i as u64 + 2, &[10_001])).collect();
        all.push(x.clone());
        let mut opt = Optimizer::new(Lamb::new(0.1))?;
        for step in 0..2 {
            let gradients: Vec<_> =
                all.iter().map(|v| (gradient(step + v.shape()[0] as u64, v.shape()), v)).collect();
            opt.apply_gradients(gradients)?;
        }
        x.array().to_vec()
    };
    assert_eq!(run(0)?, run(3)?);
    Ok(())
}

#[test]
fn a_trust_ratio_by_its_formula() -> Result<()> {
    let (x, g) = ([3.0f64, -4.0], [0.5, 2.0]);
    let v = Variable::new(Array::from_vec([2], x.to_vec())?);
    let mut opt = Optimizer::new(Lamb::new(0.1).weight_decay(0.2).decoupled(false).epsilon(0.25))?;
    opt.apply_gradients([(Gradient::from(Tensor::from_vec([2], g.to_vec())?), &v)])?;
    let u: Vec<f64> = x.iter().zip(g).map(|(x, g): (&f64, f64)| g / (g.abs() + 0.25) + 0.2 * x).collect();
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    for (got, (x0, u0)) in v.array().to_vec::<f64>()?.into_iter().zip(x.iter().zip(&u)) {
        assert!((got - (x0 - 0.1 * norm(&x) / norm(&u) * u0)).abs() < 1e-14);
    }
    Ok(())
}

#[test]
fn rules_with_sums_update_constrained_and_repeated_variables() -> Result<()> {
    for class in ["Lamb", "Prodigy", "NovoGrad"] {
        let x = Variable::new(Array::from_vec([2], vec![0.5f64, 0.0])?).constrained(NonNeg);
        let y = Variable::new(1.0f64);
        let mut opt = make(class, &object([("learning_rate", json!(1.0))]));
        for _ in 0..3 {
            let g = || Gradient::from(Tensor::from_vec([2], vec![0.25f64, 1.0]).unwrap());
            opt.apply_gradients([(g(), &x), (Gradient::from(Tensor::scalar(1.0f64)), &y), (g(), &x)])?;
        }
        let x = x.array().to_vec::<f64>()?;
        assert!(x[1] == 0.0 && x[0] < 0.5 && y.value().item()? < 1.0, "{class}: {x:?}");
    }
    Ok(())
}

// ---- single rules ----

#[test]
fn adamw_is_adam_of_a_decayed_variable() -> Result<()> {
    let run = |opt: &mut Optimizer, decay: f64| -> Result<f64> {
        let x = Variable::new(2.0f64);
        for step in 0..3 {
            x.assign(x.value() * (1.0 - 0.1 * decay))?;
            opt.apply_gradients([(Gradient::from(Tensor::scalar(step as f64 - 0.5)), &x)])?;
        }
        x.value().item()
    };
    let whole = run(&mut Optimizer::new(AdamW::new(0.1).weight_decay(0.3))?, 0.0)?;
    let parts = run(&mut Optimizer::new(Adam::new(0.1))?, 0.3)?;
    assert!((whole - parts).abs() < 1e-15);
    Ok(())
}

#[test]
fn a_lazy_adam_touches_only_its_rows() -> Result<()> {
    let (lazy, eager) = (variable(3, &[4, 2]), variable(3, &[4, 2]));
    let mut opts = [Optimizer::new(Adam::new(0.1).lazy(true))?, Optimizer::new(Adam::new(0.1))?];
    for row in [1i64, 2] {
        for (opt, table) in opts.iter_mut().zip([&lazy, &eager]) {
            let indices = Tensor::from_vec([1], vec![row])?;
            let slices = IndexedSlices::new(indices, Tensor::from_vec([1, 2], vec![1.0f32, -1.0])?, [4, 2])?;
            opt.apply_gradients([(Gradient::from(slices), table)])?;
        }
    }
    let (start, lazy, eager) = (noise(3, 8), lazy.array().to_vec::<f32>()?, eager.array().to_vec::<f32>()?);
    assert!(lazy[..2] == start[..2] && lazy[6..] == start[6..] && eager[..2] == start[..2]);
    // Row 1 moves again in the second step of the eager one only.
    assert!(lazy[2..4] != eager[2..4] && lazy[4..6] == eager[4..6]);
    Ok(())
}

#[test]
fn lookahead_around_rules_of_any_kind() -> Result<()> {
    // With a step size of 1, slow weights are the fast ones.
    let run = |rule: Box<dyn Rule>| -> Result<Vec<f32>> {
        let w = variable(5, &[6, 3]);
        let mut opt = Optimizer::from_rule(rule)?;
        for step in 0..5 {
            opt.apply_gradients([(gradient(step + 30, &[6, 3]), &w)])?;
        }
        w.array().to_vec()
    };
    let around = |rule: Lookahead| rule.sync_period(2).slow_step_size(1.0);
    let plain = run(Box::new(rules::Muon::new(0.1)))?;
    let wrapped = run(Box::new(around(Lookahead::new(rules::Muon::new(0.1)))))?;
    assert!(plain.iter().zip(wrapped).all(|(a, b)| (a - b).abs() < 1e-6));
    Ok(())
}

#[test]
fn momentum_of_rmsprop_may_be_set_later() -> Result<()> {
    let mut opt = Optimizer::new(RMSprop::new(0.1).momentum(0.5))?;
    opt.set("momentum", 0.0)?;
    let x = Variable::new(1.0f64);
    opt.minimize(|| 2.0 * &x, &x)?;
    assert_eq!(opt.get_slot_names(), ["rms", "momentum"]);
    Ok(())
}

// ---- rules that search ----

/// `Σ k (x_k - 1)²`, and its minimum.
fn bowl(x: &Variable) -> Result<Tensor> {
    let n = x.shape()[0];
    let weights = Array::from_vec([n], (1..=n).map(|k| k as f64).collect())?.cast(x.dtype())?;
    Ok(((x.value() - 1.0).square() * Tensor::from(weights)).sum())
}

#[test]
fn searching_rules_find_minima() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        for class in ["LBFGS", "TruncatedNewton"] {
            let x = Variable::new(Array::full([20], -3.0, dtype)?);
            let y = Variable::new(Array::full([], 2.0, dtype)?).untrainable();
            let mut opt = make(class, &object([]));
            for _ in 0..15 {
                opt.minimize(|| Ok(bowl(&x)? + y.value().square().square()), [&x, &y])?;
            }
            let worst = x
                .array()
                .cast(DType::F64)?
                .to_vec::<f64>()?
                .iter()
                .fold(0.0, |w: f64, x| w.max((x - 1.0).abs()));
            assert!(worst < 1e-3, "{class} {dtype}: {worst}");
            assert_eq!(opt.iterations().array().item()?, 15.0);
        }
    }
    Ok(())
}

#[test]
fn a_traced_loss_is_searched_as_the_closure_is() -> Result<()> {
    let run = |traced: bool| -> Result<Vec<f64>> {
        let x = Variable::new(Array::full([5], 3.0, DType::F64)?);
        let mut opt = Optimizer::new(Lbfgs::new(1.0).max_iter(3))?;
        if traced {
            let mut op = opt.minimize_op(|| bowl(&x), [&x])?;
            op.run()?;
            op.run()?;
        } else {
            opt.minimize(|| bowl(&x), [&x])?;
            opt.minimize(|| bowl(&x), [&x])?;
        }
        x.array().to_vec()
    };
    assert_eq!(run(true)?, run(false)?);
    let x = Variable::new(Array::full([5], 3.0, DType::F64)?);
    let mut opt = Optimizer::new(TruncatedNewton::new(1.0))?;
    let error = opt.minimize_op(|| bowl(&x), [&x])?.run().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert_eq!(x.array().to_vec::<f64>()?, [3.0; 5]);
    Ok(())
}

#[test]
fn a_search_that_fails_changes_nothing() -> Result<()> {
    let x = Variable::new(Array::full([3], 3.0, DType::F64)?);
    let mut opt = Optimizer::new(Lbfgs::new(1.0))?;
    opt.minimize(|| bowl(&x), [&x])?;
    x.assign(Tensor::from(Array::full([3], -2.0, DType::F64)?))?;
    let before = values(&opt, std::slice::from_ref(&x));
    let mut calls = 0;
    let mut loss = || {
        calls += 1;
        if calls == 3 { Err(slalom_array::Error::other("no data")) } else { bowl(&x) }
    };
    assert_eq!(opt.minimize(&mut loss, [&x]).unwrap_err().kind(), ErrorKind::Other);
    assert!(values(&opt, std::slice::from_ref(&x)) == before);
    let panics = std::panic::AssertUnwindSafe(|| {
        let mut calls = 0;
        opt.minimize(
            || {
                calls += 1;
                assert!(calls < 3, "enough");
                bowl(&x)
            },
            [&x],
        )
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    assert!(values(&opt, std::slice::from_ref(&x)) == before);
    Ok(())
}

#[test]
fn searching_rules_refuse_what_they_cannot_do() -> Result<()> {
    let x = Variable::new(Array::full([3], 3.0, DType::F64)?);
    let mut opt = Optimizer::new(Lbfgs::new(1.0))?;
    let g = Gradient::from(Tensor::from_vec([3], vec![1.0f64; 3])?);
    assert_eq!(opt.apply_gradients([(g, &x)]).unwrap_err().kind(), ErrorKind::State);
    let mut clipped = Optimizer::new(Lbfgs::new(1.0))?.clipnorm(1.0)?;
    assert_eq!(clipped.minimize(|| bowl(&x), [&x]).unwrap_err().kind(), ErrorKind::State);
    let constrained = Variable::new(Array::full([3], 3.0, DType::F64)?).constrained(NonNeg);
    assert_eq!(opt.minimize(|| bowl(&constrained), [&constrained]).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(opt.minimize(|| bowl(&x), [&x, &x]).unwrap_err().kind(), ErrorKind::State);
    assert_eq!((opt.iterations().array().item()?, x.array().to_vec::<f64>()?), (0.0, vec![3.0; 3]));
    let plain = Optimizer::new(Sgd::new(0.1))?;
    assert!(plain.rule().search().is_none());
    Ok(())
}
