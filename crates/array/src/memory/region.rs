//! Regions of huge pages, which blocks of middling size are cut from.
//!
//! The system gives huge pages to what is larger than one. A model whose variables are smaller than that would lie on
//! small pages, and a walk over all of them then waits for address translation.
use super::{HUGE_PAGE, advise};
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard};

/// Bytes of a region, and the alignment of its address. Pages of it that no block has touched take no memory.
const REGION: usize = 16 << 20;
const LAYOUT: Layout = match Layout::from_size_align(REGION, REGION) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};
const _: () = assert!(REGION.is_multiple_of(HUGE_PAGE));

/// What a region begins with.
#[repr(C, align(64))]
struct Region {
    /// Blocks that have not been given back, and one more for the region that blocks are cut from.
    held: usize,
}

/// The region that blocks are cut from, and how much of it is taken.
struct Current {
    region: Option<NonNull<Region>>,
    taken: usize,
}

// SAFETY: regions are reached through the lock alone.
unsafe impl Send for Current {}

static CURRENT: Mutex<Current> = Mutex::new(Current { region: None, taken: 0 });

fn current() -> MutexGuard<'static, Current> {
    CURRENT.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Memory of `bytes` bytes, a multiple of 64 well below [`REGION`], aligned to 64.
pub(super) fn cut(bytes: usize) -> Option<NonNull<u8>> {
    let mut current = current();
    if current.region.is_none() || current.taken + bytes > REGION {
        retire(&mut current);
        // SAFETY: the size is not zero.
        let region = NonNull::new(unsafe { std::alloc::alloc(LAYOUT) })?.cast::<Region>();
        advise(region.cast(), REGION);
        // SAFETY: the memory is new, large enough and aligned.
        unsafe { region.write(Region { held: 1 }) };
        *current = Current { region: Some(region), taken: size_of::<Region>() };
    }
    let region = current.region?;
    // SAFETY: the region is alive, and ours under the lock; the bytes lie in it, behind all that was taken.
    let block = unsafe {
        (*region.as_ptr()).held += 1;
        region.cast::<u8>().add(current.taken)
    };
    current.taken += bytes;
    Some(block)
}

/// Ends the use of memory from [`cut`]. A region goes back to the system with its last block.
///
/// # Safety
/// The memory came from `cut`, and nobody uses it any more.
pub(super) unsafe fn give_back(block: NonNull<u8>) {
    let _lock = current();
    let offset = block.as_ptr() as usize % REGION;
    // SAFETY: regions begin at multiples of their size, and this one is alive as long as its blocks are.
    unsafe { let_go(block.sub(offset).cast()) };
}

/// Cuts no more from the current region.
pub(super) fn trim() {
    retire(&mut current());
}

fn retire(current: &mut Current) {
    if let Some(region) = current.region.take() {
        // SAFETY: the region is alive, as it was the current one.
        unsafe { let_go(region) };
    }
}

/// # Safety
/// The region is alive, its lock is held, and something of it is.
unsafe fn let_go(region: NonNull<Region>) {
    // SAFETY: the caller's promise; what nobody holds any part of is freed.
    unsafe {
        (*region.as_ptr()).held -= 1;
        if (*region.as_ptr()).held == 0 {
            std::alloc::dealloc(region.as_ptr().cast(), LAYOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_many_regions() {
        const BYTES: usize = 3 << 20;
        let blocks: Vec<_> = (0..20).map(|_| cut(BYTES).unwrap()).collect();
        for (i, block) in blocks.iter().enumerate() {
            assert_eq!(block.as_ptr() as usize % 64, 0);
            // SAFETY: the block has so many bytes.
            unsafe { block.write_bytes(i as u8, BYTES) };
        }
        for (i, block) in blocks.into_iter().enumerate() {
            // SAFETY: as above; no other block has the same bytes.
            unsafe {
                assert_eq!((block.read(), block.add(BYTES - 1).read()), (i as u8, i as u8));
                give_back(block);
            }
        }
        trim();
    }
}
