//! Layers one after the other.
use crate::Layer;
use slalom_array::{Result, Shape};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use std::fmt;
use std::sync::OnceLock;

/// A model whose layers follow one another: each takes the result of the one before (`tf.keras.Sequential`).
///
/// No input shape is needed: variables are made at the first call of [`forward`](Layer::forward). Layers of one name
/// are numbered as they are added: `dense`, `dense_1`, `dense_2`. A model is a layer itself. Printed, it is a table of
/// its layers.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Activation, Layer, Sequential, layers::Dense};
///
/// let model = Sequential::new().add(Dense::new(16).activation(Activation::Relu)).add(Dense::new(1));
/// assert!(model.trainable_variables().is_empty());
/// let y = model.forward(&Tensor::ones([8, 3], DType::F32)?)?;
/// assert_eq!(y.shape()[..], [8, 1]);
/// let names: Vec<_> = model.trainable_variables().iter().map(|v| v.name().to_owned()).collect();
/// assert_eq!(names, ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]);
/// println!("{model}");
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Sequential {
    name: String,
    layers: Vec<Box<dyn Layer>>,
    /// The shapes of the layers' results at the first call.
    shapes: OnceLock<Vec<Shape>>,
}

impl Sequential {
    /// A model without layers, which returns its input.
    pub fn new() -> Sequential {
        Sequential { name: "sequential".to_owned(), layers: Vec::new(), shapes: OnceLock::new() }
    }

    /// The same model under another name than `sequential`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Sequential {
        self.name = name.into();
        self
    }

    /// With one layer more at the end. If the model has a layer of that name, the new one is numbered.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "Keras's name")]
    pub fn add(mut self, mut layer: impl Layer + 'static) -> Sequential {
        let taken = |name: &str| self.layers.iter().any(|layer| layer.name() == name);
        if taken(layer.name()) {
            let numbered = (1..).map(|i| format!("{}_{i}", layer.name())).find(|name| !taken(name));
            layer.rename(numbered.expect("there are enough numbers"));
        }
        self.layers.push(Box::new(layer));
        self.shapes = OnceLock::new();
        self
    }

    /// The layers in their order.
    pub fn layers(&self) -> impl Iterator<Item = &dyn Layer> {
        self.layers.iter().map(|layer| &**layer)
    }
}

impl Default for Sequential {
    fn default() -> Sequential {
        Sequential::new()
    }
}

impl Layer for Sequential {
    fn class_name(&self) -> &'static str {
        "Sequential"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// The result of the last layer.
    ///
    /// # Errors
    /// Those of the layers, with the layer's name in front.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.call(x, false)
    }

    /// The result of the last layer, where all layers work as in training or as in inference.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    fn call(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let first_call = self.shapes.get().is_none();
        let mut shapes = Vec::new();
        let mut y = x.clone();
        for layer in &self.layers {
            y = layer.call(&y, training).map_err(|error| error.context(layer.name()))?;
            if first_call {
                shapes.push(y.shape().clone());
            }
        }
        if first_call {
            self.shapes.get_or_init(|| shapes);
        }
        Ok(y)
    }

    fn variables(&self) -> Vec<Variable> {
        self.layers.iter().flat_map(|layer| layer.variables()).collect()
    }
}

/// The number of elements of all variables.
fn count(variables: &[Variable]) -> usize {
    variables.iter().map(|v| v.shape().iter().product::<usize>()).sum()
}

/// A shape whose first axis is the batch.
fn batched(shape: &Shape) -> String {
    let rest = shape.iter().skip(1).map(|n| format!(", {n}"));
    format!("[{}{}]", if shape.rank() > 0 { "?" } else { "" }, rest.collect::<String>())
}

/// A table of the layers, with the shapes of their results (`?` is the batch) and the numbers of their parameters once
/// they are built.
impl fmt::Display for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["layer", "output", "parameters"].map(str::to_owned)];
        for (i, layer) in self.layers.iter().enumerate() {
            let shape =
                self.shapes.get().map_or_else(|| "not built".to_owned(), |shapes| batched(&shapes[i]));
            let name = format!("{} ({})", layer.name(), layer.class_name());
            rows.push([name, shape, count(&layer.variables()).to_string()]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c] = [width(0), width(1), width(2)];
        writeln!(f, "{} ({})", self.name, self.class_name())?;
        for [layer, shape, parameters] in &rows {
            writeln!(f, "  {layer:a$}  {shape:b$}  {parameters:>c$}")?;
        }
        let (all, trainable) = (count(&self.variables()), count(&self.trainable_variables()));
        write!(f, "{all} parameters, {trainable} of them trainable")
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
