//! Elementwise kernels: one driver for any number of inputs, with full broadcasting.
mod call;

use super::Shared;
use super::strided::{CHUNK, Rows, for_each_chunk, gather, gather_bytes};
use crate::isa::Isa;
use crate::{Array, DType, Element, Error, ErrorKind, Number, Result, Shape, with_dtype};
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ptr;

pub(super) use call::Call;

/// A function from `N` elements to one, to be applied to whole arrays by [`map`].
///
/// Write it `#[inline(always)]` and without branches where it can be, so that it compiles to vector code.
pub trait Map<T, O, const N: usize>: Copy + Send + Sync {
    /// The widest instruction set that the function is compiled for, if `T` is a float; see [`Kernel::WIDEST`](crate::Kernel::WIDEST).
    const WIDEST: Isa = Isa::Avx2;
    /// Whether the function computes `sin`, `cos` or `tan` of an argument as it is. A block of elements that all are below
    /// 2¹⁸ (`f64`: 2⁴⁶) in size then gets a loop without what larger angles need, which takes a third of the time.
    const OF_ANGLES: bool = false;
    /// The function.
    fn eval(self, x: [T; N]) -> O;
}

/// `out[i] = f([inputs[0][i], inputs[1][i], ...])` for each index of the shape that all inputs broadcast to.
///
/// # Errors
/// [`ErrorKind::Shape`] if the shapes do not broadcast together, [`ErrorKind::DType`] if an input is not of type
/// `T`, [`ErrorKind::Memory`]; all name `op`.
///
/// ```
/// use slalom_array::{Array, Map, map};
/// #[derive(Clone, Copy)]
/// struct Hypotenuse;
/// impl Map<f32, f32, 2> for Hypotenuse {
///     #[inline(always)]
///     fn eval(self, [a, b]: [f32; 2]) -> f32 {
///         (a * a + b * b).sqrt()
///     }
/// }
/// let a = Array::from_vec([2, 1], vec![3.0f32, 5.0])?;
/// let b = Array::from_vec([2], vec![4.0f32, 12.0])?;
/// assert_eq!(map("hypotenuse", Hypotenuse, [&a, &b])?.to_vec::<f32>()?[0], 5.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[inline]
pub fn map<T: Element, O: Element, const N: usize, K: Map<T, O, N>>(
    op: &'static str,
    kernel: K,
    inputs: [&Array; N],
) -> Result<Array> {
    const { assert!(1 <= N && N <= INPUTS, "a kernel has one to four inputs") };
    // SAFETY: the call takes `N` inputs of type `T` and writes elements of type `O`; `kernel` outlives it.
    unsafe { drive(op, T::DTYPE, O::DTYPE, &inputs, &Call::new::<T, O, N, K>(&kernel)) }
}

/// [`map`] of a kernel for both floating-point types, to arrays of either.
///
/// # Errors
/// As [`map`]; [`ErrorKind::DType`] also if the first input is of neither.
#[inline]
pub fn map_float<const N: usize, K: Map<f32, f32, N> + Map<f64, f64, N>>(
    op: &'static str,
    kernel: K,
    inputs: [&Array; N],
) -> Result<Array> {
    const { assert!(1 <= N && N <= INPUTS, "a kernel has one to four inputs") };
    let (dtype, call) = match inputs[0].dtype() {
        DType::F32 => (DType::F32, Call::new::<f32, f32, N, K>(&kernel)),
        DType::F64 => (DType::F64, Call::new::<f64, f64, N, K>(&kernel)),
        other => return Err(Error::new(ErrorKind::DType, op, "a floating-point dtype", other)),
    };
    // SAFETY: the call takes `N` inputs of `dtype` and writes elements of `dtype`; `kernel` outlives it.
    unsafe { drive(op, dtype, dtype, &inputs, &call) }
}

/// [`map`] of a kernel for integers and booleans, to arrays of any of them.
///
/// # Errors
/// As [`map`]; [`ErrorKind::DType`] also if the first input is of floating-point numbers.
#[inline]
pub fn map_integer<const N: usize, K: Map<i32, i32, N> + Map<i64, i64, N> + Map<bool, bool, N>>(
    op: &'static str,
    kernel: K,
    inputs: [&Array; N],
) -> Result<Array> {
    const { assert!(1 <= N && N <= INPUTS, "a kernel has one to four inputs") };
    let (dtype, call) = match inputs[0].dtype() {
        DType::I32 => (DType::I32, Call::new::<i32, i32, N, K>(&kernel)),
        DType::I64 => (DType::I64, Call::new::<i64, i64, N, K>(&kernel)),
        DType::Bool => (DType::Bool, Call::new::<bool, bool, N, K>(&kernel)),
        other => return Err(Error::new(ErrorKind::DType, op, "an integer or boolean dtype", other)),
    };
    // SAFETY: as in `map_float`.
    unsafe { drive(op, dtype, dtype, &inputs, &call) }
}

/// The most inputs that a kernel may have.
const INPUTS: usize = 4;

/// Applies a kernel to whole arrays.
///
/// # Safety
/// The kernel takes `N` inputs, of type `dtype`, and writes elements of type `result`.
unsafe fn drive<const N: usize>(
    op: &'static str,
    dtype: DType,
    result: DType,
    inputs: &[&Array; N],
    call: &Call,
) -> Result<Array> {
    let mut from = [ptr::null(); N];
    if from.iter_mut().zip(inputs).all(|(from, input)| {
        *from = input.scalar_bytes(dtype);
        !from.is_null()
    }) {
        let out = Array::uninit_scalar(result)?;
        // SAFETY: one element everywhere, and the output is ours.
        unsafe { call.run(&from, out.as_bytes().cast_mut(), 1) };
        return Ok(out);
    }
    let shape = inputs[0].shape();
    for (k, (from, input)) in from.iter_mut().zip(inputs).enumerate() {
        if input.dtype() != dtype || !input.is_contiguous() || (k > 0 && input.shape() != shape) {
            // SAFETY: the caller's promise.
            return unsafe { drive_strided(op, dtype, result, inputs, call) };
        }
        *from = input.as_bytes();
    }
    let length = inputs[0].len();
    let out = Array::uninit_of(shape.clone(), length, result)?;
    let to = out.as_bytes().cast_mut();
    if length <= 2 * CHUNK {
        // SAFETY: `length` elements everywhere, and the output is ours.
        unsafe { call.run(&from, to, length) };
        return Ok(out);
    }
    let (from, to) = (&Shared::new(from.as_mut_ptr()), Shared::new(to));
    for_each_chunk(length, &|start, end| {
        // SAFETY: the range lies in inputs and output, and no two chunks write the same.
        unsafe {
            let mut at = *from.get().cast::<[*const u8; N]>();
            for at in &mut at {
                *at = at.add(start * dtype.size());
            }
            call.run(&at, to.get().add(start * result.size()), end - start);
        }
    });
    Ok(out)
}

/// Elements that are gathered, block by block, before the loop over a kernel.
const BLOCK: usize = 1 << 10;

/// [`drive`] for inputs of any strides and shapes that broadcast together.
///
/// # Safety
/// As [`drive`].
#[inline(never)]
unsafe fn drive_strided(
    op: &'static str,
    dtype: DType,
    result: DType,
    inputs: &[&Array],
    call: &Call,
) -> Result<Array> {
    for input in inputs {
        input.expect_dtype(op, dtype)?;
    }
    let shape = broadcast_all(op, inputs)?;
    let operands = Operands::new(inputs, &shape);
    let out = Array::uninit(shape, result)?;
    let to = Shared::new(out.as_bytes().cast_mut());
    for_each_chunk(out.len(), &|start, end| {
        // SAFETY: the elements exist, and no two chunks write the same.
        unsafe { operands.run(call, (start, end), result, to.get().add(start * result.size())) };
    });
    Ok(out)
}

/// Inputs of one type, of any strides and shapes that broadcast together.
pub(super) struct Operands<'a> {
    inputs: &'a [&'a Array],
    walks: SmallVec<[Rows<1>; INPUTS]>,
}

impl<'a> Operands<'a> {
    pub(super) fn new(inputs: &'a [&'a Array], shape: &Shape) -> Operands<'a> {
        let walks = inputs.iter().map(|a| Rows::new(shape, [&a.broadcast_strides(shape)])).collect();
        Operands { inputs, walks }
    }

    /// Calls a kernel for elements `start..end`; the first result goes to `to`.
    ///
    /// # Safety
    /// The elements exist in the shape of the operands, the kernel takes these and writes elements of type `result`, for
    /// which there is memory.
    pub(super) unsafe fn run(&self, call: &Call, (start, end): (usize, usize), result: DType, to: *mut u8) {
        let size = self.inputs[0].dtype().size();
        let mut space = [const { MaybeUninit::<[u64; BLOCK]>::uninit() }; INPUTS];
        let mut filled = [false; INPUTS];
        for begin in (start..end).step_by(BLOCK) {
            let stop = (begin + BLOCK).min(end);
            let mut from = [ptr::null(); INPUTS];
            // SAFETY: the elements exist under the strides of their input, and a block holds as many.
            unsafe {
                for (k, (input, walk)) in self.inputs.iter().zip(&self.walks).enumerate() {
                    let near = space[k].as_mut_ptr().cast::<u8>();
                    from[k] = near;
                    if walk.is_flat() {
                        from[k] = input.as_bytes().add(begin * size);
                    } else if !filled[k] {
                        gather_bytes(input.as_bytes(), size, walk, (begin, stop), near);
                        // A single repeated element fills its block once.
                        filled[k] = walk.is_constant();
                    }
                }
                let to = to.add((begin - start) * result.size());
                call.run(&from[..self.inputs.len()], to, stop - begin);
            }
        }
    }
}

/// `target[i] = f([target[i], input[i]])` in place, with the input broadcast to the target's shape.
///
/// # Errors
/// As [`map`]; also [`ErrorKind::Shape`] if the input does not broadcast to the target. Nothing is written then. A
/// target that is strided or shares its memory is copied first (which [`memory::Stats`](crate::memory::Stats)
/// counts).
pub fn map_assign<T: Element, K: Map<T, T, 2>>(
    op: &'static str,
    kernel: K,
    target: &mut Array,
    input: &Array,
) -> Result<()> {
    assign::<T>(op, target, input, &Call::in_place::<T, K>(&kernel))
}

/// [`map_assign`] for all kernels. The call has the input alone in `from`, and changes what is in `to`.
fn assign<T: Element>(op: &'static str, target: &mut Array, input: &Array, call: &Call) -> Result<()> {
    input.expect_dtype(op, T::DTYPE)?;
    let (from, to) = (input.scalar_bytes(T::DTYPE), target.scalar_bytes(T::DTYPE));
    if !from.is_null() && !to.is_null() && target.is_unshared() {
        // SAFETY: one element in both, and the target's is its own.
        unsafe { call.run(&[from], to.cast_mut(), 1) };
        return Ok(());
    }
    if input.shape() == target.shape()
        && let Some(from) = input.as_slice::<T>()
        && from.len() <= BLOCK
    {
        let to = target.make_mut::<T>()?;
        // SAFETY: both have as many elements, and the target's are its own.
        unsafe { call.run(&[from.as_ptr().cast()], to.as_mut_ptr().cast(), to.len()) };
        return Ok(());
    }
    let shape = target.shape().clone();
    if *input.shape() != shape && input.shape().broadcast(&shape).ok().as_ref() != Some(&shape) {
        let expected = format!("a shape that broadcasts to {shape}");
        return Err(Error::new(ErrorKind::Shape, op, expected, input.shape()));
    }
    let walk = Rows::new(&shape, [&input.broadcast_strides(&shape)]);
    let elements = target.make_mut::<T>()?;
    let (length, to) = (elements.len(), Shared::new(elements.as_mut_ptr()));
    for_each_chunk(length, &|start, end| {
        let mut space = MaybeUninit::<[T; BLOCK]>::uninit();
        for begin in (start..end).step_by(BLOCK) {
            let n = (end - begin).min(BLOCK);
            // SAFETY: the elements exist under the strides of the input, a block holds as many, and no two chunks
            // change the same.
            unsafe {
                let mut from = input.as_ptr::<T>().wrapping_add(begin);
                if !walk.is_flat() {
                    gather(input.as_ptr::<T>(), &walk, (begin, begin + n), space.as_mut_ptr().cast());
                    from = space.as_ptr().cast();
                }
                call.run(&[from.cast()], to.get().add(begin).cast(), n);
            }
        }
    });
    Ok(())
}

/// The shape that all inputs broadcast to.
pub(crate) fn broadcast_all(op: &'static str, inputs: &[&Array]) -> Result<Shape> {
    let mut shape = inputs[0].shape().clone();
    for input in &inputs[1..] {
        shape = shape.broadcast(input.shape()).map_err(|_| {
            let got: Vec<String> = inputs.iter().map(|a| a.shape().to_string()).collect();
            Error::new(ErrorKind::Shape, op, "shapes that broadcast together", got.join(" and "))
        })?;
    }
    shape.num_elements()?;
    Ok(shape)
}

#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl<T: Element> Map<T, T, 1> for Identity {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> T {
        x
    }
}

#[derive(Clone, Copy)]
struct Cast;

impl<T: Number, O: Number> Map<T, O, 1> for Cast {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> O {
        if T::DTYPE.is_float() { O::from_f64(x.to_f64()) } else { O::from_i64(x.to_i64()) }
    }
}

/// Conversion to another element type.
pub(crate) fn cast(array: &Array, dtype: DType) -> Result<Array> {
    with_dtype!(array.dtype(), T => with_dtype!(dtype, O => map::<T, O, 1, _>("cast", Cast, [array])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;
    use proptest::prelude::*;

    #[derive(Clone, Copy)]
    struct Combine;
    impl Map<i32, i64, 2> for Combine {
        #[inline(always)]
        fn eval(self, [a, b]: [i32; 2]) -> i64 {
            1000 * a as i64 + b as i64
        }
    }

    fn iota(shape: &[usize]) -> Array {
        Array::from_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
    }

    /// Element `index` of `a` broadcast, by the definition.
    fn at(a: &[usize], out: &[usize], index: usize) -> i32 {
        let (mut rest, mut place, mut step) = (index, 0, 1);
        for axis in (0..out.len()).rev() {
            let i = rest % out[axis];
            rest /= out[axis];
            if let Some(own) = (axis + a.len()).checked_sub(out.len()) {
                place += if a[own] == 1 { 0 } else { i * step };
                step *= a[own];
            }
        }
        place as i32
    }

    proptest! {
        #[test]
        fn broadcasts_by_the_definition(full in prop::collection::vec(0usize..4, 0..5), ones in any::<[u8; 2]>()) {
            let narrowed = |mask: u8| -> Vec<usize> {
                let axes = full.iter().enumerate().map(|(i, &n)| if mask >> i & 1 == 1 { 1 } else { n });
                axes.skip(if mask >> 7 == 1 { full.len() / 2 } else { 0 }).collect()
            };
            let (a, b) = (narrowed(ones[0]), narrowed(ones[1]));
            let out = map("combine", Combine, [&iota(&a), &iota(&b)]).unwrap();
            let shape = out.shape().to_vec();
            let want: Vec<i64> = (0..out.len())
                .map(|i| 1000 * at(&a, &shape, i) as i64 + at(&b, &shape, i) as i64)
                .collect();
            prop_assert_eq!(out.to_vec::<i64>().unwrap(), want);
        }
    }

    #[test]
    fn large_strided_inputs_match_a_loop() {
        let a = iota(&[300, 401]).transpose(&[1, 0]).unwrap();
        let b = iota(&[401, 1]);
        let out = map("combine", Combine, [&a, &b]).unwrap().to_vec::<i64>().unwrap();
        for i in (0..out.len()).step_by(97) {
            assert_eq!(out[i], 1000 * ((i % 300) * 401 + i / 300) as i64 + (i / 300) as i64);
        }
    }

    #[test]
    fn a_far_angle_changes_no_bits_of_its_neighbours() {
        #[derive(Clone, Copy)]
        struct Sine;
        impl<F: Float> Map<F, F, 1> for Sine {
            const WIDEST: Isa = Isa::Avx512;
            const OF_ANGLES: bool = true;
            #[inline(always)]
            fn eval(self, [x]: [F; 1]) -> F {
                x.sin()
            }
        }
        let near: Vec<f64> = (0..3 * BLOCK + 5).map(|i| (i as f64 - 999.0) * 0.37).collect();
        let mut mixed = near.clone();
        for (k, far) in [1e38, -3e7, f64::INFINITY, f64::NAN].into_iter().enumerate() {
            mixed[BLOCK + 7 + 97 * k] = far;
        }
        for x in [near, mixed] {
            let x = Array::from_vec([x.len()], x).unwrap();
            let y = map_float("sin", Sine, [&x]).unwrap().to_vec::<f64>().unwrap();
            for (x, y) in x.to_vec::<f64>().unwrap().into_iter().zip(y) {
                assert!(Float::sin(x).to_bits() == y.to_bits() || x.sin().is_nan() && y.is_nan(), "{x}");
            }
            let x = cast(&x, DType::F32).unwrap();
            let y = map_float("sin", Sine, [&x]).unwrap().to_vec::<f32>().unwrap();
            for (x, y) in x.to_vec::<f32>().unwrap().into_iter().zip(y) {
                assert!(Float::sin(x).to_bits() == y.to_bits() || x.sin().is_nan() && y.is_nan(), "{x}");
            }
        }
    }

    #[test]
    fn in_place() {
        #[derive(Clone, Copy)]
        struct Add;
        impl Map<i32, i32, 2> for Add {
            #[inline(always)]
            fn eval(self, [a, b]: [i32; 2]) -> i32 {
                a + b
            }
        }
        let mut a = iota(&[2, 3]);
        let place = a.as_ptr::<i32>();
        let old = a.clone();
        map_assign("add", Add, &mut a, &iota(&[3])).unwrap();
        assert_eq!(old.to_vec::<i32>().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(a.to_vec::<i32>().unwrap(), [0, 2, 4, 3, 5, 7]);
        let moved = a.as_ptr::<i32>();
        assert_ne!(moved, place);
        map_assign("add", Add, &mut a, &iota(&[2, 1])).unwrap();
        assert_eq!((a.as_ptr::<i32>(), a.to_vec::<i32>().unwrap()), (moved, vec![0, 2, 4, 4, 6, 8]));
        assert!(map_assign("add", Add, &mut a, &iota(&[5])).is_err());
    }
}
