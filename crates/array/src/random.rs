//! Counter-based random numbers.
mod distribution;
mod generator;

pub use distribution::Integer;
pub use generator::Generator;

use crate::isa::{Isa, Kernel, dispatch};
use crate::{Float, parallel};
use distribution::{Distribution, Normal, Uniform, UniformInt};
use std::sync::Mutex;

/// The generator Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: *Parallel random numbers: as easy as 1, 2, 3*, 2011).
///
/// A block of four random words is a function of a 64-bit key and a 128-bit counter, and nothing else. So every
/// element that a fill writes depends only on the key, on the counter that the fill was given and on the element's
/// index: neither the number of threads nor the length of the slice changes it. Two fills are independent if their
/// keys differ or their ranges of counters do not overlap. A fill of n elements that starts at counter c uses
/// counters from c to c + [`blocks`](Self::blocks)`(n, b)`, where b is the number of elements from one block:
///
/// | fill | b |
/// |---|---:|
/// | [`uniform`](Self::uniform), [`normal`](Self::normal), [`truncated_normal`](Self::truncated_normal), `f32` | 4 |
/// | the same, `f64` | 2 |
/// | [`uniform_int`](Self::uniform_int), `i32` | 2 |
/// | the same, `i64`; [`permutation`](Self::permutation) | 1 |
///
/// Elements come in groups of 16 b, each from 16 blocks: element i of a group is value i / 16 of block i mod 16.
///
/// ```
/// use slalom_array::Philox;
/// let philox = Philox::new(7);
/// let (mut all, mut start) = ([0.0_f32; 1000], [0.0_f32; 10]);
/// philox.uniform(0, -1.0, 1.0, &mut all);
/// philox.uniform(0, -1.0, 1.0, &mut start);
/// assert_eq!(all[..10], start);
/// assert!(all.iter().all(|x| (-1.0..1.0).contains(x)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Philox {
    key: u64,
}

/// Blocks that are computed side by side, in the lanes of vectors.
const LANES: usize = 16;
/// Elements of one chunk of a parallel fill.
const CHUNK: usize = 1 << 14;

impl Philox {
    /// The generator with this key.
    pub const fn new(key: u64) -> Philox {
        Philox { key }
    }

    /// The key.
    pub const fn key(&self) -> u64 {
        self.key
    }

    /// The four random words of a counter.
    ///
    /// ```
    /// use slalom_array::Philox;
    /// assert_eq!(Philox::new(0).block(0), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    /// ```
    #[inline]
    pub fn block(&self, counter: u128) -> [u32; 4] {
        self.words(counter as u64, (counter >> 64) as u64)
    }

    /// The block of counter `high` · 2⁶⁴ + `low`. Words are held in 64-bit lanes, whose upper halves are ignored,
    /// because that is what vectors can multiply.
    #[inline(always)]
    fn words(&self, low: u64, high: u64) -> [u32; 4] {
        const WORD: u64 = 0xffff_ffff;
        let mut c = [low, low >> 32, high, high >> 32];
        let mut key = [self.key as u32, (self.key >> 32) as u32];
        for _ in 0..10 {
            let (p0, p1) = (0xd251_1f53 * (c[0] & WORD), 0xcd9e_8d57 * (c[2] & WORD));
            c = [(p1 >> 32) ^ c[1] ^ u64::from(key[0]), p1, (p0 >> 32) ^ c[3] ^ u64::from(key[1]), p0];
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        c.map(|word| word as u32)
    }

    /// How many counters a fill of `n` elements uses, if one block makes `per_block` of them: ⌈n / 16 `per_block`⌉ · 16.
    pub const fn blocks(n: usize, per_block: usize) -> u64 {
        (n.div_ceil(LANES * per_block) * LANES) as u64
    }

    /// Fills `out` with numbers that are uniformly distributed in [`low`, `high`): `low + u (high - low)` with u a
    /// multiple of 2⁻²⁴ (`f32`) or 2⁻⁵³ (`f64`) in [0, 1). All are `low` if the bounds are equal.
    ///
    /// # Panics
    /// If `low > high`, or if `high - low` is not finite.
    pub fn uniform<F: Float>(&self, counter: u64, low: F, high: F, out: &mut [F]) {
        assert!(
            low <= high && (high - low).is_finite(),
            "uniform: expected low <= high, got {low} and {high}"
        );
        self.fill(counter, Uniform::new(low, high), out);
    }

    /// Fills `out` with normally distributed numbers (Box and Muller, 1958). They reach 6.6 standard deviations in
    /// `f32` and 8.5 in `f64`.
    pub fn normal<F: Float>(&self, counter: u64, mean: F, stddev: F, out: &mut [F]) {
        self.fill(counter, Normal::<F, false> { mean, stddev }, out);
    }

    /// Fills `out` with normally distributed numbers, of which those more than two standard deviations from the mean
    /// are drawn again (TensorFlow's `tf.random.truncated_normal`). The standard deviation of the result
    /// is 0.8796 `stddev`. Further draws come from the same counters plus multiples of 2⁶⁴.
    pub fn truncated_normal<F: Float>(&self, counter: u64, mean: F, stddev: F, out: &mut [F]) {
        self.fill(counter, Normal::<F, true> { mean, stddev }, out);
    }

    /// Fills `out` with integers from `low` to `high - 1`. Each is equally likely, up to 2⁻³² (`i32`) or 2⁻⁶⁴
    /// (`i64`) of its probability.
    ///
    /// # Panics
    /// If `low >= high`.
    pub fn uniform_int<I: Integer>(&self, counter: u64, low: I, high: I, out: &mut [I]) {
        assert!(low < high, "uniform_int: expected low < high, got {low} and {high}");
        self.fill(counter, UniformInt { low, high }, out);
    }

    /// The numbers 0 to n - 1 in random order (Fisher and Yates; Durstenfeld, 1964).
    pub fn permutation(&self, counter: u64, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let words = self.words(counter.wrapping_add(i as u64), 0);
            let word = u128::from(words[0]) | u128::from(words[1]) << 32;
            order.swap(i, ((word * (i as u128 + 1)) >> 64) as usize);
        }
        order
    }

    fn fill<T: Copy + Send, D: Distribution<T>>(&self, counter: u64, distribution: D, out: &mut [T]) {
        let chunk = |first: usize, out: &mut [T]| {
            let counter = counter.wrapping_add((first / D::PER_BLOCK) as u64);
            dispatch(Fill { philox: *self, counter, distribution, out });
        };
        if out.len() <= CHUNK {
            return chunk(0, out);
        }
        let chunks: Vec<_> = out.chunks_mut(CHUNK).map(Mutex::new).collect();
        parallel::for_each(chunks.len(), |i| {
            chunk(i * CHUNK, &mut chunks[i].lock().unwrap_or_else(|e| e.into_inner()));
        });
    }
}

/// Fills a slice with what a distribution makes of the blocks from `counter` on.
struct Fill<'a, T, D> {
    philox: Philox,
    counter: u64,
    distribution: D,
    out: &'a mut [T],
}

impl<T: Copy, D: Distribution<T>> Kernel for Fill<'_, T, D> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        let group = LANES * D::PER_BLOCK;
        for (i, out) in self.out.chunks_mut(group).enumerate() {
            let counter = self.counter.wrapping_add((i * LANES) as u64);
            let mut values = group_of(self.philox, self.distribution, counter, 0);
            let mut attempt = 0;
            while D::REJECTS && !values[..group].iter().all(|&v| self.distribution.accepts(v)) {
                attempt += 1;
                let next = group_of(self.philox, self.distribution, counter, attempt);
                for (value, next) in values.iter_mut().zip(next) {
                    *value = if self.distribution.accepts(*value) { *value } else { next };
                }
            }
            for (out, value) in out.iter_mut().zip(values) {
                *out = self.distribution.finish(value);
            }
        }
    }
}

/// The values of 16 blocks; `attempt` is the upper half of the counter.
#[inline(always)]
fn group_of<T: Copy, D: Distribution<T>>(philox: Philox, d: D, counter: u64, attempt: u64) -> [T; 4 * LANES] {
    let mut values = [d.values([0; 4])[0]; 4 * LANES];
    for lane in 0..LANES {
        let block = d.values(philox.words(counter.wrapping_add(lane as u64), attempt));
        for j in 0..D::PER_BLOCK {
            values[j * LANES + lane] = block[j];
        }
    }
    values
}

#[cfg(test)]
mod tests;
