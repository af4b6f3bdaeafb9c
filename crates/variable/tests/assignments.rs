//! Additions to variables: in place, whole, and unseen by those who have read before.
use slalom_array::{Array, DType, Result};
use slalom_autograd::{GradientTape, Tensor};
use slalom_variable::Variable;

#[test]
fn no_addition_of_another_thread_is_lost() -> Result<()> {
    let v = Variable::new(Array::zeros([1000], DType::I64)?);
    let (one, two) = (Tensor::ones([1000], DType::I64)?, Tensor::full([1000], 2.0, DType::I64)?);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..5000).try_for_each(|_| v.assign_add(&two)));
            scope.spawn(|| (0..5000).try_for_each(|_| v.assign_sub(&one)));
        }
    });
    let sums = v.array().to_vec::<i64>()?;
    assert!(sums.iter().all(|&sum| sum == 10_000), "{} and others", sums[0]);
    Ok(())
}

#[test]
fn additions_change_the_memory_in_place_where_nothing_else_holds_it() -> Result<()> {
    let v = Variable::new(Array::ones([4], DType::F32)?);
    let one = Tensor::ones([4], DType::F32)?;
    let memory = v.array().memory();
    v.assign_add(&one)?;
    assert_eq!(v.array().memory(), memory);
    v.assign_sub(&one)?;
    assert_eq!(v.array().memory(), memory);
    // A value that was read stays as it is, also when the variable is added to itself.
    let held = v.array();
    v.assign_add(&v)?;
    assert_eq!((held.to_vec::<f32>()?, v.array().to_vec::<f32>()?), (vec![1.0; 4], vec![2.0; 4]));
    v.assign_sub(&v)?;
    assert_eq!(v.array().to_vec::<f32>()?, [0.0; 4]);
    Ok(())
}

#[test]
fn a_tape_keeps_the_value_that_it_read_before_an_addition() -> Result<()> {
    let v = Variable::new(3.0f64);
    let tape = GradientTape::new();
    let before = v.value().square();
    v.assign_add(Tensor::scalar(2.0f64))?;
    let loss = &before + v.value().square();
    assert_eq!((before.item()?, loss.item()?), (9.0, 34.0));
    assert_eq!(tape.gradient(&loss, &v)?.unwrap().to_dense()?.item()?, 6.0 + 10.0);
    Ok(())
}

#[test]
fn an_addition_that_does_not_fit_changes_nothing() -> Result<()> {
    let v = Variable::new(Array::ones([2], DType::F32)?);
    assert!(v.assign_add(Tensor::scalar(1.0f32)).is_err());
    assert!(v.assign_sub(Tensor::ones([2], DType::F64)?).is_err());
    assert_eq!(v.array().to_vec::<f32>()?, [1.0; 2]);
    Ok(())
}
