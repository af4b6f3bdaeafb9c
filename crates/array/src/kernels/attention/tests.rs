use super::*;

fn array(shape: &[usize], seed: u64, dtype: DType) -> Array {
    let n: usize = shape.iter().product();
    let hash = |i: u64| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11;
    let x = (0..n as u64).map(|i| hash(i) as f64 / (1u64 << 52) as f64 - 1.0);
    Array::from_vec(shape, x.collect()).unwrap().cast(dtype).unwrap()
}

fn values(a: &Array) -> Vec<f64> {
    a.cast(DType::F64).unwrap().to_vec().unwrap()
}

/// One head of one sample by the definition.
fn reference(
    q: &[f64],
    k: &[f64],
    v: &[f64],
    d: usize,
    e: usize,
    sees: impl Fn(usize, usize) -> bool,
) -> Vec<f64> {
    let (t, s) = (q.len() / d, k.len() / d);
    let mut out = vec![0.0; t * e];
    for i in 0..t {
        let score = |j: usize| {
            let product: f64 = (0..d).map(|l| q[i * d + l] * k[j * d + l]).sum();
            0.7 * product - if sees(i, j) { 0.0 } else { 1e9 }
        };
        let scores: Vec<f64> = (0..s).map(score).collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|x| (x - most).exp()).collect();
        let total: f64 = weights.iter().sum();
        for l in 0..e {
            out[i * e + l] = (0..s).map(|j| weights[j] * v[j * e + l]).sum::<f64>() / total;
        }
    }
    out
}

/// The elements of one head of one sample.
fn head(x: &Array, sample: usize, head: usize) -> Vec<f64> {
    let one = x.slice(0, sample, 1, 1).unwrap().slice(2, head, 1, 1).unwrap();
    values(&one.contiguous().unwrap())
}

fn check(t: usize, s: usize, dtype: DType, causal: bool, masked: bool, tolerance: f64) {
    let (batch, heads, d, e) = (2, 3, 5, 4);
    // Operands of the layout [b, heads, rows, columns], turned.
    let operand = |rows, columns, seed| {
        array(&[batch, heads, rows, columns], seed, dtype).transpose(&[0, 2, 1, 3]).unwrap()
    };
    let (q, k, v) = (operand(t, d, 1), operand(s, d, 1 << 20), operand(s, e, 1 << 30));
    // Each query sees its first key: scores lowered by 10⁹ have lost their digits.
    let bits: Vec<bool> = (0..batch * t * s).map(|i| i % s == 0 || i * 7 % 3 != 0).collect();
    let mask = Array::from_vec([batch, 1, t, s], bits.clone()).unwrap();
    let options = Attention { scale: 0.7, causal };
    let [y, _] = attention(&q, &k, &v, masked.then_some(&mask), options).unwrap();
    for sample in 0..batch {
        for h in 0..heads {
            let sees =
                |i: usize, j: usize| (!causal || j <= i) && (!masked || bits[(sample * t + i) * s + j]);
            let [q, k, v] = [&q, &k, &v].map(|x| head(x, sample, h));
            let want = reference(&q, &k, &v, d, e, sees);
            for (got, want) in head(&y, sample, h).iter().zip(want) {
                assert!((got - want).abs() <= tolerance, "{t} {s} {causal} {masked}: {got} {want}");
            }
        }
    }
}

#[test]
fn by_the_definition() {
    for (t, s) in [(1, 1), (3, 5), (70, 70), (130, 90)] {
        for (causal, masked) in [(false, false), (true, false), (false, true), (true, true)] {
            check(t, s, DType::F64, causal, masked, 1e-12);
            check(t, s, DType::F32, causal, masked, 1e-4);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_result() {
    let (t, s) = (70, 66);
    let shapes = [[1, t, 2, 3], [1, s, 2, 3], [1, s, 2, 2]];
    let operands: Vec<Array> = (0..3).map(|i| array(&shapes[i], 1 << (10 * i), DType::F64)).collect();
    let g = array(&[1, t, 2, 2], 99, DType::F64);
    let mask = Array::from_vec([1, 2, t, s], (0..2 * t * s).map(|i| i % s == 0 || i * 5 % 7 != 0).collect())
        .unwrap();
    for (causal, mask) in [(false, None), (true, None), (true, Some(&mask))] {
        let options = Attention { scale: 0.9, causal };
        let value = |operands: &[Array]| -> f64 {
            let [y, _] = attention(&operands[0], &operands[1], &operands[2], mask, options).unwrap();
            values(&y).iter().zip(values(&g)).map(|(y, g)| y * g).sum()
        };
        let [y, log_sums] = attention(&operands[0], &operands[1], &operands[2], mask, options).unwrap();
        let all = [&operands[0], &operands[1], &operands[2]];
        let gradients = attention_grad(all, mask, [&y, &log_sums], &g, options).unwrap();
        for (which, gradient) in gradients.iter().enumerate() {
            let gradient = values(gradient);
            for at in (0..gradient.len()).step_by(17) {
                let moved = |by: f64| {
                    let mut operands = operands.clone();
                    let mut elements = values(&operands[which]);
                    elements[at] += by;
                    operands[which] = Array::from_vec(shapes[which], elements).unwrap();
                    value(&operands)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((gradient[at] - slope).abs() < 1e-7, "{which}, {at}: {} {slope}", gradient[at]);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let of = |shape: [usize; 4]| Array::zeros(shape, DType::F32).unwrap();
    let (q, k) = (of([1, 2, 1, 3]), of([1, 4, 1, 3]));
    let options = Attention { scale: 1.0, causal: false };
    let kind = |result: Result<[Array; 2]>| result.unwrap_err().kind();
    assert_eq!(kind(attention(&q, &of([1, 4, 2, 3]), &k, None, options)), ErrorKind::Shape);
    assert_eq!(kind(attention(&q, &k, &q, None, options)), ErrorKind::Shape);
    let mask = Array::zeros([3, 4], DType::Bool).unwrap();
    assert_eq!(kind(attention(&q, &k, &k, Some(&mask), options)), ErrorKind::Shape);
    assert_eq!(kind(attention(&q, &k, &k, Some(&of([1, 1, 2, 4])), options)), ErrorKind::DType);
    let nothing = of([1, 0, 1, 3]);
    let [y, log_sums] = attention(&q, &nothing, &nothing, None, options).unwrap();
    assert_eq!((values(&y), log_sums.shape().to_vec()), (vec![0.0; 6], vec![1, 1, 2]));
}
