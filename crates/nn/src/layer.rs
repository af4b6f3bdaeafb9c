//! What a layer is.
use slalom_array::Result;
use slalom_autograd::Tensor;
use slalom_variable::Variable;

/// A function of tensors with variables of its own.
///
/// Variables come into being when the layer is called first, because their shapes depend on the input. `forward` takes
/// `&self` nevertheless, so that loss closures can share a model: what is built then lies behind a
/// [`OnceLock`](std::sync::OnceLock).
///
/// ```
/// use slalom_array::Result;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, Sequential, layers::Dense};
/// use slalom_variable::Variable;
///
/// /// Multiplies by a trainable number.
/// struct Scale {
///     name: String,
///     factor: Variable,
/// }
///
/// impl Layer for Scale {
///     fn class_name(&self) -> &'static str {
///         "Scale"
///     }
///     fn name(&self) -> &str {
///         &self.name
///     }
///     fn rename(&mut self, name: String) {
///         self.name = name;
///     }
///     fn forward(&self, x: &Tensor) -> Result<Tensor> {
///         Ok(&self.factor * x)
///     }
///     fn variables(&self) -> Vec<Variable> {
///         vec![self.factor.clone()]
///     }
/// }
///
/// let scale = Scale { name: "scale".into(), factor: Variable::new(2.0f32).named("scale/factor") };
/// let model = Sequential::new().add(scale).add(Dense::new(1));
/// model.forward(&Tensor::ones([4, 3], slalom_array::DType::F32)?)?;
/// assert_eq!(model.trainable_variables().len(), 3);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub trait Layer: Send + Sync {
    /// The kind of layer, as Keras names it.
    fn class_name(&self) -> &'static str;

    /// The layer's own name, which is the first part of the names of its variables.
    fn name(&self) -> &str;

    /// Gives the layer another name; a model does so where two of its layers have the same. Variables that exist
    /// already keep theirs.
    fn rename(&mut self, name: String);

    /// The result for an input. The first call makes the variables.
    ///
    /// # Errors
    /// If the input does not fit.
    fn forward(&self, x: &Tensor) -> Result<Tensor>;

    /// The result in training or in inference; layers that work differently in training (dropout, batch normalization)
    /// and those that hold layers have more to say than [`forward`](Layer::forward), which is inference.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn call(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let _ = training;
        self.forward(x)
    }

    /// All variables, in Keras's order: the order in which the layer made them. Empty before the first call.
    fn variables(&self) -> Vec<Variable>;

    /// The variables that an optimizer trains, in the order of [`variables`](Layer::variables).
    fn trainable_variables(&self) -> Vec<Variable> {
        self.variables().into_iter().filter(Variable::is_trainable).collect()
    }
}
