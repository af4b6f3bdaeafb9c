//! Rules that search for the variables' next values by evaluating the loss.
use crate::Step;
use slalom_array::{DType, Error, ErrorKind, Result};

/// The loss as a function of a position: the values of all variables of a step, whose elements stand in one list, those of
/// the first variable first.
pub trait Objective {
    /// The position where the search began.
    fn start(&self) -> &[f64];

    /// The wider one of the variables' element types.
    fn dtype(&self) -> DType;

    /// The loss and its gradient at a position, to which the variables move.
    ///
    /// # Errors
    /// Those of the loss closure and of its gradient; [`Gradient`](slalom_array::ErrorKind::Gradient), if the loss depends on
    /// no variable; [`Memory`](slalom_array::ErrorKind::Memory).
    fn evaluate(&mut self, position: &[f64]) -> Result<(f64, Vec<f64>)>;

    /// The product of the loss's Hessian matrix with a vector, at the position that was evaluated last: the gradient of the
    /// gradient's product with the vector.
    ///
    /// # Errors
    /// As [`evaluate`](Objective::evaluate); [`State`](slalom_array::ErrorKind::State) in a [`MinimizeOp`](crate::MinimizeOp), which
    /// has no closure to differentiate twice.
    fn hessian_vector(&mut self, vector: &[f64]) -> Result<Vec<f64>>;
}

/// What a search remembers from step to step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchState {
    /// Each slot as rows, each with the elements of all variables. A slot of the variable's shape is one row; a slot with a
    /// leading axis of length `n` is `n` rows.
    pub slots: Vec<Vec<Vec<f64>>>,
    /// The scalars.
    pub scalars: Vec<f64>,
}

/// A search for the position where a step ends; what [`Rule::search`](crate::Rule::search) gives.
pub trait Search {
    /// The position where the step ends. What the state holds then is kept for the next step.
    ///
    /// # Errors
    /// Those of the objective. The variables and the optimizer are as they were then.
    fn search(
        &self,
        step: &Step<'_>,
        objective: &mut dyn Objective,
        state: &mut SearchState,
    ) -> Result<Vec<f64>>;
}

/// The error of [`Rule::update`](crate::Rule::update) of a rule that searches.
pub(crate) fn no_update() -> Error {
    Error::new(ErrorKind::State, "update", "a search", "gradients alone")
}
