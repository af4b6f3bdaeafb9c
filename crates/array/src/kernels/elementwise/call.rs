//! Kernels without their types.
use super::{BLOCK, Map};
use crate::Element;
use crate::isa::{Isa, Kernel, compiled_above_baseline, run_scalar};
use std::hint::assert_unchecked;
use std::marker::PhantomData;

/// A kernel without its types, so that there is one driver for all kernels: only the loop itself is compiled for each.
pub(in crate::kernels) struct Call {
    kernel: *const (),
    run: unsafe fn(Range),
}

// SAFETY: kernels are `Sync`.
unsafe impl Sync for Call {}

impl Call {
    /// The call of a kernel, which must outlive it.
    #[inline]
    pub(in crate::kernels) fn new<T: Element, O: Element, const N: usize, K: Map<T, O, N>>(
        kernel: &K,
    ) -> Call {
        let run = match compiled_above_baseline::<Loop<T, O, N, K>>() {
            // SAFETY: a loop is a transparent range, so both functions are called in the same way.
            Some(run) => unsafe { std::mem::transmute::<unsafe fn(Loop<T, O, N, K>), unsafe fn(Range)>(run) },
            // A kernel that has better copies needs none of vector instructions for processors of before 2013.
            None if const { has_vectors::<T, O, N, K>() } => one_by_one::<T, O, N, K>,
            None => at_baseline::<T, O, N, K>,
        };
        Call { kernel: (&raw const *kernel).cast(), run }
    }

    /// As [`new`](Call::new), of a kernel that changes its first input in place; the second is alone in `from`.
    pub(super) fn in_place<T: Element, K: Map<T, T, 2>>(kernel: &K) -> Call {
        let run = compiled_above_baseline::<InPlace<T, K>>().unwrap_or(run_scalar::<InPlace<T, K>>);
        // SAFETY: as in `new`.
        let run = unsafe { std::mem::transmute::<unsafe fn(InPlace<T, K>), unsafe fn(Range)>(run) };
        Call { kernel: (&raw const *kernel).cast(), run }
    }

    /// # Safety
    /// `length` elements in each of the inputs and the output of the kernel.
    #[inline]
    pub(in crate::kernels) unsafe fn run(&self, from: &[*const u8], to: *mut u8, length: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.run)(Range { kernel: self.kernel, from: from.as_ptr(), to, length }) }
    }
}

/// What a kernel is to be applied to.
#[derive(Clone, Copy)]
struct Range {
    kernel: *const (),
    from: *const *const u8,
    to: *mut u8,
    length: usize,
}

/// The loop over a range, with its types again: a range for which [`Call::run`]'s promise holds.
#[repr(transparent)]
struct Loop<T, O, const N: usize, K>(Range, PhantomData<(T, O, K)>);

impl<T: Element, O: Element, const N: usize, K: Map<T, O, N>> Kernel for Loop<T, O, N, K> {
    type Output = ();
    const WIDEST: Isa = K::WIDEST.of::<T>();

    #[inline(always)]
    fn run(self) {
        let Range { kernel, from, to, length } = self.0;
        // SAFETY: the caller's promise.
        let (kernel, from) = unsafe { (*kernel.cast::<K>(), *from.cast::<[*const T; N]>()) };
        let to = to.cast::<O>();
        if const { !K::OF_ANGLES } {
            for i in 0..length {
                // SAFETY: as above.
                unsafe { to.add(i).write(kernel.eval(read(from, i))) };
            }
            return;
        }
        for start in (0..length).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(length);
            let mut near = true;
            for i in block.clone() {
                // SAFETY: as above.
                near &= are_near_angles(unsafe { read(from, i) });
            }
            if near {
                for i in block {
                    // SAFETY: as above, and the loop before has found it. The compiler drops what only others need.
                    unsafe {
                        let x = read(from, i);
                        assert_unchecked(are_near_angles(x));
                        to.add(i).write(kernel.eval(x));
                    }
                }
            } else {
                for i in block {
                    // SAFETY: as above.
                    unsafe { to.add(i).write(kernel.eval(read(from, i))) };
                }
            }
        }
    }
}

/// Element `i` of each input.
///
/// # Safety
/// The elements exist.
#[inline(always)]
unsafe fn read<T: Element, const N: usize>(from: [*const T; N], i: usize) -> [T; N] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut x = [*from[0].add(i); N];
        for k in 1..N {
            x[k] = *from[k].add(i);
        }
        x
    }
}

#[inline(always)]
fn are_near_angles<T: Element, const N: usize>(x: [T; N]) -> bool {
    let mut near = true;
    for x in x {
        near &= x.is_near_angle();
    }
    near
}

/// Whether a loop is compiled for more than the baseline.
const fn has_vectors<T: Element, O: Element, const N: usize, K: Map<T, O, N>>() -> bool {
    cfg!(target_arch = "x86_64") && Loop::<T, O, N, K>::WIDEST as u8 > Isa::Scalar as u8
}

/// # Safety
/// As [`Call::run`], for a kernel of type `K`.
unsafe fn at_baseline<T: Element, O: Element, const N: usize, K: Map<T, O, N>>(range: Range) {
    run_scalar(Loop::<T, O, N, K>(range, PhantomData));
}

/// # Safety
/// As [`Call::run`], for a kernel of type `K`.
unsafe fn one_by_one<T: Element, O: Element, const N: usize, K: Map<T, O, N>>(range: Range) {
    // SAFETY: the caller's promise.
    unsafe { each(range, element::<T, O, N, K>) }
}

/// # Safety
/// As [`Call::run`], for a kernel of the types of `element`.
unsafe fn each<T: Element, O: Element, const N: usize>(
    range: Range,
    element: unsafe fn(*const (), [T; N]) -> O,
) {
    let Range { kernel, from, to, length } = range;
    for i in 0..length {
        // SAFETY: the caller's promise.
        unsafe {
            let from = *from.cast::<[*const T; N]>();
            to.cast::<O>().add(i).write(element(kernel, from.map(|from| *from.add(i))));
        }
    }
}

/// # Safety
/// `kernel` is of type `K`.
unsafe fn element<T: Element, O: Element, const N: usize, K: Map<T, O, N>>(
    kernel: *const (),
    x: [T; N],
) -> O {
    // SAFETY: the caller's promise.
    unsafe { *kernel.cast::<K>() }.eval(x)
}

/// The loop over a range in place: `to` is the first input and the output.
#[repr(transparent)]
struct InPlace<T, K>(Range, PhantomData<(T, K)>);

impl<T: Element, K: Map<T, T, 2>> Kernel for InPlace<T, K> {
    type Output = ();
    const WIDEST: Isa = K::WIDEST.of::<T>();

    #[inline(always)]
    fn run(self) {
        let Range { kernel, from, to, length } = self.0;
        // SAFETY: the promise of `Call::run`; the target belongs to the call alone.
        let (kernel, to, from) = unsafe {
            let to = std::slice::from_raw_parts_mut(to.cast::<T>(), length);
            (*kernel.cast::<K>(), to, std::slice::from_raw_parts((*from).cast::<T>(), length))
        };
        for (x, y) in to.iter_mut().zip(from) {
            *x = kernel.eval([*x, *y]);
        }
    }
}
