//! Convolutions, pooling and images: functions with windows.
use super::Function;
use crate::expression::object::{Arguments, Object};
use crate::runner::Failure;
use slalom_autograd::{ConvOptions, Interpolation, Padding, Tensor};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("dilate", |a| {
        let (w, rates) = (a.tensor("w")?, sizes(&a.take("rates")?)?);
        Ok(Object::Dilated(w, rates))
    }),
    ("tf.nn.conv1d", |a| conv(a, "stride", 1)),
    ("tf.nn.conv2d", |a| conv(a, "strides", 2)),
    ("tf.nn.conv3d", |a| conv(a, "strides", 3)),
    ("tf.nn.convolution", |a| conv(a, "strides", 0)),
    ("tf.nn.conv1d_transpose", |a| conv_transpose(a, 1)),
    ("tf.nn.conv2d_transpose", |a| conv_transpose(a, 2)),
    ("tf.nn.conv3d_transpose", |a| conv_transpose(a, 3)),
    ("tf.nn.depthwise_conv2d", |a| {
        let (x, w) = (a.tensor("input")?, a.tensor("filter")?);
        let options = options(a, "strides", 2)?;
        Ok(x.depthwise_conv(w, &options)?.into())
    }),
    ("tf.nn.separable_conv2d", |a| {
        let x = a.tensor("input")?;
        let (depthwise, pointwise) = (a.tensor("depthwise_filter")?, a.tensor("pointwise_filter")?);
        let options = options(a, "strides", 2)?;
        Ok(x.separable_conv(depthwise, pointwise, &options)?.into())
    }),
    ("tf.nn.max_pool1d", |a| pool(a, Tensor::max_pool)),
    ("tf.nn.max_pool2d", |a| pool(a, Tensor::max_pool)),
    ("tf.nn.max_pool3d", |a| pool(a, Tensor::max_pool)),
    ("tf.nn.avg_pool1d", |a| pool(a, Tensor::avg_pool)),
    ("tf.nn.avg_pool2d", |a| pool(a, Tensor::avg_pool)),
    ("tf.nn.avg_pool3d", |a| pool(a, Tensor::avg_pool)),
    ("tf.image.extract_patches", |a| {
        let x = a.tensor("images")?;
        let mut list = |name: &str| inner(sizes(&a.take(name)?)?, 2);
        let (size, strides, rates) = (list("sizes")?, list("strides")?, list("rates")?);
        Ok(x.extract_patches(&size, &strides, &rates, &padding(a, 2)?)?.into())
    }),
    ("tf.image.resize", |a| {
        let (x, size) = (a.tensor("images")?, sizes(&a.take("size")?)?);
        let interpolation = match a.optional("method") {
            None => Interpolation::Bilinear,
            Some(Object::Text(name)) if name == "bilinear" => Interpolation::Bilinear,
            Some(Object::Text(name)) if name == "nearest" => Interpolation::Nearest,
            Some(other) => return Err(format!("unknown method {other}").into()),
        };
        let [height, width] = size[..] else { return Err("a size is a height and a width".into()) };
        Ok(x.resize(2, width, interpolation)?.resize(1, height, interpolation)?.into())
    }),
];

/// Positive integers: one, or a list.
fn sizes(given: &Object) -> Result<Vec<usize>, Failure> {
    let all = given.integers()?;
    all.into_iter().map(|n| usize::try_from(n).map_err(|_| "a negative size".into())).collect()
}

/// Numbers for the spatial axes: without those for the batch and the channels, where they are given.
fn inner(mut all: Vec<usize>, spatial: usize) -> Result<Vec<usize>, Failure> {
    let has_ends = all.len() == spatial + 2 && spatial > 0;
    if has_ends && (all.remove(0) != 1 || all.pop() != Some(1)) {
        return Err("windows over the batch or the channels".into());
    }
    Ok(all)
}

/// `"SAME"`, `"VALID"`, or pairs for all axes.
fn padding(args: &mut Arguments, spatial: usize) -> Result<Padding, Failure> {
    match args.take("padding")? {
        Object::Text(name) if name == "SAME" => Ok(Padding::Same),
        Object::Text(name) if name == "VALID" => Ok(Padding::Valid),
        Object::List(pairs) => {
            let pair = |pair: &Object| {
                <[usize; 2]>::try_from(sizes(pair)?).map_err(|_| Failure::from("paddings are pairs"))
            };
            let pairs = pairs.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
            if pairs.len() != spatial + 2 || pairs[0] != [0, 0] || pairs[spatial + 1] != [0, 0] {
                return Err("paddings of the batch or the channels".into());
            }
            Ok(Padding::Explicit(pairs[1..=spatial].to_vec()))
        }
        other => Err(format!("unknown padding {other}").into()),
    }
}

/// Strides, padding and what follows them.
fn options(args: &mut Arguments, strides: &str, spatial: usize) -> Result<ConvOptions, Failure> {
    let strides = inner(sizes(&args.take(strides)?)?, spatial)?;
    let options = ConvOptions::new().strides(&strides).padding(padding(args, spatial)?);
    if let Some(format) = args.optional("data_format")
        && !matches!(&format, Object::Text(name) if name.ends_with('C'))
    {
        return Err(format!("unknown format {format}").into());
    }
    Ok(match args.optional("dilations") {
        None | Some(Object::None) => options,
        Some(dilations) => options.dilations(&inner(sizes(&dilations)?, spatial)?),
    })
}

/// `f(x, filters, strides, padding)`; what `dilate` and `grouped` say of the filters is slalom's dilation and groups.
fn conv(args: &mut Arguments, strides: &str, spatial: usize) -> Result<Object, Failure> {
    let (x, filters) = (args.tensor("input")?, args.take("filters")?);
    let groups = args.keyword("groups").map_or(Ok(1), |groups| groups.integer())?;
    let mut options = options(args, strides, spatial)?.groups(groups as usize);
    let filters = match filters {
        Object::Dilated(w, rates) => {
            options = options.dilations(&rates);
            w
        }
        other => other.tensor()?,
    };
    Ok(match spatial {
        1 => x.conv1d(filters, &options)?,
        2 => x.conv2d(filters, &options)?,
        3 => x.conv3d(filters, &options)?,
        _ => x.convolution(filters, &options)?,
    }
    .into())
}

fn conv_transpose(args: &mut Arguments, spatial: usize) -> Result<Object, Failure> {
    let (x, filters) = (args.tensor("input")?, args.tensor("filters")?);
    let shape = sizes(&args.take("output_shape")?)?;
    Ok(x.conv_transpose(filters, shape, &options(args, "strides", spatial)?)?.into())
}

type Pool = fn(&Tensor, &[usize], &[usize], &Padding) -> slalom_array::Result<Tensor>;

fn pool(args: &mut Arguments, op: Pool) -> Result<Object, Failure> {
    let x = args.tensor("input")?;
    let spatial = x.rank() - 2;
    let size = inner(sizes(&args.take("ksize")?)?, spatial)?;
    let strides = inner(sizes(&args.take("strides")?)?, spatial)?;
    Ok(op(&x, &size, &strides, &padding(args, spatial)?)?.into())
}
