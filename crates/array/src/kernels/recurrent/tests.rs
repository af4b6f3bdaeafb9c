use super::*;
use crate::DType;

fn array(shape: &[usize], seed: u64) -> Array {
    let n: usize = shape.iter().product();
    let hash = |i: u64| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
    let x = (0..n as u64).map(|i| hash(i) as f64 / (1u64 << 52) as f64 - 1.0);
    Array::from_vec(shape, x.collect()).unwrap()
}

fn values(a: &Array) -> Vec<f64> {
    a.cast(DType::F64).unwrap().to_vec().unwrap()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `z + h weights` for one sample.
fn gates(z: &[f64], h: &[f64], weights: &[f64], width: usize) -> Vec<f64> {
    (0..width)
        .map(|j| z[j] + h.iter().enumerate().map(|(i, h)| h * weights[i * width + j]).sum::<f64>())
        .collect()
}

fn close(got: &Array, want: &[f64], tolerance: f64) {
    let got = values(got);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance, "{i}: {got} {want}");
    }
}

#[test]
fn by_the_definition() {
    for (steps, batch, n) in [(1, 1, 1), (3, 2, 3), (4, 35, 5), (0, 2, 3), (2, 0, 3)] {
        let (h0, c0) = (array(&[batch, n], 5), array(&[batch, n], 6));
        let (z, weights) = (array(&[steps, batch, 4 * n], 1), array(&[n, 4 * n], 2));
        let [h, c, _] = lstm(&z, &weights, &h0, &c0).unwrap();
        let (z3, weights3, bias) =
            (array(&[steps, batch, 3 * n], 3), array(&[n, 3 * n], 4), array(&[3 * n], 7));
        let [gru_h, _] = gru(&z3, &weights3, &bias, &h0).unwrap();
        let [zs, ws, z3s, w3s, bs] = [&z, &weights, &z3, &weights3, &bias].map(values);
        let mut want = [vec![], vec![], vec![]];
        let (mut hs, mut cs, mut gs) = (values(&h0), values(&c0), values(&h0));
        for step in 0..steps {
            for row in 0..batch {
                let at = row * n..(row + 1) * n;
                let a = gates(&zs[(step * batch + row) * 4 * n..], &hs[at.clone()], &ws, 4 * n);
                for j in 0..n {
                    let i = row * n + j;
                    cs[i] = sigmoid(a[n + j]) * cs[i] + sigmoid(a[j]) * a[2 * n + j].tanh();
                    hs[i] = sigmoid(a[3 * n + j]) * cs[i].tanh();
                }
                let s = gates(&bs, &gs[at], &w3s, 3 * n);
                let z = &z3s[(step * batch + row) * 3 * n..];
                for j in 0..n {
                    let (u, r) = (sigmoid(z[j] + s[j]), sigmoid(z[n + j] + s[n + j]));
                    let candidate = (z[2 * n + j] + r * s[2 * n + j]).tanh();
                    gs[row * n + j] = u * gs[row * n + j] + (1.0 - u) * candidate;
                }
            }
            want[0].extend(&hs);
            want[1].extend(&cs);
            want[2].extend(&gs);
        }
        for (got, want) in [h, c, gru_h].iter().zip(&want) {
            close(got, want, 1e-13);
            assert_eq!(got.shape()[..], [steps, batch, n]);
        }
        let single = |x: &Array| x.cast(DType::F32).unwrap();
        let [h, ..] = lstm(&single(&z), &single(&weights), &single(&h0), &single(&c0)).unwrap();
        close(&h, &want[0], 1e-5);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    use crate::ErrorKind::{DType as Type, Shape as Lengths};
    let (z, weights, state) = (array(&[2, 3, 8], 0), array(&[2, 8], 0), array(&[3, 2], 0));
    let kind = |result: Result<[Array; 3]>| result.unwrap_err().kind();
    assert_eq!(kind(lstm(&z, &array(&[2, 6], 0), &state, &state)), Lengths);
    assert_eq!(kind(lstm(&z, &weights, &array(&[2, 2], 0), &state)), Lengths);
    assert_eq!(kind(lstm(&z, &weights, &state.cast(DType::F32).unwrap(), &state)), Type);
    assert_eq!(gru(&z, &weights, &state, &state).unwrap_err().kind(), Lengths);
}
