//! What rules that need a whole variable have in common.
use super::narrow;
use crate::{Item, Step};
use slalom_array::{
    Array, DType, Element, Float, FusedActivation, Map, Reduction, Result, Shape, map, map_assign, matmul,
    reduce, reduce_map,
};
use std::marker::PhantomData;

/// A rule's update of one variable, in its element type.
pub(super) trait UpdateItem {
    /// Updates the variable and its slots.
    fn update_item<F: Float + Element>(&self, step: &Step<'_>, item: &mut Item<'_>) -> Result<()>;

    /// Updates all variables, one after another.
    fn update_items(&self, steps: &[Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        for item in items {
            let step = &steps[item.group];
            match item.value.dtype() {
                DType::F64 => self.update_item::<f64>(step, item)?,
                _ => self.update_item::<f32>(step, item)?,
            }
        }
        Ok(())
    }
}

/// `a x + b y`, in place of `x`; `y` may broadcast.
pub(super) fn combine<F: Float + Element>(x: &mut Array, a: f64, y: &Array, b: f64) -> Result<()> {
    #[derive(Clone, Copy)]
    struct Combine<F>(F, F);
    impl<F: Float> Map<F, F, 2> for Combine<F> {
        #[inline(always)]
        fn eval(self, [x, y]: [F; 2]) -> F {
            self.0 * x + self.1 * y
        }
    }
    map_assign("combine", Combine(F::from_f64(a), F::from_f64(b)), x, y)
}

/// Defines functions of whole arrays, which broadcast, by what happens to one element: arrays, then numbers.
macro_rules! elementwise {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+; $($p:ident),*) = $result:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name<F: Float + Element>($($x: &Array,)+ $($p: f64),*) -> Result<Array> {
            #[derive(Clone, Copy)]
            struct Kernel<F> {
                $($p: F,)*
                types: PhantomData<F>,
            }
            impl<F: Float> Map<F, F, { [$(stringify!($x)),+].len() }> for Kernel<F> {
                #[inline(always)]
                fn eval(self, [$($x),+]: [F; { [$(stringify!($x)),+].len() }]) -> F {
                    $(let $p = self.$p;)*
                    $result
                }
            }
            let kernel = Kernel { $($p: F::from_f64($p),)* types: PhantomData::<F> };
            map(stringify!($name), kernel, [$($x),+])
        }
    )*};
}

elementwise! {
    /// `x² + a`
    square(x; a) = x * x + a;
    /// `x² + y`
    square_and(x, y;) = x * x + y;
    /// `min(x, y)`
    minimum(x, y;) = x.minimum(y);
    /// `x / max(y, least)`
    quotient(x, y; least) = x / y.maximum(least);
    /// `x / √max(y, least)`
    over_root(x, y; least) = x / y.maximum(least).sqrt();
    /// `x / √max(y z, least)`
    over_root_of_product(x, y, z; least) = x / (y * z).maximum(least).sqrt();
    /// `x / √(y + ε)`, 0 where `y` is not positive.
    over_positive_root(x, y; epsilon) = F::select(y > F::ZERO, x / (y + epsilon).sqrt(), F::ZERO);
}

/// `Σ x²`
pub(super) fn sum_of_squares<F: Float + Element>(x: &Array) -> Result<f64> {
    #[derive(Clone, Copy)]
    struct Square;
    impl<F: Float> Map<F, f64, 1> for Square {
        #[inline(always)]
        fn eval(self, [x]: [F; 1]) -> f64 {
            (x * x).to_f64()
        }
    }
    reduce_map::<F, f64, _, 1>("norm", Square, [x])?.item()
}

/// The mean along an axis, which stays with length 1; it may be in `f32`.
pub(super) fn mean(x: &Array, axis: usize, narrow: bool) -> Result<Array> {
    match narrow {
        true => narrow::mean_along(x, axis),
        false => reduce(Reduction::Mean, x, &[axis], true),
    }
}

/// The axes that the means of rows and of columns lack, where a variable is factored: the last two, or the two longest where
/// both have at least a given length.
pub(super) fn factored_axes(shape: &Shape, least: Option<i64>) -> Option<[usize; 2]> {
    let rank = shape.rank();
    if rank < 2 {
        return None;
    }
    let Some(least) = least else { return Some([rank - 1, rank - 2]) };
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.sort_by_key(|&axis| shape[axis]);
    let [column, row] = [axes[rank - 2], axes[rank - 1]];
    (shape[column] as i64 >= least).then_some([row, column])
}

/// `√(Σ x² / n)`, where the mean may be in `f32`.
pub(super) fn root_mean_square<F: Float + Element>(x: &Array, narrow: bool) -> Result<f64> {
    let sum = || Ok(sum_of_squares::<F>(x)? / x.len().max(1) as f64);
    let mean = if narrow { narrow::mean(&square::<F>(x, 0.0)?) } else { sum() };
    Ok(mean?.sqrt())
}

/// A matrix with the singular vectors of `u` and singular values near 1, by steps of the Newton–Schulz iteration
/// `A = u uᵀ; u = a u + (b A + c A²) u` on `u / (‖u‖ + 1e-7)`, where the norm may be in `f32`.
pub(super) fn orthogonal<F: Float + Element>(
    u: &Array,
    [a, b, c]: [f64; 3],
    steps: i64,
    narrow_norm: bool,
) -> Result<Array> {
    let product = |a: &Array, b: &Array| matmul(a, b, None, FusedActivation::Linear);
    // The product of the matrix with itself is to be the small one.
    let turned = u.shape()[0] > u.shape()[1];
    let u = if turned { u.transpose(&[1, 0])? } else { u.clone() };
    let mut x = u.copy()?;
    let norm = match narrow_norm {
        true => f64::from(narrow::norm(&u)? + 1e-7),
        false => sum_of_squares::<F>(&u)?.sqrt() + 1e-7,
    };
    combine::<F>(&mut x, 1.0 / norm, &u, 0.0)?;
    for _ in 0..steps {
        let square = product(&x, &x.transpose(&[1, 0])?)?;
        let mut polynomial = product(&square, &square)?;
        combine::<F>(&mut polynomial, c, &square, b)?;
        let moved = product(&polynomial, &x)?;
        combine::<F>(&mut x, a, &moved, 1.0)?;
    }
    if turned { x.transpose(&[1, 0]) } else { Ok(x) }
}
