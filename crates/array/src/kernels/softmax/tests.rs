use super::*;
use crate::{DType, Shape};
use proptest::prelude::*;

fn array(shape: &[usize], scale: f64, dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let x = (0..n as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1u64 << 52) as f64 - 1.0);
    Array::from_vec(shape, x.map(|x| scale * x).collect()).unwrap().cast(dtype).unwrap()
}

fn values(a: &Array) -> Vec<f64> {
    a.cast(DType::F64).unwrap().to_vec().unwrap()
}

fn close(got: &Array, want: &[f64], tolerance: f64) {
    let got = values(got);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let near = (got - want).abs() <= tolerance * (1.0 + want.abs());
        assert!(near || got == want || (got.is_nan() && want.is_nan()), "{i}: {got} {want}");
    }
}

/// A row's logarithm of the sum of exponentials, by the definition.
fn lse(row: &[f64]) -> f64 {
    let m = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    m + row.iter().map(|x| (x - m).exp()).sum::<f64>().ln()
}

fn by_row(x: &[f64], n: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    x.chunks(n).flat_map(f).collect()
}

fn by_rows_of(y: &Array, g: &[f64], f: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    let n = y.shape()[1];
    values(y).chunks(n).zip(g.chunks(n)).flat_map(|(y, g)| f(y, g)).collect()
}

fn check_all(rows: usize, n: usize, dtype: DType, turned: bool, tolerance: f64) {
    let make = |scale| match turned {
        false => array(&[rows, n], scale, dtype),
        true => array(&[n, rows], scale, dtype).transpose(&[1, 0]).unwrap(),
    };
    let (x, g) = (make(8.0), make(1.5));
    let (xs, gs) = (values(&x), values(&g));
    let probabilities = by_row(&xs, n, |r| r.iter().map(|x| (x - lse(r)).exp()).collect());
    close(&softmax(&x).unwrap(), &probabilities, tolerance);
    close(&log_softmax(&x).unwrap(), &by_row(&xs, n, |r| r.iter().map(|x| x - lse(r)).collect()), tolerance);
    close(&logsumexp(&x).unwrap(), &by_row(&xs, n, |r| vec![lse(r)]), tolerance);

    // The gradients against products with the Jacobians at the outputs.
    let y = softmax(&x).unwrap();
    let jacobian = |y: &[f64], g: &[f64]| -> Vec<f64> {
        let cell = |j: usize, k: usize| y[k] * ((j == k) as u8 as f64 - y[j]);
        (0..n).map(|j| (0..n).map(|k| g[k] * cell(j, k)).sum()).collect()
    };
    close(&softmax_grad(&y, &g).unwrap(), &by_rows_of(&y, &gs, jacobian), tolerance * 4.0);
    let y = log_softmax(&x).unwrap();
    let jacobian = |y: &[f64], g: &[f64]| -> Vec<f64> {
        let cell = |j: usize, k: usize| (j == k) as u8 as f64 - y[j].exp();
        (0..n).map(|j| (0..n).map(|k| g[k] * cell(j, k)).sum()).collect()
    };
    close(&log_softmax_grad(&y, &g).unwrap(), &by_rows_of(&y, &gs, jacobian), tolerance * n as f64);

    // Cross entropy with any dense labels, and with integer ones.
    let (loss, s) = softmax_cross_entropy(&x, &g).unwrap();
    let want: Vec<f64> = xs
        .chunks(n)
        .zip(gs.chunks(n))
        .map(|(row, g)| row.iter().zip(g).map(|(x, g)| g * (lse(row) - x)).sum())
        .collect();
    close(&loss, &want, tolerance * n as f64);
    close(&s, &probabilities, tolerance);
    let upstream = array(&[rows, 2], 1.0, dtype).slice(1, 1, 1, 1).unwrap().reshape([rows]).unwrap();
    let us = values(&upstream);
    let want: Vec<f64> = (0..rows * n).map(|i| us[i / n] * (probabilities[i] - gs[i])).collect();
    close(&softmax_cross_entropy_grad(&s, &g, &upstream).unwrap(), &want, tolerance);

    let label = |row: usize| (row * 7 + 3) % n;
    for kind in [DType::I32, DType::I64] {
        let labels = Array::from_vec([rows], (0..rows).map(|i| label(i) as i64).collect())
            .unwrap()
            .cast(kind)
            .unwrap();
        let (loss, s) = sparse_softmax_cross_entropy(&x, &labels).unwrap();
        let want: Vec<f64> = xs.chunks(n).enumerate().map(|(i, x)| lse(x) - x[label(i)]).collect();
        close(&loss, &want, tolerance);
        close(&s, &probabilities, tolerance);
        let hot = |i: usize| (i % n == label(i / n)) as u8 as f64;
        let want: Vec<f64> = (0..rows * n).map(|i| us[i / n] * (probabilities[i] - hot(i))).collect();
        close(&sparse_softmax_cross_entropy_grad(&s, &labels, &upstream).unwrap(), &want, tolerance);
    }
}

proptest! {
    #[test]
    fn match_the_definitions(rows in 1usize..20, n in 1usize..40, turned in any::<bool>()) {
        check_all(rows, n, DType::F64, turned, 1e-14);
        check_all(rows, n, DType::F32, turned, 4e-6);
    }
}

#[test]
fn match_the_definitions_around_the_limits_of_blocks() {
    for (rows, n) in [(1, 2047), (3, 2048), (2, 2049), (1700, 10), (1, 4100), (2049, 1), (257, 64)] {
        check_all(rows, n, DType::F64, rows % 2 == 0, 1e-13);
    }
}

fn row(x: &[f32]) -> Array {
    Array::from_slice([1, x.len()], x).unwrap()
}

#[test]
fn special_values() {
    let (inf, nan) = (f32::INFINITY, f64::NAN);
    close(&softmax(&row(&[1e30, -1e30, 1e30])).unwrap(), &[0.5, 0.0, 0.5], 0.0);
    close(&softmax(&row(&[-inf, 0.0])).unwrap(), &[0.0, 1.0], 0.0);
    close(&softmax(&row(&[-inf, -inf])).unwrap(), &[nan, nan], 0.0);
    close(&softmax(&row(&[f32::NAN, 0.0])).unwrap(), &[nan, nan], 0.0);
    close(&log_softmax(&row(&[-inf, 0.0])).unwrap(), &[f64::NEG_INFINITY, 0.0], 0.0);
    close(&logsumexp(&row(&[-inf, -inf])).unwrap(), &[f64::NEG_INFINITY], 0.0);
    close(&logsumexp(&row(&[inf, 0.0])).unwrap(), &[f64::INFINITY], 0.0);
    close(&logsumexp(&row(&[-inf, 3.0])).unwrap(), &[3.0], 0.0);
    close(&logsumexp(&row(&[f32::NAN, 3.0])).unwrap(), &[nan], 0.0);
    close(&logsumexp(&row(&[])).unwrap(), &[f64::NEG_INFINITY], 0.0);
    let none = Array::zeros([0, 3], DType::F32).unwrap();
    assert_eq!(softmax(&none).unwrap().shape(), &Shape::from([0, 3]));
    assert_eq!(softmax_cross_entropy(&none, &none).unwrap().0.shape(), &Shape::from([0]));
    let none = Array::zeros([2, 0], DType::F32).unwrap();
    close(&softmax_cross_entropy(&none, &none).unwrap().0, &[0.0, 0.0], 0.0);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = array(&[2, 3], 1.0, DType::F32);
    let kind = |r: Result<Array>| r.unwrap_err().kind();
    assert_eq!(kind(softmax(&Array::scalar(1.0f32))), ErrorKind::Shape);
    assert_eq!(kind(logsumexp(&Array::scalar(1.0f32))), ErrorKind::Shape);
    assert_eq!(kind(softmax(&x.cast(DType::I32).unwrap())), ErrorKind::DType);
    assert_eq!(kind(softmax_grad(&x, &array(&[3], 1.0, DType::F32))), ErrorKind::Shape);
    assert_eq!(kind(softmax_grad(&x, &array(&[2, 3], 1.0, DType::F64))), ErrorKind::DType);
    let sparse = |labels: Array| sparse_softmax_cross_entropy(&x, &labels).map(|(loss, _)| loss);
    let labels = |x: [i32; 2]| Array::from_slice([2], &x).unwrap();
    for bad in [3, -1] {
        let error = sparse(labels([0, bad])).unwrap_err();
        assert_eq!((error.kind(), error.got()), (ErrorKind::Index, &bad.to_string()[..]));
    }
    assert_eq!(kind(sparse(labels([0, 1]).cast(DType::F32).unwrap())), ErrorKind::DType);
    assert_eq!(kind(sparse(labels([0, 1]).reshape([2, 1]).unwrap())), ErrorKind::Shape);
    let upstream = array(&[3], 1.0, DType::F32);
    assert_eq!(kind(sparse_softmax_cross_entropy_grad(&x, &labels([0, 1]), &upstream)), ErrorKind::Shape);
    assert_eq!(kind(softmax_cross_entropy_grad(&x, &x, &upstream)), ErrorKind::Shape);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (rows, n) in [(4100, 10), (33, 2049), (700, 64), (16_385, 1)] {
        let x = array(&[rows, n], 5.0, DType::F32);
        let labels = Array::from_vec([rows], (0..rows).map(|i| (i % n) as i32).collect()).unwrap();
        let on = |threads: usize, x: &Array| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (loss, s) = sparse_softmax_cross_entropy(x, &labels).unwrap();
                let all =
                    [log_softmax(x).unwrap(), logsumexp(x).unwrap(), softmax_grad(&s, x).unwrap(), loss, s];
                all.map(|a| a.to_vec::<f32>().unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            })
        };
        let one = on(1, &x);
        for threads in [2, 3, 4, 8] {
            assert!(on(threads, &x) == one, "{rows}, {n} on {threads} threads");
        }
        let turned = x.transpose(&[1, 0]).unwrap().copy().unwrap().transpose(&[1, 0]).unwrap();
        assert!(!turned.is_contiguous() || n == 1);
        assert!(on(2, &turned) == one);
    }
}
