//! Dropout.
use crate::Layer;
use slalom_array::{Error, ErrorKind, Generator, Result};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use slalom_variable::random::default_generator;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Sets random elements to 0 in training, each with probability `rate`, and divides the others by `1 - rate`
/// (N. Srivastava et al., "Dropout", 2014; `tf.keras.layers.Dropout`). In inference the input stays as it is.
///
/// Random numbers come from a stream of the layer's own: that of a seed, or a new one split from the
/// [default generator](default_generator) at the first call. A replayed operation draws anew each time.
///
/// # Errors
/// [`call`](Layer::call): [`ErrorKind::Argument`], if the rate is not in `[0, 1)`; [`ErrorKind::DType`], if the elements
/// are not floating-point numbers.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Dropout};
/// let (layer, x) = (Dropout::new(0.5), Tensor::ones([8], DType::F32)?);
/// assert_eq!(layer.forward(&x)?.to_vec::<f32>()?, [1.0; 8]);
/// assert!(layer.call(&x, true)?.to_vec::<f32>()?.iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Dropout {
    name: String,
    rate: f64,
    generator: OnceLock<Arc<Generator>>,
}

impl Dropout {
    /// With this probability of 0.
    pub fn new(rate: f64) -> Dropout {
        Dropout { name: "dropout".to_owned(), rate, generator: OnceLock::new() }
    }

    /// The same layer under another name than `dropout`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Dropout {
        self.name = name.into();
        self
    }

    /// With the random numbers of a seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Dropout {
        Dropout { generator: OnceLock::from(Arc::new(Generator::from_seed(seed))), ..self }
    }

    /// The layer's stream of random numbers, whose state resumes it.
    pub fn generator(&self) -> &Arc<Generator> {
        self.generator.get_or_init(|| Arc::new(default_generator().split()))
    }
}

impl Layer for Dropout {
    fn class_name(&self) -> &'static str {
        "Dropout"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn call(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Error::new(ErrorKind::Argument, "Dropout", "a rate in [0, 1)", self.rate));
        }
        if training && self.rate > 0.0 { x.dropout(self.rate, self.generator()) } else { self.forward(x) }
    }

    fn variables(&self) -> Vec<Variable> {
        Vec::new()
    }
}

impl fmt::Debug for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dropout").field("name", &self.name).field("rate", &self.rate).finish_non_exhaustive()
    }
}
