//! Pooled, 64-byte-aligned, uninitialized memory.
//!
//! A block is a header of 64 bytes, with the reference count and what [`Array`](crate::Array) says of its elements, and
//! then the elements, which start at a multiple of 64 bytes; at most 8 bytes lie in the header itself, so that a
//! scalar touches one line of the cache. So an array is one pointer and one allocation. Freed
//! blocks wait in lists by size class: first in a list of the thread that freed them, beyond a limit in a list of the
//! process. Nothing here zeroes memory.
mod region;

use crate::{Error, ErrorKind, Result};
use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Bytes in front of the data.
const HEADER: usize = 64;
/// Capacity of class 0, whose blocks are a header alone: room for any one element.
pub(crate) const TINY: usize = 8;
/// Capacity of class 1; from there on there are four classes for each power of two.
const SMALLEST: usize = 64;
const CLASSES: usize = 1 + 4 * (usize::BITS as usize - 6);
/// Blocks of at most this size are kept by the thread that freed them ...
const THREAD_BLOCK: usize = 64 << 10;
/// ... up to this many bytes in each class.
const THREAD_LIMIT: usize = 4 << 20;
/// Blocks of at least this size are cut from regions of huge pages ...
const CUT_BLOCK: usize = 4 << 10;
/// ... once so many bytes are held: a small program stays small ...
const PLENTY: usize = 32 << 20;
/// ... but those of at least this size ask the system for huge pages of their own.
const HUGE_BLOCK: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;

/// How many blocks of each class a thread keeps.
static ROOM: [usize; THREAD_CLASSES] = {
    let mut room = [0; THREAD_CLASSES];
    let mut class = 0;
    while class < THREAD_CLASSES {
        room[class] = THREAD_LIMIT / capacity(class);
        class += 1;
    }
    room
};
const THREAD_CLASSES: usize = class_of(THREAD_BLOCK) + 1;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COPIES: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(4 << 30);

/// What the pool has done since the process began.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How often array memory was asked from the system: constant while a training loop is in steady state.
    pub allocations: u64,
    /// How often an array was copied without being asked for: a view made contiguous for a kernel that needs it
    /// so, or a buffer that was shared when it was to be changed in place.
    pub copies: u64,
    /// Bytes that are held from the system now, in use or waiting in the pool.
    pub allocated_bytes: usize,
    /// Of these, the bytes that wait in the list of the process (not those in the lists of threads).
    pub pooled_bytes: usize,
}

/// What the pool has done since the process began.
///
/// ```
/// use slalom_array::{Array, memory};
/// drop(Array::zeros([1000], slalom_array::DType::F32).unwrap());
/// let before = memory::stats().allocations;
/// drop(Array::zeros([1000], slalom_array::DType::F32).unwrap());
/// assert_eq!(memory::stats().allocations, before);
/// ```
pub fn stats() -> Stats {
    Stats {
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
        copies: COPIES.load(Ordering::Relaxed),
        allocated_bytes: ALLOCATED.load(Ordering::Relaxed),
        pooled_bytes: shared().bytes,
    }
}

/// Sets how many bytes may wait in the list of the process (default 4 GiB); what is freed beyond goes back to the
/// system.
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
    if shared().bytes > bytes {
        trim();
    }
}

/// Gives back to the system what waits in the list of the process and in that of this thread.
///
/// ```
/// slalom_array::memory::trim();
/// assert_eq!(slalom_array::memory::stats().pooled_bytes, 0);
/// ```
pub fn trim() {
    let _ = THREAD.try_with(|lists| {
        for class in 0..THREAD_CLASSES {
            // SAFETY: the lists belong to this thread, and nothing in the loop comes back to them.
            while let Some(block) = unsafe { (*lists.0.get())[class].pop() } {
                deallocate(block);
            }
        }
    });
    let mut shared = shared();
    shared.bytes = 0;
    for list in &mut shared.lists {
        while let Some(block) = list.pop() {
            deallocate(block);
        }
    }
    region::trim();
}

/// Counts a copy that nobody asked for (see [`Stats::copies`]).
pub(crate) fn count_copy() {
    COPIES.fetch_add(1, Ordering::Relaxed);
}

/// What the pool keeps at the start of a block; the rest of the header is the owner's.
#[repr(C)]
pub(crate) struct Header {
    references: AtomicU32,
    class: u16,
    /// Whether the block is part of a region.
    is_cut: bool,
    link: Link,
}

/// In a free block the next one of its list; in one that is in use the data, if they are [`TINY`].
#[repr(C)]
union Link {
    next: *mut Header,
    data: [u64; 1],
}

const _: () = assert!(size_of::<Link>() == TINY);

/// Bytes of the header that the owner of a block may use.
pub(crate) const OWNED: usize = HEADER - size_of::<Header>();

/// The smallest class whose blocks hold `bytes`: 8, 64, 80, 96, 112, 128, 160, ...
#[inline]
const fn class_of(bytes: usize) -> usize {
    if bytes <= TINY {
        return 0;
    }
    if bytes <= SMALLEST {
        return 1;
    }
    let last = bytes - 1; // in 2^power .. 2^(power + 1), cut into quarters
    let power = last.ilog2() as usize;
    4 * (power - 6) + ((last >> (power - 2)) & 3) + 2
}

/// How many bytes a block of `class` holds; a multiple of 16 but for the first.
const fn capacity(class: usize) -> usize {
    match class {
        0 => TINY,
        _ => (4 + ((class - 1) & 3)) << ((class - 1) / 4 + 4),
    }
}

fn layout(class: usize) -> Option<Layout> {
    let capacity = capacity(class);
    let align = if capacity >= HUGE_BLOCK { HUGE_PAGE } else { 64 };
    let data = if class == 0 { 0 } else { capacity };
    Layout::from_size_align(data.checked_add(HEADER)?, align).ok()
}

/// A list of free blocks of one class.
struct FreeList {
    head: *mut Header,
    length: usize,
}

// SAFETY: the blocks in the list belong to it alone.
unsafe impl Send for FreeList {}

impl FreeList {
    const EMPTY: FreeList = FreeList { head: null_mut(), length: 0 };

    fn push(&mut self, block: NonNull<Header>) {
        // SAFETY: a free block belongs to the list that it is pushed to.
        unsafe { (*block.as_ptr()).link.next = self.head };
        self.head = block.as_ptr();
        self.length += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Header>> {
        let block = NonNull::new(self.head)?;
        // SAFETY: as in `push`.
        self.head = unsafe { (*block.as_ptr()).link.next };
        self.length -= 1;
        Some(block)
    }
}

struct Shared {
    lists: [FreeList; CLASSES],
    bytes: usize,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared { lists: [FreeList::EMPTY; CLASSES], bytes: 0 });

fn shared() -> std::sync::MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct ThreadLists(UnsafeCell<[FreeList; THREAD_CLASSES]>);

impl Drop for ThreadLists {
    fn drop(&mut self) {
        for (class, list) in self.0.get_mut().iter_mut().enumerate() {
            while let Some(block) = list.pop() {
                release_shared(block, class);
            }
        }
    }
}

thread_local! {
    static THREAD: ThreadLists = const { ThreadLists(UnsafeCell::new([FreeList::EMPTY; THREAD_CLASSES])) };
}

/// Whether the next block of a class is to be cut from a region.
fn cuts(class: usize) -> bool {
    cfg!(target_os = "linux")
        && (CUT_BLOCK..HUGE_BLOCK).contains(&capacity(class))
        && ALLOCATED.load(Ordering::Relaxed) >= PLENTY
}

/// Asks the system for huge pages where it has them.
fn advise(address: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: advice about memory that is ours; a refusal does not matter.
    unsafe {
        libc::madvise(address.as_ptr().cast(), bytes & !(HUGE_PAGE - 1), libc::MADV_HUGEPAGE)
    };
    #[cfg(not(target_os = "linux"))]
    let _ = (address, bytes);
}

fn allocate(class: usize) -> Option<NonNull<Header>> {
    let layout = layout(class)?;
    let is_cut = cuts(class);
    let block = if is_cut {
        region::cut(layout.size())?
    } else {
        // SAFETY: the layout's size is not zero.
        NonNull::new(unsafe { std::alloc::alloc(layout) })?
    };
    if layout.align() == HUGE_PAGE {
        advise(block, layout.size());
    }
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
    let header = block.cast::<Header>();
    // SAFETY: the block begins with room for the header, and is aligned.
    unsafe {
        header.write(Header {
            references: AtomicU32::new(0),
            class: class as u16,
            is_cut,
            link: Link { next: null_mut() },
        })
    };
    Some(header)
}

fn deallocate(block: NonNull<Header>) {
    // SAFETY: `block` is a free block of this pool, which nobody else refers to.
    unsafe {
        let class = (*block.as_ptr()).class as usize;
        if let Some(layout) = layout(class) {
            ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
            match (*block.as_ptr()).is_cut {
                true => region::give_back(block.cast()),
                false => std::alloc::dealloc(block.as_ptr().cast::<u8>(), layout),
            }
        }
    }
}

#[cold]
fn release_shared(block: NonNull<Header>, class: usize) {
    let mut shared = shared();
    if shared.bytes + capacity(class) > LIMIT.load(Ordering::Relaxed) {
        drop(shared);
        return deallocate(block);
    }
    shared.bytes += capacity(class);
    shared.lists[class].push(block);
}

fn take_shared(class: usize) -> Option<NonNull<Header>> {
    let mut shared = shared();
    let block = shared.lists[class].pop()?;
    shared.bytes -= capacity(class);
    Some(block)
}

#[inline]
fn take(class: usize) -> Option<NonNull<Header>> {
    if class < THREAD_CLASSES {
        // SAFETY: the lists belong to this thread, and `pop` does not come back to them.
        let block = THREAD.try_with(|lists| unsafe { (&mut *lists.0.get())[class].pop() });
        if let Ok(Some(block)) = block {
            return Some(block);
        }
    }
    refill(class)
}

#[cold]
fn refill(class: usize) -> Option<NonNull<Header>> {
    take_shared(class).or_else(|| allocate(class)).or_else(|| {
        trim();
        allocate(class)
    })
}

/// A block with room for `bytes` bytes after its header, with a reference count of one.
///
/// # Errors
/// [`ErrorKind::Memory`], if the system has none.
#[inline]
pub(crate) fn acquire(bytes: usize) -> Result<NonNull<Header>> {
    let block = if bytes <= isize::MAX as usize / 2 { take(class_of(bytes)) } else { None };
    let Some(block) = block else {
        let got = format!("a request for {bytes} bytes");
        return Err(Error::new(ErrorKind::Memory, "allocate", "memory that the system can give", got));
    };
    // SAFETY: the block was free, so it is ours alone.
    unsafe { (*block.as_ptr()).references = AtomicU32::new(1) };
    Ok(block)
}

/// Where the data begin: after the header, or in it.
#[inline]
pub(crate) fn data(block: NonNull<Header>) -> *mut u8 {
    // SAFETY: a block in use has a class, and is longer than its header but in class 0.
    unsafe {
        match (*block.as_ptr()).class {
            0 => (&raw mut (*block.as_ptr()).link.data).cast(),
            _ => block.as_ptr().cast::<u8>().add(HEADER),
        }
    }
}

/// How many handles there are to a block.
///
/// # Safety
/// The block is in use for as long as the result is.
#[inline]
pub(crate) unsafe fn references<'a>(block: NonNull<Header>) -> &'a AtomicU32 {
    // SAFETY: the caller's promise.
    unsafe { &(*block.as_ptr()).references }
}

/// The part of the header that belongs to the owner of the block: [`OWNED`] bytes, aligned to 16.
#[inline]
pub(crate) fn owned(block: NonNull<Header>) -> *mut u8 {
    // SAFETY: as above.
    unsafe { block.as_ptr().cast::<u8>().add(size_of::<Header>()) }
}

/// Puts a block back into the pool.
///
/// # Safety
/// `block` came from [`acquire`], and nobody uses it any more.
#[inline]
pub(crate) unsafe fn release(block: NonNull<Header>) {
    // SAFETY: the caller's promise.
    let class = unsafe { (*block.as_ptr()).class } as usize;
    if class < THREAD_CLASSES {
        let kept = THREAD.try_with(|lists| {
            // SAFETY: the lists belong to this thread, and `push` does not come back to them.
            let list = unsafe { &mut (&mut *lists.0.get())[class] };
            let room = list.length < ROOM[class];
            if room {
                list.push(block);
            }
            room
        });
        if kept == Ok(true) {
            return;
        }
    }
    release_shared(block, class);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(blocks: Vec<NonNull<Header>>) {
        // SAFETY: the tests own their blocks.
        blocks.into_iter().for_each(|block| unsafe { release(block) });
    }

    #[test]
    fn classes_hold_what_they_are_asked_for() {
        for bytes in (0..5000).chain([1 << 20, (1 << 20) + 1, 3 << 20, (7 << 30) + 5]) {
            let class = class_of(bytes);
            assert!(capacity(class) >= bytes, "{bytes}");
            assert!(class == 0 || capacity(class - 1) < bytes, "{bytes} fits in a smaller class");
            assert!(class == 0 || capacity(class).is_multiple_of(16));
        }
        assert!(class_of(isize::MAX as usize / 2) < CLASSES);
    }

    #[test]
    fn memory_is_aligned_and_reused() {
        for bytes in [0, 1, 8, 9, 48, 49, 1000, 100_000, 5 << 20] {
            let block = acquire(bytes).unwrap();
            assert_eq!(data(block) as usize % if bytes <= TINY { 8 } else { 64 }, 0);
            // SAFETY: the block holds `bytes` bytes.
            unsafe { data(block).write_bytes(7, bytes) };
            free(vec![block]);
        }
        let block = acquire(3000).unwrap();
        free(vec![block]);
        let again = acquire(3000).unwrap();
        assert_eq!(block, again);
        free(vec![again]);
    }

    #[test]
    fn freed_on_another_thread() {
        struct Sent(Vec<NonNull<Header>>);
        // SAFETY: nobody else knows the blocks.
        unsafe impl Send for Sent {}
        let sent = Sent((0..1000).map(|_| acquire(200_000).unwrap()).collect());
        let job = move || {
            let sent = sent;
            free(sent.0)
        };
        std::thread::spawn(job).join().unwrap();
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let again: Vec<_> = (0..900).map(|_| acquire(200_000).unwrap()).collect();
        assert!(ALLOCATIONS.load(Ordering::Relaxed) - before < 900);
        free(again);
    }

    #[test]
    fn more_than_there_is() {
        assert_eq!(acquire(usize::MAX).unwrap_err().kind(), ErrorKind::Memory);
        assert_eq!(acquire(1 << 60).unwrap_err().kind(), ErrorKind::Memory);
    }
}
