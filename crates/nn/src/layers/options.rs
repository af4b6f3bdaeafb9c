//! What layers with a kernel and a bias have in common.
use super::parameter::Parameter;
use crate::Activation;
use slalom_array::{DType, FusedActivation, Result, Shape};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use slalom_variable::initializers::{GlorotUniform, Zeros};
use std::sync::OnceLock;

/// The kernels and the bias of a layer, and how they are made.
pub(crate) struct Weights<const K: usize> {
    /// The names of the kernels, and how they are made.
    pub(crate) kernels: [(&'static str, Parameter); K],
    pub(crate) use_bias: bool,
    pub(crate) bias: Parameter,
    pub(crate) activation: Activation,
    built: OnceLock<Built<K>>,
}

/// What the first call makes.
pub(crate) struct Built<const K: usize> {
    pub(crate) kernels: [Variable; K],
    bias: Option<Variable>,
}

impl<const K: usize> Weights<K> {
    /// Kernels from [`GlorotUniform`], a bias of zeros, no activation.
    pub(crate) fn new(names: [&'static str; K]) -> Weights<K> {
        Weights {
            kernels: names.map(|name| (name, Parameter::new(GlorotUniform::new()))),
            use_bias: true,
            bias: Parameter::new(Zeros),
            activation: Activation::Linear,
            built: OnceLock::new(),
        }
    }

    /// The variables, made at the first call with kernels of these shapes and so many units in the bias.
    pub(crate) fn get(
        &self,
        layer: &str,
        kernels: [Shape; K],
        units: usize,
        dtype: DType,
    ) -> Result<&Built<K>> {
        if let Some(built) = self.built.get() {
            return Ok(built);
        }
        let variable = |what: &str, parameter: &Parameter, shape: Shape| {
            parameter.variable(format!("{layer}/{what}"), shape, dtype)
        };
        let made =
            self.kernels.iter().zip(kernels).map(|((name, kernel), shape)| variable(name, kernel, shape));
        let made = made.collect::<Result<Vec<_>>>()?;
        let bias = match self.use_bias {
            true => Some(variable("bias", &self.bias, [units].into())?),
            false => None,
        };
        let kernels = made.try_into().unwrap_or_else(|_| unreachable!("a variable for each kernel"));
        // Where two threads build at once, one of the results is kept.
        Ok(self.built.get_or_init(|| Built { kernels, bias }))
    }

    pub(crate) fn variables(&self) -> Vec<Variable> {
        let built = self.built.get();
        built.map_or_else(Vec::new, |v| v.kernels.iter().chain(&v.bias).cloned().collect())
    }

    /// The part of the activation that a product applies itself.
    pub(crate) fn fused(&self) -> FusedActivation {
        self.activation.fused().0
    }

    /// The part of the activation that is left after that.
    pub(crate) fn finish(&self, y: Tensor) -> Result<Tensor> {
        self.activation.fused().1.map_or_else(|| Ok(y.clone()), |rest| rest.apply(&y))
    }

    /// Bias and activation, of a product that applies neither.
    pub(crate) fn finish_all(&self, built: &Built<K>, y: Tensor) -> Result<Tensor> {
        self.activation.apply(&match &built.bias {
            Some(bias) => y + bias,
            None => y,
        })
    }
}

impl<const K: usize> Built<K> {
    pub(crate) fn bias(&self) -> Option<Tensor> {
        self.bias.as_ref().map(Variable::value)
    }
}

/// The options of a layer with a field `weights`, and those of its kernels.
macro_rules! weight_options {
    ($layer:ident, $($index:literal: $what:literal, $initializer:ident, $constraint:ident);*) => {
        impl<const N: usize> $layer<N> {
            /// The same layer under another name than that of its class.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }

            /// With a function of each result; linear by default.
            #[must_use]
            pub fn activation(mut self, activation: Activation) -> Self {
                self.weights.activation = activation;
                self
            }

            /// With or without a bias; with one by default.
            #[must_use]
            pub fn use_bias(mut self, use_bias: bool) -> Self {
                self.weights.use_bias = use_bias;
                self
            }

            /// With an initial bias from this initializer; zeros by default.
            #[must_use]
            pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> Self {
                self.weights.bias.initializer = Arc::new(initializer);
                self
            }

            /// With a constraint that optimizers apply to the bias after each update.
            #[must_use]
            pub fn bias_constraint(mut self, constraint: impl Constraint + 'static) -> Self {
                self.weights.bias.constraint = Some(Arc::new(constraint));
                self
            }
            $(
                #[doc = concat!("With an initial ", $what, " from this initializer; Glorot's uniform one by default.")]
                #[must_use]
                pub fn $initializer(mut self, initializer: impl Initializer + 'static) -> Self {
                    self.weights.kernels[$index].1.initializer = Arc::new(initializer);
                    self
                }

                #[doc = concat!("With a constraint that optimizers apply to the ", $what, " after each update.")]
                #[must_use]
                pub fn $constraint(mut self, constraint: impl Constraint + 'static) -> Self {
                    self.weights.kernels[$index].1.constraint = Some(Arc::new(constraint));
                    self
                }
            )*
        }

        impl<const N: usize> fmt::Debug for $layer<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(self.class_name())
                    .field("name", &self.name)
                    .field("activation", &self.weights.activation)
                    .field("variables", &self.variables())
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use weight_options;
