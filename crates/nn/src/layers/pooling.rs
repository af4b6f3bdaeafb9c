//! Pooling layers.
use super::axes::{Lengths, by_rank, spatial};
use super::conv::channels;
use crate::Layer;
use slalom_array::{Padding, Result};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use std::fmt;

/// How windows move.
#[derive(Debug)]
struct Window<const N: usize> {
    size: [usize; N],
    /// The size, where none are given.
    strides: Option<[usize; N]>,
    padding: Padding,
}

/// A layer without variables that pools: its type, its aliases, its options, and how it is a [`Layer`].
macro_rules! pooling {
    ($(#[$doc:meta])* $layer:ident, $op:ident, $what:literal, $classes:expr, $names:expr, [$($(#[$alias_doc:meta])* $alias:ident = $n:literal),*]) => {
        $(#[$doc])*
        pub struct $layer<const N: usize> {
            name: String,
            window: Window<N>,
        }
        $(
            $(#[$alias_doc])*
            pub type $alias = $layer<$n>;
        )*

        impl<const N: usize> $layer<N> {
            #[doc = concat!("The ", $what, " under windows of this size: one number for all axes, or one for each.")]
            pub fn new(pool_size: impl Lengths<N>) -> Self {
                let window = Window { size: pool_size.lengths(), strides: None, padding: Padding::Valid };
                $layer { name: by_rank::<N>($names).to_owned(), window }
            }

            /// The same layer under another name than that of its class.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }

            /// With these steps between windows; by default windows lie side by side.
            #[must_use]
            pub fn strides(mut self, strides: impl Lengths<N>) -> Self {
                self.window.strides = Some(strides.lengths());
                self
            }

            /// With padding around the input, whose cells do not count; none by default.
            #[must_use]
            pub fn padding(mut self, padding: Padding) -> Self {
                self.window.padding = padding;
                self
            }
        }

        impl<const N: usize> Default for $layer<N> {
            /// Windows of two cells along each axis.
            fn default() -> Self {
                $layer::new(2)
            }
        }

        impl<const N: usize> Layer for $layer<N> {
            fn class_name(&self) -> &'static str {
                by_rank::<N>($classes)
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn rename(&mut self, name: String) {
                self.name = name;
            }

            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                channels::<N>(self.class_name(), x)?;
                let Window { size, strides, padding } = &self.window;
                x.$op(size, strides.as_ref().unwrap_or(size), padding)
            }

            fn variables(&self) -> Vec<Variable> {
                Vec::new()
            }
        }

        impl<const N: usize> fmt::Debug for $layer<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(self.class_name()).field("name", &self.name).field("window", &self.window).finish()
            }
        }
    };
}

pooling!(
    /// The largest element under each window over `N` spatial axes, for each channel
    /// (`tf.keras.layers.MaxPooling1D`, `MaxPooling2D`, `MaxPooling3D`).
    ///
    /// # Errors
    /// [`forward`](Layer::forward): those of [`Tensor::max_pool`].
    ///
    /// ```
    /// use slalom_array::DType;
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::MaxPooling2D};
    /// let x = Tensor::ones([1, 5, 4, 3], DType::F32)?;
    /// assert_eq!(MaxPooling2D::new(2).forward(&x)?.shape()[..], [1, 2, 2, 3]);
    /// assert_eq!(MaxPooling2D::new([1, 4]).strides(1).forward(&x)?.shape()[..], [1, 5, 1, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    MaxPooling, max_pool, "largest element",
    ["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"],
    ["max_pooling1d", "max_pooling2d", "max_pooling3d"],
    [
        /// The largest element under windows over one axis: inputs `[batch, length, channels]`.
        MaxPooling1D = 1,
        /// The largest element under windows over two axes: inputs `[batch, height, width, channels]`.
        MaxPooling2D = 2,
        /// The largest element under windows over three axes: inputs `[batch, depth, height, width, channels]`.
        MaxPooling3D = 3
    ]
);

pooling!(
    /// The mean of the elements under each window over `N` spatial axes, for each channel
    /// (`tf.keras.layers.AveragePooling1D`, `AveragePooling2D`, `AveragePooling3D`).
    ///
    /// # Errors
    /// [`forward`](Layer::forward): those of [`Tensor::avg_pool`].
    ///
    /// ```
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::AveragePooling1D};
    /// let x = Tensor::from_vec([1, 4, 1], vec![1.0f32, 3.0, 5.0, 9.0])?;
    /// assert_eq!(AveragePooling1D::new(2).forward(&x)?.to_vec::<f32>()?, [2.0, 7.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    AveragePooling, avg_pool, "mean of the elements",
    ["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
    ["average_pooling1d", "average_pooling2d", "average_pooling3d"],
    [
        /// The mean under windows over one axis: inputs `[batch, length, channels]`.
        AveragePooling1D = 1,
        /// The mean under windows over two axes: inputs `[batch, height, width, channels]`.
        AveragePooling2D = 2,
        /// The mean under windows over three axes: inputs `[batch, depth, height, width, channels]`.
        AveragePooling3D = 3
    ]
);

/// A layer without variables that pools whole axes: its type, its aliases, its options, and how it is a [`Layer`].
macro_rules! global_pooling {
    ($(#[$doc:meta])* $layer:ident, $op:ident, $what:literal, $classes:expr, $names:expr, [$($(#[$alias_doc:meta])* $alias:ident = $n:literal),*]) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $layer<const N: usize> {
            name: String,
            keep_dims: bool,
        }
        $(
            $(#[$alias_doc])*
            pub type $alias = $layer<$n>;
        )*

        impl<const N: usize> $layer<N> {
            #[doc = concat!("The ", $what, " of each channel.")]
            pub fn new() -> Self {
                $layer { name: by_rank::<N>($names).to_owned(), keep_dims: false }
            }

            /// The same layer under another name than that of its class.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }

            /// Whether the spatial axes are kept, with length 1; they are not by default.
            #[must_use]
            pub fn keep_dims(mut self, keep_dims: bool) -> Self {
                self.keep_dims = keep_dims;
                self
            }
        }

        impl<const N: usize> Default for $layer<N> {
            fn default() -> Self {
                $layer::new()
            }
        }

        impl<const N: usize> Layer for $layer<N> {
            fn class_name(&self) -> &'static str {
                by_rank::<N>($classes)
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn rename(&mut self, name: String) {
                self.name = name;
            }

            fn forward(&self, x: &Tensor) -> Result<Tensor> {
                channels::<N>(self.class_name(), x)?;
                x.$op(&spatial::<N>(), self.keep_dims)
            }

            fn variables(&self) -> Vec<Variable> {
                Vec::new()
            }
        }
    };
}

global_pooling!(
    /// The largest element of each channel over `N` spatial axes (`tf.keras.layers.GlobalMaxPooling1D`,
    /// `GlobalMaxPooling2D`, `GlobalMaxPooling3D`): `[batch, channels]`. Elements that are equally large share the gradient.
    ///
    /// # Errors
    /// [`forward`](Layer::forward): `ErrorKind::Shape`, if the input has another number of axes; `ErrorKind::DType`, if
    /// the elements are booleans.
    ///
    /// ```
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::GlobalMaxPooling1D};
    /// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 3.0, 2.0])?;
    /// assert_eq!(GlobalMaxPooling1D::new().forward(&x)?.to_vec::<f32>()?, [3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    GlobalMaxPooling, max, "largest element",
    ["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"],
    ["global_max_pooling1d", "global_max_pooling2d", "global_max_pooling3d"],
    [
        /// The largest element of each channel over one axis: inputs `[batch, length, channels]`.
        GlobalMaxPooling1D = 1,
        /// The largest element of each channel over two axes: inputs `[batch, height, width, channels]`.
        GlobalMaxPooling2D = 2,
        /// The largest element of each channel over three axes: inputs `[batch, depth, height, width, channels]`.
        GlobalMaxPooling3D = 3
    ]
);

global_pooling!(
    /// The mean of each channel over `N` spatial axes (`tf.keras.layers.GlobalAveragePooling1D`,
    /// `GlobalAveragePooling2D`, `GlobalAveragePooling3D`): `[batch, channels]`.
    ///
    /// # Errors
    /// [`forward`](Layer::forward): `ErrorKind::Shape`, if the input has another number of axes; `ErrorKind::DType`, if
    /// the elements are not floating-point numbers.
    ///
    /// ```
    /// use slalom_autograd::Tensor;
    /// use slalom_nn::{Layer, layers::GlobalAveragePooling1D};
    /// let x = Tensor::from_vec([1, 3, 1], vec![1.0f32, 3.0, 2.0])?;
    /// assert_eq!(GlobalAveragePooling1D::new().forward(&x)?.to_vec::<f32>()?, [2.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    GlobalAveragePooling, mean_axes, "mean",
    ["GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"],
    ["global_average_pooling1d", "global_average_pooling2d", "global_average_pooling3d"],
    [
        /// The mean of each channel over one axis: inputs `[batch, length, channels]`.
        GlobalAveragePooling1D = 1,
        /// The mean of each channel over two axes: inputs `[batch, height, width, channels]`.
        GlobalAveragePooling2D = 2,
        /// The mean of each channel over three axes: inputs `[batch, depth, height, width, channels]`.
        GlobalAveragePooling3D = 3
    ]
);
