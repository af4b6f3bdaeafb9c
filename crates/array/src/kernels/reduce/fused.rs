//! A function of elements, reduced to one number in the same pass.
use super::ops::Add;
use super::rows::{LEAF, Source, reduce_rows, reduce_short};
use crate::array::Uninit;
use crate::kernels::elementwise::{Map, broadcast_all};
use crate::kernels::strided::Rows;
use crate::{Array, Element, Number, Result};

/// `Σ f(inputs[0][i], inputs[1][i], ...)` over each index of the shape that all inputs broadcast to, a scalar of
/// type `O`: one pass over the inputs, and nothing in between is stored.
///
/// The sum is combined in the same fixed tree as that of [`reduce`](crate::reduce) over all axes, in type
/// `O`: a function from `f32` to `f64` is summed with the precision of `f64`.
///
/// # Errors
/// [`ErrorKind::Shape`](crate::ErrorKind::Shape) if the shapes do not broadcast together,
/// [`ErrorKind::DType`](crate::ErrorKind::DType) if an input is not of type `T`,
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory); all name `op`.
///
/// ```
/// use slalom_array::{Array, Map, reduce_map};
/// #[derive(Clone, Copy)]
/// struct SquaredDifference;
/// impl Map<f32, f32, 2> for SquaredDifference {
///     #[inline(always)]
///     fn eval(self, [a, b]: [f32; 2]) -> f32 {
///         (a - b) * (a - b)
///     }
/// }
/// let a = Array::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
/// let sum = reduce_map("squared_difference", SquaredDifference, [&a, &Array::scalar(1.0f32)])?;
/// assert_eq!(sum.item()?, 5.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn reduce_map<T: Element, O: Number, K: Map<T, O, N>, const N: usize>(
    op: &'static str,
    kernel: K,
    inputs: [&Array; N],
) -> Result<Array> {
    for input in inputs {
        input.expect_dtype(op, T::DTYPE)?;
    }
    let plain = inputs.iter().all(|a| a.is_contiguous() && a.shape() == inputs[0].shape());
    let shape = if plain { inputs[0].shape().clone() } else { broadcast_all(op, &inputs)? };
    let (n, from) = (shape.num_elements()?, inputs.map(|a| a.as_ptr::<T>()));
    let mut out = Uninit::<O>::new([])?;
    if n == 0 {
        return Ok(out.fill(O::ZERO));
    }
    if plain && n <= LEAF {
        // SAFETY: `n` elements follow each other in each input.
        return Ok(out.fill(unsafe { reduce_short::<T, O, Add, K, N>(kernel, from, n) }));
    }
    let strides = inputs.map(|a| a.broadcast_strides(&shape));
    let row = Rows::new(&shape, strides.each_ref().map(|s| &s[..]));
    let source = Source { kernel, from, outer: &Rows::flat(1), count: 1, row: &row, n };
    // SAFETY: each input covers the shape under its strides; there is one result, which is written.
    unsafe {
        reduce_rows::<T, O, Add, K, N>(source, out.as_mut_slice().as_mut_ptr().cast())?;
        Ok(out.assume_init())
    }
}
