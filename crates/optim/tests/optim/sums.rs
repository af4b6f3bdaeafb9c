//! Rules that need sums over variables.
use crate::common::{gradient, make, variable};
use serde_json::json;
use slalom_array::{Array, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::config::object;
use slalom_optim::rules::Lamb;
use slalom_variable::{Variable, constraints::NonNeg};

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
