//! Linear algebra where gradients do not exist, are not unique or lose digits.
#![cfg(feature = "linalg")]
use slalom_array::{DType, ErrorKind, Result};
use slalom_autograd::{GradientTape, Tensor};

fn matrix(rows: usize, elements: &[f64]) -> Tensor {
    Tensor::from_vec([rows, elements.len() / rows], elements.to_vec()).unwrap()
}

/// The gradient of the sum of `f(x)`.
fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<f64>> {
    let tape = GradientTape::new();
    let x = tape.watch(x);
    let y = f(&x)?;
    tape.gradient(&y, &x)?.expect("a gradient").to_dense()?.to_vec()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let close = |(x, y): (&f64, &f64)| (x - y).abs() < 1e-12 * y.abs().max(1.0);
    assert!(found.iter().zip(expected).all(close), "{found:?} for {expected:?}");
}

#[test]
fn equal_singular_values() {
    // The sum of the singular values of an orthogonal matrix has the matrix as its gradient.
    let turn = matrix(2, &[0.6, -0.8, 0.8, 0.6]);
    assert_close(&gradient(&turn, Tensor::svdvals).unwrap(), &[0.6, -0.8, 0.8, 0.6]);
    // Half of the sum of squares of all elements.
    let product = |x: &Tensor| {
        let (s, u, v) = x.svd(false)?;
        Ok(0.5 * (u * s).matmul_transposed(v, false, true)?.square())
    };
    assert_close(&gradient(&turn, product).unwrap(), &[0.6, -0.8, 0.8, 0.6]);
    let zero = matrix(3, &[0.0; 6]);
    let found = gradient(&zero, |x| Ok(x.svd(false)?.1.square())).unwrap();
    assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
}

#[test]
fn equal_eigenvalues() {
    let one = Tensor::eye(3, 3, DType::F64).unwrap();
    let identity = one.to_vec::<f64>().unwrap();
    assert_close(&gradient(&one, Tensor::eigvalsh).unwrap(), &identity);
    assert_close(&gradient(&one, |x| Ok(x.eigh()?.0)).unwrap(), &identity);
    let found = gradient(&one, |x| x.eigh()?.1.exp()).unwrap();
    assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
}

#[test]
fn only_one_triangle_counts() {
    let a = matrix(2, &[4.0, f64::NAN, 2.0, 5.0]);
    assert_eq!(a.cholesky().unwrap().to_vec::<f64>().unwrap(), [2.0, 0.0, 1.0, 2.0]);
    let a = matrix(2, &[2.0, 7.0, 0.0, 3.0]);
    assert_close(&a.eigvalsh().unwrap().to_vec::<f64>().unwrap(), &[2.0, 3.0]);
    assert_close(&gradient(&a, |x| Ok(x.eigvalsh()?.square())).unwrap(), &[4.0, 0.0, 0.0, 6.0]);
    // Both triangles share the gradient of the Cholesky factor: that of log det is the inverse.
    let a = matrix(2, &[4.0, 2.0, 2.0, 5.0]);
    assert_close(&gradient(&a, Tensor::logdet).unwrap(), &[0.3125, -0.125, -0.125, 0.25]);
}

#[test]
fn without_a_gradient_it_is_an_error() {
    let kind = |x: &Tensor, f: fn(&Tensor) -> Result<Tensor>| gradient(x, f).unwrap_err().kind();
    let singular = matrix(2, &[1.0, 2.0, 2.0, 4.0]);
    assert_eq!(singular.det().unwrap().item().unwrap(), 0.0);
    assert_eq!(kind(&singular, Tensor::det), ErrorKind::Argument);
    assert_eq!(kind(&singular, |x| Ok(x.slogdet()?.1)), ErrorKind::Argument);
    let tall = matrix(3, &[1.0, 2.0, 3.0]);
    // Refused where they are recorded; without a tape they are as good as others.
    let tape = GradientTape::new();
    let watched = tape.watch(&tall);
    assert_eq!(watched.svd(true).unwrap_err().kind(), ErrorKind::Gradient);
    assert_eq!(watched.qr(true).unwrap_err().kind(), ErrorKind::Gradient);
    assert!(tall.svd(true).is_ok() && tall.qr(true).is_ok());
    assert!(tape.stop_recording(|| watched.qr(true)).is_ok());
    assert!(gradient(&tall, |x| Ok(x.svd(false)?.0)).is_ok());
}

#[test]
fn ranks_and_pseudo_inverses() {
    let a = matrix(3, &[1.0, 0.0, 2.0, 0.0, 1.0, 1.0, 1.0, 1.0, 3.0]);
    assert_eq!(a.matrix_rank(None).unwrap().item().unwrap(), 2.0);
    assert_eq!(a.matrix_rank(Some(100.0)).unwrap().item().unwrap(), 0.0);
    assert_eq!(matrix(2, &[0.0; 4]).pinv(None).unwrap().to_vec::<f64>().unwrap(), [0.0; 4]);
    // Of equal singular values: the pseudo-inverse of an orthogonal matrix is its inverse, and so is the gradient.
    let turn = matrix(2, &[0.6, -0.8, 0.8, 0.6]);
    let expected = gradient(&turn, Tensor::inv).unwrap();
    assert_close(&gradient(&turn, |x| x.pinv(None)).unwrap(), &expected);
}

#[test]
fn least_squares() {
    let (a, b) = (matrix(3, &[1.0, 2.0, 0.0, 1.0, 3.0, 1.0]), matrix(3, &[1.0, 2.0, 4.0]));
    let expected = a.pinv(None).unwrap().matmul(&b).unwrap().to_vec::<f64>().unwrap();
    assert_close(&a.lstsq(&b, 0.0).unwrap().to_vec::<f64>().unwrap(), &expected);
    let near = a.lstsq(&b, 1e-14).unwrap();
    assert_close(&near.to_vec::<f64>().unwrap(), &expected);
    // The smallest of many solutions.
    let (wide, b) = (a.t().unwrap(), matrix(2, &[1.0, 2.0]));
    let expected = wide.pinv(None).unwrap().matmul(&b).unwrap().to_vec::<f64>().unwrap();
    assert_close(&wide.lstsq(&b, 0.0).unwrap().to_vec::<f64>().unwrap(), &expected);
    assert_close(&wide.lstsq(&b, 1e-14).unwrap().to_vec::<f64>().unwrap(), &expected);
}

#[test]
fn leading_axes_broadcast() {
    let a = Tensor::from_vec([2, 1, 1, 1], vec![2.0f32, 4.0]).unwrap();
    let b = Tensor::from_vec([3, 1, 2], vec![4.0f32, 8.0, 12.0, 16.0, 20.0, 24.0]).unwrap();
    for x in [a.solve(&b, true).unwrap(), a.triangular_solve(&b, true, false).unwrap()] {
        assert_eq!(x.shape()[..], [2, 3, 1, 2]);
        assert_eq!(x.dtype(), DType::F32);
        let expected = [2.0f32, 4.0, 6.0, 8.0, 10.0, 12.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(x.to_vec::<f32>().unwrap(), expected);
    }
}
