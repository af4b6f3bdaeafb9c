//! The stages of `apply_gradients`, in their order. All but `commit` only prepare: they may fail, and change nothing that
//! anybody sees.
pub(crate) mod check;
pub(crate) mod clip;
pub(crate) mod commit;
pub(crate) mod constrain;
pub(crate) mod missing;
mod transform;

pub(crate) use transform::Transformer;
pub use transform::{GradientList, Gradients};

use crate::driver::Update;

/// A variable of a step.
pub(crate) struct Target {
    /// Its entry in the slot table.
    pub(crate) entry: usize,
    /// How many targets before this one are of the same variable.
    pub(crate) round: usize,
    pub(crate) update: Update,
}
