//! Layers that are called with more than one tensor or differently in training, and those without a window.
use super::{Called, activation, list, truth};
use crate::fields::Fields;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::Value;
use slalom_autograd::Tensor;
use slalom_nn::layers::*;
use slalom_nn::{Activation, Layer};

/// A recurrent layer with the options that all have.
macro_rules! recurrent {
    ($layer:expr, $kwargs:expr, $case:expr) => {{
        let (kwargs, case) = ($kwargs, $case);
        let function = match kwargs.optional("activation") {
            None => Activation::Tanh,
            Some(_) => activation(kwargs)?,
        };
        let layer = $layer
            .activation(function)
            .use_bias(truth(kwargs, "use_bias", true)?)
            .return_sequences(kwargs.flag("return_sequences")?)
            .go_backwards(kwargs.flag("go_backwards")?)
            .zero_output_for_mask(kwargs.flag("zero_output_for_mask")?);
        case.fields.object("call")?.finish()?;
        let return_state = kwargs.flag("return_state")?;
        let mask = case.fields.optional("mask").map(tensor).transpose()?;
        // A layer hands on the mask that it was given.
        if let (Some(mask), Some(want)) = (&mask, case.fields.optional("output_mask")) {
            compare("output mask", mask, &tensor(want)?, case.tolerance)?;
        }
        let initial = list(case, "initial_state").iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
        called(layer, move |layer, x| {
            let initial = (!initial.is_empty()).then_some(&initial[..]);
            let result = layer.sequence(&x[0], mask.as_ref(), initial)?;
            let states = if return_state { result.states } else { Vec::new() };
            Ok([vec![result.output], states].concat())
        })
    }};
}
type Made = Result<Box<dyn Called>, Failure>;

type Make = fn(&Fields<'_>, &Case<'_>) -> Made;

/// How each layer is made and called, from its arguments and the case.
const LAYERS: &[(&str, Make)] = &[
    ("BatchNormalization", |k, case| {
        let layer = BatchNormalization::new()
            .axis(k.number_or("axis", -1.0)? as isize)
            .momentum(k.number_or("momentum", 0.99)?)
            .epsilon(k.number_or("epsilon", 1e-3)?)
            .center(truth(k, "center", true)?)
            .scale(truth(k, "scale", true)?)
            .trainable(truth(k, "trainable", true)?);
        in_mode(layer, case)
    }),
    ("Dropout", |k, case| in_mode(Dropout::new(k.number("rate")?), case)),
    ("ELU", |k, case| in_mode(ELU::new().alpha(k.number_or("alpha", 1.0)?), case)),
    ("Embedding", embedding),
    ("GRU", |k, case| {
        recurrent!(GRU::new(k.usize("units")?).reset_after(truth(k, "reset_after", true)?), k, case)
    }),
    ("GroupNormalization", |k, case| {
        let layer = GroupNormalization::new(k.number_or("groups", 32.0)? as isize)
            .axis(k.number_or("axis", -1.0)? as isize)
            .epsilon(k.number_or("epsilon", 1e-3)?);
        in_mode(layer, case)
    }),
    ("LSTM", |k, case| {
        let gates = match k.optional("recurrent_activation").and_then(Value::as_str) {
            None => Activation::Sigmoid,
            Some(name) => Activation::from_name(name)?,
        };
        recurrent!(LSTM::new(k.usize("units")?).recurrent_activation(gates), k, case)
    }),
    ("LayerNormalization", |k, case| {
        let axes = k.optional("axis").map_or(Ok(vec![-1]), axes)?;
        let layer = LayerNormalization::new()
            .axis(&axes)
            .epsilon(k.number_or("epsilon", 1e-3)?)
            .center(truth(k, "center", true)?)
            .scale(truth(k, "scale", true)?);
        in_mode(layer, case)
    }),
    ("LeakyReLU", |k, case| in_mode(LeakyReLU::new().alpha(k.number_or("alpha", 0.3)?), case)),
    ("MultiHeadAttention", attention),
    ("PReLU", |k, case| {
        let axes = k.optional("shared_axes").map_or(Ok(Vec::new()), axes)?;
        let axes: Vec<usize> = axes.into_iter().map(|axis| axis as usize).collect();
        in_mode(PReLU::new().shared_axes(&axes), case)
    }),
    ("ReLU", |k, case| {
        let layer = ReLU::new()
            .max_value(k.optional("max_value").and_then(Value::as_f64))
            .negative_slope(k.number_or("negative_slope", 0.0)?)
            .threshold(k.number_or("threshold", 0.0)?);
        in_mode(layer, case)
    }),
    ("SimpleRNN", |k, case| recurrent!(SimpleRNN::new(k.usize("units")?), k, case)),
    ("Softmax", |k, case| in_mode(Softmax::new().axis(k.number_or("axis", -1.0)? as isize), case)),
    ("ThresholdedReLU", |k, case| in_mode(ThresholdedReLU::new().theta(k.number_or("theta", 1.0)?), case)),
    ("UnitNormalization", |k, case| {
        in_mode(UnitNormalization::new().axis(k.number_or("axis", -1.0)? as isize), case)
    }),
];

/// Whether there is a layer of this name.
pub(super) fn knows(name: &str) -> bool {
    LAYERS.iter().any(|(known, _)| *known == name)
}

/// The layer of a case.
pub(super) fn make(name: &str, kwargs: &Fields<'_>, case: &Case<'_>) -> Made {
    let make =
        LAYERS.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("unknown layer {name}"))?.1;
    make(kwargs, case)
}

/// A layer, and a function of it and the inputs.
struct With<L, F>(L, F);

impl<L: Layer, F: Fn(&L, &[Tensor]) -> Result<Vec<Tensor>, Failure>> Called for With<L, F> {
    fn layer(&self) -> &dyn Layer {
        &self.0
    }
    fn call(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        self.1(&self.0, inputs)
    }
}

fn called<L: Layer + 'static>(
    layer: L,
    call: impl Fn(&L, &[Tensor]) -> Result<Vec<Tensor>, Failure> + 'static,
) -> Made {
    Ok(Box::new(With(layer, call)))
}

/// A layer of one input, in training if the case says so.
fn in_mode<L: Layer + 'static>(layer: L, case: &Case<'_>) -> Made {
    let call = case.fields.object("call")?;
    let training = call.flag("training")?;
    call.finish()?;
    called(layer, move |layer, x| Ok(vec![layer.call(&x[0], training)?]))
}

fn embedding(kwargs: &Fields<'_>, case: &Case<'_>) -> Made {
    let dtype = tensor(&case.fields.list("output")?[0])?.dtype();
    let layer = Embedding::new(kwargs.usize("input_dim")?, kwargs.usize("output_dim")?)
        .dtype(dtype)
        .mask_zero(kwargs.flag("mask_zero")?);
    if case.fields.list("sparse_weight_grads")?.len() != 1 {
        return Err("an embedding without a sparse gradient".into());
    }
    let (want, tolerance) = (case.fields.optional("output_mask").map(tensor).transpose()?, case.tolerance);
    called(layer, move |layer, x| {
        match (layer.compute_mask(&x[0])?, &want) {
            (None, None) => {}
            (Some(mask), Some(want)) => compare("output mask", &mask, want, tolerance)?,
            (mask, _) => return Err(format!("a mask: {}", mask.is_some()).into()),
        }
        Ok(vec![layer.forward(&x[0])?])
    })
}

fn attention(kwargs: &Fields<'_>, case: &Case<'_>) -> Made {
    let call = case.fields.object("call")?;
    let mut layer = MultiHeadAttention::new(kwargs.usize("num_heads")?, kwargs.usize("key_dim")?)
        .use_bias(truth(kwargs, "use_bias", true)?)
        .use_causal_mask(call.flag("use_causal_mask")?);
    if let Some(value_dim) = kwargs.optional("value_dim").and_then(Value::as_u64) {
        layer = layer.value_dim(value_dim as usize);
    }
    if let Some(output) = kwargs.optional("output_shape").and_then(Value::as_u64) {
        layer = layer.output_shape(output as usize);
    }
    let mask = call.optional("attention_mask").map(mask).transpose()?;
    let with_scores = call.flag("return_attention_scores")?;
    call.finish()?;
    called(layer, move |layer, x| {
        let inputs =
            AttentionInputs { key: x.get(2), mask: mask.as_ref(), ..AttentionInputs::new(&x[0], &x[1]) };
        if !with_scores {
            return Ok(vec![layer.attend(inputs, false)?]);
        }
        let (y, scores) = layer.attend_with_scores(inputs, false)?;
        Ok(vec![y, scores])
    })
}

/// Truth values in nested lists `[batch, t, s]`.
fn mask(value: &Value) -> Result<Tensor, Failure> {
    let items = |value: &Value| value.as_array().cloned().ok_or_else(|| format!("not a list: {value}"));
    let (mut shape, mut level) = (Vec::new(), vec![value.clone()]);
    for _ in 0..3 {
        let lists = level.iter().map(items).collect::<Result<Vec<_>, _>>()?;
        shape.push(lists.first().map_or(0, Vec::len));
        level = lists.concat();
    }
    let bits = level.iter().map(|bit| bit.as_bool().ok_or_else(|| format!("no truth value: {bit}")));
    Ok(Tensor::from_vec(shape, bits.collect::<Result<Vec<_>, _>>()?)?)
}

/// One axis, or a list.
fn axes(value: &Value) -> Result<Vec<isize>, Failure> {
    match value.as_i64() {
        Some(axis) => Ok(vec![axis as isize]),
        None => super::integers(value),
    }
}
