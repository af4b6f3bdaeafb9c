//! What ops and closures must keep to, and what is said where they do not.
use crate::{values, vector};
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{
    CheckNumerics, ForwardAccumulator, Gradient, GradientTape, Gradients, IndexedSlices, Jvp, Op, Outputs,
    PersistentGradientTape, Saves, Tangents, Tensor, Vjp, apply, apply_many, custom_gradient,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// `x` and `2 x`, whose derivatives are of another type, or fail once.
#[derive(Debug, Clone)]
struct Faulty {
    dtype: DType,
    results: usize,
    fails: Arc<AtomicBool>,
}

impl Faulty {
    fn new(dtype: DType, results: usize, fails: bool) -> Faulty {
        Faulty { dtype, results, fails: Arc::new(AtomicBool::new(fails)) }
    }
}

impl Op for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let x = Tensor::from(inputs[0].clone());
        Ok([x.clone(), &x + &x].into_iter().map(Array::from).take(self.results).collect())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Ok([Some(cx.grad()?.cast(self.dtype)?.into())].into_iter().collect())
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        if self.fails.swap(false, Ordering::Relaxed) {
            return Err(cx.tangent_or_zeros(0)?.reshape([7]).unwrap_err());
        }
        let tangent = cx.tangent_or_zeros(0)?.cast(self.dtype)?;
        Ok([Some(tangent.clone()), Some(&tangent + &tangent)].into_iter().take(self.results).collect())
    }
}

#[test]
fn gradients_and_tangents_have_the_type_of_their_values() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let op = Faulty::new(dtype, 1, false);
        let fits = dtype == DType::F64;
        let tape = GradientTape::new();
        let x = tape.watch(&vector(&[1.0, 2.0]));
        let y = apply(op.clone(), [&x])?;
        let gradient = tape.gradient(&y, &x);
        assert_eq!(gradient.map_err(|error| error.kind()).err(), (!fits).then_some(ErrorKind::DType));
        let accumulator = ForwardAccumulator::new(&vector(&[1.0, 2.0]), &vector(&[1.0, 0.0]))?;
        let y = apply(op, [&accumulator.primals()[0]])?;
        let tangent = accumulator.jvp(&y);
        assert_eq!(tangent.map_err(|error| error.kind()).err(), (!fits).then_some(ErrorKind::DType));
    }
    Ok(())
}

#[test]
fn a_failed_tangent_can_be_asked_for_again() -> Result<()> {
    // Of the second result, of the first after the second failed, and of what was computed of the second.
    for target in 0..3 {
        let accumulator = ForwardAccumulator::new(&vector(&[1.0, 2.0]), &vector(&[1.0, 3.0]))?;
        let x = &accumulator.primals()[0];
        let results = apply_many(Faulty::new(DType::F64, 2, true), &[x])?;
        let sum = &results[1] + x;
        assert!(accumulator.jvp(&results[1]).is_err());
        let (target, slope) = [(&results[0], 1.0), (&results[1], 2.0), (&sum, 3.0)][target];
        let tangent: Vec<f64> = accumulator.jvp(target)?.expect("a tangent").to_vec()?;
        assert_eq!(tangent, [slope, 3.0 * slope]);
    }
    Ok(())
}

#[test]
fn a_custom_gradient_loses_no_captured_tensor() -> Result<()> {
    let tape = GradientTape::new();
    let [x, w] = [2.0, 3.0].map(|x| tape.watch(&Tensor::scalar(x)));
    let error = custom_gradient([&x], |[x]| Ok((x * &w, |g: &Tensor| Ok([g.clone()])))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    // A constant, and both as inputs.
    let fixed = w.stop_gradient();
    let y = custom_gradient([&x], |[x]| Ok((x * &fixed, |g: &Tensor| Ok([5.0 * g]))))?;
    let z = custom_gradient([&x, &w], |[x, w]| Ok((x * w, |g: &Tensor| Ok([7.0 * g, 9.0 * g]))))?;
    let [by_x, by_w] = tape.gradient(&(y + z), [&x, &w])?;
    assert_eq!((values(by_x), values(by_w)), (Some(vec![12.0]), Some(vec![9.0])));
    Ok(())
}

#[test]
fn gradients_of_indices_of_any_type_add_up() -> Result<()> {
    let rows = |dtype: DType, row: f64| -> Result<Gradient> {
        let indices = Tensor::full([1], row, dtype)?;
        Ok(IndexedSlices::new(indices, Tensor::ones([1, 2], DType::F32)?, [3, 2])?.into())
    };
    let dense = || -> Result<Gradient> { Ok(Tensor::ones([3, 2], DType::F32)?.into()) };
    for (a, b) in [(DType::I32, DType::I32), (DType::I32, DType::I64), (DType::I64, DType::I32)] {
        let sum = rows(a, 0.0)?.accumulate(rows(b, 2.0)?)?;
        let indices = sum.as_sparse().expect("two sparse gradients").indices();
        assert_eq!(indices.dtype(), if a == b { a } else { DType::I64 });
        assert_eq!(indices.cast(DType::I64)?.to_vec::<i64>()?, [0, 2]);
        assert_eq!(sum.to_dense()?.to_vec::<f32>()?, [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        let sum = rows(a, 0.0)?.accumulate(dense()?)?.accumulate(rows(b, 0.0)?)?;
        assert_eq!(sum.to_dense()?.to_vec::<f32>()?, [3.0, 3.0, 1.0, 1.0, 1.0, 1.0]);
    }
    // Rows by `gather` and by `gather_nd` of one table.
    let tape = GradientTape::new();
    let table = tape.watch(&Tensor::ones([3, 2], DType::F64)?);
    let index = Tensor::from_vec([1, 1], vec![1])?;
    let loss = table.gather(index.reshape([1])?, 0)?.sum() + 2.0 * table.gather_nd(&index, 0)?.sum();
    assert_eq!(values(tape.gradient(&loss, &table)?), Some(vec![0.0, 0.0, 3.0, 3.0, 0.0, 0.0]));
    Ok(())
}

#[test]
fn notes_for_the_gradient_are_not_checked() -> Result<()> {
    let _check = CheckNumerics::enable();
    let tape = PersistentGradientTape::unwatched();
    // No keys: the logarithm of an empty sum is -∞, and the result 0.
    let query = tape.watch(&Tensor::ones([1, 2, 1, 4], DType::F64)?);
    let none = Tensor::zeros([1, 0, 1, 4], DType::F64)?;
    let y = query.dot_product_attention(&none, &none, None, false, None)?;
    assert_eq!(y.to_vec::<f64>()?, [0.0; 8]);
    // Nothing to normalize has no mean.
    let empty = tape.watch(&Tensor::ones([2, 0], DType::F64)?);
    assert!(empty.layer_norm(&[-1], None, None, 1e-3)?.is_empty());
    // What a program sees is checked.
    assert_eq!(query.log()?.reciprocal().unwrap_err().kind(), ErrorKind::Numerics);
    Ok(())
}

#[test]
fn lengths_beyond_what_can_be_counted_are_errors() {
    const MOST: usize = usize::MAX;
    let x = Tensor::ones([2, 2, 2, 4], DType::F32).unwrap();
    let empty = Tensor::ones([0, 2, 2, 0], DType::F32).unwrap();
    let flat = Tensor::ones([0, 0, 0, 3], DType::F32).unwrap();
    for result in [
        x.tile(&[1, MOST, 1, 1]),
        empty.tile(&[1, MOST, 1, 1]),
        x.repeat(&[MOST], 1),
        empty.repeat(&[MOST], 1),
        x.depth_to_space(MOST),
        x.depth_to_space(1 << 32),
        empty.depth_to_space(1 << 32),
        empty.depth_to_space(MOST),
        flat.space_to_depth(MOST),
        flat.space_to_depth(1 << 32),
    ] {
        assert!(matches!(result.unwrap_err().kind(), ErrorKind::Shape | ErrorKind::Memory));
    }
}
