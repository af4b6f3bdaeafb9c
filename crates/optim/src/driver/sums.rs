//! Sums over elements that a rule needs before it can update them.
use super::kernel::{load, uniform};
use super::{CHUNK, Checked, Coefficients, Part, SERIAL, advance};
use crate::{ElementRule, Step, Sums};
use slalom_array::{DType, Element, Float, Kernel, dispatch, parallel};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sums of terms, in the precision in which they are kept.
type Pair = [f64; 2];

/// Computes the sums, and gives the coefficients what follows from them: a set to each part, or to each group.
pub(super) fn include<R: ElementRule, const N: usize>(
    rule: &R,
    steps: &mut [Step<'_>],
    coeffs: &mut Coefficients<R>,
    parts: &mut [Part<'_>],
) {
    let sums = sums::<R, N>(coeffs, parts);
    if R::SUMS == Sums::All {
        let total = sums.iter().fold([0.0; 2], |[a, b], sum| [a + sum[0], b + sum[1]]);
        advance(rule, steps, total);
        for (step, coeffs) in steps.iter().zip(&mut coeffs.f32) {
            *coeffs = rule.with_sums(step, *coeffs, total, &mut []);
        }
        for (step, coeffs) in steps.iter().zip(&mut coeffs.f64) {
            *coeffs = rule.with_sums(step, *coeffs, total, &mut []);
        }
        return;
    }
    let mut own = Coefficients::<R> { f32: SmallVec::new(), f64: SmallVec::new() };
    for (part, &sum) in parts.iter_mut().zip(&sums) {
        let step = &steps[part.group];
        let mut states: SmallVec<[f64; 2]> = (N..N + R::STATES).map(|k| part.state(k)).collect();
        match part.dtype {
            DType::F64 => {
                own.f64.push(rule.with_sums(step, coeffs.f64[part.group], sum, &mut states));
                part.coeffs = own.f64.len() - 1;
            }
            _ => {
                own.f32.push(rule.with_sums(step, coeffs.f32[part.group], sum, &mut states));
                part.coeffs = own.f32.len() - 1;
            }
        }
        for (k, state) in states.into_iter().enumerate() {
            part.set_state(N + k, state);
        }
    }
    *coeffs = own;
}

/// The sums over each part. The pieces that are summed apart are those of the part, whatever other parts there are.
fn sums<R: ElementRule, const N: usize>(coeffs: &Coefficients<R>, parts: &[Part<'_>]) -> Vec<Pair> {
    let pieces: Vec<(usize, usize)> = (0..parts.len())
        .flat_map(|i| (0..parts[i].length).step_by(CHUNK).map(move |start| (i, start)))
        .collect();
    let piece = |&(i, start): &(usize, usize)| {
        let part = &parts[i];
        let range = (start, part.length.min(start + CHUNK));
        match part.dtype {
            DType::F64 => dispatch(Terms::<R, f64, N> { coeffs: coeffs.f64[part.group], part, range }),
            _ => dispatch(Terms::<R, f32, N> { coeffs: coeffs.f32[part.group], part, range }),
        }
    };
    let results: Vec<[AtomicU64; 2]> = pieces.iter().map(|_| Default::default()).collect();
    let threads =
        if parts.iter().map(|part| part.length).sum::<usize>() <= SERIAL { 1 } else { pieces.len() };
    let each = pieces.len().div_ceil(threads.max(1)).max(1);
    parallel::for_each(pieces.len().div_ceil(each), |chunk| {
        for i in chunk * each..((chunk + 1) * each).min(pieces.len()) {
            for (into, sum) in results[i].iter().zip(piece(&pieces[i])) {
                into.store(sum.to_bits(), Ordering::Relaxed);
            }
        }
    });
    let mut sums = vec![[0.0; 2]; parts.len()];
    for (&(i, _), result) in pieces.iter().zip(&results) {
        for (sum, bits) in sums[i].iter_mut().zip(result) {
            *sum += f64::from_bits(bits.load(Ordering::Relaxed));
        }
    }
    sums
}

/// Elements that are summed side by side.
const LANES: usize = 16;
/// Elements that are summed in their own precision, before their sum is added in `f64`.
const RUN: usize = 32 * LANES;

/// The terms of a range of one part.
struct Terms<'a, R: ElementRule, F: Float, const N: usize> {
    coeffs: R::Coeffs<F>,
    part: &'a Part<'a>,
    range: (usize, usize),
}

impl<R: ElementRule, F: Float + Element, const N: usize> Kernel for Terms<'_, R, F, N> {
    type Output = Pair;

    #[inline(always)]
    fn run(self) -> Pair {
        let Checked::Dense(gradient) = &self.part.update.gradient else { unreachable!("a whole gradient") };
        let (start, end) = self.range;
        let g = &gradient.as_slice::<F>().expect("a contiguous gradient of the variable's type")[start..end];
        let length = g.len();
        // SAFETY: the range lies within the variable, which nobody changes while sums are computed.
        let x = unsafe { std::slice::from_raw_parts(self.part.value.cast::<F>().add(start), length) };
        let (coeffs, clip) = (self.coeffs, self.part.update.clip.cast::<F>());
        let slots = &self.part.slots[..N];
        let mut sums = [0.0; 2];
        if !uniform::<F>(slots) {
            for i in 0..length {
                // SAFETY: the element lies within the slots, which nobody changes now.
                let own: [F; N] = unsafe { load(slots, start + i) };
                let terms = R::terms(coeffs, x[i], clip.apply(g[i]), &own);
                sums = [sums[0] + terms[0].to_f64(), sums[1] + terms[1].to_f64()];
            }
            return sums;
        }
        // SAFETY: slots have the variable's shape, are of type `F`, and nobody changes them now.
        let slots: [&[F]; N] = std::array::from_fn(|k| unsafe {
            std::slice::from_raw_parts(slots[k].0.cast::<F>().add(start), length)
        });
        let add = |lanes: &mut [[F; LANES]; 2], i: usize, lane: usize| {
            let own: [F; N] = std::array::from_fn(|k| slots[k][i]);
            let terms = R::terms(coeffs, x[i], clip.apply(g[i]), &own);
            lanes[0][lane] += terms[0];
            lanes[1][lane] += terms[1];
        };
        let mut run = 0;
        while run < length {
            let stop = length.min(run + RUN);
            let mut lanes = [[F::ZERO; LANES]; 2];
            let mut i = run;
            while i + LANES <= stop {
                for lane in 0..LANES {
                    add(&mut lanes, i + lane, lane);
                }
                i += LANES;
            }
            for lane in 0..stop - i {
                add(&mut lanes, i + lane, lane);
            }
            for (sum, lanes) in sums.iter_mut().zip(lanes) {
                *sum += lanes.iter().map(|lane| lane.to_f64()).sum::<f64>();
            }
            run = stop;
        }
        sums
    }
}
