//! The operators `+ - * /` and unary `-`, and sums and differences in place.
use crate::ops::binary::{Add, Binary, Divide, Multiply, Subtract, binary};
use crate::{Tensor, session};
use slalom_array::{Array, Map, Number, Result, map_assign, with_dtype};

#[derive(Clone, Copy)]
struct Sum;

impl<T: Number> Map<T, T, 2> for Sum {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        a.wrapping_add(b)
    }
}

#[derive(Clone, Copy)]
struct Difference;

impl<T: Number> Map<T, T, 2> for Difference {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        a.wrapping_sub(b)
    }
}

/// `a + b` of one shape: in place, where nothing records and nothing else holds the memory of `a`.
pub(crate) fn accumulate(mut a: Tensor, b: &Tensor) -> Result<Tensor> {
    let in_place = session::recording() == 0
        && a.array.is_unshared()
        && a.array.is_contiguous()
        && a.shape() == b.shape()
        && a.dtype() == b.dtype();
    if !in_place {
        return binary(Add, &a, b);
    }
    operators::add_assign(&mut a.array, &b.array)?;
    Ok(a)
}

/// The result, or a panic with the text of the error. Not by a closure, which would be the place of the panic.
#[track_caller]
pub(crate) fn or_panic<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// The operator on two tensors, for `impl`s.
#[track_caller]
pub(crate) fn operator<B: Binary>(op: B, a: &Tensor, b: &Tensor) -> Tensor {
    or_panic(binary(op, a, b))
}

/// The scalar operand of `x`, for `impl`s.
#[track_caller]
pub(crate) fn scalar(op: &'static str, x: &Tensor, value: f64) -> Tensor {
    or_panic(x.like(op, value))
}

/// The operators between two kinds of operands; for crates that bring operands of their own.
#[doc(hidden)]
pub mod operators {
    use super::*;

    macro_rules! operators {
        ($($name:ident $op:ident),*) => {$(
            /// The operator on two tensors.
            ///
            /// # Panics
            /// If shapes or element types do not fit.
            #[track_caller]
            pub fn $name(a: &Tensor, b: &Tensor) -> Tensor {
                operator($op, a, b)
            }
        )*};
    }
    operators!(add Add, sub Subtract, mul Multiply, div Divide);

    /// `a += b` on the elements, in place where nothing else holds the memory of `a`.
    ///
    /// # Errors
    /// If `b` does not fit into `a`.
    pub fn add_assign(a: &mut Array, b: &Array) -> Result<()> {
        with_dtype!(a.dtype(), T => map_assign::<T, _>("add", Sum, a, b))
    }

    /// As [`add_assign`], `a -= b`.
    ///
    /// # Errors
    /// As there.
    pub fn sub_assign(a: &mut Array, b: &Array) -> Result<()> {
        with_dtype!(a.dtype(), T => map_assign::<T, _>("subtract", Difference, a, b))
    }

    /// A scalar of the type of `x`.
    ///
    /// # Panics
    /// If the type cannot hold the value.
    #[track_caller]
    pub fn like(x: &Tensor, value: f64) -> Tensor {
        scalar("operator", x, value)
    }
}

/// Implements `+ - * /` for each pair of operand types, and with `f64` on either side, and unary `-`.
///
/// `[A, B; ..]`: both sides of each listed type, owned and by reference, through `AsTensor`.
#[doc(hidden)]
#[macro_export]
macro_rules! operators {
    (@one $Op:ident $f:ident, $L:ty, $R:ty) => {
        impl ::std::ops::$Op<$R> for $L {
            type Output = $crate::Tensor;
            #[inline]
            #[track_caller]
            fn $f(self, other: $R) -> $crate::Tensor {
                use $crate::AsTensor as _;
                $crate::operators::$f(&self.as_tensor(), &other.as_tensor())
            }
        }
    };
    (@scalar $Op:ident $f:ident, $T:ty) => {
        impl ::std::ops::$Op<f64> for $T {
            type Output = $crate::Tensor;
            #[inline]
            #[track_caller]
            fn $f(self, other: f64) -> $crate::Tensor {
                use $crate::AsTensor as _;
                let tensor = self.as_tensor();
                $crate::operators::$f(&tensor, &$crate::operators::like(&tensor, other))
            }
        }
        impl ::std::ops::$Op<$T> for f64 {
            type Output = $crate::Tensor;
            #[inline]
            #[track_caller]
            fn $f(self, other: $T) -> $crate::Tensor {
                use $crate::AsTensor as _;
                let tensor = other.as_tensor();
                $crate::operators::$f(&$crate::operators::like(&tensor, self), &tensor)
            }
        }
    };
    (@each $L:ty, $R:ty) => {
        $crate::operators!(@one Add add, $L, $R);
        $crate::operators!(@one Sub sub, $L, $R);
        $crate::operators!(@one Mul mul, $L, $R);
        $crate::operators!(@one Div div, $L, $R);
    };
    (pairs $($L:ty, $R:ty;)*) => {
        $($crate::operators!(@each $L, $R);)*
    };
    (scalars $($T:ty),*) => {$(
        $crate::operators!(@scalar Add add, $T);
        $crate::operators!(@scalar Sub sub, $T);
        $crate::operators!(@scalar Mul mul, $T);
        $crate::operators!(@scalar Div div, $T);
        impl ::std::ops::Neg for $T {
            type Output = $crate::Tensor;
            #[inline]
            #[track_caller]
            fn neg(self) -> $crate::Tensor {
                use $crate::AsTensor as _;
                self.as_tensor().negative()
            }
        }
    )*};
}

operators!(pairs Tensor, Tensor; Tensor, &Tensor; &Tensor, Tensor; &Tensor, &Tensor;);
operators!(scalars Tensor, &Tensor);
