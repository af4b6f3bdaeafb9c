//! What an op sees in forward mode.
use crate::list::Recorded;
use crate::op::{Gradients, Vjp};
use crate::{GradientOptions, GradientTape, Op, Tensor, apply};
use slalom_array::{DType, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// The tangents of an op's results, in their order; `None` is zero.
pub type Tangents = SmallVec<[Option<Tensor>; 1]>;

/// What a [`jvp`](Op::jvp) can see: the op's inputs and results, and the tangents of the inputs.
///
/// Values are there as far as the op [`saves`](Op::saves) them for its [`vjp`](Op::vjp).
pub struct Jvp<'a> {
    /// The same for the backward direction, without gradients.
    values: Vjp<'a>,
    tangents: &'a [Option<Tensor>],
}

impl<'a> Jvp<'a> {
    pub(crate) fn new(recorded: Recorded<'a>, tangents: &'a [Option<Tensor>]) -> Jvp<'a> {
        let values = Vjp { recorded, grads: &[], needs: 0 };
        Jvp { values, tangents }
    }

    /// The tangent of input `i`; `None` is zero.
    pub fn tangent(&self, i: usize) -> Option<&Tensor> {
        self.tangents[i].as_ref()
    }

    /// The tangent of input `i`, zeros where it has none.
    ///
    /// # Errors
    /// `ErrorKind::Memory`.
    pub fn tangent_or_zeros(&self, i: usize) -> Result<Tensor> {
        match self.tangent(i) {
            Some(tangent) => Ok(tangent.clone()),
            None => Tensor::zeros(self.input_shape(i), self.input_dtype(i)),
        }
    }

    /// Input `i`, in its place on the tapes that record now.
    ///
    /// # Panics
    /// If the op does not say that it [`saves`](Op::saves) inputs.
    pub fn input(&self, i: usize) -> &Tensor {
        self.values.input(i)
    }

    /// The (first) result, in its place on the tapes that record now.
    ///
    /// # Panics
    /// If the op does not say that it [`saves`](Op::saves) outputs.
    pub fn output(&self) -> &Tensor {
        self.values.output()
    }

    /// The shape of input `i`.
    pub fn input_shape(&self, i: usize) -> &Shape {
        self.values.input_shape(i)
    }

    /// The element type of input `i`.
    pub fn input_dtype(&self, i: usize) -> DType {
        self.values.input_dtype(i)
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.values.inputs()
    }

    /// The shape of result `i`.
    pub fn output_shape(&self, i: usize) -> Shape {
        self.values.recorded.outputs[i].shape().clone()
    }

    /// The tangents from a `vjp` by transposing it: that is linear in the upstream gradient `u`, so the tangent is the
    /// gradient with respect to `u` of its products with the tangents of the inputs, at `u = 0`.
    ///
    /// # Errors
    /// Those of `vjp`, and of the `vjp`s of the ops that it applies.
    pub fn transposed(&self, vjp: &dyn Fn(&Vjp<'_>) -> Result<Gradients>) -> Result<Tangents> {
        let recorded = self.values.recorded;
        let tape = GradientTape::unwatched();
        let mut upstream = Tangents::new();
        for output in recorded.outputs {
            let (shape, dtype) = (output.shape(), output.dtype());
            upstream.push(match dtype.is_float() {
                true => Some(tape.watch(&Tensor::zeros(shape, dtype)?)),
                false => None,
            });
        }
        let needs = (0..self.inputs().min(64)).filter(|&i| self.tangent(i).is_some());
        let needs = needs.fold(0, |mask, i| mask | 1 << i);
        let gradients = vjp(&Vjp { grads: &upstream, needs, ..self.values })?;
        let (mut products, mut weights) = (Vec::new(), Vec::new());
        for (gradient, tangent) in gradients.into_iter().zip(self.tangents) {
            if let (Some(gradient), Some(tangent)) = (gradient, tangent) {
                products.push(gradient.into_dense()?);
                weights.push(tangent.clone());
            }
        }
        let sources: Vec<&Tensor> = upstream.iter().flatten().collect();
        let options = GradientOptions::new().output_gradients(weights);
        let mut found = tape.gradient_with(&products, sources, &options)?.into_iter();
        let dense = |upstream: &Option<Tensor>| match upstream.as_ref().and_then(|_| found.next().flatten()) {
            Some(tangent) => tangent.into_dense().map(Some),
            None => Ok(None),
        };
        upstream.iter().map(dense).collect()
    }

    /// The context of a `vjp` that is asked for the gradient of input `i` alone.
    pub(crate) fn backward(&self, i: usize) -> Vjp<'a> {
        Vjp { needs: 1 << i, ..self.values }
    }

    /// The tangent of a linear op of one input: the op applied to the input's.
    pub(crate) fn linear<O: Op>(&self, op: O) -> Result<Tangents> {
        Ok(smallvec![match self.tangent(0) {
            Some(tangent) => Some(apply(op, [tangent])?),
            None => None,
        }])
    }
}

/// The sum of tangents of one shape.
pub(crate) fn sum(a: Option<Tensor>, b: Option<Tensor>) -> Option<Tensor> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}
