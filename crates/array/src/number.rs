//! What kernels need to know of an element type.
use crate::Element;

/// An [`Element`] seen by kernels: conversions, and arithmetic that never panics (integers wrap around, `bool`
/// adds by *or* and multiplies by *and*).
pub trait Number: Element {
    /// The neutral element of addition.
    const ZERO: Self;
    /// The neutral element of multiplication.
    const ONE: Self;
    /// The smallest value: negative infinity for floats.
    const LOWEST: Self;
    /// The largest value: infinity for floats.
    const HIGHEST: Self;
    /// Converts as [`Array::cast`](crate::Array::cast) does.
    fn from_f64(value: f64) -> Self;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// The value as an integer: floats towards zero and saturating.
    fn to_i64(self) -> i64;
    /// Converts an integer: wraps around, rounds or compares with zero.
    fn from_i64(value: i64) -> Self;
    /// Adds.
    fn wrapping_add(self, other: Self) -> Self;
    /// Subtracts.
    fn wrapping_sub(self, other: Self) -> Self;
    /// Multiplies.
    fn wrapping_mul(self, other: Self) -> Self;
}

macro_rules! float {
    ($($t:ident),*) => {$(
        impl Number for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const LOWEST: $t = $t::NEG_INFINITY;
            const HIGHEST: $t = $t::INFINITY;
            #[inline(always)]
            fn from_f64(value: f64) -> $t {
                value as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn from_i64(value: i64) -> $t {
                value as $t
            }
            #[inline(always)]
            fn wrapping_add(self, other: $t) -> $t {
                self + other
            }
            #[inline(always)]
            fn wrapping_sub(self, other: $t) -> $t {
                self - other
            }
            #[inline(always)]
            fn wrapping_mul(self, other: $t) -> $t {
                self * other
            }
        }
    )*};
}
float!(f32, f64);

macro_rules! integer {
    ($($t:ident),*) => {$(
        impl Number for $t {
            const ZERO: $t = 0;
            const ONE: $t = 1;
            const LOWEST: $t = $t::MIN;
            const HIGHEST: $t = $t::MAX;
            #[inline(always)]
            fn from_f64(value: f64) -> $t {
                value as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn from_i64(value: i64) -> $t {
                value as $t
            }
            #[inline(always)]
            fn wrapping_add(self, other: $t) -> $t {
                $t::wrapping_add(self, other)
            }
            #[inline(always)]
            fn wrapping_sub(self, other: $t) -> $t {
                $t::wrapping_sub(self, other)
            }
            #[inline(always)]
            fn wrapping_mul(self, other: $t) -> $t {
                $t::wrapping_mul(self, other)
            }
        }
    )*};
}
integer!(i32, i64);

impl Number for bool {
    const ZERO: bool = false;
    const ONE: bool = true;
    const LOWEST: bool = false;
    const HIGHEST: bool = true;
    #[inline(always)]
    fn from_f64(value: f64) -> bool {
        value != 0.0
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as u8 as f64
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        self as i64
    }
    #[inline(always)]
    fn from_i64(value: i64) -> bool {
        value != 0
    }
    #[inline(always)]
    fn wrapping_add(self, other: bool) -> bool {
        self | other
    }
    #[inline(always)]
    fn wrapping_sub(self, other: bool) -> bool {
        self ^ other
    }
    #[inline(always)]
    fn wrapping_mul(self, other: bool) -> bool {
        self & other
    }
}

/// Runs an expression with a type parameter bound to the Rust type of a [`DType`](crate::DType).
///
/// ```
/// use slalom_array::{DType, with_dtype};
/// let size = with_dtype!(DType::I64, T => size_of::<T>());
/// assert_eq!(size, 8);
/// ```
#[macro_export]
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
        }
    };
}

/// As [`with_dtype!`](crate::with_dtype), for floating-point types only; another type is an
/// [`ErrorKind::DType`](crate::ErrorKind::DType) error of the operation `op`, returned from the function.
#[macro_export]
macro_rules! with_float {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            other => {
                return Err($crate::Error::new(
                    $crate::ErrorKind::DType,
                    $op,
                    "a floating-point dtype",
                    other,
                ));
            }
        }
    };
}
