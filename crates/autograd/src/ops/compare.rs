//! Comparisons and logic: results are booleans, and nothing has a gradient.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Element, Error, ErrorKind, Map, Result, map, with_dtype};
use smallvec::smallvec;
use std::fmt::Debug;

/// A relation between two elements.
trait Relation: Debug + Copy + Send + Sync + 'static {
    const NAME: &'static str;
    /// Whether both elements must be booleans.
    const LOGICAL: bool;

    fn holds<T: Element>(self, a: T, b: T) -> bool;
}

#[derive(Debug, Clone, Copy)]
struct Compare<R>(R);

impl<R: Relation, T: Element> Map<T, bool, 2> for Compare<R> {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> bool {
        self.0.holds(a, b)
    }
}

impl<R: Relation> Op for Compare<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [a, b] = [inputs[0], inputs[1]];
        if a.dtype() != b.dtype() || R::LOGICAL && a.dtype() != DType::Bool {
            let expected = if R::LOGICAL { "two tensors of bool" } else { "two tensors of one dtype" };
            let got = format!("{} and {}", a.dtype(), b.dtype());
            return Err(Error::new(ErrorKind::DType, R::NAME, expected, got));
        }
        Ok(smallvec![with_dtype!(a.dtype(), T => map::<T, bool, 2, _>(R::NAME, *self, [a, b])?)])
    }

    fn saves(&self) -> Saves {
        Saves::Nothing
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a comparison"))
    }

    fn is_differentiable(&self) -> bool {
        false
    }
}

/// Defines comparisons: a struct, its relation, and the method of `Tensor`.
macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident = $op:ident, $logical:literal: $a:ident, $b:ident => $holds:expr;)*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            struct $op;

            impl Relation for $op {
                const NAME: &'static str = stringify!($name);
                const LOGICAL: bool = $logical;
                #[inline(always)]
                fn holds<T: Element>(self, $a: T, $b: T) -> bool {
                    $holds
                }
            }
        )*

        /// Comparisons and logic, elementwise with broadcasting; the results are booleans, without gradient.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ
                /// or the relation is not defined for them.
                pub fn $name(&self, other: impl AsTensor) -> Result<Tensor> {
                    apply(Compare($op), [self, &other.as_tensor()])
                }
            )*

            /// Whether the boolean is false.
            ///
            /// # Errors
            /// `ErrorKind::DType`, if the elements are not booleans.
            pub fn logical_not(&self) -> Result<Tensor> {
                self.not_equal(Tensor::scalar(true)).map_err(|error| error.context("logical_not"))
            }
        }
    };
}

comparisons! {
    /// Whether both are equal; NaN is not equal to itself.
    equal = Equal, false: a, b => a == b;
    /// Whether the two differ; NaN differs from itself.
    not_equal = NotEqual, false: a, b => a != b;
    /// Whether `self < other`.
    less = Less, false: a, b => a < b;
    /// Whether `self ≤ other`.
    less_equal = LessEqual, false: a, b => a <= b;
    /// Whether `self > other`.
    greater = Greater, false: a, b => a > b;
    /// Whether `self ≥ other`.
    greater_equal = GreaterEqual, false: a, b => a >= b;
    /// Whether both booleans are true.
    logical_and = LogicalAnd, true: a, b => a > T::default() && b > T::default();
    /// Whether one of the booleans is true, or both.
    logical_or = LogicalOr, true: a, b => a > T::default() || b > T::default();
    /// Whether exactly one of the booleans is true.
    logical_xor = LogicalXor, true: a, b => a != b;
}
