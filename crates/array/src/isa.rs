//! Which instruction set the kernels use, and the one place where a kernel is compiled for each of them.
use crate::Element;
use std::sync::OnceLock;

/// An instruction set that kernels are compiled for.
///
/// The best one that the processor has is chosen once per process. The environment variable `SLALOM_ISA`
/// (`scalar`, `avx2` or `avx512`) caps the choice; it is meant for tests and for tools such as valgrind.
/// On one instruction set the same program gives the same bits at any number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What the target guarantees (SSE2 on x86-64, NEON on AArch64).
    Scalar,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// The instruction set in use.
    ///
    /// # Panics
    /// On the first call, if `SLALOM_ISA` holds anything but `scalar`, `avx2` or `avx512`.
    ///
    /// ```
    /// use slalom_array::Isa;
    /// assert!(Isa::current() >= Isa::Scalar);
    /// ```
    #[inline]
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| {
            let cap = match std::env::var("SLALOM_ISA").as_deref() {
                Err(_) | Ok("avx512") => Isa::Avx512,
                Ok("avx2") => Isa::Avx2,
                Ok("scalar") => Isa::Scalar,
                Ok(other) => panic!("SLALOM_ISA: expected scalar, avx2 or avx512, got {other:?}"),
            };
            cap.min(Isa::detect())
        })
    }

    /// This for floating-point elements, and the baseline for others: integers gain little, and the code stays small.
    pub(crate) const fn of<T: Element>(self) -> Isa {
        if T::DTYPE.is_float() { self } else { Isa::Scalar }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> Isa {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx2, avx512) {
            (true, true) => Isa::Avx512,
            (true, false) => Isa::Avx2,
            _ => Isa::Scalar,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Isa {
        Isa::Scalar
    }
}

/// Asks the processor to bring some elements near, for a walk that jumps about in memory: a hint, without effect on
/// results, so any address will do.
///
/// ```
/// let x = [1.0f32; 64];
/// slalom_array::prefetch(x.as_ptr(), x.len());
/// ```
#[inline(always)]
pub fn prefetch<T>(elements: *const T, count: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        /// Neighbouring lines come by themselves after so many bytes.
        const MOST: usize = 512;
        for byte in (0..(count * size_of::<T>()).min(MOST)).step_by(64) {
            // SAFETY: each x86-64 processor has the instruction, which ignores addresses that are not mapped.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(elements.cast::<i8>().wrapping_add(byte)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (elements, count);
}

/// A kernel body that is compiled once for each [`Isa`] up to [`WIDEST`](Kernel::WIDEST).
///
/// The body must be `#[inline(always)]`, as must everything that it calls in its inner loop: it is inlined into
/// functions with the instruction set switched on, where the compiler turns plain loops into vector code.
/// Write plain `for` loops: a closure that is not inlined is compiled without the instruction set.
/// Fused multiply-adds happen only where the body says `mul_add`, so each `Isa` rounds in the same way.
///
/// ```
/// use slalom_array::{Kernel, dispatch};
/// struct Double<'a>(&'a mut [f32]);
/// impl Kernel for Double<'_> {
///     type Output = ();
///     #[inline(always)]
///     fn run(self) {
///         for x in self.0 {
///             *x *= 2.0;
///         }
///     }
/// }
/// let mut x = [1.0, 2.0];
/// dispatch(Double(&mut x));
/// assert_eq!(x, [2.0, 4.0]);
/// ```
pub trait Kernel {
    /// What the kernel returns.
    type Output;
    /// The widest instruction set that the kernel is compiled for. More than AVX2 pays for what computes much with each
    /// element (exponentials) and for what everybody uses (reductions); with what waits for memory it only takes longer
    /// to build.
    const WIDEST: Isa = Isa::Avx512;
    /// Runs the kernel.
    fn run(self) -> Self::Output;
}

/// Runs `kernel`, compiled for [`Isa::current`], or for the widest instruction set that it has.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    let run = compiled_above_baseline::<K>().unwrap_or(run_scalar::<K>);
    // SAFETY: it needs what this processor has.
    unsafe { run(kernel) }
}

/// The function that runs kernels of a type on [`Isa::current`], if there is one above what the target guarantees. To
/// call it is safe on this processor.
#[inline]
pub(crate) fn compiled_above_baseline<K: Kernel>() -> Option<unsafe fn(K) -> K::Output> {
    #[cfg(target_arch = "x86_64")]
    if const { K::WIDEST as u8 >= Isa::Avx2 as u8 } {
        let isa = Isa::current();
        if const { K::WIDEST as u8 == Isa::Avx512 as u8 } && isa == Isa::Avx512 {
            return Some(run_avx512::<K>);
        }
        // What has AVX-512 has AVX2.
        if isa >= Isa::Avx2 {
            return Some(run_avx2::<K>);
        }
    }
    None
}

/// Out of line, so that a caller holds no copy of the kernel.
#[inline(never)]
pub(crate) fn run_scalar<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
