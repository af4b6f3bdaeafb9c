//! Orthogonal initial values.
use super::Initializer;
use crate::{Config, random};
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// A random orthogonal matrix times `gain` (default 1), uniform among all of them (Saxe et al.: *Exact solutions to the
/// nonlinear dynamics of learning in deep linear neural networks*, 2014; `tf.keras.initializers.Orthogonal`).
///
/// It is the factor Q of a random normal matrix, with the signs that make the diagonal of R positive. For more than two
/// axes all but the last are taken as one. If there are at least as many rows as columns, the columns are orthonormal,
/// else the rows.
///
/// # Errors
/// [`initialize`](Initializer::initialize): [`ErrorKind::Shape`], if there are fewer than two axes;
/// [`ErrorKind::DType`], if the element type is not a floating-point one.
///
/// ```
/// use slalom_array::{DType, Shape};
/// use slalom_variable::initializers::{Initializer, Orthogonal};
/// let q = Orthogonal::new(1.0).seed(1).initialize(&Shape::from([2, 2]), DType::F64)?.to_vec::<f64>()?;
/// assert!((q[0] * q[1] + q[2] * q[3]).abs() < 1e-15);
/// assert!((q[0] * q[0] + q[2] * q[2] - 1.0).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orthogonal {
    gain: f64,
    seed: Option<u64>,
}

impl Orthogonal {
    /// Orthogonal matrices times `gain`.
    pub fn new(gain: f64) -> Orthogonal {
        Orthogonal { gain, seed: None }
    }

    /// With the same values each time.
    #[must_use]
    pub fn seed(self, seed: u64) -> Orthogonal {
        Orthogonal { seed: Some(seed), ..self }
    }

    pub(super) fn from_config(config: &Config) -> Result<Orthogonal> {
        config.expect_only("Orthogonal", &["gain", "seed"])?;
        Ok(Orthogonal { gain: config.number("gain", 1.0)?, seed: config.seed("seed")? })
    }
}

impl Default for Orthogonal {
    fn default() -> Orthogonal {
        Orthogonal::new(1.0)
    }
}

/// Makes vectors of length `n`, one after the other, orthonormal: each loses its part along the earlier ones, in their
/// order, and is scaled to length 1 (Gram and Schmidt). That is done twice, because after once, rounding errors
/// leave it orthogonal only as far as the vectors were independent.
fn orthonormalize(vectors: &mut [f64], n: usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for start in (0..vectors.len()).step_by(n) {
        let (earlier, rest) = vectors.split_at_mut(start);
        let vector = &mut rest[..n];
        for _ in 0..2 {
            for unit in earlier.chunks_exact(n) {
                let along = dot(unit, vector);
                vector.iter_mut().zip(unit).for_each(|(x, u)| *x -= along * u);
            }
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
    }
}

impl Initializer for Orthogonal {
    fn initialize(&self, shape: &Shape, dtype: DType) -> Result<Array> {
        let &[_, .., columns] = &shape[..] else {
            return Err(Error::new(ErrorKind::Shape, "Orthogonal", "a shape of rank 2 or more", shape));
        };
        if !dtype.is_float() {
            return Err(Error::new(ErrorKind::DType, "Orthogonal", "a floating-point dtype", dtype));
        }
        let mut values = vec![0.0f64; shape.num_elements()?];
        if values.is_empty() {
            return Array::zeros(shape, dtype);
        }
        let rows = values.len() / columns;
        random::philox(self.seed).normal(0, 0.0, 1.0, &mut values);
        orthonormalize(&mut values, rows.max(columns));
        values.iter_mut().for_each(|x| *x *= self.gain);
        // The vectors are the shorter side of the matrix.
        let matrix = match rows < columns {
            true => Array::from_vec([rows, columns], values)?,
            false => Array::from_vec([columns, rows], values)?.transpose(&[1, 0])?,
        };
        matrix.cast(dtype)?.reshape(shape)?.contiguous()
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("Orthogonal")
    }
    fn get_config(&self) -> Config {
        Config::new().with("gain", self.gain).with("seed", self.seed)
    }
}
