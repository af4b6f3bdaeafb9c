//! Scaled dot-product attention: fused forward and backward.
use super::binary::{Add, binary};
use super::composed::second_order;
use super::reduce::expect_float;
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::{AsTensor, Tensor, apply_many};
use slalom_array::{Array, Attention, Result, attention, attention_grad};
use smallvec::SmallVec;

/// Attention of queries, keys, values and perhaps a mask, and the logarithms of the sums of exponentials, which the
/// gradient needs.
#[derive(Debug, Clone, Copy)]
struct DotProductAttention(Attention);

impl Op for DotProductAttention {
    fn name(&self) -> &'static str {
        "dot_product_attention"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [q, k, v] = [inputs[0], inputs[1], inputs[2]];
        Ok(attention(q, k, v, inputs.get(3).copied(), self.0)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn visible_results(&self) -> usize {
        1
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let g = cx.grad()?;
        let mask = (3..cx.inputs()).map(|i| cx.input(i));
        let mut all: SmallVec<[&Tensor; 8]> = (0..3).map(|i| cx.input(i)).collect();
        all.extend([cx.output_of(0), cx.output_of(1), &g]);
        all.extend(mask.clone());
        let gradients = apply_many(DotProductAttentionGradient(self.0), &all)?;
        let mut gradients: Gradients = gradients.into_iter().map(|gradient| Some(gradient.into())).collect();
        gradients.extend(mask.map(|_| None));
        Ok(gradients)
    }
}

/// The gradients for queries, keys and values, from them, the two results, the gradient of the first, and perhaps a
/// mask.
#[derive(Debug, Clone, Copy)]
struct DotProductAttentionGradient(Attention);

impl Op for DotProductAttentionGradient {
    fn name(&self) -> &'static str {
        "dot_product_attention_gradient"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [q, k, v, out, log_sums, g] = std::array::from_fn(|i| inputs[i]);
        let mask = inputs.get(6).copied();
        Ok(attention_grad([q, k, v], mask, [out, log_sums], g, self.0)?.into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let operands = [cx.input(0), cx.input(1), cx.input(2)];
        let mask = if cx.inputs() == 7 { Some(cx.input(6)) } else { None };
        let upstream = [cx.grad_of(0)?, cx.grad_of(1)?, cx.grad_of(2)?];
        // The results are functions of the operands, and have their part in their gradients.
        let mut gradients = second_order(&operands, &[cx.input(5)], &upstream, |x| {
            Ok(vec![composed(&x[0], &x[1], &x[2], mask, self.0)?.0])
        })?;
        let by_g = gradients.pop().expect("a gradient for g");
        gradients.extend([None, None, by_g]);
        gradients.extend(mask.map(|_| None));
        Ok(gradients)
    }
}

/// Attention in plain ops: the result, and the weights `[b, heads, t, s]`.
fn composed(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    options: Attention,
) -> Result<(Tensor, Tensor)> {
    const HEADS_FIRST: [usize; 4] = [0, 2, 1, 3];
    let [q, k, v] = [q.transpose(&HEADS_FIRST)?, k.transpose(&HEADS_FIRST)?, v.transpose(&HEADS_FIRST)?];
    let mut scores = q.matmul_transposed(&k, false, true)? * options.scale;
    let mut masks: SmallVec<[Tensor; 2]> = mask.cloned().into_iter().collect();
    if options.causal {
        masks.push(causal_mask(q.shape()[2], k.shape()[2])?);
    }
    if let Some(mask) = masks.into_iter().map(Ok).reduce(|a, b| a?.logical_and(b?)) {
        scores = binary(Add, &scores, &((1.0 - mask?.cast(q.dtype())?) * -1e9))?;
    }
    let weights = scores.softmax(-1)?;
    Ok((weights.matmul(&v)?.transpose(&HEADS_FIRST)?, weights))
}

/// Which of `s` keys each of `t` queries sees: those up to its own place.
fn causal_mask(t: usize, s: usize) -> Result<Tensor> {
    Tensor::from_vec([t, s], (0..t).flat_map(|i| (0..s).map(move |j| j <= i)).collect())
}

/// Attention.
impl Tensor {
    /// `softmax(scale q kᵀ) v` for each head, of these queries `[b, t, heads, d]`, keys `[b, s, heads, d]` and values
    /// `[b, s, heads, e]`: shape `[b, t, heads, e]` (A. Vaswani et al., "Attention Is All You Need", 2017).
    ///
    /// `scale` is `1 / √d` by default. `mask`, of booleans that broadcast to `[b, heads, t, s]`, says which keys a query
    /// sees: scores of others are lowered by 10⁹. If `causal`, a query sees no keys after its own place. The scores of
    /// all queries are never held at once, and the gradient computes them again.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::DType`, if the types differ or are not floating-point
    /// numbers, or the mask is not of booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let q = Tensor::from_vec([1, 1, 1, 1], vec![0.0f64])?;
    /// let (k, v) = (Tensor::from_vec([1, 2, 1, 1], vec![5.0, 6.0])?, Tensor::from_vec([1, 2, 1, 1], vec![1.0, 3.0])?);
    /// assert_eq!(q.dot_product_attention(&k, &v, None, false, None)?.item()?, 2.0);
    /// assert_eq!(q.dot_product_attention(&k, &v, None, true, None)?.item()?, 1.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn dot_product_attention(
        &self,
        keys: impl AsTensor,
        values: impl AsTensor,
        mask: Option<&Tensor>,
        causal: bool,
        scale: Option<f64>,
    ) -> Result<Tensor> {
        let options = options(self, causal, scale)?;
        let (keys, values) = (keys.as_tensor(), values.as_tensor());
        let inputs: SmallVec<[&Tensor; 4]> = [self, &keys, &values].into_iter().chain(mask).collect();
        let results = apply_many(DotProductAttention(options), &inputs)?;
        Ok(results.into_iter().next().expect("an op has a result"))
    }

    /// [`dot_product_attention`](Tensor::dot_product_attention), and the weights that it gives the values:
    /// `[b, heads, t, s]`. All scores are held at once.
    ///
    /// # Errors
    /// As [`dot_product_attention`](Tensor::dot_product_attention).
    pub fn dot_product_attention_with_weights(
        &self,
        keys: impl AsTensor,
        values: impl AsTensor,
        mask: Option<&Tensor>,
        causal: bool,
        scale: Option<f64>,
    ) -> Result<(Tensor, Tensor)> {
        let options = options(self, causal, scale)?;
        let (keys, values) = (keys.as_tensor(), values.as_tensor());
        // The shapes are checked where they are known to the kernel.
        let empty = |x: &Tensor| match x.rank() {
            0 | 1 => Ok(x.array.clone()),
            _ => x.array.slice(1, 0, 0, 1),
        };
        attention(&empty(self)?, &empty(&keys)?, &empty(&values)?, None, options)?;
        composed(self, &keys, &values, mask, options)
    }
}

fn options(q: &Tensor, causal: bool, scale: Option<f64>) -> Result<Attention> {
    expect_float("dot_product_attention", q.dtype())?;
    let depth = q.shape().last().copied().unwrap_or(1);
    Ok(Attention { scale: scale.unwrap_or(1.0 / (depth as f64).sqrt()), causal })
}
