//! [`Simd`] with AVX2 and FMA, and with AVX-512.
use super::simd::Simd;
use std::arch::x86_64::*;

/// AVX2 and FMA.
pub(super) struct Avx2<T>(std::marker::PhantomData<T>);
/// AVX-512 F, BW, DQ and VL.
pub(super) struct Avx512<T>(std::marker::PhantomData<T>);

/// Sixteen 32-bit words: eight of all ones, eight of zeros. A window into it is a mask.
static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The intrinsics that differ only in their names.
macro_rules! common {
    ($t:ty, $zero:ident, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $max:ident) => {
        #[inline(always)]
        unsafe fn zero() -> Self::V {
            // SAFETY: the caller vouches for the instruction set.
            unsafe { $zero() }
        }
        #[inline(always)]
        unsafe fn splat(x: *const $t) -> Self::V {
            // SAFETY: the caller vouches for the instruction set and for `x`.
            unsafe { $splat(*x) }
        }
        #[inline(always)]
        unsafe fn load(from: *const $t) -> Self::V {
            // SAFETY: the caller vouches for the instruction set and for all lanes.
            unsafe { $load(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut $t, v: Self::V) {
            // SAFETY: the caller vouches for the instruction set and for all lanes.
            unsafe { $store(to, v) }
        }
        #[inline(always)]
        unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: the caller vouches for the instruction set.
            unsafe { $fma(a, b, c) }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the caller vouches for the instruction set.
            unsafe { $add(a, b) }
        }
        #[inline(always)]
        unsafe fn relu(v: Self::V) -> Self::V {
            // The instruction returns its second operand if one is NaN.
            // SAFETY: the caller vouches for the instruction set.
            unsafe { $max($zero(), v) }
        }
        #[inline(always)]
        unsafe fn prefetch(p: *const $t) {
            // SAFETY: a prefetch of any address is allowed.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
    };
}

macro_rules! avx512 {
    ($t:ty, $v:ty, $mask:ty, $lanes:expr, $block:expr, $half:ident, $load_masked:ident, $store_masked:ident, $($op:ident),*) => {
        impl Simd for Avx512<$t> {
            type Elem = $t;
            type V = $v;
            type Mask = $mask;
            const LANES: usize = $lanes;
            const BLOCK: usize = $block;
            common!($t, $($op),*);

            #[inline(always)]
            unsafe fn mask(n: usize) -> $mask {
                ((1_u32 << n) - 1) as $mask
            }
            #[inline(always)]
            unsafe fn load_masked(from: *const $t, mask: $mask) -> $v {
                // SAFETY: the caller vouches for the instruction set and for the lanes of the mask.
                unsafe { $load_masked(mask, from) }
            }
            #[inline(always)]
            unsafe fn store_masked(to: *mut $t, mask: $mask, v: $v) {
                // SAFETY: the caller vouches for the instruction set and for the lanes of the mask.
                unsafe { $store_masked(to, mask, v) }
            }
            #[inline(always)]
            unsafe fn sum(v: $v) -> $t {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { $half(v) }
            }
            #[inline(always)]
            unsafe fn transpose(from: *const $t, from_stride: isize, to: *mut $t, to_stride: usize) {
                // SAFETY: AVX-512 includes AVX2; the caller vouches for the block.
                unsafe { Avx2::<$t>::transpose(from, from_stride, to, to_stride) }
            }
        }
    };
}
avx512!(
    f32,
    __m512,
    __mmask16,
    16,
    8,
    sum_512,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_max_ps
);
avx512!(
    f64,
    __m512d,
    __mmask8,
    8,
    4,
    sum_512d,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd,
    _mm512_max_pd
);

#[inline(always)]
unsafe fn sum_512(v: __m512) -> f32 {
    // SAFETY: the caller vouches for AVX-512.
    unsafe { sum_256(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v))) }
}

#[inline(always)]
unsafe fn sum_512d(v: __m512d) -> f64 {
    // SAFETY: the caller vouches for AVX-512.
    unsafe { sum_256d(_mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd::<1>(v))) }
}

#[inline(always)]
unsafe fn sum_256(v: __m256) -> f32 {
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps::<1>(v, v)))
    }
}

#[inline(always)]
unsafe fn sum_256d(v: __m256d) -> f64 {
    // SAFETY: the caller vouches for AVX2.
    unsafe {
        let v = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd::<1>(v));
        _mm_cvtsd_f64(_mm_add_sd(v, _mm_unpackhi_pd(v, v)))
    }
}

impl Simd for Avx2<f32> {
    type Elem = f32;
    type V = __m256;
    type Mask = __m256i;
    const LANES: usize = 8;
    const BLOCK: usize = 8;
    common!(
        f32,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_max_ps
    );

    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        // SAFETY: `n <= 8`, so the window of eight words lies inside of the sixteen.
        unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(8 - n).cast()) }
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: __m256i) -> __m256 {
        // SAFETY: the caller vouches for AVX2 and for the lanes of the mask.
        unsafe { _mm256_maskload_ps(from, mask) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f32, mask: __m256i, v: __m256) {
        // SAFETY: the caller vouches for AVX2 and for the lanes of the mask.
        unsafe { _mm256_maskstore_ps(to, mask, v) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m256) -> f32 {
        // SAFETY: the caller vouches for AVX2.
        unsafe { sum_256(v) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        // SAFETY: the caller vouches for AVX2 and for a block of eight by eight.
        unsafe {
            let row = |i: isize| _mm256_loadu_ps(from.offset(i * from_stride));
            let pair = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (a0, a1) = pair(row(0), row(1));
            let (a2, a3) = pair(row(2), row(3));
            let (a4, a5) = pair(row(4), row(5));
            let (a6, a7) = pair(row(6), row(7));
            let quad = |a, b| (_mm256_shuffle_ps::<0x44>(a, b), _mm256_shuffle_ps::<0xEE>(a, b));
            let (b0, b1) = quad(a0, a2);
            let (b2, b3) = quad(a1, a3);
            let (b4, b5) = quad(a4, a6);
            let (b6, b7) = quad(a5, a7);
            let lo = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
            let hi = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
            let rows = [
                lo(b0, b4),
                lo(b1, b5),
                lo(b2, b6),
                lo(b3, b7),
                hi(b0, b4),
                hi(b1, b5),
                hi(b2, b6),
                hi(b3, b7),
            ];
            for (j, row) in rows.into_iter().enumerate() {
                _mm256_storeu_ps(to.add(j * to_stride), row);
            }
        }
    }
}

impl Simd for Avx2<f64> {
    type Elem = f64;
    type V = __m256d;
    type Mask = __m256i;
    const LANES: usize = 4;
    const BLOCK: usize = 4;
    common!(
        f64,
        _mm256_setzero_pd,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_max_pd
    );

    #[inline(always)]
    unsafe fn mask(n: usize) -> __m256i {
        // SAFETY: `2 n <= 8`, so the window of eight words lies inside of the sixteen.
        unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(8 - 2 * n).cast()) }
    }
    #[inline(always)]
    unsafe fn load_masked(from: *const f64, mask: __m256i) -> __m256d {
        // SAFETY: the caller vouches for AVX2 and for the lanes of the mask.
        unsafe { _mm256_maskload_pd(from, mask) }
    }
    #[inline(always)]
    unsafe fn store_masked(to: *mut f64, mask: __m256i, v: __m256d) {
        // SAFETY: the caller vouches for AVX2 and for the lanes of the mask.
        unsafe { _mm256_maskstore_pd(to, mask, v) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m256d) -> f64 {
        // SAFETY: the caller vouches for AVX2.
        unsafe { sum_256d(v) }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: the caller vouches for AVX2 and for a block of four by four.
        unsafe {
            let row = |i: isize| _mm256_loadu_pd(from.offset(i * from_stride));
            let pair = |a, b| (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            let (a0, a1) = pair(row(0), row(1));
            let (a2, a3) = pair(row(2), row(3));
            let lo = |a, b| _mm256_permute2f128_pd::<0x20>(a, b);
            let hi = |a, b| _mm256_permute2f128_pd::<0x31>(a, b);
            let rows = [lo(a0, a2), lo(a1, a3), hi(a0, a2), hi(a1, a3)];
            for (j, row) in rows.into_iter().enumerate() {
                _mm256_storeu_pd(to.add(j * to_stride), row);
            }
        }
    }
}
