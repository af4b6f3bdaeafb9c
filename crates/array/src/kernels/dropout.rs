//! Dropout, with a mask that is a function of a counter.
use super::Shared;
use crate::array::Uninit;
use crate::{
    Array, Element, Error, ErrorKind, Float, Kernel, Philox, Result, dispatch, parallel, with_float,
};

const OP: &str = "dropout";
/// Elements of one chunk: a multiple of the elements that a group of counters makes.
const CHUNK: usize = 1 << 12;

/// `x / (1 - rate)` where the random number of an element, uniform in [0, 1), is at least `rate`, else 0 (N. Srivastava
/// et al., "Dropout", 2014). The random numbers are those of [`Philox::uniform`] from `counter` on, as many as there are
/// elements: the same counter makes the same choice again.
///
/// # Errors
/// [`ErrorKind::Argument`], if `rate` is not in `[0, 1)`; [`ErrorKind::DType`], if the elements are not floats;
/// [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, DType, Philox, dropout};
/// let y = dropout(&Array::ones([1000], DType::F32)?, 0.5, Philox::new(1), 0)?.to_vec::<f32>()?;
/// assert!(y.iter().all(|&y| y == 0.0 || y == 2.0));
/// assert!((400..600).contains(&y.iter().filter(|&&y| y == 0.0).count()));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn dropout(x: &Array, rate: f64, philox: Philox, counter: u64) -> Result<Array> {
    if !(0.0..1.0).contains(&rate) {
        return Err(Error::new(ErrorKind::Argument, OP, "a rate in [0, 1)", rate));
    }
    with_float!(OP, x.dtype(), T => chunks::<T>(x, rate, philox, counter))
}

/// How many counters [`dropout`] of this array uses.
///
/// # Errors
/// [`ErrorKind::DType`], if the elements are not floats.
pub fn dropout_counters(x: &Array) -> Result<u64> {
    with_float!(OP, x.dtype(), T => Ok(Philox::blocks(x.len(), per_block::<T>())))
}

/// Elements that one counter makes.
fn per_block<T: Float>() -> usize {
    T::PER_BLOCK
}

fn chunks<T: Float + Element>(x: &Array, rate: f64, philox: Philox, counter: u64) -> Result<Array> {
    let x = x.contiguous()?;
    let mut out = Uninit::<T>::new(x.shape())?;
    let n = x.len();
    let (from, to) =
        (Shared::new(x.as_ptr::<T>().cast_mut()), Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>()));
    let rate = T::from_f64(rate);
    parallel::for_each(n.div_ceil(CHUNK), |chunk| {
        let (start, mut random) = (chunk * CHUNK, [T::ZERO; CHUNK]);
        let random = &mut random[..CHUNK.min(n - start)];
        philox.uniform(counter.wrapping_add((start / per_block::<T>()) as u64), T::ZERO, T::ONE, random);
        let (from, to) = (from.get().wrapping_add(start), to.get().wrapping_add(start));
        dispatch(Keep { rate, scale: (T::ONE - rate).recip(), random, from, to });
    });
    // SAFETY: each chunk has written its elements.
    Ok(unsafe { out.assume_init() })
}

struct Keep<'a, T> {
    rate: T,
    scale: T,
    random: &'a [T],
    from: *const T,
    to: *mut T,
}

impl<T: Float> Kernel for Keep<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (i, &random) in self.random.iter().enumerate() {
            // SAFETY: there are as many elements, and each chunk has its own.
            unsafe {
                let kept = T::select(random >= self.rate, *self.from.add(i) * self.scale, T::ZERO);
                self.to.add(i).write(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    #[test]
    fn keeps_what_the_random_numbers_say() {
        let (n, rate, philox) = (3 * CHUNK + 77, 0.3, Philox::new(9));
        let x: Vec<f64> = (0..n).map(|i| i as f64 + 1.0).collect();
        let y = dropout(&Array::from_vec([n], x.clone()).unwrap(), rate, philox, 64).unwrap();
        let mut random = vec![0.0f64; n];
        philox.uniform(64, 0.0, 1.0, &mut random);
        for ((x, y), random) in x.iter().zip(y.to_vec::<f64>().unwrap()).zip(random) {
            let want = if random >= rate { x / (1.0 - rate) } else { 0.0 };
            assert!((y - want).abs() <= 1e-12 * want, "{y} {want}");
        }
        let x = Array::ones([5], DType::F32).unwrap();
        assert_eq!(dropout(&x, 0.0, philox, 0).unwrap().to_vec::<f32>().unwrap(), [1.0; 5]);
        for rate in [-0.1, 1.0, f64::NAN] {
            assert_eq!(dropout(&x, rate, philox, 0).unwrap_err().kind(), ErrorKind::Argument);
        }
    }
}
