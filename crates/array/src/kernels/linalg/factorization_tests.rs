use super::tests::{distance, product, random, sizes};
use super::*;
use crate::DType;
use proptest::prelude::*;

fn t(a: &Array) -> Array {
    let axes: Vec<usize> = (0..a.rank() - 2).chain([a.rank() - 1, a.rank() - 2]).collect();
    a.transpose(&axes).unwrap()
}

fn eye(batch: &[usize], n: usize) -> Array {
    let one = Array::from_vec([n, n], (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect());
    one.unwrap().broadcast_to([batch, &[n, n]].concat()).unwrap()
}

/// `u diag(s)`
fn scaled(u: &Array, s: &Array) -> Array {
    let (m, k) = (u.shape()[u.rank() - 2], s.shape()[s.rank() - 1]);
    let (values, factors) = (u.to_vec::<f64>().unwrap(), s.to_vec::<f64>().unwrap());
    let columns = u.shape()[u.rank() - 1];
    let scaled = values.iter().enumerate().filter(|(i, _)| i % columns < k);
    let scaled = scaled.map(|(i, x)| x * factors[i / (columns * m) * k + i % columns]).collect();
    Array::from_vec([&u.shape()[..u.rank() - 2], &[m, k]].concat(), scaled).unwrap()
}

fn symmetric(a: &Array) -> Array {
    let sum = a.to_vec::<f64>().unwrap().into_iter().zip(t(a).to_vec::<f64>().unwrap());
    Array::from_vec(a.shape(), sum.map(|(x, y)| x + y).collect()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(64), ..ProptestConfig::default() })]

    #[test]
    fn solutions_solve_and_inverses_invert((batch, n, m) in sizes(), seed in any::<u64>()) {
        let a = random(&[&batch[..], &[n, n]].concat(), seed);
        let b = random(&[&batch[..], &[n, m]].concat(), seed ^ 1);
        let x = solve(&a, &b).unwrap();
        let size = x.to_vec::<f64>().unwrap().iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        prop_assert!(distance(&product(&a, &x), &b) < 1e-13 * size * (n as f64 + 1.0));
        let inverse = inv(&a).unwrap();
        let size = inverse.to_vec::<f64>().unwrap().iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        prop_assert!(distance(&product(&a, &inverse), &eye(&batch, n)) < 1e-13 * size * (n as f64 + 1.0));
    }

    #[test]
    fn cholesky_factors_multiply_back((batch, n, _) in sizes(), seed in any::<u64>()) {
        let a = random(&[&batch[..], &[n, n + 2]].concat(), seed);
        let a = product(&a, &t(&a));
        let l = cholesky(&a).unwrap();
        prop_assert!(distance(&product(&l, &t(&l)), &a) < 1e-13 * (n * n + 1) as f64);
        let upper = l.to_vec::<f64>().unwrap().into_iter().enumerate().filter(|(at, _)| at % n > at / n % n);
        prop_assert!(upper.into_iter().all(|(_, x)| x == 0.0));
    }

    #[test]
    fn q_is_orthogonal_and_r_a_triangle((batch, m, n) in sizes(), seed in any::<u64>(), full in any::<bool>()) {
        let a = random(&[&batch[..], &[m, n]].concat(), seed);
        let [q, r] = qr(&a, full).unwrap();
        let k = if full { m } else { m.min(n) };
        prop_assert_eq!(q.shape()[q.rank() - 1], k);
        prop_assert!(distance(&product(&q, &r), &a) < 1e-13 * (m + n + 1) as f64);
        prop_assert!(distance(&product(&t(&q), &q), &eye(&batch, k)) < 1e-14 * (m + 10) as f64);
        let below = r.to_vec::<f64>().unwrap().into_iter().enumerate().filter(|(at, _)| at % n < at / n % k);
        prop_assert!(below.into_iter().all(|(_, x)| x == 0.0));
    }

    #[test]
    fn eigenvectors_diagonalize((batch, n, _) in sizes(), seed in any::<u64>()) {
        let a = symmetric(&random(&[&batch[..], &[n, n]].concat(), seed));
        let [values, v] = eigh(&a).unwrap();
        prop_assert!(distance(&product(&a, &v), &scaled(&v, &values)) < 1e-13 * (n + 1) as f64);
        prop_assert!(distance(&product(&t(&v), &v), &eye(&batch, n)) < 1e-14 * (n + 10) as f64);
        let list = values.to_vec::<f64>().unwrap();
        prop_assert!(list.chunks(n.max(1)).all(|values| values.is_sorted()));
        prop_assert!(distance(&eigvalsh(&a).unwrap(), &values) < 1e-13 * (n + 1) as f64);
    }

    #[test]
    fn singular_vectors_are_orthogonal(
        (batch, m, n) in sizes(), seed in any::<u64>(), full in any::<bool>(), rank in 0usize..12,
    ) {
        // Of full rank, or of a lower one.
        let a = match rank < m.min(n) {
            true => product(&random(&[&batch[..], &[m, rank]].concat(), seed), &random(&[&batch[..], &[rank, n]].concat(), seed ^ 1)),
            false => random(&[&batch[..], &[m, n]].concat(), seed),
        };
        let [s, u, v] = svd(&a, full).unwrap();
        let k = m.min(n);
        let v_thin = if full { v.slice(v.rank() - 1, 0, k, 1).unwrap() } else { v.clone() };
        prop_assert!(distance(&product(&scaled(&u, &s), &t(&v_thin)), &a) < 1e-13 * (m * n + 1) as f64);
        let (left, right) = if full { (m, n) } else { (k, k) };
        prop_assert!(distance(&product(&t(&u), &u), &eye(&batch, left)) < 1e-13 * (m + n + 10) as f64);
        prop_assert!(distance(&product(&t(&v), &v), &eye(&batch, right)) < 1e-13 * (m + n + 10) as f64);
        let list = s.to_vec::<f64>().unwrap();
        prop_assert!(list.chunks(k.max(1)).all(|s| s.is_sorted_by(|a, b| a >= b) && s.iter().all(|s| *s >= 0.0)));
    }

    /// The four equations of Penrose.
    #[test]
    fn pseudo_inverses((batch, m, n) in sizes(), seed in any::<u64>(), rank in 1usize..12) {
        let k = rank.min(m).min(n);
        let a = product(&random(&[&batch[..], &[m, k]].concat(), seed), &random(&[&batch[..], &[k, n]].concat(), seed ^ 1));
        let p = pinv(&a, 1e-10).unwrap();
        let size = p.to_vec::<f64>().unwrap().iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        let bound = 1e-12 * size * size * (m * n + 1) as f64;
        let (ap, pa) = (product(&a, &p), product(&p, &a));
        prop_assert!(distance(&product(&ap, &a), &a) < bound && distance(&product(&pa, &p), &p) < bound);
        prop_assert!(distance(&t(&ap), &ap) < bound && distance(&t(&pa), &pa) < bound);
    }

    #[test]
    fn determinants_multiply(n in 0usize..80, seed in any::<u64>()) {
        let (a, b) = (random(&[n, n], seed), random(&[n, n], seed ^ 1));
        let [signs, logs]: [Vec<f64>; 2] = [0, 1].map(|which| {
            [&a, &b, &product(&a, &b)].map(|x| slogdet(x).unwrap()[which].item().unwrap()).to_vec()
        });
        prop_assert_eq!(signs[0] * signs[1], signs[2]);
        prop_assert!((logs[0] + logs[1] - logs[2]).abs() < 1e-8);
        let d = det(&a).unwrap().item().unwrap();
        prop_assert!((d - signs[0] * logs[0].exp()).abs() <= 1e-11 * d.abs());
    }

    /// `exp(a) exp(-a) = 1`, and the exponential of a diagonalized matrix.
    #[test]
    fn exponentials(n in 1usize..8, seed in any::<u64>(), size in prop_oneof![Just(1e-3), Just(1.0), Just(8.0)]) {
        let a = symmetric(&random(&[n, n], seed)).to_vec::<f64>().unwrap();
        let times = |factor: f64| Array::from_vec([n, n], a.iter().map(|x| factor * size * x / n as f64).collect()).unwrap();
        let (forth, back) = (expm(&times(1.0)).unwrap(), expm(&times(-1.0)).unwrap());
        let most = |x: &Array| x.to_vec::<f64>().unwrap().iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        let bound = 1e-13 * most(&forth) * most(&back);
        prop_assert!(distance(&product(&forth, &back), &eye(&[], n)) < bound);
        let [values, v] = eigh(&times(1.0)).unwrap();
        let exp = Array::from_vec([n], values.to_vec::<f64>().unwrap().iter().map(|x| x.exp()).collect()).unwrap();
        prop_assert!(distance(&product(&scaled(&v, &exp), &t(&v)), &forth) < 1e-12 * most(&forth));
    }
}

#[test]
fn known_values() {
    // Hilbert's matrix of order 5: its determinant is 1/266716800000, and its inverse is of integers.
    let hilbert: Vec<f64> = (0..25).map(|at| 1.0 / (at / 5 + at % 5 + 1) as f64).collect();
    let hilbert = Array::from_vec([5, 5], hilbert).unwrap();
    let determinant = det(&hilbert).unwrap().item().unwrap();
    assert!((determinant * 266716800000.0 - 1.0).abs() < 1e-10);
    let inverse = inv(&hilbert).unwrap().to_vec::<f64>().unwrap();
    for (found, expected) in inverse[..5].iter().zip([25.0, -300.0, 1050.0, -1400.0, 630.0]) {
        assert!((found - expected).abs() < 1e-8, "{found} for {expected}");
    }
    // The second difference of n points has the eigenvalues 2 - 2 cos(k pi / (n + 1)).
    let n = 90usize;
    let second = (0..n * n).map(|at| [2.0, -1.0, 0.0][(at / n).abs_diff(at % n).min(2)]).collect();
    let values = eigvalsh(&Array::from_vec([n, n], second).unwrap()).unwrap().to_vec::<f64>().unwrap();
    for (k, value) in values.iter().enumerate() {
        let expected = 2.0 - 2.0 * (std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64).cos();
        assert!((value - expected).abs() < 1e-13, "{value} for {expected}");
    }
    // A rotation by one turn is nothing.
    let turn =
        Array::from_vec([2, 2], vec![0.0, -std::f64::consts::TAU, std::f64::consts::TAU, 0.0]).unwrap();
    assert!(distance(&expm(&turn).unwrap(), &eye(&[], 2)) < 1e-13);
}

#[test]
fn degenerate_matrices() {
    let zero = Array::zeros([3, 2], DType::F64).unwrap();
    let [s, u, v] = svd(&zero, true).unwrap();
    assert_eq!(s.to_vec::<f64>().unwrap(), [0.0, 0.0]);
    assert!(distance(&product(&t(&u), &u), &eye(&[], 3)) < 1e-15);
    assert!(distance(&product(&t(&v), &v), &eye(&[], 2)) < 1e-15);
    let repeated = eye(&[], 40);
    assert_eq!(eigvalsh(&repeated).unwrap().to_vec::<f64>().unwrap(), [1.0; 40]);
    let [sign, log] = slogdet(&Array::ones([2, 2], DType::F32).unwrap()).unwrap();
    assert_eq!((sign.item().unwrap(), log.item().unwrap()), (0.0, f64::NEG_INFINITY));
    for size in [1e-200, 1e200] {
        let tiny = Array::from_vec([2, 2], vec![3.0 * size, 0.0, 4.0 * size, 5.0 * size]).unwrap();
        let [s, ..] = svd(&tiny, false).unwrap();
        let s: Vec<f64> = s.to_vec::<f64>().unwrap().iter().map(|s| s / size).collect();
        assert!((s[0] - 45f64.sqrt()).abs() < 1e-14 && (s[1] - 5f64.sqrt()).abs() < 1e-14, "{s:?}");
        let tiny = Array::from_vec([2, 2], vec![2.0 * size, 0.0, size, 2.0 * size]).unwrap();
        let values: Vec<f64> =
            eigvalsh(&tiny).unwrap().to_vec::<f64>().unwrap().iter().map(|x| x / size).collect();
        assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14, "{values:?}");
        let [_, r] = qr(&tiny, false).unwrap();
        assert!((r.to_vec::<f64>().unwrap()[0] / size + 5f64.sqrt()).abs() < 1e-14);
    }
}

#[test]
fn what_is_not_finite_gives_nan() {
    let bad = Array::from_vec([2, 2, 2], vec![1.0, f64::NAN, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0]).unwrap();
    let values = eigvalsh(&t(&bad)).unwrap().to_vec::<f64>().unwrap();
    assert!(values[..2].iter().all(|x| x.is_nan()) && values[2..] == [2.0, 2.0]);
    for result in [svd(&bad, false).unwrap()[0].clone(), expm(&bad).unwrap(), inv(&bad).unwrap()] {
        assert!(result.to_vec::<f64>().unwrap()[..2].iter().any(|x| x.is_nan()));
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let kind = |result: Result<Array>| result.unwrap_err().kind();
    let (wide, ones) = (random(&[2, 3], 1), Array::ones([3, 3], DType::F64).unwrap());
    for f in [det, inv, cholesky, eigvalsh, expm] {
        assert_eq!(kind(f(&wide)), ErrorKind::Shape);
        assert_eq!(kind(f(&random(&[3], 1))), ErrorKind::Shape);
        assert_eq!(kind(f(&Array::ones([3, 3], DType::I32).unwrap())), ErrorKind::DType);
    }
    assert_eq!(kind(inv(&ones)), ErrorKind::Argument);
    assert_eq!(kind(cholesky(&ones)), ErrorKind::Argument);
    assert_eq!(kind(solve(&ones, &random(&[3, 1], 1))), ErrorKind::Argument);
    assert_eq!(kind(solve(&ones, &random(&[2, 1], 1))), ErrorKind::Shape);
    assert_eq!(kind(solve(&ones, &ones.cast(DType::F32).unwrap())), ErrorKind::DType);
    let batch = Array::from_vec([2, 1, 1], vec![1.0, -1.0]).unwrap();
    let error = cholesky(&batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "matrix 1 of the batch: cholesky: expected a positive definite matrix, got one that is not"
    );
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let a = random(&[5, 150, 150], 3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [inv(&a).unwrap(), svd(&a, false).unwrap()[1].clone()].map(|x| x.to_vec::<f64>().unwrap())
        })
    };
    assert_eq!(run(1), run(3));
}
