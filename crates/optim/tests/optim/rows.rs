//! Rows that a sparse gradient lacks: which of them move, decay and are constrained.
use crate::common::{make, sparse, stepping};
use serde_json::json;
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::rules::{Adam, AdamW, Muon, Sgd, Sm3};
use slalom_variable::Variable;
use slalom_variable::constraints::{MaxNorm, RowWise};

/// Classes that decay in another way than by the optimizer's option; see `weight_decay.rs`.
const OTHERS: [&str; 6] = ["Adan", "Lars", "NovoGrad", "Prodigy", "ScheduleFreeAdamW", "Lookahead"];

fn table(values: Vec<f64>) -> Result<Variable> {
    Ok(Variable::new(Array::from_vec([values.len() / 2, 2], values)?).named("embedding"))
}

fn close(got: &[f64], want: &[f64], tolerance: f64) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(got, want)| (got - want).abs() <= tolerance)
}

/// `x (1 - lr λ)` by hand in all rows, then a step without decay, by sparse gradients.
#[test]
fn all_rules_decay_all_rows() -> Result<()> {
    for (class, mut config) in stepping().filter(|(class, _)| !OTHERS.contains(class)) {
        if config.get("lazy") == Some(&json!(true)) {
            continue;
        }
        let decays: &[&str] =
            if class == "Muon" { &["weight_decay", "adam_weight_decay"] } else { &["weight_decay"] };
        config.extend(decays.iter().map(|&name| (name.to_owned(), json!(0.0))));
        let (mut with, mut without) = (make(class, &config), make(class, &config));
        decays.iter().try_for_each(|name| with.set(name, 0.5))?;
        let rate = without.effective_learning_rate().unwrap_or(1.0);
        let start = vec![0.5, -1.0, 2.0, 1.0, -0.25, 3.0, 1.5, -2.0];
        for name in ["embedding", "kernel"] {
            let [a, b] = [0, 0].map(|_| table(start.clone()).unwrap().named(name));
            for step in 0..3 {
                let gradient = || sparse(&[1, 3, 1], &[0.5, -1.0, step as f64, 0.25, 1.0, 0.75], 4);
                with.apply_gradients([(gradient(), &a)])?;
                b.assign(b.value() * (1.0 - rate * 0.5))?;
                without.apply_gradients([(gradient(), &b)])?;
            }
            let [got, want] = [a, b].map(|v| v.array().to_vec::<f64>().unwrap());
            assert!(close(&got, &want, 1e-6), "{class} {config:?} {name}: {got:?} {want:?}");
            assert!(got[0].abs() < 0.5, "{class}: the first row has not decayed");
        }
    }
    Ok(())
}

/// Muon takes the step of Adam with an embedding, in all rows.
#[test]
fn muon_moves_an_embedding_as_adam_does() -> Result<()> {
    let start = || table(vec![0.5, -1.0, 2.0, 1.0, -0.25, 3.0]);
    let (a, b) = (start()?, start()?);
    let mut muon = Optimizer::new(Muon::new(0.125).adam_weight_decay(0.5))?;
    let mut adam = Optimizer::new(AdamW::new(0.125).weight_decay(0.5))?;
    for row in [1, 0, 2] {
        let gradient = || sparse(&[row], &[1.0, -2.0], 3);
        muon.apply_gradients([(gradient(), &a)])?;
        adam.apply_gradients([(gradient(), &b)])?;
    }
    let [got, want] = [a, b].map(|v| v.array().to_vec::<f64>().unwrap());
    assert!(close(&got, &want, 1e-12), "{got:?}, {want:?}");
    Ok(())
}

/// All rows that a step has moved are constrained, whatever has moved them.
#[test]
fn rows_that_move_are_constrained() -> Result<()> {
    type Make = fn() -> Result<Optimizer>;
    let makes: [(&str, Make); 6] = [
        ("Muon", || Optimizer::new(Muon::new(0.5).exclude_embeddings(false).rms_rate(Some(1.0)))),
        ("SM3", || Optimizer::new(Sm3::new(4.0))),
        ("averages", || Optimizer::new(Sgd::new(0.5))?.use_ema(0.5)?.ema_overwrite_frequency(2)),
        ("decay", || Optimizer::new(Sgd::new(0.5))?.weight_decay(-4.0)),
        ("Adafactor", || {
            Optimizer::new(slalom_optim::rules::Adafactor::new(0.5).relative_step(false))?.weight_decay(-4.0)
        }),
        ("Adam", || Optimizer::new(Adam::new(0.5))),
    ];
    let mut failed = Vec::new();
    for (name, make) in makes {
        let w = table(vec![0.5, 0.5, 0.0, 0.25, 0.5, 0.0, -0.5, 0.5])?;
        let w = w.constrained(RowWise::new(MaxNorm::new(1.0).axis(&[1]))?);
        let mut opt = make()?;
        if name == "averages" {
            // The average remembers a row that is longer than the limit.
            opt.build([&w])?;
            opt.get_slot(&w, "average")?.assign(Tensor::full([4, 2], 8.0, DType::F64)?)?;
            opt.iterations().assign(Tensor::scalar(1i64))?;
        }
        for row in 0..4 {
            opt.apply_gradients([(sparse(&[row], &[-1.0, 2.0], 4), &w)])?;
            for row in w.array().to_vec::<f64>()?.chunks(2) {
                let norm = (row[0] * row[0] + row[1] * row[1]).sqrt();
                if norm > 1.0 {
                    failed.push((name, norm));
                }
            }
        }
    }
    assert!(failed.is_empty(), "rows are too long: {failed:?}");
    Ok(())
}

/// A lazy rule leaves rows that the gradient lacks as they are, with weight decay too, and so does their constraint.
#[test]
fn rows_that_do_not_move_are_not_constrained() -> Result<()> {
    let w = table(vec![3.0, 4.0, 3.0, 4.0])?.constrained(RowWise::new(MaxNorm::new(1.0).axis(&[1]))?);
    let mut opt = Optimizer::new(Adam::new(0.5).lazy(true))?.weight_decay(0.5)?;
    opt.apply_gradients([(sparse(&[1], &[1.0, 1.0], 2), &w)])?;
    let got = w.array().to_vec::<f64>()?;
    assert_eq!(got[..2], [3.0, 4.0]);
    assert!((got[2].hypot(got[3]) - 1.0).abs() < 1e-6);
    Ok(())
}

/// Whether a negative axis is that of the rows is known where there is a value.
#[test]
fn a_constraint_across_rows_is_refused_by_rank() -> Result<()> {
    let constraint = || RowWise::new(MaxNorm::new(1.0).axis(&[-2]));
    let w = table(vec![3.0, 4.0, 3.0, 4.0])?.constrained(constraint()?);
    let mut opt = Optimizer::new(Sgd::new(0.5))?;
    let dense = Gradient::Dense(Tensor::ones([2, 2], DType::F64)?);
    for gradient in [sparse(&[1], &[1.0, 1.0], 2), dense] {
        let error = opt.apply_gradients([(gradient, &w)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
        assert_eq!(w.array().to_vec::<f64>()?, [3.0, 4.0, 3.0, 4.0]);
    }
    // Of three axes, it is that of columns.
    let w = Variable::new(Array::full([2, 1, 2], 4.0, DType::F64)?).constrained(constraint()?);
    opt.apply_gradients([(Gradient::Dense(Tensor::zeros([2, 1, 2], DType::F64)?), &w)])?;
    assert!(close(&w.array().to_vec::<f64>()?, &[1.0; 4], 1e-6));
    Ok(())
}
