//! Forward mode against the backward passes of the tape, for every op of the table.
use crate::cases::for_each_case;
use crate::report;
use crate::table::{CASES, table};
use slalom_array::{Array, DType, Result};
use slalom_autograd::{ForwardAccumulator, PersistentGradientTape, Tensor, UnconnectedGradients};
use std::cell::Cell;

/// Numbers between 1 and 2 of either sign, different from element to element.
fn direction(like: &Tensor) -> Tensor {
    let number =
        |i: usize| (1.0 + (i as f64 * 0.618_033_988_749_895).fract()) * if i % 3 == 1 { -1.0 } else { 1.0 };
    Array::from_vec::<f64>(like.shape(), (0..like.len()).map(number).collect()).unwrap().into()
}

/// `J v` from the rows of the Jacobian, and for each element the sum of the absolute products.
fn products(
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    inputs: &[Tensor],
    v: &[Tensor],
) -> Result<Vec<(f64, f64)>> {
    let tape = PersistentGradientTape::unwatched();
    let watched: Vec<Tensor> = inputs.iter().map(|x| tape.watch(x)).collect();
    let y = f(&watched)?;
    let jacobians = tape.jacobian_with(&y, &watched, UnconnectedGradients::Zero)?;
    let mut products = vec![(0.0, 0.0); y.len()];
    for (jacobian, v) in jacobians.into_iter().flatten().zip(v) {
        let (rows, v) = (jacobian.to_dense()?.to_vec::<f64>()?, v.to_vec::<f64>()?);
        for (j, product) in products.iter_mut().enumerate() {
            for (slope, v) in rows[j * v.len()..].iter().zip(&v) {
                product.0 += slope * v;
                product.1 += (slope * v).abs();
            }
        }
    }
    Ok(products)
}

/// `J v` in forward mode.
fn forward(f: &dyn Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor], v: &[Tensor]) -> Result<Vec<f64>> {
    let accumulator = ForwardAccumulator::new(inputs, v)?;
    let y = f(accumulator.primals())?;
    accumulator.jvp_with(&y, UnconnectedGradients::Zero)?.expect("zeros at least").to_vec()
}

/// The function of the inputs of floating-point numbers alone.
fn of_floats<'a>(
    inputs: &'a [Tensor],
    f: impl Fn(&[Tensor]) -> Result<Tensor> + 'a,
) -> (Vec<Tensor>, impl Fn(&[Tensor]) -> Result<Tensor> + 'a) {
    let float = |x: &Tensor| x.dtype() == DType::F64;
    let floats = inputs.iter().filter(|x| float(x)).cloned().collect();
    let all = move |floats: &[Tensor]| {
        let mut floats = floats.iter();
        let pick = |x: &Tensor| if float(x) { floats.next().expect("as many").clone() } else { x.clone() };
        f(&inputs.iter().map(pick).collect::<Vec<_>>())
    };
    (floats, all)
}

#[test]
fn forward_and_backward_mode_agree() {
    let worst = Cell::new(0.0f64);
    let cases = for_each_case(&table(), CASES, |row, random, number| {
        let (inputs, places) = row.inputs(random, number);
        let (floats, f) = of_floats(&inputs, |x| row.apply(x, number, &places));
        let v: Vec<Tensor> = floats.iter().map(direction).collect();
        let expected = products(&f, &floats, &v).map_err(|e| e.to_string())?;
        let got = forward(&f, &floats, &v).map_err(|e| e.to_string())?;
        assert_eq!(got.len(), expected.len());
        for (got, (expected, scale)) in got.into_iter().zip(expected) {
            // Where slopes cancel, as in x/x, they are not in the sum of the products.
            let error = (got - expected).abs() / scale.max(1e-3);
            if error.is_nan() || error > 1e-12 {
                return Err(format!("{got} for {expected}"));
            }
            worst.set(worst.get().max(error));
        }
        Ok(())
    });
    report(&format!("forward mode: {cases} cases; worst relative error {:.1e}", worst.get()));
}

/// `vᵀ H v` of `f` weighted by `u`: forward over forward, forward over reverse, and reverse over forward.
fn second_order(f: &dyn Fn(&[Tensor]) -> Result<Tensor>, x: &[Tensor], v: &[Tensor]) -> Result<[f64; 3]> {
    let weighted = |x: &[Tensor]| -> Result<Tensor> {
        let y = f(x)?;
        Ok((&y * direction(&y)).sum())
    };
    let value = |tangent: Option<Tensor>| tangent.map_or(Ok(0.0), |tangent| tangent.item());
    let zero = UnconnectedGradients::Zero;
    let outer = ForwardAccumulator::new(x, v)?;
    let inner = ForwardAccumulator::new(outer.primals(), v)?;
    let first = inner.jvp(&weighted(inner.primals())?)?;
    let forward_forward = first.map_or(Ok(None), |first| outer.jvp(&first))?;
    drop((inner, outer));

    let dot = |gradients: Vec<Option<slalom_autograd::Gradient>>| -> Result<Tensor> {
        let mut sum = Tensor::scalar(0.0);
        for (gradient, v) in gradients.into_iter().zip(v) {
            if let Some(gradient) = gradient {
                sum = sum + (gradient.into_dense()? * v).sum();
            }
        }
        Ok(sum)
    };
    let outer = ForwardAccumulator::new(x, v)?;
    let tape = slalom_autograd::GradientTape::unwatched();
    let watched: Vec<Tensor> = outer.primals().iter().map(|x| tape.watch(x)).collect();
    let first = dot(tape.gradient(&weighted(&watched)?, &watched)?)?;
    let forward_reverse = outer.jvp_with(&first, zero)?;
    drop(outer);

    let tape = slalom_autograd::GradientTape::unwatched();
    let watched: Vec<Tensor> = x.iter().map(|x| tape.watch(x)).collect();
    let inner = ForwardAccumulator::new(&watched[..], v)?;
    let first = inner.jvp_with(&weighted(inner.primals())?, zero)?.expect("zeros at least");
    let reverse_forward = dot(tape.gradient(&first, &watched)?)?;
    Ok([value(forward_forward)?, value(forward_reverse)?, reverse_forward.item()?])
}

/// The same in reverse over reverse, which finite differences check elsewhere, and the sum of the absolute products.
fn reverse_over_reverse(
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    x: &[Tensor],
    v: &[Tensor],
) -> Result<(f64, f64)> {
    let tape = PersistentGradientTape::unwatched();
    let watched: Vec<Tensor> = x.iter().map(|x| tape.watch(x)).collect();
    let inner = slalom_autograd::GradientTape::unwatched();
    let x: Vec<Tensor> = watched.iter().map(|x| inner.watch(x)).collect();
    let y = f(&x)?;
    let mut first = Tensor::scalar(0.0);
    for (gradient, v) in inner.gradient(&(&y * direction(&y)).sum(), &x)?.into_iter().zip(v) {
        if let Some(gradient) = gradient {
            first = first + (gradient.into_dense()? * v).sum();
        }
    }
    let (mut product, mut scale) = (0.0, 1.0);
    for (gradient, v) in tape.gradient(&first, &watched)?.into_iter().zip(v) {
        let Some(gradient) = gradient else { continue };
        let (slopes, v) = (gradient.to_dense()?.to_vec::<f64>()?, v.to_vec::<f64>()?);
        for (h, v) in slopes.iter().zip(v) {
            product += h * v;
            scale += (h * v).abs();
        }
    }
    Ok((product, scale))
}

#[test]
fn second_derivatives_agree_in_all_nestings() {
    for_each_case(&table(), CASES / 3, |row, random, number| {
        let (inputs, places) = row.inputs(random, number);
        let (floats, f) = of_floats(&inputs, |x| row.apply(x, number, &places));
        let v: Vec<Tensor> = floats.iter().map(direction).collect();
        let (expected, scale) = reverse_over_reverse(&f, &floats, &v).map_err(|e| e.to_string())?;
        for got in second_order(&f, &floats, &v).map_err(|e| e.to_string())? {
            // Sums over other axes first lose digits where large terms cancel.
            let error = (got - expected).abs();
            if error.is_nan() || error > 1e-10 * scale {
                return Err(format!("{got} for {expected}"));
            }
        }
        Ok(())
    });
}
