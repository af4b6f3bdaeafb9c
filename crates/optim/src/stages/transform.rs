//! The user's own stages: the aggregator and the transformers.
use slalom_array::Result;
use slalom_autograd::Gradient;
use slalom_variable::Variable;

/// Gradients, each with its variable.
pub type GradientList = Vec<(Gradient, Variable)>;

/// What a gradient transformer or aggregator returns: a [`GradientList`], or a `Result` of one.
pub trait Gradients {
    /// The list.
    ///
    /// # Errors
    /// The closure's own.
    fn into_list(self) -> Result<GradientList>;
}

impl Gradients for GradientList {
    fn into_list(self) -> Result<GradientList> {
        Ok(self)
    }
}

impl Gradients for Result<GradientList> {
    fn into_list(self) -> Result<GradientList> {
        self
    }
}

/// A stage of the user's.
pub(crate) struct Transformer(Box<dyn FnMut(GradientList) -> Result<GradientList> + Send>);

impl Transformer {
    pub(crate) fn new<R: Gradients>(mut f: impl FnMut(GradientList) -> R + Send + 'static) -> Transformer {
        Transformer(Box::new(move |gradients| f(gradients).into_list()))
    }

    pub(crate) fn apply(&mut self, gradients: GradientList) -> Result<GradientList> {
        (self.0)(gradients)
    }
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closure")
    }
}
