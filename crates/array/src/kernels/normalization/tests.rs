use super::*;
use crate::DType;

fn array(shape: &[usize], seed: u64, dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let hash = |i: u64| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
    let x = (0..n as u64).map(|i| hash(i) as f64 / (1u64 << 52) as f64 - 1.0);
    Array::from_vec(shape, x.collect()).unwrap().cast(dtype).unwrap()
}

fn values(a: &Array) -> Vec<f64> {
    a.cast(DType::F64).unwrap().to_vec().unwrap()
}

fn close(got: &Array, want: &[f64], tolerance: f64) {
    let got = values(got);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{i}: {got} {want}");
    }
}

/// Normalized values `h` and `1 / √(variance + epsilon)` of a list, by the definition.
fn normalized(x: &[f64], epsilon: f64) -> (Vec<f64>, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let rstd = 1.0 / (variance + epsilon).sqrt();
    (x.iter().map(|x| (x - mean) * rstd).collect(), rstd)
}

/// `rstd (a - mean(a) - h mean(a h))`
fn gradient(a: &[f64], h: &[f64], rstd: f64) -> Vec<f64> {
    let n = a.len() as f64;
    let mean = a.iter().sum::<f64>() / n;
    let slope = a.iter().zip(h).map(|(a, h)| a * h).sum::<f64>() / n;
    a.iter().zip(h).map(|(a, h)| rstd * (a - mean - h * slope)).collect()
}

fn check(rows: usize, n: usize, dtype: DType, tolerance: f64) {
    let epsilon = 1e-3;
    let (x, g) = (array(&[rows, n], 1, dtype), array(&[rows, n], 1 << 30, dtype));
    let (gamma, beta) = (array(&[n], 7, dtype), array(&[n], 9, dtype));
    let [xs, gs, gammas, betas] = [&x, &g, &gamma, &beta].map(values);
    // Rows: layer normalization. Columns: batch normalization.
    for by_rows in [true, false] {
        let ([y, mean, saved], got) = if by_rows {
            let [y, mean, rstd] = layer_norm(&x, &gamma, &beta, epsilon).unwrap();
            let got = layer_norm_grad(&x, &gamma, &mean, &rstd, &g).unwrap();
            ([y, mean, rstd], got)
        } else {
            let [y, mean, variance] = batch_norm(&x, &gamma, &beta, epsilon).unwrap();
            let got = batch_norm_grad(&x, &gamma, &mean, &variance, &g, epsilon).unwrap();
            ([y, mean, variance], got)
        };
        let (groups, length) = if by_rows { (rows, n) } else { (n, rows) };
        assert_eq!((mean.len(), saved.len()), (groups, groups));
        let at = |group: usize, i: usize| if by_rows { group * n + i } else { i * n + group };
        let mut want = [vec![0.0; rows * n], vec![0.0; rows * n], vec![0.0; n], vec![0.0; n]];
        for group in 0..groups {
            let places: Vec<usize> = (0..length).map(|i| at(group, i)).collect();
            let of = |x: &[f64]| places.iter().map(|&p| x[p]).collect::<Vec<f64>>();
            let (h, rstd) = normalized(&of(&xs), epsilon);
            let a: Vec<f64> = places.iter().map(|&p| gs[p] * gammas[p % n]).collect();
            for ((&p, dx), h) in places.iter().zip(gradient(&a, &h, rstd)).zip(&h) {
                want[0][p] = h * gammas[p % n] + betas[p % n];
                want[1][p] = dx;
                want[2][p % n] += gs[p] * h;
                want[3][p % n] += gs[p];
            }
        }
        close(&y, &want[0], tolerance);
        for (got, want) in got.iter().zip(&want[1..]) {
            close(got, want, tolerance);
        }
    }
}

#[test]
fn by_the_definition() {
    for (rows, n) in [(1, 1), (2, 3), (5, 17), (300, 64), (40, 1000), (3, 20_000), (20_000, 3)] {
        check(rows, n, DType::F64, 1e-10);
        check(rows, n, DType::F32, 2e-3);
    }
}

#[test]
fn far_from_zero_nothing_cancels() {
    let x = Array::from_vec([4, 1], vec![1e4f32 + 1.0, 1e4 - 1.0, 1e4 + 1.0, 1e4 - 1.0]).unwrap();
    let (one, zero) = (Array::ones([1], DType::F32).unwrap(), Array::zeros([1], DType::F32).unwrap());
    let [y, _, variance] = batch_norm(&x, &one, &zero, 0.0).unwrap();
    assert_eq!((values(&y), values(&variance)), (vec![1.0, -1.0, 1.0, -1.0], vec![1.0]));
}

#[test]
fn empty_ones_and_what_does_not_fit() {
    let ones = |n: usize| Array::ones([n], DType::F32).unwrap();
    for shape in [[0, 3], [3, 0]] {
        let x = Array::zeros(shape, DType::F32).unwrap();
        let n = shape[1];
        let [y, mean, rstd] = layer_norm(&x, &ones(n), &ones(n), 0.1).unwrap();
        assert_eq!((&y.shape()[..], mean.len()), (&shape[..], shape[0]));
        let [_, by_gamma, _] = layer_norm_grad(&x, &ones(n), &mean, &rstd, &x).unwrap();
        assert_eq!(values(&by_gamma), vec![0.0; n]);
        let [y, mean, variance] = batch_norm(&x, &ones(n), &ones(n), 0.1).unwrap();
        assert_eq!((y.len(), mean.len()), (0, n));
        let [_, by_gamma, _] = batch_norm_grad(&x, &ones(n), &mean, &variance, &x, 0.1).unwrap();
        assert_eq!(values(&by_gamma), vec![0.0; n]);
    }
    let x = Array::zeros([2, 3], DType::F32).unwrap();
    let kind = |result: Result<[Array; 3]>| result.unwrap_err().kind();
    assert_eq!(kind(layer_norm(&x, &ones(2), &ones(3), 0.1)), ErrorKind::Shape);
    assert_eq!(kind(batch_norm(&x, &ones(3), &ones(2), 0.1)), ErrorKind::Shape);
    let wide = Array::ones([3], DType::F64).unwrap();
    assert_eq!(kind(layer_norm(&x, &wide, &wide, 0.1)), ErrorKind::DType);
    let integers = Array::ones([3], DType::I32).unwrap();
    assert_eq!(kind(batch_norm(&integers, &ones(3), &ones(3), 0.1)), ErrorKind::DType);
    assert_eq!(kind(layer_norm(&Array::scalar(1.0f32), &ones(1), &ones(1), 0.1)), ErrorKind::Shape);
}
