//! What is made of random words.
use crate::Float;
use crate::float::sin_cos_turns;
use std::fmt::Display;

/// Makes values of a block of random words.
pub(super) trait Distribution<T>: Copy + Send + Sync {
    /// Values from one block.
    const PER_BLOCK: usize;
    /// Whether values may be rejected.
    const REJECTS: bool = false;
    /// The values of a block, of which the first `PER_BLOCK` count.
    fn values(&self, words: [u32; 4]) -> [T; 4];
    /// Whether the value stands or is drawn again.
    #[inline(always)]
    fn accepts(&self, _value: T) -> bool {
        true
    }
    /// The element that becomes of an accepted value.
    fn finish(&self, value: T) -> T;
}

/// Uniform in [low, low + range).
#[derive(Clone, Copy)]
pub(super) struct Uniform<F> {
    low: F,
    range: F,
    /// The largest number below the upper bound: rounding must not reach the bound.
    last: F,
}

impl<F: Float> Uniform<F> {
    pub(super) fn new(low: F, high: F) -> Self {
        Uniform { low, range: high - low, last: if low < high { high.next_down() } else { low } }
    }
}

impl<F: Float> Distribution<F> for Uniform<F> {
    const PER_BLOCK: usize = F::PER_BLOCK;
    #[inline(always)]
    fn values(&self, words: [u32; 4]) -> [F; 4] {
        F::units(words)
    }
    #[inline(always)]
    fn finish(&self, u: F) -> F {
        Float::min(u.mul_add(self.range, self.low), self.last)
    }
}

/// Normal by Box's and Muller's method, of which `TRUNCATED` keeps two standard deviations.
#[derive(Clone, Copy)]
pub(super) struct Normal<F, const TRUNCATED: bool> {
    pub(super) mean: F,
    pub(super) stddev: F,
}

impl<F: Float, const TRUNCATED: bool> Distribution<F> for Normal<F, TRUNCATED> {
    const PER_BLOCK: usize = F::PER_BLOCK;
    const REJECTS: bool = TRUNCATED;
    #[inline(always)]
    fn values(&self, words: [u32; 4]) -> [F; 4] {
        let (radius, angle) = (F::positive_units(words), F::units(words));
        let (a, b) = normal_pair(radius[0], angle[1]);
        let (c, d) = normal_pair(radius[2], angle[3]);
        [a, b, c, d]
    }
    #[inline(always)]
    fn accepts(&self, z: F) -> bool {
        !TRUNCATED || z.abs() <= F::TWO
    }
    #[inline(always)]
    fn finish(&self, z: F) -> F {
        z.mul_add(self.stddev, self.mean)
    }
}

/// Two independent normal numbers of u in (0, 1] and v in [0, 1).
#[inline(always)]
fn normal_pair<F: Float>(u: F, v: F) -> (F, F) {
    let radius = (-F::TWO * u.ln()).sqrt();
    let (sin, cos) = sin_cos_turns(v);
    (radius * cos, radius * sin)
}

/// Uniform integers: the upper half of the product of random bits and the number of integers.
#[derive(Clone, Copy)]
pub(super) struct UniformInt<I> {
    pub(super) low: I,
    pub(super) high: I,
}

/// An integer type that [`Philox::uniform_int`](super::Philox::uniform_int) draws. The trait is sealed.
pub trait Integer: Copy + PartialOrd + Display + Send + Sync + sealed::Bounded {}

mod sealed {
    pub trait Bounded: Sized {
        /// Elements from one block.
        const PER_BLOCK: usize;
        /// The elements of a block that lie in [low, high).
        fn between(words: [u32; 4], low: Self, high: Self) -> [Self; 4];
    }
}

impl<I: Integer> Distribution<I> for UniformInt<I> {
    const PER_BLOCK: usize = I::PER_BLOCK;
    #[inline(always)]
    fn values(&self, words: [u32; 4]) -> [I; 4] {
        I::between(words, self.low, self.high)
    }
    #[inline(always)]
    fn finish(&self, value: I) -> I {
        value
    }
}

impl Integer for i32 {}
impl sealed::Bounded for i32 {
    const PER_BLOCK: usize = 2;
    #[inline(always)]
    fn between(words: [u32; 4], low: i32, high: i32) -> [i32; 4] {
        let range = u64::from(high.wrapping_sub(low) as u32);
        let product = |i: usize| u64::from(words[i]) * range + ((u64::from(words[i + 1]) * range) >> 32);
        let [a, b] = [product(0), product(2)].map(|p| low.wrapping_add((p >> 32) as i32));
        [a, b, b, b]
    }
}

impl Integer for i64 {}
impl sealed::Bounded for i64 {
    const PER_BLOCK: usize = 1;
    #[inline(always)]
    fn between(words: [u32; 4], low: i64, high: i64) -> [i64; 4] {
        let range = u128::from(high.wrapping_sub(low) as u64);
        let word = |i: usize| u128::from(words[i]) | u128::from(words[i + 1]) << 32;
        let product = word(0) * range + ((word(2) * range) >> 64);
        [low.wrapping_add((product >> 64) as i64); 4]
    }
}
