//! Running totals.
use crate::cases::Domain::{Around, Between};
use crate::cases::Random;
use crate::table::{Row, axis, of_rank};
use slalom_autograd::{GradientTape, Tensor};

/// The exclusive and reverse flags of a case.
fn flags(number: usize) -> (bool, bool) {
    (number.is_multiple_of(2), (number / 2).is_multiple_of(2))
}

pub(crate) fn scans() -> Vec<Row> {
    vec![
        of_rank(1, "cumsum", Between(-2.0, 2.0), |x, n| {
            let (exclusive, reverse) = flags(n);
            x[0].square().cumsum(axis(&x[0], n), exclusive, reverse)
        }),
        of_rank(1, "cumprod", Around(0.4), |x, n| {
            let (exclusive, reverse) = flags(n);
            x[0].cumprod(axis(&x[0], n), exclusive, reverse)
        }),
        of_rank(1, "cumulative_logsumexp", Between(-2.0, 2.0), |x, n| {
            let (exclusive, reverse) = flags(n);
            // Finite, also of nothing.
            x[0].cumulative_logsumexp(axis(&x[0], n), exclusive, reverse)?.exp()?.log1p()
        }),
    ]
}

/// Behind a zero the products are zero, and their slopes are divided by it: 0, as in TensorFlow, not the derivative.
#[test]
fn cumprod_passes_no_gradient_from_a_zero_on() {
    for number in 0..40 {
        let mut random = Random::new(number as u64);
        let (n, (exclusive, reverse)) = (1 + random.below(7), flags(number));
        let elements = (0..n).map(|_| [1.0, 0.0, 2.0, -1.5][random.below(4)]).collect::<Vec<f64>>();
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::from_vec([n], elements.clone()).unwrap());
        let y = x.cumprod(0, exclusive, reverse).unwrap();
        let products = y.to_vec::<f64>().unwrap();
        let got = tape.gradient(&y, &x).unwrap().unwrap().to_dense().unwrap().to_vec::<f64>().unwrap();
        for (i, got) in got.iter().enumerate() {
            let reaches = |j: usize| match (reverse, exclusive) {
                (false, false) => i <= j,
                (false, true) => i < j,
                (true, false) => i >= j,
                (true, true) => i > j,
            };
            let sum: f64 = (0..n).filter(|&j| reaches(j)).map(|j| products[j]).sum();
            let expected = if elements[i] == 0.0 { 0.0 } else { sum / elements[i] };
            assert!((got - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{elements:?}: {got} at {i}");
        }
    }
}
