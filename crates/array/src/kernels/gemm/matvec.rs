//! Matrix times vector, for products whose result has one row or one column.
//!
//! An element is the sum of as many chains of multiply-adds as a vector has lanes: chain `c` takes the steps
//! `c, c + lanes, ...`, and the chains are added halves to halves. With contiguous rows the chains are the lanes of
//! one vector, with contiguous columns they are separate vectors; the bits are the same.
use super::kernels::{Float, Kernels};
use super::pack::Panel;
use super::scratch::scratch;
use super::simd::Simd;
use super::{FusedActivation, Mat, Product, Shared, activation};
use crate::parallel;

/// Multiply-adds in one chunk.
const CHUNK: usize = 1 << 17;
/// The most lanes of any instruction set.
const MAX_LANES: usize = 16;

/// `y = A x`, for some rows of `A`.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct MatVec<T> {
    pub rows: usize,
    pub k: usize,
    /// The first element of `A`.
    pub a: *const T,
    /// The stride of `A` across the dimension that is not contiguous.
    pub stride: isize,
    pub x: *const T,
    pub y: *mut T,
    pub y_step: usize,
    pub accumulate: bool,
    /// May be null.
    pub bias: *const T,
    pub bias_step: usize,
    pub relu: bool,
}

/// Computes `y`.
///
/// # Safety
/// The instruction set is there; the pointers are valid as described in [`MatVec`].
pub(in crate::kernels) type MatVecFn<T> = unsafe fn(&MatVec<T>);

impl<T: num_traits::Float> MatVec<T> {
    #[inline(always)]
    unsafe fn finish(&self, i: usize, sum: T) {
        // SAFETY: the caller vouches for row `i`.
        unsafe {
            let y = self.y.add(i * self.y_step);
            let mut sum = if self.accumulate { *y + sum } else { sum };
            if !self.bias.is_null() {
                sum = sum + *self.bias.add(i * self.bias_step);
            }
            y.write(if self.relu && sum < T::zero() { T::zero() } else { sum });
        }
    }
}

/// Rows of `A` are contiguous.
#[inline(always)]
pub(super) unsafe fn rows<S: Simd<Elem: num_traits::Float>>(p: &MatVec<S::Elem>) {
    let mut i = 0;
    while i < p.rows {
        // SAFETY: rows `i` and, in the first case, the three that follow exist.
        unsafe {
            if p.rows - i >= 4 {
                some_rows::<S, 4>(p, i);
                i += 4;
            } else {
                some_rows::<S, 1>(p, i);
                i += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn some_rows<S: Simd<Elem: num_traits::Float>, const R: usize>(p: &MatVec<S::Elem>, i: usize) {
    let full = p.k / S::LANES * S::LANES;
    // SAFETY: the caller vouches for the rows; the last vector is masked to what is left of `k`.
    unsafe {
        let from: [_; R] = std::array::from_fn(|r| p.a.offset((i + r) as isize * p.stride));
        let mut acc = [S::zero(); R];
        for j in (0..full).step_by(S::LANES) {
            let x = S::load(p.x.add(j));
            for (acc, from) in acc.iter_mut().zip(from) {
                *acc = S::mul_add(S::load(from.add(j)), x, *acc);
            }
        }
        if full < p.k {
            let mask = S::mask(p.k - full);
            let x = S::load_masked(p.x.add(full), mask);
            for (acc, from) in acc.iter_mut().zip(from) {
                *acc = S::mul_add(S::load_masked(from.add(full), mask), x, *acc);
            }
        }
        for (r, acc) in acc.into_iter().enumerate() {
            p.finish(i + r, S::sum(acc));
        }
    }
}

/// Columns of `A` are contiguous.
#[inline(always)]
pub(super) unsafe fn columns<S: Simd<Elem: num_traits::Float>>(p: &MatVec<S::Elem>) {
    for i in (0..p.rows).step_by(S::LANES) {
        // SAFETY: the rows of a block exist, or are masked.
        unsafe { some_columns::<S>(p, i, S::LANES.min(p.rows - i)) };
    }
}

#[inline(always)]
unsafe fn some_columns<S: Simd<Elem: num_traits::Float>>(p: &MatVec<S::Elem>, i: usize, width: usize) {
    // SAFETY: the caller vouches for `width` rows from `i`; others are masked.
    unsafe {
        let mask = S::mask(width);
        let mut acc = [S::zero(); MAX_LANES];
        let mut from = p.a.add(i);
        let mut x = p.x;
        for _ in 0..p.k / S::LANES {
            for acc in &mut acc[..S::LANES] {
                *acc = S::mul_add(S::load_masked(from, mask), S::splat(x), *acc);
                (from, x) = (from.wrapping_offset(p.stride), x.add(1));
            }
        }
        // What a masked vector of a row would add: the elements left, and zeros.
        let left = p.k % S::LANES;
        for (c, acc) in acc[..S::LANES].iter_mut().enumerate().filter(|_| left > 0) {
            let (a, x) = if c < left {
                (S::load_masked(from, mask), S::splat(x.add(c)))
            } else {
                (S::zero(), S::zero())
            };
            *acc = S::mul_add(a, x, *acc);
            from = from.wrapping_offset(p.stride);
        }
        let mut half = S::LANES / 2;
        while half > 0 {
            for c in 0..half {
                acc[c] = S::add(acc[c], acc[c + half]);
            }
            half /= 2;
        }
        let mut sums = [<S::Elem as num_traits::Zero>::zero(); MAX_LANES];
        S::store(sums.as_mut_ptr(), acc[0]);
        for (r, &sum) in sums[..width].iter().enumerate() {
            p.finish(i + r, sum);
        }
    }
}

/// A product with one row or one column.
///
/// # Safety
/// As [`super::gemm`], with `k > 0`.
pub(super) unsafe fn product<T: Float>(kernels: &Kernels<T>, p: &Product<T>) {
    let one_column = p.b.cols == 1;
    let (a, x, x_stride, y_step) = if one_column {
        (p.a, p.b.ptr, p.b.row_stride, p.ldc)
    } else {
        (p.b.transposed(), p.a.ptr, p.a.col_stride, 1)
    };
    let contiguous_x = (x_stride != 1).then(|| scratch::<T>(a.cols));
    let x = contiguous_x.as_ref().map_or(x, |to| {
        let to = to.as_mut_ptr::<T>();
        for j in 0..a.cols {
            // SAFETY: the scratch memory holds `k` elements, and `x` has as many.
            unsafe { to.add(j).write(*x.offset(j as isize * x_stride)) };
        }
        to.cast_const()
    });
    let activation = p.epilogue.activation;
    let all = MatVec {
        rows: a.rows,
        k: a.cols,
        a: a.ptr,
        stride: 0,
        x,
        y: p.c,
        y_step,
        accumulate: p.accumulate,
        bias: p.epilogue.bias,
        bias_step: usize::from(!one_column),
        relu: activation == FusedActivation::Relu,
    };
    let size = (CHUNK / a.cols).max(1).next_multiple_of(64);
    let shared = Shared((a, all));
    parallel::for_each(a.rows.div_ceil(size), |chunk| {
        let first = chunk * size;
        let (a, all) = shared.get();
        // SAFETY: the chunks are separate rows of the result.
        unsafe { some(kernels, *a, all, activation, (first, size.min(a.rows - first))) };
    });
}

/// Rows `first..first + rows` of `all`.
///
/// # Safety
/// As [`product`].
unsafe fn some<T: Float>(
    kernels: &Kernels<T>,
    a: Mat<T>,
    all: &MatVec<T>,
    activation: FusedActivation,
    (first, rows): (usize, usize),
) {
    // SAFETY: the rows exist, so the pointers stay inside of their arrays.
    let mut part = unsafe {
        MatVec {
            rows,
            a: a.at(first, 0),
            y: all.y.add(first * all.y_step),
            bias: all.bias.wrapping_add(if all.bias.is_null() { 0 } else { first * all.bias_step }),
            ..*all
        }
    };
    // SAFETY: the kernels get the strides that they ask for; the rows are initialised when the activation comes.
    unsafe {
        if a.col_stride == 1 {
            part.stride = a.row_stride;
            (kernels.rows)(&part);
        } else if a.row_stride == 1 {
            part.stride = a.col_stride;
            (kernels.columns)(&part);
        } else {
            packed(kernels, a, &part);
        }
        if !activation.in_registers() {
            let step = if part.y_step == 1 { rows } else { 1 };
            for i in (0..rows).step_by(step) {
                let segment = std::slice::from_raw_parts_mut(part.y.add(i * part.y_step), step);
                activation::apply(activation, segment);
            }
        }
    }
}

/// Neither rows nor columns are contiguous: copies blocks of rows.
///
/// # Safety
/// As [`product`].
unsafe fn packed<T: Float>(kernels: &Kernels<T>, a: Mat<T>, part: &MatVec<T>) {
    let lanes = kernels.lanes;
    let panel = scratch::<T>(lanes * (part.k + 1));
    for i in (0..part.rows).step_by(lanes) {
        let width = lanes.min(part.rows - i);
        // SAFETY: the panel holds `k` vectors; the rows exist.
        unsafe {
            let from = part.a.offset(i as isize * a.row_stride);
            let to = panel.as_mut_ptr::<T>();
            let (across, along) = (a.row_stride, a.col_stride);
            (kernels.pack)(&Panel { from, across, along, width, k: part.k, to, step: lanes });
            let bias = part.bias.wrapping_add(if part.bias.is_null() { 0 } else { i * part.bias_step });
            let y = part.y.add(i * part.y_step);
            (kernels.columns)(&MatVec { rows: width, a: to, stride: lanes as isize, y, bias, ..*part });
        }
    }
}
