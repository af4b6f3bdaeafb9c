//! The loops of reductions, which are compiled for each operation and element type.
use super::ops::Combine;
use crate::array::Uninit;
use crate::isa::{Isa, Kernel, dispatch};
use crate::kernels::elementwise::{Identity, Map};
use crate::{Array, DType, Element, Number, Result, Shape};
use std::marker::PhantomData;

/// Accumulators side by side.
const LANES: usize = 64;
/// Elements of a lane, or rows, that are combined before they are accumulated.
pub(super) const GROUP: usize = 8;
/// Lanes that are left for what does not fill all of them.
const FEW: usize = 8;

/// A reduction without its types, so that there is one driver for all of them.
pub(crate) struct Loops {
    pub(super) dtype: DType,
    pub(super) filled: fn(Shape) -> Result<Array>,
    rows: unsafe fn(*const u8, Span, *mut u8),
    columns: unsafe fn(&[*const u8], bool, usize, *mut u8),
}

/// Rows of `n` elements that follow each other; the rows begin `step` elements apart.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) count: usize,
    pub(crate) step: isize,
    pub(crate) n: usize,
}

impl Loops {
    /// The loops for an operation on elements of type `T`.
    pub(crate) const fn of<T: Number, C: Combine<T>>() -> &'static Loops {
        const {
            &Loops {
                dtype: T::DTYPE,
                filled: |shape| Ok(Uninit::<T>::new(shape)?.fill(C::EMPTY)),
                rows: rows::<T, C>,
                columns: columns::<T, C>,
            }
        }
    }

    /// `to[i] = combine(row i)`, in the order that [`leaf`] has.
    ///
    /// # Safety
    /// The rows exist, `n > 0`, and `to` is memory for `count` results.
    pub(crate) unsafe fn rows(&self, from: *const u8, span: Span, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.rows)(from, span, to) }
    }

    /// `to[j] = combine(row 0 [j], row 1 [j], ...)`, and with what `to` holds if it is to `accumulate`. [`GROUP`] rows at a
    /// time are combined in a tree.
    ///
    /// # Safety
    /// `width` elements of each row and of `to`; there is a row.
    pub(super) unsafe fn columns(&self, rows: &[*const u8], accumulate: bool, width: usize, to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.columns)(rows, accumulate, width, to) }
    }
}

/// # Safety
/// As [`Loops::rows`].
unsafe fn rows<T: Number, C: Combine<T>>(from: *const u8, span: Span, to: *mut u8) {
    dispatch(Leaves { from: from.cast::<T>(), span, to: to.cast(), combine: PhantomData::<C> });
}

struct Leaves<T, C> {
    from: *const T,
    span: Span,
    to: *mut T,
    combine: PhantomData<C>,
}

impl<T: Number, C: Combine<T>> Kernel for Leaves<T, C> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx512.of::<T>();
    #[inline(always)]
    fn run(self) {
        let Span { count, step, n } = self.span;
        for i in 0..count {
            let row = self.from.wrapping_offset(i as isize * step);
            // SAFETY: `rows` makes it for rows that exist.
            unsafe { self.to.add(i).write(leaf::<T, T, C, Identity, 1>(Identity, [row], n)) };
        }
    }
}

/// The result of a function of `n` elements that follow each other, in the order that depends on `n` alone: element `i`
/// is accumulated in lane `i % LANES`, [`GROUP`] of them at a time combined in a tree, and then the lanes are halved.
///
/// # Safety
/// `n > 0` elements of each input may be read.
#[inline(always)]
pub(crate) unsafe fn leaf<T: Element, O: Number, C: Combine<O>, K: Map<T, O, N>, const N: usize>(
    kernel: K,
    from: [*const T; N],
    n: usize,
) -> O {
    // SAFETY: the caller's promise; `i < n` wherever this is called.
    let element = |i: usize| kernel.eval(std::array::from_fn(|k| unsafe { *from[k].add(i) }));
    // In any order integers give the same.
    if n < FEW || !O::DTYPE.is_float() {
        let mut sum = element(0);
        for i in 1..n {
            sum = C::combine(sum, element(i));
        }
        return sum;
    }
    let (mut few, mut done) = ([C::EMPTY; FEW], FEW);
    if n < LANES {
        for (lane, sum) in few.iter_mut().enumerate() {
            *sum = element(lane);
        }
    } else {
        let mut lanes = [C::EMPTY; LANES];
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum = element(lane);
        }
        let mut whole = LANES;
        while whole + GROUP * LANES <= n {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                let pair = |i: usize| {
                    let at = whole + lane + i * LANES;
                    C::combine(element(at), element(at + LANES))
                };
                let group = C::combine(C::combine(pair(0), pair(2)), C::combine(pair(4), pair(6)));
                *sum = C::combine(*sum, group);
            }
            whole += GROUP * LANES;
        }
        while whole + LANES <= n {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum = C::combine(*sum, element(whole + lane));
            }
            whole += LANES;
        }
        for half in [32, 16, 8] {
            for lane in 0..half {
                lanes[lane] = C::combine(lanes[lane], lanes[lane + half]);
            }
        }
        few.copy_from_slice(&lanes[..FEW]);
        done = whole;
    }
    while done + FEW <= n {
        for (lane, sum) in few.iter_mut().enumerate() {
            *sum = C::combine(*sum, element(done + lane));
        }
        done += FEW;
    }
    let mut four = [C::EMPTY; 4];
    for lane in 0..4 {
        four[lane] = C::combine(few[lane], few[lane + 4]);
    }
    let mut sum = C::combine(C::combine(four[0], four[2]), C::combine(four[1], four[3]));
    for i in done..n {
        sum = C::combine(sum, element(i));
    }
    sum
}

/// # Safety
/// As [`Loops::columns`].
unsafe fn columns<T: Number, C: Combine<T>>(rows: &[*const u8], accumulate: bool, width: usize, to: *mut u8) {
    let (to, mut rows) = (to.cast::<T>(), rows);
    if !accumulate {
        // SAFETY: the caller's promise.
        unsafe { to.copy_from_nonoverlapping(rows[0].cast(), width) };
        rows = &rows[1..];
    }
    dispatch(Columns { rows, width, to, combine: PhantomData::<C> });
}

/// `to[j] = combine(to[j], rows[0][j], rows[1][j], ...)`
struct Columns<'a, T, C> {
    rows: &'a [*const u8],
    width: usize,
    to: *mut T,
    combine: PhantomData<C>,
}

impl<T: Number, C: Combine<T>> Kernel for Columns<'_, T, C> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx512.of::<T>();
    #[inline(always)]
    fn run(self) {
        let Columns { rows, width, to, .. } = self;
        let (groups, rest) = rows.as_chunks::<GROUP>();
        for group in groups {
            let row = group.map(|row| row.cast::<T>());
            for j in 0..width {
                // SAFETY: `columns` makes it for rows of `width` elements.
                unsafe {
                    let pair = |i: usize| C::combine(*row[i].add(j), *row[i + 1].add(j));
                    let sum = C::combine(C::combine(pair(0), pair(2)), C::combine(pair(4), pair(6)));
                    *to.add(j) = C::combine(*to.add(j), sum);
                }
            }
        }
        for row in rest {
            let row = row.cast::<T>();
            for j in 0..width {
                // SAFETY: as above.
                unsafe { *to.add(j) = C::combine(*to.add(j), *row.add(j)) };
            }
        }
    }
}
