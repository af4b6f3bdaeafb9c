//! Decoupled weight decay: one formula for all rules, with exclusions.
use crate::common::{gradient, make, stepping, variable};
use serde_json::json;
use slalom_array::{Array, DType, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::config::object;
use slalom_optim::rules::{AdamW, Muon, Sgd};
use slalom_optim::{Item, NamedHyper, Optimizer, Rule, Step};
use slalom_variable::Variable;

/// Classes whose own λ is something else, in the gradient, in the step, after it, or with an estimated learning rate; and one whose
/// slow weights begin with what has not decayed yet.
const OTHERS: [&str; 6] = ["Adan", "Lars", "NovoGrad", "Prodigy", "ScheduleFreeAdamW", "Lookahead"];

/// `x (1 - lr λ)` by hand, then a step without decay, for dense gradients; an excluded variable does not decay.
#[test]
fn all_rules_decay_alike() -> Result<()> {
    for (class, mut config) in stepping().filter(|(class, _)| !OTHERS.contains(class)) {
        let decays: &[&str] =
            if class == "Muon" { &["weight_decay", "adam_weight_decay"] } else { &["weight_decay"] };
        config.extend(decays.iter().map(|&name| (name.to_owned(), json!(0.0))));
        let mut with = make(class, &config).exclude_from_weight_decay(["^v2$"])?;
        decays.iter().try_for_each(|name| with.set(name, 0.5))?;
        let mut without = make(class, &config);
        let rate = without.effective_learning_rate().unwrap_or(1.0);
        let [a, b] = [0, 0].map(|_| [variable(1, &[6, 3]), variable(2, &[6, 3]), variable(3, &[5])]);
        for step in 0..4 {
            let gradients = || a.iter().enumerate().map(|(i, v)| gradient(10 * step + i as u64, v.shape()));
            with.apply_gradients(gradients().zip(&a))?;
            for decayed in [&b[0], &b[2]] {
                decayed.assign(decayed.value() * (1.0 - rate * 0.5))?;
            }
            without.apply_gradients(gradients().zip(&b))?;
        }
        for (a, b) in a.iter().zip(&b) {
            let [got, want] = [a, b].map(|v| v.array().to_vec::<f32>().unwrap());
            let close =
                got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 2e-6 * want.abs().max(1.0));
            assert!(close, "{class} {config:?}: {} {got:?} {want:?}", a.name());
        }
    }
    Ok(())
}

/// A config that has a weight decay of its own, and the option of the optimizer, are the same.
#[test]
fn the_option_is_the_rule_s_own() -> Result<()> {
    let run = |mut opt: Optimizer| -> Result<Vec<f32>> {
        let x = variable(4, &[7, 2]);
        for step in 0..3 {
            opt.apply_gradients([(gradient(step, &[7, 2]), &x)])?;
        }
        x.array().to_vec()
    };
    for class in ["AdamW", "Lion", "Lamb", "Nadam", "RAdam", "Adafactor", "Muon"] {
        let config = |decay: f64| object([("learning_rate", json!(0.1)), ("weight_decay", json!(decay))]);
        let own = run(make(class, &config(0.3)))?;
        assert_eq!(own, run(make(class, &config(0.0)).weight_decay(0.3)?)?, "{class}");
        assert_ne!(own, run(make(class, &config(0.0)))?, "{class}");
    }
    Ok(())
}

#[test]
fn exclusions_hold_for_both_parts_of_muon() -> Result<()> {
    let [matrix, bias] = [("kernel", vec![2usize, 2]), ("bias", vec![2])]
        .map(|(name, shape)| Variable::new(Array::full(shape, 0.5, DType::F64).unwrap()).named(name));
    let rule = Muon::new(0.1).weight_decay(0.5).adam_weight_decay(0.5);
    let mut opt = Optimizer::new(rule)?.exclude_from_weight_decay(["kernel", "bias"])?;
    let zero = |v: &Variable| Gradient::from(Tensor::zeros(v.shape(), DType::F64).unwrap());
    opt.apply_gradients([(zero(&matrix), &matrix), (zero(&bias), &bias)])?;
    assert_eq!(
        (matrix.array().to_vec::<f64>()?, bias.array().to_vec::<f64>()?),
        (vec![0.5; 4], vec![0.5; 2])
    );
    Ok(())
}

fn rows(row: i64) -> Result<Gradient> {
    let values = Tensor::from_vec([1, 2], vec![0.0f64; 2])?;
    Ok(IndexedSlices::new(Tensor::from_vec([1], vec![row])?, values, [3, 2])?.into())
}

/// All rows decay, as in Keras 3, but those that a lazy rule does not touch.
#[test]
fn sparse_gradients_decay_all_rows_unless_lazy() -> Result<()> {
    let run = |mut opt: Optimizer| -> Result<Vec<f64>> {
        let table = Variable::new(Array::ones([3, 2], DType::F64)?);
        opt.apply_gradients([(rows(1)?, &table)])?;
        table.array().to_vec()
    };
    let adamw = |lazy| {
        let adam = slalom_optim::rules::Adam::new(0.5).lazy(lazy);
        Optimizer::new(AdamW::from(adam).weight_decay(0.5))
    };
    assert_eq!(run(adamw(false)?)?, [0.75; 6]);
    assert_eq!(run(Optimizer::new(Sgd::new(0.5))?.weight_decay(0.5)?)?, [0.75; 6]);
    assert_eq!(run(adamw(true)?)?, [1.0, 1.0, 0.75, 0.75, 1.0, 1.0]);
    Ok(())
}

/// An own rule of whole variables sees values that have decayed.
#[test]
fn an_own_rule_needs_not_know_of_it() -> Result<()> {
    #[derive(Debug)]
    struct Add;
    impl Rule for Add {
        fn class_name(&self) -> &str {
            "Add"
        }
        fn hypers(&self) -> Vec<NamedHyper> {
            vec![slalom_optim::Hyper::Number(0.5).named("learning_rate")]
        }
        fn slots(&self) -> Vec<slalom_optim::SlotSpec> {
            Vec::new()
        }
        fn update(&self, _: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
            for item in items {
                assert_eq!(item.kept(), 1.0);
                item.value().make_mut::<f64>()?.iter_mut().for_each(|x| *x += 1.0);
            }
            Ok(())
        }
    }
    let x = Variable::new(2.0f64);
    let mut opt = Optimizer::new(Add)?.weight_decay(0.5)?;
    opt.apply_gradients([(Gradient::from(Tensor::scalar(0.0f64)), &x)])?;
    assert_eq!(x.value().item()?, 2.0 * 0.75 + 1.0);
    Ok(())
}
