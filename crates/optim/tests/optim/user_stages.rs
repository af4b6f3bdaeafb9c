//! The user's own stages: aggregators, transformers and constraints.
use crate::common::{By, dense, item};
use slalom_array::{Array, ErrorKind, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::rules::Sgd;
use slalom_optim::{ApplyOptions, GradientList, Optimizer};
use slalom_variable::Variable;

#[test]
fn aggregator_and_transformers_run_in_order() -> Result<()> {
    let add = |amount: f64| {
        move |gradients: GradientList| -> Result<GradientList> {
            gradients.into_iter().map(|(g, v)| Ok(((g.to_dense()? + amount).into(), v))).collect()
        }
    };
    let double = |gradients: GradientList| -> GradientList {
        let twice = |g: Gradient| Gradient::Dense(g.to_dense().expect("dense") * 2.0);
        gradients.into_iter().map(|(g, v)| (twice(g), v)).collect()
    };
    let x = Variable::new(Array::from_vec([1], vec![0.0f64])?);
    let opt = Optimizer::new(Sgd::new(1.0))?.gradient_aggregator(add(100.0));
    let mut opt = opt.gradient_transformer(add(1.0))?.gradient_transformer(double)?;
    opt.apply_gradients([(dense(&[1.0]), &x)])?;
    assert_eq!(item(&x), -204.0);
    opt.apply_gradients_with([(dense(&[1.0]), &x)], &ApplyOptions::new().aggregate_gradients(false))?;
    assert_eq!(item(&x), -208.0);
    assert_eq!(opt.set_clipnorm(Some(1.0)).unwrap_err().kind(), ErrorKind::Argument);
    let clipped = Optimizer::new(Sgd::new(1.0))?.clipvalue(1.0)?;
    assert_eq!(clipped.gradient_transformer(double).unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}

#[test]
fn constraints_follow_updates() -> Result<()> {
    let at_most = |limit: f64| By(move |value: &Tensor| Ok(value * 0.0 + value.item()?.min(limit)));
    let x = Variable::new(Array::from_vec([1], vec![0.0f64])?).constrained(at_most(1.5));
    let mut opt = Optimizer::new(Sgd::new(1.0))?;
    opt.apply_gradients([(dense(&[-1.0]), &x), (dense(&[-1.0]), &x), (dense(&[0.25]), &x)])?;
    assert_eq!(item(&x), 1.25);
    Ok(())
}
