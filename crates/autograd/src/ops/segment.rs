//! Reductions of rows that have the same number.
use crate::op::{Gradients, Op, Outputs, Saves, Vjp};
use crate::ops::extreme::indicator;
use crate::ops::gather::integers;
use crate::ops::reduce::expect_float;
use crate::{AsTensor, Tensor, apply};
use slalom_array::{Array, DType, Error, ErrorKind, Number, Result, Scatter, Shape, with_dtype};
use smallvec::smallvec;

/// How many segments there are, and what they ask of their numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Segments {
    /// One more than the last number: the numbers are in ascending order, from 0 on.
    Sorted,
    /// This many: the numbers are in any order, and rows with negative ones belong to none.
    Unsorted(usize),
}

/// The rows of each segment combined: `Add`, `Mul`, `Min` or `Max`.
#[derive(Debug, Clone, Copy)]
struct Segment {
    how: Scatter,
    segments: Segments,
}

impl Op for Segment {
    fn name(&self) -> &'static str {
        match (self.how, self.segments) {
            (Scatter::Min, Segments::Sorted) => "segment_min",
            (Scatter::Max, Segments::Sorted) => "segment_max",
            (Scatter::Mul, Segments::Sorted) => "segment_prod",
            (_, Segments::Sorted) => "segment_sum",
            (Scatter::Mul, _) => "unsorted_segment_prod",
            (Scatter::Min, _) => "unsorted_segment_min",
            (Scatter::Max, _) => "unsorted_segment_max",
            (_, _) => "unsorted_segment_sum",
        }
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let (rows, numbers) = (inputs[0], inputs[1]);
        if rows.dtype() == DType::Bool {
            return Err(Error::new(ErrorKind::DType, self.name(), "a numeric dtype", rows.dtype()));
        }
        let inner = expect_rows(self.name(), rows, numbers)?;
        let count = self.count(&integers(self.name(), numbers)?)?;
        let shape: Shape = [count].into_iter().chain(inner).collect();
        let mut target = Array::full(shape, self.empty(rows.dtype()), rows.dtype())?;
        if matches!(self.how, Scatter::Min | Scatter::Max) && self.segments == Segments::Sorted {
            // Empty segments are 0, so each segment begins with its first row, not with what it is combined with.
            slalom_array::scatter(Scatter::Update, &mut target, numbers, rows)?;
        }
        slalom_array::scatter(self.how, &mut target, numbers, rows)?;
        Ok(smallvec![target])
    }
    fn saves(&self) -> Saves {
        if self.how == Scatter::Add { Saves::Inputs } else { Saves::Both }
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let (numbers, g) = (cx.input(1), cx.grad()?);
        let gradient = match self.how {
            Scatter::Add => of_segments(&g, numbers)?,
            Scatter::Mul => self.product_vjp(cx.input(0), numbers, cx.output(), &g)?,
            _ => {
                // All that are equal to the result share its gradient.
                let chosen = indicator(cx.input(0), &of_segments(cx.output(), numbers)?)?;
                let ties = apply(Segment { how: Scatter::Add, ..*self }, [&chosen, numbers])?;
                of_segments(&g.divide_no_nan(ties)?, numbers)? * chosen
            }
        };
        Ok(smallvec![Some(gradient.into()), None])
    }
}

impl Segment {
    /// The number of segments.
    fn count(&self, numbers: &[i64]) -> Result<usize> {
        let wrong = |expected: String, got: i64| Error::new(ErrorKind::Index, self.name(), expected, got);
        match self.segments {
            Segments::Unsorted(count) => match numbers.iter().find(|&&number| number >= count as i64) {
                Some(&bad) => Err(wrong(format!("segment numbers below {count}"), bad)),
                None => Ok(count),
            },
            Segments::Sorted => {
                if let Some(&bad) = numbers.first().filter(|&&number| number < 0) {
                    return Err(wrong("segment numbers of at least 0".into(), bad));
                }
                match numbers.windows(2).find(|pair| pair[1] < pair[0]) {
                    Some(pair) => {
                        Err(wrong(format!("segment numbers of at least {} after it", pair[0]), pair[1]))
                    }
                    None => Ok(numbers.last().map_or(0, |&last| last as usize + 1)),
                }
            }
        }
    }

    /// The result for no rows.
    fn empty(&self, dtype: DType) -> f64 {
        let extreme = |highest: bool| match dtype {
            DType::F32 => f64::from(if highest { f32::MAX } else { f32::MIN }),
            DType::F64 => {
                if highest {
                    f64::MAX
                } else {
                    f64::MIN
                }
            }
            _ => with_dtype!(dtype, T => if highest { T::HIGHEST.to_f64() } else { T::LOWEST.to_f64() }),
        };
        match (self.how, self.segments) {
            (Scatter::Mul, _) => 1.0,
            (Scatter::Min, Segments::Unsorted(_)) => extreme(true),
            (Scatter::Max, Segments::Unsorted(_)) => extreme(false),
            _ => 0.0,
        }
    }

    /// The product of the others in the segment: where there is one 0, that of all that are not; 0 where there are more.
    fn product_vjp(&self, x: &Tensor, numbers: &Tensor, product: &Tensor, g: &Tensor) -> Result<Tensor> {
        let [zero, one] = [x.like(self.name(), 0.0)?, x.like(self.name(), 1.0)?];
        let is_zero = x.equal(&zero)?;
        let sum = Segment { how: Scatter::Add, ..*self };
        let zeros = apply(sum, [&is_zero.cast(x.dtype())?, numbers])?;
        let g = zeros.greater(&one)?.where_(&zero, g)?;
        let without_zeros = is_zero.where_(one, x)?;
        let rest = of_segments(&apply(*self, [&without_zeros, numbers])?, numbers)?;
        let others = is_zero.where_(rest, of_segments(product, numbers)?.divide_no_nan(x)?)?;
        Ok(of_segments(&g, numbers)? * others)
    }
}

/// The axes of a row: those of `rows` after those of `numbers`.
fn expect_rows(op: &'static str, rows: &Array, numbers: &Array) -> Result<Vec<usize>> {
    let rank = numbers.rank();
    if rows.rank() < rank || rows.shape()[..rank] != numbers.shape()[..] {
        let expected = format!("rows of shape {} + [..]", numbers.shape());
        return Err(Error::new(ErrorKind::Shape, op, expected, rows.shape()));
    }
    Ok(rows.shape()[rank..].to_vec())
}

/// The row of each one's segment; 0 for those that belong to none.
#[derive(Debug, Clone, Copy)]
struct OfSegments;

impl Op for OfSegments {
    fn name(&self) -> &'static str {
        "rows_of_segments"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        let numbers = integers(self.name(), inputs[1])?;
        if numbers.iter().all(|&number| number >= 0) {
            return Ok(smallvec![slalom_array::gather(inputs[0], inputs[1], 0)?]);
        }
        let clipped: Vec<i64> = numbers.iter().map(|&number| number.max(0)).collect();
        let clipped = Array::from_vec(inputs[1].shape(), clipped)?;
        if inputs[0].shape()[0] == 0 {
            let shape: Shape = clipped.shape().iter().chain(&inputs[0].shape()[1..]).copied().collect();
            return Ok(smallvec![Array::zeros(shape, inputs[0].dtype())?]);
        }
        let mut rows = slalom_array::gather(inputs[0], &clipped, 0)?;
        let width = rows.len() / numbers.len();
        with_dtype!(rows.dtype(), T => {
            for (row, _) in rows.make_mut::<T>()?.chunks_exact_mut(width.max(1)).zip(&numbers).filter(|pair| *pair.1 < 0) {
                row.fill(T::ZERO);
            }
        });
        Ok(smallvec![rows])
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let back = Segment { how: Scatter::Add, segments: Segments::Unsorted(cx.input_shape(0)[0]) };
        Ok(smallvec![Some(apply(back, [&cx.grad()?, cx.input(1)])?.into()), None])
    }
}

fn of_segments(x: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    apply(OfSegments, [x, numbers])
}

/// Reductions of rows: `segment_ids` (`i32` or `i64`) says for each row of this tensor to which segment it belongs.
///
/// Those called `segment` take numbers of shape `[n]` in ascending order, and have as many segments as the last number
/// asks for; empty ones are 0, but 1 in products. Those called `unsorted_segment` take numbers in any order, of the shape of any number of
/// leading axes, and leave out rows with negative ones.
impl Tensor {
    fn segment(&self, how: Scatter, segments: Segments, segment_ids: &Tensor) -> Result<Tensor> {
        let op = Segment { how, segments };
        if segments == Segments::Sorted && segment_ids.rank() != 1 {
            let expected = "segment numbers of one axis";
            return Err(Error::new(ErrorKind::Shape, op.name(), expected, segment_ids.shape()));
        }
        apply(op, [self, segment_ids])
    }

    /// How many rows each segment has, at least 1, in the shape that broadcasts against sums of `x`.
    fn segment_sizes(&self, op: &'static str, segments: Segments, segment_ids: &Tensor) -> Result<Tensor> {
        let ones = Tensor::ones(segment_ids.shape(), self.dtype())?;
        let sizes = ones.segment(Scatter::Add, segments, segment_ids)?;
        let single = std::iter::repeat_n(1, self.rank().saturating_sub(segment_ids.rank()));
        let shape: Shape = [sizes.len()].into_iter().chain(single).collect();
        sizes.maximum(sizes.like(op, 1.0)?)?.reshape(shape)
    }

    /// Sums divided by a function of the sizes.
    fn segment_average(
        &self,
        op: &'static str,
        segments: Segments,
        segment_ids: &Tensor,
        divisor: fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        expect_float(op, self.dtype())?;
        let in_place = |error: Error| error.context(op);
        let sums = self.segment(Scatter::Add, segments, segment_ids).map_err(in_place)?;
        Ok(sums / divisor(&self.segment_sizes(op, segments, segment_ids)?)?)
    }

    /// The sums of the rows of each segment (`tf.math.segment_sum`).
    ///
    /// # Errors
    /// `ErrorKind::Index`, if the numbers are negative or not in ascending order; `ErrorKind::Shape`, if there is not one
    /// for each row; `ErrorKind::DType`, if they are not integers or the elements are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![1.0f32, 2.0, 3.0])?;
    /// assert_eq!(x.segment_sum(Tensor::from_vec([3], vec![0, 0, 2])?)?.to_vec::<f32>()?, [3.0, 0.0, 3.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn segment_sum(&self, segment_ids: impl AsTensor) -> Result<Tensor> {
        self.segment(Scatter::Add, Segments::Sorted, &segment_ids.as_tensor())
    }

    /// The means of the rows of each segment (`tf.math.segment_mean`).
    ///
    /// # Errors
    /// As [`segment_sum`](Tensor::segment_sum); `ErrorKind::DType`, if the elements are not floating-point numbers.
    pub fn segment_mean(&self, segment_ids: impl AsTensor) -> Result<Tensor> {
        self.segment_average("segment_mean", Segments::Sorted, &segment_ids.as_tensor(), |n| Ok(n.clone()))
    }

    /// The smallest elements of the rows of each segment (`tf.math.segment_min`). Elements that are equally small share the
    /// gradient equally.
    ///
    /// # Errors
    /// As [`segment_sum`](Tensor::segment_sum).
    pub fn segment_min(&self, segment_ids: impl AsTensor) -> Result<Tensor> {
        self.segment(Scatter::Min, Segments::Sorted, &segment_ids.as_tensor())
    }

    /// The largest elements of the rows of each segment (`tf.math.segment_max`); otherwise as
    /// [`segment_min`](Tensor::segment_min).
    ///
    /// # Errors
    /// As [`segment_sum`](Tensor::segment_sum).
    pub fn segment_max(&self, segment_ids: impl AsTensor) -> Result<Tensor> {
        self.segment(Scatter::Max, Segments::Sorted, &segment_ids.as_tensor())
    }

    /// The products of the rows of each segment (`tf.math.segment_prod`); 1 for none. Gradients are right also where
    /// elements are 0; as in TensorFlow, a segment with several zeros has no second derivative but 0.
    ///
    /// # Errors
    /// As [`segment_sum`](Tensor::segment_sum).
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([3], vec![2.0f32, 3.0, 4.0])?;
    /// assert_eq!(x.segment_prod(Tensor::from_vec([3], vec![0, 0, 2])?)?.to_vec::<f32>()?, [6.0, 1.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn segment_prod(&self, segment_ids: impl AsTensor) -> Result<Tensor> {
        self.segment(Scatter::Mul, Segments::Sorted, &segment_ids.as_tensor())
    }

    /// The sums of the rows of each of `num_segments` segments (`tf.math.unsorted_segment_sum`).
    ///
    /// # Errors
    /// `ErrorKind::Index`, if a number is not below `num_segments`; `ErrorKind::Shape`, if the numbers have not the shape
    /// of the leading axes; `ErrorKind::DType`, if they are not integers or the elements are booleans.
    ///
    /// ```
    /// # use slalom_autograd::Tensor;
    /// let x = Tensor::from_vec([4], vec![1.0f32, 2.0, 3.0, 4.0])?;
    /// let ids = Tensor::from_vec([4], vec![2, 0, 2, -1])?;
    /// assert_eq!(x.unsorted_segment_sum(&ids, 3)?.to_vec::<f32>()?, [2.0, 0.0, 4.0]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn unsorted_segment_sum(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        self.segment(Scatter::Add, Segments::Unsorted(num_segments), &segment_ids.as_tensor())
    }

    /// The means of the rows of each segment (`tf.math.unsorted_segment_mean`); 0 for none.
    ///
    /// # Errors
    /// As [`unsorted_segment_sum`](Tensor::unsorted_segment_sum); `ErrorKind::DType`, if the elements are not
    /// floating-point numbers.
    pub fn unsorted_segment_mean(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        let (op, segments) = ("unsorted_segment_mean", Segments::Unsorted(num_segments));
        self.segment_average(op, segments, &segment_ids.as_tensor(), |n| Ok(n.clone()))
    }

    /// The sums of the rows of each segment, divided by the square root of their number
    /// (`tf.math.unsorted_segment_sqrt_n`); 0 for none.
    ///
    /// # Errors
    /// As [`unsorted_segment_mean`](Tensor::unsorted_segment_mean).
    pub fn unsorted_segment_sqrt_n(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        let (op, segments) = ("unsorted_segment_sqrt_n", Segments::Unsorted(num_segments));
        self.segment_average(op, segments, &segment_ids.as_tensor(), Tensor::sqrt)
    }

    /// The smallest elements of the rows of each segment (`tf.math.unsorted_segment_min`); the largest finite value for
    /// none. Elements that are equally small share the gradient equally.
    ///
    /// # Errors
    /// As [`unsorted_segment_sum`](Tensor::unsorted_segment_sum).
    pub fn unsorted_segment_min(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        self.segment(Scatter::Min, Segments::Unsorted(num_segments), &segment_ids.as_tensor())
    }

    /// The largest elements of the rows of each segment (`tf.math.unsorted_segment_max`); the lowest finite value for
    /// none. Otherwise as [`unsorted_segment_min`](Tensor::unsorted_segment_min).
    ///
    /// # Errors
    /// As [`unsorted_segment_sum`](Tensor::unsorted_segment_sum).
    pub fn unsorted_segment_max(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        self.segment(Scatter::Max, Segments::Unsorted(num_segments), &segment_ids.as_tensor())
    }

    /// The products of the rows of each segment (`tf.math.unsorted_segment_prod`); 1 for none. Otherwise as
    /// [`segment_prod`](Tensor::segment_prod).
    ///
    /// # Errors
    /// As [`unsorted_segment_sum`](Tensor::unsorted_segment_sum).
    pub fn unsorted_segment_prod(&self, segment_ids: impl AsTensor, num_segments: usize) -> Result<Tensor> {
        self.segment(Scatter::Mul, Segments::Unsorted(num_segments), &segment_ids.as_tensor())
    }
}
