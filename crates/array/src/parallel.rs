//! Splits a kernel into chunks and runs them on the threads of the current rayon pool.
//!
//! The calling thread works on the chunks itself and never takes up other work while it waits: it holds no
//! foreign job on its stack, so a kernel finishes even if every other thread of the pool is blocked. Sleeping
//! workers stay asleep when there is one chunk.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;

/// How often a waiting thread looks before it goes to sleep.
const SPINS: usize = 4_000;

type Body<'a> = dyn Fn(usize) + Sync + 'a;

struct Job {
    /// Points into the frame of `for_each`; valid while `done < chunks`.
    body: *const Body<'static>,
    chunks: usize,
    next: AtomicUsize,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    owner: Thread,
}

// SAFETY: `body` is `Sync`, and `for_each` keeps it alive for as long as anyone may call it (see `Job::work`).
unsafe impl Send for Job {}
// SAFETY: as above; everything else in `Job` is `Sync` by itself.
unsafe impl Sync for Job {}

impl Job {
    /// Takes chunks until none is left.
    fn work(&self) {
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= self.chunks {
                return;
            }
            // SAFETY: this thread holds an unfinished chunk, so `done < chunks` and `for_each` has not returned.
            let body = unsafe { &*self.body };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(chunk))) {
                self.panic.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(payload);
            }
            if self.done.fetch_add(1, Ordering::AcqRel) + 1 == self.chunks {
                self.owner.unpark();
            }
        }
    }

    fn wait(&self) {
        let finished = || self.done.load(Ordering::Acquire) == self.chunks;
        for _ in 0..SPINS {
            if finished() {
                return;
            }
            std::hint::spin_loop();
        }
        while !finished() {
            std::thread::park();
        }
    }
}

/// Calls `body(0)` to `body(chunks - 1)`, each once, in any order and possibly at the same time, and returns
/// when all have finished.
///
/// The number of threads is that of the current rayon pool. Cut the work into chunks by its *size*, never by the
/// number of threads, so that the result has the same bits at any number of threads.
///
/// # Panics
/// With the payload of the first panic of `body`, after all chunks have finished.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let sum = AtomicUsize::new(0);
/// slalom_array::parallel::for_each(10, |i| { sum.fetch_add(i, Ordering::Relaxed); });
/// assert_eq!(sum.into_inner(), 45);
/// ```
#[inline]
pub fn for_each(chunks: usize, body: impl Fn(usize) + Sync) {
    run(chunks, &body);
}

/// One copy of the code for all kernels.
fn run(chunks: usize, body: &Body<'_>) {
    let helpers = if chunks > 1 { rayon_core::current_num_threads().min(chunks) - 1 } else { 0 };
    if helpers == 0 {
        return (0..chunks).for_each(body);
    }
    let job = Arc::new(Job {
        // SAFETY: only the lifetime changes; `work` dereferences it only while this frame waits below.
        body: unsafe { std::mem::transmute::<&Body<'_>, *const Body<'static>>(body) },
        chunks,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        panic: Mutex::new(None),
        owner: std::thread::current(),
    });
    for _ in 0..helpers {
        let job = Arc::clone(&job);
        rayon_core::spawn(move || job.work());
    }
    job.work();
    job.wait();
    let payload = job.panic.lock().unwrap_or_else(|e| e.into_inner()).take();
    if let Some(payload) = payload {
        resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::for_each;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    #[test]
    fn each_chunk_runs_once() {
        for threads in [1, 2, 4] {
            pool(threads).install(|| {
                for chunks in [0, 1, 2, 3, 64, 1000] {
                    let seen: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
                    for_each(chunks, |i| {
                        seen[i].fetch_add(1, SeqCst);
                    });
                    assert!(seen.iter().all(|n| n.load(SeqCst) == 1));
                }
            });
        }
    }

    #[test]
    fn a_panic_arrives_after_all_chunks() {
        let ran = AtomicUsize::new(0);
        let result = std::panic::catch_unwind(|| {
            pool(3).install(|| {
                for_each(50, |i| {
                    ran.fetch_add(1, SeqCst);
                    assert!(i != 7, "chunk seven");
                })
            })
        });
        let text = *result.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!((text, ran.into_inner()), ("chunk seven", 50));
    }

    #[test]
    fn finishes_when_every_other_worker_is_blocked() {
        let pool = pool(2);
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = std::sync::Mutex::new(blocked);
        pool.spawn(move || {
            let _ = blocked.lock().unwrap().recv();
        });
        let sum = AtomicUsize::new(0);
        pool.install(|| {
            for_each(100, |i| {
                sum.fetch_add(i, SeqCst);
            })
        });
        release.send(()).unwrap();
        assert_eq!(sum.into_inner(), 4950);
    }
}
