//! Batch normalization.
use super::parameter::Parameter;
use crate::Layer;
use slalom_array::{DType, Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::initializers::{Initializer, Ones, Zeros};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Normalizes each channel (S. Ioffe, C. Szegedy, "Batch Normalization", 2015; `tf.keras.layers.BatchNormalization`):
/// `(x - mean) gamma / √(variance + epsilon) + beta`.
///
/// In training ([`call`](Layer::call) with `training`), mean and variance are those of the batch, over all axes but
/// `axis`, and the moving ones follow them: `moving = moving momentum + batch (1 - momentum)`. In inference
/// ([`forward`](Layer::forward)) they are the moving ones. As in Keras, the variance that the moving one follows is
/// divided by one less than the number of elements for inputs of `f32` with four axes and the channels last, else by
/// their number.
///
/// The variables are `gamma` (ones), `beta` (zeros), and, not trained, `moving_mean` (zeros) and `moving_variance`
/// (ones).
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if there is no such axis or its length is not that of the first
/// call; [`ErrorKind::DType`], if the elements are not floating-point numbers or not of the variables' type.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::BatchNormalization};
/// let layer = BatchNormalization::new().momentum(0.5).epsilon(0.0);
/// let x = Tensor::from_vec([2, 1], vec![1.0f64, 5.0])?;
/// assert_eq!(layer.call(&x, true)?.to_vec::<f64>()?, [-1.0, 1.0]);
/// let moving: Vec<f64> = layer.variables()[2..].iter().map(|v| v.value().sum().item().unwrap()).collect();
/// assert_eq!(moving, [1.5, 2.5]);
/// assert_eq!(layer.forward(&Tensor::from_vec([1, 1], vec![1.5f64])?)?.item()?, 0.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct BatchNormalization {
    name: String,
    axis: isize,
    momentum: f64,
    epsilon: f64,
    center: bool,
    scale: bool,
    trainable: bool,
    gamma: Parameter,
    beta: Parameter,
    moving_mean: Parameter,
    moving_variance: Parameter,
    variables: OnceLock<Variables>,
}

/// What the first call makes.
struct Variables {
    gamma: Option<Variable>,
    beta: Option<Variable>,
    moving_mean: Variable,
    moving_variance: Variable,
}

impl BatchNormalization {
    /// Along the last axis, with momentum 0.99 and epsilon 0.001.
    pub fn new() -> BatchNormalization {
        BatchNormalization {
            name: "batch_normalization".to_owned(),
            axis: -1,
            momentum: 0.99,
            epsilon: 1e-3,
            center: true,
            scale: true,
            trainable: true,
            gamma: Parameter::new(Ones),
            beta: Parameter::new(Zeros),
            moving_mean: Parameter::new(Zeros),
            moving_variance: Parameter::new(Ones),
            variables: OnceLock::new(),
        }
    }

    /// The same layer under another name than `batch_normalization`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> BatchNormalization {
        self.name = name.into();
        self
    }

    /// With another axis of channels than the last (negative: from the end).
    #[must_use]
    pub fn axis(mut self, axis: isize) -> BatchNormalization {
        self.axis = axis;
        self
    }

    /// How much of the moving statistics stays at each call in training; 0.99 by default.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> BatchNormalization {
        self.momentum = momentum;
        self
    }

    /// What is added to the variance; 0.001 by default.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> BatchNormalization {
        self.epsilon = epsilon;
        self
    }

    /// With or without `beta`; with it by default.
    #[must_use]
    pub fn center(mut self, center: bool) -> BatchNormalization {
        self.center = center;
        self
    }

    /// With or without `gamma`; with it by default.
    #[must_use]
    pub fn scale(mut self, scale: bool) -> BatchNormalization {
        self.scale = scale;
        self
    }

    /// Whether the layer is trained; by default it is. One that is not always works as in inference.
    #[must_use]
    pub fn trainable(mut self, trainable: bool) -> BatchNormalization {
        self.trainable = trainable;
        self
    }

    /// With an initial `gamma` from this initializer; [`Ones`] by default.
    #[must_use]
    pub fn gamma_initializer(mut self, initializer: impl Initializer + 'static) -> BatchNormalization {
        self.gamma.initializer = Arc::new(initializer);
        self
    }

    /// With an initial `beta` from this initializer; [`Zeros`] by default.
    #[must_use]
    pub fn beta_initializer(mut self, initializer: impl Initializer + 'static) -> BatchNormalization {
        self.beta.initializer = Arc::new(initializer);
        self
    }

    /// With an initial moving mean from this initializer; [`Zeros`] by default.
    #[must_use]
    pub fn moving_mean_initializer(mut self, initializer: impl Initializer + 'static) -> BatchNormalization {
        self.moving_mean.initializer = Arc::new(initializer);
        self
    }

    /// With an initial moving variance from this initializer; [`Ones`] by default.
    #[must_use]
    pub fn moving_variance_initializer(
        mut self,
        initializer: impl Initializer + 'static,
    ) -> BatchNormalization {
        self.moving_variance.initializer = Arc::new(initializer);
        self
    }

    /// With a constraint that optimizers apply to `gamma` after each update.
    #[must_use]
    pub fn gamma_constraint(mut self, constraint: impl Constraint + 'static) -> BatchNormalization {
        self.gamma.constraint = Some(Arc::new(constraint));
        self
    }

    /// With a constraint that optimizers apply to `beta` after each update.
    #[must_use]
    pub fn beta_constraint(mut self, constraint: impl Constraint + 'static) -> BatchNormalization {
        self.beta.constraint = Some(Arc::new(constraint));
        self
    }

    fn build(&self, n: usize, dtype: DType) -> Result<Variables> {
        let make = |what: &str, parameter: &Parameter, trainable: bool| -> Result<Variable> {
            let variable = parameter.variable(format!("{}/{what}", self.name), [n].into(), dtype)?;
            Ok(if trainable { variable } else { variable.untrainable() })
        };
        let optional = |wanted: bool, what: &str, parameter: &Parameter| match wanted {
            true => make(what, parameter, self.trainable).map(Some),
            false => Ok(None),
        };
        Ok(Variables {
            gamma: optional(self.scale, "gamma", &self.gamma)?,
            beta: optional(self.center, "beta", &self.beta)?,
            moving_mean: make("moving_mean", &self.moving_mean, false)?,
            moving_variance: make("moving_variance", &self.moving_variance, false)?,
        })
    }

    fn built(&self, x: &Tensor) -> Result<(usize, &Variables)> {
        const OP: &str = "BatchNormalization";
        let axis = x.shape().axis(self.axis).map_err(|error| error.context(OP))?;
        let n = x.shape()[axis];
        if !x.dtype().is_float() {
            return Err(Error::new(ErrorKind::DType, OP, "a floating-point dtype", x.dtype()));
        }
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                // Where two threads build at once, one of the results is kept.
                let built = self.build(n, x.dtype())?;
                self.variables.get_or_init(|| built)
            }
        };
        let mean = &variables.moving_mean;
        if mean.shape()[0] != n || mean.dtype() != x.dtype() {
            let expected =
                format!("an input of {} channels of {} along axis {axis}", mean.shape()[0], mean.dtype());
            let kind = if mean.dtype() == x.dtype() { ErrorKind::Shape } else { ErrorKind::DType };
            return Err(Error::new(kind, OP, expected, format!("{} of {}", x.shape(), x.dtype())));
        }
        Ok((axis, variables))
    }

    /// Has the moving statistics follow those of a batch.
    fn follow(&self, variables: &Variables, mean: &Tensor, variance: &Tensor) -> Result<()> {
        let rate = 1.0 - self.momentum;
        for (moving, batch) in [(&variables.moving_mean, mean), (&variables.moving_variance, variance)] {
            moving.assign_sub((moving - batch.stop_gradient()) * rate)?;
        }
        Ok(())
    }
}

impl Default for BatchNormalization {
    fn default() -> BatchNormalization {
        BatchNormalization::new()
    }
}

impl Layer for BatchNormalization {
    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.call(x, false)
    }

    fn call(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        let (axis, variables) = self.built(x)?;
        let [gamma, beta] = [&variables.gamma, &variables.beta].map(|v| v.as_ref().map(Variable::value));
        if training && self.trainable {
            let [y, mean, mut variance] =
                x.batch_norm(axis as isize, gamma.as_ref(), beta.as_ref(), self.epsilon)?;
            let count = x.len() / mean.len().max(1);
            if x.rank() == 4 && axis == 3 && x.dtype() == DType::F32 && count > 1 {
                variance = variance * (count as f64 / (count - 1) as f64);
            }
            self.follow(variables, &mean, &variance)?;
            return Ok(y);
        }
        let mut along = vec![1; x.rank()];
        along[axis] = x.shape()[axis];
        let spread = |v: Tensor| if axis + 1 == x.rank() { Ok(v) } else { v.reshape(&along[..]) };
        let (gamma, beta) = (gamma.map(spread).transpose()?, beta.map(spread).transpose()?);
        let mean = spread(variables.moving_mean.value())?;
        let variance = spread(variables.moving_variance.value())?;
        x.batch_normalization(&mean, &variance, beta.as_ref(), gamma.as_ref(), self.epsilon)
    }

    fn variables(&self) -> Vec<Variable> {
        let Some(v) = self.variables.get() else { return Vec::new() };
        v.gamma.iter().chain(&v.beta).chain([&v.moving_mean, &v.moving_variance]).cloned().collect()
    }
}

impl fmt::Debug for BatchNormalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchNormalization")
            .field("name", &self.name)
            .field("axis", &self.axis)
            .field("momentum", &self.momentum)
            .field("epsilon", &self.epsilon)
            .field("variables", &self.variables())
            .finish()
    }
}
