//! The precision of searches, and sums in it.
use crate::Objective;
use slalom_array::DType;

/// The precision of a search's numbers: that of the variables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precision(DType);

impl Precision {
    pub(super) fn of(objective: &dyn Objective) -> Precision {
        Precision(objective.dtype())
    }

    /// The nearest number that the precision has.
    #[inline(always)]
    pub(super) fn round(self, x: f64) -> f64 {
        if self.0 == DType::F32 { f64::from(x as f32) } else { x }
    }

    /// `x += t d`
    pub(super) fn add(self, x: &mut [f64], t: f64, d: &[f64]) {
        for (x, d) in x.iter_mut().zip(d) {
            *x = self.round(*x + t * d);
        }
    }

    /// `Σ aᵢ bᵢ`; in `f32` products and sums are rounded too, within runs of elements.
    pub(super) fn dot(self, a: &[f64], b: &[f64]) -> f64 {
        const RUN: usize = 512;
        if self.0 != DType::F32 {
            return dot(a, b);
        }
        self.round(a.chunks(RUN).zip(b.chunks(RUN)).map(|(a, b)| f64::from(narrow_dot(a, b))).sum())
    }
}

/// `Σ aᵢ bᵢ`, summed in eight lanes.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (heads, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = heads.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in heads.zip(others) {
        for k in 0..8 {
            lanes[k] += a[k] * b[k];
        }
    }
    lanes.iter().sum::<f64>() + tail
}

/// As [`dot`], in `f32`.
fn narrow_dot(a: &[f64], b: &[f64]) -> f32 {
    let mut lanes = [0.0; 8];
    let (heads, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail = heads.remainder().iter().zip(others.remainder());
    let tail = tail.fold(0.0, |sum, (&a, &b)| sum + a as f32 * b as f32);
    for (a, b) in heads.zip(others) {
        for k in 0..8 {
            lanes[k] += a[k] as f32 * b[k] as f32;
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// The largest magnitude.
pub(super) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest, x| x.abs().max(largest))
}
