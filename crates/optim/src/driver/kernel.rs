//! The loops over elements.
use super::{Checked, ClipBy, Part, Rows};
use crate::{ElementRule, SparseUpdate};
use slalom_array::{DType, Element, Float, Kernel};
use std::marker::PhantomData;

/// Elements that are put aside at a time, where they are.
pub(super) const BLOCK: usize = 256;

/// A range of the elements of one variable.
pub(super) struct Work<'a, R: ElementRule, F: Float, const N: usize> {
    pub(super) rule: &'a R,
    pub(super) coeffs: R::Coeffs<F>,
    pub(super) part: &'a Part<'a>,
    pub(super) range: (usize, usize),
    pub(super) types: PhantomData<F>,
}

impl<R: ElementRule, F: Float + Element, const N: usize> Kernel for Work<'_, R, F, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match &self.part.update.gradient {
            Checked::Dense(gradient) => {
                let (start, end) = self.range;
                let gradient =
                    gradient.as_slice::<F>().expect("a contiguous gradient of the variable's type");
                // SAFETY: the range lies within the variable, and is this call's alone.
                let x = unsafe { self.value(start, end - start) };
                self.span(x, &gradient[start..end], self.part.update.clip.cast(), start);
            }
            Checked::Sparse(rows) => self.sparse(rows),
        }
    }
}

impl<R: ElementRule, F: Float + Element, const N: usize> Work<'_, R, F, N> {
    /// Elements of the variable.
    ///
    /// # Safety
    /// They must lie within the variable, and nothing else may refer to them.
    #[inline(always)]
    unsafe fn value(&self, start: usize, length: usize) -> &'static mut [F] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.part.value.cast::<F>().add(start), length) }
    }

    /// Updates neighbouring elements `x`, whose slots begin at index `at`.
    #[inline(always)]
    fn span(&self, x: &mut [F], g: &[F], clip: ClipBy<F>, at: usize) {
        let slots = &self.part.slots[..N];
        if !uniform::<F>(slots) {
            return converted::<R, F, N>(self.coeffs, x, g, clip, slots, at);
        }
        let length = x.len();
        // SAFETY: slots have the variable's shape, and the caller owns these elements of the variable.
        let slots = std::array::from_fn(|k| unsafe {
            std::slice::from_raw_parts_mut(slots[k].0.cast::<F>().add(at), length)
        });
        elements::<R, F, N>(self.coeffs, x, g, clip, slots);
    }

    /// The update by rows of a gradient.
    #[inline(always)]
    fn sparse(&self, rows: &Rows) {
        let (width, mode) = (rows.width, self.rule.sparse());
        let all_rows = matches!(mode, SparseUpdate::AllRows | SparseUpdate::AllSlotRows);
        let values = rows.values.as_slice::<F>().expect("contiguous values of the variable's type");
        let clip = self.part.update.clip.cast();
        let mut gradient = [F::ZERO; BLOCK];
        let mut aside = [F::ZERO; BLOCK];
        let (mut at, end) = self.range;
        let mut next = if all_rows { rows.first_from(at / width) } else { at / width };
        while at < end {
            // Elements that have the same places in the gradient.
            let (start, length, places) = match rows.get(next) {
                Some((row, places)) if !all_rows => {
                    let column = at - next * width;
                    (row * width + column, width - column, places)
                }
                Some((row, places)) if row == at / width => (at, (row + 1) * width - at, places),
                Some((row, _)) => (at, row * width - at, &[][..]),
                None => (at, end - at, &[][..]),
            };
            next += (!all_rows || !places.is_empty()) as usize;
            let length = length.min(end - at);
            let moves = mode != SparseUpdate::AllSlotRows || !places.is_empty();
            for block in (start..start + length).step_by(BLOCK) {
                let n = BLOCK.min(start + length - block);
                sum(&mut gradient[..n], values, places, width, block % width, clip);
                // SAFETY: rows lie within the variable (checked), and chunks cover disjoint elements.
                let mut x = unsafe { self.value(block, n) };
                if !moves {
                    aside[..n].copy_from_slice(x);
                    x = &mut aside[..n];
                }
                self.span(x, &gradient[..n], ClipBy { limit: F::INFINITY, scale: F::ONE }, block);
            }
            at += length;
        }
    }
}

/// The sum of the clipped rows at `places`, from a column on.
#[inline(always)]
fn sum<F: Float>(
    into: &mut [F],
    values: &[F],
    places: &[usize],
    width: usize,
    column: usize,
    clip: ClipBy<F>,
) {
    into.fill(F::ZERO);
    for (i, &place) in places.iter().enumerate() {
        let from = &values[place * width + column..][..into.len()];
        for (sum, &g) in into.iter_mut().zip(from) {
            // Not 0 + g, which would lose the sign of a zero.
            *sum = if i == 0 { clip.apply(g) } else { *sum + clip.apply(g) };
        }
    }
}

/// The loop over elements that everything is for.
#[inline(always)]
fn elements<R: ElementRule, F: Float, const N: usize>(
    coeffs: R::Coeffs<F>,
    x: &mut [F],
    g: &[F],
    clip: ClipBy<F>,
    slots: [&mut [F]; N],
) {
    let length = x.len();
    let g = &g[..length];
    let slots = slots.map(|slot| &mut slot[..length]);
    for i in 0..length {
        let mut own: [F; N] = std::array::from_fn(|k| slots[k][i]);
        x[i] = R::element(coeffs, x[i], clip.apply(g[i]), &mut own);
        for k in 0..N {
            slots[k][i] = own[k];
        }
    }
}

/// As `elements`, for slots of another type than the variable's.
#[cold]
#[inline(never)]
fn converted<R: ElementRule, F: Float, const N: usize>(
    coeffs: R::Coeffs<F>,
    x: &mut [F],
    g: &[F],
    clip: ClipBy<F>,
    slots: &[(*mut u8, DType)],
    at: usize,
) {
    for (i, (x, &g)) in x.iter_mut().zip(g).enumerate() {
        // SAFETY: as in `span`: the slots' elements with the indices of `x` are the caller's alone.
        let mut own: [F; N] = unsafe { load(slots, at + i) };
        *x = R::element(coeffs, *x, clip.apply(g), &mut own);
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
