//! Dropout: the mask is drawn anew whenever the op is applied, in a replay too, and drawn again for the gradient.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::session::rerun;
use crate::{Tensor, apply, apply_many};
use slalom_array::{Array, Generator, Philox, Result, dropout, dropout_counters};
use smallvec::smallvec;
use std::sync::Arc;

/// `x / (1 - rate)` for random elements and 0 for others; and the key and the counter that they were chosen with.
#[derive(Debug, Clone)]
struct Dropout {
    rate: f64,
    generator: Arc<Generator>,
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let philox = self.generator.philox();
        let counter = self.generator.reserve(dropout_counters(inputs[0])?);
        let y = dropout(inputs[0], self.rate, philox, counter)?;
        // The bits of both, as the type of integers that arrays have.
        let chosen_with = Array::from_vec([2], vec![philox.key() as i64, counter as i64])?;
        Ok(smallvec![y, chosen_with])
    }
    fn saves(&self) -> Saves {
        Saves::Outputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Masked { rate: self.rate }, [&cx.grad()?, cx.output_of(1)])?)
    }
    fn has_effect(&self) -> bool {
        true
    }
}

/// [`Dropout`] with the choice of an earlier one.
#[derive(Debug, Clone, Copy)]
struct Masked {
    rate: f64,
}

impl Op for Masked {
    fn name(&self) -> &'static str {
        "dropout_mask"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let chosen_with = inputs[1].to_vec::<i64>()?;
        let [key, counter] = chosen_with[..] else { unreachable!("a key and a counter") };
        Ok(smallvec![dropout(inputs[0], self.rate, Philox::new(key as u64), counter as u64)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Ok(smallvec![Some(apply(*self, [&cx.grad()?, cx.input(1)])?.into()), None])
    }
}

/// Dropout.
impl Tensor {
    /// `x / (1 - rate)` for random elements and 0 for the others, each with probability `rate` (N. Srivastava et al.,
    /// "Dropout", 2014; `tf.nn.dropout`). The random numbers are the generator's next ones, at each replay of a trace
    /// too. No mask is kept for the gradient: it is drawn again from the same counters.
    ///
    /// # Errors
    /// `ErrorKind::Argument`, if `rate` is not in `[0, 1)`; `ErrorKind::DType`, if the elements are not floating-point
    /// numbers.
    ///
    /// ```
    /// use slalom_array::{DType, Generator};
    /// use slalom_autograd::Tensor;
    /// use std::sync::Arc;
    /// let generator = Arc::new(Generator::from_seed(1));
    /// let y = Tensor::ones([8], DType::F32)?.dropout(0.5, &generator)?;
    /// assert!(y.to_vec::<f32>()?.iter().all(|&y| y == 0.0 || y == 2.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn dropout(&self, rate: f64, generator: &Arc<Generator>) -> Result<Tensor> {
        let (y, chosen_with) = match rerun::drawn_before()? {
            Some(chosen_with) => (apply(Masked { rate }, [self, &chosen_with])?, chosen_with),
            None => {
                let op = Dropout { rate, generator: Arc::clone(generator) };
                let results: [Tensor; 2] =
                    apply_many(op, &[self])?.into_iter().collect::<Vec<_>>().try_into().expect("two results");
                results.into()
            }
        };
        rerun::drew(&chosen_with);
        Ok(y)
    }
}
