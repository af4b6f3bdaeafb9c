//! What the layers have in common: variables, and the run over a sequence.
use super::Recurrent;
use super::cell::Kind;
use crate::Activation;
use crate::layers::parameter::Parameter;
use slalom_array::{Array, DType, Error, ErrorKind, FusedActivation, Result, Shape};
use slalom_autograd::{Tensor, stack};
use slalom_variable::Variable;
use slalom_variable::initializers::{GlorotUniform, Orthogonal, Zeros};
use std::sync::OnceLock;

/// A recurrent layer of any kind.
pub(super) struct Core {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) units: usize,
    pub(super) activation: Activation,
    pub(super) recurrent_activation: Activation,
    pub(super) use_bias: bool,
    pub(super) unit_forget_bias: bool,
    pub(super) reset_after: bool,
    pub(super) return_sequences: bool,
    pub(super) go_backwards: bool,
    pub(super) zero_output_for_mask: bool,
    pub(super) kernel: Parameter,
    pub(super) recurrent: Parameter,
    pub(super) bias: Parameter,
    pub(super) variables: OnceLock<Variables>,
}

/// What the first call makes.
pub(super) struct Variables {
    pub(super) kernel: Variable,
    pub(super) recurrent: Variable,
    pub(super) bias: Option<Variable>,
}

/// The values of the variables.
pub(super) struct Weights {
    pub(super) kernel: Tensor,
    pub(super) recurrent: Tensor,
    /// Added to the products of the inputs.
    pub(super) bias: Option<Tensor>,
    /// Added to the products of the states.
    pub(super) recurrent_bias: Option<Tensor>,
}

impl Core {
    pub(super) fn new(kind: Kind, units: usize) -> Core {
        Core {
            kind,
            name: kind.name().to_owned(),
            units,
            activation: Activation::Tanh,
            recurrent_activation: Activation::Sigmoid,
            use_bias: true,
            unit_forget_bias: true,
            reset_after: true,
            return_sequences: false,
            go_backwards: false,
            zero_output_for_mask: false,
            kernel: Parameter::new(GlorotUniform::new()),
            recurrent: Parameter::new(Orthogonal::new(1.0)),
            bias: Parameter::new(Zeros),
            variables: OnceLock::new(),
        }
    }

    /// Whether states are multiplied with a bias of their own.
    fn has_recurrent_bias(&self) -> bool {
        self.kind == Kind::Gru && self.reset_after
    }

    fn build(&self, features: usize, dtype: DType) -> Result<Variables> {
        if self.units == 0 {
            return Err(Error::new(ErrorKind::Argument, self.kind.class_name(), "at least one unit", 0));
        }
        let width = self.kind.gates() * self.units;
        let name = |what: &str| format!("{}/{}_cell/{what}", self.name, self.kind.name());
        let shape = match self.has_recurrent_bias() {
            true => Shape::from([2, width]),
            false => Shape::from([width]),
        };
        let bias = match self.use_bias {
            true if self.kind == Kind::Lstm && self.unit_forget_bias => {
                let (given, units) = (self.bias.initializer.clone(), self.units);
                // Forget gates are open in the beginning (R. Jozefowicz et al., 2015).
                let with_ones = move |shape: &Shape, dtype: DType| -> Result<Array> {
                    let bias = Tensor::from(given.initialize(shape, dtype)?);
                    let parts = bias.split(&[units, units, 2 * units], 0)?;
                    let ones = Tensor::ones([units], dtype)?;
                    Ok(slalom_autograd::concat(&[parts[0].clone(), ones, parts[2].clone()], 0)?.into())
                };
                let parameter =
                    Parameter { constraint: self.bias.constraint.clone(), ..Parameter::new(with_ones) };
                Some(parameter.variable(name("bias"), shape, dtype)?)
            }
            true => Some(self.bias.variable(name("bias"), shape, dtype)?),
            false => None,
        };
        Ok(Variables {
            kernel: self.kernel.variable(name("kernel"), [features, width].into(), dtype)?,
            recurrent: self.recurrent.variable(
                name("recurrent_kernel"),
                [self.units, width].into(),
                dtype,
            )?,
            bias,
        })
    }

    fn weights(&self, features: usize, dtype: DType) -> Result<Weights> {
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                // Where two threads build at once, one of the results is kept.
                let built = self.build(features, dtype)?;
                self.variables.get_or_init(|| built)
            }
        };
        let (mut bias, mut recurrent_bias) = (variables.bias.as_ref().map(Variable::value), None);
        if let (true, Some(both)) = (self.has_recurrent_bias(), &bias) {
            let rows = both.unstack(0)?;
            (recurrent_bias, bias) = (Some(rows[1].clone()), Some(rows[0].clone()));
        }
        Ok(Weights {
            kernel: variables.kernel.value(),
            recurrent: variables.recurrent.value(),
            bias,
            recurrent_bias,
        })
    }

    /// The sequence, with a mask `[batch, steps]` of the steps that count, from these states or zeros.
    pub(super) fn run(
        &self,
        x: &Tensor,
        mask: Option<&Tensor>,
        initial: Option<&[Tensor]>,
    ) -> Result<Recurrent> {
        let &[batch, steps, features] = &x.shape()[..] else {
            return Err(Error::new(
                ErrorKind::Shape,
                self.kind.class_name(),
                "an input [batch, steps, features]",
                x.shape(),
            ));
        };
        if !x.dtype().is_float() {
            return Err(Error::new(
                ErrorKind::DType,
                self.kind.class_name(),
                "a floating-point dtype",
                x.dtype(),
            ));
        }
        let weights = self.weights(features, x.dtype())?;
        let states = self.initial(initial, batch, x.dtype())?;
        let mut x = x.transpose(&[1, 0, 2])?;
        if self.go_backwards {
            x = x.reverse(&[0])?;
        }
        let z = x.linear(&weights.kernel, weights.bias.as_ref(), FusedActivation::Linear)?;
        if mask.is_none() && steps > 0 && self.is_fused() {
            return self.run_fused(z, &weights, &states);
        }
        let mask = match mask {
            Some(mask) if mask.shape()[..] != [batch, steps] => {
                let expected = format!("a mask of shape [{batch}, {steps}]");
                return Err(Error::new(ErrorKind::Shape, self.kind.class_name(), expected, mask.shape()));
            }
            Some(mask) => {
                let mask = mask.t()?.expand_dims(-1)?;
                Some(if self.go_backwards { mask.reverse(&[0])? } else { mask })
            }
            None => None,
        };
        self.run_stepwise(z, mask, &weights, states)
    }

    fn initial(&self, given: Option<&[Tensor]>, batch: usize, dtype: DType) -> Result<Vec<Tensor>> {
        let count = self.kind.states();
        let Some(states) = given else {
            return (0..count).map(|_| Tensor::zeros([batch, self.units], dtype)).collect();
        };
        let fits = |state: &Tensor| state.shape()[..] == [batch, self.units] && state.dtype() == dtype;
        if states.len() != count || !states.iter().all(fits) {
            let expected = format!("{count} states of shape [{batch}, {}] and type {dtype}", self.units);
            let got: Vec<String> = states.iter().map(|s| format!("{} of {}", s.shape(), s.dtype())).collect();
            return Err(Error::new(ErrorKind::Shape, self.kind.class_name(), expected, got.join(" and ")));
        }
        Ok(states.to_vec())
    }

    /// Whether there is an op for whole sequences.
    fn is_fused(&self) -> bool {
        let default = matches!(self.activation, Activation::Tanh)
            && matches!(self.recurrent_activation, Activation::Sigmoid);
        default && (self.kind == Kind::Lstm || (self.kind == Kind::Gru && self.reset_after))
    }

    fn run_fused(&self, z: Tensor, weights: &Weights, states: &[Tensor]) -> Result<Recurrent> {
        let last = |all: &Tensor| all.slice(0, all.shape()[0] - 1, 1)?.squeeze(0);
        let (h, states) = match self.kind {
            Kind::Lstm => {
                let [h, c] = z.lstm(&weights.recurrent, &states[0], &states[1])?;
                let states = vec![last(&h)?, last(&c)?];
                (h, states)
            }
            _ => {
                let zeros = || Tensor::zeros([3 * self.units], z.dtype());
                let bias = weights.recurrent_bias.clone().map_or_else(zeros, Ok)?;
                let h = z.gru(&weights.recurrent, &bias, &states[0])?;
                let states = vec![last(&h)?];
                (h, states)
            }
        };
        let output = if self.return_sequences { h.transpose(&[1, 0, 2])? } else { states[0].clone() };
        Ok(Recurrent { output, states })
    }

    fn run_stepwise(
        &self,
        z: Tensor,
        mask: Option<Tensor>,
        weights: &Weights,
        mut states: Vec<Tensor>,
    ) -> Result<Recurrent> {
        let masks = mask.map(|mask| mask.unstack(0)).transpose()?;
        let zeros = Tensor::zeros(states[0].shape(), states[0].dtype())?;
        let (mut output, mut outputs) = (zeros.clone(), Vec::new());
        for (step, z) in z.unstack(0)?.iter().enumerate() {
            let mut next = self.step(z, weights, &states)?;
            output = match &masks {
                None => next[0].clone(),
                Some(masks) => {
                    let counts = &masks[step];
                    let before = if self.zero_output_for_mask { &zeros } else { &output };
                    let output = counts.where_(&next[0], before)?;
                    for (next, state) in next.iter_mut().zip(&states) {
                        *next = counts.where_(&*next, state)?;
                    }
                    output
                }
            };
            states = next;
            outputs.push(output.clone());
        }
        if self.return_sequences {
            output = match outputs.is_empty() {
                true => Tensor::zeros([zeros.shape()[0], 0, self.units], zeros.dtype())?,
                false => stack(&outputs, 1)?,
            };
        }
        Ok(Recurrent { output, states })
    }
}
