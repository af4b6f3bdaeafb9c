//! What stages and schedules remember: loss scales and metrics.
use crate::common::item;
use slalom_array::{Array, Result};
use slalom_optim::rules::Sgd;
use slalom_optim::schedules::ReduceOnPlateau;
use slalom_optim::{Group, Optimizer};
use slalom_variable::Variable;

/// A loss scale goes neither to 0 nor beyond all numbers.
#[test]
fn loss_scales_stay_among_the_numbers_of_f32() -> Result<()> {
    let x = Variable::new(0.0f32);
    let mut opt = Optimizer::new(Sgd::new(1.0))?.dynamic_loss_scale(32768.0, 1)?;
    for _ in 0..400 {
        opt.minimize(|| &x * f64::INFINITY, &x)?;
    }
    assert_eq!((opt.skipped_steps()?, opt.loss_scale()?), (400, 2f64.powi(-126)));
    opt.minimize(|| &x * 1.0, &x)?;
    assert_eq!((item(&x), opt.loss_scale()?), (-1.0, 2f64.powi(-125)));
    for _ in 0..400 {
        opt.minimize(|| &x * 0.0, &x)?;
    }
    assert_eq!((opt.skipped_steps()?, opt.loss_scale()?), (400, 2f64.powi(127)));
    Ok(())
}

/// Clones of a schedule are one, which counts a metric once.
#[test]
fn a_metric_is_counted_once() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(0.0f64).named(name));
    let plateau = ReduceOnPlateau::new(1.0).patience(2).factor(0.5);
    let mut opt = Optimizer::new(Sgd::new(plateau.clone()))?
        .group(Group::matching("y").hyper("learning_rate", plateau))?;
    for (metric, rate) in [(1.0, 1.0), (1.0, 1.0), (1.0, 0.5)] {
        opt.observe(metric)?;
        assert_eq!(opt.learning_rate()?, rate);
    }
    opt.minimize(|| &x + &y, [&x, &y])?;
    assert_eq!((item(&x), item(&y)), (-0.5, -0.5));
    Ok(())
}

/// What a schedule remembers may lie anywhere.
#[test]
fn a_schedule_reads_weights_that_are_views() -> Result<()> {
    let x = Variable::new(0.0f64);
    let mut opt = Optimizer::new(Sgd::new(ReduceOnPlateau::new(1.0).patience(1).factor(0.5)))?;
    let spread = Array::from_vec([4, 2], vec![0.25f64, 9.0, 1.0, 9.0, 0.0, 9.0, 0.0, 9.0])?;
    let view = spread.slice(1, 0, 1, 1)?.reshape([4])?;
    assert!(!view.is_contiguous());
    opt.set_weights(&[Array::scalar(0i64), view])?;
    opt.minimize(|| &x + 0.0, &x)?;
    opt.observe(2.0)?;
    opt.minimize(|| &x + 0.0, &x)?;
    assert_eq!(item(&x), -0.25 - 0.125);
    Ok(())
}
