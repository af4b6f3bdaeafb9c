//! Special numbers: infinities, zeros, numbers beyond what a type counts.
use crate::{values, vector};
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{GradientTape, Tensor};

const INF: f64 = f64::INFINITY;

#[test]
fn the_remainder_is_exact() -> Result<()> {
    // By Python's `%` on integers, and on floats where one is infinite.
    let cases = [
        (1e9, 7.0, 6.0),
        (-1e9, 7.0, 1.0),
        (1e9, -7.0, -1.0),
        (-1e9, -7.0, -6.0),
        (16_777_218.0, 5.0, 3.0),
        (1_267_650_600_228_229_401_496_703_205_376.0, 7.0, 2.0),
        (5.0, INF, 5.0),
        (-5.0, -INF, -5.0),
        (-5.0, INF, INF),
        (5.0, -INF, -INF),
        (0.0, 3.0, 0.0),
        (0.0, INF, 0.0),
        (5.5, 2.0, 1.5),
        (-5.5, 2.0, 0.5),
    ];
    for (a, b, expected) in cases {
        let f32s = Tensor::scalar(a as f32).floormod(Tensor::scalar(b as f32))?;
        let f64s = Tensor::scalar(a).floormod(Tensor::scalar(b))?;
        assert_eq!((f32s.item()?, f64s.item()?), (expected, expected), "{a} mod {b}");
    }
    let large = Tensor::scalar(9_007_199_254_740_994.0f64).floormod(Tensor::scalar(5.0))?;
    assert_eq!(large.item()?, 4.0);
    for (a, b) in [(1.0, 0.0), (0.0, 0.0), (INF, 2.0), (f64::NAN, 2.0), (2.0, f64::NAN)] {
        assert!(Tensor::scalar(a).floormod(Tensor::scalar(b))?.item()?.is_nan(), "{a} mod {b}");
    }
    Ok(())
}

#[test]
fn the_quotient_is_rounded_down() -> Result<()> {
    for (a, b, expected) in [(1e9, 7.0, 142_857_142.0), (-7.0, 2.0, -4.0), (5.0, INF, 0.0), (1.0, 0.0, INF)] {
        assert_eq!(Tensor::scalar(a).floordiv(Tensor::scalar(b))?.item()?, expected, "{a} / {b}");
    }
    Ok(())
}

#[test]
fn activations_of_infinities() -> Result<()> {
    type Case = (&'static str, fn(&Tensor) -> Result<Tensor>, [f64; 2]);
    let cases: &[Case] = &[
        ("relu", |x| Ok(x.relu()), [0.0, INF]),
        ("relu6", Tensor::relu6, [0.0, 6.0]),
        ("relu_with", |x| x.relu_with(0.0, None, 0.0), [0.0, INF]),
        ("relu_with max", |x| x.relu_with(0.0, Some(3.0), 0.0), [0.0, 3.0]),
        ("relu_with threshold", |x| x.relu_with(0.0, None, 1.0), [0.0, INF]),
        ("relu_with slope", |x| x.relu_with(0.5, None, 0.0), [-INF, INF]),
        ("relu_with all", |x| x.relu_with(0.5, Some(3.0), 1.0), [-INF, 3.0]),
        ("leaky_relu", |x| x.leaky_relu(0.5), [-INF, INF]),
        ("elu", |x| x.elu(1.5), [-1.5, INF]),
        ("selu", Tensor::selu, [-1.050_700_987_355_480_5 * 1.673_263_242_354_377_2, INF]),
        ("hard_sigmoid", Tensor::hard_sigmoid, [0.0, 1.0]),
        ("log_sigmoid", Tensor::log_sigmoid, [-INF, 0.0]),
        ("sigmoid", Tensor::sigmoid, [0.0, 1.0]),
        ("softplus", Tensor::softplus, [0.0, INF]),
        ("tanh", Tensor::tanh, [-1.0, 1.0]),
        ("clip_by_value", |x| x.clip_by_value(-2.0, 2.0), [-2.0, 2.0]),
    ];
    for (name, f, expected) in cases {
        let got: Vec<f64> = f(&vector(&[-INF, INF]))?.to_vec()?;
        for (got, expected) in got.iter().zip(expected) {
            assert!((got == expected) || (got - expected).abs() < 1e-15, "{name}: {got}, not {expected}");
        }
        assert!(f(&vector(&[f64::NAN]))?.item()?.is_nan(), "{name} of NaN");
    }
    // No gradient of a rectifier is NaN.
    let tape = GradientTape::new();
    let x = tape.watch(&vector(&[-INF, INF]));
    let y = x.relu_with(0.0, None, 0.0)?;
    assert_eq!(values(tape.gradient(&y, &x)?), Some(vec![0.0, 1.0]));
    Ok(())
}

#[test]
fn clipping_with_bounds_in_the_wrong_order() -> Result<()> {
    // As TensorFlow: the lower bound counts last.
    let tape = GradientTape::new();
    let x = tape.watch(&vector(&[-1.0, 2.5, 9.0, f64::NAN]));
    let y = x.clip_by_value(3.0, 2.0)?;
    let clipped: Vec<f64> = y.to_vec()?;
    assert!(clipped[..3] == [3.0; 3] && clipped[3].is_nan());
    assert_eq!(values(tape.gradient(&y, &x)?), Some(vec![0.0; 4]));
    let integers = Tensor::from_vec([3], vec![-5, 2, 7])?;
    assert_eq!(integers.clip_by_value(0.0, 4.0)?.to_vec::<i32>()?, [0, 2, 4]);
    assert_eq!(integers.clip_by_value(5.0, 4.0)?.to_vec::<i32>()?, [5; 3]);
    assert_eq!(integers.clip_by_value(0.5, 4.0).unwrap_err().kind(), ErrorKind::DType);
    Ok(())
}

#[test]
fn powers_of_integers() -> Result<()> {
    let power = |a: Vec<i64>, b: Vec<i64>| {
        Tensor::from_vec([a.len()], a)?.pow(Tensor::from_vec([b.len()], b)?)?.to_vec::<i64>()
    };
    assert_eq!(power(vec![2, -3, 0, 0, 7], vec![62, 3, 0, 5, 1])?, [1 << 62, -27, 1, 0, 7]);
    assert_eq!(power(vec![3], vec![41])?, [3i64.wrapping_pow(41)]);
    assert_eq!(power(vec![], vec![])?, [0i64; 0]);
    let squares = Tensor::from_vec([2], vec![3, -46_341])?.pow(Tensor::scalar(2))?;
    assert_eq!(squares.to_vec::<i32>()?, [9, 46_341i32.wrapping_mul(46_341)]);
    assert_eq!(power(vec![2, 2], vec![1, -1]).unwrap_err().kind(), ErrorKind::Argument);
    let kind = Tensor::scalar(2i32).pow(Tensor::scalar(2i64)).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::DType);
    Ok(())
}

#[test]
fn polygamma_of_the_highest_order_has_derivatives() -> Result<()> {
    // At 1: (-1)ⁿ⁺¹ n! ζ(n + 1), and ζ is 1.
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let (outer, tape) = (GradientTape::new(), GradientTape::new());
    let x = tape.watch(&outer.watch(&Tensor::scalar(1.0)));
    let y = x.polygamma(150)?;
    let first = tape.gradient(&y, &x)?.unwrap().into_dense()?;
    assert!((first.item()? / factorial(151) - 1.0).abs() < 1e-12);
    let second = outer.gradient(&first, &x)?.unwrap().into_dense()?;
    assert!((second.item()? / -factorial(152) - 1.0).abs() < 1e-12);
    Ok(())
}

#[test]
fn lengths_and_sums_of_exponentials_do_not_overflow() -> Result<()> {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let near = |x: f64, y: f64| x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= 1e-15 * y.abs();
    let lengths = [(3.0, -4.0, 5.0), (3e200, 4e200, 5e200), (3e-200, 4e-200, 5e-200), (0.0, -0.0, 0.0)];
    for (a, b, length) in lengths.into_iter().chain([(-inf, 1.0, inf), (inf, inf, inf), (nan, 1.0, nan)]) {
        let [x, y] = [vector(&[a]), vector(&[b])];
        assert!(near(x.hypot(&y)?.item()?, length), "hypot({a}, {b})");
    }
    let ln_2 = std::f64::consts::LN_2;
    let sums = [(0.0, 0.0, ln_2), (1e300, 1.0, 1e300), (-1e4, -1e4, ln_2 - 1e4), (-inf, 2.0, 2.0)];
    for (a, b, sum) in sums.into_iter().chain([(-inf, -inf, -inf), (inf, -inf, inf), (nan, inf, nan)]) {
        let [x, y] = [vector(&[a]), vector(&[b])];
        assert!(near(x.logaddexp(&y)?.item()?, sum), "logaddexp({a}, {b})");
    }
    // The distribution function is what its inverse undoes.
    let x = vector(&[-3.0, -0.5, 0.0, 1.25]);
    for (back, x) in x.ndtr()?.ndtri()?.to_vec::<f64>()?.into_iter().zip(x.to_vec::<f64>()?) {
        assert!((back - x).abs() < 1e-13, "{back} for {x}");
    }
    assert_eq!(vector(&[8.0, 0.25]).log2()?.exp2()?.to_vec::<f64>()?, [8.0, 0.25]);
    Ok(())
}

/// Matrices of the first and the last axis of `[3, 2, 2]`.
fn matrices() -> Result<Tensor> {
    Tensor::from_vec([3, 2, 2], vec![1.0, -5.0, 3.0, 2.0, 2.0, 4.0, -6.0, 0.5, 0.0, 1.0, 1.0, 7.0])
}

#[test]
fn norms_of_matrices() -> Result<()> {
    // By numpy 2.4.
    let x = matrices()?;
    let cases = [(1.0, [10.0, 10.0]), (-1.0, [3.0, 9.5]), (INF, [6.0, 8.0]), (-INF, [1.0, 5.0])];
    for (ord, expected) in cases {
        assert_eq!(x.matrix_norm(ord, [0, 2], false)?.to_vec::<f64>()?, expected, "{ord}");
        // The other way round columns are rows.
        let kept =
            x.matrix_norm(if ord.abs() == 1.0 { INF.copysign(ord) } else { ord.signum() }, [-1, 0], true)?;
        assert_eq!((&kept.shape()[..], kept.to_vec::<f64>()?), (&[1, 2, 1][..], expected.to_vec()));
    }
    assert_eq!(x.matrix_norm(3.0, [0, 1], false).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(x.matrix_norm(1.0, [0, -3], false).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(x.matrix_norm(1.0, [0, 3], false).unwrap_err().kind(), ErrorKind::Shape);
    Ok(())
}

#[cfg(feature = "linalg")]
#[test]
fn norms_by_singular_values() -> Result<()> {
    // By numpy 2.4.
    let x = matrices()?;
    let close = |x: Tensor, expected: [f64; 2]| -> Result<()> {
        for (x, expected) in x.to_vec::<f64>()?.into_iter().zip(expected) {
            assert!((x - expected).abs() < 1e-14 * expected, "{x} for {expected}");
        }
        Ok(())
    };
    close(x.matrix_norm(2.0, [0, 2], false)?, [6.499358800219552, 7.762844723408578])?;
    close(x.matrix_norm(-2.0, [2, 0], false)?, [2.1813608564400084, 6.244056518021565])?;
    let kept = x.nuclear_norm([0, 2], true)?;
    assert_eq!(kept.shape()[..], [1, 2, 1]);
    close(kept, [8.68071965665956, 14.006901241430143])
}
