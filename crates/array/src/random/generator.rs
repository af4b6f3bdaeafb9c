//! A stream of random numbers.
use super::{Integer, Philox};
use crate::Float;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stream of random numbers: a [`Philox`] key and the next counter.
///
/// Each fill takes the counters that it needs in one atomic step, so threads can share a generator; which of their
/// fills comes first is then up to chance. The state resumes the stream exactly.
///
/// ```
/// use slalom_array::Generator;
/// let generator = Generator::from_seed(42);
/// let (mut x, mut again) = ([0.0_f32; 3], [0.0_f32; 3]);
/// let state = generator.state();
/// generator.normal(0.0, 1.0, &mut x);
/// generator.set_state(state);
/// generator.normal(0.0, 1.0, &mut again);
/// assert_eq!(x, again);
/// generator.normal(0.0, 1.0, &mut again);
/// assert_ne!(x, again);
/// ```
#[derive(Debug)]
pub struct Generator {
    key: AtomicU64,
    counter: AtomicU64,
}

/// Upper halves of counters that make keys; fills use small numbers there.
const SPLIT: u64 = u64::MAX;
const FOLD_IN: u64 = u64::MAX - 1;

impl Generator {
    /// The stream of a seed, at its start.
    pub const fn from_seed(seed: u64) -> Generator {
        Generator { key: AtomicU64::new(seed), counter: AtomicU64::new(0) }
    }

    /// A new stream, independent of this one and of every other one split from it. Advances this one by one counter.
    pub fn split(&self) -> Generator {
        self.derive(self.reserve(1), SPLIT)
    }

    /// The stream for a number, such as a replica or an epoch: always the same for the same seed and `data`,
    /// wherever this stream stands.
    pub fn fold_in(&self, data: u64) -> Generator {
        self.derive(data, FOLD_IN)
    }

    fn derive(&self, low: u64, high: u64) -> Generator {
        let words = self.philox().block(u128::from(high) << 64 | u128::from(low));
        Generator::from_seed(u64::from(words[1]) << 32 | u64::from(words[0]))
    }

    /// The key and the next counter.
    pub fn state(&self) -> [u64; 2] {
        [self.key.load(Ordering::Relaxed), self.counter.load(Ordering::Relaxed)]
    }

    /// Continues from what [`state`](Self::state) returned. No other thread may be drawing from the generator: it
    /// would see the old key with the new counter.
    pub fn set_state(&self, [key, counter]: [u64; 2]) {
        self.key.store(key, Ordering::Relaxed);
        self.counter.store(counter, Ordering::Relaxed);
    }

    /// The function of counters that the stream consists of.
    pub fn philox(&self) -> Philox {
        Philox::new(self.key.load(Ordering::Relaxed))
    }

    /// Takes the next `blocks` counters and returns the first of them.
    pub fn reserve(&self, blocks: u64) -> u64 {
        self.counter.fetch_add(blocks, Ordering::Relaxed)
    }

    /// [`Philox::uniform`] with the next counters.
    ///
    /// # Panics
    /// As that does.
    pub fn uniform<F: Float>(&self, low: F, high: F, out: &mut [F]) {
        let counter = self.reserve(Philox::blocks(out.len(), F::PER_BLOCK));
        self.philox().uniform(counter, low, high, out);
    }

    /// [`Philox::normal`] with the next counters.
    pub fn normal<F: Float>(&self, mean: F, stddev: F, out: &mut [F]) {
        let counter = self.reserve(Philox::blocks(out.len(), F::PER_BLOCK));
        self.philox().normal(counter, mean, stddev, out);
    }

    /// [`Philox::truncated_normal`] with the next counters.
    pub fn truncated_normal<F: Float>(&self, mean: F, stddev: F, out: &mut [F]) {
        let counter = self.reserve(Philox::blocks(out.len(), F::PER_BLOCK));
        self.philox().truncated_normal(counter, mean, stddev, out);
    }

    /// [`Philox::uniform_int`] with the next counters.
    ///
    /// # Panics
    /// As that does.
    pub fn uniform_int<I: Integer>(&self, low: I, high: I, out: &mut [I]) {
        let counter = self.reserve(Philox::blocks(out.len(), I::PER_BLOCK));
        self.philox().uniform_int(counter, low, high, out);
    }

    /// [`Philox::permutation`] with the next counters.
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let counter = self.reserve(Philox::blocks(n, 1));
        self.philox().permutation(counter, n)
    }
}
