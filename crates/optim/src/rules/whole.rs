//! What rules that need a whole variable have in common.
use crate::{Item, Step};
use slalom_array::{Array, DType, Element, Float, Map, Result, map, map_assign, reduce_map};

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

/// `x² + a`, of each element.
pub(super) fn squares<F: Float + Element>(x: &Array, a: f64) -> Result<Array> {
    #[derive(Clone, Copy)]
    struct Square<F>(F);
    impl<F: Float> Map<F, F, 1> for Square<F> {
        #[inline(always)]
        fn eval(self, [x]: [F; 1]) -> F {
            x * x + self.0
        }
    }
    map("square", Square(F::from_f64(a)), [x])
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

/// `√(Σ x² / n)`
pub(super) fn root_mean_square<F: Float + Element>(x: &Array) -> Result<f64> {
    Ok((sum_of_squares::<F>(x)? / x.len().max(1) as f64).sqrt())
}
