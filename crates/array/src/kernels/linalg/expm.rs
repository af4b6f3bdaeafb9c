//! The exponential of a matrix.
use super::factors::Lu;
use super::rows::{identity, product};

/// Below this norm the approximation of order 13 is exact to `f64`.
const THETA: f64 = 5.371920351148152;

/// The coefficients of that approximation.
const PADE: [f64; 14] = [
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
];

/// `Σ factor term`
fn combined<const N: usize>(terms: [(f64, &[f64]); N]) -> Vec<f64> {
    (0..terms[0].1.len()).map(|i| terms.iter().map(|(factor, term)| factor * term[i]).sum()).collect()
}

/// Scaling and squaring with a Padé approximation (N. Higham, *SIAM J. Matrix Anal. Appl.* 26, 2005).
pub(super) fn expm(a: &[f64], n: usize, out: &mut [f64]) {
    let norm = (0..n).map(|j| (0..n).map(|i| a[i * n + j].abs()).sum()).fold(0.0, f64::max);
    let squarings = if norm > THETA { (norm / THETA).log2().ceil() as i32 } else { 0 };
    let a: Vec<f64> = a.iter().map(|x| x * 0.5f64.powi(squarings)).collect();
    let a2 = product(&a, &a, n);
    let a4 = product(&a2, &a2, n);
    let a6 = product(&a2, &a4, n);
    let mut one = vec![0.0; n * n];
    identity(&mut one, n);
    let half = |b: [f64; 7]| {
        let high = product(&a6, &combined([(b[6], &a6), (b[5], &a4), (b[4], &a2)]), n);
        combined([(1.0, &high), (b[3], &a6), (b[2], &a4), (b[1], &a2), (b[0], &one)])
    };
    let odd = product(&a, &half(std::array::from_fn(|i| PADE[2 * i + 1])), n);
    let even = half(std::array::from_fn(|i| PADE[2 * i]));
    let lu = Lu::new(&combined([(1.0, &even), (-1.0, &odd)]), n);
    out.copy_from_slice(&combined([(1.0, &even), (1.0, &odd)]));
    lu.solve(out, n);
    for _ in 0..squarings {
        let square = product(out, out, n);
        out.copy_from_slice(&square);
    }
}
