//! Windows of micro-batches, and variables that are frozen or idle while one is open.
use crate::common::{dense, item, make};
use serde_json::json;
use slalom_array::{Array, DType, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::config::object;
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::{GradientList, Group, Optimizer};
use slalom_variable::Variable;
use slalom_variable::constraints::NonNeg;

fn slope(g: f64) -> Gradient {
    Gradient::Dense(Tensor::scalar(g))
}

/// A sparse gradient without rows.
fn empty(rows: usize) -> Gradient {
    let indices = Tensor::from_vec([0], Vec::<i64>::new()).unwrap();
    IndexedSlices::new(indices, Tensor::zeros([0, 2], DType::F64).unwrap(), [rows, 2]).unwrap().into()
}

#[test]
fn a_variable_frozen_within_a_window_stays() -> Result<()> {
    for partial in [false, true] {
        let [x, y] = ["x", "y"].map(|name| Variable::new(0.0f64).named(name));
        let mut opt =
            Optimizer::new(Sgd::new(1.0))?.gradient_accumulation_steps(2)?.group(Group::matching("y"))?;
        opt.apply_gradients([(slope(1.0), &x), (slope(1.0), &y)])?;
        opt.set_frozen(0, true)?;
        let steps = match partial {
            true => opt.apply_accumulated()?,
            false => opt.apply_gradients([(slope(3.0), &x), (slope(3.0), &y)])?,
        };
        let expected = if partial { -1.0 } else { -2.0 };
        assert_eq!((steps, item(&x), item(&y), opt.accumulated_steps()?), (1, expected, 0.0, 0));
    }
    Ok(())
}

#[test]
fn frozen_variables_are_not_replaced_by_averages() -> Result<()> {
    let [x, y, z] = ["x", "y", "z"].map(|name| Variable::new(0.0f64).named(name));
    let z = z.constrained(NonNeg);
    let mut opt = Optimizer::new(Sgd::new(1.0))?
        .use_ema(0.5)?
        .ema_overwrite_frequency(2)?
        .group(Group::matching("y"))?;
    opt.apply_gradients([(slope(-1.0), &x), (slope(-1.0), &y), (slope(-1.0), &z)])?;
    opt.set_frozen(0, true)?;
    y.assign(Tensor::scalar(5.0))?;
    opt.get_slot(&z, "average")?.assign(Tensor::scalar(-9.0))?;
    opt.apply_gradients([(slope(-2.0), &x), (slope(-2.0), &y)])?;
    // The average of what is frozen goes on, and what an idle variable is replaced by is constrained.
    assert_eq!((item(&x), item(&y), item(&opt.get_slot(&y, "average")?)), (2.0, 5.0, 3.0));
    assert_eq!((item(&z), item(&opt.get_slot(&z, "average")?)), (0.0, -4.0));
    Ok(())
}

/// A window whose gradients have no rows makes the step that one such gradient makes.
#[test]
fn windows_of_empty_gradients_are_steps() -> Result<()> {
    let run = |steps: i64| -> Result<(Vec<f64>, f64)> {
        let table = Variable::new(Array::ones([3, 2], DType::F64)?);
        let mut opt = Optimizer::new(Adam::new(0.5))?;
        if steps > 1 {
            opt = opt.gradient_accumulation_steps(steps)?;
        }
        let full = || Gradient::Dense(Tensor::full([3, 2], 2.0, DType::F64).unwrap());
        for _ in 0..steps {
            opt.apply_gradients([(full(), &table)])?;
        }
        for _ in 0..2 * steps {
            opt.apply_gradients([(empty(3), &table)])?;
        }
        Ok((table.array().to_vec()?, item(opt.iterations())))
    };
    assert_eq!(run(1)?.1, 3.0);
    assert_eq!(run(2)?, run(1)?);
    // A variable may have no rows at all.
    let (none, x) = (Variable::new(Array::zeros([0, 2], DType::F64)?), Variable::new(0.0f64));
    let mut opt = Optimizer::new(Sgd::new(1.0))?.gradient_accumulation_steps(2)?;
    for gradient in [empty(0), Gradient::Dense(Tensor::zeros([0, 2], DType::F64)?)] {
        opt.apply_gradients([(gradient.clone(), &none)])?;
        opt.apply_gradients([(gradient, &none)])?;
    }
    assert_eq!((item(opt.iterations()), opt.accumulated_steps()?), (2.0, 0));
    // Rows of one micro-batch with none in the other.
    let table = Variable::new(Array::ones([2, 2], DType::F64)?);
    let rows = crate::common::sparse(&[1], &[2.0, 4.0], 2);
    opt.apply_gradients([(empty(2), &table), (rows, &table)])?;
    opt.apply_gradients([(slope(1.0), &x)])?;
    assert_eq!((table.array().to_vec::<f64>()?, item(&x)), (vec![1.0, 1.0, 0.0, -1.0], -0.5));
    Ok(())
}

/// A step without gradients counts, as in the reference, and leaves everything else as it is.
#[test]
fn transformers_may_drop_all_gradients() -> Result<()> {
    fn drop_all(when: i32) -> impl FnMut(GradientList) -> GradientList + Send {
        let mut calls = 0;
        move |gradients| {
            calls += 1;
            if calls == when { Vec::new() } else { gradients }
        }
    }
    for (class, micro_batches) in [("Prodigy", 1), ("Nadam", 1), ("Nadam", 2), ("Muon", 1)] {
        for (aggregates, when) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
            let x = Variable::new(Array::from_vec([1], vec![1.0f64])?);
            let opt = make(class, &object([("learning_rate", json!(0.5))]));
            let opt = match aggregates {
                true => opt.gradient_aggregator(drop_all(when)),
                false => opt.gradient_transformer(drop_all(when))?,
            };
            let mut opt = match micro_batches {
                1 => opt,
                n => opt.gradient_accumulation_steps(n)?,
            };
            for step in 1..4 {
                let remembered = |opt: &Optimizer| -> Result<Vec<f64>> {
                    let arrays = opt.state([&x])?.arrays.into_iter();
                    let own = arrays.filter(|(name, _)| {
                        name.starts_with("scalars/") || name.ends_with("/m") || name == "variables/Variable"
                    });
                    own.map(|(_, array)| array.cast(DType::F64)?.to_vec())
                        .collect::<Result<Vec<_>>>()
                        .map(|all| all.concat())
                };
                let before = remembered(&opt)?;
                for _ in 0..micro_batches {
                    opt.apply_gradients([(dense(&[1.0]), &x)])?;
                }
                assert_eq!(item(opt.iterations()), f64::from(step), "{class}");
                if micro_batches == 1 || when > 1 {
                    assert_eq!(remembered(&opt)? == before, step == when, "{class}: step {step} of {when}");
                }
            }
            let scalars =
                opt.state([&x])?.arrays.into_iter().filter(|(name, _)| name.starts_with("scalars/"));
            assert!(scalars.into_iter().all(|(_, scalar)| scalar.dtype() == DType::F64));
        }
    }
    Ok(())
}
