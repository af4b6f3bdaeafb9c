//! The walk over the elements that a sparse gradient updates. It knows no rule, so that there is one for all.
use super::{ClipBy, Rows};
use crate::SparseUpdate;
use slalom_array::{DType, Element, Float, Isa, Kernel, dispatch, prefetch};

/// Elements whose gradients are summed at a time.
const BLOCK: usize = 256;
/// How many rows before its turn a row is asked for.
const AHEAD: usize = 8;

/// Updates neighbouring elements by their gradients, which are still to be clipped; the index is that of the first one.
type Update<'a, F> = dyn FnMut(&mut [F], &[F], ClipBy<F>, usize) + 'a;

/// A variable and a sparse gradient of it.
pub(super) struct Blocks<'a, F: Float> {
    pub(super) rows: &'a Rows,
    pub(super) mode: SparseUpdate,
    pub(super) clip: ClipBy<F>,
    pub(super) value: *mut F,
    pub(super) slots: &'a [(*mut u8, DType)],
}

impl<F: Float + Element> Blocks<'_, F> {
    /// Calls `update` with blocks of elements, their summed gradients, and the index of the first element.
    ///
    /// Elements are numbered as in the variable, or, where only some rows are touched, as in the gradient with its rows sorted.
    ///
    /// # Safety
    /// The rows lie within the variable, and nothing else refers to the elements of this range.
    pub(super) unsafe fn for_each(&self, (start, end): (usize, usize), update: &mut Update<'_, F>) {
        let (rows, width) = (self.rows, self.rows.width);
        let all_rows = matches!(self.mode, SparseUpdate::AllRows | SparseUpdate::AllSlotRows);
        let values = rows.values.as_slice::<F>().expect("contiguous values of the variable's type");
        let mut gradient = [F::ZERO; BLOCK];
        let mut aside = [F::ZERO; BLOCK];
        let mut at = start;
        let mut next = if all_rows { rows.first_from(at / width) } else { at / width };
        while at < end {
            self.prefetch(next + AHEAD, values, all_rows);
            // Elements that have the same places in the gradient.
            let (first, length, places) = match rows.get(next) {
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
            let moves = self.mode != SparseUpdate::AllSlotRows || !places.is_empty();
            for block in (first..first + length).step_by(BLOCK) {
                let n = BLOCK.min(first + length - block);
                let column = block % width;
                let (g, clip) = match places {
                    // No sum, and so no copy.
                    &[place] => (&values[place * width + column..][..n], self.clip),
                    _ => {
                        let into = &mut gradient[..n];
                        dispatch(Sum { into, values, places, width, column, clip: self.clip });
                        (&gradient[..n], ClipBy::NONE)
                    }
                };
                // SAFETY: the caller's promise.
                let mut x = unsafe { std::slice::from_raw_parts_mut(self.value.add(block), n) };
                if !moves {
                    aside[..n].copy_from_slice(x);
                    x = &mut aside[..n];
                }
                update(x, g, clip, block);
            }
            at += length;
        }
    }

    /// Asks for what the update of one of the sorted rows will need.
    fn prefetch(&self, i: usize, values: &[F], all_rows: bool) {
        let (Some((row, places)), width) = (self.rows.get(i), self.rows.width) else { return };
        for &place in &places[..places.len().min(4)] {
            prefetch(values.as_ptr().wrapping_add(place * width), width);
        }
        if !all_rows {
            prefetch(self.value.wrapping_add(row * width), width);
            for &(slot, dtype) in self.slots {
                prefetch(slot.wrapping_add(row * width * dtype.size()), width * dtype.size());
            }
        }
    }
}

/// The sum of the clipped rows at `places`, from a column on.
struct Sum<'a, F: Float> {
    into: &'a mut [F],
    values: &'a [F],
    places: &'a [usize],
    width: usize,
    column: usize,
    clip: ClipBy<F>,
}

impl<F: Float> Kernel for Sum<'_, F> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) {
        let Sum { into, values, places, width, column, clip } = self;
        into.fill(F::ZERO);
        for (i, &place) in places.iter().enumerate() {
            let from = &values[place * width + column..][..into.len()];
            for (sum, &g) in into.iter_mut().zip(from) {
                // Not 0 + g, which would lose the sign of a zero.
                *sum = if i == 0 { clip.apply(g) } else { *sum + clip.apply(g) };
            }
        }
    }
}
