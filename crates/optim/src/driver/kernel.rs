//! The loops over elements.
use super::{Checked, ClipBy, Part, sparse};
use crate::ElementRule;
use slalom_array::{DType, Element, Float, Kernel, dispatch};

/// Updates a range of the elements of one variable, in the numbering of its part.
pub(super) fn update<R: ElementRule, F: Float + Element, const N: usize>(
    rule: &R,
    coeffs: R::Coeffs<F>,
    part: &Part<'_>,
    (start, end): (usize, usize),
) {
    let (slots, kept) = (&part.slots[..N], F::from_f64(part.kept));
    let span = |x: &mut [F], g: &[F], clip: ClipBy<F>, at: usize| {
        if !uniform::<F>(slots) {
            return converted::<R, F, N>((coeffs, kept), x, g, clip, slots, at);
        }
        let length = x.len();
        // SAFETY: slots have the variable's shape, and the elements with these indices are this call's alone.
        let slots = std::array::from_fn(|k| unsafe {
            std::slice::from_raw_parts_mut(slots[k].0.cast::<F>().add(at), length)
        });
        dispatch(Elements::<R, F, N> { coeffs, kept, x, g, clip, slots });
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
            let blocks = sparse::Blocks { rows, mode: rule.sparse(), clip, value: part.value.cast(), slots };
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

    /// The loop over elements that everything is for.
    #[inline(always)]
    fn run(self) {
        let Elements { coeffs, kept, x, g, clip, slots } = self;
        let length = x.len();
        let g = &g[..length];
        let slots = slots.map(|slot| &mut slot[..length]);
        for i in 0..length {
            let mut own: [F; N] = std::array::from_fn(|k| slots[k][i]);
            x[i] = R::element(coeffs, x[i] * kept, clip.apply(g[i]), &mut own);
            for k in 0..N {
                slots[k][i] = own[k];
            }
        }
    }
}

/// As `Elements`, for slots of another type than the variable's.
#[cold]
#[inline(never)]
fn converted<R: ElementRule, F: Float, const N: usize>(
    (coeffs, kept): (R::Coeffs<F>, F),
    x: &mut [F],
    g: &[F],
    clip: ClipBy<F>,
    slots: &[(*mut u8, DType)],
    at: usize,
) {
    for (i, (x, &g)) in x.iter_mut().zip(g).enumerate() {
        // SAFETY: as in `update`: the slots' elements with the indices of `x` are the caller's alone.
        let mut own: [F; N] = unsafe { load(slots, at + i) };
        *x = R::element(coeffs, *x * kept, clip.apply(g), &mut own);
        for (&(slot, dtype), own) in slots.iter().zip(own) {
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
