//! Losses without options.

/// Defines losses whose only option is the reduction: a function that gives one loss for each sample, and the struct of
/// Keras's class.
///
/// `name = Struct: |y_true, y_pred| ..;` with aligned truth and predictions, and `example truth prediction = loss;` for
/// the documentation.
macro_rules! simple_losses {
    ($(
        $(#[$doc:meta])*
        $name:ident = $Loss:ident: |$y_true:ident, $y_pred:ident| $losses:expr;
        example $truth:tt $prediction:tt = $value:literal;
    )*) => {$(
        $(#[$doc])*
        ///
        /// One loss for each sample; the truth takes the predictions' element type, and a last axis of length 1 that
        /// only one of the two has is dropped.
        ///
        /// # Errors
        /// [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the shapes do not broadcast together or have no
        /// axis; [`ErrorKind::DType`](slalom_array::ErrorKind::DType), if the predictions are not floating-point
        /// numbers.
        pub fn $name(
            y_true: impl slalom_autograd::AsTensor,
            y_pred: impl slalom_autograd::AsTensor,
        ) -> slalom_array::Result<slalom_autograd::Tensor> {
            let losses = |$y_true: &slalom_autograd::Tensor, $y_pred: &slalom_autograd::Tensor| $losses;
            $crate::losses::simple::of_aligned(stringify!($name), &y_true.as_tensor(), &y_pred.as_tensor(), losses)
        }

        #[doc = concat!("[`", stringify!($name), "`] of a batch (`tf.keras.losses.", stringify!($Loss), "`).")]
        ///
        /// ```
        /// use slalom_autograd::Tensor;
        #[doc = concat!("use slalom_nn::losses::{Loss, ", stringify!($Loss), "};")]
        #[doc = concat!("let y_true = Tensor::from_vec([1, ", stringify!($truth), ".len()], vec!", stringify!($truth), ")?;")]
        #[doc = concat!("let y_pred = Tensor::from_vec([1, ", stringify!($prediction), ".len()], vec!", stringify!($prediction), ")?;")]
        #[doc = concat!("let loss = ", stringify!($Loss), "::new().call(&y_true, &y_pred)?.item()?;")]
        #[doc = concat!("assert!((loss - ", stringify!($value), ").abs() < 1e-6);")]
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $Loss {
            reduction: $crate::losses::Reduction,
        }

        impl $Loss {
            /// The mean over the batch.
            pub fn new() -> $Loss {
                $Loss::default()
            }

            /// With another reduction than
            /// [`Reduction::SumOverBatchSize`](crate::losses::Reduction::SumOverBatchSize).
            #[must_use]
            pub fn reduction(self, reduction: $crate::losses::Reduction) -> $Loss {
                $Loss { reduction }
            }
        }

        impl $crate::losses::Loss for $Loss {
            fn losses(
                &self,
                y_true: &slalom_autograd::Tensor,
                y_pred: &slalom_autograd::Tensor,
            ) -> slalom_array::Result<$crate::losses::Losses> {
                Ok($crate::losses::Losses { values: $name(y_true, y_pred)?, mask: None })
            }
            fn kind_of_reduction(&self) -> $crate::losses::Reduction {
                self.reduction
            }
        }
    )*};
}

pub(crate) use simple_losses;

use super::{aligned, expect_float};
use slalom_array::Result;
use slalom_autograd::Tensor;

/// `losses` of the truth in the type and rank of the predictions.
pub(crate) fn of_aligned(
    name: &'static str,
    y_true: &Tensor,
    y_pred: &Tensor,
    losses: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    expect_float(name, y_pred.dtype())?;
    let (y_true, y_pred) = aligned(y_true, y_pred)?;
    y_pred.shape().broadcast(y_true.shape()).map_err(|error| error.context(name))?;
    losses(&y_true, &y_pred).map_err(|error| error.context(name))
}
