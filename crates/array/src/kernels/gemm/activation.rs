//! What may be applied to the finished elements of a product.

/// The function that follows a product, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FusedActivation {
    /// `x`
    #[default]
    Linear,
    /// `max(x, 0)`; NaN stays NaN.
    Relu,
}

impl FusedActivation {
    /// Whether the tiles apply this function while they hold the elements in registers.
    #[inline]
    pub(super) fn in_registers(self) -> bool {
        match self {
            FusedActivation::Linear | FusedActivation::Relu => true,
        }
    }
}

/// Applies `activation` to a finished segment of a row, which is still in the cache. It must treat each element
/// alike wherever it lies, because where a row is cut is not part of the result.
pub(in crate::kernels) fn apply<T: Copy + PartialOrd + num_traits::Zero>(
    activation: FusedActivation,
    row: &mut [T],
) {
    match activation {
        FusedActivation::Linear => {}
        FusedActivation::Relu => {
            row.iter_mut().for_each(|x| *x = if *x < T::zero() { T::zero() } else { *x })
        }
    }
}
