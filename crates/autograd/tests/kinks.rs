//! Gradients at kinks, ties and corners: those of TensorFlow 2.15.
use slalom_array::Result;
use slalom_autograd::{GradientTape, Tensor, concat};

type Function = fn(&Tensor) -> Result<Tensor>;

/// The gradient of the sum of `f(x)`; `None` if there is none.
fn gradient(f: Function, x: &[f64]) -> Option<Vec<f64>> {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from_vec([x.len()], x.to_vec()).unwrap());
    let gradient = tape.gradient(&f(&x).unwrap(), &x).unwrap()?;
    Some(gradient.to_dense().unwrap().to_vec().unwrap())
}

fn assert_gradients(cases: &[(&str, Function, &[f64], &[f64])]) {
    for (name, f, x, expected) in cases {
        let got = gradient(*f, x).unwrap_or_else(|| panic!("{name}: no gradient"));
        let same =
            |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-15 * b.abs() || a.is_nan() && b.is_nan();
        assert!(got.len() == expected.len() && got.iter().zip(*expected).all(same), "{name}: {got:?}");
    }
}

#[test]
fn slopes_at_kinks() {
    assert_gradients(&[
        ("abs", |x| Ok(x.abs()), &[0.0], &[0.0]),
        ("sign", |x| Ok(x.sign()), &[-2.0, 0.0, 2.0], &[0.0; 3]),
        ("relu", |x| Ok(x.relu()), &[0.0], &[0.0]),
        ("relu6", |x| x.relu6(), &[0.0, 6.0], &[0.0, 0.0]),
        ("leaky_relu", |x| x.leaky_relu(0.25), &[0.0], &[0.25]),
        ("elu", |x| x.elu(1.0), &[0.0], &[1.0]),
        ("elu with alpha", |x| x.elu(0.5), &[0.0], &[0.5]),
        ("selu", |x| x.selu(), &[0.0], &[1.050_700_987_355_480_5]),
        ("clip_by_value", |x| x.clip_by_value(-1.0, 1.0), &[-1.5, -1.0, 1.0, 1.5], &[0.0, 1.0, 1.0, 0.0]),
        (
            "clip_by_tensors",
            |x| x.clip_by_tensors(Tensor::scalar(-1.0), Tensor::scalar(1.0)),
            &[-1.5, -1.0, 1.0, 1.5],
            &[0.0, 1.0, 1.0, 0.0],
        ),
        ("relu with max_value 6", |x| x.relu_with(0.0, Some(6.0), 0.0), &[6.0], &[0.0]),
        ("relu with max_value 2", |x| x.relu_with(0.0, Some(2.0), 0.0), &[0.0, 2.0], &[0.0, 1.0]),
        ("relu with a slope", |x| x.relu_with(0.25, None, 0.0), &[0.0], &[0.25]),
        ("relu with a threshold", |x| x.relu_with(0.25, None, 1.0), &[0.5, 1.0, 1.5], &[0.25, 0.0, 1.0]),
        ("hard_sigmoid", |x| x.hard_sigmoid(), &[-2.5, 2.5], &[0.2, 0.2]),
        ("sqrt", |x| x.sqrt(), &[0.0], &[f64::INFINITY]),
    ]);
}

#[test]
fn ties() {
    assert_gradients(&[
        ("maximum", |x| x.maximum(x.stop_gradient()), &[1.0], &[1.0]),
        ("maximum, second", |x| x.stop_gradient().maximum(x), &[1.0], &[0.0]),
        ("minimum", |x| x.minimum(x.stop_gradient()), &[1.0], &[1.0]),
        ("minimum, second", |x| x.stop_gradient().minimum(x), &[1.0], &[0.0]),
        ("max", |x| x.max(&[0], false), &[2.0, 1.0, 2.0], &[0.5, 0.0, 0.5]),
        ("min", |x| x.min(&[0], true), &[2.0, 1.0, 1.0, 1.0], &[0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]),
    ]);
}

#[test]
fn corners() {
    const NAN: f64 = f64::NAN;
    assert_gradients(&[
        ("0⁰ by the base", |x| x.pow(Tensor::scalar(0.0)), &[0.0], &[NAN]),
        ("exponent of bases ≤ 0", |x| Tensor::from_vec([2], vec![0.0, -2.0])?.pow(x), &[2.0, 2.0], &[0.0; 2]),
        ("xlogy(0, 0)", |x| x.xlogy(x), &[0.0], &[0.0]),
        ("xdivy(0, 0)", |x| x.xdivy(x), &[0.0], &[0.0]),
        ("divide_no_nan(x, 0)", |x| x.divide_no_nan(Tensor::scalar(0.0)), &[3.0], &[0.0]),
        ("xlogy(0, x)", |x| x.stop_gradient().xlogy(x), &[0.0], &[0.0]),
        ("divide_no_nan(x, x)", |x| x.divide_no_nan(x), &[0.0], &[0.0]),
        ("multiply_no_nan(x, 0)", |x| x.multiply_no_nan(Tensor::scalar(0.0)), &[3.0], &[0.0]),
        ("floormod at a step", |x| x.floormod(Tensor::scalar(2.0)), &[4.0], &[1.0]),
        ("prod with a zero", |x| x.prod(&[0], false), &[2.0, 0.0, 4.0], &[0.0, 8.0, 0.0]),
        ("prod with two zeros", |x| x.prod(&[0], false), &[0.0, 0.0, 4.0], &[0.0, 0.0, 0.0]),
        ("norm of zeros", |x| x.norm(&[0], false), &[0.0, 0.0], &[NAN, NAN]),
        ("std of equals", |x| x.std(&[0], false), &[1.0, 1.0], &[NAN, NAN]),
        ("logsumexp of -∞", |x| x.logsumexp(&[0], false), &[f64::NEG_INFINITY; 2], &[NAN, NAN]),
        ("l2_normalize of zeros", |x| x.l2_normalize(&[0]), &[0.0, 0.0], &[1e6, 1e6]),
        (
            "where beside an infinite slope",
            |x| x.greater(Tensor::scalar(0.0))?.where_(x.log()?, x),
            &[0.0],
            &[NAN],
        ),
        (
            "labels",
            |x| Tensor::from_vec([2], vec![0.0, 0.0])?.softmax_cross_entropy_with_logits(x),
            &[0.5, 0.5],
            &[std::f64::consts::LN_2; 2],
        ),
        (
            "labels that sum to 2",
            |x| x.softmax_cross_entropy_with_logits(Tensor::from_vec([2], vec![1.0, 1.0])?),
            &[0.0, 0.0],
            &[-0.5, -0.5],
        ),
    ]);
}

#[test]
fn steps_have_no_gradient() {
    let functions: [Function; 4] =
        [|x| x.floor(), |x| x.ceil(), |x| x.round(), |x| x.floordiv(Tensor::scalar(2.0))];
    for f in functions {
        assert!(gradient(f, &[1.5]).is_none());
    }
}

#[test]
fn results_for_no_elements() {
    let none = Tensor::from_vec([0], Vec::<f64>::new()).unwrap();
    assert!(none.mean().unwrap().item().unwrap().is_nan());
    assert_eq!(none.prod(&[0], false).unwrap().item().unwrap(), 1.0);
    assert_eq!(none.logsumexp(&[0], false).unwrap().item().unwrap(), f64::NEG_INFINITY);
    assert!(concat::<Tensor>(&[], 0).is_err());
}
