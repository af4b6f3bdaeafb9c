//! Scaled dot-product attention, a block of queries at a time, and its gradients.
//!
//! The scores of a block of queries are held at once, never those of all; the gradient computes them again from the
//! saved logarithms of their sums (T. Dao et al., "FlashAttention", 2022). Every head of every sample is a job of its
//! own.
mod scores;
#[cfg(test)]
mod tests;

use crate::array::Uninit;
use crate::kernels::Shared;
use crate::kernels::gemm::{Epilogue, FusedActivation, GemmElement, Mat, gemm};
use crate::{
    Array, DType, Element, Error, ErrorKind, Float, Number, Result, Shape, dispatch, parallel, with_float,
};
use scores::{Mask, ScoreGradients, Softmax};

const OP: &str = "dot_product_attention";
/// Queries whose scores are held at once.
const BLOCK: usize = 64;

/// What attention computes beyond its operands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// The factor of the products of queries and keys.
    pub scale: f64,
    /// Whether a query sees only keys up to its own place.
    pub causal: bool,
}

/// `softmax(scale q kᵀ) v` for each head: queries `[b, t, heads, d]`, keys `[b, s, heads, d]` and values
/// `[b, s, heads, e]` give `[b, t, heads, e]` (A. Vaswani et al., "Attention Is All You Need", 2017). Operands may be
/// strided.
///
/// `mask`, of booleans that broadcast to `[b, heads, t, s]`, says which keys a query sees: scores of others are lowered
/// by 10⁹, as Keras does.
///
/// Returns the result, and the logarithm of the sum of the exponentials of each query's scores, `[b, heads, t]`, which
/// the gradient needs. Without keys the result is zero.
///
/// # Errors
/// [`ErrorKind::Shape`], if the shapes do not fit; [`ErrorKind::DType`], if the types differ, are not of floats, or the
/// mask is not of booleans; [`ErrorKind::Memory`].
///
/// ```
/// use slalom_array::{Array, Attention, DType, attention};
/// let q = Array::zeros([1, 1, 1, 4], DType::F64)?;
/// let k = Array::ones([1, 2, 1, 4], DType::F64)?;
/// let v = Array::from_vec([1, 2, 1, 1], vec![1.0, 3.0])?;
/// let [y, _] = attention(&q, &k, &v, None, Attention { scale: 0.5, causal: false })?;
/// assert_eq!(y.item()?, 2.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn attention(
    q: &Array,
    k: &Array,
    v: &Array,
    mask: Option<&Array>,
    options: Attention,
) -> Result<[Array; 2]> {
    with_float!(OP, q.dtype(), T => forward::<T>([q, k, v], mask, options))
}

/// The gradients of [`attention`] for queries, keys and values, from its operands, its two results and the gradient
/// `g` for the first.
///
/// # Errors
/// As [`attention`].
pub fn attention_grad(
    operands: [&Array; 3],
    mask: Option<&Array>,
    results: [&Array; 2],
    g: &Array,
    options: Attention,
) -> Result<[Array; 3]> {
    with_float!(OP, g.dtype(), T => backward::<T>(operands, mask, results, g, options))
}

/// The sizes of a problem.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    values: usize,
}

impl Sizes {
    fn new<T: Element>([q, k, v]: [&Array; 3]) -> Result<Sizes> {
        for operand in [q, k, v] {
            operand.expect_dtype(OP, T::DTYPE)?;
        }
        let fits = match (&q.shape()[..], &k.shape()[..], &v.shape()[..]) {
            (&[batch, queries, heads, depth], &[b, keys, h, d], &[c, s, n, values])
                if (batch, heads, depth) == (b, h, d) && (batch, keys, heads) == (c, s, n) =>
            {
                Some(Sizes { batch, heads, queries, keys, values })
            }
            _ => None,
        };
        fits.ok_or_else(|| {
            let expected = "queries [b, t, heads, d], keys [b, s, heads, d] and values [b, s, heads, e]";
            let got = format!("{}, {} and {}", q.shape(), k.shape(), v.shape());
            Error::new(ErrorKind::Shape, OP, expected, got)
        })
    }

    /// `[b, heads, t, s]`
    fn scores(&self) -> Shape {
        [self.batch, self.heads, self.queries, self.keys].into()
    }

    fn expect(&self, array: &Array, dtype: DType, shape: &[usize]) -> Result<Array> {
        array.expect_dtype(OP, dtype)?;
        if **array.shape() != *shape {
            return Err(Error::new(
                ErrorKind::Shape,
                OP,
                format!("shape {}", Shape::from(shape)),
                array.shape(),
            ));
        }
        array.contiguous()
    }
}

/// An operand `[b, rows, heads, columns]`, as a matrix for each head of each sample.
#[derive(Clone, Copy)]
struct Heads<T> {
    first: Shared<T>,
    strides: [isize; 4],
    rows: usize,
    cols: usize,
}

impl<T: Element> Heads<T> {
    /// The matrices of an array, which must live as long as this is used.
    fn new(array: &Array) -> Heads<T> {
        let (shape, strides) = (array.shape(), array.strides());
        Heads {
            first: Shared::new(array.as_ptr::<T>().cast_mut()),
            strides: [strides[0], strides[1], strides[2], strides[3]],
            rows: shape[1],
            cols: shape[3],
        }
    }

    fn matrix(&self, sample: usize, head: usize) -> Mat<T> {
        let offset = sample as isize * self.strides[0] + head as isize * self.strides[2];
        Mat {
            ptr: self.first.get().wrapping_offset(offset),
            rows: self.rows,
            cols: self.cols,
            row_stride: self.strides[1],
            col_stride: self.strides[3],
        }
    }
}

/// `count` rows from `start`.
fn part<T>(matrix: Mat<T>, start: usize, count: usize) -> Mat<T> {
    Mat { ptr: matrix.ptr.wrapping_offset(start as isize * matrix.row_stride), rows: count, ..matrix }
}

fn turned<T>(matrix: Mat<T>) -> Mat<T> {
    Mat {
        ptr: matrix.ptr,
        rows: matrix.cols,
        cols: matrix.rows,
        row_stride: matrix.col_stride,
        col_stride: matrix.row_stride,
    }
}

/// A row-major matrix without gaps.
fn packed<T>(ptr: *const T, rows: usize, cols: usize) -> Mat<T> {
    Mat { ptr, rows, cols, row_stride: cols as isize, col_stride: 1 }
}

/// `c = a b` or `c += a b`, for a row-major `c` whose rows are `ldc` apart.
///
/// # Safety
/// As [`gemm`].
unsafe fn product<T: GemmElement>(a: Mat<T>, b: Mat<T>, c: *mut T, ldc: usize, accumulate: bool) {
    let epilogue = Epilogue { bias: std::ptr::null(), activation: FusedActivation::Linear };
    // SAFETY: the caller's promise.
    unsafe { gemm(a, b, c, ldc, accumulate, epilogue) }
}

/// How many keys some of the queries before `end` see.
fn seen(sizes: &Sizes, mask: &Option<Mask>, options: Attention, end: usize) -> usize {
    // A query all of whose keys are masked sees them all alike, those after it too.
    if options.causal && mask.is_none() { sizes.keys.min(end) } else { sizes.keys }
}

fn forward<T: Float + Number + GemmElement>(
    operands: [&Array; 3],
    mask: Option<&Array>,
    options: Attention,
) -> Result<[Array; 2]> {
    let sizes = Sizes::new::<T>(operands)?;
    let Sizes { batch, heads, queries, keys, values, .. } = sizes;
    let mask = mask.map(|mask| Mask::new(mask, &sizes.scores())).transpose()?;
    let mut out = Uninit::<T>::new([batch, queries, heads, values])?;
    let mut log_sums = Uninit::<T>::new([batch, heads, queries])?;
    if keys == 0 || batch * heads * queries == 0 {
        return Ok([out.fill(<T as Float>::ZERO), log_sums.fill(<T as Float>::NEG_INFINITY)]);
    }
    let [q, k, v] = operands.map(Heads::<T>::new);
    let to = Shared::new(out.as_mut_slice().as_mut_ptr().cast::<T>());
    let sums_to = Shared::new(log_sums.as_mut_slice().as_mut_ptr().cast::<T>());
    let blocks = queries.div_ceil(BLOCK);
    parallel::for_each(batch * heads * blocks, |job| {
        let (sample, head, start) = (job / blocks / heads, job / blocks % heads, job % blocks * BLOCK);
        let rows = BLOCK.min(queries - start);
        let cols = seen(&sizes, &mask, options, start + rows);
        let mut scores = Uninit::<T>::new([rows, cols]).expect("memory for a block of scores");
        let scores = scores.as_mut_slice().as_mut_ptr().cast::<T>();
        let query = part(q.matrix(sample, head), start, rows);
        let row = (sample * heads + head) * queries + start;
        // SAFETY: operands and results have the sizes above; each job writes the results of its own queries.
        unsafe {
            let keys = part(k.matrix(sample, head), 0, cols);
            product(query, turned(keys), scores, cols, false);
            let (place, mask, log_sums) = ((sample, head), mask.as_ref(), sums_to.get().add(row));
            Softmax { scores, rows, cols, start, place, mask, options, log_sums, known: false }.run();
            let to = to.get().add(((sample * queries + start) * heads + head) * values);
            let values_seen = part(v.matrix(sample, head), 0, cols);
            product(packed(scores, rows, cols), values_seen, to, heads * values, false);
        }
    });
    // SAFETY: each query of each head has its results.
    Ok(unsafe { [out.assume_init(), log_sums.assume_init()] })
}

fn backward<T: Float + Number + GemmElement>(
    operands: [&Array; 3],
    mask: Option<&Array>,
    [out, log_sums]: [&Array; 2],
    g: &Array,
    options: Attention,
) -> Result<[Array; 3]> {
    let sizes = Sizes::new::<T>(operands)?;
    let Sizes { batch, heads, queries, keys, values, .. } = sizes;
    let mask = mask.map(|mask| Mask::new(mask, &sizes.scores())).transpose()?;
    let out = sizes.expect(out, T::DTYPE, &[batch, queries, heads, values])?;
    let g = sizes.expect(g, T::DTYPE, &[batch, queries, heads, values])?;
    let log_sums = sizes.expect(log_sums, T::DTYPE, &[batch, heads, queries])?;
    let zeros = |operand: &Array| Array::zeros(operand.shape(), T::DTYPE);
    let gradients = [zeros(operands[0])?, zeros(operands[1])?, zeros(operands[2])?];
    if keys == 0 || batch * heads * queries == 0 {
        return Ok(gradients);
    }
    let [q, k, v] = operands.map(Heads::<T>::new);
    let (out, g) = (Heads::<T>::new(&out), Heads::<T>::new(&g));
    let to = gradients.each_ref().map(Heads::<T>::new);
    let sums = Shared::new(log_sums.as_ptr::<T>().cast_mut());
    parallel::for_each(batch * heads, |job| {
        let (sample, head) = (job / heads, job % heads);
        let mut space =
            Uninit::<T>::new([2, BLOCK.min(queries), keys]).expect("memory for a block of scores");
        let space = space.as_mut_slice().as_mut_ptr().cast::<T>();
        let [query, key, value] = [q, k, v].map(|operand| operand.matrix(sample, head));
        let [by_query, by_key, by_value] = to.map(|operand| operand.matrix(sample, head));
        for start in (0..queries).step_by(BLOCK) {
            let rows = BLOCK.min(queries - start);
            let cols = seen(&sizes, &mask, options, start + rows);
            // SAFETY: operands and gradients have the sizes above; each job writes the gradients of its own head.
            unsafe {
                let (scores, by_scores) = (space, space.add(rows * cols));
                let [query, out, g] = [query, out.matrix(sample, head), g.matrix(sample, head)]
                    .map(|matrix| part(matrix, start, rows));
                let [key, value] = [key, value].map(|matrix| part(matrix, 0, cols));
                product(query, turned(key), scores, cols, false);
                let log_sums = sums.get().add(job * queries + start);
                let place = (sample, head);
                let mask = mask.as_ref();
                Softmax { scores, rows, cols, start, place, mask, options, log_sums, known: true }.run();
                let weights = packed(scores.cast_const(), rows, cols);
                product(turned(weights), g, by_value.ptr.cast_mut(), by_value.row_stride as usize, true);
                product(g, turned(value), by_scores, cols, false);
                dispatch(ScoreGradients {
                    scores: scores.cast_const(),
                    by_scores,
                    rows,
                    cols,
                    out,
                    g,
                    scale: options.scale,
                });
                let by_scores = packed(by_scores.cast_const(), rows, cols);
                let to = part(by_query, start, rows);
                product(by_scores, key, to.ptr.cast_mut(), to.row_stride as usize, false);
                product(turned(by_scores), query, by_key.ptr.cast_mut(), by_key.row_stride as usize, true);
            }
        }
    });
    Ok(gradients)
}
