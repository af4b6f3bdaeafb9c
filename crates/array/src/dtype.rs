//! Element types.
use crate::float::is_near;
use std::fmt;

/// The type of an array's elements, a value known at run time.
///
/// ```
/// use slalom_array::DType;
/// assert_eq!(DType::F32.to_string(), "f32");
/// assert_eq!(DType::I64.size(), 8);
/// assert!(DType::F64.is_float() && !DType::Bool.is_float());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    /// 32-bit IEEE 754 floating point.
    F32,
    /// 64-bit IEEE 754 floating point.
    F64,
    /// 32-bit signed integer; arithmetic wraps around.
    I32,
    /// 64-bit signed integer; arithmetic wraps around.
    I64,
    /// Truth value, one byte.
    Bool,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 5] = [DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool];

    /// Bytes of one element.
    #[inline]
    pub const fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::Bool => 1,
        }
    }

    /// Whether elements are floating-point numbers: the types that gradients exist for.
    #[inline]
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }

    /// Whether elements are integers.
    #[inline]
    pub const fn is_integer(self) -> bool {
        matches!(self, DType::I32 | DType::I64)
    }

    /// The name as it is printed and as files hold it: `f32`, `f64`, `i32`, `i64`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::Bool => "bool",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

mod sealed {
    pub trait Sealed: Copy {
        /// Whether a float is an angle whose sine takes little.
        #[inline(always)]
        fn is_near_angle(self) -> bool {
            true
        }
    }
}

/// A Rust type that can be an element: `f32`, `f64`, `i32`, `i64`, `bool`.
pub trait Element:
    sealed::Sealed + Copy + Send + Sync + PartialEq + PartialOrd + Default + fmt::Debug + fmt::Display + 'static
{
    /// The element type's run-time value.
    const DTYPE: DType;
}

macro_rules! element {
    ($($t:ty => $dtype:ident $(near $near:path)?),*) => {$(
        impl sealed::Sealed for $t {
            $(
                #[inline(always)]
                fn is_near_angle(self) -> bool {
                    $near(self)
                }
            )?
        }
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
        }
    )*};
}
element!(f32 => F32 near is_near, f64 => F64 near is_near, i32 => I32, i64 => I64, bool => Bool);
