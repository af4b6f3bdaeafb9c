//! What Keras 3 computes in `f32` also for variables of `f64`, where its backend is JAX: its `mean`, `norm` and `cos` give the type
//! that JAX has by default.
//!
//! The last bit depends on the order of a sum, so that this is the order of XLA's code for a CPU.
use slalom_array::{Array, DType, Result};

/// The mean along an axis, which stays with length 1, or of all elements: one is added after another.
pub(super) fn mean(x: &Array, axis: Option<usize>) -> Result<Array> {
    let (mut shape, mut strides) = (axis.map_or([].into(), |_| x.shape().clone()), [x.len(), 1]);
    if let Some(axis) = axis {
        strides = [shape[axis], shape.iter().skip(axis + 1).product()];
        shape = shape.replaced(axis, 1);
    }
    let ([count, inner], x) = (strides, x.cast(DType::F32)?.to_vec::<f32>()?);
    let mut means = vec![0.0; shape.iter().product()];
    for (i, x) in x.into_iter().enumerate() {
        means[i / (count * inner) * inner + i % inner] += x;
    }
    means.iter_mut().for_each(|sum| *sum *= 1.0 / count as f32);
    Array::from_vec(shape, means)
}

/// The root of the sum of the squares of a matrix; two or four rows are summed side by side.
pub(super) fn norm(x: &Array) -> Result<f32> {
    let lanes = if matches!(x.shape()[0], 2 | 4) { x.shape()[0] } else { 1 };
    let x = x.cast(DType::F32)?.to_vec::<f32>()?;
    let squares = |x: &[f32]| x.iter().fold(0.0, |sum, &x| x.mul_add(x, sum));
    let mut sums: Vec<f32> = x.chunks((x.len() / lanes).max(1)).map(squares).collect();
    while let Some(half) = std::num::NonZero::new(sums.len() / 2) {
        let others = sums.split_off(half.get());
        sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
    }
    Ok(sums.first().map_or(0.0, |sum| sum.sqrt()))
}
