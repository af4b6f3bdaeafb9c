//! Elementwise ops of two inputs whose partial derivatives are kernels of one pass.
//!
//! An op says its value, the products of an upstream gradient with its two partial derivatives, and the second
//! derivatives as tensor expressions, so that all higher ones follow.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, single};
use crate::ops::binary::{Binary, Pair, binary, needed};
use crate::ops::integer_power::IntegerPower;
use crate::ops::reduce::sum_to;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, Float, Map, Number, Result, map_float};
use smallvec::smallvec;
use std::fmt::Debug;

/// The partial derivatives of a [`Binary`] op.
trait Partials: Binary {
    /// `g ∂f/∂a`
    fn by_a<F: Float>(self, g: F, a: F, b: F) -> F;

    /// `g ∂f/∂b`
    fn by_b<F: Float>(self, g: F, a: F, b: F) -> F;

    /// `∂²f/∂a²`, `∂²f/∂a∂b` or `∂²f/∂b²`; `None` is zero.
    fn second(self, _which: Second, _a: &Tensor, _b: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// Which second derivative.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Second {
    Aa,
    Ab,
    Bb,
}

/// `g ∂f/∂a`, or `g ∂f/∂b` if `B_SIDE`.
#[derive(Debug, Clone, Copy)]
struct Partial<P, const B_SIDE: bool>(P);

impl<P: Partials, F: Float, const B_SIDE: bool> Map<F, F, 3> for Partial<P, B_SIDE> {
    #[inline(always)]
    fn eval(self, [g, a, b]: [F; 3]) -> F {
        if B_SIDE { self.0.by_b(g, a, b) } else { self.0.by_a(g, a, b) }
    }
}

impl<P: Partials, const B_SIDE: bool> Op for Partial<P, B_SIDE> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        single(map_float(P::NAME, *self, [inputs[0], inputs[1], inputs[2]]))
    }

    fn saves(&self) -> Saves {
        Saves::Inputs
    }

    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        partial_vjp(cx, B_SIDE, &|inputs| apply(*self, inputs), &|which, a, b| self.0.second(which, a, b))
    }
}

/// [`Partials::second`] of an op.
type SecondOf<'a> = dyn Fn(Second, &Tensor, &Tensor) -> Result<Option<Tensor>> + 'a;

/// The gradients of [`Partial`]s: one copy of the code for all.
fn partial_vjp(
    cx: &Vjp<'_>,
    b_side: bool,
    partial: &dyn Fn([&Tensor; 3]) -> Result<Tensor>,
    second: &SecondOf<'_>,
) -> Result<Gradients> {
    let (g, a, b, upstream) = (cx.input(0), cx.input(1), cx.input(2), cx.grad()?);
    let which = if b_side { [Second::Ab, Second::Bb] } else { [Second::Aa, Second::Ab] };
    let mut gradients: Gradients = smallvec![match cx.needs(0) {
        true => Some(sum_to(partial([&upstream, a, b])?, g.shape())?.into()),
        false => None,
    }];
    for (i, which) in which.into_iter().enumerate() {
        let second = if cx.needs(i + 1) { second(which, a, b)? } else { None };
        gradients.push(match second {
            Some(second) => Some(sum_to(&upstream * g * second, cx.input_shape(i + 1))?.into()),
            None => None,
        });
    }
    Ok(gradients)
}

/// The gradients of a [`Binary`] op that has [`Partials`].
fn partials<P: Partials>(function: P, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
    let (a, b) = (cx.input(0), cx.input(1));
    let by_a = needed(cx, 0, || apply(Partial::<P, false>(function), [g, a, b]))?;
    Ok([by_a, needed(cx, 1, || apply(Partial::<P, true>(function), [g, a, b]))?])
}

/// Defines ops of two inputs: a struct, its functions, and the method of `Tensor`.
///
/// `name = Struct: f(a, b) = .., by_a(g, a, b) = .., by_b(g, a, b) = .. [, second = ..]
/// [, integers(a, b) = ..] [, integer_op = ..]`, with a kernel for all types or an op for integers.
macro_rules! binary_ops {
    ($(
        $(#[$doc:meta])*
        $name:ident = $op:ident: f($a:ident, $b:ident) = $f:expr,
        by_a($ga:ident, $aa:pat, $ab:pat) = $by_a:expr, by_b($gb:ident, $ba:pat, $bb:pat) = $by_b:expr
        $(, second = $second:expr)?
        $(, integers($ia:ident, $ib:ident) = $integers:expr)?
        $(, integer_op = $integer_op:expr)?;
    )*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            struct $op;

            impl Binary for $op {
                const NAME: &'static str = stringify!($name);
                const SAVES: Saves = Saves::Inputs;
                #[inline(always)]
                fn f<F: Float>(self, $a: F, $b: F) -> F {
                    $f
                }
                $(
                    const INTEGERS: bool = true;
                    #[inline(always)]
                    fn integer<T: Number>(self, $ia: T, $ib: T) -> T {
                        $integers
                    }
                )?
                fn vjp(self, cx: &Vjp<'_>, g: &Tensor) -> Result<Pair> {
                    partials(self, cx, g)
                }
            }

            impl Partials for $op {
                #[inline(always)]
                fn by_a<F: Float>(self, $ga: F, $aa: F, $ab: F) -> F {
                    $by_a
                }
                #[inline(always)]
                fn by_b<F: Float>(self, $gb: F, $ba: F, $bb: F) -> F {
                    $by_b
                }
                $(
                    fn second(self, which: Second, a: &Tensor, b: &Tensor) -> Result<Option<Tensor>> {
                        let second: fn(Second, &Tensor, &Tensor) -> Result<Option<Tensor>> = $second;
                        second(which, a, b)
                    }
                )?
            }
        )*

        /// Functions of two tensors, elementwise with broadcasting.
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ
                /// or the function is not defined for them.
                pub fn $name(&self, other: impl AsTensor) -> Result<Tensor> {
                    $(if self.dtype().is_integer() {
                        return apply($integer_op, [self, &other.as_tensor()]);
                    })?
                    binary($op, self, &other.as_tensor())
                }
            )*
        }
    };
}

/// `a` where it is positive, else 1.
fn positive_or_one(a: &Tensor) -> Result<Tensor> {
    let one = a.like("pow", 1.0)?;
    a.greater(a.like("pow", 0.0)?)?.where_(a, &one)
}

/// 1 where `a` is not 0, else 0.
fn not_zero(a: &Tensor) -> Result<Tensor> {
    a.not_equal(a.like("xlogy", 0.0)?)?.cast(a.dtype())
}

/// A constant second derivative.
fn constant(a: &Tensor, value: f64) -> Result<Option<Tensor>> {
    a.like("second derivative", value).map(Some)
}

/// `√(a² + b²)`, without squares that overflow.
#[inline(always)]
fn hypot<F: Float>(a: F, b: F) -> F {
    let (high, low) = (a.abs().maximum(b.abs()), a.abs().minimum(b.abs()));
    let ratio = low / high;
    F::select((high == F::ZERO) | (high == F::INFINITY), high, high * (F::ONE + ratio * ratio).sqrt())
}

/// `log(eᵃ + eᵇ)`, without exponentials that overflow.
#[inline(always)]
fn logaddexp<F: Float>(a: F, b: F) -> F {
    let (high, low) = (a.maximum(b), a.minimum(b));
    F::select(high.abs() == F::INFINITY, high, high + (low - high).exp().ln_1p())
}

binary_ops! {
    /// `√(self² + other²)`, as `torch.hypot`: the length of a vector, for which no square overflows. NaN if either is NaN;
    /// the gradient at (0, 0) is NaN.
    hypot = Hypot: f(a, b) = hypot(a, b),
        by_a(g, a, b) = g * (a / hypot(a, b)), by_b(g, a, b) = g * (b / hypot(a, b)),
        second = |which, a, b| {
            let h = a.hypot(b)?;
            let (x, y) = (a / &h, b / &h);
            Ok(Some(match which {
                Second::Aa => y.square() / h,
                Second::Ab => -x * y / h,
                Second::Bb => x.square() / h,
            }))
        };

    /// `log(exp(self) + exp(other))`, as `torch.logaddexp`: the sum of numbers of which the logarithms are given.
    logaddexp = LogAddExp: f(a, b) = logaddexp(a, b),
        by_a(g, a, b) = g * (a - b).sigmoid(), by_b(g, a, b) = g * (b - a).sigmoid(),
        second = |which, a, b| {
            let share = (a - b).sigmoid()?;
            let slope = &share * (1.0 - &share);
            Ok(Some(if which == Second::Ab { -slope } else { slope }))
        };

    /// `(self - other)²`
    squared_difference = SquaredDifference: f(a, b) = (a - b) * (a - b),
        by_a(g, a, b) = g * (F::TWO * (a - b)), by_b(g, a, b) = g * (F::TWO * (b - a)),
        second = |which, a, _| constant(a, if which == Second::Ab { -2.0 } else { 2.0 }),
        integers(a, b) = a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b));

    /// The larger one; NaN if either is NaN. Where both are equal, the gradient goes to the first.
    maximum = Maximum: f(a, b) = a.maximum(b),
        by_a(g, a, b) = F::select(a >= b, g, F::ZERO), by_b(g, a, b) = F::select(a >= b, F::ZERO, g),
        integers(a, b) = if a >= b { a } else { b };

    /// The smaller one; NaN if either is NaN. Where both are equal, the gradient goes to the first.
    minimum = Minimum: f(a, b) = a.minimum(b),
        by_a(g, a, b) = F::select(a <= b, g, F::ZERO), by_b(g, a, b) = F::select(a <= b, F::ZERO, g),
        integers(a, b) = if a <= b { a } else { b };

    /// `self` to the power of `other`. As in TensorFlow, the gradient for the exponent is 0 where the base is not
    /// positive, and that for the base is NaN at 0⁰. Powers of integers wrap around; a negative one is an error of kind
    /// [`ErrorKind::Argument`](slalom_array::ErrorKind::Argument).
    pow = Pow: f(a, b) = a.powf(b),
        by_a(g, a, b) = g * b * a.powf(b - F::ONE),
        by_b(g, a, b) = g * a.powf(b) * F::select(a > F::ZERO, a, F::ONE).ln(),
        second = |which, a, b| Ok(Some(match which {
            Second::Aa => b * (b - 1.0) * a.pow(b - 2.0)?,
            Second::Ab => a.pow(b - 1.0)? * (1.0 + b * positive_or_one(a)?.log()?),
            Second::Bb => a.pow(b)? * positive_or_one(a)?.log()?.square(),
        })),
        integer_op = IntegerPower;

    /// The angle of the point (`other`, `self`) in radians, in `[-π, π]`.
    atan2 = Atan2: f(a, b) = a.atan2(b),
        by_a(g, a, b) = g * (b / (a * a + b * b)), by_b(g, a, b) = g * (-a / (a * a + b * b)),
        second = |which, a, b| {
            let (aa, bb) = (a.square(), b.square());
            let squared_norm = (&aa + &bb).square();
            Ok(Some(match which {
                Second::Aa => -2.0 * a * b / squared_norm,
                Second::Ab => (aa - bb) / squared_norm,
                Second::Bb => 2.0 * a * b / squared_norm,
            }))
        };

    /// `self log(other)`; 0 where `self` is 0.
    xlogy = Xlogy: f(a, b) = F::select(a == F::ZERO, F::ZERO, a * b.ln()),
        by_a(g, a, b) = F::select(a == F::ZERO, F::ZERO, g * b.ln()),
        by_b(g, a, b) = F::select(a == F::ZERO, F::ZERO, g * (a / b)),
        second = |which, a, b| Ok(match which {
            Second::Aa => None,
            Second::Ab => Some(not_zero(a)?.xdivy(b)?),
            Second::Bb => Some(-a.xdivy(b.square())?),
        });

    /// `self / other`; 0 where `self` is 0.
    xdivy = Xdivy: f(a, b) = F::select(a == F::ZERO, F::ZERO, a / b),
        by_a(g, a, b) = F::select(a == F::ZERO, F::ZERO, g / b),
        by_b(g, a, b) = F::select(a == F::ZERO, F::ZERO, g * (-a / (b * b))),
        second = |which, a, b| Ok(match which {
            Second::Aa => None,
            Second::Ab => Some(-not_zero(a)?.xdivy(b.square())?),
            Second::Bb => Some((2.0 * a).xdivy(b.square() * b)?),
        });

    /// `self / other`; 0 where `other` is 0.
    divide_no_nan = DivideNoNan: f(a, b) = F::select(b == F::ZERO, F::ZERO, a / b),
        by_a(g, _, b) = F::select(b == F::ZERO, F::ZERO, g / b),
        by_b(g, a, b) = F::select(b == F::ZERO, F::ZERO, g * (-a / b / b)),
        second = |which, a, b| Ok(match which {
            Second::Aa => None,
            Second::Ab => Some(-a.like("divide_no_nan", 1.0)?.divide_no_nan(b.square())?),
            Second::Bb => Some((2.0 * a).divide_no_nan(b.square() * b)?),
        });

    /// `self log(1 + other)`; 0 where `self` is 0.
    xlog1py = Xlog1py: f(a, b) = F::select(a == F::ZERO, F::ZERO, a * b.ln_1p()),
        by_a(g, a, b) = F::select(a == F::ZERO, F::ZERO, g * b.ln_1p()),
        by_b(g, a, b) = F::select(a == F::ZERO, F::ZERO, g * (a / (F::ONE + b))),
        second = |which, a, b| Ok(match which {
            Second::Aa => None,
            Second::Ab => Some(not_zero(a)?.xdivy(1.0 + b)?),
            Second::Bb => Some(-a.xdivy((1.0 + b).square())?),
        });

    /// `self · other`; 0 where `other` is 0, also for infinities and NaN (`tf.math.multiply_no_nan`).
    multiply_no_nan = MultiplyNoNan: f(a, b) = F::select(b == F::ZERO, F::ZERO, a * b),
        by_a(g, _, b) = F::select(b == F::ZERO, F::ZERO, g * b),
        by_b(g, a, _) = F::select(g == F::ZERO, F::ZERO, g * a),
        second = |which, a, _| if which == Second::Ab { constant(a, 1.0) } else { Ok(None) };

    /// The cross entropy of `labels` (`other`, probabilities) and `sigmoid(self)`, elementwise:
    /// `max(x, 0) - x z + log(1 + e^-|x|)`, for which nothing overflows.
    sigmoid_cross_entropy_with_logits = SigmoidCrossEntropy:
        f(x, z) = x.maximum(F::ZERO) - x * z + (-x.abs()).exp().ln_1p(),
        by_a(g, x, z) = g * (x.sigmoid() - z), by_b(g, x, _) = -g * x,
        second = |which, x, _| match which {
            Second::Aa => {
                let y = x.sigmoid()?;
                Ok(Some(&y * (1.0 - &y)))
            }
            Second::Ab => constant(x, -1.0),
            Second::Bb => Ok(None),
        };
}
