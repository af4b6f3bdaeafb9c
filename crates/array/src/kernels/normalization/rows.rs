//! Layer normalization: over the last axis.
use super::{SquaredDeviation, like, vector};
use crate::array::Uninit;
use crate::kernels::elementwise::{Identity, Map};
use crate::kernels::softmax::rows::{Input, Output, RowKernel, for_each_row, rows_of, share, sum};
use crate::{Array, Error, ErrorKind, Float, Number, Reduction, Result, reduce, with_float};
use std::ops::Range;

const OP: &str = "layer_norm";

/// `(x - mean) rstd gamma + beta` along the last axis, with the mean of each row and `rstd = 1 / √(variance + epsilon)`
/// (J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016). `gamma` and `beta` have shape `[n]`.
///
/// Returns the result, and the means and `rstd`s without the last axis; of rows without elements they are NaN.
///
/// # Errors
/// [`ErrorKind::Shape`] for a scalar and for vectors that do not fit; [`ErrorKind::DType`], if the types differ or are
/// not of floats; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, DType, layer_norm};
/// let x = Array::from_vec([1, 2], vec![1.0f64, 5.0])?;
/// let (ones, zeros) = (Array::ones([2], DType::F64)?, Array::zeros([2], DType::F64)?);
/// let [y, mean, rstd] = layer_norm(&x, &ones, &zeros, 0.0)?;
/// assert_eq!((y.to_vec::<f64>()?, mean.item()?, rstd.item()?), (vec![-1.0, 1.0], 3.0, 0.5));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn layer_norm(x: &Array, gamma: &Array, beta: &Array, epsilon: f64) -> Result<[Array; 3]> {
    with_float!(OP, x.dtype(), T => forward::<T>(x, gamma, beta, <T as Float>::from_f64(epsilon)))
}

fn forward<T: Float + Number>(x: &Array, gamma: &Array, beta: &Array, epsilon: T) -> Result<[Array; 3]> {
    let (count, n) = rows_of(OP, x)?;
    let (gamma, beta, x) = (vector::<T>(OP, gamma, n)?, vector::<T>(OP, beta, n)?, x.contiguous()?);
    let outer = x.shape().without(x.rank() - 1);
    let mut y = Uninit::<T>::new(x.shape())?;
    let (mut mean, mut rstd) = (Uninit::<T>::new(outer.clone())?, Uninit::<T>::new(outer)?);
    if n == 0 {
        let nan = <T as Float>::NAN;
        return Ok([y.fill(nan), mean.fill(nan), rstd.fill(nan)]);
    }
    let [gamma_at, beta_at, x_at] = [&gamma, &beta, &x].map(Input::new);
    let [y_at, mean_at, rstd_at] = [&mut y, &mut mean, &mut rstd].map(Output::new);
    let kernel =
        Forward { x: x_at, gamma: gamma_at, beta: beta_at, epsilon, y: y_at, mean: mean_at, rstd: rstd_at };
    // SAFETY: there are `count` rows of `n` elements, and each row writes its own results.
    unsafe {
        for_each_row(count, n, kernel);
        Ok([y.assume_init(), mean.assume_init(), rstd.assume_init()])
    }
}

struct Forward<T> {
    x: Input<T>,
    gamma: Input<T>,
    beta: Input<T>,
    epsilon: T,
    y: Output<T>,
    mean: Output<T>,
    rstd: Output<T>,
}

impl<T: Float + Number> RowKernel<T> for Forward<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        let count = <T as Float>::from_f64(n as f64);
        let (gamma, beta) = (self.gamma.at(0), self.beta.at(0));
        for row in rows {
            let (x, y) = (self.x.at(row * n), self.y.at(row * n));
            // SAFETY: the row exists, and gamma and beta have as many elements.
            unsafe {
                let mean = sum(Identity, [x], n) / count;
                let rstd = (sum(SquaredDeviation(mean), [x], n) / count + self.epsilon).rsqrt();
                for j in 0..n {
                    y.add(j).write((*x.add(j) - mean) * rstd * *gamma.add(j) + *beta.add(j));
                }
                self.mean.at(row).write(mean);
                self.rstd.at(row).write(rstd);
            }
        }
    }
}

/// The gradients of [`layer_norm`] for `x`, `gamma` and `beta`, from its inputs, its means and `rstd`s, and the
/// gradient `g` for its result: with `h = (x - mean) rstd` and `a = g gamma`, they are
/// `rstd (a - mean(a) - h mean(a h))`, `Σ g h` and `Σ g`.
///
/// # Errors
/// As [`layer_norm`].
pub fn layer_norm_grad(
    x: &Array,
    gamma: &Array,
    mean: &Array,
    rstd: &Array,
    g: &Array,
) -> Result<[Array; 3]> {
    with_float!(OP, x.dtype(), T => backward::<T>(x, gamma, [mean, rstd], g))
}

fn backward<T: Float + Number>(
    x: &Array,
    gamma: &Array,
    saved: [&Array; 2],
    g: &Array,
) -> Result<[Array; 3]> {
    let (count, n) = rows_of(OP, x)?;
    let (gamma, g, x) = (vector::<T>(OP, gamma, n)?, like(OP, x, g)?, x.contiguous()?);
    let outer = x.shape().without(x.rank() - 1);
    let fits = |saved: &&Array| saved.dtype() == T::DTYPE && *saved.shape() == outer;
    if !saved.iter().all(fits) {
        let got = format!("{} and {}", saved[0].shape(), saved[1].shape());
        return Err(Error::new(ErrorKind::Shape, OP, format!("statistics of shape {outer}"), got));
    }
    let [mean, rstd] = [saved[0].contiguous()?, saved[1].contiguous()?];
    if x.is_empty() {
        let none = Array::zeros([n], T::DTYPE)?;
        return Ok([x, none.clone(), none]);
    }
    let share = share(count, n);
    let mut dx = Uninit::<T>::new(x.shape())?;
    let mut sums = Uninit::<T>::new([count.div_ceil(share), 2, n])?;
    let [x_at, gamma_at, mean_at, rstd_at, g_at] = [&x, &gamma, &mean, &rstd, &g].map(Input::new);
    let [dx_at, sums_at] = [&mut dx, &mut sums].map(Output::new);
    let kernel = Backward {
        x: x_at,
        gamma: gamma_at,
        mean: mean_at,
        rstd: rstd_at,
        g: g_at,
        dx: dx_at,
        sums: sums_at,
        share,
    };
    // SAFETY: there are `count` rows of `n` elements; each writes its own results, and each share its own sums.
    let (dx, sums) = unsafe {
        for_each_row(count, n, kernel);
        (dx.assume_init(), sums.assume_init())
    };
    let sums = reduce(Reduction::Sum, &sums, &[0], false)?;
    let part = |i: usize| sums.slice(0, i, 1, 1)?.reshape([n]);
    Ok([dx, part(0)?, part(1)?])
}

struct Backward<T> {
    x: Input<T>,
    gamma: Input<T>,
    mean: Input<T>,
    rstd: Input<T>,
    g: Input<T>,
    dx: Output<T>,
    /// For each share the sums of `g h` and those of `g`.
    sums: Output<T>,
    share: usize,
}

/// `g gamma`
#[derive(Clone, Copy)]
struct Weighted;

impl<T: Float> Map<T, T, 2> for Weighted {
    #[inline(always)]
    fn eval(self, [g, gamma]: [T; 2]) -> T {
        g * gamma
    }
}

/// `g gamma (x - mean)`
#[derive(Clone, Copy)]
struct WeightedDeviation<T>(T);

impl<T: Float> Map<T, T, 3> for WeightedDeviation<T> {
    #[inline(always)]
    fn eval(self, [g, gamma, x]: [T; 3]) -> T {
        g * gamma * (x - self.0)
    }
}

impl<T: Float + Number> RowKernel<T> for Backward<T> {
    #[inline(always)]
    unsafe fn run(&self, rows: Range<usize>, n: usize) {
        let count = <T as Float>::from_f64(n as f64);
        let (gamma, by_gamma) = (self.gamma.at(0), self.sums.at(rows.start / self.share * 2 * n));
        // SAFETY: the share has `2 n` sums of its own; the rows exist.
        unsafe {
            for j in 0..2 * n {
                by_gamma.add(j).write(<T as Float>::ZERO);
            }
            let by_beta = by_gamma.add(n);
            for row in rows {
                let (x, g, dx) = (self.x.at(row * n), self.g.at(row * n), self.dx.at(row * n));
                let (mean, rstd) = (*self.mean.at(row), *self.rstd.at(row));
                let a = sum(Weighted, [g, gamma], n) / count;
                let b = sum(WeightedDeviation(mean), [g, gamma, x], n) * rstd / count;
                for j in 0..n {
                    let h = (*x.add(j) - mean) * rstd;
                    dx.add(j).write(rstd * (*g.add(j) * *gamma.add(j) - a - h * b));
                    *by_gamma.add(j) += *g.add(j) * h;
                    *by_beta.add(j) += *g.add(j);
                }
            }
        }
    }
}
