//! Where fast and slow weights meet.
use crate::{ElementRule, NamedHyper, SparseUpdate, Step};
use slalom_array::Float;

/// `slow += α (x - slow); x = slow`, of all elements.
#[derive(Debug, Clone)]
pub(super) struct Synchronize;

impl ElementRule for Synchronize {
    const NAME: &'static str = "Synchronize";
    const SLOTS: (usize, usize) = (1, 1);
    /// The α.
    type Coeffs<F: Float> = F;

    fn hypers(&self) -> Vec<NamedHyper> {
        Vec::new()
    }

    fn sparse(&self) -> SparseUpdate {
        SparseUpdate::AllRows
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> F {
        F::from_f64(step.hyper("slow_step_size"))
    }

    #[inline(always)]
    fn element<F: Float>(alpha: F, x: F, _: F, slots: &mut [F]) -> F {
        slots[0] += alpha * (x - slots[0]);
        slots[0]
    }
}
