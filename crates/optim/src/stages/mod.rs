//! The stages of `apply_gradients`, in their order: missing, groups (freezing), unscale, accumulate, transform (the
//! aggregator), finite, clip, transform (the transformers), check; then, in the commit, decay, the rule's update, average,
//! constrain. All but the commit only prepare: they may fail, and change nothing that anybody sees.
pub(crate) mod accumulate;
pub(crate) mod average;
pub(crate) mod check;
pub(crate) mod clip;
pub(crate) mod commit;
pub(crate) mod constrain;
pub(crate) mod decay;
pub(crate) mod finite;
pub(crate) mod groups;
pub(crate) mod missing;
mod transform;
pub(crate) mod unscale;

pub use groups::Group;
pub use transform::{GradientList, Gradients, Transformer};

use crate::driver::Update;
use accumulate::Accumulation;
use average::{Average, scalar};
use groups::Groups;
use slalom_array::{Array, Result};
use slalom_variable::Variable;
use unscale::{Change, LossScale};

/// The stages that are off unless they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) groups: Groups,
    pub(crate) scale: Option<LossScale>,
    pub(crate) accumulation: Option<Accumulation>,
    /// Counts the steps that were skipped: a scalar of `i64`.
    pub(crate) skipped: Option<Variable>,
    pub(crate) average: Option<Average>,
}

impl Stages {
    /// Whether one of them is on.
    pub(crate) fn any(&self) -> bool {
        !self.groups.is_empty()
            || self.scale.is_some()
            || self.accumulation.is_some()
            || self.skipped.is_some()
            || self.average.is_some()
    }

    /// What follows from the end of a window of micro-batches, in a step that is done or skipped. Nothing has changed yet.
    pub(crate) fn end(&self, finite: bool) -> Result<End> {
        let change = self.scale.as_ref().map(|scale| scale.next(finite)).transpose()?.flatten();
        Ok(End { change, count: self.accumulation.as_ref().map(|_| Array::scalar(0i64)) })
    }

    pub(crate) fn commit(&self, end: End) {
        if let Some(scale) = &self.scale {
            scale.commit(end.change);
        }
        if let (Some(accumulation), Some(count)) = (&self.accumulation, end.count) {
            *accumulation.count.update().array() = count;
        }
    }

    /// Names what they remember after the optimizer.
    pub(crate) fn rename(&mut self, optimizer: &str) {
        let scale = self.scale.iter_mut();
        let scale = scale.flat_map(|scale| {
            let counter = scale.dynamic.as_mut().map(|dynamic| &mut dynamic.counter);
            std::iter::once(&mut scale.factor).chain(counter)
        });
        let count = self.accumulation.iter_mut().map(|accumulation| &mut accumulation.count);
        for variable in scale.chain(count).chain(&mut self.skipped) {
            let name = variable.name().rsplit('/').next().unwrap_or_default();
            *variable = scalar(optimizer, name, variable.array());
        }
    }

    /// What they remember, but for slots, by name.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Variable)> {
        let dynamic = self.scale.iter().filter_map(|scale| Some((scale, scale.dynamic.as_ref()?)));
        let scale = dynamic
            .flat_map(|(scale, dynamic)| [("loss_scale", &scale.factor), ("step_counter", &dynamic.counter)]);
        let accumulation = self.accumulation.iter();
        scale
            .chain(accumulation.map(|accumulation| ("accumulated_steps", &accumulation.count)))
            .chain(self.skipped.iter().map(|skipped| ("skipped_steps", skipped)))
    }
}

/// The next loss scale, and the number of micro-batches of the next window.
pub(crate) struct End {
    change: Option<Change>,
    count: Option<Array>,
}

/// A variable of a step.
pub(crate) struct Target {
    /// Its entry in the slot table.
    pub(crate) entry: usize,
    /// How many targets before this one are of the same variable.
    pub(crate) round: usize,
    /// Which of the steps is its own.
    pub(crate) group: usize,
    pub(crate) update: Update,
}
