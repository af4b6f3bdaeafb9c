//! Ops that rearrange elements, composed of views, slices and concatenations.
use crate::ops::concat::{concat, times_as_long};
use crate::ops::gather::reverse_sequence;
use crate::ops::reduce::resolve;
use crate::ops::slice::part;
use crate::{AsTensor, Tensor};
use slalom_array::{Error, ErrorKind, Result, Shape};

/// Which of the first two axes the first tensor of a [`meshgrid`] varies along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Indexing {
    /// Cartesian: the first tensor varies along the second axis, the second along the first. TensorFlow's default.
    Xy,
    /// Matrix: tensor `i` varies along axis `i`.
    Ij,
}

/// Tensors of one axis each, repeated to the grid that they span (`tf.meshgrid`): tensor `i` varies along axis `i`, but
/// for the first two, which are exchanged by [`Indexing::Xy`]. Scalars count as tensors of one element.
///
/// # Errors
/// [`ErrorKind::Shape`], if a tensor has more than one axis.
///
/// ```
/// use slalom_autograd::{Indexing, Tensor, meshgrid};
/// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
/// let y = Tensor::from_vec([2], vec![10, 20])?;
/// let grid = meshgrid(&[x, y], Indexing::Xy)?;
/// assert_eq!(grid[0].to_vec::<i32>()?, [1, 2, 3, 1, 2, 3]);
/// assert_eq!(grid[1].to_vec::<i32>()?, [10, 10, 10, 20, 20, 20]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn meshgrid<T: AsTensor>(tensors: &[T], indexing: Indexing) -> Result<Vec<Tensor>> {
    let swapped = |i: usize| match (indexing, i) {
        (Indexing::Xy, 0 | 1) if tensors.len() > 1 => 1 - i,
        _ => i,
    };
    let tensors: Vec<_> = tensors.iter().map(AsTensor::as_tensor).collect();
    if let Some(wide) = tensors.iter().find(|x| x.rank() > 1) {
        return Err(Error::new(ErrorKind::Shape, "meshgrid", "tensors of at most one axis", wide.shape()));
    }
    let grid: Shape = (0..tensors.len()).map(|i| tensors[swapped(i)].len()).collect();
    let along = |(i, x): (usize, &std::borrow::Cow<'_, Tensor>)| {
        let single: Shape =
            (0..grid.rank()).map(|axis| if axis == swapped(i) { x.len() } else { 1 }).collect();
        x.reshape(single)?.broadcast_to(&grid)
    };
    tensors.iter().enumerate().map(along).collect()
}

/// The height, width and channels of a tensor `[batch, height, width, channels]`.
fn image(op: &'static str, x: &Tensor, block: usize) -> Result<[usize; 4]> {
    if block == 0 {
        return Err(Error::new(ErrorKind::Argument, op, "a block size of at least 1", block));
    }
    <[usize; 4]>::try_from(&**x.shape())
        .map_err(|_| Error::new(ErrorKind::Shape, op, "a tensor [batch, height, width, channels]", x.shape()))
}

/// Rearrangements. Axes may be negative, to count from the end.
impl Tensor {
    /// The tensor with `paddings[i] = [before, after]` elements of its own put around it along axis `i`, mirrored at the
    /// first and last element, which are not repeated (`tf.pad` with `mode="REFLECT"`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not one pair for each axis; [`ErrorKind::Argument`], if an axis has too few
    /// elements to mirror.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
    /// assert_eq!(x.pad_reflect(&[[2, 1]])?.to_vec::<i32>()?, [3, 2, 1, 2, 3, 2]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn pad_reflect(&self, paddings: &[[usize; 2]]) -> Result<Tensor> {
        self.pad_mirrored("pad_reflect", paddings, 1)
    }

    /// The tensor with elements of its own put around it, mirrored at its edges, so that the first and last element are
    /// repeated (`tf.pad` with `mode="SYMMETRIC"`).
    ///
    /// # Errors
    /// As [`pad_reflect`](Tensor::pad_reflect).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
    /// assert_eq!(x.pad_symmetric(&[[2, 1]])?.to_vec::<i32>()?, [2, 1, 1, 2, 3, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn pad_symmetric(&self, paddings: &[[usize; 2]]) -> Result<Tensor> {
        self.pad_mirrored("pad_symmetric", paddings, 0)
    }

    /// With mirrored elements from `skip` away from the edge on.
    fn pad_mirrored(&self, op: &'static str, paddings: &[[usize; 2]], skip: usize) -> Result<Tensor> {
        if paddings.len() != self.rank() {
            let expected = format!("one pair for each of the {} axes", self.rank());
            return Err(Error::new(ErrorKind::Shape, op, expected, format!("{paddings:?}")));
        }
        let mut x = self.clone();
        for (axis, &[before, after]) in paddings.iter().enumerate().filter(|(_, pair)| **pair != [0, 0]) {
            let n = self.shape()[axis];
            let most = n.saturating_sub(skip);
            if before.max(after) > most {
                let expected = format!("at most {most} elements along axis {axis} of shape {}", self.shape());
                return Err(Error::new(ErrorKind::Argument, op, expected, before.max(after)));
            }
            let at = axis as isize;
            let first = part(&x, axis, skip, before)?.reverse(&[at])?;
            let last = part(&x, axis, n - skip - after, after)?.reverse(&[at])?;
            x = concat(&[first, x, last], at)?;
        }
        Ok(x)
    }

    /// Each slice along `axis` several times, one after the other: slice `i` `repeats[i]` times, or all equally often, if
    /// there is one number (`tf.repeat`). TensorFlow's `axis=None` is a [`reshape`](Tensor::reshape) to one axis before.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is no such axis, or neither one number nor one for each slice.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
    /// assert_eq!(x.repeat(&[2], 0)?.to_vec::<i32>()?, [1, 1, 2, 2, 3, 3]);
    /// assert_eq!(x.repeat(&[1, 0, 3], 0)?.to_vec::<i32>()?, [1, 3, 3, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn repeat(&self, repeats: &[usize], axis: isize) -> Result<Tensor> {
        let axis = self.shape().axis(axis).map_err(|error| error.context("repeat"))?;
        let n = self.shape()[axis];
        if let [times] = *repeats {
            let repeated = self.reshape(self.shape().with(axis + 1, 1))?;
            let repeated = repeated.broadcast_to(self.shape().with(axis + 1, times))?;
            let total = times_as_long("repeat", n, times)?;
            return repeated.reshape(self.shape().replaced(axis, total));
        }
        if repeats.len() != n {
            let expected = format!("one number or one for each of {n} slices");
            return Err(Error::new(
                ErrorKind::Shape,
                "repeat",
                expected,
                format!("{} numbers", repeats.len()),
            ));
        }
        let indices: Vec<i64> =
            repeats.iter().enumerate().flat_map(|(i, &times)| std::iter::repeat_n(i as i64, times)).collect();
        // A reshape, so that the gradient is dense, as in TensorFlow.
        self.reshape(self.shape())?.gather(Tensor::from_vec([indices.len()], indices)?, axis as isize)
    }

    /// The elements moved on by `shifts[i]` places along `axes[i]`; those that fall off the end come in at the start
    /// (`tf.roll`). Shifts along one axis that is named twice add up.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not one shift for each axis, or no such axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([4], vec![1, 2, 3, 4])?;
    /// assert_eq!(x.roll(&[1], &[0])?.to_vec::<i32>()?, [4, 1, 2, 3]);
    /// assert_eq!(x.roll(&[-1], &[0])?.to_vec::<i32>()?, [2, 3, 4, 1]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn roll(&self, shifts: &[isize], axes: &[isize]) -> Result<Tensor> {
        if shifts.len() != axes.len() {
            let expected = format!("one shift for each of {} axes", axes.len());
            return Err(Error::new(ErrorKind::Shape, "roll", expected, format!("{shifts:?}")));
        }
        let mut x = self.clone();
        for (&shift, &axis) in shifts.iter().zip(axes) {
            let at = self.shape().axis(axis).map_err(|error| error.context("roll"))?;
            let n = self.shape()[at];
            let shift = if n == 0 { 0 } else { shift.rem_euclid(n as isize) as usize };
            if shift > 0 {
                x = concat(&[part(&x, at, n - shift, shift)?, part(&x, at, 0, n - shift)?], axis)?;
            }
        }
        Ok(x)
    }

    /// For each index `b` of `batch_axis`, the first `lengths[b]` elements along `seq_axis` in reverse order, and the rest
    /// as it is (`tf.reverse_sequence`). The lengths are of type `i32` or `i64`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if an axis does not exist, both are the same, or there is not one length for each index of
    /// the batch; [`ErrorKind::DType`], if the lengths are not integers; [`ErrorKind::Index`], if a length is negative or
    /// longer than the axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2, 3], vec![1, 2, 3, 4, 5, 6])?;
    /// let lengths = Tensor::from_vec([2], vec![2, 3])?;
    /// assert_eq!(x.reverse_sequence(&lengths, 1, 0)?.to_vec::<i32>()?, [2, 1, 3, 6, 5, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn reverse_sequence(
        &self,
        lengths: impl AsTensor,
        seq_axis: isize,
        batch_axis: isize,
    ) -> Result<Tensor> {
        let axes = resolve("reverse_sequence", self.shape(), &[batch_axis, seq_axis])?;
        reverse_sequence(self, &lengths.as_tensor(), axes[0], axes[1])
    }

    /// Of a tensor `[batch, height, width, block² · channels]`, the channels of each pixel laid out as a block of pixels:
    /// `[batch, block · height, block · width, channels]` (`tf.nn.depth_to_space`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are not four axes or the last is not divisible by `block²`;
    /// [`ErrorKind::Argument`], if `block` is 0.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([1, 1, 1, 4], vec![1, 2, 3, 4])?;
    /// assert_eq!(x.depth_to_space(2)?.to_string(), "[[[[1],\n   [2]],\n\n  [[3],\n   [4]]]]");
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn depth_to_space(&self, block: usize) -> Result<Tensor> {
        const OP: &str = "depth_to_space";
        let [n, h, w, depth] = image(OP, self, block)?;
        let pixels = times_as_long(OP, block, block)?;
        let c = depth / pixels;
        if depth != c * pixels {
            let expected = format!("a number of channels divisible by {pixels}");
            return Err(Error::new(ErrorKind::Shape, OP, expected, depth));
        }
        let blocks = self.reshape([n, h, w, block, block, c])?.transpose(&[0, 1, 3, 2, 4, 5])?;
        blocks.reshape([n, times_as_long(OP, h, block)?, times_as_long(OP, w, block)?, c])
    }

    /// The inverse of [`depth_to_space`](Tensor::depth_to_space): of a tensor `[batch, height, width, channels]`, each
    /// block of pixels as the channels of one (`tf.nn.space_to_depth`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are not four axes or height or width is not divisible by `block`;
    /// [`ErrorKind::Argument`], if `block` is 0.
    pub fn space_to_depth(&self, block: usize) -> Result<Tensor> {
        const OP: &str = "space_to_depth";
        let [n, h, w, c] = image(OP, self, block)?;
        if h % block != 0 || w % block != 0 {
            let expected = format!("height and width divisible by {block}");
            return Err(Error::new(ErrorKind::Shape, OP, expected, self.shape()));
        }
        let depth = times_as_long(OP, times_as_long(OP, block, block)?, c)?;
        let blocks =
            self.reshape([n, h / block, block, w / block, block, c])?.transpose(&[0, 1, 3, 2, 4, 5])?;
        blocks.reshape([n, h / block, w / block, depth])
    }
}
