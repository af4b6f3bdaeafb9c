//! Integers as rows of bits.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::gather::no_gradient;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Map, Result, map};
use smallvec::smallvec;

/// An operation on two integers.
#[derive(Debug, Clone, Copy)]
enum Bitwise {
    And,
    Or,
    Xor,
    LeftShift,
    RightShift,
}

macro_rules! integers {
    ($($t:ident),*) => {$(
        impl Map<$t, $t, 2> for Bitwise {
            #[inline(always)]
            fn eval(self, [a, b]: [$t; 2]) -> $t {
                let places = b.clamp(0, $t::BITS as $t - 1);
                match self {
                    Bitwise::And => a & b,
                    Bitwise::Or => a | b,
                    Bitwise::Xor => a ^ b,
                    Bitwise::LeftShift => a << places,
                    Bitwise::RightShift => a >> places,
                }
            }
        }
    )*};
}
integers!(i32, i64);

impl Op for Bitwise {
    fn name(&self) -> &'static str {
        ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"][*self as usize]
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let ([a, b], op) = ([inputs[0], inputs[1]], self.name());
        Ok(smallvec![match (a.dtype(), b.dtype()) {
            (DType::I32, DType::I32) => map::<i32, i32, 2, _>(op, *self, [a, b])?,
            (DType::I64, DType::I64) => map::<i64, i64, 2, _>(op, *self, [a, b])?,
            (a, b) => {
                let got = format!("{a} and {b}");
                return Err(Error::new(ErrorKind::DType, op, "two tensors of one integer dtype", got));
            }
        }])
    }
    no_gradient!("an integer");
}

/// Operations on the bits of integers, elementwise with broadcasting (`tf.bitwise`).
impl Tensor {
    fn bitwise(&self, op: Bitwise, other: impl AsTensor) -> Result<Tensor> {
        apply(op, [self, &other.as_tensor()])
    }

    /// The bits that both have.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the types differ or are not integers; `ErrorKind::Shape`, if the shapes do not broadcast
    /// together.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let (a, b) = (Tensor::scalar(0b1100), Tensor::scalar(0b1010));
    /// assert_eq!(a.bitwise_and(&b)?.item()?, 8.0);
    /// assert_eq!(a.bitwise_xor(&b)?.item()?, 6.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn bitwise_and(&self, other: impl AsTensor) -> Result<Tensor> {
        self.bitwise(Bitwise::And, other)
    }

    /// The bits that one of the two has, or both.
    ///
    /// # Errors
    /// As [`bitwise_and`](Tensor::bitwise_and).
    pub fn bitwise_or(&self, other: impl AsTensor) -> Result<Tensor> {
        self.bitwise(Bitwise::Or, other)
    }

    /// The bits that exactly one of the two has.
    ///
    /// # Errors
    /// As [`bitwise_and`](Tensor::bitwise_and).
    pub fn bitwise_xor(&self, other: impl AsTensor) -> Result<Tensor> {
        self.bitwise(Bitwise::Xor, other)
    }

    /// The bits moved to higher places by `other`, which is taken as 0 below that, and as the highest place above.
    ///
    /// # Errors
    /// As [`bitwise_and`](Tensor::bitwise_and).
    pub fn left_shift(&self, other: impl AsTensor) -> Result<Tensor> {
        self.bitwise(Bitwise::LeftShift, other)
    }

    /// The bits moved to lower places by `other`, with copies of the sign moving in; otherwise as
    /// [`left_shift`](Tensor::left_shift).
    ///
    /// # Errors
    /// As [`bitwise_and`](Tensor::bitwise_and).
    pub fn right_shift(&self, other: impl AsTensor) -> Result<Tensor> {
        self.bitwise(Bitwise::RightShift, other)
    }

    /// Each bit turned over: `-1 - x`.
    ///
    /// # Errors
    /// `ErrorKind::DType`, if the elements are not integers.
    pub fn bitwise_invert(&self) -> Result<Tensor> {
        self.bitwise(Bitwise::Xor, self.like("bitwise_invert", -1.0)?)
    }
}
