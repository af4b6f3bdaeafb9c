//! Matrix products, with bias and activation.
//!
//! [`gemm`] chooses kernel and tiles from the whole shape, the strides and the instruction set, and cuts the result
//! into blocks of a fixed size; the sum over `k` is never cut across threads. So the result has the same bits at
//! any number of threads, and transposed or otherwise strided operands give the bits of contiguous ones.
//!
//! After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008.
pub(in crate::kernels) mod activation;
mod batch;
mod blocked;
mod integer;
pub(in crate::kernels) mod kernels;
mod matvec;
pub(in crate::kernels) mod pack;
mod plan;
pub(in crate::kernels) mod scratch;
mod simd;
#[cfg(test)]
mod tests;
pub(in crate::kernels) mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::Isa;
use kernels::Float;

pub use activation::FusedActivation;
pub(crate) use batch::{Offsets, gemm_batched};

/// A matrix: element `(i, j)` is at `ptr + i * row_stride + j * col_stride`, in elements. A stride may be negative,
/// or zero to repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<T> {
    pub ptr: *const T,
    pub rows: usize,
    pub cols: usize,
    pub row_stride: isize,
    pub col_stride: isize,
}

impl<T> Mat<T> {
    /// The place of element `(i, j)`.
    ///
    /// # Safety
    /// The element exists.
    #[inline(always)]
    unsafe fn at(&self, i: usize, j: usize) -> *const T {
        // SAFETY: the element exists, so its offset stays inside of the array.
        unsafe { self.ptr.offset(i as isize * self.row_stride + j as isize * self.col_stride) }
    }

    fn transposed(self) -> Mat<T> {
        Mat {
            ptr: self.ptr,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

/// What becomes of a finished element `c` of column `j`: `activation(c + bias[j])`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epilogue<T> {
    /// As many contiguous elements as the result has columns, or null.
    pub bias: *const T,
    pub activation: FusedActivation,
}

impl<T> Epilogue<T> {
    /// Changes nothing.
    pub(crate) const IDENTITY: Epilogue<T> =
        Epilogue { bias: std::ptr::null(), activation: FusedActivation::Linear };

    fn is_identity(&self) -> bool {
        self.bias.is_null() && self.activation == FusedActivation::Linear
    }
}

/// Something that threads share although it holds pointers.
#[derive(Clone, Copy)]
struct Shared<P>(P);

// SAFETY: whoever makes one promises that the pointers are used for reads, or for writes to separate elements.
unsafe impl<P> Send for Shared<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for Shared<P> {}

impl<P> Shared<P> {
    fn get(&self) -> &P {
        &self.0
    }
}

/// One product: `c = epilogue(a b)`, or `c += a b`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product<T> {
    pub a: Mat<T>,
    pub b: Mat<T>,
    pub c: *mut T,
    pub ldc: usize,
    pub accumulate: bool,
    pub epilogue: Epilogue<T>,
}

// SAFETY: `gemm` vouches for the pointers; threads write to separate blocks of `c`.
unsafe impl<T: Sync> Sync for Product<T> {}

impl<T> Product<T> {
    /// The product restricted to `count` columns from `first`.
    ///
    /// # Safety
    /// The columns exist.
    unsafe fn columns(&self, first: usize, count: usize) -> Product<T>
    where
        T: Copy,
    {
        let Epilogue { bias, activation } = self.epilogue;
        let bias = if bias.is_null() { bias } else { bias.wrapping_add(first) };
        Product {
            b: Mat {
                ptr: self.b.ptr.wrapping_offset(first as isize * self.b.col_stride),
                cols: count,
                ..self.b
            },
            c: self.c.wrapping_add(first),
            epilogue: Epilogue { bias, activation },
            ..*self
        }
    }
}

/// Element types of matrix products. Integers wrap around.
pub(crate) trait GemmElement: Copy + Send + Sync + num_traits::Zero + PartialOrd + 'static {
    /// Computes a product that is not empty.
    ///
    /// # Safety
    /// As [`gemm`]; `m`, `k` and `n` are not zero, and the processor has the instruction set.
    unsafe fn product(isa: Isa, p: &Product<Self>);
}

macro_rules! elements {
    ($($t:ty: $product:path),*) => {$(
        impl GemmElement for $t {
            #[inline]
            unsafe fn product(isa: Isa, p: &Product<$t>) {
                // SAFETY: as the caller promises.
                unsafe { $product(isa, p) }
            }
        }
    )*};
}
elements!(f32: float, f64: float, i32: integer::product, i64: integer::product);

/// # Safety
/// As [`GemmElement::product`].
#[inline]
unsafe fn float<T: Float>(isa: Isa, p: &Product<T>) {
    let kernels = T::kernels(isa);
    // SAFETY: as the caller promises.
    unsafe {
        if p.a.rows == 1 || p.b.cols == 1 {
            matvec::product(kernels, p)
        } else {
            blocked::product(kernels, p)
        }
    }
}

/// The product `c = activation(a b + bias)` of an `m x k` and a `k x n` matrix, or `c += a b` if `accumulate`.
///
/// Element `(i, j)` of the result is at `c + i * ldc + j`. What `c` held before does not matter unless
/// `accumulate`. With `k = 0` the product is zero.
///
/// # Safety
/// `a` and `b` are valid for reads of all their elements, `c` for writes (and for reads, if `accumulate`) of `m`
/// rows of `n` elements, `ldc >= n`, and `c` overlaps neither operand nor the bias. The bias is null or has `n`
/// elements.
///
/// # Panics
/// If `a.cols != b.rows`, or if `accumulate` comes with an epilogue.
pub(crate) unsafe fn gemm<T: GemmElement>(
    a: Mat<T>,
    b: Mat<T>,
    c: *mut T,
    ldc: usize,
    accumulate: bool,
    epilogue: Epilogue<T>,
) {
    // SAFETY: `Isa::current` is an instruction set of this processor; the rest as the caller promises.
    unsafe { gemm_with(Isa::current(), Product { a, b, c, ldc, accumulate, epilogue }) }
}

/// # Safety
/// As [`gemm`], and the processor has the instruction set.
unsafe fn gemm_with<T: GemmElement>(isa: Isa, mut p: Product<T>) {
    assert_eq!(p.a.cols, p.b.rows, "inner dimensions of a matrix product");
    assert!(!p.accumulate || p.epilogue.is_identity(), "a product that accumulates has no epilogue");
    if p.a.rows == 0 || p.b.cols == 0 || (p.a.cols == 0 && p.accumulate) {
        return;
    }
    let zero = T::zero();
    if p.a.cols == 0 {
        let zeros = |rows, cols| Mat { ptr: &zero, rows, cols, row_stride: 0, col_stride: 0 };
        (p.a, p.b) = (zeros(p.a.rows, 1), zeros(1, p.b.cols));
    }
    // SAFETY: as the caller promises; `zero` outlives the product.
    unsafe { T::product(isa, &p) }
}
