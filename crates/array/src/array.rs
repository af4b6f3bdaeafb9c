//! The array: a strided view on shared memory.
mod views;

use crate::memory::{self, Header};
use crate::{DType, Element, Error, ErrorKind, Number, Result, Shape, with_dtype};
use smallvec::SmallVec;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};
pub(crate) use views::{is_within, row_major};

/// Steps between neighbours along each axis, in elements.
pub(crate) type Strides = SmallVec<[isize; 6]>;

/// An n-dimensional array of one element type, known at run time.
///
/// An array is a strided view on shared memory: cloning it and [`reshape`](Array::reshape) (of contiguous arrays),
/// [`transpose`](Array::transpose), [`slice`](Array::slice) and [`broadcast_to`](Array::broadcast_to) copy nothing.
/// Memory is aligned to 64 bytes (that of a scalar to 8) and comes from a pool (see [`memory`](crate::memory)).
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
        // Handles that are forgotten take no memory, so there may be any number. As for `Arc`, the half that is left is more
        // than the threads that may come here at the same time.
        if self.references().fetch_add(1, Ordering::Relaxed) > u32::MAX / 2 {
            too_many_references();
        }
        Array { block: self.block }
    }
}

/// Ends the process, before a count that begins anew at 0 frees memory in use.
#[cold]
fn too_many_references() -> ! {
    std::process::abort()
}

impl Drop for Array {
    #[inline]
    fn drop(&mut self) {
        // The only handle needs no atomic write: nobody else can make another.
        let references = self.references();
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
        // SAFETY: the block holds `length` elements, aligned for `T`, and belongs to this value alone.
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
        Array::one_element(value).expect("memory for one element")
    }

    #[inline]
    fn one_element<T: Element>(value: T) -> Result<Array> {
        let array = Array::uninit_scalar(T::DTYPE)?;
        // SAFETY: the block has room for any element, and is ours.
        unsafe { memory::data(array.block).cast::<T>().write(value) };
        Ok(array)
    }

    /// An array filled with one value, converted to the element type as [`cast`](Array::cast) does.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if the array does not fit in memory.
    pub fn full(shape: impl Into<Shape>, value: f64, dtype: DType) -> Result<Array> {
        let shape = shape.into();
        with_dtype!(dtype, T => match shape.rank() {
            0 => Array::one_element(T::from_f64(value)),
            _ => Ok(Uninit::<T>::new(shape)?.fill(T::from_f64(value))),
        })
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
        let length = shape.num_elements()?;
        Array::uninit_of(shape, length, dtype)
    }

    /// As [`uninit`](Array::uninit), where the number of elements is known.
    #[inline]
    pub(crate) fn uninit_of(shape: Shape, length: usize, dtype: DType) -> Result<Array> {
        let block = memory::acquire(length.saturating_mul(dtype.size()))?;
        Ok(Array::with_header(block, Meta { shape, dtype, is_view: false }))
    }

    /// As [`uninit`](Array::uninit), of one element.
    #[inline]
    pub(crate) fn uninit_scalar(dtype: DType) -> Result<Array> {
        let block = memory::acquire(memory::TINY)?;
        Ok(Array::with_header(block, Meta { shape: Shape::SCALAR, dtype, is_view: false }))
    }

    // ---- facts ----

    #[inline]
    fn with_header(block: NonNull<Header>, meta: Meta) -> Array {
        // SAFETY: the block is new, and its header has room for a `Meta`.
        unsafe { memory::owned(block).cast::<Meta>().write(meta) };
        Array { block }
    }

    #[inline]
    fn references(&self) -> &AtomicU32 {
        // SAFETY: a block lives as long as there is a handle to it.
        unsafe { memory::references(self.block) }
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
        let shape = self.shape();
        if shape.rank() == 0 { 1 } else { shape.iter().product() }
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

    /// Whether there are several parts along an axis that are one in memory, as [`broadcast_to`](Array::broadcast_to)
    /// makes them.
    pub fn is_repeated(&self, axis: usize) -> bool {
        self.shape()[axis] > 1 && self.strides()[axis] == 0
    }

    /// Whether no other array shares the memory.
    #[inline]
    pub fn is_unshared(&self) -> bool {
        let alone = |array: &Array| array.references().load(Ordering::Acquire) == 1;
        alone(self) && self.as_view().is_none_or(|view| alone(&view.base))
    }

    /// Whether both are views on the same memory.
    pub fn shares_memory(&self, other: &Array) -> bool {
        self.base().block == other.base().block
    }

    /// The memory that the elements lie in, as a number that all views on it share, and its size in bytes.
    pub fn memory(&self) -> (usize, usize) {
        let base = self.base();
        (base.block.as_ptr() as usize, base.len() * base.dtype().size())
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

    /// The address of the element of a scalar of this type that is no view; null for any other array.
    #[inline]
    pub(crate) fn scalar_bytes(&self, dtype: DType) -> *const u8 {
        let meta = self.meta();
        if meta.dtype == dtype && meta.shape.rank() == 0 && !meta.is_view {
            return memory::data(self.block);
        }
        std::ptr::null()
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

#[cfg(test)]
mod tests;
