//! Tapes asked several times, within each other, and on several threads.
use crate::{scalar, values, vector};
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{GradientTape, PersistentGradientTape, Tensor};

/// Something with several uses of each value, a sparse gradient and an op of two results.
fn loss(x: &Tensor) -> Result<Tensor> {
    let labels = Tensor::from_vec([2], vec![0, 2])?;
    let rows = x.gather(&Tensor::from_vec([2], vec![1, 1])?, 0)?;
    let parts = (x.tanh()? * x).split(&[1, 1], 0)?;
    let logits = rows + &parts[0] * &parts[1] + x.exp()?;
    logits.sparse_softmax_cross_entropy_with_logits(&labels)?.mean()
}

fn table() -> Tensor {
    Tensor::from_vec([2, 3], vec![0.1, -0.7, 0.3, 1.9, 0.23, -1.1]).unwrap()
}

#[test]
fn repeated_passes_have_the_same_bits() -> Result<()> {
    let once = {
        let tape = GradientTape::new();
        let x = tape.watch(&table());
        let y = loss(&x)?;
        values(tape.gradient(&y, &x)?)
    };
    let tape = GradientTape::persistent();
    let x = tape.watch(&table());
    let y = loss(&x)?;
    for _ in 0..5 {
        assert_eq!(values(tape.gradient(&y, &x)?), once);
    }
    // Also while another tape records, which has the pass add nowhere in place.
    let outer = GradientTape::new();
    assert_eq!(values(tape.gradient(&y, &x)?), once);
    drop(outer);
    assert_eq!(values(tape.gradient(&y, &x)?), once);
    Ok(())
}

#[test]
fn intermediate_tensors_are_sources() -> Result<()> {
    let tape = GradientTape::persistent();
    let x = tape.watch(&vector(&[1.0, 2.0]));
    let m = &x * &x;
    let parts = m.split(&[1, 1], 0)?;
    let z = (&m * &m).sum() + 3.0 * &parts[1];
    let [by_m, by_part, by_x] = tape.gradient(&z, [&m, &parts[1], &x])?;
    assert_eq!(values(by_m), Some(vec![2.0, 8.0 + 3.0]));
    assert_eq!(values(by_part), Some(vec![3.0]));
    assert_eq!(values(by_x), Some(vec![2.0 * 2.0, 11.0 * 4.0]));
    // What a target is computed from does not depend on the target.
    assert!(tape.gradient(&m, &z)?.is_none());
    assert_eq!(values(tape.gradient(&m, &m)?), Some(vec![1.0, 1.0]));
    // A source may be listed more than once.
    for gradient in tape.gradient(&m, [&x, &x])? {
        assert_eq!(values(gradient), Some(vec![2.0, 4.0]));
    }
    Ok(())
}

#[test]
fn tapes_within_tapes_end_in_any_order() -> Result<()> {
    let outer = GradientTape::persistent();
    let x = outer.watch(&scalar(2.0));
    let early = GradientTape::persistent();
    let x1 = early.watch(&x);
    let y = &x1 * &x1 * &x1;
    let late = GradientTape::new();
    let y2 = late.watch(&y);
    let z = &y2 * &y2;
    drop(early);
    assert_eq!(values(outer.gradient(&z, &x)?), Some(vec![6.0 * 32.0]));
    assert_eq!(values(late.gradient(&z, &y2)?), Some(vec![16.0]));
    for _ in 0..3 {
        // An inner tape that comes and goes does not disturb what is around it.
        let inner = GradientTape::new();
        let own = inner.watch(&z);
        let w = own.square();
        let first = inner.gradient(&w, &own)?.unwrap().into_dense()?;
        assert_eq!(values(outer.gradient(&first, &x)?), Some(vec![2.0 * 6.0 * 32.0]));
    }
    assert_eq!(values(outer.gradient(&z, &x)?), Some(vec![6.0 * 32.0]));
    Ok(())
}

#[test]
fn threads_have_tapes_of_their_own() {
    let shared = GradientTape::new();
    let x = shared.watch(&scalar(3.0));
    let work = |factor: f64, x: Tensor| {
        move || {
            let tape = PersistentGradientTape::unwatched();
            // A handle from another thread is a constant here.
            let y = tape.watch(&scalar(factor));
            let z = &x * &y * &y;
            (0..200).all(|_| {
                let [by_x, by_y] = tape.gradient(&z, [&x, &y]).unwrap();
                by_x.is_none() && values(by_y) == Some(vec![6.0 * factor])
            })
        }
    };
    let threads: Vec<_> = (1..=8).map(|i| std::thread::spawn(work(f64::from(i), x.clone()))).collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    let y = &x * &x;
    assert_eq!(values(shared.gradient(&y, &x).unwrap()), Some(vec![6.0]));
}

#[test]
fn a_panic_ends_the_tapes_within() -> Result<()> {
    let outer = GradientTape::new();
    let x = outer.watch(&scalar(2.0));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let inner = GradientTape::new();
        let own = inner.watch(&x);
        let _ = own.square();
        panic!("in user code");
    }));
    assert!(result.is_err());
    let y = x.square();
    assert_eq!(values(outer.gradient(&y, &x)?), Some(vec![4.0]));
    Ok(())
}

#[test]
fn a_tape_beyond_the_limit_says_so_when_it_is_asked() -> Result<()> {
    let tapes: Vec<PersistentGradientTape> = (0..62).map(|_| GradientTape::persistent()).collect();
    let x = tapes[61].watch(&scalar(3.0));
    let one_more = GradientTape::new();
    let z = one_more.watch(&x);
    let y = &x * &z;
    let error = one_more.gradient(&y, &z).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert_eq!(
        error.to_string(),
        "GradientTape: expected at most 62 living tapes on one thread, got one more"
    );
    // The others are as they were, and one that ends makes room.
    assert_eq!(values(tapes[61].gradient(&y, &x)?), Some(vec![6.0]));
    drop(tapes);
    let tape = GradientTape::new();
    let x = tape.watch(&scalar(3.0));
    assert_eq!(values(tape.gradient(&x.square(), &x)?), Some(vec![6.0]));
    Ok(())
}
