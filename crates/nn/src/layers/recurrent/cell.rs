//! One step of each kind of recurrent layer.
use super::common::{Core, Weights};
use slalom_array::Result;
use slalom_autograd::Tensor;

/// The kinds of recurrent layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Simple,
    Gru,
    Lstm,
}

impl Kind {
    pub(super) fn class_name(self) -> &'static str {
        match self {
            Kind::Simple => "SimpleRNN",
            Kind::Gru => "GRU",
            Kind::Lstm => "LSTM",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Simple => "simple_rnn",
            Kind::Gru => "gru",
            Kind::Lstm => "lstm",
        }
    }

    /// Columns of the kernels for each unit.
    pub(super) fn gates(self) -> usize {
        match self {
            Kind::Simple => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }

    pub(super) fn states(self) -> usize {
        if self == Kind::Lstm { 2 } else { 1 }
    }
}

impl Core {
    /// The states after a step, of which the first is its output; `z` is the product of its inputs.
    pub(super) fn step(&self, z: &Tensor, weights: &Weights, states: &[Tensor]) -> Result<Vec<Tensor>> {
        let h = &states[0];
        match self.kind {
            Kind::Simple => Ok(vec![self.activation.apply(&(z + h.matmul(&weights.recurrent)?))?]),
            Kind::Lstm => {
                let gates = self.parts(&(z + h.matmul(&weights.recurrent)?), 4)?;
                let gate = |i: usize| self.recurrent_activation.apply(&gates[i]);
                let c = gate(1)? * &states[1] + gate(0)? * self.activation.apply(&gates[2])?;
                Ok(vec![gate(3)? * self.activation.apply(&c)?, c])
            }
            Kind::Gru if self.reset_after => {
                let mut s = h.matmul(&weights.recurrent)?;
                if let Some(bias) = &weights.recurrent_bias {
                    s = s + bias;
                }
                let (z, s) = (self.parts(z, 3)?, self.parts(&s, 3)?);
                let gate = |i: usize| self.recurrent_activation.apply(&(&z[i] + &s[i]));
                let candidate = self.activation.apply(&(&z[2] + gate(1)? * &s[2]))?;
                Ok(vec![blend(gate(0)?, h, candidate)])
            }
            Kind::Gru => {
                let (z, recurrent) = (self.parts(z, 3)?, self.parts(&weights.recurrent, 3)?);
                let gate = |i: usize| self.recurrent_activation.apply(&(&z[i] + h.matmul(&recurrent[i])?));
                let candidate = self.activation.apply(&(&z[2] + (gate(1)? * h).matmul(&recurrent[2])?))?;
                Ok(vec![blend(gate(0)?, h, candidate)])
            }
        }
    }

    /// The parts of the gates, in their order.
    fn parts(&self, x: &Tensor, gates: usize) -> Result<Vec<Tensor>> {
        x.split(&vec![self.units; gates], -1)
    }
}

/// `z h + (1 - z) candidate`
fn blend(z: Tensor, h: &Tensor, candidate: Tensor) -> Tensor {
    &z * h + (1.0 - &z) * candidate
}
