//! `layers.json`: layers of Keras, their results and gradients.
//!
//! A layer is one line of [`LAYERS`]: from its arguments to the layer, without its weights, which are assigned after the
//! first call has made the variables.
mod sequences;

use crate::fields::Fields;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, compare_gradient, tensor};
use serde_json::Value;
use slalom_autograd::{GradientOptions, GradientTape, Interpolation, Padding, Tensor};
use slalom_nn::layers::*;
use slalom_nn::{Activation, Layer};

/// A pooling layer from its size, strides and padding.
macro_rules! pooling {
    ($layer:ident<$n:literal>, $kwargs:expr) => {{
        let layer = $layer::<$n>::new(lengths::<$n>($kwargs, "pool_size", 2)?).padding(padding($kwargs)?);
        match $kwargs.optional("strides") {
            None => Ok(Box::new(layer)),
            Some(_) => Ok(Box::new(layer.strides(lengths::<$n>($kwargs, "strides", 1)?))),
        }
    }};
}

/// A layer that pools whole axes.
macro_rules! global {
    ($layer:ident<$n:literal>, $kwargs:expr) => {
        Ok(Box::new($layer::<$n>::new().keep_dims($kwargs.flag("keepdims")?)))
    };
}

type Made = Result<Box<dyn Layer>, Failure>;
type Make = fn(&Fields<'_>) -> Made;

/// How each layer is made from its arguments.
const LAYERS: &[(&str, Make)] = &[
    ("AveragePooling1D", |k| pooling!(AveragePooling<1>, k)),
    ("AveragePooling2D", |k| pooling!(AveragePooling<2>, k)),
    ("AveragePooling3D", |k| pooling!(AveragePooling<3>, k)),
    ("Conv1D", |k| match k.optional("padding").and_then(Value::as_str) {
        Some("causal") => Ok(Box::new(conv::<1>(k, Padding::Valid)?.causal())),
        _ => Ok(Box::new(conv::<1>(k, padding(k)?)?)),
    }),
    ("Conv1DTranspose", |k| Ok(Box::new(conv_transpose::<1>(k)?))),
    ("Conv2D", |k| Ok(Box::new(conv::<2>(k, padding(k)?)?))),
    ("Conv2DTranspose", |k| Ok(Box::new(conv_transpose::<2>(k)?))),
    ("Conv3D", |k| Ok(Box::new(conv::<3>(k, padding(k)?)?))),
    ("Conv3DTranspose", |k| Ok(Box::new(conv_transpose::<3>(k)?))),
    ("Cropping1D", |k| Ok(Box::new(Cropping1D::new(margins::<1>(k, "cropping")?)))),
    ("Cropping2D", |k| Ok(Box::new(Cropping2D::new(margins::<2>(k, "cropping")?)))),
    ("Cropping3D", |k| Ok(Box::new(Cropping3D::new(margins::<3>(k, "cropping")?)))),
    ("Dense", |k| {
        Ok(Box::new(
            Dense::new(k.usize("units")?).activation(activation(k)?).use_bias(truth(k, "use_bias", true)?),
        ))
    }),
    ("DepthwiseConv1D", |k| Ok(Box::new(depthwise::<1>(k)?))),
    ("DepthwiseConv2D", |k| Ok(Box::new(depthwise::<2>(k)?))),
    ("Flatten", |_| Ok(Box::new(Flatten::new()))),
    ("GlobalAveragePooling1D", |k| global!(GlobalAveragePooling<1>, k)),
    ("GlobalAveragePooling2D", |k| global!(GlobalAveragePooling<2>, k)),
    ("GlobalAveragePooling3D", |k| global!(GlobalAveragePooling<3>, k)),
    ("GlobalMaxPooling1D", |k| global!(GlobalMaxPooling<1>, k)),
    ("GlobalMaxPooling2D", |k| global!(GlobalMaxPooling<2>, k)),
    ("GlobalMaxPooling3D", |k| global!(GlobalMaxPooling<3>, k)),
    ("MaxPooling1D", |k| pooling!(MaxPooling<1>, k)),
    ("MaxPooling2D", |k| pooling!(MaxPooling<2>, k)),
    ("MaxPooling3D", |k| pooling!(MaxPooling<3>, k)),
    ("Permute", |k| Ok(Box::new(Permute::new(&counts(k.get("dims")?)?)))),
    ("RepeatVector", |k| Ok(Box::new(RepeatVector::new(k.usize("n")?)))),
    ("Reshape", |k| Ok(Box::new(Reshape::new(&integers(k.get("target_shape")?)?)))),
    ("SeparableConv1D", |k| Ok(Box::new(separable::<1>(k)?))),
    ("SeparableConv2D", |k| Ok(Box::new(separable::<2>(k)?))),
    ("UpSampling1D", |k| Ok(Box::new(up_sampling::<1>(k)?))),
    ("UpSampling2D", |k| Ok(Box::new(up_sampling::<2>(k)?))),
    ("UpSampling3D", |k| Ok(Box::new(up_sampling::<3>(k)?))),
    ("ZeroPadding1D", |k| Ok(Box::new(ZeroPadding1D::new(margins::<1>(k, "padding")?)))),
    ("ZeroPadding2D", |k| Ok(Box::new(ZeroPadding2D::new(margins::<2>(k, "padding")?)))),
    ("ZeroPadding3D", |k| Ok(Box::new(ZeroPadding3D::new(margins::<3>(k, "padding")?)))),
];

/// Whether there is a layer of this name, for the table of what is not built.
pub(crate) fn knows(name: &str) -> bool {
    LAYERS.iter().any(|(known, _)| *known == name) || sequences::knows(name)
}

/// The layer, and what a case asks for beyond its result and gradients.
pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    let layer = case.fields.str("layer")?;
    let kwargs = case.fields.object("kwargs")?;
    let mut required = vec![layer.to_owned()];
    required.extend(
        kwargs.entries().filter(|(key, _)| key.ends_with("_regularizer")).map(|_| "regularizers".into()),
    );
    let carried = ["mask", "initial_state"].into_iter().filter(|key| case.fields.optional(key).is_some());
    if !sequences::knows(layer) {
        required.extend(carried.map(String::from));
    }
    required.extend(case.fields.object("call")?.entries().map(|(key, _)| format!("call({key})")));
    Ok(required)
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let name = case.fields.str("layer")?;
    let kwargs = case.fields.object("kwargs")?;
    let made: Box<dyn Called> = match LAYERS.iter().find(|(known, _)| *known == name) {
        Some((_, make)) => {
            case.fields.object("call")?.finish()?;
            Box::new(make(&kwargs)?)
        }
        None => sequences::make(name, &kwargs, case)?,
    };
    kwargs.finish()?;
    let inputs = case.fields.list("inputs")?.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    made.call(&inputs)?;
    let layer = made.layer();
    assign(layer, case.fields.list("weights")?)?;
    for earlier in list(case, "earlier_training_inputs") {
        layer.call(&tensor(earlier)?, true)?;
    }

    let tape = GradientTape::persistent();
    let x: Vec<Tensor> = inputs.iter().map(|input| tape.watch(input)).collect();
    let y = made.call(&x)?;
    let (want, upstream) = (case.fields.list("output")?, case.fields.list("upstream")?);
    if y.len() != want.len() {
        return Err(format!("{} outputs, want {}", y.len(), want.len()).into());
    }
    for (y, want) in y.iter().zip(want) {
        compare("output", y, &tensor(want)?, case.tolerance)?;
    }
    let upstream = upstream.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
    let options = GradientOptions::new().output_gradients(upstream);
    for (gradient, want) in tape.gradient_with(&y, &x, &options)?.iter().zip(case.fields.list("input_grads")?)
    {
        compare_gradient("input gradient", gradient.as_ref(), want, case.tolerance)?;
    }
    let want: Vec<&Value> = case.fields.list("weight_grads")?.iter().collect();
    let variables = layer.variables();
    let gradients = tape.gradient_with(&y, &variables, &options)?;
    if gradients.len() != want.len() {
        return Err(format!("{} weights, want {}", gradients.len(), want.len()).into());
    }
    for ((gradient, want), variable) in gradients.iter().zip(want).zip(&variables) {
        compare_gradient(variable.name(), gradient.as_ref(), want, case.tolerance)?;
    }
    for (variable, want) in variables.iter().zip(list(case, "weights_after")) {
        compare(variable.name(), &variable.array().into(), &tensor(want)?, case.tolerance)?;
    }
    Ok(())
}

/// A layer, and how a case calls it.
trait Called {
    fn layer(&self) -> &dyn Layer;
    fn call(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure>;
}

/// A layer of one input and one output.
impl Called for Box<dyn Layer> {
    fn layer(&self) -> &dyn Layer {
        &**self
    }
    fn call(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        let [input] = inputs else { return Err("several inputs".into()) };
        Ok(vec![self.forward(input)?])
    }
}

/// A list of the case; an absent one is empty.
fn list<'a>(case: &Case<'a>, key: &str) -> &'a [Value] {
    case.fields.optional(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Gives the variables the weights of the case, which are in the same order.
fn assign(layer: &dyn Layer, weights: &[Value]) -> Result<(), Failure> {
    let variables = layer.variables();
    if variables.len() != weights.len() {
        return Err(format!("{} weights, want {}", variables.len(), weights.len()).into());
    }
    for (variable, weight) in variables.iter().zip(weights) {
        let fields = Fields::new(weight, "weight")?;
        let name = fields.str("name")?;
        if !variable.name().ends_with(&format!("/{name}")) {
            return Err(format!("a weight {}, want {name}", variable.name()).into());
        }
        if variable.is_trainable() != truth(&fields, "trainable", true)? {
            return Err(format!("{name}: trainable is {}", variable.is_trainable()).into());
        }
        variable.assign(tensor(fields.get("value")?)?)?;
        fields.finish()?;
    }
    Ok(())
}

/// A truth value; `default` where it is absent.
fn truth(fields: &Fields<'_>, key: &str, default: bool) -> Result<bool, Failure> {
    let Some(value) = fields.optional(key) else { return Ok(default) };
    value.as_bool().ok_or_else(|| format!("{key} is no truth value").into())
}

fn activation(kwargs: &Fields<'_>) -> Result<Activation, Failure> {
    match kwargs.optional("activation").and_then(Value::as_str) {
        None => Ok(Activation::Linear),
        Some(name) => Ok(Activation::from_name(name)?),
    }
}

/// `"valid"` (the default) or `"same"`.
fn padding(kwargs: &Fields<'_>) -> Result<Padding, Failure> {
    match kwargs.optional("padding").and_then(Value::as_str) {
        None | Some("valid") => Ok(Padding::Valid),
        Some("same") => Ok(Padding::Same),
        Some(other) => Err(format!("unknown padding {other}").into()),
    }
}

fn integers(value: &Value) -> Result<Vec<isize>, Failure> {
    let list = value.as_array().ok_or_else(|| format!("not a list: {value}"))?;
    list.iter()
        .map(|n| n.as_i64().map(|n| n as isize).ok_or_else(|| format!("no integer: {n}").into()))
        .collect()
}

/// One number, or a list.
fn counts(value: &Value) -> Result<Vec<usize>, Failure> {
    if let Some(n) = value.as_u64() {
        return Ok(vec![n as usize]);
    }
    integers(value)?.into_iter().map(|n| usize::try_from(n).map_err(|_| "a negative number".into())).collect()
}

/// One number for each of `N` axes.
fn lengths<const N: usize>(kwargs: &Fields<'_>, key: &str, default: usize) -> Result<[usize; N], Failure> {
    let Some(value) = kwargs.optional(key) else { return Ok([default; N]) };
    match counts(value)?[..] {
        [n] => Ok([n; N]),
        ref all => all.try_into().map_err(|_| format!("{key}: not {N} numbers").into()),
    }
}

/// One number for all ends of axes, one for each axis, or a pair for each; for one axis a pair is that axis's.
fn margins<const N: usize>(kwargs: &Fields<'_>, key: &str) -> Result<[[usize; 2]; N], Failure> {
    let value = kwargs.get(key)?;
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    let pairs = match items {
        [] => vec![[value.as_u64().ok_or("no number")? as usize; 2]; N],
        [_, _] if N == 1 => vec![counts(value)?.try_into().map_err(|_| "no pair")?],
        _ => {
            let pair = |item: &Value| match counts(item)?[..] {
                [n] => Ok([n; 2]),
                [before, after] => Ok([before, after]),
                _ => Err(Failure::from("no pair")),
            };
            items.iter().map(pair).collect::<Result<Vec<_>, _>>()?
        }
    };
    pairs.try_into().map_err(|_| format!("{key}: not {N} pairs").into())
}

fn conv<const N: usize>(k: &Fields<'_>, padding: Padding) -> Result<Conv<N>, Failure> {
    Ok(Conv::new(k.usize("filters")?, lengths::<N>(k, "kernel_size", 1)?)
        .strides(lengths::<N>(k, "strides", 1)?)
        .dilation_rate(lengths::<N>(k, "dilation_rate", 1)?)
        .padding(padding)
        .groups(k.optional("groups").and_then(Value::as_u64).unwrap_or(1) as usize)
        .activation(activation(k)?)
        .use_bias(truth(k, "use_bias", true)?))
}

fn conv_transpose<const N: usize>(k: &Fields<'_>) -> Result<ConvTranspose<N>, Failure> {
    let layer = ConvTranspose::new(k.usize("filters")?, lengths::<N>(k, "kernel_size", 1)?)
        .strides(lengths::<N>(k, "strides", 1)?)
        .dilation_rate(lengths::<N>(k, "dilation_rate", 1)?)
        .padding(padding(k)?)
        .activation(activation(k)?)
        .use_bias(truth(k, "use_bias", true)?);
    Ok(match k.optional("output_padding") {
        None => layer,
        Some(_) => layer.output_padding(lengths::<N>(k, "output_padding", 0)?),
    })
}

fn depthwise<const N: usize>(k: &Fields<'_>) -> Result<DepthwiseConv<N>, Failure> {
    Ok(DepthwiseConv::new(lengths::<N>(k, "kernel_size", 1)?)
        .strides(lengths::<N>(k, "strides", 1)?)
        .dilation_rate(lengths::<N>(k, "dilation_rate", 1)?)
        .padding(padding(k)?)
        .depth_multiplier(k.optional("depth_multiplier").and_then(Value::as_u64).unwrap_or(1) as usize)
        .activation(activation(k)?)
        .use_bias(truth(k, "use_bias", true)?))
}

fn separable<const N: usize>(k: &Fields<'_>) -> Result<SeparableConv<N>, Failure> {
    Ok(SeparableConv::new(k.usize("filters")?, lengths::<N>(k, "kernel_size", 1)?)
        .strides(lengths::<N>(k, "strides", 1)?)
        .dilation_rate(lengths::<N>(k, "dilation_rate", 1)?)
        .padding(padding(k)?)
        .depth_multiplier(k.optional("depth_multiplier").and_then(Value::as_u64).unwrap_or(1) as usize)
        .activation(activation(k)?)
        .use_bias(truth(k, "use_bias", true)?))
}

fn up_sampling<const N: usize>(k: &Fields<'_>) -> Result<UpSampling<N>, Failure> {
    let interpolation = match k.optional("interpolation").and_then(Value::as_str) {
        None | Some("nearest") => Interpolation::Nearest,
        Some("bilinear") => Interpolation::Bilinear,
        Some(other) => return Err(format!("unknown interpolation {other}").into()),
    };
    Ok(UpSampling::new(lengths::<N>(k, "size", 2)?).interpolation(interpolation))
}
