//! Reductions that pick: the largest and smallest element and their places; and products and truth of all.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one, single};
use crate::ops::concat::concat;
use crate::ops::reduce::{as_rows, resolve, spread};
use crate::{Tensor, apply};
use slalom_array::{Array, Float, Map, Reduction, Result, map_float, reduce};
use smallvec::{SmallVec, smallvec};

type Axes = SmallVec<[usize; 6]>;

/// The largest element, or the smallest.
#[derive(Debug, Clone)]
struct Extreme {
    largest: bool,
    axes: Axes,
    keep_dims: bool,
}

impl Op for Extreme {
    fn name(&self) -> &'static str {
        if self.largest { "max" } else { "min" }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let reduction = if self.largest { Reduction::Max } else { Reduction::Min };
        Ok(smallvec![reduce(reduction, inputs[0], &self.axes, self.keep_dims)?])
    }
    fn saves(&self) -> Saves {
        Saves::Both
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (shape, axes) = (cx.input_shape(0), &self.axes);
        let is_extreme = indicator(cx.input(0), &spread(cx.output().clone(), shape, axes)?)?;
        let signed: SmallVec<[isize; 6]> = axes.iter().map(|&axis| axis as isize).collect();
        let ties = is_extreme.sum_axes(&signed, self.keep_dims)?;
        one(spread(cx.grad()? / ties, shape, axes)? * is_extreme)
    }
}

/// 1 where both are equal, else 0.
#[derive(Debug, Clone, Copy)]
struct Indicator;

/// 1 where both are equal, else 0.
pub(crate) fn indicator(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    apply(Indicator, [a, b])
}

impl<F: Float> Map<F, F, 2> for Indicator {
    #[inline(always)]
    fn eval(self, [a, b]: [F; 2]) -> F {
        F::select(a == b, F::ONE, F::ZERO)
    }
}

impl Op for Indicator {
    fn name(&self) -> &'static str {
        "indicator"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        single(map_float("indicator", *self, [inputs[0], inputs[1]]))
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a comparison"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

/// The product over the last axis.
#[derive(Debug, Clone, Copy)]
struct Product;

impl Op for Product {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![reduce(Reduction::Prod, inputs[0], &[inputs[0].rank() - 1], false)?])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        // The product of all others, without a division, so that zeros are right.
        let x = cx.input(0);
        let others = products_before(x)? * products_before(&x.reverse(&[-1])?)?.reverse(&[-1])?;
        one(cx.grad()?.expand_dims(-1)? * others)
    }
}

/// For each element the product of those before it along the last axis, by doubling.
fn products_before(x: &Tensor) -> Result<Tensor> {
    let n = x.shape()[x.rank() - 1];
    let moved = |x: &Tensor, by: usize| {
        let ones = Tensor::ones(x.shape().replaced(x.rank() - 1, by), x.dtype())?;
        concat(&[&ones, &x.slice(-1, 0, n - by)?], -1)
    };
    if n == 0 {
        return Ok(x.clone());
    }
    let mut products = moved(x, 1)?;
    let mut by = 1;
    while by < n {
        products = &products * moved(&products, by)?;
        by *= 2;
    }
    Ok(products)
}

/// Whether all booleans are true, or any.
#[derive(Debug, Clone)]
struct Truth {
    all: bool,
    axes: Axes,
    keep_dims: bool,
}

impl Op for Truth {
    fn name(&self) -> &'static str {
        if self.all { "all" } else { "any" }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let reduction = if self.all { Reduction::All } else { Reduction::Any };
        Ok(smallvec![reduce(reduction, inputs[0], &self.axes, self.keep_dims)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("a truth value"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

/// The place of the largest element along an axis, or of the smallest.
#[derive(Debug, Clone, Copy)]
struct PlaceOf {
    largest: bool,
    axis: usize,
}

impl Op for PlaceOf {
    fn name(&self) -> &'static str {
        if self.largest { "argmax" } else { "argmin" }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let find = if self.largest { slalom_array::argmax } else { slalom_array::argmin };
        Ok(smallvec![find(inputs[0], self.axis)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("an index"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
}

/// Reductions that pick. Axes may be negative, to count from the end; no axes is no reduction.
impl Tensor {
    /// The largest elements over some axes, which keep length 1 if `keep_dims`; NaN if any is NaN. Elements that are
    /// equally large share the gradient equally.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are
    /// booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 2], vec![1.0f32, 4.0, 3.0, 2.0])?;
    /// assert_eq!(x.max(&[1], false)?.to_vec::<f32>()?, [4.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn max(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        apply(Extreme { largest: true, axes: resolve("max", self.shape(), axes)?, keep_dims }, [self])
    }

    /// The smallest elements; otherwise as [`max`](Tensor::max).
    ///
    /// # Errors
    /// As [`max`](Tensor::max).
    pub fn min(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        apply(Extreme { largest: false, axes: resolve("min", self.shape(), axes)?, keep_dims }, [self])
    }

    /// The products over some axes, which keep length 1 if `keep_dims`; 1 for no elements. Gradients are right also
    /// where elements are 0.
    ///
    /// # Errors
    /// As [`max`](Tensor::max).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![2.0f32, 3.0, 4.0])?;
    /// assert_eq!(x.prod(&[0], false)?.item()?, 24.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn prod(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        let (rows, shape) = as_rows("prod", self, axes, keep_dims)?;
        apply(Product, [&rows])?.reshape(shape)
    }

    /// Whether all booleans along some axes are true, which keep length 1 if `keep_dims`; true for none.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if an axis does not exist or is named twice; `ErrorKind::DType`, if the elements are not
    /// booleans.
    pub fn all(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        apply(Truth { all: true, axes: resolve("all", self.shape(), axes)?, keep_dims }, [self])
    }

    /// Whether any boolean along some axes is true; false for none. Otherwise as [`all`](Tensor::all).
    ///
    /// # Errors
    /// As [`all`](Tensor::all).
    pub fn any(&self, axes: &[isize], keep_dims: bool) -> Result<Tensor> {
        apply(Truth { all: false, axes: resolve("any", self.shape(), axes)?, keep_dims }, [self])
    }

    /// The index (`i64`) of the largest element along `axis`: the first one of equals, the first NaN if there is one.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis, or if it is empty.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 7.0, 7.0])?;
    /// assert_eq!(x.argmax(0)?.item()?, 1.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn argmax(&self, axis: isize) -> Result<Tensor> {
        apply(PlaceOf { largest: true, axis: self.shape().axis(axis)? }, [self])
    }

    /// The index (`i64`) of the smallest element along `axis`; otherwise as [`argmax`](Tensor::argmax).
    ///
    /// # Errors
    /// As [`argmax`](Tensor::argmax).
    pub fn argmin(&self, axis: isize) -> Result<Tensor> {
        apply(PlaceOf { largest: false, axis: self.shape().axis(axis)? }, [self])
    }
}
