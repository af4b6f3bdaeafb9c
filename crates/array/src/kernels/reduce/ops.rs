//! The operations that reductions combine elements with.
use crate::Number;

/// An associative operation on elements.
pub(crate) trait Combine<T>: Copy + Send + Sync + 'static {
    /// The result for no elements.
    const EMPTY: T;
    /// The result for two elements.
    fn combine(a: T, b: T) -> T;
}

/// `a + b`; *or* of booleans.
#[derive(Clone, Copy)]
pub(crate) struct Add;

impl<T: Number> Combine<T> for Add {
    const EMPTY: T = T::ZERO;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        a.wrapping_add(b)
    }
}

/// `a · b`; *and* of booleans.
#[derive(Clone, Copy)]
pub(crate) struct Multiply;

impl<T: Number> Combine<T> for Multiply {
    const EMPTY: T = T::ONE;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        a.wrapping_mul(b)
    }
}

/// The larger one, or NaN if either is NaN.
#[derive(Clone, Copy)]
pub(crate) struct Maximum;

impl<T: Number> Combine<T> for Maximum {
    const EMPTY: T = T::LOWEST;
    #[inline(always)]
    #[allow(clippy::eq_op)] // only NaN differs from itself
    fn combine(a: T, b: T) -> T {
        if (a > b) | (a != a) { a } else { b }
    }
}

/// The smaller one, or NaN if either is NaN.
#[derive(Clone, Copy)]
pub(super) struct Minimum;

impl<T: Number> Combine<T> for Minimum {
    const EMPTY: T = T::HIGHEST;
    #[inline(always)]
    #[allow(clippy::eq_op)] // only NaN differs from itself
    fn combine(a: T, b: T) -> T {
        if (a < b) | (a != a) { a } else { b }
    }
}
