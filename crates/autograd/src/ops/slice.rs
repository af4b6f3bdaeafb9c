//! Ops that take parts of a tensor, or put it into a larger one.
use crate::jvp::{Jvp, Tangents};
use crate::op::{Gradients, Op, Outputs, Saves, Vjp, one};
use crate::ops::concat::concat;
use crate::{Tensor, apply, apply_many};
use slalom_array::{Array, Error, ErrorKind, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// Equally spaced positions along each axis of a shape.
#[derive(Debug, Clone)]
struct Window {
    /// Of the whole.
    shape: Shape,
    starts: SmallVec<[usize; 6]>,
    lengths: SmallVec<[usize; 6]>,
    steps: SmallVec<[isize; 6]>,
}

impl Window {
    /// All positions.
    fn whole(shape: &Shape) -> Window {
        let rank = shape.rank();
        Window {
            shape: shape.clone(),
            starts: SmallVec::from_elem(0, rank),
            lengths: SmallVec::from_slice(shape),
            steps: SmallVec::from_elem(1, rank),
        }
    }

    fn along(mut self, axis: usize, start: usize, length: usize, step: isize) -> Window {
        (self.starts[axis], self.lengths[axis], self.steps[axis]) = (start, length, step);
        self
    }
}

/// The elements at a window's positions.
#[derive(Debug, Clone)]
struct Slice(Window);

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let Window { shape, starts, lengths, steps } = &self.0;
        let mut array = inputs[0].clone();
        for axis in 0..shape.rank() {
            if (starts[axis], lengths[axis], steps[axis]) != (0, shape[axis], 1) {
                array = array.slice(axis, starts[axis], lengths[axis], steps[axis])?;
            }
        }
        Ok(smallvec![array])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Unslice(self.0.clone()), [&cx.grad()?])?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// The inverse of a slice: zeros around its elements.
#[derive(Debug, Clone)]
struct Unslice(Window);

impl Op for Unslice {
    fn name(&self) -> &'static str {
        "unslice"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let Window { shape, starts, steps, .. } = &self.0;
        Ok(smallvec![slalom_array::unslice(inputs[0], shape, starts, steps)?])
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        one(apply(Slice(self.0.clone()), [&cx.grad()?])?)
    }
    fn jvp(&self, cx: &Jvp<'_>) -> Result<Tangents> {
        cx.linear(self.clone())
    }
}

/// Consecutive parts along an axis; several results, so that the gradient is one concatenation.
#[derive(Debug, Clone)]
struct Split {
    axis: usize,
    lengths: SmallVec<[usize; 6]>,
}

impl Op for Split {
    fn name(&self) -> &'static str {
        "split"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let mut start = 0;
        let next = |&length: &usize| {
            start += length;
            inputs[0].slice(self.axis, start - length, length, 1)
        };
        self.lengths.iter().map(next).collect()
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let parts = (0..self.lengths.len()).map(|i| cx.grad_of(i)).collect::<Result<Vec<_>>>()?;
        one(concat(&parts, self.axis as isize)?)
    }
}

/// The part of `x` along one axis; for ops that know that it exists.
pub(crate) fn part(x: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor> {
    apply(Slice(Window::whole(x.shape()).along(axis, start, length, 1)), [x])
}

/// The inverse of [`Tensor::slice_by`]: `length` zeros along one axis, with the elements of `x` from `start` on in steps
/// of `step`.
pub(crate) fn unslice(x: &Tensor, axis: usize, length: usize, start: usize, step: isize) -> Result<Tensor> {
    let window = Window::whole(x.shape()).along(axis, start, x.shape()[axis], step);
    apply(Unslice(Window { shape: x.shape().replaced(axis, length), ..window }), [x])
}

/// The first position and the number of positions of Python's slice `begin:end:stride` of an axis of length `n`.
fn range(begin: Option<isize>, end: Option<isize>, stride: isize, n: usize) -> (usize, usize) {
    let n = n as isize;
    let (low, high) = if stride > 0 { (0, n) } else { (-1, n - 1) };
    let clamp = |at: isize| (if at < 0 { at.saturating_add(n) } else { at }).clamp(low, high);
    let (first, last) = if stride > 0 { (low, high) } else { (high, low) };
    let (start, stop) = (begin.map_or(first, clamp), end.map_or(last, clamp));
    let distance = if stride > 0 { stop - start } else { start - stop };
    if distance <= 0 {
        return (0, 0);
    }
    (start as usize, (distance as usize).div_ceil(stride.unsigned_abs()))
}

/// Parts.
impl Tensor {
    /// `length` elements along `axis` (negative: from the end), from `start` on.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is no such axis; [`ErrorKind::Index`], if it is not that long.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([4], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// assert_eq!(x.slice(0, 1, 2)?.to_vec::<f32>()?, [2.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn slice(&self, axis: isize, start: usize, length: usize) -> Result<Tensor> {
        self.slice_by(axis, start, length, 1)
    }

    /// `length` elements along `axis`, from `start` on in steps of `step`, which may be negative.
    ///
    /// # Errors
    /// As [`slice`](Tensor::slice); [`ErrorKind::Argument`], if `step` is 0.
    pub fn slice_by(&self, axis: isize, start: usize, length: usize, step: isize) -> Result<Tensor> {
        let axis = self.shape().axis(axis)?;
        if step == 0 {
            return Err(Error::new(ErrorKind::Argument, "slice", "a step other than 0", step));
        }
        apply(Slice(Window::whole(self.shape()).along(axis, start, length, step)), [self])
    }

    /// The elements from `begin[i]` to before `end[i]` along axis `i`, in steps of `strides[i]` (`tf.strided_slice`); axes
    /// beyond those named are taken whole.
    ///
    /// As in Python, negative positions count from the end, positions outside of the axis mean its edge, and `None` is the
    /// edge where a slice begins or ends: with a negative stride the last and first element.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the lists differ in length or there are not as many axes; [`ErrorKind::Argument`], if a
    /// stride is 0.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([5], vec![0, 1, 2, 3, 4])?;
    /// assert_eq!(x.strided_slice(&[Some(1)], &[Some(-1)], &[2])?.to_vec::<i32>()?, [1, 3]);
    /// assert_eq!(x.strided_slice(&[Some(3)], &[None], &[-2])?.to_vec::<i32>()?, [3, 1]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn strided_slice(
        &self,
        begin: &[Option<isize>],
        end: &[Option<isize>],
        strides: &[isize],
    ) -> Result<Tensor> {
        let (op, rank) = ("strided_slice", strides.len());
        if begin.len() != rank || end.len() != rank || rank > self.rank() {
            let expected = format!("begin, end and stride for up to {} axes", self.rank());
            let got = format!("{begin:?}, {end:?} and {strides:?}");
            return Err(Error::new(ErrorKind::Shape, op, expected, got));
        }
        let mut window = Window::whole(self.shape());
        for (axis, &stride) in strides.iter().enumerate() {
            if stride == 0 {
                return Err(Error::new(ErrorKind::Argument, op, "strides other than 0", stride));
            }
            let (start, length) = range(begin[axis], end[axis], stride, self.shape()[axis]);
            window = window.along(axis, start, length, stride);
        }
        apply(Slice(window), [self])
    }

    /// The tensor with the order of elements reversed along each of `axes` (`tf.reverse`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if an axis does not exist or is named twice.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1, 2, 3])?;
    /// assert_eq!(x.reverse(&[0])?.to_vec::<i32>()?, [3, 2, 1]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn reverse(&self, axes: &[isize]) -> Result<Tensor> {
        let mut window = Window::whole(self.shape());
        for axis in super::reduce::resolve("reverse", self.shape(), axes)? {
            let n = self.shape()[axis];
            if n > 0 {
                window = window.along(axis, n - 1, n, -1);
            }
        }
        apply(Slice(window), [self])
    }

    /// Consecutive parts of the given lengths along `axis` (`tf.split` with `size_splits`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is no such axis, or if the lengths do not add up to its length.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let parts = Tensor::from_vec([3], vec![1, 2, 3])?.split(&[1, 2], 0)?;
    /// assert_eq!(parts[1].to_vec::<i32>()?, [2, 3]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn split(&self, lengths: &[usize], axis: isize) -> Result<Vec<Tensor>> {
        let axis = self.shape().axis(axis)?;
        let total = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
        if total != Some(self.shape()[axis]) {
            let expected = format!("lengths that add up to {}", self.shape()[axis]);
            return Err(Error::new(ErrorKind::Shape, "split", expected, format!("{lengths:?}")));
        }
        if lengths.is_empty() {
            return Ok(Vec::new());
        }
        Ok(apply_many(Split { axis, lengths: lengths.into() }, &[self])?.into_vec())
    }

    /// The slices at each index of `axis`, without that axis (`tf.unstack`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is no such axis.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let columns = Tensor::from_vec([2, 2], vec![1, 2, 3, 4])?.unstack(1)?;
    /// assert_eq!(columns[1].to_vec::<i32>()?, [2, 4]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn unstack(&self, axis: isize) -> Result<Vec<Tensor>> {
        let at = self.shape().axis(axis)?;
        let without = self.shape().without(at);
        let parts = self.split(&vec![1; self.shape()[at]], axis)?;
        parts.iter().map(|part| part.reshape(&without)).collect()
    }

    /// The tensor with `paddings[i] = [before, after]` elements of one value put around it along axis `i`
    /// (`tf.pad` with `mode="CONSTANT"`).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not one pair for each axis; [`ErrorKind::Memory`], if the result does not fit in
    /// memory; [`ErrorKind::DType`], if the element type cannot hold the value.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([2], vec![1.0f32, 2.0])?;
    /// assert_eq!(x.pad(&[[1, 2]], 9.0)?.to_vec::<f32>()?, [9.0, 1.0, 2.0, 9.0, 9.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn pad(&self, paddings: &[[usize; 2]], value: f64) -> Result<Tensor> {
        if paddings.len() != self.rank() {
            let expected = format!("one pair for each of the {} axes", self.rank());
            return Err(Error::new(ErrorKind::Shape, "pad", expected, format!("{paddings:?}")));
        }
        let mut window = Window::whole(self.shape());
        // A sum that overflows is refused as any other length that does not fit in memory.
        let padded =
            |(n, [before, after]): (&usize, &[usize; 2])| n.saturating_add(*before).saturating_add(*after);
        window.shape = self.shape().iter().zip(paddings).map(padded).collect();
        window.shape.num_elements()?;
        window.starts = paddings.iter().map(|[before, _]| *before).collect();
        let value = self.like("pad", value)?;
        // The frame is added: zero inside, the value outside.
        let padded = apply(Unslice(window.clone()), [self])?;
        if value.item()? == 0.0 {
            return Ok(padded);
        }
        let inside = apply(Unslice(window), [&Tensor::ones(self.shape(), slalom_array::DType::Bool)?])?;
        inside.where_(&padded, &value)
    }
}
