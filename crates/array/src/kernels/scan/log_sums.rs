//! Running log-sums, with the largest exponent m so far and s = Σ exp(x - m) as state: only cheap operations wait for
//! each other, and each result is rounded once, not at every step.
use super::STRIP;
use crate::{Float, Isa, Kernel};

/// Elements of one line that are prepared together.
const BLOCK: usize = 64;

/// Lines of a scan; see [`scan_lines`](super::scan_lines).
pub(super) struct LogSums<F> {
    pub(super) from: *const F,
    pub(super) to: *mut F,
    pub(super) n: usize,
    pub(super) step: isize,
    pub(super) width: usize,
    pub(super) exclusive: bool,
}

/// The exponent of what is smaller, in terms of what is larger; equal infinities are equal.
#[inline(always)]
fn exponent<F: Float>(largest: F, x: F) -> F {
    F::select(x == largest, F::ZERO, -(x - largest).abs())
}

/// The sum with one more element: e is exp of [`exponent`].
#[inline(always)]
fn sum<F: Float>(largest: F, x: F, sum: F, e: F) -> F {
    F::select(x > largest, sum * e + F::ONE, sum + e)
}

impl<F: Float> Kernel for LogSums<F> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        // SAFETY: `scan_lines` calls for lines that lie in the arrays.
        unsafe { if self.width == 1 { self.line() } else { self.strip() } }
    }
}

impl<F: Float> LogSums<F> {
    /// One line, block by block.
    ///
    /// # Safety
    /// The line lies in the arrays.
    #[inline(always)]
    unsafe fn line(self) {
        let LogSums { from, to, n, step, exclusive, .. } = self;
        let mut state = (F::NEG_INFINITY, F::ZERO);
        for start in (0..n).step_by(BLOCK) {
            let count = (n - start).min(BLOCK);
            let (mut x, mut largest, mut e, mut sums) =
                ([F::ZERO; BLOCK], [F::ZERO; BLOCK], [F::ZERO; BLOCK], [F::ZERO; BLOCK]);
            // The state before each element.
            let mut m = state.0;
            for i in 0..count {
                // SAFETY: the caller's promise.
                x[i] = unsafe { *from.offset((start + i) as isize * step) };
                largest[i] = m;
                m = m.maximum(x[i]);
            }
            for i in 0..BLOCK {
                e[i] = exponent(largest[i], x[i]).exp();
            }
            let mut s = state.1;
            for i in 0..count {
                sums[i] = s;
                s = sum(largest[i], x[i], s, e[i]);
                if !exclusive {
                    sums[i] = s;
                }
            }
            if !exclusive {
                for i in 0..count {
                    largest[i] = largest[i].maximum(x[i]);
                }
            }
            for i in 0..BLOCK {
                e[i] = largest[i] + sums[i].ln();
            }
            for i in 0..count {
                // SAFETY: the caller's promise.
                unsafe { *to.offset((start + i) as isize * step) = e[i] };
            }
            state = (m, s);
        }
    }

    /// Lines beside each other.
    ///
    /// # Safety
    /// The lines lie in the arrays.
    #[inline(always)]
    unsafe fn strip(self) {
        let LogSums { from, to, n, step, width, exclusive } = self;
        let (mut largest, mut sums) = ([F::NEG_INFINITY; STRIP], [F::ZERO; STRIP]);
        for i in 0..n as isize {
            for j in 0..width {
                // SAFETY: the caller's promise.
                let (from, to) = unsafe { (from.offset(i * step).add(j), to.offset(i * step).add(j)) };
                // SAFETY: as above.
                let (x, m) = (unsafe { *from }, largest[j]);
                let s = sum(m, x, sums[j], exponent(m, x).exp());
                let next = m.maximum(x);
                let (shown, of) = if exclusive { (m, sums[j]) } else { (next, s) };
                // SAFETY: as above.
                unsafe { *to = shown + of.ln() };
                (largest[j], sums[j]) = (next, s);
            }
        }
    }
}
