//! The dense layer.
use super::parameter::Parameter;
use crate::{Activation, Layer};
use slalom_array::{DType, Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::initializers::{GlorotUniform, Initializer, Zeros};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A layer in which every unit takes every input: `activation(x kernel + bias)` (`tf.keras.layers.Dense`).
///
/// The input has shape `[.., n]` with at least two axes, the result `[.., units]`. The variables are made at the first
/// call, with the element type of the input: `kernel` of shape `[n, units]` (by default from [`GlorotUniform`]) and
/// `bias` of shape `[units]` (zeros). Product, bias and, where it is linear or relu, the activation are one pass.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input has fewer than two axes or its last one is not as
/// long as at the first call; [`ErrorKind::DType`], if its elements are not floating-point numbers or not of the
/// variables' type; [`ErrorKind::Argument`], if there are no units; those of the initializers.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::{GradientTape, Tensor};
/// use slalom_nn::{Activation, Layer, layers::Dense};
/// use slalom_variable::initializers::Constant;
///
/// let layer = Dense::new(2).activation(Activation::Relu).kernel_initializer(Constant::new(0.5));
/// let tape = GradientTape::new();
/// let y = layer.forward(&Tensor::ones([1, 3], DType::F32)?)?;
/// assert_eq!(y.to_vec::<f32>()?, [1.5, 1.5]);
/// let gradients = tape.gradient(&y.sum(), &layer.trainable_variables())?;
/// assert_eq!(gradients[1].as_ref().unwrap().to_dense()?.to_vec::<f32>()?, [1.0, 1.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Dense {
    name: String,
    units: usize,
    activation: Activation,
    kernel: Parameter,
    use_bias: bool,
    bias: Parameter,
    variables: OnceLock<Variables>,
}

/// What the first call makes.
struct Variables {
    kernel: Variable,
    bias: Option<Variable>,
}

impl Dense {
    /// A layer of so many units, without activation, with a bias.
    pub fn new(units: usize) -> Dense {
        Dense {
            name: "dense".to_owned(),
            units,
            activation: Activation::Linear,
            use_bias: true,
            kernel: Parameter::new(GlorotUniform::new()),
            bias: Parameter::new(Zeros),
            variables: OnceLock::new(),
        }
    }

    /// The same layer under another name than `dense`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Dense {
        self.name = name.into();
        self
    }

    /// With a function of each result; linear by default.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Dense {
        self.activation = activation;
        self
    }

    /// With or without a bias; with one by default.
    #[must_use]
    pub fn use_bias(mut self, use_bias: bool) -> Dense {
        self.use_bias = use_bias;
        self
    }

    /// With an initial kernel from this initializer; [`GlorotUniform`] by default.
    #[must_use]
    pub fn kernel_initializer(mut self, initializer: impl Initializer + 'static) -> Dense {
        self.kernel.initializer = Arc::new(initializer);
        self
    }

    /// With an initial bias from this initializer; [`Zeros`] by default.
    #[must_use]
    pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> Dense {
        self.bias.initializer = Arc::new(initializer);
        self
    }

    /// With a constraint that optimizers apply to the kernel after each update.
    #[must_use]
    pub fn kernel_constraint(mut self, constraint: impl Constraint + 'static) -> Dense {
        self.kernel.constraint = Some(Arc::new(constraint));
        self
    }

    /// With a constraint that optimizers apply to the bias after each update.
    #[must_use]
    pub fn bias_constraint(mut self, constraint: impl Constraint + 'static) -> Dense {
        self.bias.constraint = Some(Arc::new(constraint));
        self
    }

    fn build(&self, inputs: usize, dtype: DType) -> Result<Variables> {
        if self.units == 0 {
            return Err(Error::new(ErrorKind::Argument, "Dense", "at least one unit", 0));
        }
        let name = |what: &str| format!("{}/{what}", self.name);
        let kernel = self.kernel.variable(name("kernel"), [inputs, self.units].into(), dtype)?;
        let bias = match self.use_bias {
            true => Some(self.bias.variable(name("bias"), [self.units].into(), dtype)?),
            false => None,
        };
        Ok(Variables { kernel, bias })
    }
}

impl Layer for Dense {
    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let [_, .., inputs] = x.shape()[..] else {
            let expected = "an input of at least two axes";
            return Err(Error::new(ErrorKind::Shape, "Dense", expected, x.shape()));
        };
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                // Where two threads build at once, one of the results is kept.
                let built = self.build(inputs, x.dtype())?;
                self.variables.get_or_init(|| built)
            }
        };
        let (fused, rest) = self.activation.fused();
        let bias = variables.bias.as_ref().map(Variable::value);
        let y = x.linear(&variables.kernel, bias.as_ref(), fused)?;
        match rest {
            Some(activation) => activation.apply(&y),
            None => Ok(y),
        }
    }

    fn variables(&self) -> Vec<Variable> {
        let built = self.variables.get();
        built.map_or_else(Vec::new, |v| [&v.kernel].into_iter().chain(&v.bias).cloned().collect())
    }
}

impl fmt::Debug for Dense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dense")
            .field("name", &self.name)
            .field("units", &self.units)
            .field("activation", &self.activation)
            .field("use_bias", &self.use_bias)
            .field("variables", &self.variables())
            .finish()
    }
}
