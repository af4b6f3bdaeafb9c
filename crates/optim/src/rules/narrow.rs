//! What Keras 3 computes in `f32` also for variables of `f64`, where its backend is JAX: its `mean`, `norm` and `cos` give the type
//! that JAX has by default.
//!
//! The last bit depends on the order of a sum, so that this is the order of XLA's code for a CPU, as far as arrays with axes of up
//! to four elements show it.
use slalom_array::{Array, DType, Result};

/// The mean of all elements.
pub(super) fn mean(x: &Array) -> Result<f64> {
    Ok(f64::from(sum(x, |sum, x| sum + x)? * (1.0 / x.len() as f32)))
}

/// The mean along an axis, which stays with length 1: one element is added after another.
pub(super) fn mean_along(x: &Array, axis: usize) -> Result<Array> {
    let (count, inner) = (x.shape()[axis], x.shape().iter().skip(axis + 1).product::<usize>());
    let shape = x.shape().replaced(axis, 1);
    let mut means = vec![0.0; shape.iter().product()];
    for (i, x) in x.cast(DType::F32)?.to_vec::<f32>()?.into_iter().enumerate() {
        means[i / (count * inner) * inner + i % inner] += x;
    }
    means.iter_mut().for_each(|sum| *sum *= 1.0 / count as f32);
    Array::from_vec(shape, means)?.cast(x.dtype())
}

/// The root of the sum of all squares.
pub(super) fn norm(x: &Array) -> Result<f32> {
    Ok(sum(x, |sum, x| x.mul_add(x, sum))?.sqrt())
}

/// Adds one element after another; where the last two axes are matrices of two or four rows, rows are summed side by side, the first
/// one from the sum so far on.
fn sum(x: &Array, add: impl Fn(f32, f32) -> f32) -> Result<f32> {
    let axes: Vec<usize> = x.shape().iter().copied().filter(|&n| n != 1).collect();
    let (rows, columns) = match axes[..] {
        [.., rows @ (2 | 4), columns] => (rows, columns),
        _ => (1, x.len()),
    };
    let x = x.cast(DType::F32)?.to_vec::<f32>()?;
    Ok(x.chunks((rows * columns).max(1)).fold(0.0, |sum, matrix| {
        let mut lanes = vec![0.0; rows];
        lanes[0] = sum;
        for (lane, row) in lanes.iter_mut().zip(matrix.chunks(columns.max(1))) {
            *lane = row.iter().fold(*lane, |sum, &x| add(sum, x));
        }
        while lanes.len() > 1 {
            let others = lanes.split_off(lanes.len() / 2);
            lanes.iter_mut().zip(others).for_each(|(lane, other)| *lane += other);
        }
        lanes[0]
    }))
}
