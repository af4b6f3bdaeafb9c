//! The loops over elements.
use super::{Checked, ClipBy, Part, sparse};
use crate::{ElementRule, SparseUpdate};
use slalom_array::{DType, Element, Float, Isa, Kernel, dispatch};

/// Updates a range of the elements of one variable, in the numbering of its part.
pub(super) fn update<R: ElementRule, F: Float + Element, const N: usize>(
    rule: &R,
    coeffs: R::Coeffs<F>,
    part: &Part<'_>,
    range: (usize, usize),
) {
    let kept = F::from_f64(part.kept);
    update_range::<F, N>(rule.sparse(), part, range, &|x, g, clip, slots| {
        dispatch(Elements::<R, F, N> { coeffs, kept, x, g, clip, slots });
    });
}

/// A loop over neighbouring elements: values, gradients and slots.
type Run<'a, F, const N: usize> = dyn Fn(&mut [F], &[F], ClipBy<F>, [&mut [F]; N]) + 'a;

/// [`update`] for all rules: finds values, gradients and slots.
fn update_range<F: Float + Element, const N: usize>(
    sparse: SparseUpdate,
    part: &Part<'_>,
    (start, end): (usize, usize),
    run: &Run<'_, F, N>,
) {
    let slots = &part.slots[..N];
    let span = |x: &mut [F], g: &[F], clip: ClipBy<F>, at: usize| {
        if !uniform::<F>(slots) {
            return converted::<F, N>(x, g, clip, slots, at, run);
        }
        let length = x.len();
        // SAFETY: slots have the variable's shape, and the elements with these indices are this call's alone.
        let slots = std::array::from_fn(|k| unsafe {
            std::slice::from_raw_parts_mut(slots[k].0.cast::<F>().add(at), length)
        });
        run(x, g, clip, slots);
    };
    let clip = part.update.clip.cast();
    match &part.update.gradient {
        Checked::Dense(gradient) => {
            let gradient = gradient.as_slice::<F>().expect("a contiguous gradient of the variable's type");
            // SAFETY: the range lies within the variable, and is this call's alone.
            let x = unsafe { std::slice::from_raw_parts_mut(part.value.cast::<F>().add(start), end - start) };
            span(x, &gradient[start..end], clip, start);
        }
        Checked::Sparse(rows) => {
            let blocks = sparse::Blocks { rows, mode: sparse, clip, value: part.value.cast(), slots };
            // SAFETY: rows lie within the variable (checked), and the range is this call's alone.
            unsafe { blocks.for_each((start, end), &mut |x, g, clip, at| span(x, g, clip, at)) }
        }
    }
}

/// Neighbouring elements of a variable, with their gradients and slots.
struct Elements<'a, R: ElementRule, F: Float, const N: usize> {
    coeffs: R::Coeffs<F>,
    kept: F,
    x: &'a mut [F],
    g: &'a [F],
    clip: ClipBy<F>,
    slots: [&'a mut [F]; N],
}

impl<R: ElementRule, F: Float, const N: usize> Kernel for Elements<'_, R, F, N> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    /// The loop over elements that everything is for.
    #[inline(always)]
    fn run(self) {
        let Elements { coeffs, kept, x, g, clip, slots } = self;
        let length = x.len();
        let g = &g[..length];
        let slots = of_length(slots, length);
        for i in 0..length {
            let mut own = at(&slots, i);
            x[i] = R::element(coeffs, x[i] * kept, clip.apply(g[i]), &mut own);
            for k in 0..N {
                slots[k][i] = own[k];
            }
        }
    }
}

/// Element `i` of each slot. Not a closure in the loop, which would be compiled again for each rule.
#[inline(always)]
pub(super) fn at<F: Float, S: std::ops::Deref<Target = [F]>, const N: usize>(
    slots: &[S; N],
    i: usize,
) -> [F; N] {
    std::array::from_fn(|k| slots[k][i])
}

/// Slots that the compiler knows to be of a length.
#[inline(always)]
fn of_length<F, const N: usize>(slots: [&mut [F]; N], length: usize) -> [&mut [F]; N] {
    slots.map(|slot| &mut slot[..length])
}

/// Elements whose slots are converted together.
const BLOCK: usize = 64;

/// Runs a loop with slots of another type than the variable's: they are converted, block by block.
#[cold]
#[inline(never)]
fn converted<F: Float, const N: usize>(
    x: &mut [F],
    g: &[F],
    clip: ClipBy<F>,
    slots: &[(*mut u8, DType)],
    at: usize,
    run: &Run<'_, F, N>,
) {
    let mut own = [[F::ZERO; BLOCK]; N];
    for (block, (x, g)) in x.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).enumerate() {
        let (at, length) = (at + block * BLOCK, x.len());
        for i in 0..length {
            // SAFETY: as in `update`: the slots' elements with the indices of `x` are the caller's alone.
            let loaded: [F; N] = unsafe { load(slots, at + i) };
            for (slot, x) in own.iter_mut().zip(loaded) {
                slot[i] = x;
            }
        }
        run(x, g, clip, own.each_mut().map(|slot| &mut slot[..length]));
        for (&(slot, dtype), own) in slots.iter().zip(&own) {
            for (i, own) in own[..length].iter().enumerate() {
                // SAFETY: as above.
                unsafe {
                    match dtype {
                        DType::F64 => *slot.cast::<f64>().add(at + i) = own.to_f64(),
                        _ => *slot.cast::<f32>().add(at + i) = own.to_f64() as f32,
                    }
                }
            }
        }
    }
}

/// Whether all slots are of one type.
#[inline(always)]
pub(super) fn uniform<F: Element>(slots: &[(*mut u8, DType)]) -> bool {
    slots.iter().all(|slot| slot.1 == F::DTYPE)
}

/// The slots of one element, whatever their types.
///
/// # Safety
/// There are `N` slots, which have the element, and nobody changes it now.
#[inline(always)]
pub(super) unsafe fn load<F: Float, const N: usize>(slots: &[(*mut u8, DType)], i: usize) -> [F; N] {
    // SAFETY: the caller's promise.
    std::array::from_fn(|k| unsafe {
        match slots[k] {
            (slot, DType::F64) => F::from_f64(*slot.cast::<f64>().add(i)),
            (slot, _) => F::from_f64(f64::from(*slot.cast::<f32>().add(i))),
        }
    })
}
