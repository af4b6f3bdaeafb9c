use super::{CHUNK, Generator, Philox};
use crate::Float;

const N: usize = 400_000;

/// Mean and standard deviation of `x` against expectation, each within five standard errors; `kurtosis` is that of
/// the distribution.
fn check_moments<F: Float>(x: &[F], mean: f64, stddev: f64, kurtosis: f64) {
    let n = x.len() as f64;
    let average = x.iter().map(|x| x.to_f64()).sum::<f64>() / n;
    let variance = x.iter().map(|x| (x.to_f64() - average).powi(2)).sum::<f64>() / (n - 1.0);
    assert!((average - mean).abs() < 5.0 * stddev / n.sqrt(), "mean {average}, expected {mean}");
    let error = stddev * ((kurtosis - 1.0) / (4.0 * n)).sqrt();
    assert!((variance.sqrt() - stddev).abs() < 5.0 * error, "stddev {}, expected {stddev}", variance.sqrt());
}

/// Neighbours, and the elements of one block, are uncorrelated.
fn check_correlation<F: Float>(x: &[F], mean: f64, stddev: f64) {
    for lag in [1, 2, 16, 32, 48, 64] {
        let products = x.iter().zip(&x[lag..]).map(|(a, b)| (a.to_f64() - mean) * (b.to_f64() - mean));
        let correlation = products.sum::<f64>() / (stddev * stddev * (x.len() - lag) as f64);
        assert!(correlation.abs() < 5.0 / (x.len() as f64).sqrt(), "lag {lag}: {correlation}");
    }
}

/// The vectors that the authors publish (Random123, `kat_vectors`).
#[test]
fn known_answers() {
    let block = |counter: [u32; 4], key: [u32; 2]| {
        let counter = counter.iter().rev().fold(0, |c, &word| c << 32 | u128::from(word));
        Philox::new(u64::from(key[1]) << 32 | u64::from(key[0])).block(counter)
    };
    assert_eq!(block([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert_eq!(block([!0; 4], [!0; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    assert_eq!(
        block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
        [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
    );
}

#[test]
fn layout_is_as_documented() {
    let philox = Philox::new(11);
    let mut x = [0.0_f32; 200];
    philox.uniform(1000, 0.0, 1.0, &mut x);
    let mut y = [0.0_f64; 200];
    philox.uniform(1000, 0.0, 1.0, &mut y);
    for i in 0..200 {
        let block = philox.block(1000 + (i / 64 * 16 + i % 16) as u128);
        assert_eq!(x[i].to_f64(), f64::from(block[i % 64 / 16] >> 8) / 2f64.powi(24));
        let block = philox.block(1000 + (i / 32 * 16 + i % 16) as u128);
        let (high, low) = (block[i % 32 / 16 * 2], block[i % 32 / 16 * 2 + 1]);
        let word = u64::from(high >> 6) << 27 | u64::from(low >> 5);
        assert_eq!(y[i], word as f64 / 2f64.powi(53));
    }
    assert_eq!([0, 1, 64, 65].map(|n| Philox::blocks(n, 4)), [0, 16, 16, 32]);
}

#[test]
fn bits_do_not_depend_on_length_or_threads() {
    let philox = Philox::new(5);
    let n = 5 * CHUNK + 77;
    let fill = |threads: usize, n: usize| {
        let mut x = vec![0.0_f32; n];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| philox.truncated_normal(9, 0.0, 1.0, &mut x));
        x
    };
    let whole = fill(1, n);
    assert_eq!(fill(3, n), whole);
    for part in [1, 15, 16, 63, 65, CHUNK, CHUNK + 1] {
        assert_eq!(fill(2, part), whole[..part]);
    }
}

fn check_floats<F: Float>() {
    let generator = Generator::from_seed(2024);
    let f = F::from_f64;
    let mut x = vec![F::ZERO; N];
    generator.uniform(f(-1.5), f(2.0), &mut x);
    assert!(x.iter().all(|&x| f(-1.5) <= x && x < f(2.0)));
    check_moments(&x, 0.25, 3.5 / 12f64.sqrt(), 1.8);
    check_correlation(&x, 0.25, 3.5 / 12f64.sqrt());

    generator.normal(f(3.0), f(0.5), &mut x);
    check_moments(&x, 3.0, 0.5, 3.0);
    check_correlation(&x, 3.0, 0.5);
    // P(|z| > 1), P(|z| > 2), P(|z| > 3), P(|z| > 4)
    for (limit, p) in [(1.0, 0.317_310_5), (2.0, 0.045_500_26), (3.0, 0.002_699_796), (4.0, 6.334e-5)] {
        let count = x.iter().filter(|x| (x.to_f64() - 3.0).abs() > limit * 0.5).count() as f64;
        let n = N as f64;
        assert!((count - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{count} beyond {limit}");
    }

    generator.truncated_normal(f(1.0), f(2.0), &mut x);
    assert!(x.iter().all(|&x| f(-3.0) <= x && x <= f(5.0)));
    // Moments of a normal distribution cut off at two standard deviations.
    check_moments(&x, 1.0, 2.0 * 0.879_625_661_034_239_8, 2.365_536_7);
    check_correlation(&x, 1.0, 1.76);
}

#[test]
fn distributions_f32() {
    check_floats::<f32>();
}

#[test]
fn distributions_f64() {
    check_floats::<f64>();
}

#[test]
fn uniform_stays_below_its_upper_bound() {
    let mut x = vec![0.0_f32; N];
    Philox::new(3).uniform(0, 1.0, 1.0 + f32::EPSILON, &mut x);
    assert!(x.iter().all(|&x| x == 1.0));
    Philox::new(3).uniform(0, 2.5, 2.5, &mut x);
    assert!(x.iter().all(|&x| x == 2.5));
    let result = std::panic::catch_unwind(|| Philox::new(3).uniform(0, 1.0, 0.0, &mut [0.0]));
    assert_eq!(
        *result.unwrap_err().downcast::<String>().unwrap(),
        "uniform: expected low <= high, got 1 and 0"
    );
}

#[test]
fn integers() {
    let generator = Generator::from_seed(77);
    let (mut x, mut y) = (vec![0_i32; N], vec![0_i64; N]);
    generator.uniform_int(-3, 4, &mut x);
    generator.uniform_int(-3, 4, &mut y);
    for value in -3..4 {
        for count in
            [x.iter().filter(|&&x| x == value).count(), y.iter().filter(|&&y| y == value.into()).count()]
        {
            let (n, p) = (N as f64, 1.0 / 7.0);
            assert!((count as f64 - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{value}: {count}");
        }
    }
    assert!(x.iter().all(|x| (-3..4).contains(x)) && y.iter().all(|y| (-3..4).contains(y)));
    generator.uniform_int(i32::MIN, i32::MAX, &mut x);
    generator.uniform_int(i64::MIN, i64::MAX, &mut y);
    let scaled: Vec<f64> = x.iter().map(|&x| f64::from(x) / 2f64.powi(31)).collect();
    check_moments(&scaled, 0.0, 1.0 / 3f64.sqrt(), 1.8);
    let scaled: Vec<f64> = y.iter().map(|&y| y as f64 / 2f64.powi(63)).collect();
    check_moments(&scaled, 0.0, 1.0 / 3f64.sqrt(), 1.8);
}

#[test]
fn permutations() {
    let generator = Generator::from_seed(1);
    for n in [0, 1, 2, 1000] {
        let mut order = generator.permutation(n);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..n));
    }
    // Each of the 24 orders of four things comes up equally often.
    let mut counts = std::collections::HashMap::new();
    for _ in 0..24_000 {
        *counts.entry(generator.permutation(4)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 24);
    let chi_square: f64 = counts.values().map(|&n| f64::from(n - 1000_i32).powi(2) / 1000.0).sum();
    // 23 degrees of freedom: mean 23, standard deviation 6.8.
    assert!(chi_square < 23.0 + 5.0 * 6.8, "{chi_square}");
}

#[test]
fn streams() {
    let draw = |generator: &Generator| {
        let mut x = [0.0_f64; 5];
        generator.uniform(0.0, 1.0, &mut x);
        x
    };
    let a = Generator::from_seed(8);
    let first = draw(&a);
    assert_eq!(a.state(), [8, 16]);
    assert_ne!(draw(&a), first);
    assert_eq!(draw(&Generator::from_seed(8)), first);
    assert_ne!(draw(&Generator::from_seed(9)), first);
    let (folded, again, other) = (a.fold_in(0), a.fold_in(0), a.fold_in(1));
    assert_eq!(folded.state(), again.state());
    assert_ne!(folded.state(), other.state());
    let (split, next) = (a.split(), a.split());
    assert_ne!(split.state(), next.state());
    let resumed = Generator::from_seed(0);
    resumed.set_state(a.state());
    assert_eq!(draw(&resumed), draw(&a));
}
