//! Closures that draw random numbers, run again.
use crate::{values, vector};
use slalom_array::{Array, ErrorKind, Generator, Result};
use slalom_autograd::{
    GradientTape, Gradients, Op, Outputs, Saves, Tensor, Trace, Vjp, apply, recompute_grad,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn generator() -> Arc<Generator> {
    Arc::new(Generator::from_seed(7))
}

/// A block with two draws.
fn block(x: &Tensor, generator: &Arc<Generator>) -> Result<Tensor> {
    let h = x.sin()?.dropout(0.4, generator)?;
    (&h * x).dropout(0.3, generator)?.exp()
}

/// The value, and the derivatives of first and second order, of the block twice, wrapped or not.
fn derivatives(x: &Tensor, generator: &Arc<Generator>, wrapped: bool) -> Result<[Vec<f64>; 3]> {
    let (outer, tape) = (GradientTape::new(), GradientTape::new());
    let x = tape.watch(&outer.watch(x));
    let y = match wrapped {
        true => {
            let (all, own) = (Arc::clone(generator), Arc::clone(generator));
            // The second one in a block around it.
            let h = recompute_grad([&x], move |[x]| block(x, &own))?;
            recompute_grad([&h], move |[h]| {
                let own = Arc::clone(&all);
                recompute_grad([h], move |[h]| block(h, &own))?.dropout(0.2, &all)
            })?
        }
        false => block(&block(&x, generator)?, generator)?.dropout(0.2, generator)?,
    };
    let first = tape.gradient(&y, &x)?.unwrap().into_dense()?;
    let second = outer.gradient(&first, &x)?;
    Ok([y.to_vec()?, first.to_vec()?, values(second).unwrap()])
}

#[test]
fn dropout_chooses_the_same_again() -> Result<()> {
    let x = vector(&(0..40).map(|i| f64::from(i) / 20.0 - 1.0).collect::<Vec<_>>());
    let (plain, wrapped) = (generator(), generator());
    let [y, first, second] = derivatives(&x, &wrapped, true)?;
    let expected = derivatives(&x, &plain, false)?;
    assert_eq!([&y, &first], [&expected[0], &expected[1]]);
    // Sums of second derivatives are added up in another order.
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-14 * b.abs();
    assert!(second.iter().zip(&expected[2]).all(close), "{second:?} for {:?}", expected[2]);
    assert_eq!(wrapped.state(), plain.state(), "the rerun draws nothing");
    // And the next draw is another one.
    assert_ne!(derivatives(&x, &wrapped, true)?, derivatives(&x, &generator(), false)?);
    Ok(())
}

#[test]
fn dropout_chooses_the_same_again_in_each_replay() -> Result<()> {
    let x = vector(&[1.0; 32]);
    let own = generator();
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    let y = recompute_grad([&x], move |[x]| Ok(x.dropout(0.5, &own)?.square()))?;
    let gradient = tape.gradient(&y, &x)?.unwrap().into_dense()?;
    let mut plan = trace.finish(&[&y, &gradient])?;
    let mut masks = Vec::new();
    for _ in 0..3 {
        let out = plan.run()?;
        let (y, gradient): (Vec<f64>, Vec<f64>) = (out[0].to_vec()?, out[1].to_vec()?);
        // Of ones, y is 0 or 4, and so is half its slope.
        assert!(y.iter().zip(&gradient).all(|(y, g)| 2.0 * y == *g), "{y:?} and {gradient:?}");
        masks.push(y);
    }
    assert!(masks[0] != masks[1] && masks[1] != masks[2], "each run draws anew");
    Ok(())
}

#[test]
fn another_number_of_draws_is_an_error() -> Result<()> {
    for changes in [[1, 2], [2, 1]] {
        let (own, run) = (generator(), AtomicUsize::new(0));
        let tape = GradientTape::new();
        let x = tape.watch(&vector(&[1.0; 4]));
        let y = recompute_grad([&x], move |[x]| {
            let draws = changes[run.fetch_add(1, Ordering::Relaxed)];
            (0..draws).try_fold(x.square(), |x, _| x.dropout(0.5, &own))
        })?;
        assert_eq!(tape.gradient(&y, &x).unwrap_err().kind(), ErrorKind::State);
        // What failed leaves nothing behind.
        vector(&[1.0]).dropout(0.5, &generator())?;
    }
    Ok(())
}

/// `x`, and a count.
#[derive(Debug)]
struct Count;

static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Op for Count {
    fn name(&self) -> &'static str {
        "count"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ok([inputs[0].clone()].into())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Ok([Some(cx.grad()?.into())].into_iter().collect())
    }
    fn has_effect(&self) -> bool {
        true
    }
}

#[test]
fn an_effect_that_would_happen_twice_is_an_error() {
    let tape = GradientTape::new();
    let x = tape.watch(&vector(&[1.0]));
    let error = recompute_grad([&x], |[x]| apply(Count, [&x.square()])).unwrap_err();
    assert_eq!((error.kind(), error.got()), (ErrorKind::State, "`count`"));
    // Without a tape nothing runs again.
    drop(tape);
    assert!(recompute_grad([&vector(&[1.0])], |[x]| apply(Count, [&x.square()])).is_ok());
}
