//! Matrix products of arrays.
use super::gemm::{Epilogue, FusedActivation, GemmElement, Mat, Offsets, Product, gemm, gemm_batched};
use crate::array::Strides;
use crate::{Array, DType, Element, Error, ErrorKind, Result, Shape, Uninit};

const OP: &str = "matmul";

/// `activation(a b + bias)` for matrices, or for each matrix of a batch: shapes `[..., m, k]` and `[..., k, n]` give
/// `[..., m, n]`; leading axes broadcast. Transposed and otherwise strided operands are not copied. `bias` has shape
/// `[n]`. Integers wrap around.
///
/// # Errors
/// [`ErrorKind::Shape`], if the shapes do not fit; [`ErrorKind::DType`], if the types differ or are booleans;
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{FusedActivation, Array, matmul};
/// let a = Array::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
/// let b = Array::from_vec([2, 1], vec![1.0f32, -1.0])?;
/// assert_eq!(matmul(&a, &b, None, FusedActivation::Relu)?.to_vec::<f32>()?, [0.0, 0.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn matmul(a: &Array, b: &Array, bias: Option<&Array>, activation: FusedActivation) -> Result<Array> {
    for other in [Some(b), bias].into_iter().flatten() {
        if other.dtype() != a.dtype() {
            let got = format!("{} and {}", a.dtype(), other.dtype());
            return Err(Error::new(ErrorKind::DType, OP, "operands of one dtype", got));
        }
    }
    match a.dtype() {
        DType::F32 => product::<f32>(a, b, bias, activation),
        DType::F64 => product::<f64>(a, b, bias, activation),
        DType::I32 => product::<i32>(a, b, bias, activation),
        DType::I64 => product::<i64>(a, b, bias, activation),
        DType::Bool => Err(Error::new(ErrorKind::DType, OP, "a numeric dtype", DType::Bool)),
    }
}

fn product<T: Element + GemmElement>(
    a: &Array,
    b: &Array,
    bias: Option<&Array>,
    activation: FusedActivation,
) -> Result<Array> {
    let shape = shape_of(a.shape(), b.shape())?;
    let rank = shape.rank();
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let bias = match bias {
        Some(bias) if **bias.shape() != [n] => {
            return Err(Error::new(ErrorKind::Shape, OP, format!("a bias of shape [{n}]"), bias.shape()));
        }
        Some(bias) => Some(bias.contiguous()?),
        None => None,
    };
    let epilogue = Epilogue { bias: bias.as_ref().map_or(std::ptr::null(), Array::as_ptr::<T>), activation };
    let (left, right) = (matrix::<T>(a), matrix::<T>(b));
    let batch: Shape = shape[..rank - 2].into();
    let mut out = Uninit::<T>::new(shape)?;
    let c = out.as_mut_slice().as_mut_ptr().cast::<T>();
    // SAFETY: the matrices lie within their arrays, the bias has `n` contiguous elements, and `c` is memory for all
    // products, one after the other. `gemm` writes each element.
    unsafe {
        if batch.is_empty() {
            gemm(left, right, c, n, false, epilogue);
        } else {
            let strides = [batch_strides(a, &batch), batch_strides(b, &batch)];
            let offsets = |i| {
                let [a, b] = [offset(&batch, &strides[0], i), offset(&batch, &strides[1], i)];
                Offsets { a, b, c: i * m * n }
            };
            let count = batch.iter().product();
            let product = Product { a: left, b: right, c, ldc: n, accumulate: false, epilogue };
            gemm_batched(count, offsets, product);
        }
        Ok(out.assume_init())
    }
}

fn shape_of(a: &Shape, b: &Shape) -> Result<Shape> {
    let error = |expected: &str| Error::new(ErrorKind::Shape, OP, expected, format!("{a} and {b}"));
    if a.rank() < 2 || b.rank() < 2 {
        return Err(error("at least two axes in each operand"));
    }
    let ([.., m, k], [.., inner, n]) = (&**a, &**b) else { unreachable!("two axes each") };
    if k != inner {
        return Err(error("the last axis of the first as long as the second last of the second"));
    }
    if a.rank() == 2 && b.rank() == 2 {
        return Ok(Shape::from([*m, *n]));
    }
    let batch = |shape: &Shape| Shape::from(&shape[..shape.rank() - 2]);
    let outer = batch(a).broadcast(&batch(b)).map_err(|_| error("leading axes that broadcast together"))?;
    let shape: Shape = outer.iter().copied().chain([*m, *n]).collect();
    shape.num_elements()?;
    Ok(shape)
}

/// The matrix of the last two axes.
fn matrix<T: Element>(array: &Array) -> Mat<T> {
    let (shape, strides) = (array.shape(), array.strides());
    let last = shape.rank() - 1;
    Mat {
        ptr: array.as_ptr(),
        rows: shape[last - 1],
        cols: shape[last],
        row_stride: strides[last - 1],
        col_stride: strides[last],
    }
}

/// The strides of the leading axes, broadcast to those of the result.
fn batch_strides(array: &Array, batch: &Shape) -> Strides {
    let own = array.strides();
    let rank = array.rank() - 2;
    let extra = batch.rank() - rank;
    let repeated = |i: usize| i < extra || array.shape()[i - extra] == 1;
    (0..batch.rank()).map(|i| if repeated(i) { 0 } else { own[i - extra] }).collect()
}

/// Where product `i` begins.
fn offset(batch: &Shape, strides: &Strides, mut i: usize) -> isize {
    let mut offset = 0;
    for axis in (0..batch.rank()).rev() {
        offset += (i % batch[axis]) as isize * strides[axis];
        i /= batch[axis];
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(shape: &[usize], seed: i64) -> Array {
        let n: usize = shape.iter().product();
        Array::from_vec(shape, (0..n as i64).map(|i| (i * 7 + seed) % 11 - 5).collect()).unwrap()
    }

    proptest! {
        #[test]
        fn batches_by_the_definition(
            batch in prop::collection::vec(1usize..4, 0..3), mask in any::<[u8; 2]>(),
            (m, k, n) in (0usize..5, 0usize..5, 0usize..5), transposed in any::<[bool; 2]>(),
        ) {
            let lead = |mask: u8| -> Vec<usize> {
                batch.iter().enumerate().map(|(i, &n)| if mask >> i & 1 == 1 { 1 } else { n }).collect()
            };
            let operand = |mut lead: Vec<usize>, rows, cols, seed, transposed| {
                let rank = lead.len() + 2;
                let mut axes: Vec<usize> = (0..rank).collect();
                if transposed {
                    lead.extend([cols, rows]);
                    axes.swap(rank - 1, rank - 2);
                } else {
                    lead.extend([rows, cols]);
                }
                numbers(&lead, seed).transpose(&axes).unwrap()
            };
            let a = operand(lead(mask[0]), m, k, 1, transposed[0]);
            let b = operand(lead(mask[1]), k, n, 4, transposed[1]);
            let c = matmul(&a, &b, None, FusedActivation::Linear).unwrap();
            let outer = Shape::from(&c.shape()[..c.rank() - 2]);
            let full = |x: &Array, rows, cols| {
                let shape: Vec<usize> = outer.iter().copied().chain([rows, cols]).collect();
                x.broadcast_to(shape).unwrap().to_vec::<i64>().unwrap()
            };
            let (x, y) = (full(&a, m, k), full(&b, k, n));
            let want: Vec<i64> = (0..c.len()).map(|at| {
                let (p, i, j) = (at / (m * n), at / n % m, at % n);
                (0..k).map(|l| x[(p * m + i) * k + l] * y[(p * k + l) * n + j]).sum()
            }).collect();
            prop_assert_eq!(c.to_vec::<i64>().unwrap(), want);
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (a, b) = (numbers(&[2, 3], 0), numbers(&[4, 2], 0));
        let error = matmul(&a, &b, None, FusedActivation::Linear).unwrap_err();
        assert_eq!((error.kind(), error.got()), (ErrorKind::Shape, "[2, 3] and [4, 2]"));
        let bias = numbers(&[3], 0);
        assert!(matmul(&b, &a, Some(&bias), FusedActivation::Linear).is_ok());
        let error = matmul(&b, &a, Some(&numbers(&[2], 0)), FusedActivation::Linear).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Shape);
        let float = a.cast(DType::F32).unwrap();
        assert_eq!(matmul(&b, &float, None, FusedActivation::Linear).unwrap_err().kind(), ErrorKind::DType);
        assert_eq!(matmul(&bias, &a, None, FusedActivation::Linear).unwrap_err().kind(), ErrorKind::Shape);
    }
}
