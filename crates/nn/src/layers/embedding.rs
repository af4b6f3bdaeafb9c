//! Embeddings.
use super::parameter::Parameter;
use crate::Layer;
use slalom_array::{DType, Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::initializers::{Initializer, RandomUniform};
use slalom_variable::{Constraint, Variable};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Rows of a table for integers (`tf.keras.layers.Embedding`): input `[..]` of `i32` or `i64` in `0..input_dim`, result
/// `[.., output_dim]`.
///
/// The variable `embeddings` has shape `[input_dim, output_dim]`, by default from `RandomUniform(-0.05, 0.05)`. Its
/// gradient is sparse: only rows that were picked have one.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Index`], if a number is not in `0..input_dim`; [`ErrorKind::DType`], if the
/// elements are not integers; [`ErrorKind::Argument`], if either dimension is 0.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::{Gradient, GradientTape, Tensor};
/// use slalom_nn::{Layer, layers::Embedding};
/// let layer = Embedding::new(5, 2);
/// let tape = GradientTape::new();
/// let y = layer.forward(&Tensor::from_vec([3], vec![4, 0, 4])?)?;
/// assert_eq!(y.shape()[..], [3, 2]);
/// let gradient = tape.gradient(&y, &layer.variables()[0])?.unwrap();
/// assert!(matches!(gradient, Gradient::Sparse(_)));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Embedding {
    name: String,
    input_dim: usize,
    output_dim: usize,
    mask_zero: bool,
    dtype: DType,
    embeddings: Parameter,
    variable: OnceLock<Variable>,
}

impl Embedding {
    /// A table of `input_dim` rows of `output_dim` numbers of `f32`.
    pub fn new(input_dim: usize, output_dim: usize) -> Embedding {
        Embedding {
            name: "embedding".to_owned(),
            input_dim,
            output_dim,
            mask_zero: false,
            dtype: DType::F32,
            embeddings: Parameter::new(RandomUniform::new(-0.05, 0.05)),
            variable: OnceLock::new(),
        }
    }

    /// The same layer under another name than `embedding`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Embedding {
        self.name = name.into();
        self
    }

    /// Whether 0 stands for the absence of an element; see [`compute_mask`](Embedding::compute_mask).
    #[must_use]
    pub fn mask_zero(mut self, mask_zero: bool) -> Embedding {
        self.mask_zero = mask_zero;
        self
    }

    /// With a table of another type than `f32`.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Embedding {
        self.dtype = dtype;
        self
    }

    /// With an initial table from this initializer; `RandomUniform(-0.05, 0.05)` by default.
    #[must_use]
    pub fn embeddings_initializer(mut self, initializer: impl Initializer + 'static) -> Embedding {
        self.embeddings.initializer = Arc::new(initializer);
        self
    }

    /// With a constraint that optimizers apply to the table after each update. As in Keras, optimizers refuse a
    /// constraint with sparse gradients.
    #[must_use]
    pub fn embeddings_constraint(mut self, constraint: impl Constraint + 'static) -> Embedding {
        self.embeddings.constraint = Some(Arc::new(constraint));
        self
    }

    /// Which elements are there: those that are not 0, if the layer [masks zeros](Embedding::mask_zero); else `None`.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn compute_mask(&self, x: &Tensor) -> Result<Option<Tensor>> {
        match self.mask_zero {
            true => Ok(Some(x.not_equal(Tensor::zeros([], x.dtype())?)?)),
            false => Ok(None),
        }
    }
}

impl Layer for Embedding {
    fn class_name(&self) -> &'static str {
        "Embedding"
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let table = match self.variable.get() {
            Some(table) => table,
            None => {
                let shape = [self.input_dim, self.output_dim];
                if shape.contains(&0) {
                    let expected = "at least one row and one column";
                    return Err(Error::new(ErrorKind::Argument, "Embedding", expected, format!("{shape:?}")));
                }
                let made = self.embeddings.variable(
                    format!("{}/embeddings", self.name),
                    shape.into(),
                    self.dtype,
                )?;
                // Where two threads build at once, one of the results is kept.
                self.variable.get_or_init(|| made)
            }
        };
        table.value().gather(x, 0).map_err(|error| error.context("Embedding"))
    }

    fn variables(&self) -> Vec<Variable> {
        self.variable.get().cloned().into_iter().collect()
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding")
            .field("name", &self.name)
            .field("input_dim", &self.input_dim)
            .field("output_dim", &self.output_dim)
            .field("mask_zero", &self.mask_zero)
            .finish_non_exhaustive()
    }
}
