//! Layers that move, repeat or leave out elements.
use super::axes::{Lengths, Margins, by_rank};
use super::conv::channels;
use crate::Layer;
use slalom_array::{Error, ErrorKind, Result, Shape};
use slalom_autograd::{Interpolation, Tensor};
use slalom_variable::Variable;

/// Names a layer without variables, and makes it a [`Layer`]: `$forward` is its function.
macro_rules! plain_layer {
    ($layer:ident $(<const $n:ident>)?, $class:expr, $forward:expr) => {
        impl $(<const $n: usize>)? $layer $(<$n>)? {
            /// The same layer under another name than that of its class.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }
        }

        impl $(<const $n: usize>)? Layer for $layer $(<$n>)? {
            fn class_name(&self) -> &'static str {
                $class
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn rename(&mut self, name: String) {
                self.name = name;
            }

            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                let forward: fn(&Self, &Tensor) -> Result<Tensor> = $forward;
                forward(self, x)
            }

            fn variables(&self) -> Vec<Variable> {
                Vec::new()
            }
        }
    };
}

/// All axes but the batch as one (`tf.keras.layers.Flatten`): `[batch, elements]`.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input is a scalar.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Flatten};
/// let x = Tensor::ones([2, 3, 4], DType::F32)?;
/// assert_eq!(Flatten::new().forward(&x)?.shape()[..], [2, 12]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Flatten {
    name: String,
}

impl Flatten {
    /// The layer; it has no options.
    pub fn new() -> Flatten {
        Flatten { name: "flatten".to_owned() }
    }
}

impl Default for Flatten {
    fn default() -> Flatten {
        Flatten::new()
    }
}

plain_layer!(Flatten, "Flatten", |layer, x| {
    let rest: usize = batched(layer, x)?.iter().product();
    x.reshape([x.shape()[0], rest])
});

/// The lengths of the axes without the batch.
fn batched<'a>(layer: &dyn Layer, x: &'a Tensor) -> Result<&'a [usize]> {
    match &x.shape()[..] {
        [_, rest @ ..] => Ok(rest),
        [] => Err(Error::new(ErrorKind::Shape, layer.class_name(), "an input with a batch axis", x.shape())),
    }
}

/// The elements of each batch entry in another shape (`tf.keras.layers.Reshape`). One length may be -1: what is left.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the number of elements is another; [`ErrorKind::Argument`], if
/// more than one length is negative.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Reshape};
/// let x = Tensor::ones([2, 6], DType::F32)?;
/// assert_eq!(Reshape::new(&[3, -1]).forward(&x)?.shape()[..], [2, 3, 2]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Reshape {
    name: String,
    target_shape: Vec<isize>,
}

impl Reshape {
    /// To this shape, the batch left out.
    pub fn new(target_shape: &[isize]) -> Reshape {
        Reshape { name: "reshape".to_owned(), target_shape: target_shape.to_vec() }
    }
}

plain_layer!(Reshape, "Reshape", |layer, x| {
    let elements: usize = batched(layer, x)?.iter().product();
    let known: usize = layer.target_shape.iter().filter(|&&n| n >= 0).map(|&n| n as usize).product();
    if layer.target_shape.iter().filter(|&&n| n < 0).count() > 1 {
        let got = format!("{:?}", layer.target_shape);
        return Err(Error::new(ErrorKind::Argument, "Reshape", "at most one length of -1", got));
    }
    let length = |&n: &isize| if n < 0 { elements / known.max(1) } else { n as usize };
    let shape: Shape = [x.shape()[0]].into_iter().chain(layer.target_shape.iter().map(length)).collect();
    x.reshape(shape)
});

/// The axes in another order (`tf.keras.layers.Permute`): axis `i` of the result is axis `dims[i - 1]` of the input; the
/// batch is axis 0 and stays.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if `dims` are not the numbers from 1 to the number of axes.
///
/// ```
/// use slalom_array::DType;
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Permute};
/// let x = Tensor::ones([2, 3, 4], DType::F32)?;
/// assert_eq!(Permute::new(&[2, 1]).forward(&x)?.shape()[..], [2, 4, 3]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Permute {
    name: String,
    dims: Vec<usize>,
}

impl Permute {
    /// The axes, counted from 1, in their new order.
    pub fn new(dims: &[usize]) -> Permute {
        Permute { name: "permute".to_owned(), dims: dims.to_vec() }
    }
}

plain_layer!(Permute, "Permute", |layer, x| {
    let axes: Vec<usize> = [0].into_iter().chain(layer.dims.iter().copied()).collect();
    x.transpose(&axes)
});

/// Each row so many times (`tf.keras.layers.RepeatVector`): `[batch, n, features]` from `[batch, features]`.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input has not two axes.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::RepeatVector};
/// let x = Tensor::from_vec([1, 2], vec![1.0f32, 2.0])?;
/// assert_eq!(RepeatVector::new(2).forward(&x)?.to_vec::<f32>()?, [1.0, 2.0, 1.0, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct RepeatVector {
    name: String,
    n: usize,
}

impl RepeatVector {
    /// Each row `n` times.
    pub fn new(n: usize) -> RepeatVector {
        RepeatVector { name: "repeat_vector".to_owned(), n }
    }
}

plain_layer!(RepeatVector, "RepeatVector", |layer, x| {
    let [batch, features] = x.shape()[..] else {
        let expected = "an input [batch, features]";
        return Err(Error::new(ErrorKind::Shape, "RepeatVector", expected, x.shape()));
    };
    x.expand_dims(1)?.broadcast_to([batch, layer.n, features])
});

/// Zeros around `N` spatial axes (`tf.keras.layers.ZeroPadding1D`, `ZeroPadding2D`, `ZeroPadding3D`).
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input is not `[batch, spatial axes.., channels]`.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::ZeroPadding1D};
/// let x = Tensor::from_vec([1, 2, 1], vec![1.0f32, 2.0])?;
/// assert_eq!(ZeroPadding1D::new([[0, 1]]).forward(&x)?.to_vec::<f32>()?, [1.0, 2.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct ZeroPadding<const N: usize> {
    name: String,
    margins: [[usize; 2]; N],
}

/// Zeros around one axis: inputs `[batch, length, channels]`.
pub type ZeroPadding1D = ZeroPadding<1>;
/// Zeros around two axes: inputs `[batch, height, width, channels]`.
pub type ZeroPadding2D = ZeroPadding<2>;
/// Zeros around three axes: inputs `[batch, depth, height, width, channels]`.
pub type ZeroPadding3D = ZeroPadding<3>;

impl<const N: usize> ZeroPadding<N> {
    /// So many zeros: `[[before, after]; N]`, one number for both ends of each axis, or one for all.
    pub fn new(padding: impl Margins<N>) -> ZeroPadding<N> {
        let name = by_rank::<N>(["zero_padding1d", "zero_padding2d", "zero_padding3d"]);
        ZeroPadding { name: name.to_owned(), margins: padding.margins() }
    }
}

plain_layer!(
    ZeroPadding<const N>,
    by_rank::<N>(["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]),
    |layer, x| {
        channels::<N>(layer.class_name(), x)?;
        x.pad(&[&[[0, 0]], &layer.margins[..], &[[0, 0]]].concat(), 0.0)
    }
);

/// The inner part of `N` spatial axes (`tf.keras.layers.Cropping1D`, `Cropping2D`, `Cropping3D`).
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input is not `[batch, spatial axes.., channels]`, or if an axis is
/// shorter than what is cut off.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::Cropping1D};
/// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 2.0, 3.0])?;
/// assert_eq!(Cropping1D::new(1).forward(&x)?.to_vec::<f32>()?, [2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct Cropping<const N: usize> {
    name: String,
    margins: [[usize; 2]; N],
}

/// The inner part of one axis: inputs `[batch, length, channels]`.
pub type Cropping1D = Cropping<1>;
/// The inner part of two axes: inputs `[batch, height, width, channels]`.
pub type Cropping2D = Cropping<2>;
/// The inner part of three axes: inputs `[batch, depth, height, width, channels]`.
pub type Cropping3D = Cropping<3>;

impl<const N: usize> Cropping<N> {
    /// Without so many elements: `[[before, after]; N]`, one number for both ends of each axis, or one for all.
    pub fn new(cropping: impl Margins<N>) -> Cropping<N> {
        let name = by_rank::<N>(["cropping1d", "cropping2d", "cropping3d"]);
        Cropping { name: name.to_owned(), margins: cropping.margins() }
    }
}

plain_layer!(
    Cropping<const N>,
    by_rank::<N>(["Cropping1D", "Cropping2D", "Cropping3D"]),
    |layer, x| {
        channels::<N>(layer.class_name(), x)?;
        let mut y = x.clone();
        for (i, &[before, after]) in layer.margins.iter().enumerate() {
            let n = x.shape()[i + 1];
            let Some(length) = n.checked_sub(before.saturating_add(after)) else {
                let expected = format!("at least {before} + {after} elements along axis {}", i + 1);
                return Err(Error::new(ErrorKind::Shape, layer.class_name(), expected, x.shape()));
            };
            y = y.slice(i as isize + 1, before, length)?;
        }
        Ok(y)
    }
);

/// More elements along `N` spatial axes (`tf.keras.layers.UpSampling1D`, `UpSampling2D`, `UpSampling3D`): each one repeated, or
/// interpolated between neighbours.
///
/// # Errors
/// [`forward`](Layer::forward): [`ErrorKind::Shape`], if the input is not `[batch, spatial axes.., channels]`;
/// [`ErrorKind::DType`], if its elements are not floating-point numbers.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_nn::{Layer, layers::UpSampling1D};
/// let x = Tensor::from_vec([1, 2, 1], vec![1.0f32, 2.0])?;
/// assert_eq!(UpSampling1D::new(2).forward(&x)?.to_vec::<f32>()?, [1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
pub struct UpSampling<const N: usize> {
    name: String,
    size: [usize; N],
    interpolation: Interpolation,
}

/// More elements along one axis: inputs `[batch, length, channels]`.
pub type UpSampling1D = UpSampling<1>;
/// More elements along two axes: inputs `[batch, height, width, channels]`.
pub type UpSampling2D = UpSampling<2>;
/// More elements along three axes: inputs `[batch, depth, height, width, channels]`.
pub type UpSampling3D = UpSampling<3>;

impl<const N: usize> UpSampling<N> {
    /// So many times as many elements: one number for all axes, or one for each.
    pub fn new(size: impl Lengths<N>) -> UpSampling<N> {
        let name = by_rank::<N>(["up_sampling1d", "up_sampling2d", "up_sampling3d"]);
        UpSampling { name: name.to_owned(), size: size.lengths(), interpolation: Interpolation::Nearest }
    }

    /// With new elements found so; the nearest by default, which repeats each.
    #[must_use]
    pub fn interpolation(mut self, interpolation: Interpolation) -> UpSampling<N> {
        self.interpolation = interpolation;
        self
    }
}

plain_layer!(
    UpSampling<const N>,
    by_rank::<N>(["UpSampling1D", "UpSampling2D", "UpSampling3D"]),
    |layer, x| {
        channels::<N>(layer.class_name(), x)?;
        let mut y = x.clone();
        for axis in (1..=N).rev() {
            y = y.resize(axis as isize, x.shape()[axis] * layer.size[axis - 1], layer.interpolation)?;
        }
        Ok(y)
    }
);
