//! Variables that do not hold floating-point numbers.
use slalom_array::{DType, Result};
use slalom_autograd::{GradientTape, Tensor, Trace};
use slalom_variable::Variable;

#[test]
fn an_integer_variable_has_no_gradient() -> Result<()> {
    let (n, w) = (Variable::new(Tensor::scalar(3i32)), Variable::new(Tensor::scalar(2.0f32)));
    let tape = GradientTape::new();
    tape.watch_variable(n.id());
    let y = n.value().cast(DType::F32)? * &w;
    let [by_n, by_w] = tape.gradient(&y, [&n, &w])?;
    assert!(by_n.is_none());
    assert_eq!(by_w.expect("of a float").into_dense()?.item()?, 3.0);
    Ok(())
}

#[test]
fn an_integer_variable_is_read_again_in_a_replay() -> Result<()> {
    let n = Variable::new(Tensor::scalar(3i32));
    let trace = Trace::new()?;
    let y = n.value().cast(DType::F32)?.square();
    let mut plan = trace.finish(&[&y])?;
    assert_eq!(plan.run()?[0].item()?, 9.0);
    n.assign(Tensor::scalar(4i32))?;
    assert_eq!(plan.run()?[0].item()?, 16.0);
    Ok(())
}
