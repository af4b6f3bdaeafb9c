//! Adam within Muon.
use super::adam::{Adam, Coeffs};
use crate::{ElementRule, NamedHyper, SparseUpdate, Step};
use slalom_array::Float;

/// Adam, by the hyperparameters of [`Muon`](super::Muon).
#[derive(Debug, Clone)]
pub(super) struct AdamOfMuon;

impl ElementRule for AdamOfMuon {
    const NAME: &'static str = "Adam";
    const SLOTS: (usize, usize) = (2, 2);
    type Coeffs<F: Float> = Coeffs<F>;

    fn hypers(&self) -> Vec<NamedHyper> {
        Vec::new()
    }

    fn sparse(&self) -> SparseUpdate {
        SparseUpdate::AllRows
    }

    fn coeffs<F: Float>(&self, step: &Step<'_>) -> Coeffs<F> {
        let betas = (step.hyper("adam_beta_1"), step.hyper("adam_beta_2"));
        let rate = step.learning_rate() * step.hyper("adam_lr_ratio");
        Coeffs::plain(rate, betas, step.hyper("epsilon"), (step.iterations() + 1) as f64)
    }

    #[inline(always)]
    fn element<F: Float>(c: Coeffs<F>, x: F, g: F, slots: &mut [F]) -> F {
        Adam::element(c, x, g, slots)
    }
}
