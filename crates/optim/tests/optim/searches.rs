//! Rules that search.
use crate::common::{make, values};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{Gradient, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::config::object;
use slalom_optim::rules::{Lbfgs, Sgd, TruncatedNewton};
use slalom_variable::{Variable, constraints::NonNeg};

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
