//! Sorting and searching.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::gather::no_gradient;
use crate::{AsTensor, Tensor, apply, apply_many};
use slalom_array::{Array, Result};
use smallvec::smallvec;

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The smallest element first.
    Ascending,
    /// The largest element first.
    Descending,
}

/// The places of the elements in sorted order.
#[derive(Debug, Clone, Copy)]
struct Argsort {
    axis: usize,
    direction: Direction,
}

impl Op for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let descending = self.direction == Direction::Descending;
        Ok(smallvec![slalom_array::argsort(inputs[0], self.axis, descending)?])
    }
    no_gradient!("an index");
}

/// The places of the largest elements along the last axis.
#[derive(Debug, Clone, Copy)]
struct TopK {
    k: usize,
}

impl Op for TopK {
    fn name(&self) -> &'static str {
        "top_k"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::top_k(inputs[0], self.k)?])
    }
    no_gradient!("an index");
}

/// Different elements, the place of each among them, and how often they appear.
#[derive(Debug, Clone, Copy)]
struct Unique;

impl Op for Unique {
    fn name(&self) -> &'static str {
        "unique"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(slalom_array::unique(inputs[0])?.into_iter().collect())
    }
    no_gradient!("unique ones");
}

/// Where elements belong among sorted ones.
#[derive(Debug, Clone, Copy)]
struct SearchSorted {
    right: bool,
}

impl Op for SearchSorted {
    fn name(&self) -> &'static str {
        "searchsorted"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok(smallvec![slalom_array::search_sorted(inputs[0], inputs[1], self.right)?])
    }
    no_gradient!("an index");
}

/// Different elements of a tensor; see [`Tensor::unique`].
#[derive(Debug, Clone)]
pub struct UniqueElements {
    /// The different elements, in the order in which they first appear.
    pub values: Tensor,
    /// For each element of the tensor, its place (`i32`) among the values.
    pub inverse: Tensor,
    /// How often each value appears (`i32`).
    pub counts: Tensor,
}

/// Sorting and searching. Equal elements keep their order, in both directions, so that gradients are the same on each run;
/// NaN counts as the largest number.
impl Tensor {
    /// The elements in sorted order along `axis` (`tf.sort`).
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is no such axis.
    ///
    /// ```
    /// # use slalom_autograd::{Direction, Tensor};
    /// let x = Tensor::from_vec([3], vec![2.0f32, 3.0, 1.0])?;
    /// assert_eq!(x.sort(0, Direction::Descending)?.to_vec::<f32>()?, [3.0, 2.0, 1.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn sort(&self, axis: isize, direction: Direction) -> Result<Tensor> {
        self.take_along_axis(self.argsort(axis, direction)?, axis)
    }

    /// The places (`i32`) of the elements in sorted order along `axis` (`tf.argsort`).
    ///
    /// # Errors
    /// As [`sort`](Tensor::sort).
    ///
    /// ```
    /// # use slalom_autograd::{Direction, Tensor};
    /// let x = Tensor::from_vec([3], vec![2.0f32, 3.0, 1.0])?;
    /// assert_eq!(x.argsort(0, Direction::Ascending)?.to_vec::<i32>()?, [2, 0, 1]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn argsort(&self, axis: isize, direction: Direction) -> Result<Tensor> {
        let axis = self.shape().axis(axis).map_err(|error| error.context("argsort"))?;
        apply(Argsort { axis, direction }, [self])
    }

    /// The `k` largest elements along the last axis, in descending order, and their places (`i32`) (`tf.math.top_k`). Of
    /// equal elements the one that comes first is taken first.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if this is a scalar; `ErrorKind::Argument`, if `k` is longer than the last axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let (values, places) = Tensor::from_vec([4], vec![2.0f32, 9.0, 1.0, 9.0])?.top_k(2)?;
    /// assert_eq!(values.to_vec::<f32>()?, [9.0, 9.0]);
    /// assert_eq!(places.to_vec::<i32>()?, [1, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn top_k(&self, k: usize) -> Result<(Tensor, Tensor)> {
        let places = apply(TopK { k }, [self])?;
        Ok((self.take_along_axis(&places, -1)?, places))
    }

    /// The different elements of a tensor of one axis (`tf.unique_with_counts`); NaN is like NaN.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if there is not one axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let unique = Tensor::from_vec([4], vec![7, 2, 7, 7])?.unique()?;
    /// assert_eq!(unique.values.to_vec::<i32>()?, [7, 2]);
    /// assert_eq!(unique.inverse.to_vec::<i32>()?, [0, 1, 0, 0]);
    /// assert_eq!(unique.counts.to_vec::<i32>()?, [3, 1]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn unique(&self) -> Result<UniqueElements> {
        let results = apply_many(Unique, &[self])?.into_vec();
        let [values, inverse, counts] = <[Tensor; 3]>::try_from(results).expect("an op of three results");
        Ok(UniqueElements { values, inverse, counts })
    }

    /// Of a tensor that is sorted in ascending order along its last axis: the places (`i32`) in each row before which the
    /// elements of the same row of `values` can be put (`tf.searchsorted`), before their equals, or after them, if `right`.
    ///
    /// # Errors
    /// `ErrorKind::Shape`, if the axes but for the last differ; `ErrorKind::DType`, if the types differ.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let sorted = Tensor::from_vec([3], vec![1.0f32, 2.0, 4.0])?;
    /// let values = Tensor::from_vec([2], vec![2.0f32, 3.0])?;
    /// assert_eq!(sorted.searchsorted(&values, false)?.to_vec::<i32>()?, [1, 2]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn searchsorted(&self, values: impl AsTensor, right: bool) -> Result<Tensor> {
        apply(SearchSorted { right }, [self, &values.as_tensor()])
    }
}
