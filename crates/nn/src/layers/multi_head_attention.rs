//! Multi-head attention.
use super::parameter::Parameter;
use crate::Layer;
use slalom_array::{DType, Error, ErrorKind, FusedActivation, Generator, Result, Shape};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use slalom_variable::initializers::{GlorotUniform, Initializer, Zeros};
use slalom_variable::random::default_generator;
use std::fmt;
use std::sync::{Arc, OnceLock};

const OP: &str = "MultiHeadAttention";

/// Attention in several heads (A. Vaswani et al., "Attention Is All You Need", 2017;
/// `tf.keras.layers.MultiHeadAttention`).
///
/// Query, key and value `[batch, steps, features]` are projected to `num_heads` heads of `key_dim` (values: `value_dim`)
/// numbers; each head computes `softmax(q kᵀ / √key_dim) v`; the heads together are projected to the query's features
/// (or [`output_shape`](MultiHeadAttention::output_shape)). [`forward`](Layer::forward) is self-attention: the input is
/// query, key and value.
///
/// The variables are made at the first call, in Keras's order: `query/kernel` `[features, num_heads, key_dim]` and
/// `query/bias` `[num_heads, key_dim]`, those of `key` and `value`, and `attention_output/kernel`
/// `[num_heads, value_dim, output]` and `attention_output/bias` `[output]`.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if an input does not have three axes or does not fit the others or
/// the variables; [`ErrorKind::DType`], if the elements are not floating-point numbers or not of the variables' type;
/// [`ErrorKind::Argument`], if there are no heads or they have no size.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::MultiHeadAttention};
/// let layer = MultiHeadAttention::new(2, 3).use_causal_mask(true);
/// let y = layer.forward(&Tensor::ones([4, 5, 6], DType::F32)?)?;
/// assert_eq!((&y.shape()[..], layer.variables().len()), (&[4, 5, 6][..], 8));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct MultiHeadAttention {
    name: String,
    heads: usize,
    key_dim: usize,
    value_dim: usize,
    output: Option<usize>,
    use_bias: bool,
    use_causal_mask: bool,
    dropout: f64,
    kernel: Parameter,
    bias: Parameter,
    generator: OnceLock<Arc<Generator>>,
    variables: OnceLock<Variables>,
}

/// What the first call makes: the projections of query, key, value and output.
struct Variables([Projection; 4]);

struct Projection {
    kernel: Variable,
    bias: Option<Variable>,
}

/// What attention is paid to.
#[derive(Debug, Clone, Copy)]
pub struct AttentionInputs<'a> {
    /// What asks, `[batch, t, features]`.
    pub query: &'a Tensor,
    /// What is answered, `[batch, s, features]`.
    pub value: &'a Tensor,
    /// What is compared with the query, `[batch, s, features]`; the value, if there is none.
    pub key: Option<&'a Tensor>,
    /// Which values each query sees: booleans that broadcast to `[batch, t, s]`.
    pub mask: Option<&'a Tensor>,
}

impl<'a> AttentionInputs<'a> {
    /// A query and a value, which is the key too, without a mask.
    pub fn new(query: &'a Tensor, value: &'a Tensor) -> AttentionInputs<'a> {
        AttentionInputs { query, value, key: None, mask: None }
    }
}

impl MultiHeadAttention {
    /// So many heads, whose queries and keys have so many numbers.
    pub fn new(num_heads: usize, key_dim: usize) -> MultiHeadAttention {
        MultiHeadAttention {
            name: "multi_head_attention".to_owned(),
            heads: num_heads,
            key_dim,
            value_dim: key_dim,
            output: None,
            use_bias: true,
            use_causal_mask: false,
            dropout: 0.0,
            kernel: Parameter::new(GlorotUniform::new()),
            bias: Parameter::new(Zeros),
            generator: OnceLock::new(),
            variables: OnceLock::new(),
        }
    }

    /// The same layer under another name than `multi_head_attention`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> MultiHeadAttention {
        self.name = name.into();
        self
    }

    /// With another size of each head's values than `key_dim`.
    #[must_use]
    pub fn value_dim(mut self, value_dim: usize) -> MultiHeadAttention {
        self.value_dim = value_dim;
        self
    }

    /// With another number of results than the query has features.
    #[must_use]
    pub fn output_shape(mut self, output: usize) -> MultiHeadAttention {
        self.output = Some(output);
        self
    }

    /// With or without biases; with them by default.
    #[must_use]
    pub fn use_bias(mut self, use_bias: bool) -> MultiHeadAttention {
        self.use_bias = use_bias;
        self
    }

    /// Whether a query sees only values up to its own place; by default it sees all.
    #[must_use]
    pub fn use_causal_mask(mut self, use_causal_mask: bool) -> MultiHeadAttention {
        self.use_causal_mask = use_causal_mask;
        self
    }

    /// The probability with which, in training, the weight of a value becomes 0; 0 by default.
    #[must_use]
    pub fn dropout(mut self, dropout: f64) -> MultiHeadAttention {
        self.dropout = dropout;
        self
    }

    /// With initial kernels from this initializer; [`GlorotUniform`] by default.
    #[must_use]
    pub fn kernel_initializer(mut self, initializer: impl Initializer + 'static) -> MultiHeadAttention {
        self.kernel.initializer = Arc::new(initializer);
        self
    }

    /// With initial biases from this initializer; [`Zeros`] by default.
    #[must_use]
    pub fn bias_initializer(mut self, initializer: impl Initializer + 'static) -> MultiHeadAttention {
        self.bias.initializer = Arc::new(initializer);
        self
    }

    /// Attention to other inputs than the query itself.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    pub fn attend(&self, inputs: AttentionInputs<'_>, training: bool) -> Result<Tensor> {
        if training && self.dropout > 0.0 {
            return Ok(self.with_scores(inputs, training)?.0);
        }
        let [q, k, v] = self.project(inputs)?;
        let mask = heads_mask(inputs.mask)?;
        let y = q.dot_product_attention(&k, &v, mask.as_ref(), self.use_causal_mask, None)?;
        self.merge(&y)
    }

    /// [`attend`](MultiHeadAttention::attend), and the weights that it gives the values, `[batch, num_heads, t, s]`.
    ///
    /// # Errors
    /// As [`forward`](Layer::forward).
    pub fn attend_with_scores(
        &self,
        inputs: AttentionInputs<'_>,
        training: bool,
    ) -> Result<(Tensor, Tensor)> {
        self.with_scores(inputs, training)
    }

    fn with_scores(&self, inputs: AttentionInputs<'_>, training: bool) -> Result<(Tensor, Tensor)> {
        let [q, k, v] = self.project(inputs)?;
        let mask = heads_mask(inputs.mask)?;
        let causal = self.use_causal_mask;
        let (y, weights) = q.dot_product_attention_with_weights(&k, &v, mask.as_ref(), causal, None)?;
        if !training || self.dropout == 0.0 {
            return Ok((self.merge(&y)?, weights));
        }
        let generator = self.generator.get_or_init(|| Arc::new(default_generator().split()));
        let dropped = weights.dropout(self.dropout, generator)?;
        let y = dropped.matmul(v.transpose(&[0, 2, 1, 3])?)?.transpose(&[0, 2, 1, 3])?;
        Ok((self.merge(&y)?, weights))
    }

    /// Queries, keys and values in heads: `[batch, steps, heads, size]`.
    fn project(&self, inputs: AttentionInputs<'_>) -> Result<[Tensor; 3]> {
        let all = [inputs.query, inputs.key.unwrap_or(inputs.value), inputs.value];
        for input in all {
            if input.rank() != 3 {
                return Err(Error::new(
                    ErrorKind::Shape,
                    OP,
                    "inputs [batch, steps, features]",
                    input.shape(),
                ));
            }
        }
        let features = all.map(|input| input.shape()[2]);
        let variables = match self.variables.get() {
            Some(variables) => variables,
            None => {
                // Where two threads build at once, one of the results is kept.
                let built = self.build(features, inputs.query.dtype())?;
                self.variables.get_or_init(|| built)
            }
        };
        let head = |i: usize| {
            let (x, projection) = (all[i], &variables.0[i]);
            let &[features, heads, size] = &projection.kernel.shape()[..] else { unreachable!("three axes") };
            let kernel = projection.kernel.value().reshape([features, heads * size])?;
            let bias = projection.bias.as_ref().map(|bias| bias.value().reshape([heads * size]));
            let y = x.linear(&kernel, bias.transpose()?.as_ref(), FusedActivation::Linear)?;
            y.reshape([x.shape()[0], x.shape()[1], heads, size])
        };
        Ok([head(0)?, head(1)?, head(2)?])
    }

    /// The heads together, projected.
    fn merge(&self, y: &Tensor) -> Result<Tensor> {
        let projection = &self.variables.get().expect("built before").0[3];
        let &[batch, steps, heads, size] = &y.shape()[..] else { unreachable!("four axes") };
        let kernel = projection.kernel.value().reshape([heads * size, projection.kernel.shape()[2]])?;
        let bias = projection.bias.as_ref().map(Variable::value);
        y.reshape([batch, steps, heads * size])?.linear(&kernel, bias.as_ref(), FusedActivation::Linear)
    }

    fn build(&self, [query, key, value]: [usize; 3], dtype: DType) -> Result<Variables> {
        let (heads, key_dim, value_dim) = (self.heads, self.key_dim, self.value_dim);
        if heads == 0 || key_dim == 0 || value_dim == 0 {
            let got = format!("{heads} heads of {key_dim} and {value_dim} numbers");
            return Err(Error::new(ErrorKind::Argument, OP, "at least one head of at least one number", got));
        }
        let output = self.output.unwrap_or(query);
        let make = |what: &str, kernel: [usize; 3], bias: Shape| -> Result<Projection> {
            let name = |part: &str| format!("{}/{what}/{part}", self.name);
            let kernel = self.kernel.variable(name("kernel"), kernel.into(), dtype)?;
            let bias = match self.use_bias {
                true => Some(self.bias.variable(name("bias"), bias, dtype)?),
                false => None,
            };
            Ok(Projection { kernel, bias })
        };
        Ok(Variables([
            make("query", [query, heads, key_dim], [heads, key_dim].into())?,
            make("key", [key, heads, key_dim], [heads, key_dim].into())?,
            make("value", [value, heads, value_dim], [heads, value_dim].into())?,
            make("attention_output", [heads, value_dim, output], [output].into())?,
        ]))
    }
}

/// A mask `[batch, t, s]` for all heads.
fn heads_mask(mask: Option<&Tensor>) -> Result<Option<Tensor>> {
    mask.map(|mask| if mask.rank() == 3 { mask.expand_dims(1) } else { Ok(mask.clone()) }).transpose()
}

impl Layer for MultiHeadAttention {
    fn class_name(&self) -> &'static str {
        OP
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: String) {
        self.name = name;
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.call(x, false)
    }

    fn call(&self, x: &Tensor, training: bool) -> Result<Tensor> {
        self.attend(AttentionInputs::new(x, x), training)
    }

    fn variables(&self) -> Vec<Variable> {
        let built = self.variables.get();
        let projections = built.iter().flat_map(|v| &v.0);
        projections.flat_map(|p| [&p.kernel].into_iter().chain(&p.bias)).cloned().collect()
    }
}

impl fmt::Debug for MultiHeadAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(OP)
            .field("name", &self.name)
            .field("num_heads", &self.heads)
            .field("key_dim", &self.key_dim)
            .field("value_dim", &self.value_dim)
            .finish_non_exhaustive()
    }
}
