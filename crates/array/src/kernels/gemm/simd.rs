//! Vectors: the few operations that the matrix product kernels need, for each instruction set.

/// A vector of `LANES` elements.
///
/// # Safety
/// Of every method: the processor has the instruction set of the implementation, and pointers are valid for the
/// lanes that are read or written.
pub(super) trait Simd: 'static {
    /// The element type.
    type Elem: Copy + 'static;
    /// The vector.
    type V: Copy;
    /// Which lanes a partial load or store touches.
    type Mask: Copy;
    /// Elements in a vector; a power of two.
    const LANES: usize;
    /// Rows and columns of the block that `transpose` turns.
    const BLOCK: usize;

    /// The first `n <= LANES` lanes.
    unsafe fn mask(n: usize) -> Self::Mask;
    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: *const Self::Elem) -> Self::V;
    unsafe fn load(from: *const Self::Elem) -> Self::V;
    /// Lanes outside of the mask are zero and not read.
    unsafe fn load_masked(from: *const Self::Elem, mask: Self::Mask) -> Self::V;
    unsafe fn store(to: *mut Self::Elem, v: Self::V);
    unsafe fn store_masked(to: *mut Self::Elem, mask: Self::Mask, v: Self::V);
    /// `a * b + c`, fused where the instruction set can.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `max(v, 0)`; NaN stays NaN.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// The sum of all lanes: the upper half is added to the lower half until one lane is left.
    unsafe fn sum(v: Self::V) -> Self::Elem;
    /// `to[j * to_stride + i] = from[i * from_stride + j]` for `i, j < BLOCK`.
    unsafe fn transpose(from: *const Self::Elem, from_stride: isize, to: *mut Self::Elem, to_stride: usize);
    /// Asks for the cache line at `p`, which need not be valid.
    #[inline(always)]
    unsafe fn prefetch(_p: *const Self::Elem) {}
}

/// Sixteen bytes of plain Rust, which the compiler turns into what the target guarantees.
pub(super) struct Portable<T>(std::marker::PhantomData<T>);

macro_rules! portable {
    ($t:ty, $lanes:literal) => {
        impl Simd for Portable<$t> {
            type Elem = $t;
            type V = [$t; $lanes];
            type Mask = usize;
            const LANES: usize = $lanes;
            const BLOCK: usize = $lanes;

            #[inline(always)]
            unsafe fn mask(n: usize) -> usize {
                n
            }
            #[inline(always)]
            unsafe fn zero() -> [$t; $lanes] {
                [0.0; $lanes]
            }
            #[inline(always)]
            unsafe fn splat(x: *const $t) -> [$t; $lanes] {
                // SAFETY: the caller vouches for `x`.
                [unsafe { *x }; $lanes]
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> [$t; $lanes] {
                // SAFETY: the caller vouches for all lanes.
                unsafe { from.cast::<[$t; $lanes]>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $t, mask: usize) -> [$t; $lanes] {
                if mask == $lanes {
                    // SAFETY: the caller vouches for all lanes.
                    return unsafe { Self::load(from) };
                }
                // SAFETY: only lanes of the mask are read.
                std::array::from_fn(|i| if i < mask { unsafe { *from.add(i) } } else { 0.0 })
            }
            #[inline(always)]
            unsafe fn store(to: *mut $t, v: [$t; $lanes]) {
                // SAFETY: the caller vouches for all lanes.
                unsafe { to.cast::<[$t; $lanes]>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn store_masked(to: *mut $t, mask: usize, v: [$t; $lanes]) {
                for (i, x) in v.into_iter().enumerate().take(mask) {
                    // SAFETY: only lanes of the mask are written.
                    unsafe { to.add(i).write(x) };
                }
            }
            #[inline(always)]
            unsafe fn mul_add(a: [$t; $lanes], b: [$t; $lanes], c: [$t; $lanes]) -> [$t; $lanes] {
                // AArch64 always has the fused instruction; baseline x86-64 would call a slow library function.
                #[cfg(target_arch = "aarch64")]
                return std::array::from_fn(|i| a[i].mul_add(b[i], c[i]));
                #[cfg(not(target_arch = "aarch64"))]
                return std::array::from_fn(|i| a[i] * b[i] + c[i]);
            }
            #[inline(always)]
            unsafe fn add(a: [$t; $lanes], b: [$t; $lanes]) -> [$t; $lanes] {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            unsafe fn relu(v: [$t; $lanes]) -> [$t; $lanes] {
                v.map(|x| if x < 0.0 { 0.0 } else { x })
            }
            #[inline(always)]
            unsafe fn sum(v: [$t; $lanes]) -> $t {
                let mut v = v;
                let mut half = $lanes / 2;
                while half > 0 {
                    (0..half).for_each(|i| v[i] += v[i + half]);
                    half /= 2;
                }
                v[0]
            }
            #[inline(always)]
            unsafe fn transpose(from: *const $t, from_stride: isize, to: *mut $t, to_stride: usize) {
                for j in 0..$lanes {
                    for i in 0..$lanes {
                        // SAFETY: the caller vouches for the block.
                        unsafe { *to.add(j * to_stride + i) = *from.offset(i as isize * from_stride).add(j) };
                    }
                }
            }
        }
    };
}
portable!(f32, 4);
portable!(f64, 2);
