//! Activation functions of layers.
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use std::fmt;
use std::sync::Arc;

type Custom = dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync;

/// The function that a layer applies to its result (`tf.keras.activations`).
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::Activation;
/// let x = Tensor::from_vec([2], vec![-1.0f32, 2.0])?;
/// assert_eq!(Activation::Relu.apply(&x)?.to_vec::<f32>()?, [0.0, 2.0]);
/// let cube = Activation::function(|x| Ok(x * x * x));
/// assert_eq!(cube.apply(&x)?.to_vec::<f32>()?, [-1.0, 8.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`
    Relu,
    /// `1 / (1 + e⁻ˣ)`
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `log(1 + eˣ)`
    Softplus,
    /// `eˣ`
    Exponential,
    /// `x / (1 + e⁻ˣ)`, also called swish.
    Silu,
    /// `exp(xⱼ) / Σₖ exp(xₖ)` along the last axis.
    Softmax,
    /// `x Φ(x)` with the normal distribution's Φ.
    Gelu,
    /// `x` above 0, `eˣ - 1` elsewhere.
    Elu,
    /// 1.0507 times `x` above 0, `1.67326 (eˣ - 1)` below.
    Selu,
    /// `x tanh(softplus(x))`
    Mish,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `x / (1 + |x|)`
    Softsign,
    /// `min(max(x / 5 + 1/2, 0), 1)`
    HardSigmoid,
    /// A function of the user's own; see [`Activation::function`].
    Function(Arc<Custom>),
}

/// The activations that have a name, by that name.
const NAMED: [(&str, Activation); 16] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("sigmoid", Activation::Sigmoid),
    ("tanh", Activation::Tanh),
    ("softplus", Activation::Softplus),
    ("exponential", Activation::Exponential),
    ("softmax", Activation::Softmax),
    ("gelu", Activation::Gelu),
    ("elu", Activation::Elu),
    ("selu", Activation::Selu),
    ("mish", Activation::Mish),
    ("relu6", Activation::Relu6),
    ("softsign", Activation::Softsign),
    ("hard_sigmoid", Activation::HardSigmoid),
    ("swish", Activation::Silu),
    ("silu", Activation::Silu),
];

impl Activation {
    /// An activation of the user's own.
    pub fn function(f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Activation {
        Activation::Function(Arc::new(f))
    }

    /// The activation that Keras calls so.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if there is none.
    ///
    /// ```
    /// use slalom_nn::Activation;
    /// assert_eq!(Activation::from_name("tanh")?.name(), Some("tanh"));
    /// assert!(Activation::from_name("tan").is_err());
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn from_name(name: &str) -> Result<Activation> {
        match NAMED.into_iter().find(|(n, _)| *n == name) {
            Some((_, activation)) => Ok(activation),
            None => {
                let expected = format!("one of {:?}", NAMED.map(|(name, _)| name));
                Err(Error::new(ErrorKind::NotFound, "activation", expected, format!("{name:?}")))
            }
        }
    }

    /// The name in Keras; `None` for a function of the user's own.
    pub fn name(&self) -> Option<&'static str> {
        let same = |other: &Activation| std::mem::discriminant(self) == std::mem::discriminant(other);
        NAMED.iter().find(|(_, other)| same(other)).map(|(name, _)| *name)
    }

    /// The function of a tensor.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if the elements are not floating-point numbers; those of the user's own function.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Linear => Ok(x.clone()),
            Activation::Relu => Ok(x.relu()),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Tanh => x.tanh(),
            Activation::Softplus => x.softplus(),
            Activation::Exponential => x.exp(),
            Activation::Silu => x.silu(),
            Activation::Softmax => x.softmax(-1),
            Activation::Gelu => x.gelu(),
            Activation::Elu => x.elu(1.0),
            Activation::Selu => x.selu(),
            Activation::Mish => x.mish(),
            Activation::Relu6 => x.relu6(),
            Activation::Softsign => x.softsign(),
            Activation::HardSigmoid => x.hard_sigmoid(),
            Activation::Function(f) => f(x),
        }
    }

    /// The part that a matrix product applies while it still holds the elements, and what is left to apply after it.
    pub(crate) fn fused(&self) -> (slalom_array::FusedActivation, Option<&Activation>) {
        match self {
            Activation::Linear => (slalom_array::FusedActivation::Linear, None),
            Activation::Relu => (slalom_array::FusedActivation::Relu, None),
            other => (slalom_array::FusedActivation::Linear, Some(other)),
        }
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("function"))
    }
}
