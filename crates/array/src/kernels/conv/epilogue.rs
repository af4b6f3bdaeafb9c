//! The gradients of what follows a product: bias and relu, in one pass.
use super::{Number, by_dtype};
use crate::array::Uninit;
use crate::isa::{Isa, Kernel, dispatch};
use crate::kernels::Shared;
use crate::kernels::gemm::scratch::scratch;
use crate::{Array, DType, Error, ErrorKind, Float, Result, parallel};

const OP: &str = "bias_relu_grad";

/// Elements in one chunk; the sums of chunks are added in order.
const CHUNK: usize = 1 << 13;

/// The gradient of `relu(x + bias)` to `x` and to `bias`, from the gradient `g` of the result and the result `y`: `g` where
/// `y` is above 0, else 0, and the sums of that over all axes but the last.
///
/// # Errors
/// [`ErrorKind::Shape`], if the shapes differ or have no axis; [`ErrorKind::DType`], if the types differ or are not
/// floating-point ones; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, bias_relu_grad};
/// let g = Array::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
/// let y = Array::from_vec([2, 2], vec![0.5f32, 0.0, 0.5, 0.5])?;
/// let (by_x, by_bias) = bias_relu_grad(&g, &y)?;
/// assert_eq!(by_x.to_vec::<f32>()?, [1.0, 0.0, 3.0, 4.0]);
/// assert_eq!(by_bias.to_vec::<f32>()?, [4.0, 4.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn bias_relu_grad(g: &Array, y: &Array) -> Result<(Array, Array)> {
    by_dtype!(OP, g, gradients(g, y))
}

fn gradients<T: Number + Float>(g: &Array, y: &Array) -> Result<(Array, Array)> {
    y.expect_dtype(OP, T::DTYPE)?;
    let (Some(&columns), true) = (g.shape().last(), g.shape() == y.shape()) else {
        let got = format!("{} and {}", g.shape(), y.shape());
        return Err(Error::new(ErrorKind::Shape, OP, "two arrays of one shape with an axis", got));
    };
    let (g, y) = (g.contiguous()?, y.contiguous()?);
    let rows = g.len().checked_div(columns).unwrap_or(0);
    let mut by_x = Uninit::<T>::new(g.shape())?;
    let mut by_bias = Uninit::<T>::new([columns])?.fill(<T as Float>::ZERO);
    let to = Shared::new(by_x.as_mut_slice().as_mut_ptr().cast::<T>());
    let [from, results] = [&g, &y].map(|a| Shared::new(a.as_ptr::<T>().cast_mut()));
    let step = CHUNK.div_ceil(columns.max(1));
    let chunks = rows.div_ceil(step);
    let memory = scratch::<T>(chunks * columns);
    let sums = Shared::new(memory.as_mut_ptr::<T>());
    parallel::for_each(chunks, |i| {
        let at = i * step * columns;
        dispatch(Rows {
            rows: step.min(rows - i * step),
            columns,
            g: from.get().wrapping_add(at),
            y: results.get().wrapping_add(at),
            to: to.get().wrapping_add(at),
            sums: sums.get().wrapping_add(i * columns),
        });
    });
    for (k, sum) in by_bias.make_mut::<T>()?.iter_mut().enumerate() {
        // SAFETY: each chunk has written a sum for each column.
        (0..chunks).for_each(|i| *sum += unsafe { *sums.get().add(i * columns + k) });
    }
    // SAFETY: the chunks are all rows.
    Ok((unsafe { by_x.assume_init() }, by_bias))
}

/// Some rows.
struct Rows<T> {
    rows: usize,
    columns: usize,
    g: *const T,
    y: *const T,
    to: *mut T,
    sums: *mut T,
}

impl<T: Float> Kernel for Rows<T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) {
        let Rows { rows, columns, g, y, to, sums } = self;
        // SAFETY: `gradients` makes it for rows that exist, and for sums of their own.
        unsafe {
            for k in 0..columns {
                sums.add(k).write(T::ZERO);
            }
            for row in 0..rows {
                let at = row * columns;
                for k in 0..columns {
                    let x = T::select(*y.add(at + k) > T::ZERO, *g.add(at + k), T::ZERO);
                    to.add(at + k).write(x);
                    *sums.add(k) += x;
                }
            }
        }
    }
}
