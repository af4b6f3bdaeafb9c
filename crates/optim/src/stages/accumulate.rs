//! Accumulation: gradients of several micro-batches are summed, and their mean makes one step.
use super::average::scalar;
use super::unscale::divided;
use super::{GradientList, check};
use crate::slots::{Entry, SlotTable};
use slalom_array::{Array, DType, Element, Error, ErrorKind, Float, Map, Result, gather, map, scatter_add};
use slalom_autograd::{Gradient, IndexedSlices};
use slalom_variable::Variable;

/// The names of the slots: the sums, and a mark for each row: 1, if a gradient of the window has it; else -1, if there is a
/// gradient; else 0.
pub(crate) const SLOTS: [&str; 2] = ["gradient_accumulator", "accumulated_rows"];

/// How many micro-batches make a step, and how many there have been since the last.
#[derive(Debug)]
pub(crate) struct Accumulation {
    pub(crate) steps: i64,
    /// A scalar of `i64`. While it is 0, the sums mean nothing.
    pub(crate) count: Variable,
    /// Where the slots of the sums stand among a variable's slots.
    pub(crate) slot: usize,
}

/// New sums, by entry.
#[derive(Default)]
pub(crate) struct Sums(Vec<(usize, [Array; 2])>);

impl Accumulation {
    pub(crate) fn new(optimizer: &str, steps: i64, slot: usize) -> Result<Accumulation> {
        if steps < 2 {
            let expected = "a number of steps of at least 2";
            return Err(Error::new(ErrorKind::Argument, "gradient_accumulation_steps", expected, steps));
        }
        Ok(Accumulation { steps, count: scalar(optimizer, "accumulated_steps", Array::scalar(0i64)), slot })
    }

    /// How many micro-batches the window has.
    pub(crate) fn done(&self) -> Result<i64> {
        Ok(self.count.array().item()? as i64)
    }

    /// The sums with the gradients of another micro-batch, in which those of a variable that is listed twice are added up.
    /// Nothing has changed yet.
    ///
    /// # Errors
    /// As [`check::check`]; [`ErrorKind::Memory`].
    pub(crate) fn add(&self, slots: &SlotTable, gradients: &GradientList, entries: &[usize]) -> Result<Sums> {
        let first = self.done()? == 0;
        let mut sums: Vec<Option<[Array; 2]>> = Vec::new();
        if first {
            // What is left of the last window counts no more.
            for entry in slots.all() {
                let rows = &entry.slots[self.slot + 1];
                sums.push(Some([entry.slots[self.slot].array(), Array::zeros(rows.shape(), DType::F32)?]));
            }
        }
        sums.resize(slots.all().len(), None);
        for ((gradient, variable), &entry) in gradients.iter().zip(entries) {
            check::check(gradient.clone(), variable)?;
            let old = match sums[entry].take() {
                Some(sum) => sum,
                None => self.sum(&slots.all()[entry]),
            };
            sums[entry] = Some(added(old, gradient)?);
        }
        let changed = sums.into_iter().enumerate().filter_map(|(entry, sum)| Some((entry, sum?)));
        Ok(Sums(changed.collect()))
    }

    /// The sum of an entry, and its rows.
    fn sum(&self, entry: &Entry) -> [Array; 2] {
        [entry.slots[self.slot].array(), entry.slots[self.slot + 1].array()]
    }

    /// Keeps the sums of a micro-batch that makes no step.
    pub(crate) fn commit(&self, slots: &SlotTable, sums: Sums, count: Array) {
        for (entry, arrays) in sums.0 {
            let own = &slots.all()[entry].slots[self.slot..];
            for (slot, array) in own.iter().zip(arrays) {
                *slot.update().array() = array;
            }
        }
        *self.count.update().array() = count;
    }

    /// The mean over `count` micro-batches: for each variable that has a gradient in one of them, where others count as 0. It
    /// has the rows that a gradient of the window has.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub(crate) fn mean(&self, slots: &SlotTable, sums: Sums, count: i64) -> Result<GradientList> {
        let mut new = sums.0.into_iter().peekable();
        let mut means = GradientList::new();
        for (i, entry) in slots.all().iter().enumerate() {
            let [sum, rows] = match new.next_if(|sum| sum.0 == i) {
                Some((_, sum)) => sum,
                None => self.sum(entry),
            };
            let marks = rows.to_vec::<f32>()?;
            if marks.iter().all(|&mark| mark == 0.0) {
                continue;
            }
            let present: Vec<i64> = (0..).zip(&marks).filter(|row| *row.1 == 1.0).map(|row| row.0).collect();
            let gradient = if present.len() == marks.len() {
                Gradient::Dense(divided(&sum, count as f64)?.into())
            } else {
                let indices = Array::from_vec([present.len()], present)?;
                let values = divided(&gather(&sum, &indices, 0)?, count as f64)?;
                IndexedSlices::new(indices.into(), values.into(), sum.shape())?.into()
            };
            means.push((gradient, entry.variable.clone()));
        }
        Ok(means)
    }
}

/// `a + b`.
#[derive(Clone, Copy)]
struct Add;

impl<F: Float + Element> Map<F, F, 2> for Add {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        a + b
    }
}

/// A sum with one gradient more, and its rows.
fn added([sum, rows]: [Array; 2], gradient: &Gradient) -> Result<[Array; 2]> {
    let known = rows.to_vec::<f32>()?;
    let fresh = known.iter().all(|&mark| mark == 0.0);
    match gradient {
        Gradient::Dense(tensor) => {
            let g = tensor.array()?;
            let sum = match g.dtype() {
                _ if fresh => {
                    if g.is_contiguous() {
                        g.clone()
                    } else {
                        g.copy()?
                    }
                }
                DType::F64 => map::<f64, f64, 2, _>("accumulate", Add, [&sum, g])?,
                _ => map::<f32, f32, 2, _>("accumulate", Add, [&sum, g])?,
            };
            Ok([sum, Array::full(rows.shape(), 1.0, DType::F32)?])
        }
        Gradient::Sparse(slices) => {
            let mut sum = if fresh { Array::zeros(sum.shape(), sum.dtype())? } else { sum.copy()? };
            let indices = slices.indices().array()?;
            scatter_add(&mut sum, indices, slices.values().array()?)?;
            let mut rows: Vec<f32> =
                known.into_iter().map(|mark| if mark == 1.0 { 1.0 } else { -1.0 }).collect();
            for row in indices.cast(DType::I64)?.to_vec::<i64>()? {
                rows[row as usize] = 1.0;
            }
            Ok([sum, Array::from_vec([rows.len()], rows)?])
        }
    }
}

/// How many marks a variable has: one for each row, and one if it has none.
pub(crate) fn rows(variable: &Variable) -> usize {
    variable.shape().first().map_or(1, |&rows| rows.max(1))
}
