//! Layer and group normalization.
use super::parameter::Parameter;
use crate::Layer;
use slalom_array::{DType, Error, ErrorKind, Result, Shape};
use slalom_autograd::Tensor;
use slalom_variable::initializers::{Initializer, Ones, Zeros};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// `gamma` and `beta`, and how they are made.
struct Affine {
    epsilon: f64,
    center: bool,
    scale: bool,
    gamma: Parameter,
    beta: Parameter,
    /// What the first call makes.
    variables: OnceLock<[Option<Variable>; 2]>,
}

impl Affine {
    fn new() -> Affine {
        Affine {
            epsilon: 1e-3,
            center: true,
            scale: true,
            gamma: Parameter::new(Ones),
            beta: Parameter::new(Zeros),
            variables: OnceLock::new(),
        }
    }

    /// The values of `gamma` and `beta`, made at the first call.
    fn get(&self, layer: &str, shape: Shape, dtype: DType) -> Result<[Option<Tensor>; 2]> {
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                let make = |wanted: bool, what: &str, parameter: &Parameter| match wanted {
                    true => parameter.variable(format!("{layer}/{what}"), shape.clone(), dtype).map(Some),
                    false => Ok(None),
                };
                let built = [make(self.scale, "gamma", &self.gamma)?, make(self.center, "beta", &self.beta)?];
                // Where two threads build at once, one of the results is kept.
                self.variables.get_or_init(|| built)
            }
        };
        Ok(variables.each_ref().map(|variable| variable.as_ref().map(Variable::value)))
    }

    fn variables(&self) -> Vec<Variable> {
        self.variables.get().into_iter().flatten().flatten().cloned().collect()
    }
}

/// What both layers have in common.
macro_rules! normalization {
    ($Layer:ident, $name:literal) => {
        impl $Layer {
            #[doc = concat!("The same layer under another name than `", $name, "`.")]
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> $Layer {
                self.name = name.into();
                self
            }

            /// What is added to the variance; 0.001 by default.
            #[must_use]
            pub fn epsilon(mut self, epsilon: f64) -> $Layer {
                self.affine.epsilon = epsilon;
                self
            }

            /// With or without `beta`; with it by default.
            #[must_use]
            pub fn center(mut self, center: bool) -> $Layer {
                self.affine.center = center;
                self
            }

            /// With or without `gamma`; with it by default.
            #[must_use]
            pub fn scale(mut self, scale: bool) -> $Layer {
                self.affine.scale = scale;
                self
            }

            /// With an initial `gamma` from this initializer; [`Ones`] by default.
            #[must_use]
            pub fn gamma_initializer(mut self, initializer: impl Initializer + 'static) -> $Layer {
                self.affine.gamma.initializer = Arc::new(initializer);
                self
            }

            /// With an initial `beta` from this initializer; [`Zeros`] by default.
            #[must_use]
            pub fn beta_initializer(mut self, initializer: impl Initializer + 'static) -> $Layer {
                self.affine.beta.initializer = Arc::new(initializer);
                self
            }

            /// With a constraint that optimizers apply to `gamma` after each update.
            #[must_use]
            pub fn gamma_constraint(mut self, constraint: impl Constraint + 'static) -> $Layer {
                self.affine.gamma.constraint = Some(Arc::new(constraint));
                self
            }

            /// With a constraint that optimizers apply to `beta` after each update.
            #[must_use]
            pub fn beta_constraint(mut self, constraint: impl Constraint + 'static) -> $Layer {
                self.affine.beta.constraint = Some(Arc::new(constraint));
                self
            }
        }

        impl Layer for $Layer {
            fn class_name(&self) -> &'static str {
                stringify!($Layer)
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn rename(&mut self, name: String) {
                self.name = name;
            }
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                self.normalize(x).map_err(|error| error.context(stringify!($Layer)))
            }
            fn variables(&self) -> Vec<Variable> {
                self.affine.variables()
            }
        }

        impl fmt::Debug for $Layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Layer))
                    .field("name", &self.name)
                    .field("epsilon", &self.affine.epsilon)
                    .field("variables", &self.variables())
                    .finish_non_exhaustive()
            }
        }
    };
}

/// Normalizes each sample (J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016;
/// `tf.keras.layers.LayerNormalization`): `(x - mean) gamma / √(variance + epsilon) + beta`, with mean and variance over
/// some axes, by default the last.
///
/// The variables `gamma` (ones) and `beta` (zeros) have the lengths of these axes.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if an axis does not exist or its length is not that of the first
/// call; [`ErrorKind::DType`], if the elements are not floating-point numbers or not of the variables' type.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::LayerNormalization};
/// let x = Tensor::from_vec([1, 2], vec![1.0f64, 5.0])?;
/// assert_eq!(LayerNormalization::new().epsilon(0.0).forward(&x)?.to_vec::<f64>()?, [-1.0, 1.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct LayerNormalization {
    name: String,
    axes: Vec<isize>,
    affine: Affine,
}

impl LayerNormalization {
    /// Over the last axis, with epsilon 0.001.
    pub fn new() -> LayerNormalization {
        LayerNormalization { name: "layer_normalization".to_owned(), axes: vec![-1], affine: Affine::new() }
    }

    /// Over other axes (negative: from the end).
    #[must_use]
    pub fn axis(mut self, axes: &[isize]) -> LayerNormalization {
        self.axes = axes.to_vec();
        self
    }

    fn normalize(&self, x: &Tensor) -> Result<Tensor> {
        let lengths = self.axes.iter().map(|&axis| Ok(x.shape()[x.shape().axis(axis)?]));
        let [gamma, beta] = self.affine.get(&self.name, lengths.collect::<Result<Shape>>()?, float(x)?)?;
        x.layer_norm(&self.axes, gamma.as_ref(), beta.as_ref(), self.affine.epsilon)
    }
}

impl Default for LayerNormalization {
    fn default() -> LayerNormalization {
        LayerNormalization::new()
    }
}

normalization!(LayerNormalization, "layer_normalization");

/// Normalizes groups of channels of each sample (Y. Wu, K. He, "Group Normalization", 2018;
/// `tf.keras.layers.GroupNormalization`): `(x - mean) gamma / √(variance + epsilon) + beta`, with mean and variance over
/// a group of neighbours along `axis`, by default the last, and all other axes but the first.
///
/// The variables `gamma` (ones) and `beta` (zeros) are vectors along `axis`.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Argument`], if the length of the axis is no multiple of the number of
/// groups; [`ErrorKind::Shape`], if there is no such axis or its length is not that of the first call;
/// [`ErrorKind::DType`], if the elements are not floating-point numbers or not of the variables' type.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::GroupNormalization};
/// let x = Tensor::from_vec([1, 4], vec![1.0f64, 5.0, 0.0, 2.0])?;
/// let y = GroupNormalization::new(2).epsilon(0.0).forward(&x)?;
/// assert_eq!(y.to_vec::<f64>()?, [-1.0, 1.0, -1.0, 1.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct GroupNormalization {
    name: String,
    groups: isize,
    axis: isize,
    affine: Affine,
}

impl GroupNormalization {
    /// So many groups (Keras's default is 32) along the last axis, with epsilon 0.001; with -1 each channel is a group
    /// (instance normalization).
    pub fn new(groups: isize) -> GroupNormalization {
        GroupNormalization { name: "group_normalization".to_owned(), groups, axis: -1, affine: Affine::new() }
    }

    /// With another axis of channels than the last (negative: from the end).
    #[must_use]
    pub fn axis(mut self, axis: isize) -> GroupNormalization {
        self.axis = axis;
        self
    }

    fn normalize(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.shape()[x.shape().axis(self.axis)?];
        let groups = match self.groups {
            -1 => n,
            groups => usize::try_from(groups).unwrap_or(0),
        };
        let [gamma, beta] = self.affine.get(&self.name, [n].into(), float(x)?)?;
        x.group_norm(groups, self.axis, gamma.as_ref(), beta.as_ref(), self.affine.epsilon)
    }
}

normalization!(GroupNormalization, "group_normalization");

/// The element type, if it is one of floats.
fn float(x: &Tensor) -> Result<DType> {
    match x.dtype() {
        dtype if dtype.is_float() => Ok(dtype),
        other => Err(Error::new(ErrorKind::DType, "forward", "a floating-point dtype", other)),
    }
}
