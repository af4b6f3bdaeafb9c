//! The user's own stages: the aggregator and the transformers.
use crate::config::{Config, Envelope, Origin};
use serde_json::Value;
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

/// A stage of the user's: a closure from gradients and variables to gradients and variables.
///
/// ```
/// use slalom_optim::{GradientList, Optimizer, Transformer, rules::Sgd};
/// let transformer = Transformer::named("Nothing", |gradients: GradientList| gradients);
/// let opt = Optimizer::new(Sgd::new(0.1))?.transformer(transformer)?;
/// let config = opt.get_config()?;
/// assert_eq!(config["gradient_transformers"][0]["registered_name"], "Nothing");
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Transformer {
    name: Option<String>,
    /// The envelope that it was loaded from.
    loaded: Option<Value>,
    apply: Box<dyn FnMut(GradientList) -> Result<GradientList> + Send>,
}

impl Transformer {
    /// A stage that configs do not mention.
    pub fn new<R: Gradients>(mut f: impl FnMut(GradientList) -> R + Send + 'static) -> Transformer {
        Transformer { name: None, loaded: None, apply: Box::new(move |gradients| f(gradients).into_list()) }
    }

    /// A stage that stands in configs by the name under which it is registered ([`Loader::transformers`](crate::Loader::transformers)).
    pub fn named<R: Gradients>(
        name: impl Into<String>,
        f: impl FnMut(GradientList) -> R + Send + 'static,
    ) -> Transformer {
        Transformer { name: Some(name.into()), ..Transformer::new(f) }
    }

    pub(crate) fn apply(&mut self, gradients: GradientList) -> Result<GradientList> {
        (self.apply)(gradients)
    }

    /// The same stage, which is printed as it was read.
    pub(crate) fn loaded_from(self, json: &Value) -> Result<Transformer> {
        let envelope = Envelope::read(json)?;
        let printed =
            Origin::read(json).map_or_else(|| envelope.to_json(None), |origin| envelope.to_json_of(&origin));
        Ok(Transformer { loaded: Some(printed), ..self })
    }

    /// The envelope of a stage that has one or a name.
    pub(crate) fn to_json(&self) -> Option<Value> {
        if self.loaded.is_some() {
            return self.loaded.clone();
        }
        let class_name = self.name.as_deref()?;
        Some(Envelope { class_name, config: &Config::new() }.to_json(None))
    }
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("closure"))
    }
}
