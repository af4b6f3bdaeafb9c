//! Recurrent layers.
//!
//! The products of the inputs of all steps are one product. Layers with Keras's default activations then run as one op
//! over the whole sequence; others, and masked ones, step by step.
mod cell;
mod common;

use crate::{Activation, Layer};
use cell::Kind;
use common::Core;
#[cfg(doc)]
use slalom_array::ErrorKind;
use slalom_array::Result;
use slalom_autograd::Tensor;
use slalom_variable::initializers::Initializer;
#[cfg(doc)]
use slalom_variable::initializers::{GlorotUniform, Orthogonal, Zeros};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::Arc;

/// What a recurrent layer gives for a sequence.
#[derive(Debug, Clone)]
pub struct Recurrent {
    /// The output of the last step, `[batch, units]`, or, with `return_sequences`, those of all, `[batch, steps, units]`.
    pub output: Tensor,
    /// The states after the last step, `[batch, units]` each: `[h]`, of an LSTM `[h, c]`.
    pub states: Vec<Tensor>,
}

/// The options of each layer, and what it is to a model.
macro_rules! recurrent_layer {
    ($(#[$doc:meta])* $Layer:ident, $name:literal) => {
        $(#[$doc])*
        pub struct $Layer(Core);

        impl $Layer {
            #[doc = concat!("The same layer under another name than `", $name, "`.")]
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> $Layer {
                self.0.name = name.into();
                self
            }

            /// With another function of what the step computes; [`Activation::Tanh`] by default.
            #[must_use]
            pub fn activation(mut self, activation: Activation) -> $Layer {
                self.0.activation = activation;
                self
            }

            /// With or without a bias; with one by default.
            #[must_use]
            pub fn use_bias(mut self, use_bias: bool) -> $Layer {
                self.0.use_bias = use_bias;
                self
            }

            /// Whether the output is that of all steps; by default that of the last.
            #[must_use]
            pub fn return_sequences(mut self, return_sequences: bool) -> $Layer {
                self.0.return_sequences = return_sequences;
                self
            }

            /// Whether the sequence is taken from its end, and the outputs are in that order.
            #[must_use]
            pub fn go_backwards(mut self, go_backwards: bool) -> $Layer {
                self.0.go_backwards = go_backwards;
                self
            }

            /// Whether the output of a masked step is 0; by default it is that of the step before.
            #[must_use]
            pub fn zero_output_for_mask(mut self, zero_output_for_mask: bool) -> $Layer {
                self.0.zero_output_for_mask = zero_output_for_mask;
                self
            }

            /// With an initial kernel from this initializer; [`GlorotUniform`] by default.
            #[must_use]
            pub fn kernel_initializer(mut self, initializer: impl Initializer + 'static) -> $Layer {
                self.0.kernel.initializer = Arc::new(initializer);
                self
            }

            /// With an initial recurrent kernel from this initializer; [`Orthogonal`] by default.
            #[must_use]
            pub fn recurrent_initializer(mut self, initializer: impl Initializer + 'static) -> $Layer {
                self.0.recurrent.initializer = Arc::new(initializer);
                self
            }

            /// With an initial bias from this initializer; [`Zeros`] by default.
            #[must_use]
            pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> $Layer {
                self.0.bias.initializer = Arc::new(initializer);
                self
            }

            /// With a constraint that optimizers apply to the kernel after each update.
            #[must_use]
            pub fn kernel_constraint(mut self, constraint: impl Constraint + 'static) -> $Layer {
                self.0.kernel.constraint = Some(Arc::new(constraint));
                self
            }

            /// With a constraint that optimizers apply to the recurrent kernel after each update.
            #[must_use]
            pub fn recurrent_constraint(mut self, constraint: impl Constraint + 'static) -> $Layer {
                self.0.recurrent.constraint = Some(Arc::new(constraint));
                self
            }

            /// With a constraint that optimizers apply to the bias after each update.
            #[must_use]
            pub fn bias_constraint(mut self, constraint: impl Constraint + 'static) -> $Layer {
                self.0.bias.constraint = Some(Arc::new(constraint));
                self
            }

            /// The output and the states after the last step, of a sequence `[batch, steps, features]`. A step that
            /// `mask` (of booleans, `[batch, steps]`) does not count leaves the states as they are. `initial` states
            /// have shape `[batch, units]`; they are zeros by default.
            ///
            /// # Errors
            /// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if the arguments do not fit.
            pub fn sequence(
                &self,
                x: &Tensor,
                mask: Option<&Tensor>,
                initial: Option<&[Tensor]>,
            ) -> Result<Recurrent> {
                self.0.run(x, mask, initial)
            }
        }

        impl Layer for $Layer {
            fn class_name(&self) -> &'static str {
                self.0.kind.class_name()
            }
            fn name(&self) -> &str {
                &self.0.name
            }
            fn rename(&mut self, name: String) {
                self.0.name = name;
            }
            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                Ok(self.0.run(x, None, None)?.output)
            }
            fn variables(&self) -> Vec<Variable> {
                let built = self.0.variables.get();
                built.map_or_else(Vec::new, |v| [&v.kernel, &v.recurrent].into_iter().chain(&v.bias).cloned().collect())
            }
        }

        impl fmt::Debug for $Layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(self.class_name())
                    .field("name", &self.0.name)
                    .field("units", &self.0.units)
                    .field("activation", &self.0.activation)
                    .field("variables", &self.variables())
                    .finish_non_exhaustive()
            }
        }
    };
}

recurrent_layer! {
    /// A layer whose output is a function of the input and of its own output in the step before:
    /// `h = activation(x kernel + h' recurrent_kernel + bias)` (`tf.keras.layers.SimpleRNN`).
    ///
    /// The input has shape `[batch, steps, features]`. The variables are made at the first call: `kernel`
    /// `[features, units]`, `recurrent_kernel` `[units, units]` and `bias` `[units]`.
    ///
    /// # Errors
    /// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input does not have three axes or the last one's length is
    /// not that of the first call; [`ErrorKind::DType`], if the elements are not floating-point numbers or not of the
    /// variables' type; [`ErrorKind::Argument`], if there are no units.
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::SimpleRNN};
    /// let y = SimpleRNN::new(4).return_sequences(true).forward(&Tensor::ones([2, 5, 3], DType::F32)?)?;
    /// assert_eq!(y.shape()[..], [2, 5, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    SimpleRNN, "simple_rnn"
}

recurrent_layer! {
    /// A layer of gated recurrent units (K. Cho et al., 2014; `tf.keras.layers.GRU`): with the gates
    /// `z, r = σ(x kernel + h' recurrent_kernel + bias)` and a candidate `k`, the output is `h = z h' + (1 - z) k`.
    ///
    /// By default the reset gate `r` acts after the product, `k = tanh(x kernel + r (h' recurrent_kernel + bias))`, and
    /// there are two biases. The input has shape `[batch, steps, features]`. The variables are made at the first call:
    /// `kernel` `[features, 3 units]`, `recurrent_kernel` `[units, 3 units]` and `bias` `[2, 3 units]`, in the order
    /// `z, r, k`.
    ///
    /// # Errors
    /// [`forward`](Layer::forward): as [`SimpleRNN`].
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::GRU};
    /// let y = GRU::new(4).forward(&Tensor::ones([2, 5, 3], DType::F32)?)?;
    /// assert_eq!(y.shape()[..], [2, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    GRU, "gru"
}

recurrent_layer! {
    /// A layer of long short-term memory (S. Hochreiter, J. Schmidhuber, 1997; `tf.keras.layers.LSTM`): with the gates
    /// `i, f, o = σ(x kernel + h' recurrent_kernel + bias)` and a candidate `k = tanh(..)`, the cell state is
    /// `c = f c' + i k` and the output `h = o tanh(c)`.
    ///
    /// The input has shape `[batch, steps, features]`. The variables are made at the first call: `kernel`
    /// `[features, 4 units]`, `recurrent_kernel` `[units, 4 units]` and `bias` `[4 units]` (1 for the forget gates, else
    /// 0), in the order `i, f, k, o`.
    ///
    /// # Errors
    /// [`forward`](Layer::forward): as [`SimpleRNN`].
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::LSTM};
    /// let layer = LSTM::new(4);
    /// let y = layer.forward(&Tensor::ones([2, 5, 3], DType::F32)?)?;
    /// assert_eq!((&y.shape()[..], layer.variables().len()), (&[2, 4][..], 3));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    LSTM, "lstm"
}

impl SimpleRNN {
    /// A layer of so many units.
    pub fn new(units: usize) -> SimpleRNN {
        SimpleRNN(Core::new(Kind::Simple, units))
    }
}

impl GRU {
    /// A layer of so many units.
    pub fn new(units: usize) -> GRU {
        GRU(Core::new(Kind::Gru, units))
    }

    /// With another function of the gates; [`Activation::Sigmoid`] by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> GRU {
        self.0.recurrent_activation = activation;
        self
    }

    /// Whether the reset gate acts after the product; by default it does. If not, there is one bias, and
    /// `k = tanh(x kernel + (r h') recurrent_kernel + bias)`.
    #[must_use]
    pub fn reset_after(mut self, reset_after: bool) -> GRU {
        self.0.reset_after = reset_after;
        self
    }
}

impl LSTM {
    /// A layer of so many units.
    pub fn new(units: usize) -> LSTM {
        LSTM(Core::new(Kind::Lstm, units))
    }

    /// With another function of the gates; [`Activation::Sigmoid`] by default.
    #[must_use]
    pub fn recurrent_activation(mut self, activation: Activation) -> LSTM {
        self.0.recurrent_activation = activation;
        self
    }

    /// Whether the bias of the forget gates is 1 in the beginning; by default it is.
    #[must_use]
    pub fn unit_forget_bias(mut self, unit_forget_bias: bool) -> LSTM {
        self.0.unit_forget_bias = unit_forget_bias;
        self
    }
}
