//! Recurrent layers over whole sequences: fused forward and backward.
use super::composed::second_order;
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::{AsTensor, Tensor, apply_many, stack};
use slalom_array::{Array, Result};
use smallvec::SmallVec;

/// Long short-term memory: outputs and cell states of each step, and the gates, which the gradient needs.
#[derive(Debug, Clone, Copy)]
struct Lstm;

impl Op for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(slalom_array::lstm(inputs[0], inputs[1], inputs[2], inputs[3])?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        gradients(LstmGradient, cx, 3, &[cx.grad_of(0)?, cx.grad_of(1)?])
    }
}

/// The gradients of [`Lstm`] for its inputs, from these, its three results and the gradients of the first two.
#[derive(Debug, Clone, Copy)]
struct LstmGradient;

impl Op for LstmGradient {
    fn name(&self) -> &'static str {
        "lstm_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [_, recurrent, h0, c0, h, c, gates, by_h, by_c] = std::array::from_fn(|i| inputs[i]);
        let gradients = slalom_array::lstm_grad(recurrent, [h0, c0], [h, c, gates], [by_h, by_c])?;
        Ok(gradients.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        of_gradient(cx, 3, 2, |x| {
            let (mut h, mut c) = (x[2].clone(), x[3].clone());
            let (mut all_h, mut all_c) = (Vec::new(), Vec::new());
            for z in x[0].unstack(0)? {
                [h, c] = lstm_step(&(z + h.matmul(&x[1])?), &c)?;
                all_h.push(h.clone());
                all_c.push(c.clone());
            }
            sequences(&x[0], &x[2], [all_h, all_c])
        })
    }
}

/// One step of long short-term memory in plain ops, from the gates before activation.
fn lstm_step(gates: &Tensor, c: &Tensor) -> Result<[Tensor; 2]> {
    let [i, f, g, o] = parts::<4>(gates)?;
    let c = f.sigmoid()? * c + i.sigmoid()? * g.tanh()?;
    Ok([o.sigmoid()? * c.tanh()?, c])
}

/// Gated recurrent units: the outputs of each step, and what the gradient needs.
#[derive(Debug, Clone, Copy)]
struct Gru;

impl Op for Gru {
    fn name(&self) -> &'static str {
        "gru"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(slalom_array::gru(inputs[0], inputs[1], inputs[2], inputs[3])?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        gradients(GruGradient, cx, 2, &[cx.grad()?])
    }
}

/// The gradients of [`Gru`] for its inputs, from these, its two results and the gradient of the first.
#[derive(Debug, Clone, Copy)]
struct GruGradient;

impl Op for GruGradient {
    fn name(&self) -> &'static str {
        "gru_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [_, recurrent, _, h0, h, gates, by_h] = std::array::from_fn(|i| inputs[i]);
        Ok(slalom_array::gru_grad(recurrent, h0, [h, gates], by_h)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        of_gradient(cx, 2, 1, |x| {
            let mut h = x[3].clone();
            let mut all = Vec::new();
            for z in x[0].unstack(0)? {
                let s = h.matmul(&x[1])? + &x[2];
                let ([u, r, k], [su, sr, sk]) = (parts::<3>(&z)?, parts::<3>(&s)?);
                let u = (u + su).sigmoid()?;
                let k = (k + (r + sr).sigmoid()? * sk).tanh()?;
                h = &u * h + (1.0 - &u) * k;
                all.push(h.clone());
            }
            sequences(&x[0], &x[3], [all])
        })
    }
}

/// Applies the gradient `op` to the inputs of the op, its first results, so many, and the gradients of its results.
fn gradients<O: Op>(op: O, cx: &Vjp<'_>, saved: usize, grads: &[Tensor]) -> Result<Gradients> {
    let saved = (0..saved).map(|i| cx.output_of(i));
    let all: SmallVec<[&Tensor; 9]> =
        (0..cx.inputs()).map(|i| cx.input(i)).chain(saved).chain(grads).collect();
    Ok(apply_many(op, &all)?.into_iter().map(|gradient| Some(gradient.into())).collect())
}

/// The gradients of a gradient, whose inputs are four inputs of `function`, `saved` results of it and the gradients of
/// the first `grads` results.
fn of_gradient(
    cx: &Vjp<'_>,
    saved: usize,
    grads: usize,
    function: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>,
) -> Result<Gradients> {
    let list = |range: std::ops::Range<usize>| range.map(|i| cx.input(i)).collect::<Vec<_>>();
    let upstream = (0..4).map(|i| cx.grad_of(i)).collect::<Result<Vec<_>>>()?;
    let seeds = list(4 + saved..4 + saved + grads);
    // What was saved is a function of the inputs, and has its part in their gradients.
    let mut gradients = second_order(&list(0..4), &seeds, &upstream, function)?;
    gradients.insert_many(4, (0..saved).map(|_| None));
    Ok(gradients)
}

/// `N` equal parts of the last axis.
fn parts<const N: usize>(x: &Tensor) -> Result<[Tensor; N]> {
    let n = x.shape()[x.rank() - 1] / N;
    Ok(x.split(&[n; N], -1)?.into_iter().collect::<Vec<_>>().try_into().expect("as many parts"))
}

/// The states of all steps as tensors `[steps, batch, units]`.
fn sequences<const N: usize>(z: &Tensor, state: &Tensor, steps: [Vec<Tensor>; N]) -> Result<Vec<Tensor>> {
    let all = |steps: Vec<Tensor>| match steps.is_empty() {
        true => Tensor::zeros([&[0], &state.shape()[..]].concat(), z.dtype()),
        false => stack(&steps, 0),
    };
    steps.into_iter().map(all).collect()
}

/// Recurrent layers.
impl Tensor {
    /// A layer of long short-term memory over a sequence (S. Hochreiter, J. Schmidhuber, 1997). This tensor is what the
    /// inputs and the bias contribute to the gates, `[steps, batch, 4 units]`: the products of all steps at once. With
    /// the gates `i, f, g, o = z + h' recurrent` of a step, the cell state is `c = σ(f) c' + σ(i) tanh(g)` and the output
    /// `h = σ(o) tanh(c)`, where `h'` and `c'` are those of the step before; `h0` and `c0` `[batch, units]` are the
    /// first. Returns `h` and `c` of each step, `[steps, batch, units]`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::DType`, if the types differ or are not floating-point
    /// numbers.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// # use slalom_array::DType;
    /// let z = Tensor::zeros([5, 2, 12], DType::F32)?;
    /// let (w, state) = (Tensor::zeros([3, 12], DType::F32)?, Tensor::ones([2, 3], DType::F32)?);
    /// let [h, c] = z.lstm(&w, &state, &state)?;
    /// assert_eq!((&h.shape()[..], c.to_vec::<f32>()?[0]), (&[5, 2, 3][..], 0.5));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn lstm(
        &self,
        recurrent: impl AsTensor,
        h0: impl AsTensor,
        c0: impl AsTensor,
    ) -> Result<[Tensor; 2]> {
        let (recurrent, h0, c0) = (recurrent.as_tensor(), h0.as_tensor(), c0.as_tensor());
        let mut results = apply_many(Lstm, &[self, &recurrent, &h0, &c0])?;
        results.truncate(2);
        Ok(results.into_iter().collect::<Vec<_>>().try_into().expect("two results"))
    }

    /// A layer of gated recurrent units over a sequence (K. Cho et al., 2014), whose reset gate acts after the product.
    /// This tensor is what the inputs and their bias contribute, `[steps, batch, 3 units]`. With
    /// `s = h' recurrent + bias`, the gates of a step are `u = σ(z₀ + s₀)` and `r = σ(z₁ + s₁)`, the candidate is
    /// `k = tanh(z₂ + r s₂)`, and the output `h = u h' + (1 - u) k`, where `h'` is that of the step before; `h0`
    /// `[batch, units]` is the first. Returns `h` of each step, `[steps, batch, units]`.
    ///
    /// # Errors
    /// As [`lstm`](Tensor::lstm).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// # use slalom_array::DType;
    /// let (z, b) = (Tensor::zeros([5, 2, 9], DType::F32)?, Tensor::zeros([9], DType::F32)?);
    /// let (w, h0) = (Tensor::zeros([3, 9], DType::F32)?, Tensor::ones([2, 3], DType::F32)?);
    /// assert_eq!(z.gru(&w, &b, &h0)?.to_vec::<f32>()?[0], 0.5);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn gru(&self, recurrent: impl AsTensor, bias: impl AsTensor, h0: impl AsTensor) -> Result<Tensor> {
        let (recurrent, bias, h0) = (recurrent.as_tensor(), bias.as_tensor(), h0.as_tensor());
        let results = apply_many(Gru, &[self, &recurrent, &bias, &h0])?;
        Ok(results.into_iter().next().expect("an op has a result"))
    }
}
