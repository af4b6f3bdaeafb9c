//! Convolution kernels that are constant on rings.
use super::Constraint;
use crate::Config;
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;

/// Makes a convolution kernel `[k, k, channels, filters]` constant on each square ring around its centre
/// (`tf.keras.constraints.RadialConstraint`).
///
/// Every ring takes the value of one cell on the diagonal, in each channel and filter. With `s = ⌊k / 2⌋` and ring 0
/// in the centre (one cell for odd `k`, 2 × 2 cells for even), ring 0 takes cell `s - 1`; ring `r ≥ 1` takes cell
/// `s + r - 1` for odd and `s + r` for even `k`. So for odd kernels every value comes from one ring further in or, in
/// the centre, one further out: that is what Keras does.
///
/// # Errors
/// [`apply`](Constraint::apply): [`ErrorKind::Shape`](slalom_array::ErrorKind::Shape), if the rank is not 4, the first
/// two lengths differ or they are less than 2.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, RadialConstraint};
/// let kernel = Tensor::from_vec([2, 2, 1, 1], vec![1.0f32, 2.0, 3.0, 4.0])?;
/// assert_eq!(RadialConstraint.apply(&kernel)?.to_vec::<f32>()?, [1.0; 4]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RadialConstraint;

impl RadialConstraint {
    pub(super) fn from_config(config: &Config) -> Result<RadialConstraint> {
        config.expect_only("RadialConstraint", &[])?;
        Ok(RadialConstraint)
    }
}

/// For each cell of a `k` × `k` kernel, the row and column of the diagonal cell that it takes its value from.
fn sources(k: usize) -> Vec<i32> {
    let (s, odd) = (k / 2, k % 2 == 1);
    let distance = |i: usize| match i >= s {
        true => i - s,
        false if odd => s - i,
        false => s - 1 - i,
    };
    let source = |ring: usize| match ring {
        0 => s - 1,
        ring if odd => s + ring - 1,
        ring => s + ring,
    };
    let cells = (0..k).flat_map(|i| (0..k).map(move |j| (i, j)));
    cells.map(|(i, j)| source(distance(i).max(distance(j))) as i32).collect()
}

impl Constraint for RadialConstraint {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let &[k, width, channels, filters] = &value.shape()[..] else {
            let expected = "a kernel of rank 4, [k, k, channels, filters]";
            return Err(Error::new(ErrorKind::Shape, "RadialConstraint", expected, value.shape()));
        };
        if k != width || k < 2 {
            let expected = "a square kernel of at least 2 x 2";
            return Err(Error::new(ErrorKind::Shape, "RadialConstraint", expected, value.shape()));
        }
        let cells = value.reshape([k * k, channels, filters])?;
        let diagonal: Vec<i32> = sources(k).into_iter().map(|at| at * (k as i32 + 1)).collect();
        cells.gather(Tensor::from_vec([k * k], diagonal)?, 0)?.reshape(value.shape())
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("RadialConstraint")
    }
}
