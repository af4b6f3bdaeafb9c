//! What single rules promise.
use crate::common::{gradient, noise, variable};
use slalom_array::Result;
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::rules::{self, Adam, AdamW, Lookahead, RMSprop, Sgd};
use slalom_optim::{Optimizer, Rule};
use slalom_variable::Variable;

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

/// Values of `torch.optim.SGD(lr=0.5, momentum=0.75, dampening=0.25)` of PyTorch 2.15; before the third step the learning rate becomes
/// 0.25, and one variable has no gradient in the first.
#[test]
fn dampened_momentum_is_that_of_pytorch() -> Result<()> {
    let [x, y] = [1.0, 2.0].map(|x: f64| Variable::new(x));
    let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.75).dampening(Some(0.25)))?;
    let gradient = |g: f64| Some(Gradient::from(Tensor::scalar(g)));
    let steps = [
        ([gradient(4.0), None], [-1.0, 2.0]),
        ([gradient(1.0), gradient(2.0)], [-2.875, 1.0]),
        ([gradient(-2.0), gradient(1.0)], [-3.203125, 0.4375]),
    ];
    for (step, (gradients, expected)) in steps.into_iter().enumerate() {
        opt.set_learning_rate(if step < 2 { 0.5 } else { 0.25 })?;
        opt.apply_gradients(gradients.into_iter().zip([&x, &y]))?;
        assert_eq!([x.value().item()?, y.value().item()?], expected);
    }
    assert!(Optimizer::new(Sgd::new(0.5).dampening(Some(-0.5))).is_err());
    let again = Optimizer::from_config("SGD", &opt.get_config()?)?;
    assert_eq!((again.get_config()?, &again.get_config()?["dampening"]), (opt.get_config()?, &0.25.into()));
    Ok(())
}
