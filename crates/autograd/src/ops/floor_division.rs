//! Division rounded down, and its remainder.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::reduce::sum_to;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{
    Array, DType, Error, ErrorKind, Float, Map, Number, Reduction, Result, map, map_float, reduce,
};
use smallvec::smallvec;

/// `⌊a / b⌋`
#[derive(Debug, Clone, Copy)]
struct FloorDivide;

/// `a - b ⌊a / b⌋`, without rounding but that of a last sum
#[derive(Debug, Clone, Copy)]
struct FloorModulo;

/// The same on integers; the divisor is not 0.
#[derive(Clone, Copy)]
struct Integers<K>(K);

impl<F: Float> Map<F, F, 2> for FloorDivide {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        (a / b).floor()
    }
}

impl<F: Float> Map<F, F, 2> for FloorModulo {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        // The remainder of division is exact in any type; that of numbers of `f32` is one.
        let rest = F::from_f64(a.to_f64() % b.to_f64());
        let wrong = (rest != F::ZERO) & ((rest < F::ZERO) != (b < F::ZERO));
        F::select(wrong, rest + b, rest)
    }
}

impl<T: Number> Map<T, T, 2> for Integers<FloorDivide> {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        let (a, b) = (a.to_i64(), b.to_i64());
        let down = a.wrapping_rem(b) != 0 && (a < 0) != (b < 0);
        T::from_i64(a.wrapping_div(b) - i64::from(down))
    }
}

impl<T: Number> Map<T, T, 2> for Integers<FloorModulo> {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        let (a, b) = (a.to_i64(), b.to_i64());
        let rest = a.wrapping_rem(b);
        T::from_i64(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    }
}

#[derive(Clone, Copy)]
struct IsZero;

impl<T: Number> Map<T, bool, 1> for IsZero {
    #[inline(always)]
    fn eval(self, [x]: [T; 1]) -> bool {
        x == T::ZERO
    }
}

fn integers<T: Number, K>(op: &'static str, kernel: K, [a, b]: [&Array; 2]) -> Result<Array>
where
    Integers<K>: Map<T, T, 2>,
{
    let zeros = map::<T, bool, 1, _>(op, IsZero, [b])?;
    let axes: Vec<usize> = (0..b.rank()).collect();
    if reduce(Reduction::Any, &zeros, &axes, false)?.item()? != 0.0 {
        return Err(Error::new(ErrorKind::Argument, op, "divisors other than 0", 0));
    }
    map::<T, T, 2, _>(op, Integers(kernel), [a, b])
}

fn divide<K>(op: &'static str, kernel: K, [a, b]: [&Array; 2]) -> Result<Outputs>
where
    K: Map<f32, f32, 2> + Map<f64, f64, 2>,
    Integers<K>: Map<i32, i32, 2> + Map<i64, i64, 2>,
{
    if a.dtype() != b.dtype() {
        let got = format!("{} and {}", a.dtype(), b.dtype());
        return Err(Error::new(ErrorKind::DType, op, "two tensors of one dtype", got));
    }
    Ok(smallvec![match a.dtype() {
        DType::F32 | DType::F64 => map_float(op, kernel, [a, b])?,
        DType::I32 => integers::<i32, K>(op, kernel, [a, b])?,
        DType::I64 => integers::<i64, K>(op, kernel, [a, b])?,
        DType::Bool => return Err(Error::new(ErrorKind::DType, op, "a numeric dtype", a.dtype())),
    }])
}

impl Op for FloorDivide {
    fn name(&self) -> &'static str {
        "floordiv"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        divide("floordiv", *self, [inputs[0], inputs[1]])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a rounded one"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

impl Op for FloorModulo {
    fn name(&self) -> &'static str {
        "floormod"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        divide("floormod", *self, [inputs[0], inputs[1]])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let g = cx.grad()?;
        let by_b = match cx.needs(1) {
            true => {
                let gradient = -&g * cx.input(0).floordiv(cx.input(1))?;
                Some(sum_to(gradient, cx.input_shape(1))?.into())
            }
            false => None,
        };
        Ok(smallvec![Some(sum_to(g, cx.input_shape(0))?.into()), by_b])
    }
}

/// Division with rounding, elementwise with broadcasting.
impl Tensor {
    /// `⌊self / other⌋`, of floats or integers. Gradients do not pass: they are missing, not zero, as in TensorFlow.
    ///
    /// As in TensorFlow, it is the quotient as floats have it that is rounded down: `1 / 0.1` is 10.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the shapes do not broadcast together; `ErrorKind::DType`, if the types differ or are
    /// booleans; `ErrorKind::Argument`, if an integer divisor is 0.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-7, 7])?;
    /// assert_eq!(x.floordiv(Tensor::scalar(2))?.to_vec::<i32>()?, [-4, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn floordiv(&self, other: impl AsTensor) -> Result<Tensor> {
        apply(FloorDivide, [self, &other.as_tensor()])
    }

    /// `self - other ⌊self / other⌋`, of floats or integers: the remainder with the sign of `other`.
    ///
    /// It is exact for floats of any size, but where the remainder of opposite sign is small beside `other`, which is
    /// added to it. An infinite `other` leaves a number of its sign as it is.
    ///
    /// # Errors
    /// As [`floordiv`](Tensor::floordiv).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![-7, 7])?;
    /// assert_eq!(x.floormod(Tensor::scalar(4))?.to_vec::<i32>()?, [1, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn floormod(&self, other: impl AsTensor) -> Result<Tensor> {
        apply(FloorModulo, [self, &other.as_tensor()])
    }
}
