//! The driver of element rules: one parallel region over all elements of all variables.
mod kernel;
mod rows;
mod sparse;
mod sums;

use crate::{ElementRule, Item, SparseUpdate, Step, Sums};
pub(crate) use rows::Rows;
use slalom_array::{Array, DType, Float, Map, Result, Shape, map, parallel};
use smallvec::SmallVec;
pub(crate) use sums::squares;

/// How many slots an element rule can have.
pub(crate) const MAX_SLOTS: usize = 4;
/// Elements that one thread works on at a time. Fixed, so that the work is cut by its size alone.
const CHUNK: usize = 1 << 14;
/// Up to this many elements in all, one thread does everything.
const SERIAL: usize = 1 << 15;
/// Variables begin at multiples of this many elements, so that no two threads write to one cache line.
const LINE: usize = 16;

/// What clipping makes of the elements of a gradient: `clamp(g, -limit, limit) · scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Clip {
    pub(crate) limit: f64,
    pub(crate) scale: f64,
}

impl Clip {
    pub(crate) const NONE: Clip = Clip { limit: f64::INFINITY, scale: 1.0 };

    /// The same in the precision of the elements.
    #[inline(always)]
    fn cast<F: Float>(self) -> ClipBy<F> {
        ClipBy { limit: F::from_f64(self.limit), scale: F::from_f64(self.scale) }
    }
}

#[derive(Clone, Copy)]
struct ClipBy<F> {
    limit: F,
    scale: F,
}

impl<F: Float> ClipBy<F> {
    const NONE: ClipBy<F> = ClipBy { limit: F::INFINITY, scale: F::ONE };

    #[inline(always)]
    fn apply(self, g: F) -> F {
        g.clamp(-self.limit, self.limit) * self.scale
    }
}

impl<F: Float + slalom_array::Element> Map<F, F, 1> for ClipBy<F> {
    #[inline(always)]
    fn eval(self, [g]: [F; 1]) -> F {
        self.apply(g)
    }
}

/// A gradient that has been checked: contiguous, of the variable's shape and element type, indices in range.
#[derive(Debug)]
pub(crate) enum Checked {
    Dense(Array),
    Sparse(Rows),
}

/// A checked gradient and what is still to be done with its elements.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) gradient: Checked,
    pub(crate) clip: Clip,
}

impl Update {
    /// The same, with a gradient that is whole.
    pub(crate) fn into_dense(self, shape: &Shape) -> Result<Update> {
        match self.gradient {
            Checked::Dense(_) => Ok(self),
            Checked::Sparse(_) => {
                Ok(Update { gradient: Checked::Dense(self.to_dense(shape)?), clip: Clip::NONE })
            }
        }
    }

    pub(crate) fn to_dense(&self, shape: &Shape) -> Result<Array> {
        fn clipped<F: Float + slalom_array::Element>(clip: Clip, gradient: &Array) -> Result<Array> {
            map::<F, F, 1, _>("clip", clip.cast::<F>(), [gradient])
        }
        let by_dtype = |array: &Array| match array.dtype() {
            DType::F64 => clipped::<f64>(self.clip, array),
            _ => clipped::<f32>(self.clip, array),
        };
        match &self.gradient {
            Checked::Dense(array) if self.clip == Clip::NONE => Ok(array.clone()),
            Checked::Dense(array) => by_dtype(array),
            Checked::Sparse(rows) => {
                let values = by_dtype(&rows.values)?;
                rows.to_dense(values, shape)
            }
        }
    }
}

/// Addresses of what belongs to one variable.
struct Part<'a> {
    value: *mut u8,
    slots: [(*mut u8, DType); MAX_SLOTS],
    update: &'a Update,
    dtype: DType,
    group: usize,
    /// What values are multiplied by before their update.
    kept: f64,
    /// Which of the coefficients are its own.
    coeffs: usize,
    /// How many elements there are to go over; for some sparse updates only those of the rows that the gradient has.
    length: usize,
    /// The index of the first of them, in the numbering of all parts.
    start: usize,
}

// SAFETY: the addresses are those of arrays that the items borrow mutably, so nothing else touches them while the parts
// live, and chunks cover disjoint elements.
unsafe impl Sync for Part<'_> {}

impl<'a> Part<'a> {
    /// The part of an item whose first slots, so many, are of its elements.
    ///
    /// # Panics
    /// If an array is shorter than what is read of it: a rule that calls another one may have put in any.
    fn new(sparse: SparseUpdate, of_elements: usize, item: &'a mut Item<'_>, start: usize) -> Part<'a> {
        let address = |array: &mut Array| match array.dtype() {
            DType::F64 => array.as_mut_slice::<f64>().expect(OURS).as_mut_ptr().cast(),
            _ => array.as_mut_slice::<f32>().expect(OURS).as_mut_ptr().cast::<u8>(),
        };
        let elements = item.value.len();
        let (value, dtype) = (address(item.value), item.value.dtype());
        let mut slots = [(std::ptr::null_mut(), dtype); MAX_SLOTS];
        assert!(item.slots.len() >= of_elements, "{OURS}");
        for (k, (into, slot)) in slots.iter_mut().zip(&mut item.slots).enumerate() {
            assert!(slot.len() >= if k < of_elements { elements } else { 1 }, "{OURS}");
            *into = (address(slot), slot.dtype());
        }
        let length = match &item.update.gradient {
            Checked::Sparse(rows) => {
                assert!(rows.end() <= elements, "{OURS}");
                rows.length(sparse, elements)
            }
            Checked::Dense(_) => elements,
        };
        Part {
            value,
            slots,
            update: item.update,
            dtype,
            group: item.group,
            kept: item.kept,
            coeffs: item.group,
            length,
            start,
        }
    }
}

impl Part<'_> {
    /// One of the slots that are one number.
    fn state(&self, slot: usize) -> f64 {
        let slot = self.slots[slot];
        // SAFETY: the slot has one element, of its type, which is this part's alone.
        unsafe {
            match slot {
                (address, DType::F64) => *address.cast::<f64>(),
                (address, _) => f64::from(*address.cast::<f32>()),
            }
        }
    }

    /// Changes one of the slots that are one number.
    fn set_state(&mut self, slot: usize, number: f64) {
        let slot = self.slots[slot];
        // SAFETY: as above.
        unsafe {
            match slot {
                (address, DType::F64) => *address.cast::<f64>() = number,
                (address, _) => *address.cast::<f32>() = number as f32,
            }
        }
    }
}

const OURS: &str = "values and slots are contiguous, unshared arrays of f32 or f64, as long as the variable";

/// Updates all items by an element rule.
pub(crate) fn run<R: ElementRule>(rule: &R, steps: &mut [Step<'_>], items: &mut [Item<'_>]) {
    /// Whether a rule may have so many slots.
    const fn may<R: ElementRule>(n: usize) -> bool {
        R::SLOTS.0 <= n && n <= R::SLOTS.1
    }
    let slots = items.first().map_or(0, |item| item.slots.len() - R::STATES);
    match slots {
        0 if const { may::<R>(0) } => run_with::<R, 0>(rule, steps, items),
        1 if const { may::<R>(1) } => run_with::<R, 1>(rule, steps, items),
        2 if const { may::<R>(2) } => run_with::<R, 2>(rule, steps, items),
        3 if const { may::<R>(3) } => run_with::<R, 3>(rule, steps, items),
        4 if const { may::<R>(4) } => run_with::<R, MAX_SLOTS>(rule, steps, items),
        _ => assert!(items.is_empty(), "{} has {slots} slots, which `SLOTS` excludes", R::NAME),
    }
}

/// Sets of coefficients, for the element types that occur: one for each group, or for each part.
struct Coefficients<R: ElementRule> {
    f32: Sets<R::Coeffs<f32>>,
    f64: Sets<R::Coeffs<f64>>,
}

/// The first lies here, so that one alone asks for no memory. Not a `SmallVec`, whose code would be compiled for each rule.
struct Sets<C> {
    first: Option<C>,
    others: Vec<C>,
}

impl<C: Copy> Sets<C> {
    const EMPTY: Sets<C> = Sets { first: None, others: Vec::new() };

    /// Adds a set, and returns its place.
    #[inline]
    fn push(&mut self, set: C) -> usize {
        if self.first.is_none() {
            self.first = Some(set);
            return 0;
        }
        self.others.push(set);
        self.others.len()
    }

    #[inline]
    fn at(&self, place: usize) -> C {
        match (place, self.first) {
            (0, Some(first)) => first,
            _ => self.others[place - 1],
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.first.iter_mut().chain(&mut self.others)
    }
}

impl<R: ElementRule> Coefficients<R> {
    /// Those of each group.
    fn new(rule: &R, steps: &[Step<'_>], parts: &[Part<'_>]) -> Coefficients<R> {
        let mut coeffs = Coefficients { f32: Sets::EMPTY, f64: Sets::EMPTY };
        let has = |dtype| parts.iter().any(|part| part.dtype == dtype);
        let (any32, any64) = (has(DType::F32), has(DType::F64));
        for step in steps {
            if any32 {
                coeffs.f32.push(rule.coeffs::<f32>(step));
            }
            if any64 {
                coeffs.f64.push(rule.coeffs::<f64>(step));
            }
        }
        coeffs
    }
}

/// Advances the scalars, which are the same for all steps: by the first one, that of variables in no group.
fn advance<R: ElementRule>(rule: &R, steps: &mut [Step<'_>], sums: [f64; 2]) {
    let [first, others @ ..] = steps else { return };
    if first.scalars.is_empty() {
        return;
    }
    let mut scalars = std::mem::take(&mut first.scalars);
    first.scalars.clone_from(&scalars);
    rule.advance(first, sums, &mut scalars);
    others.iter_mut().for_each(|step| step.scalars.clone_from(&scalars));
    first.scalars = scalars;
}

fn run_with<R: ElementRule, const N: usize>(rule: &R, steps: &mut [Step<'_>], items: &mut [Item<'_>]) {
    let (mut parts, total) = parts(rule.sparse(), N, items);
    if R::SUMS != Sums::All {
        advance(rule, steps, [0.0; 2]);
    }
    let mut coeffs = Coefficients::<R>::new(rule, steps, &parts);
    if const { matches!(R::SUMS, Sums::Variable | Sums::All) } {
        sums::include::<R, N>(rule, steps, &mut coeffs, &mut parts);
    }
    let (coeffs, parts) = (&coeffs, &parts[..]);
    for_each_range(parts, total, &|part, range| run_part::<R, N>(rule, coeffs, part, range));
}

/// The parts of all variables, and how many numbers they take up.
fn parts<'a>(
    sparse: SparseUpdate,
    of_elements: usize,
    items: &'a mut [Item<'_>],
) -> (SmallVec<[Part<'a>; 2]>, usize) {
    let (mut parts, mut total) = (SmallVec::with_capacity(items.len()), 0);
    for item in items {
        let part = Part::new(sparse, of_elements, item, total);
        total += part.length.next_multiple_of(LINE);
        parts.push(part);
    }
    (parts, total)
}

/// Calls `body` for ranges that make up all parts, at the same time if there are many elements.
fn for_each_range(parts: &[Part<'_>], total: usize, body: &(dyn Fn(&Part<'_>, (usize, usize)) + Sync)) {
    if total <= SERIAL {
        return parts.iter().for_each(|part| body(part, (0, part.length)));
    }
    parallel::for_each(total.div_ceil(CHUNK), |chunk| {
        let (start, end) = (chunk * CHUNK, (chunk + 1) * CHUNK);
        let first = parts.partition_point(|part| part.start + part.length <= start);
        for part in parts[first..].iter().take_while(|part| part.start < end) {
            body(part, (start.saturating_sub(part.start), part.length.min(end - part.start)));
        }
    });
}

/// Updates the elements of a range of one part.
fn run_part<R: ElementRule, const N: usize>(
    rule: &R,
    coeffs: &Coefficients<R>,
    part: &Part<'_>,
    range: (usize, usize),
) {
    if range.0 >= range.1 {
        return;
    }
    match part.dtype {
        DType::F64 => kernel::update::<R, f64, N>(rule, coeffs.f64.at(part.coeffs), part, range),
        _ => kernel::update::<R, f32, N>(rule, coeffs.f32.at(part.coeffs), part, range),
    }
}
