//! Jacobians.
use crate::{scalar, values, vector};
use slalom_array::{DType, ErrorKind, Result};
use slalom_autograd::{GradientTape, Tensor, UnconnectedGradients};

#[test]
fn of_several_sources() -> Result<()> {
    let tape = GradientTape::persistent();
    let a = tape.watch(&Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.0])?);
    let x = tape.watch(&vector(&[5.0, 6.0]));
    let apart = tape.watch(&scalar(1.0));
    let y = a.matmul(x.reshape([2, 1])?)?.reshape([2])?;
    let [by_a, by_x, none] = tape.jacobian(&y, [&a, &x, &apart])?;
    assert_eq!(by_a.as_ref().unwrap().shape()[..], [2, 2, 2]);
    assert_eq!(values(by_a), Some(vec![5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 5.0, 6.0]));
    assert_eq!(values(by_x), Some(vec![1.0, 2.0, 3.0, 4.0]));
    assert!(none.is_none());
    let zeros = tape.jacobian_with(&y, &apart, UnconnectedGradients::Zero)?.unwrap();
    assert_eq!(zeros.shape()[..], [2]);
    Ok(())
}

#[test]
fn of_scalars_and_of_nothing() -> Result<()> {
    let tape = GradientTape::persistent();
    let x = tape.watch(&vector(&[1.0, 2.0, 3.0]));
    assert_eq!(values(tape.jacobian(&x.square().sum(), &x)?), Some(vec![2.0, 4.0, 6.0]));
    let empty = tape.jacobian(&x.slice(0, 1, 0)?, &x)?.unwrap();
    assert_eq!(empty.shape()[..], [0, 3]);
    assert!(tape.jacobian(&vector(&[]), &x)?.is_none());
    let rows = tape.jacobian(&x.gather(&Tensor::from_vec([2], vec![2, 0])?, 0)?, &x)?;
    assert_eq!(values(rows), Some(vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]));
    Ok(())
}

#[test]
fn hessians() -> Result<()> {
    // f = x₀² x₁ + x₁³
    let (outer, inner) = (GradientTape::new(), GradientTape::new());
    let x = inner.watch(&outer.watch(&vector(&[2.0, 3.0])));
    let (a, b) = (x.slice(0, 0, 1)?, x.slice(0, 1, 1)?);
    let f = a.square() * &b + b.square() * &b;
    let gradient = inner.gradient(&f, &x)?.unwrap().into_dense()?;
    assert_eq!(values(outer.jacobian(&gradient, &x)?), Some(vec![6.0, 4.0, 4.0, 18.0]));
    Ok(())
}

#[test]
fn of_batches() -> Result<()> {
    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.0])?);
    let product = x.slice(1, 0, 1)? * x.slice(1, 1, 1)?;
    let y = slalom_autograd::concat(&[x.square(), product], 1)?;
    let jacobian = tape.batch_jacobian(&y, &x)?.unwrap();
    assert_eq!(jacobian.shape()[..], [2, 3, 2]);
    let expected = vec![2.0, 0.0, 0.0, 4.0, 2.0, 1.0, 6.0, 0.0, 0.0, 8.0, 4.0, 3.0];
    assert_eq!(values(Some(jacobian)), Some(expected));
    let apart = tape.watch(&Tensor::ones([2, 1], DType::F64)?);
    assert!(tape.batch_jacobian(&y, &apart)?.is_none());
    let zeros = tape.batch_jacobian_with(&y, &apart, UnconnectedGradients::Zero)?.unwrap();
    assert_eq!(zeros.shape()[..], [2, 3, 1]);
    for source in [x.reshape([4])?, Tensor::ones([3, 2], DType::F64)?] {
        assert_eq!(tape.batch_jacobian(&y, &source).unwrap_err().kind(), ErrorKind::Shape);
    }
    Ok(())
}
