//! Temporary memory for packed panels, from the pool.
use crate::memory::{self, Header};
use std::ptr::NonNull;

/// Uninitialized memory, aligned to cache lines, that goes back to the pool when it is dropped.
pub(in crate::kernels) struct Scratch(NonNull<Header>);

impl Scratch {
    pub(in crate::kernels) fn as_mut_ptr<T>(&self) -> *mut T {
        memory::data(self.0).cast()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: acquired in `scratch`, and used by nobody else.
        unsafe { memory::release(self.0) }
    }
}

/// At least `len` elements of scratch memory.
///
/// # Panics
/// If the system has no memory for them.
pub(in crate::kernels) fn scratch<T>(len: usize) -> Scratch {
    let bytes = len.saturating_mul(size_of::<T>());
    Scratch(memory::acquire(bytes).unwrap_or_else(|error| panic!("{error}")))
}
