//! Numbers for the spatial axes of a layer.

/// One number for each of `N` spatial axes: an array, or one number for all.
pub trait Lengths<const N: usize> {
    /// The number for each axis.
    fn lengths(self) -> [usize; N];
}

impl<const N: usize> Lengths<N> for usize {
    fn lengths(self) -> [usize; N] {
        [self; N]
    }
}

impl<const N: usize> Lengths<N> for [usize; N] {
    fn lengths(self) -> [usize; N] {
        self
    }
}

/// Cells before and after each of `N` spatial axes: `[before, after]` for each axis, a number for both ends of each, or
/// one number for all.
pub trait Margins<const N: usize> {
    /// The cells before and after each axis.
    fn margins(self) -> [[usize; 2]; N];
}

impl<const N: usize> Margins<N> for usize {
    fn margins(self) -> [[usize; 2]; N] {
        [[self; 2]; N]
    }
}

impl<const N: usize> Margins<N> for [usize; N] {
    fn margins(self) -> [[usize; 2]; N] {
        self.map(|n| [n; 2])
    }
}

impl<const N: usize> Margins<N> for [[usize; 2]; N] {
    fn margins(self) -> [[usize; 2]; N] {
        self
    }
}

/// The name that belongs to so many spatial axes.
pub(crate) fn by_rank<const N: usize>(names: [&'static str; 3]) -> &'static str {
    const { assert!(1 <= N && N <= 3, "one to three spatial axes") };
    names[N - 1]
}

/// The spatial axes, for ops that take axes.
pub(crate) fn spatial<const N: usize>() -> [isize; N] {
    std::array::from_fn(|i| i as isize + 1)
}
