//! The array: a strided view on shared memory.
use crate::memory::{self, Header};
use crate::{DType, Element, Error, ErrorKind, Number, Result, Shape, with_dtype};
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, fence};

/// Steps between neighbours along each axis, in elements.
pub(crate) type Strides = SmallVec<[isize; 6]>;

/// An n-dimensional array of one element type, known at run time.
///
/// An array is a strided view on shared memory: cloning it and [`reshape`](Array::reshape) (of contiguous arrays),
/// [`transpose`](Array::transpose), [`slice`](Array::slice) and [`broadcast_to`](Array::broadcast_to) copy nothing.
/// Memory is aligned to 64 bytes and comes from a pool (see [`memory`](crate::memory)).
///
/// ```
/// use slalom_array::Array;
/// let a = Array::from_vec([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(a.transpose(&[1, 0])?.to_vec::<f32>()?, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub struct Array {
    /// A block with a [`Meta`] in its header: the elements follow, or, for a view, a [`View`].
    block: NonNull<Header>,
}

/// What the header of a block says.
struct Meta {
    shape: Shape,
    dtype: DType,
    /// The block holds a [`View`] instead of elements.
    is_view: bool,
}

const _: () = assert!(size_of::<Meta>() <= memory::OWNED && align_of::<Meta>() <= 16);

/// Elements of another block.
struct View {
    base: Array,
    /// Of the first element, in elements.
    offset: usize,
    /// `None` is row-major without gaps.
    strides: Option<Strides>,
}

// SAFETY: the reference count is atomic; elements are written only through `&mut` on unshared memory.
unsafe impl Send for Array {}
// SAFETY: as above.
unsafe impl Sync for Array {}

impl Clone for Array {
    #[inline]
    fn clone(&self) -> Array {
        // 2^32 references would need 32 GiB of handles.
        self.header().references.fetch_add(1, Ordering::Relaxed);
        Array { block: self.block }
    }
}

impl Drop for Array {
    #[inline]
    fn drop(&mut self) {
        // The only handle needs no atomic write: nobody else can make another.
        let references = &self.header().references;
        if references.load(Ordering::Acquire) != 1 {
            if references.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last reference; header and view were written when the array was made.
        unsafe {
            if self.meta().is_view {
                memory::data(self.block).cast::<View>().drop_in_place();
            }
            memory::owned(self.block).cast::<Meta>().drop_in_place();
            memory::release(self.block);
        }
    }
}

/// An array whose elements are still to be written.
pub struct Uninit<T> {
    array: Array,
    length: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Element> Uninit<T> {
    /// Memory for an array.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if the size overflows or the memory is not to be had.
    #[inline]
    pub fn new(shape: impl Into<Shape>) -> Result<Uninit<T>> {
        let array = Array::uninit(shape.into(), T::DTYPE)?;
        let length = array.len();
        Ok(Uninit { array, length, element: std::marker::PhantomData })
    }

    /// The elements, row-major.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [MaybeUninit<T>] {
        // SAFETY: the block holds `length` elements, aligned to 64 bytes, and belongs to this value alone.
        unsafe { std::slice::from_raw_parts_mut(memory::data(self.array.block).cast(), self.length) }
    }

    /// The array, whose elements have all been written.
    ///
    /// # Safety
    /// Each element of [`as_mut_slice`](Uninit::as_mut_slice) must have been written.
    #[inline]
    pub unsafe fn assume_init(self) -> Array {
        self.array
    }

    /// The array, with one value in every place.
    pub fn fill(mut self, value: T) -> Array {
        for x in self.as_mut_slice() {
            x.write(value);
        }
        self.array
    }
}

impl Array {
    // ---- making ----

    /// An array of the given elements, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the number of elements is not that of the shape.
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, elements: Vec<T>) -> Result<Array> {
        Array::from_elements("from_vec", shape.into(), &elements)
    }

    /// An array of a copy of the given elements, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the number of elements is not that of the shape.
    pub fn from_slice<T: Element>(shape: impl Into<Shape>, elements: &[T]) -> Result<Array> {
        Array::from_elements("from_slice", shape.into(), elements)
    }

    fn from_elements<T: Element>(op: &'static str, shape: Shape, elements: &[T]) -> Result<Array> {
        let length = shape.num_elements()?;
        if length != elements.len() {
            let expected = format!("{length} elements for shape {shape}");
            return Err(Error::new(ErrorKind::Shape, op, expected, elements.len()));
        }
        let mut array = Uninit::<T>::new(shape)?;
        for (into, &x) in array.as_mut_slice().iter_mut().zip(elements) {
            into.write(x);
        }
        // SAFETY: both have `length` elements.
        Ok(unsafe { array.assume_init() })
    }

    /// A scalar (shape `[]`).
    ///
    /// # Panics
    /// If the system has no memory for one element.
    #[inline]
    pub fn scalar<T: Element>(value: T) -> Array {
        Uninit::new([]).expect("memory for one element").fill(value)
    }

    /// An array filled with one value, converted to the element type as [`cast`](Array::cast) does.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if the array does not fit in memory.
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Array> {
        let shape = shape.into();
        with_dtype!(dtype, T => Ok(Uninit::<T>::new(shape)?.fill(T::from_f64(value))))
    }

    /// An array of zeros (`false` for booleans).
    ///
    /// # Errors
    /// As [`full`](Array::full).
    pub fn zeros(shape: impl Into<Shape>, dtype: DType) -> Result<Array> {
        Array::full(shape, 0.0, dtype)
    }

    /// An array of ones (`true` for booleans).
    ///
    /// # Errors
    /// As [`full`](Array::full).
    pub fn ones(shape: impl Into<Shape>, dtype: DType) -> Result<Array> {
        Array::full(shape, 1.0, dtype)
    }

    /// An array whose elements must be written before they are read.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    #[inline]
    pub(crate) fn uninit(shape: Shape, dtype: DType) -> Result<Array> {
        let block = memory::acquire(shape.num_elements()?.saturating_mul(dtype.size()))?;
        Ok(Array::with_header(block, Meta { shape, dtype, is_view: false }))
    }

    // ---- facts ----

    #[inline]
    fn with_header(block: NonNull<Header>, meta: Meta) -> Array {
        // SAFETY: the block is new, and its header has room for a `Meta`.
        unsafe { memory::owned(block).cast::<Meta>().write(meta) };
        Array { block }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: a block lives as long as there is a reference to it.
        unsafe { self.block.as_ref() }
    }

    #[inline]
    fn meta(&self) -> &Meta {
        // SAFETY: as above; the header was written when the array was made, and is never changed.
        unsafe { &*memory::owned(self.block).cast::<Meta>() }
    }

    #[inline]
    fn as_view(&self) -> Option<&View> {
        // SAFETY: as above; a block that says so holds a view.
        self.meta().is_view.then(|| unsafe { &*memory::data(self.block).cast::<View>() })
    }

    /// The array that holds the elements.
    #[inline]
    fn base(&self) -> &Array {
        self.as_view().map_or(self, |view| &view.base)
    }

    /// The lengths of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.meta().shape
    }

    /// The element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.meta().dtype
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// Steps between neighbours along each axis, in elements.
    pub(crate) fn strides(&self) -> Strides {
        match self.as_view().and_then(|view| view.strides.as_ref()) {
            Some(strides) => strides.clone(),
            None => row_major(self.shape()),
        }
    }

    /// Whether the elements lie in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.as_view().is_none_or(|view| view.strides.is_none())
    }

    /// Whether no other array shares the memory.
    #[inline]
    pub fn is_unshared(&self) -> bool {
        let alone = |array: &Array| array.header().references.load(Ordering::Acquire) == 1;
        alone(self) && self.as_view().is_none_or(|view| alone(&view.base))
    }

    /// Whether both are views on the same memory.
    pub fn shares_memory(&self, other: &Array) -> bool {
        self.base().block == other.base().block
    }

    // ---- elements ----

    /// The address of the first element.
    #[inline]
    pub(crate) fn as_ptr<T: Element>(&self) -> *const T {
        debug_assert_eq!(T::DTYPE, self.dtype());
        self.as_bytes().cast()
    }

    /// The address of the first element, of whatever type.
    #[inline]
    pub(crate) fn as_bytes(&self) -> *const u8 {
        match self.as_view() {
            None => memory::data(self.block),
            // SAFETY: the offset lies in the block.
            Some(view) => unsafe { memory::data(view.base.block).add(view.offset * self.dtype().size()) },
        }
    }

    /// The elements, if they are contiguous and of type `T`.
    #[inline]
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        if T::DTYPE != self.dtype() || !self.is_contiguous() {
            return None;
        }
        // SAFETY: a contiguous view holds `len` initialized elements of its type from its offset on, and memory
        // is written only through `&mut` on an unshared buffer.
        Some(unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) })
    }

    /// The elements to change in place, if they are contiguous, of type `T`, and no other array shares the memory.
    #[inline]
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        if T::DTYPE != self.dtype() || !self.is_contiguous() || !self.is_unshared() {
            return None;
        }
        // SAFETY: as in `as_slice`, and this array is the only one on its buffer.
        Some(unsafe { std::slice::from_raw_parts_mut(self.as_ptr::<T>().cast_mut(), self.len()) })
    }

    /// The elements to change in place, after making them contiguous and unshared by a copy where they are not.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if the elements are not of type `T`; [`ErrorKind::Memory`].
    pub fn make_mut<T: Element>(&mut self) -> Result<&mut [T]> {
        self.expect_dtype("make_mut", T::DTYPE)?;
        if !self.is_contiguous() || !self.is_unshared() {
            memory::count_copy();
            *self = self.copy()?;
        }
        // SAFETY: contiguous and unshared now, of type `T`.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.as_ptr::<T>().cast_mut(), self.len()) })
    }

    /// A copy of the elements, row-major.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if the elements are not of type `T`.
    ///
    /// ```
    /// # use slalom_array::Array;
    /// assert_eq!(Array::from_vec([2], vec![1i32, 2])?.to_vec::<i32>()?, [1, 2]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.expect_dtype("to_vec", T::DTYPE)?;
        match self.as_slice() {
            Some(elements) => Ok(elements.to_vec()),
            None => self.copy()?.to_vec(),
        }
    }

    /// The value of an array of one element, as `f64`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is not exactly one element.
    #[inline]
    pub fn item(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::new(ErrorKind::Shape, "item", "an array of one element", self.shape()));
        }
        // SAFETY: there is one element, at the offset.
        with_dtype!(self.dtype(), T => Ok(unsafe { *self.as_ptr::<T>() }.to_f64()))
    }

    pub(crate) fn expect_dtype(&self, op: &'static str, dtype: DType) -> Result<()> {
        if self.dtype() == dtype {
            return Ok(());
        }
        Err(Error::new(ErrorKind::DType, op, format!("dtype {dtype}"), self.dtype()))
    }

    // ---- views ----

    /// The elements of this array's memory from `offset` (counted from its first element) on.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    fn view(&self, shape: Shape, strides: Strides, offset: isize) -> Result<Array> {
        let strides = if is_row_major(&shape, &strides) { None } else { Some(strides) };
        let offset = self.as_view().map_or(0, |view| view.offset).wrapping_add_signed(offset);
        let block = memory::acquire(size_of::<View>())?;
        // SAFETY: the block is new and has room for a view.
        unsafe {
            memory::data(block).cast::<View>().write(View { base: self.base().clone(), offset, strides })
        };
        Ok(Array::with_header(block, Meta { shape, dtype: self.dtype(), is_view: true }))
    }

    /// The same elements in another shape. A view, unless the array is strided in a way that has no such view.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the number of elements differs.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Array> {
        self.reshaped(shape.into())
    }

    fn reshaped(&self, shape: Shape) -> Result<Array> {
        if shape.num_elements()? != self.len() {
            let expected = format!("a shape of {} elements", self.len());
            return Err(Error::new(ErrorKind::Shape, "reshape", expected, shape));
        }
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        let strides = match self.is_contiguous() {
            true => Some(row_major(&shape)),
            false => reshaped_strides(self.shape(), &self.strides(), &shape),
        };
        match strides {
            Some(strides) => self.view(shape, strides, 0),
            None => {
                memory::count_copy();
                let copy = self.copy()?;
                let strides = row_major(&shape);
                copy.view(shape, strides, 0)
            }
        }
    }

    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this array. A view.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if `axes` is not a permutation of the axes.
    pub fn transpose(&self, axes: &[usize]) -> Result<Array> {
        let mut seen: SmallVec<[bool; 8]> = SmallVec::from_elem(false, self.rank());
        let valid = axes.len() == self.rank()
            && axes.iter().all(|&a| a < seen.len() && !std::mem::replace(&mut seen[a], true));
        if !valid {
            let expected = format!("a permutation of the {} axes of shape {}", self.rank(), self.shape());
            return Err(Error::new(ErrorKind::Shape, "transpose", expected, format!("{axes:?}")));
        }
        let strides = self.strides();
        let shape = axes.iter().map(|&a| self.shape()[a]).collect();
        self.view(shape, axes.iter().map(|&a| strides[a]).collect(), 0)
    }

    /// Elements `start, start + step, ...` along one axis, `length` of them. A view.
    ///
    /// # Errors
    /// [`ErrorKind::Index`], if an element would lie outside of the axis.
    pub fn slice(&self, axis: usize, start: usize, length: usize, step: isize) -> Result<Array> {
        let n = self.shape()[axis];
        let last = (length as isize - 1).checked_mul(step).and_then(|d| d.checked_add(start as isize));
        if length > 0 && !(start < n && last.is_some_and(|i| (0..n as isize).contains(&i))) {
            let expected = format!("indices within axis {axis} of shape {}", self.shape());
            let got = format!("{length} from {start} on in steps of {step}");
            return Err(Error::new(ErrorKind::Index, "slice", expected, got));
        }
        let mut strides = self.strides();
        let offset = if length > 0 { start as isize * strides[axis] } else { 0 };
        strides[axis] *= step;
        self.view(self.shape().replaced(axis, length), strides, offset)
    }

    /// The array repeated along axes of length 1 and new outer axes. A view.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if this shape does not broadcast to `shape`.
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Array> {
        self.broadcasted(shape.into())
    }

    fn broadcasted(&self, shape: Shape) -> Result<Array> {
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        let fits = self.rank() <= shape.rank()
            && self.shape().iter().rev().zip(shape.iter().rev()).all(|(&from, &to)| from == to || from == 1);
        if !fits {
            let expected = format!("a shape that {} broadcasts to", self.shape());
            return Err(Error::new(ErrorKind::Shape, "broadcast_to", expected, shape));
        }
        shape.num_elements()?;
        let strides = self.broadcast_strides(&shape);
        self.view(shape, strides, 0)
    }

    /// The strides that this array has as a view of a shape that it broadcasts to.
    pub(crate) fn broadcast_strides(&self, shape: &Shape) -> Strides {
        let own = self.strides();
        let extra = shape.rank() - self.rank();
        let repeated = |i: usize| i < extra || (self.shape()[i - extra] == 1 && shape[i] != 1);
        (0..shape.rank()).map(|i| if repeated(i) { 0 } else { own[i - extra] }).collect()
    }

    // ---- copies ----

    /// A row-major copy in memory of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn copy(&self) -> Result<Array> {
        crate::kernels::strided::copy(self)
    }

    /// This array, if it is contiguous, else a row-major copy (which [`memory::Stats`] counts).
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn contiguous(&self) -> Result<Array> {
        if self.is_contiguous() {
            return Ok(self.clone());
        }
        memory::count_copy();
        self.copy()
    }

    /// The elements converted to another type: floats to integers towards zero and saturating, anything to `bool`
    /// by comparison with zero, `bool` to 0 and 1. The same array, if it has that type already.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub fn cast(&self, dtype: DType) -> Result<Array> {
        if dtype == self.dtype() {
            return Ok(self.clone());
        }
        crate::kernels::elementwise::cast(self, dtype)
    }
}

impl<T: Element> From<T> for Array {
    /// A scalar.
    fn from(value: T) -> Array {
        Array::scalar(value)
    }
}

/// The strides of a row-major array without gaps.
pub(crate) fn row_major(shape: &[usize]) -> Strides {
    let mut strides = Strides::from_elem(1, shape.len());
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i].max(1) as isize;
    }
    strides
}

fn is_row_major(shape: &[usize], strides: &[isize]) -> bool {
    let mut expected = 1;
    shape.contains(&0)
        || shape.iter().zip(strides).rev().all(|(&n, &stride)| {
            let fits = n == 1 || stride == expected;
            expected *= n as isize;
            fits
        })
}

/// The strides under which a strided array can be seen in another shape, if there are any.
fn reshaped_strides(from: &[usize], strides: &[isize], to: &[usize]) -> Option<Strides> {
    if to.contains(&0) {
        return Some(row_major(to));
    }
    let mut axes: SmallVec<[(usize, isize); 6]> =
        from.iter().copied().zip(strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
    let mut out = Strides::from_elem(0, to.len());
    for (i, &n) in to.iter().enumerate().rev() {
        if n == 1 {
            continue;
        }
        let (mut length, stride) = axes.pop()?;
        while length % n != 0 {
            // The axis must merge with the one outside of it.
            let (outer, outer_stride) = axes.pop()?;
            if outer_stride != stride * length as isize {
                return None;
            }
            length *= outer;
        }
        out[i] = stride;
        if length > n {
            axes.push((length / n, stride * n as isize));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn iota(shape: &[usize]) -> Array {
        Array::from_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
    }

    #[test]
    fn views_share_memory() {
        let a = iota(&[2, 3, 4]);
        let t = a.transpose(&[2, 0, 1]).unwrap();
        assert_eq!(t.shape(), &Shape::from([4, 2, 3]));
        let s = t.slice(0, 3, 2, -2).unwrap();
        assert_eq!(s.to_vec::<i32>().unwrap(), [3, 7, 11, 15, 19, 23, 1, 5, 9, 13, 17, 21]);
        let b = iota(&[3, 1]).broadcast_to([2, 3, 2]).unwrap();
        assert_eq!(b.to_vec::<i32>().unwrap(), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
        assert!(s.shares_memory(&a) && !s.is_contiguous() && !a.is_unshared());
        // Merging the outer two axes of a transposed array needs no copy, merging the inner two does.
        let t = a.transpose(&[0, 2, 1]).unwrap();
        assert!(t.reshape([2, 2, 2, 3]).unwrap().shares_memory(&a));
        assert!(!t.reshape([24]).unwrap().shares_memory(&a));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let a = iota(&[2, 3]);
        assert_eq!(a.reshape([4]).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(a.transpose(&[0, 0]).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(a.slice(1, 1, 3, 1).unwrap_err().kind(), ErrorKind::Index);
        assert_eq!(a.slice(1, 1, 3, -1).unwrap_err().kind(), ErrorKind::Index);
        assert_eq!(a.broadcast_to([3, 3]).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(a.to_vec::<f32>().unwrap_err().kind(), ErrorKind::DType);
        assert_eq!(a.item().unwrap_err().kind(), ErrorKind::Shape);
        let huge = [usize::MAX, usize::MAX];
        assert_eq!(Array::zeros(huge, DType::F32).unwrap_err().kind(), ErrorKind::Memory);
        assert_eq!(Array::zeros([1 << 60], DType::Bool).unwrap_err().kind(), ErrorKind::Memory);
        assert_eq!(Array::zeros([1 << 62], DType::F64).unwrap_err().kind(), ErrorKind::Memory);
        assert_eq!(
            a.slice(1, 0, 1, 1).unwrap().broadcast_to([usize::MAX, 2, 9]).unwrap_err().kind(),
            ErrorKind::Memory
        );
    }

    #[test]
    fn cast_follows_the_rules() {
        let a = Array::from_vec([5], vec![-1.9f32, 0.0, 2.9, f32::NAN, 1e20]).unwrap();
        assert_eq!(a.cast(DType::I32).unwrap().to_vec::<i32>().unwrap(), [-1, 0, 2, 0, i32::MAX]);
        assert_eq!(a.cast(DType::Bool).unwrap().to_vec::<bool>().unwrap(), [true, false, true, true, true]);
        let big = Array::from_vec([1], vec![i64::MAX - 1]).unwrap();
        assert_eq!(big.cast(DType::I32).unwrap().to_vec::<i32>().unwrap(), [-2]);
    }

    proptest! {
        #[test]
        fn reshape_of_a_view_keeps_the_order(
            shape in prop::collection::vec(1usize..5, 0..4), seed in any::<prop::sample::Index>(), cut in 0usize..4,
        ) {
            let a = iota(&shape);
            let mut axes: Vec<usize> = (0..shape.len()).collect();
            if !axes.is_empty() {
                axes.rotate_left(seed.index(shape.len()));
            }
            let mut view = a.transpose(&axes).unwrap();
            if view.rank() > 0 && cut < view.shape()[0] {
                view = view.slice(0, cut, view.shape()[0] - cut, 1).unwrap();
            }
            let order = view.to_vec::<i32>().unwrap();
            let n = view.len();
            for k in (1..=n).filter(|k| n.is_multiple_of(*k)) {
                prop_assert_eq!(view.reshape([k, 1, n / k]).unwrap().to_vec::<i32>().unwrap(), &order[..]);
            }
        }
    }
}
