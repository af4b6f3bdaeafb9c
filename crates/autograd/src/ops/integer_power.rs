//! Powers of integers.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use slalom_array::{Array, DType, Error, ErrorKind, Map, Number, Reduction, Result, map, reduce};
use smallvec::smallvec;

const OP: &str = "pow";

/// `aᵇ` of integers; wraps around.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntegerPower;

impl<T: Number> Map<T, T, 2> for IntegerPower {
    #[inline(always)]
    fn eval(self, [a, b]: [T; 2]) -> T {
        let (mut power, mut square, mut rest) = (T::ONE, a, b.to_i64());
        while rest > 0 {
            if rest & 1 == 1 {
                power = power.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            rest >>= 1;
        }
        power
    }
}

impl Op for IntegerPower {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let [a, b] = [inputs[0], inputs[1]];
        if a.dtype() != b.dtype() {
            let got = format!("{} and {}", a.dtype(), b.dtype());
            return Err(Error::new(ErrorKind::DType, OP, "two tensors of one dtype", got));
        }
        if !b.is_empty() {
            let axes: Vec<usize> = (0..b.rank()).collect();
            let least = reduce(Reduction::Min, b, &axes, false)?.item()?;
            if least < 0.0 {
                return Err(Error::new(ErrorKind::Argument, OP, "integer powers of at least 0", least));
            }
        }
        Ok(smallvec![match a.dtype() {
            DType::I32 => map::<i32, i32, 2, _>(OP, *self, [a, b])?,
            DType::I64 => map::<i64, i64, 2, _>(OP, *self, [a, b])?,
            other => return Err(Error::new(ErrorKind::DType, OP, "integers", other)),
        }])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("one of integers"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}
