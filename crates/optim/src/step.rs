//! What a rule knows of the step that it takes.
use crate::NamedHyper;
use smallvec::SmallVec;

/// One step of an optimizer, as a rule sees it: the number of steps before it and the values of the hyperparameters.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    pub(crate) iterations: i64,
    pub(crate) group: usize,
    pub(crate) hypers: &'a [NamedHyper],
    pub(crate) values: SmallVec<[f64; 8]>,
    /// Where the learning rate stands among the values.
    pub(crate) learning_rate: Option<usize>,
    pub(crate) scalars: SmallVec<[f64; 1]>,
    /// What decoupled weight decay leaves of a value, as a factor.
    pub(crate) kept: f64,
}

impl Step<'_> {
    /// How many steps have been done before this one.
    #[inline]
    pub fn iterations(&self) -> i64 {
        self.iterations
    }

    /// The group of variables that the values belong to.
    #[inline]
    pub fn group(&self) -> usize {
        self.group
    }

    /// The effective learning rate: after the schedule, the callable and `decay`. 1 for a rule without one.
    #[inline]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.map_or(1.0, |i| self.values[i])
    }

    /// The value of a hyperparameter.
    ///
    /// # Panics
    /// If the rule does not list it among its hyperparameters.
    #[inline]
    pub fn hyper(&self, name: &str) -> f64 {
        match self.hypers.iter().position(|hyper| hyper.name == name) {
            Some(i) => self.values[i],
            None => panic!("{name}: not among the hyperparameters that the rule lists"),
        }
    }

    /// The value of one of the rule's scalars.
    ///
    /// # Panics
    /// If the rule has fewer scalars.
    #[inline]
    pub fn scalar(&self, index: usize) -> f64 {
        self.scalars[index]
    }

    /// The values of the rule's scalars, for [`Rule::update`](crate::Rule::update) to change.
    #[inline]
    pub fn scalars_mut(&mut self) -> &mut [f64] {
        &mut self.scalars
    }
}
