//! Layers that are functions of each element or of an axis, without variables; and PReLU, which has one.
use super::parameter::Parameter;
use crate::Layer;
use slalom_array::{Error, ErrorKind, Result, Shape};
use slalom_autograd::Tensor;
use slalom_variable::initializers::{Initializer, Zeros};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Defines layers without variables: a struct of options with their defaults, and the function.
macro_rules! functions {
    ($(
        $(#[$doc:meta])*
        $Layer:ident $name:literal
        [$($(#[$field_doc:meta])* $field:ident: $T:ty = $default:expr),* $(,)?]
        |$layer:ident, $x:ident| $body:expr;
        example [$($options:tt)*] $input:tt = $output:tt;
    )*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`forward`](Layer::forward): [`ErrorKind::DType`], if the elements are not floating-point numbers.
        ///
        /// ```
        /// use slalom_autograd::Tensor;
        #[doc = concat!("use slalom_nn::{Layer, layers::", stringify!($Layer), "};")]
        #[doc = concat!("let x = Tensor::from_vec([1, ", stringify!($input), ".len()], vec!", stringify!($input), ")?;")]
        #[doc = concat!("let layer = ", stringify!($Layer), "::new()", stringify!($($options)*), ";")]
        #[doc = concat!("assert_eq!(layer.forward(&x)?.to_vec::<f64>()?, ", stringify!($output), ");")]
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        #[derive(Debug, Clone)]
        pub struct $Layer {
            name: String,
            $($field: $T,)*
        }

        impl $Layer {
            /// The layer with its defaults.
            pub fn new() -> $Layer {
                $Layer { name: $name.to_owned(), $($field: $default),* }
            }

            #[doc = concat!("The same layer under another name than `", $name, "`.")]
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> $Layer {
                self.name = name.into();
                self
            }
            $(
                $(#[$field_doc])*
                #[must_use]
                pub fn $field(mut self, $field: $T) -> $Layer {
                    self.$field = $field;
                    self
                }
            )*
        }

        impl Default for $Layer {
            fn default() -> $Layer {
                $Layer::new()
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
            fn forward(&self, $x: &Tensor) -> Result<Tensor> {
                let $layer = self;
                $body
            }
            fn variables(&self) -> Vec<Variable> {
                Vec::new()
            }
        }
    )*};
}

functions! {
    /// A function of each element or of the last axis, linear by default (`tf.keras.layers.Activation`).
    Activation "activation" [
        /// With this function; linear by default.
        function: crate::Activation = crate::Activation::Linear
    ] |layer, x| layer.function.apply(x);
    example [.function(slalom_nn::Activation::Relu)] [-1.0, 2.0] = [0.0, 2.0];

    /// `x` above a threshold, up to a largest value, and `negative_slope (x - threshold)` below the threshold
    /// (`tf.keras.layers.ReLU`); by default `max(x, 0)`.
    ReLU "re_lu" [
        /// With a largest value; without one by default.
        max_value: Option<f64> = None,
        /// With another slope below the threshold than 0.
        negative_slope: f64 = 0.0,
        /// With another threshold than 0.
        threshold: f64 = 0.0,
    ] |layer, x| x.relu_with(layer.negative_slope, layer.max_value, layer.threshold);
    example [.max_value(Some(1.5))] [-1.0, 1.0, 2.0] = [0.0, 1.0, 1.5];

    /// `x` above 0, `alpha x` elsewhere (`tf.keras.layers.LeakyReLU`).
    LeakyReLU "leaky_re_lu" [
        /// With another slope below 0 than 0.3.
        alpha: f64 = 0.3
    ] |layer, x| x.leaky_relu(layer.alpha);
    example [.alpha(0.5)] [-1.0, 2.0] = [-0.5, 2.0];

    /// `x` above 0, `alpha (eˣ - 1)` elsewhere (`tf.keras.layers.ELU`).
    ELU "elu" [
        /// With another factor than 1.
        alpha: f64 = 1.0
    ] |layer, x| x.elu(layer.alpha);
    example [] [0.0, 2.0] = [0.0, 2.0];

    /// `x` above `theta`, else 0 (`tf.keras.layers.ThresholdedReLU`).
    ThresholdedReLU "thresholded_re_lu" [
        /// With another threshold than 1.
        theta: f64 = 1.0
    ] |layer, x| {
        let above = x.greater(Tensor::full([], layer.theta, x.dtype())?)?;
        above.where_(x, Tensor::zeros([], x.dtype())?)
    };
    example [] [0.5, 2.0] = [0.0, 2.0];

    /// `exp(xⱼ) / Σₖ exp(xₖ)` along an axis (`tf.keras.layers.Softmax`).
    Softmax "softmax" [
        /// Along another axis than the last (negative: from the end).
        axis: isize = -1
    ] |layer, x| x.softmax(layer.axis);
    example [] [3.0, 3.0] = [0.5, 0.5];

    /// `x / √max(Σ x², 10⁻¹²)` over an axis (`tf.keras.layers.UnitNormalization`).
    UnitNormalization "unit_normalization" [
        /// Over another axis than the last (negative: from the end).
        axis: isize = -1
    ] |layer, x| x.l2_normalize(&[layer.axis]);
    example [] [0.0, 2.0] = [0.0, 1.0];
}

/// `x` above 0, `alpha x` elsewhere, with an `alpha` for each place that is trained (K. He et al., "Delving Deep into
/// Rectifiers", 2015; `tf.keras.layers.PReLU`).
///
/// The variable `alpha` (zeros) has the shape of the input without the batch; along shared axes its length is 1.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input does not fit `alpha`; [`ErrorKind::DType`], if the
/// elements are not floating-point numbers or not of the variable's type; [`ErrorKind::Argument`], if a shared axis does
/// not exist.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::PReLU};
/// use slalom_variable::initializers::Constant;
/// let x = Tensor::from_vec([1, 2], vec![-1.0f64, 2.0])?;
/// let layer = PReLU::new().alpha_initializer(Constant::new(0.5));
/// assert_eq!(layer.forward(&x)?.to_vec::<f64>()?, [-0.5, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct PReLU {
    name: String,
    shared_axes: Vec<usize>,
    alpha: Parameter,
    variable: OnceLock<Variable>,
}

impl PReLU {
    /// With an `alpha` for each place.
    pub fn new() -> PReLU {
        PReLU {
            name: "p_re_lu".to_owned(),
            shared_axes: Vec::new(),
            alpha: Parameter::new(Zeros),
            variable: OnceLock::new(),
        }
    }

    /// The same layer under another name than `p_re_lu`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> PReLU {
        self.name = name.into();
        self
    }

    /// With one `alpha` for all places along these axes, of which 0 is the batch.
    #[must_use]
    pub fn shared_axes(mut self, axes: &[usize]) -> PReLU {
        self.shared_axes = axes.to_vec();
        self
    }

    /// With an initial `alpha` from this initializer; [`Zeros`] by default.
    #[must_use]
    pub fn alpha_initializer(mut self, initializer: impl Initializer + 'static) -> PReLU {
        self.alpha.initializer = Arc::new(initializer);
        self
    }

    /// With a constraint that optimizers apply to `alpha` after each update.
    #[must_use]
    pub fn alpha_constraint(mut self, constraint: impl Constraint + 'static) -> PReLU {
        self.alpha.constraint = Some(Arc::new(constraint));
        self
    }

    fn build(&self, x: &Tensor) -> Result<Variable> {
        if let Some(axis) = self.shared_axes.iter().find(|&&axis| axis == 0 || axis >= x.rank()) {
            let expected = format!("shared axes after the batch of an input of shape {}", x.shape());
            return Err(Error::new(ErrorKind::Argument, "PReLU", expected, axis));
        }
        let lengths = x.shape().iter().enumerate().skip(1);
        let shape: Shape = lengths.map(|(i, &n)| if self.shared_axes.contains(&i) { 1 } else { n }).collect();
        self.alpha.variable(format!("{}/alpha", self.name), shape, x.dtype())
    }
}

impl Default for PReLU {
    fn default() -> PReLU {
        PReLU::new()
    }
}

impl Layer for PReLU {
    fn class_name(&self) -> &'static str {
        "PReLU"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if !x.dtype().is_float() {
            return Err(Error::new(ErrorKind::DType, "PReLU", "a floating-point dtype", x.dtype()));
        }
        let alpha = match self.variable.get() {
            Some(alpha) => alpha,
            None => {
                // Where two threads build at once, one of the results is kept.
                let built = self.build(x)?;
                self.variable.get_or_init(|| built)
            }
        };
        if x.shape().broadcast(alpha.shape())? != *x.shape() || x.dtype() != alpha.dtype() {
            let expected = format!("an input that fits alpha {} of {}", alpha.shape(), alpha.dtype());
            let got = format!("{} of {}", x.shape(), x.dtype());
            let kind = if x.dtype() == alpha.dtype() { ErrorKind::Shape } else { ErrorKind::DType };
            return Err(Error::new(kind, "PReLU", expected, got));
        }
        Ok(x.relu() - alpha * (-x).relu())
    }

    fn variables(&self) -> Vec<Variable> {
        self.variable.get().cloned().into_iter().collect()
    }
}

impl fmt::Debug for PReLU {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PReLU")
            .field("name", &self.name)
            .field("shared_axes", &self.shared_axes)
            .finish_non_exhaustive()
    }
}
