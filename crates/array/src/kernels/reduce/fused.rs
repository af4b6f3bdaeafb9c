//! A function of elements, reduced to one number in the same pass.
use super::leaf::{Loops, Span};
use super::ops::Add;
use super::rows::{LEAF, Source, reduce_rows};
use crate::kernels::Shared;
use crate::kernels::elementwise::{Call, Map, Operands, broadcast_all};
use crate::kernels::strided::{CHUNK, Rows};
use crate::{Array, DType, Element, Number, Result, Shape, parallel};
use smallvec::SmallVec;
use std::mem::MaybeUninit;

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
    // SAFETY: the call takes `N` inputs of type `T` and writes elements of type `O`; `kernel` outlives it.
    unsafe { sum(op, T::DTYPE, Loops::of::<O, Add>(), &inputs, &Call::new::<T, O, N, K>(&kernel)) }
}

/// [`reduce_map`] without its types: leaf by leaf, the results of the kernel are written to the nearest cache and summed.
///
/// # Safety
/// The kernel takes as many inputs, of type `dtype`, and writes elements of the type that the loops sum.
unsafe fn sum(
    op: &'static str,
    dtype: DType,
    loops: &Loops,
    inputs: &[&Array],
    call: &Call,
) -> Result<Array> {
    for input in inputs {
        input.expect_dtype(op, dtype)?;
    }
    let plain = inputs.iter().all(|a| a.is_contiguous() && a.shape() == inputs[0].shape());
    let shape = if plain { inputs[0].shape().clone() } else { broadcast_all(op, inputs)? };
    let n = shape.num_elements()?;
    if n == 0 {
        return (loops.filled)(Shape::from([]));
    }
    let out = Array::uninit(Shape::from([]), loops.dtype)?;
    let to = out.as_bytes().cast_mut();
    if plain && n <= LEAF {
        let from: SmallVec<[*const u8; 4]> = inputs.iter().map(|input| input.as_bytes()).collect();
        let mut space = MaybeUninit::<[u64; LEAF]>::uninit();
        let values = space.as_mut_ptr().cast::<u8>();
        // SAFETY: `n` elements follow each other in each input, and there is space for as many results.
        unsafe {
            call.run(&from, values, n);
            loops.rows(values, Span { count: 1, step: 0, n }, to);
        }
        return Ok(out);
    }
    let (operands, size) = (Operands::new(inputs, &shape), loops.dtype.size());
    let leaf = |i: usize, to: *mut u8| {
        let (start, end) = (i * LEAF, ((i + 1) * LEAF).min(n));
        let mut space = MaybeUninit::<[u64; LEAF]>::uninit();
        let values = space.as_mut_ptr().cast::<u8>();
        // SAFETY: the elements of the leaf exist, there is space for as many results, and `to` is memory for their sum.
        unsafe {
            operands.run(call, (start, end), loops.dtype, values);
            loops.rows(values, Span { count: 1, step: 0, n: end - start }, to);
        }
    };
    if n <= LEAF {
        leaf(0, to);
        return Ok(out);
    }
    let leaves = n.div_ceil(LEAF);
    let partial = Array::uninit(Shape::from([leaves]), loops.dtype)?;
    let sums = Shared::new(partial.as_bytes().cast_mut());
    // SAFETY: each leaf writes its own sum; all have been written when they are read.
    unsafe {
        let share = if n <= 2 * CHUNK { leaves } else { CHUNK / LEAF };
        parallel::for_each(leaves.div_ceil(share), |i| {
            (i * share..((i + 1) * share).min(leaves)).for_each(|i| leaf(i, sums.get().add(i * size)));
        });
        let (outer, row) = (&Rows::flat(1), &Rows::flat(leaves));
        reduce_rows(loops, Source { from: sums.get(), outer, count: 1, row, n: leaves }, to)?;
    }
    Ok(out)
}
