//! Batch normalization: over all axes but the last.
use super::{like, vector};
use crate::array::Uninit;
use crate::kernels::elementwise::Map;
use crate::kernels::softmax::rows::{Input, Output, RowKernel, for_each_row, rows_of, share};
use crate::{Array, Element, Float, Number, Reduction, Result, reduce, with_float};
use std::marker::PhantomData;
use std::ops::Range;

const OP: &str = "batch_norm";

/// `(x - mean) gamma / √(variance + epsilon) + beta`, with the mean and the variance (divided by the number of
/// elements) of each column: over all axes but the last (S. Ioffe, C. Szegedy, "Batch Normalization", 2015). `gamma` and
/// `beta` have shape `[n]`.
///
/// Returns the result, the means and the variances; of columns without elements the latter are NaN.
///
/// # Errors
/// [`ErrorKind::Shape`](crate::ErrorKind::Shape) for a scalar and for vectors that do not fit;
/// [`ErrorKind::DType`](crate::ErrorKind::DType), if the types differ or are not of floats;
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
///
/// ```
/// use slalom_array::{Array, DType, batch_norm};
/// let x = Array::from_vec([2, 1], vec![1.0f64, 5.0])?;
/// let (ones, zeros) = (Array::ones([1], DType::F64)?, Array::zeros([1], DType::F64)?);
/// let [y, mean, variance] = batch_norm(&x, &ones, &zeros, 0.0)?;
/// assert_eq!((y.to_vec::<f64>()?, mean.item()?, variance.item()?), (vec![-1.0, 1.0], 3.0, 4.0));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn batch_norm(x: &Array, gamma: &Array, beta: &Array, epsilon: f64) -> Result<[Array; 3]> {
    with_float!(OP, x.dtype(), T => forward::<T>(x, gamma, beta, <T as Float>::from_f64(epsilon)))
}

fn forward<T: Float + Number>(x: &Array, gamma: &Array, beta: &Array, epsilon: T) -> Result<[Array; 3]> {
    let (count, n) = rows_of(OP, x)?;
    let (gamma, beta, x) = (vector::<T>(OP, gamma, n)?, vector::<T>(OP, beta, n)?, x.contiguous()?);
    let mean = means::<T, 1>(sums::<T, _, 1, 1>(Elements, [Rows(&x)], (count, n))?, count)?;
    let mean = row_of(&mean, 0)?;
    let variance =
        means::<T, 1>(sums::<T, _, 1, 2>(SquaredDeviations, [Rows(&x), Columns(&mean)], (count, n))?, count)?;
    let variance = row_of(&variance, 0)?;
    let scale = per_column(Scale(epsilon), [&variance, &gamma])?;
    let inputs = [Rows(&x), Columns(&mean), Columns(&scale), Columns(&beta)];
    let y = elements::<T, _, 4>(Normalize, inputs, x.shape(), (count, n))?;
    Ok([y, mean, variance])
}

/// The gradients of [`batch_norm`] for `x`, `gamma` and `beta`, from its inputs, its means and variances, and the
/// gradient `g` for its result: with `rstd = 1 / √(variance + epsilon)` and `h = (x - mean) rstd`, they are
/// `gamma rstd (g - mean(g) - h mean(g h))`, `Σ g h` and `Σ g`.
///
/// # Errors
/// As [`batch_norm`].
pub fn batch_norm_grad(
    x: &Array,
    gamma: &Array,
    mean: &Array,
    variance: &Array,
    g: &Array,
    epsilon: f64,
) -> Result<[Array; 3]> {
    let (_, n) = rows_of(OP, x)?;
    with_float!(OP, x.dtype(), T => {
        let [gamma, mean] = [vector::<T>(OP, gamma, n)?, vector::<T>(OP, mean, n)?];
        let variance = vector::<T>(OP, variance, n)?;
        backward::<T>(x, &gamma, &mean, &variance, g, <T as Float>::from_f64(epsilon))
    })
}

fn backward<T: Float + Number>(
    x: &Array,
    gamma: &Array,
    mean: &Array,
    variance: &Array,
    g: &Array,
    epsilon: T,
) -> Result<[Array; 3]> {
    let (count, n) = rows_of(OP, x)?;
    let (g, x) = (like(OP, x, g)?, x.contiguous()?);
    if x.is_empty() {
        let none = Array::zeros([n], T::DTYPE)?;
        return Ok([x, none.clone(), none]);
    }
    let sums = sums::<T, _, 2, 3>(Gradients, [Rows(&g), Rows(&x), Columns(mean)], (count, n))?;
    let by_beta = row_of(&sums, 0)?;
    let rstd = per_column(Rstd(epsilon), [variance])?;
    let by_gamma = per_column::<T, _, 2>(Product, [&row_of(&sums, 1)?, &rstd])?;
    let means = means::<T, 2>(sums, count)?;
    let [a, deviation] = [row_of(&means, 0)?, row_of(&means, 1)?];
    let scale = per_column::<T, _, 2>(Product, [gamma, &rstd])?;
    // mean(g h) h = mean(g (x - mean)) rstd² (x - mean)
    let b = per_column::<T, _, 2>(Slope, [&deviation, &rstd])?;
    let [mean, scale, a, b] = [mean, &scale, &a, &b].map(Columns);
    let by_x =
        elements::<T, _, 6>(GradientOf, [Rows(&g), Rows(&x), mean, scale, a, b], x.shape(), (count, n))?;
    Ok([by_x, by_gamma, by_beta])
}

/// An operand: with an element for each row and column, or one for each column.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Rows(&'a Array),
    Columns(&'a Array),
}
use Operand::{Columns, Rows};

impl Operand<'_> {
    /// The elements, and how many from one row to the next.
    fn at<T: Element>(self, n: usize) -> (Input<T>, usize) {
        match self {
            Rows(array) => (Input::new(array), n),
            Columns(array) => (Input::new(array), 0),
        }
    }
}

/// `S` sums over the rows for each column: shape `[S, n]`.
fn sums<T: Float + Number, K: Map<T, [T; S], N>, const S: usize, const N: usize>(
    kernel: K,
    inputs: [Operand<'_>; N],
    (count, n): (usize, usize),
) -> Result<Array> {
    if count * n == 0 {
        return Array::zeros([S, n], T::DTYPE);
    }
    let share = share(count, n);
    let mut sums = Uninit::<T>::new([count.div_ceil(share), S, n])?;
    let to = Output::new(&mut sums);
    // SAFETY: the operands have `count` rows of `n` elements, or `n`; each share has sums of its own.
    let sums = unsafe {
        for_each_row(count, n, Sums { kernel, inputs: inputs.map(|input| input.at::<T>(n)), to, share });
        sums.assume_init()
    };
    reduce(Reduction::Sum, &sums, &[0], false)
}

struct Sums<T, K, const N: usize, const S: usize> {
    kernel: K,
    inputs: [(Input<T>, usize); N],
    to: Output<T>,
    share: usize,
}

impl<T: Float + Number, K: Map<T, [T; S], N>, const N: usize, const S: usize> RowKernel<T>
    for Sums<T, K, N, S>
{
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        let to = self.to.at(rows.start / self.share * S * n);
        // SAFETY: the rows exist, and the share has `S n` sums.
        unsafe {
            for j in 0..S * n {
                to.add(j).write(<T as Float>::ZERO);
            }
            for row in rows {
                let from = self.inputs.map(|(input, step)| input.at(row * step));
                for j in 0..n {
                    let terms = self.kernel.eval(from.map(|from| *from.add(j)));
                    for s in 0..S {
                        *to.add(s * n + j) += terms[s];
                    }
                }
            }
        }
    }
}

/// A function of each element.
fn elements<T: Float + Number, K: Map<T, T, N>, const N: usize>(
    kernel: K,
    inputs: [Operand<'_>; N],
    shape: &crate::Shape,
    (count, n): (usize, usize),
) -> Result<Array> {
    let mut out = Uninit::<T>::new(shape)?;
    let to = Output::new(&mut out);
    // SAFETY: the operands have `count` rows of `n` elements, or `n`; each row writes its own results.
    unsafe {
        if count * n > 0 {
            let inputs = inputs.map(|input| input.at::<T>(n));
            for_each_row(count, n, Apply { kernel, inputs, to, element: PhantomData });
        }
        Ok(out.assume_init())
    }
}

/// A function of each column.
fn per_column<T: Float + Number, K: Map<T, T, N>, const N: usize>(
    kernel: K,
    inputs: [&Array; N],
) -> Result<Array> {
    let n = inputs[0].len();
    elements(kernel, inputs.map(Rows), &[n].into(), (1, n))
}

struct Apply<T, K, const N: usize> {
    kernel: K,
    inputs: [(Input<T>, usize); N],
    to: Output<T>,
    element: PhantomData<T>,
}

impl<T: Float + Number, K: Map<T, T, N>, const N: usize> RowKernel<T> for Apply<T, K, N> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        for row in rows {
            let to = self.to.at(row * n);
            let from = self.inputs.map(|(input, step)| input.at(row * step));
            for j in 0..n {
                // SAFETY: the row exists.
                unsafe { to.add(j).write(self.kernel.eval(from.map(|from| *from.add(j)))) };
            }
        }
    }
}

/// Row `i` of a matrix.
fn row_of(matrix: &Array, i: usize) -> Result<Array> {
    matrix.slice(0, i, 1, 1)?.reshape([matrix.shape()[1]])
}

/// `S` rows of sums, divided by the number of rows that they are of.
fn means<T: Float + Number, const S: usize>(sums: Array, count: usize) -> Result<Array> {
    let n = sums.shape()[1];
    elements(Divided(<T as Float>::from_f64(count as f64)), [Rows(&sums)], sums.shape(), (S, n))
}

/// `sum / count`
#[derive(Clone, Copy)]
struct Divided<T>(T);

impl<T: Float> Map<T, T, 1> for Divided<T> {
    #[inline(always)]
    fn eval(self, [sum]: [T; 1]) -> T {
        sum / self.0
    }
}

/// `1 / √(variance + epsilon)`
#[derive(Clone, Copy)]
struct Rstd<T>(T);

impl<T: Float> Map<T, T, 1> for Rstd<T> {
    #[inline(always)]
    fn eval(self, [variance]: [T; 1]) -> T {
        (variance + self.0).rsqrt()
    }
}

/// `gamma / √(variance + epsilon)`
#[derive(Clone, Copy)]
struct Scale<T>(T);

impl<T: Float> Map<T, T, 2> for Scale<T> {
    #[inline(always)]
    fn eval(self, [variance, gamma]: [T; 2]) -> T {
        Rstd(self.0).eval([variance]) * gamma
    }
}

/// Functions without parameters.
macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident: [$($x:ident),*]: $n:literal -> $O:ty = $value:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name;

        impl<T: Float> Map<T, $O, $n> for $name {
            #[inline(always)]
            fn eval(self, [$($x),*]: [T; $n]) -> $O {
                $value
            }
        }
    )*};
}

maps! {
    Elements: [x]: 1 -> [T; 1] = [x];
    SquaredDeviations: [x, mean]: 2 -> [T; 1] = [(x - mean) * (x - mean)];
    Normalize: [x, mean, scale, beta]: 4 -> T = (x - mean) * scale + beta;
    /// The terms of `Σ g` and of `Σ g (x - mean)`.
    Gradients: [g, x, mean]: 3 -> [T; 2] = [g, g * (x - mean)];
    Product: [a, b]: 2 -> T = a * b;
    Slope: [a, rstd]: 2 -> T = a * rstd * rstd;
    GradientOf: [g, x, mean, scale, a, b]: 6 -> T = scale * (g - a - (x - mean) * b);
}
