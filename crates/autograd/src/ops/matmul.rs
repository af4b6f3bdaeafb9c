//! Matrix products.
use crate::jvp::{self, Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::reduce::sum_to;
use crate::ops::unary;
use crate::{AsTensor, Gradient, Tensor, apply};
use slalom_array::{Array, Error, ErrorKind, FusedActivation, Result, Shape};
use smallvec::{SmallVec, smallvec};
use std::borrow::Cow;

/// `a b`, either operand transposed in its last two axes.
#[derive(Debug, Clone, Copy)]
struct MatMul {
    transpose_a: bool,
    transpose_b: bool,
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (a, b) = (flipped(inputs[0], self.transpose_a)?, flipped(inputs[1], self.transpose_b)?);
        Ok(smallvec![slalom_array::matmul(&a, &b, None, FusedActivation::Linear)?])
    }

    fn saves(&self) -> Saves {
        Saves::Inputs
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (a, b, g) = (cx.input(0), cx.input(1), cx.grad()?);
        let by_a = || match (self.transpose_a, self.transpose_b) {
            (false, tb) => product(&g, b, false, !tb),
            (true, tb) => product(b, &g, tb, true),
        };
        let by_b = || match (self.transpose_a, self.transpose_b) {
            (ta, false) => product(a, &g, !ta, false),
            (ta, true) => product(&g, a, true, ta),
        };
        let summed = |i: usize, gradient: Result<Tensor>| -> Result<Option<Gradient>> {
            Ok(Some(sum_to(gradient?, cx.input_shape(i))?.into()))
        };
        Ok(smallvec![
            if cx.needs(0) { summed(0, by_a())? } else { None },
            if cx.needs(1) { summed(1, by_b())? } else { None },
        ])
    }

    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        let by_a = cx.tangent(0).map(|tangent| apply(*self, [tangent, cx.input(1)])).transpose()?;
        let by_b = cx.tangent(1).map(|tangent| apply(*self, [cx.input(0), tangent])).transpose()?;
        Ok(smallvec![jvp::sum(by_a, by_b)])
    }
}

/// The last two axes exchanged, if `flip`.
fn flipped(array: &Array, flip: bool) -> Result<Array> {
    let rank = array.rank();
    if !flip || rank < 2 {
        return Ok(array.clone());
    }
    let mut axes: SmallVec<[usize; 6]> = (0..rank).collect();
    axes.swap(rank - 1, rank - 2);
    array.transpose(&axes)
}

fn product(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> Result<Tensor> {
    apply(MatMul { transpose_a, transpose_b }, [a, b])
}

/// `activation(x w + b)`, in one pass over the result.
#[derive(Debug, Clone, Copy)]
struct Linear {
    activation: FusedActivation,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (x, w) = (inputs[0], inputs[1]);
        if w.rank() != 2 || x.rank() < 1 {
            let got = format!("{} and {}", x.shape(), w.shape());
            return Err(Error::new(ErrorKind::Shape, "linear", "an input [..., k] and weights [k, n]", got));
        }
        let rows = rows_of(x)?;
        let y = slalom_array::matmul(&rows, w, inputs.get(2).copied(), self.activation)
            .map_err(|error| error.context("linear"))?;
        Ok(smallvec![if x.rank() == 2 { y } else { y.reshape(result_shape(x.shape(), w.shape()[1]))? }])
    }

    fn saves(&self) -> Saves {
        if self.activation == FusedActivation::Linear { Saves::Inputs } else { Saves::Both }
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (x, w) = (cx.input(0), cx.input(1));
        let mut g = cx.grad()?;
        if self.activation != FusedActivation::Linear {
            g = unary::activation_gradient(self.activation, &g, cx.output())?;
        }
        let n = w.shape()[1];
        let count: usize = g.shape()[..g.rank() - 1].iter().product();
        let rows = if g.rank() == 2 { g } else { g.reshape([count, n])? };
        let mut gradients = Gradients::new();
        gradients.push(match cx.needs(0) {
            true => {
                let by_x = product(&rows, w, false, true)?;
                Some(if x.rank() == 2 { by_x } else { by_x.reshape(x.shape())? }.into())
            }
            false => None,
        });
        gradients.push(match cx.needs(1) {
            true => {
                let flat = match x.rank() {
                    2 => Cow::Borrowed(x),
                    _ => Cow::Owned(x.reshape([rows.shape()[0], w.shape()[0]])?),
                };
                Some(product(&flat, &rows, true, false)?.into())
            }
            false => None,
        });
        if cx.inputs() == 3 {
            gradients.push(if cx.needs(2) { Some(rows.sum_axes(&[0], false)?.into()) } else { None });
        }
        Ok(gradients)
    }
}

/// All leading axes as one.
fn rows_of(x: &Array) -> Result<Array> {
    if x.rank() == 2 {
        return Ok(x.clone());
    }
    let k = x.shape()[x.rank() - 1];
    let rows: usize = x.shape()[..x.rank() - 1].iter().product();
    x.reshape([rows, k])
}

fn result_shape(x: &Shape, n: usize) -> Shape {
    x.replaced(x.rank() - 1, n)
}

/// Matrix products.
impl Tensor {
    /// The matrix product: shapes `[..., m, k]` and `[..., k, n]` give `[..., m, n]`; leading axes are a batch and
    /// broadcast.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not fit; `ErrorKind::DType`, if the types differ or are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let a = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(a.matmul(&a)?.to_vec::<f32>()?, [7.0, 10.0, 15.0, 22.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn matmul(&self, other: impl AsTensor) -> Result<Tensor> {
        product(self, &other.as_tensor(), false, false)
    }

    /// [`matmul`](Tensor::matmul) with either operand transposed in its last two axes, which copies nothing.
    ///
    /// # Errors
    /// As [`matmul`](Tensor::matmul).
    pub fn matmul_transposed(
        &self,
        other: impl AsTensor,
        transpose_self: bool,
        transpose_other: bool,
    ) -> Result<Tensor> {
        product(self, &other.as_tensor(), transpose_self, transpose_other)
    }

    /// A dense layer: `activation(x weights + bias)`, for `x` of shape `[..., k]`, weights `[k, n]` and a bias `[n]`.
    /// Bias and activation are applied while the product is still in registers.
    ///
    /// # Errors
    /// As [`matmul`](Tensor::matmul).
    ///
    /// ```
    /// use slalom_array::FusedActivation;
    /// use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([1, 2], vec![1.0f32, 2.0])?;
    /// let w = Tensor::from_vec([2, 2], vec![1.0f32, -1.0, 1.0, -1.0])?;
    /// let b = Tensor::from_vec([2], vec![0.5f32, 0.5])?;
    /// assert_eq!(x.linear(&w, Some(&b), FusedActivation::Relu)?.to_vec::<f32>()?, [3.5, 0.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn linear(
        &self,
        weights: impl AsTensor,
        bias: Option<&Tensor>,
        activation: FusedActivation,
    ) -> Result<Tensor> {
        let weights = weights.as_tensor();
        match bias {
            Some(bias) => apply(Linear { activation }, [self, &weights, bias]),
            None => apply(Linear { activation }, [self, &weights]),
        }
    }
}
