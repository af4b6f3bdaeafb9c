//! Variables without a gradient are named, and so is the op that cut them from the loss.
use slalom_array::{DType, ErrorKind, Result};
use slalom_autograd::{Disconnection, GradientTape, Tensor};
use slalom_optim::{Optimizer, rules::Sgd};
use slalom_variable::Variable;

fn pair() -> (Variable, Variable) {
    (Variable::new(2.6f64).named("kernel"), Variable::new(1.0f64).named("bias"))
}

#[test]
fn the_error_names_variables_and_ops() -> Result<()> {
    let (kernel, bias) = pair();
    let mut opt = Optimizer::new(Sgd::new(0.1))?;
    let loss = || kernel.value().exp()?.round()?.floor();
    let error = opt.minimize(loss, [&kernel, &bias]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gradient);
    let expected =
        "none for [\"kernel\" (the op `round`, which has no gradient, cuts it from the loss), \"bias\"]";
    assert_eq!(error.got(), expected);
    // In a trace all ops are recorded, and the answer is the same.
    assert_eq!(opt.minimize_op(loss, [&kernel, &bias]).unwrap_err().got(), expected);
    let tape = GradientTape::persistent();
    let value = loss()?;
    assert_eq!(opt.minimize_with_tape(value, tape, [&kernel, &bias]).unwrap_err().got(), expected);
    assert_eq!((kernel.value().item()?, opt.iterations().value().item()?), (2.6, 0.0));
    Ok(())
}

#[test]
fn a_cut_beside_a_gradient_changes_nothing() -> Result<()> {
    let (kernel, bias) = pair();
    let mut opt = Optimizer::new(Sgd::new(0.5))?;
    // The comparison cuts one of two ways from the bias.
    let loss = || {
        let positive = bias.value().greater(Tensor::scalar(0.0))?.cast(DType::F64)?;
        Ok(&positive * &bias + kernel.value().round()?)
    };
    opt.minimize(loss, [&kernel, &bias])?;
    assert_eq!((kernel.value().item()?, bias.value().item()?), (2.6, 0.5));
    Ok(())
}

#[test]
fn reasons_of_disconnection() -> Result<()> {
    let (kernel, bias) = pair();
    let tape = GradientTape::persistent();
    let parts = kernel.value().exp()?.reshape([1])?.stop_gradient();
    let indices = bias.value().reshape([1])?.cast(DType::I32)?;
    let loss = (parts + indices.cast(DType::F64)?).sum() + bias.value() * 2.0;
    let unused = bias.value().square();
    let cut = |op| Some(Disconnection::Cut { op });
    assert_eq!(tape.disconnection(&loss, &kernel), cut("stop_gradient"));
    assert_eq!(tape.disconnection(&loss, &bias), None);
    assert_eq!(tape.disconnection(&loss, &unused), Some(Disconnection::Unused));
    assert_eq!(tape.disconnection(&loss, &Variable::new(1.0f64)), Some(Disconnection::Unwatched));
    assert_eq!(tape.disconnection(&(&indices + &indices), &bias), cut("cast"));
    assert!(tape.gradient(&loss, &kernel)?.is_none() && tape.gradient(&loss, &bias)?.is_some());
    // Two cut values in one op.
    let both = kernel.value().floor()? * bias.value().ceil()?;
    assert_eq!(tape.disconnection(&both, &kernel), cut("floor"));
    assert_eq!(tape.disconnection(&both, &bias), cut("ceil"));
    // A handle of a tape that has ended knows nothing.
    drop(tape);
    let tape = GradientTape::new();
    let again = &both * &kernel;
    assert_eq!(tape.disconnection(&again, &bias), Some(Disconnection::Unwatched));
    Ok(())
}
