//! Views: other shapes, orders and parts of the same memory.
use super::{Array, Meta, Strides, View};
use crate::{Error, ErrorKind, Result, Shape, memory};
use smallvec::SmallVec;

/// Views. None of them copies elements, but for a [`reshape`](Array::reshape) that has no view.
impl Array {
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

    /// Elements `start, start + step, ...` along one axis, `length` of them; with step 0 the same one again. A view.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there is no such axis; [`ErrorKind::Index`], if an element would lie outside of it;
    /// [`ErrorKind::Memory`], if there would be more elements than fit in memory (with step 0).
    pub fn slice(&self, axis: usize, start: usize, length: usize, step: isize) -> Result<Array> {
        let Some(&n) = self.shape().get(axis) else {
            let expected = format!("an axis of the shape {}", self.shape());
            return Err(Error::new(ErrorKind::Shape, "slice", expected, axis));
        };
        if !is_within(n, start, length, step) {
            let expected = format!("indices within axis {axis} of shape {}", self.shape());
            let got = format!("{length} from {start} on in steps of {step}");
            return Err(Error::new(ErrorKind::Index, "slice", expected, got));
        }
        let shape = self.shape().replaced(axis, length);
        shape.num_elements()?;
        let mut strides = self.strides();
        let offset = if length > 0 { start as isize * strides[axis] } else { 0 };
        // Nobody takes the step from a single element, which may be of any size.
        strides[axis] *= if length > 1 { step } else { 1 };
        self.view(shape, strides, offset)
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
}

/// Whether the elements `start, start + step, ...`, `length` of them, lie within an axis of length `n`.
pub(crate) fn is_within(n: usize, start: usize, length: usize, step: isize) -> bool {
    let last =
        |length: usize| isize::try_from(length - 1).ok()?.checked_mul(step)?.checked_add(start as isize);
    length == 0 || (start < n && last(length).is_some_and(|last| (0..n as isize).contains(&last)))
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
