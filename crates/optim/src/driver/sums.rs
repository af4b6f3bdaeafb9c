//! Sums over elements that a rule needs before it can update them.
use super::kernel::{at, load, uniform};
use super::{CHUNK, Checked, ClipBy, Coefficients, Part, SERIAL, Sets, advance};
use crate::{ElementRule, Step, Sums};
use slalom_array::{Array, DType, Element, Float, Isa, Kernel, dispatch, parallel};
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
        for (step, coeffs) in steps.iter().zip(coeffs.f32.iter_mut()) {
            *coeffs = rule.with_sums(step, *coeffs, total, &mut []);
        }
        for (step, coeffs) in steps.iter().zip(coeffs.f64.iter_mut()) {
            *coeffs = rule.with_sums(step, *coeffs, total, &mut []);
        }
        return;
    }
    let mut own = Coefficients::<R> { f32: Sets::EMPTY, f64: Sets::EMPTY };
    for (part, &sum) in parts.iter_mut().zip(&sums) {
        let step = &steps[part.group];
        let mut states: SmallVec<[f64; 2]> = (N..N + R::STATES).map(|k| part.state(k)).collect();
        match part.dtype {
            DType::F64 => {
                let set = rule.with_sums(step, coeffs.f64.at(part.group), sum, &mut states);
                part.coeffs = own.f64.push(set);
            }
            _ => {
                let set = rule.with_sums(step, coeffs.f32.at(part.group), sum, &mut states);
                part.coeffs = own.f32.push(set);
            }
        }
        for (k, state) in states.into_iter().enumerate() {
            part.set_state(N + k, state);
        }
    }
    *coeffs = own;
}

/// The sums over each part.
fn sums<R: ElementRule, const N: usize>(coeffs: &Coefficients<R>, parts: &[Part<'_>]) -> Vec<Pair> {
    in_pieces(&|i| parts.get(i).map(|part| part.length), &|i, range| {
        let part = &parts[i];
        match part.dtype {
            DType::F64 => dispatch(Terms::<R, f64, N> { coeffs: coeffs.f64.at(part.group), part, range }),
            _ => dispatch(Terms::<R, f32, N> { coeffs: coeffs.f32.at(part.group), part, range }),
        }
    })
}

/// The sum of the squares of each array, which is contiguous and of floats, after its elements have been clipped to
/// `-limit..=limit`: one parallel region for all.
pub(crate) fn squares(arrays: &[Array], limit: f64) -> Vec<f64> {
    fn of<F: Float + Element>(array: &Array, limit: f64, (start, end): (usize, usize)) -> Pair {
        let x = array.as_slice::<F>().expect("a contiguous array of floats");
        dispatch(Squares { x: &x[start..end], limit: F::from_f64(limit) })
    }
    let sums = in_pieces(&|i| arrays.get(i).map(Array::len), &|i, range| match arrays[i].dtype() {
        DType::F64 => of::<f64>(&arrays[i], limit, range),
        _ => of::<f32>(&arrays[i], limit, range),
    });
    sums.into_iter().map(|[sum, _]| sum).collect()
}

/// Sums over parts of these lengths. The pieces that are summed apart are those of each part, whatever other parts there are,
/// so that neither they nor threads change a bit.
fn in_pieces(
    length: &dyn Fn(usize) -> Option<usize>,
    piece: &(dyn Fn(usize, (usize, usize)) -> Pair + Sync),
) -> Vec<Pair> {
    let (mut pieces, mut sums, mut total) = (Vec::new(), Vec::new(), 0);
    while let Some(length) = length(sums.len()) {
        let starts = (0..length).step_by(CHUNK);
        pieces.extend(starts.map(|start| (sums.len(), (start, length.min(start + CHUNK)))));
        sums.push([0.0; 2]);
        total += length;
    }
    let results: Vec<[AtomicU64; 2]> = pieces.iter().map(|_| Default::default()).collect();
    let each = if total <= SERIAL { pieces.len().max(1) } else { 1 };
    parallel::for_each(pieces.len().div_ceil(each), |chunk| {
        for k in chunk * each..((chunk + 1) * each).min(pieces.len()) {
            let (part, range) = pieces[k];
            for (into, sum) in results[k].iter().zip(piece(part, range)) {
                into.store(sum.to_bits(), Ordering::Relaxed);
            }
        }
    });
    for (&(part, _), result) in pieces.iter().zip(&results) {
        let sums: &mut Pair = &mut sums[part];
        for (sum, bits) in sums.iter_mut().zip(result) {
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
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) -> Pair {
        let Checked::Dense(gradient) = &self.part.update.gradient else { unreachable!("a whole gradient") };
        let (start, end) = self.range;
        let g = &gradient.as_slice::<F>().expect("a contiguous gradient of the variable's type")[start..end];
        let length = g.len();
        // SAFETY: the range lies within the variable, which nobody changes while sums are computed.
        let x = unsafe { std::slice::from_raw_parts(self.part.value.cast::<F>().add(start), length) };
        let (coeffs, clip) = (self.coeffs, self.part.update.clip.cast::<F>());
        let kept = F::from_f64(self.part.kept);
        let slots = &self.part.slots[..N];
        let mut sums = [0.0; 2];
        if !uniform::<F>(slots) {
            for i in 0..length {
                // SAFETY: the element lies within the slots, which nobody changes now.
                let own: [F; N] = unsafe { load(slots, start + i) };
                let terms = R::terms(coeffs, x[i] * kept, clip.apply(g[i]), &own);
                sums = [sums[0] + terms[0].to_f64(), sums[1] + terms[1].to_f64()];
            }
            return sums;
        }
        // SAFETY: slots have the variable's shape, are of type `F`, and nobody changes them now.
        let slots: [&[F]; N] = std::array::from_fn(|k| unsafe {
            std::slice::from_raw_parts(slots[k].0.cast::<F>().add(start), length)
        });
        let mut run = 0;
        while run < length {
            let stop = length.min(run + RUN);
            let (mut first, mut second) = ([F::ZERO; LANES], [F::ZERO; LANES]);
            let mut i = run;
            while i + LANES <= stop {
                for (lane, (first, second)) in first.iter_mut().zip(&mut second).enumerate() {
                    let terms = terms::<R, F, N>((coeffs, kept), clip, x, g, slots, i + lane);
                    *first += terms[0];
                    *second += terms[1];
                }
                i += LANES;
            }
            for (i, (first, second)) in (i..stop).zip(first.iter_mut().zip(&mut second)) {
                let terms = terms::<R, F, N>((coeffs, kept), clip, x, g, slots, i);
                *first += terms[0];
                *second += terms[1];
            }
            for (sum, lanes) in sums.iter_mut().zip([first, second]) {
                *sum += lanes.iter().map(|lane| lane.to_f64()).sum::<f64>();
            }
            run = stop;
        }
        sums
    }
}

/// The terms of one element.
#[inline(always)]
fn terms<R: ElementRule, F: Float, const N: usize>(
    (coeffs, kept): (R::Coeffs<F>, F),
    clip: ClipBy<F>,
    x: &[F],
    g: &[F],
    slots: [&[F]; N],
    i: usize,
) -> [F; 2] {
    let own = at(&slots, i);
    R::terms(coeffs, x[i] * kept, clip.apply(g[i]), &own)
}

/// The squares of clipped elements.
struct Squares<'a, F> {
    x: &'a [F],
    limit: F,
}

impl<F: Float> Kernel for Squares<'_, F> {
    type Output = Pair;
    const WIDEST: Isa = Isa::Avx2;

    #[inline(always)]
    fn run(self) -> Pair {
        let mut sum = 0.0;
        for run in self.x.chunks(RUN) {
            let mut lanes = [F::ZERO; LANES];
            let whole = run.chunks_exact(LANES);
            let rest = whole.remainder();
            for x in whole {
                for lane in 0..LANES {
                    let x = x[lane].clamp(-self.limit, self.limit);
                    lanes[lane] += x * x;
                }
            }
            for (lane, x) in lanes.iter_mut().zip(rest) {
                let x = x.clamp(-self.limit, self.limit);
                *lane += x * x;
            }
            sum += lanes.iter().map(|lane| lane.to_f64()).sum::<f64>();
        }
        [sum, 0.0]
    }
}
