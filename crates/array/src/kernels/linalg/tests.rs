use super::*;
use crate::{DType, FusedActivation, Generator, matmul};
use proptest::prelude::*;

pub(super) fn random(shape: &[usize], seed: u64) -> Array {
    let mut elements = vec![0.0f64; shape.iter().product()];
    Generator::from_seed(seed).normal(0.0, 1.0, &mut elements);
    Array::from_vec(shape, elements).unwrap()
}

pub(super) fn product(a: &Array, b: &Array) -> Array {
    matmul(a, b, None, FusedActivation::Linear).unwrap()
}

/// The largest difference of elements.
pub(super) fn distance(a: &Array, b: &Array) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let (a, b) = (a.to_vec::<f64>().unwrap(), b.to_vec::<f64>().unwrap());
    a.iter().zip(&b).fold(0.0, |most, (x, y)| if x == y { most } else { f64::max(most, (x - y).abs()) })
}

/// Batches, and sizes on both sides of a block.
pub(super) fn sizes() -> impl Strategy<Value = (Vec<usize>, usize, usize)> {
    let side = || prop_oneof![8 => 0usize..9, 1 => 60usize..70, 1 => 125usize..135];
    (prop::collection::vec(0usize..4, 0..2), side(), side())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(64), ..ProptestConfig::default() })]

    #[test]
    fn triangles_are_solved((batch, n, m) in sizes(), seed in any::<u64>(), lower in any::<bool>()) {
        // The diagonal outweighs the rest, and what is on the other side must not be read.
        let a = random(&[&batch[..], &[n, n]].concat(), seed).to_vec::<f64>().unwrap();
        let pick = |keep_all: bool| {
            let elements = a.iter().enumerate().map(|(at, x)| {
                let (i, j) = (at / n % n, at % n);
                let inside = if lower { j < i } else { j > i };
                if i == j { 2.0 + x.abs() } else if inside { x / n as f64 } else if keep_all { f64::NAN } else { 0.0 }
            });
            Array::from_vec([&batch[..], &[n, n]].concat(), elements.collect()).unwrap()
        };
        let b = random(&[&batch[..], &[n, m]].concat(), seed ^ 1);
        let x = triangular_solve(&pick(true), &b, lower).unwrap();
        prop_assert!(distance(&product(&pick(false), &x), &b) < 1e-13 * (n as f64 + 1.0));
    }
}

#[test]
fn what_is_no_triangular_system_is_an_error() {
    let ones = Array::ones([3, 3], DType::F64).unwrap();
    let kind = |a: &Array, b: &Array| triangular_solve(a, b, true).unwrap_err().kind();
    assert_eq!(kind(&Array::zeros([3, 3], DType::F64).unwrap(), &ones), ErrorKind::Argument);
    assert_eq!(kind(&random(&[2, 3], 1), &ones), ErrorKind::Shape);
    assert_eq!(kind(&ones, &random(&[2, 1], 1)), ErrorKind::Shape);
    assert_eq!(kind(&ones, &ones.cast(DType::F32).unwrap()), ErrorKind::DType);
}
