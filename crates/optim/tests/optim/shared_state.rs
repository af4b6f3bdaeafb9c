//! What variables of different groups share, and what an element has when it is first seen.
use crate::common::{item, sparse};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::rules::{Adan, Nadam, Prodigy, ScheduleFreeAdamW};
use slalom_optim::{Group, Optimizer};
use slalom_variable::Variable;

fn slope(g: f64) -> Gradient {
    Gradient::Dense(Tensor::scalar(g))
}

/// A group with a factor makes the steps of an optimizer with another learning rate.
#[test]
fn factors_do_not_weigh_averages() -> Result<()> {
    let [x, y, z] = ["x", "y", "z"].map(|name| Variable::new(1.0f64).named(name));
    let mut both = Optimizer::new(ScheduleFreeAdamW::new(0.0625))?
        .group(Group::matching("y").learning_rate_factor(8.0))?;
    let mut alone = Optimizer::new(ScheduleFreeAdamW::new(0.5))?;
    for _ in 0..50 {
        both.minimize(|| &x * &x + &y * &y, [&x, &y])?;
        alone.minimize(|| &z * &z, [&z])?;
    }
    assert!((item(&y) - item(&z)).abs() < 1e-12, "{} {}", item(&y), item(&z));
    Ok(())
}

#[test]
fn groups_share_scalars() -> Result<()> {
    let kind = |made: Result<Optimizer>| made.unwrap_err().kind();
    let [x, y] = ["x", "y"];
    let free = || Optimizer::new(ScheduleFreeAdamW::new(0.1)).unwrap();
    let nadam = || Optimizer::new(Nadam::new(0.1)).unwrap();
    let prodigy = || Optimizer::new(Prodigy::new(1.0)).unwrap();
    assert_eq!(kind(nadam().group(Group::matching(x).hyper("beta_1", 0.5))), ErrorKind::Argument);
    assert_eq!(kind(free().group(Group::matching(x).hyper("learning_rate", 0.5))), ErrorKind::Argument);
    assert_eq!(kind(prodigy().group(Group::matching(x).hyper("beta_2", 0.5))), ErrorKind::Argument);
    assert_eq!(kind(prodigy().group(Group::matching(x).learning_rate_factor(2.0))), ErrorKind::Argument);
    for made in [free(), nadam(), prodigy()] {
        made.group(Group::matching(x).weight_decay(0.5).frozen(true))?.exclude_from_weight_decay([y])?;
    }
    nadam().group(Group::matching(x).learning_rate_factor(2.0))?;
    Ok(())
}

/// The average is what the values tell, and they do not tell it where they are the iterates.
#[test]
fn an_average_that_nobody_knows() -> Result<()> {
    let x = Variable::new(1.0f64);
    let mut opt = Optimizer::new(ScheduleFreeAdamW::new(0.1).beta_1(0.0))?;
    opt.minimize(|| &x * &x, &x)?;
    assert_eq!(ScheduleFreeAdamW::average(&opt, &x).unwrap_err().kind(), ErrorKind::State);
    Ok(())
}

/// There is no difference to a gradient that has not been: the first step of an element, whenever it comes, is one in which
/// differences have no weight, which is what a β₂ of 0 gives them.
#[test]
fn the_first_difference_is_0_whenever_it_comes() -> Result<()> {
    let late = |beta_2: f64| -> Result<[f64; 2]> {
        let (table, x) = (Variable::new(Array::zeros([2, 1], DType::F64)?), Variable::new(0.0f64));
        let mut opt = Optimizer::new(Adan::new(0.5).epsilon(1.0).beta_2(beta_2))?;
        opt.apply_gradients([(sparse(&[0], &[2.0], 2), &table)])?;
        opt.apply_gradients([(sparse(&[1], &[2.0], 2), &table), (slope(2.0), &x)])?;
        Ok([table.array().to_vec::<f64>()?[1], item(&x)])
    };
    let ([row, x], [row_0, x_0]) = (late(0.92)?, late(0.0)?);
    assert!((row - row_0).abs() < 1e-15 && (x - x_0).abs() < 1e-15, "{row} {row_0} {x} {x_0}");
    Ok(())
}
