//! What a search remembers from step to step.
use slalom_array::{Array, DType, Result};
use slalom_autograd::Tensor;
use slalom_optim::Optimizer;
use slalom_optim::rules::Lbfgs;
use slalom_variable::Variable;

/// A search that goes on with other variables knows nothing of their curvature.
#[test]
fn a_search_over_other_variables_begins_anew() -> Result<()> {
    let bowl = |v: &Variable, k: f64| -> Result<Tensor> { Ok(((v.value() - 1.0).square() * k).sum()) };
    let made = || [0.0f64, 3.0].map(|x| Variable::new(Array::full([3], x, DType::F64).unwrap()));
    let opt = || Optimizer::new(Lbfgs::new(1.0).max_iter(3).strong_wolfe(false));
    let bits =
        |v: &Variable| v.array().to_vec::<f64>().unwrap().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    let ([x, y], [_, alone]) = (made(), made());
    let (mut both, mut fresh) = (opt()?, opt()?);
    both.minimize(|| bowl(&x, 2.0), [&x])?;
    for _ in 0..2 {
        both.minimize(|| bowl(&y, 0.125), [&y])?;
        fresh.minimize(|| bowl(&alone, 0.125), [&alone])?;
        assert_eq!(bits(&y), bits(&alone));
    }
    // A list that has grown, and one that has shrunk.
    let ([x, y], [a, b]) = (made(), made());
    let mut both = opt()?;
    both.minimize(|| bowl(&x, 2.0), [&x])?;
    a.assign(x.value())?;
    both.minimize(|| Ok(bowl(&x, 2.0)? + bowl(&y, 0.125)?), [&x, &y])?;
    let mut fresh = opt()?;
    fresh.minimize(|| Ok(bowl(&a, 2.0)? + bowl(&b, 0.125)?), [&a, &b])?;
    assert_eq!((bits(&x), bits(&y)), (bits(&a), bits(&b)));
    both.minimize(|| bowl(&y, 0.125), [&y])?;
    opt()?.minimize(|| bowl(&b, 0.125), [&b])?;
    assert_eq!(bits(&y), bits(&b));
    Ok(())
}

/// What the memory holds is no more than it has room for, and a pair without a step tells nothing.
#[test]
fn a_memory_that_makes_no_sense_does_no_harm() -> Result<()> {
    let x = Variable::new(Array::full([3], 3.0, DType::F64)?);
    let mut opt = Optimizer::new(Lbfgs::new(1.0).max_iter(2).history_size(2))?;
    let minimize = |opt: &mut Optimizer| opt.minimize(|| (&x * &x).sum(), [&x]).map(drop);
    minimize(&mut opt)?;
    let mut weights = opt.get_weights();
    for (weight, array) in opt.weights().iter().zip(&mut weights) {
        if weight.name().ends_with("remembered") {
            *array = Array::scalar(9.0f64);
        } else if weight.name().ends_with("/s") || weight.name().ends_with("/y") {
            *array = Array::zeros(array.shape(), DType::F64)?;
        }
    }
    opt.set_weights(&weights)?;
    for _ in 0..3 {
        minimize(&mut opt)?;
    }
    assert!(x.array().to_vec::<f64>()?.iter().all(|x| x.abs() < 1e-6), "{x:?}");
    Ok(())
}
