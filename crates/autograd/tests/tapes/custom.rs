//! Gradients given by closures, and gradients that compute again.
use crate::{scalar, values, vector};
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{
    ForwardAccumulator, Gradient, GradientTape, IndexedSlices, Tensor, Trace, custom_gradient, recompute_grad,
};

/// `x³` with the gradient `5 g x²`, so that it shows which one is used.
fn odd_cube(x: &Tensor) -> Result<Tensor> {
    custom_gradient([x], |[x]| {
        let own = x.clone();
        Ok((x * x * x, move |g: &Tensor| Ok([5.0 * g * &own * &own])))
    })
}

#[test]
fn the_closure_gives_the_gradient_and_its_derivatives() -> Result<()> {
    let (third, outer, tape) = (GradientTape::new(), GradientTape::new(), GradientTape::new());
    let x = tape.watch(&outer.watch(&third.watch(&scalar(2.0))));
    let y = odd_cube(&x)?;
    assert_eq!(y.item()?, 8.0);
    let first = tape.gradient(&y, &x)?.unwrap().into_dense()?;
    assert_eq!(first.item()?, 20.0);
    let second = outer.gradient(&first, &x)?.unwrap().into_dense()?;
    assert_eq!(second.item()?, 20.0);
    assert_eq!(values(third.gradient(&second, &x)?), Some(vec![10.0]));
    Ok(())
}

#[test]
fn nested_closures() -> Result<()> {
    // The outer gradient is g times the value of an inner function, whose own gradient counts in the second order.
    let outer_of = |x: &Tensor| {
        custom_gradient([x], |[x]| {
            let inner = odd_cube(x)?;
            Ok((2.0 * &inner, move |g: &Tensor| Ok([g * &inner])))
        })
    };
    let (outer, tape) = (GradientTape::new(), GradientTape::new());
    let x = tape.watch(&outer.watch(&scalar(3.0)));
    let y = outer_of(&x)?;
    let first = tape.gradient(&y, &x)?.unwrap().into_dense()?;
    assert_eq!((y.item()?, first.item()?), (54.0, 27.0));
    assert_eq!(values(outer.gradient(&first, &x)?), Some(vec![5.0 * 9.0]));
    Ok(())
}

#[test]
fn several_inputs_none_and_sparse() -> Result<()> {
    let tape = GradientTape::new();
    let [x, y, z] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].map(|x| tape.watch(&vector(&x)));
    let sum = custom_gradient([&x, &y, &z], |[x, y, z]| {
        let gradient = |g: &Tensor| -> Result<[Option<Gradient>; 3]> {
            let row = IndexedSlices::new(Tensor::from_vec([1], vec![1])?, g.slice(0, 0, 1)?, [2])?;
            Ok([Some(g.clone().into()), None, Some(row.into())])
        };
        Ok((x + y + z, gradient))
    })?;
    let [gx, gy, gz] = tape.gradient(&(2.0 * sum), [&x, &y, &z])?;
    assert!(gz.as_ref().is_some_and(|g| g.as_sparse().is_some()));
    assert_eq!((values(gx), values(gy), values(gz)), (Some(vec![2.0, 2.0]), None, Some(vec![0.0, 2.0])));
    Ok(())
}

#[test]
fn a_gradient_that_opens_tapes() -> Result<()> {
    // The gradient of x² by a tape within the gradient.
    let square = |x: &Tensor| {
        custom_gradient([x], |[x]| {
            let own = x.clone();
            let gradient = move |g: &Tensor| {
                let tape = GradientTape::new();
                let x = tape.watch(&own);
                Ok([g * tape.gradient(&x.square(), &x)?.unwrap().into_dense()?])
            };
            Ok((x * x, gradient))
        })
    };
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(3.0));
    let z = square(&x.sin()?)? + &x;
    let expected = 2.0 * 3.0f64.sin() * 3.0f64.cos() + 1.0;
    assert_eq!(values(tape.gradient(&z, &x)?), Some(vec![expected]));

    let tape = GradientTape::persistent();
    let x = tape.watch(&scalar(3.0));
    let z = square(&x.sin()?)? + &x;
    for _ in 0..2 {
        assert_eq!(values(tape.gradient(&z, &x)?), Some(vec![expected]));
    }
    Ok(())
}

#[test]
fn closures_in_a_trace() -> Result<()> {
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(2.0));
    let y = odd_cube(&x)?;
    let z = recompute_grad([&y], |[y]| y.sin()?.exp())?;
    let gradient = tape.gradient(&z, &x)?.unwrap().into_dense()?;
    let mut plan = trace.finish(&[&y, &z, &gradient])?;
    let ops: Vec<_> = plan.ops().collect();
    assert_eq!(
        ops.iter().filter(|op| **op == "sin").count(),
        2 + 1,
        "computed, again, and the slope: {ops:?}"
    );
    for _ in 0..2 {
        let out = plan.run()?;
        let value = 8.0f64.sin().exp();
        for (got, expected) in out.iter().zip([8.0, value, value * 8.0f64.cos() * 20.0]) {
            assert!((got.item()? - expected).abs() <= 4e-16 * expected.abs());
        }
    }
    Ok(())
}

/// `x y` and `x + y`, with upstream gradients `g` and `h` the gradients `2 g y + 3 h x` and `5 g x + 7 h y`.
fn product_and_sum(x: &Tensor, y: &Tensor) -> Result<[Tensor; 2]> {
    custom_gradient([x, y], |[x, y]| {
        let (a, b) = (x.clone(), y.clone());
        let gradient =
            move |[g, h]: &[Tensor; 2]| Ok([2.0 * g * &b + 3.0 * h * &a, 5.0 * g * &a + 7.0 * h * &b]);
        Ok(([x * y, x + y], gradient))
    })
}

#[test]
fn several_results_and_those_that_nobody_uses() -> Result<()> {
    let tape = GradientTape::persistent();
    let [x, y] = [2.0, 3.0].map(|x| tape.watch(&scalar(x)));
    let [product, sum] = product_and_sum(&x, &y)?;
    assert_eq!((product.item()?, sum.item()?), (6.0, 5.0));
    let both = product.square() + 4.0 * &sum;
    // Upstream: 2 x y = 12 and 4.
    let [by_x, by_y] = tape.gradient(&both, [&x, &y])?.map(values);
    assert_eq!((by_x, by_y), (Some(vec![96.0]), Some(vec![204.0])));
    let [by_x, by_y] = tape.gradient(&product, [&x, &y])?.map(values);
    assert_eq!((by_x, by_y), (Some(vec![6.0]), Some(vec![10.0])));
    let [by_x, by_y] = tape.gradient(&sum, [&x, &y])?.map(values);
    assert_eq!((by_x, by_y), (Some(vec![6.0]), Some(vec![21.0])));
    Ok(())
}

#[test]
fn several_results_in_second_order_and_forward_mode() -> Result<()> {
    let (outer, tape) = (GradientTape::new(), GradientTape::new());
    let [x, y] = [2.0, 3.0].map(|x| tape.watch(&outer.watch(&scalar(x))));
    let [product, sum] = product_and_sum(&x, &y)?;
    // By x: 4 p y + 12 x, where the slopes of p are 2 y and 5 x.
    let first = tape.gradient(&(product.square() + 4.0 * sum), &x)?.unwrap().into_dense()?;
    let [by_x, by_y] = outer.gradient(&first, [&x, &y])?.map(values);
    assert_eq!((by_x, by_y), (Some(vec![4.0 * 3.0 * 6.0 + 12.0]), Some(vec![4.0 * 6.0 + 4.0 * 3.0 * 10.0])));

    let accumulator = ForwardAccumulator::new([&scalar(2.0), &scalar(3.0)], &[scalar(1.0), scalar(-1.0)])?;
    let [x, y] = accumulator.primals() else { panic!("two primals") };
    let [product, sum] = product_and_sum(x, y)?;
    assert_eq!(accumulator.jvp(&product)?.unwrap().item()?, 6.0 - 10.0);
    assert_eq!(accumulator.jvp(&sum)?.unwrap().item()?, 6.0 - 21.0);
    Ok(())
}

#[test]
fn several_results_nested_and_in_a_trace() -> Result<()> {
    // Swapped and with slopes of 1: the gradients of the inner closure count in the second order alone.
    let swapped = |x: &Tensor, y: &Tensor| {
        custom_gradient([x, y], |[x, y]| {
            let [product, sum] = product_and_sum(x, y)?;
            let p = product.clone();
            Ok(([sum, product], move |[g, h]: &[Tensor; 2]| Ok([g * &p, h.clone()])))
        })
    };
    let trace = Trace::new()?;
    let (outer, tape) = (GradientTape::new(), GradientTape::new());
    let [x, y] = [2.0, 3.0].map(|x| tape.watch(&outer.watch(&scalar(x))));
    let [sum, product] = swapped(&x, &y)?;
    let [by_x, by_y] = tape.gradient(&(3.0 * &sum + 7.0 * &product), [&x, &y])?;
    let (by_x, by_y) = (by_x.unwrap().into_dense()?, by_y.unwrap().into_dense()?);
    // Three times the slopes of the product.
    let [by_xx, by_xy] = outer.gradient(&by_x, [&x, &y])?.map(|g| g.unwrap().into_dense().unwrap());
    let mut plan = trace.finish(&[&sum, &product, &by_x, &by_y, &by_xx, &by_xy])?;
    for _ in 0..2 {
        let results = plan.run()?.iter().map(|x| x.item()).collect::<Result<Vec<_>>>()?;
        assert_eq!(results, [5.0, 6.0, 18.0, 7.0, 18.0, 30.0]);
    }
    Ok(())
}

#[test]
fn results_of_any_type_and_number() -> Result<()> {
    let tape = GradientTape::new();
    let x = tape.watch(&vector(&[1.0, 3.0, 2.0]));
    let [places, largest, same] = custom_gradient([&x], |[x]| {
        let (largest, places) = x.top_k(2)?;
        let gradient = |[_, g, h]: &[Tensor; 3]| Ok([g.sum() * Tensor::ones([3], g.dtype())? + h]);
        Ok(([places, largest, x.clone()], gradient))
    })?;
    assert_eq!(places.to_vec::<i32>()?, [1, 2]);
    assert_eq!(values(tape.gradient(&(largest.sum() + same.sum()), &x)?), Some(vec![3.0; 3]));
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(1.0));
    let none: [Tensor; 0] = custom_gradient([&x], |[x]| {
        let x = x.clone();
        Ok(([], move |_: &[Tensor; 0]| Ok([x.clone()])))
    })?;
    assert!(none.is_empty());
    // A captured tensor behind the second result.
    let y = x.square();
    let error =
        custom_gradient([&x], |[x]| Ok(([x.clone(), y.clone()], |g: &[Tensor; 2]| Ok([g[0].clone()]))));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}

/// A function with products, reductions and kinks.
fn block(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let h = (x * w).tanh()? + x.sum_axes(&[0], true)?;
    Ok(h.relu().square().mean_axes(&[0], true)? * w.sigmoid()?)
}

/// Three blocks with weights of their own, the second within the first.
fn blocks(x: &Tensor, [u, v, w]: [&Tensor; 3], recompute: bool) -> Result<Tensor> {
    if !recompute {
        return block(&block(&block(x, u)?, v)?, w);
    }
    let two =
        recompute_grad([x, u, v], |[x, u, v]| recompute_grad([&block(x, u)?, v], |[h, v]| block(h, v)))?;
    recompute_grad([&two, w], |[h, w]| block(h, w))
}

fn inputs() -> [Tensor; 4] {
    [[0.3, -0.7, 1.1], [1.3, 0.2, -0.4], [0.6, 0.1, 0.9], [-0.8, 0.5, 1.7]].map(|x| vector(&x))
}

#[test]
fn recomputed_gradients_have_the_same_bits() -> Result<()> {
    let both = |recompute: bool| -> Result<Vec<Option<Vec<f64>>>> {
        let tape = GradientTape::persistent();
        let [x, u, v, w] = inputs().map(|x| tape.watch(&x));
        let y = blocks(&x, [&u, &v, &w], recompute)?;
        let mut all = vec![Some(y.to_vec()?)];
        for _ in 0..2 {
            all.extend(tape.gradient(&y, [&x, &u, &v, &w])?.map(values));
        }
        Ok(all)
    };
    let plain = both(false)?;
    assert!(plain.iter().flatten().flatten().all(|x| x.is_finite() && *x != 0.0), "{plain:?}");
    assert_eq!(plain, both(true)?);
    Ok(())
}

#[test]
fn recomputed_derivatives_of_second_order() -> Result<()> {
    let both = |recompute: bool| -> Result<Vec<f64>> {
        let (outer, tape) = (GradientTape::new(), GradientTape::new());
        let watched = inputs().map(|x| outer.watch(&x));
        let [x, u, v, w] = watched.each_ref().map(|x| tape.watch(x));
        let y = blocks(&x, [&u, &v, &w], recompute)?;
        let [gx, gu, gv, gw] = tape.gradient(&y, [&x, &u, &v, &w])?.map(|g| g.unwrap().into_dense().unwrap());
        let second = outer.gradient(&(gx * gu + gv * gw).sum(), &watched)?;
        let mut all: Vec<f64> = second.into_iter().flat_map(|g| values(g).unwrap()).collect();
        let [x, u, v, w] = inputs();
        let accumulator =
            ForwardAccumulator::new([&x, &v], &[vector(&[1.0, 2.0, -1.0]), vector(&[0.5, 0.0, 1.0])])?;
        let [x, v] = accumulator.primals() else { panic!("two primals") };
        let y = blocks(x, [&u, v, &w], recompute)?;
        all.extend(accumulator.jvp(&y)?.unwrap().to_vec::<f64>()?);
        Ok(all)
    };
    // Sums of more than two terms are grouped by blocks.
    for (plain, recomputed) in both(false)?.into_iter().zip(both(true)?) {
        assert!((plain - recomputed).abs() <= 1e-13 * plain.abs(), "{recomputed} for {plain}");
    }
    Ok(())
}

#[test]
fn captured_tensors_are_refused() -> Result<()> {
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(2.0));
    let y = x.square();
    let z = y.clone();
    let error = recompute_grad([&x], move |[x]| Ok(x * &z)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    // As a constant it is welcome.
    let constant = y.stop_gradient();
    let w = recompute_grad([&x], move |[x]| Ok(x * &constant))?;
    assert_eq!(values(tape.gradient(&w, &x)?), Some(vec![4.0]));
    Ok(())
}

#[test]
fn results_that_nothing_computed() -> Result<()> {
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(2.0));
    let same = recompute_grad([&x], |[x]| Ok(x.clone()))?;
    let constant = recompute_grad([&x], |_| Ok(scalar(1.0)))?;
    let (by_same, by_constant) = {
        let z = &same * 3.0 + &constant;
        (tape.gradient(&z, [&x, &constant])?, constant)
    };
    let [by_x, none] = by_same;
    assert_eq!((values(by_x), values(none), by_constant.item()?), (Some(vec![3.0]), None, 1.0));
    Ok(())
}
