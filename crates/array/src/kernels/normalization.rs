//! Normalization: of rows (layer normalization) and of columns (batch normalization), and their gradients.
//!
//! Mean and variance take two passes, so that nothing is lost to cancellation. Sums over many rows are sums over
//! shares of a fixed number of rows, added in their order.
mod columns;
mod rows;
#[cfg(test)]
mod tests;

pub use columns::{batch_norm, batch_norm_grad};
pub use rows::{layer_norm, layer_norm_grad};

use crate::kernels::elementwise::Map;
use crate::{Array, Element, Error, ErrorKind, Float, Result};

/// A vector of `n` elements of type `T`, contiguous.
fn vector<T: Element>(op: &'static str, array: &Array, n: usize) -> Result<Array> {
    array.expect_dtype(op, T::DTYPE)?;
    if **array.shape() != [n] {
        return Err(Error::new(ErrorKind::Shape, op, format!("a vector of shape [{n}]"), array.shape()));
    }
    array.contiguous()
}

/// `array`, contiguous, if it has the shape and type of `first`.
fn like(op: &'static str, first: &Array, array: &Array) -> Result<Array> {
    array.expect_dtype(op, first.dtype())?;
    if array.shape() != first.shape() {
        return Err(Error::new(ErrorKind::Shape, op, format!("shape {}", first.shape()), array.shape()));
    }
    array.contiguous()
}

/// `(x - mean)²`
#[derive(Clone, Copy)]
struct SquaredDeviation<T>(T);

impl<T: Float> Map<T, T, 1> for SquaredDeviation<T> {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> T {
        (x - self.0) * (x - self.0)
    }
}
