//! Naming the op that made a NaN.
use crate::{scalar, vector};
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{CheckNumerics, GradientTape, Trace};

#[test]
fn the_first_op_is_named() -> Result<()> {
    let x = vector(&[-1.0, 1.0, 0.0]);
    assert!(x.log().is_ok());
    let check = CheckNumerics::enable();
    let text = x.log().unwrap_err().to_string();
    assert_eq!(
        text,
        "log: expected finite results from finite operands, got 1 NaN and 1 infinity among 3 elements"
    );
    let tape = GradientTape::new();
    let watched = tape.watch(&x);
    let y = watched.square();
    let error = y.log().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Numerics);
    assert!(error.to_string().starts_with("op 2: log: "), "{error}");
    drop(check);
    assert!(!CheckNumerics::is_enabled() && y.log().is_ok());
    Ok(())
}

#[test]
fn gradients_and_replays_are_checked() -> Result<()> {
    let gradient = |check: bool| -> Result<()> {
        let _check = check.then(CheckNumerics::enable);
        let tape = GradientTape::persistent();
        let x = tape.watch(&vector(&[4.0, 0.0]));
        let y = x.sqrt()? * 2.0;
        for _ in 0..2 {
            tape.gradient(&y, &x)?;
        }
        Ok(())
    };
    gradient(false)?;
    let error = gradient(true).unwrap_err().to_string();
    assert!(error.starts_with("gradient of op 1, `sqrt`: sqrt: "), "{error}");

    let trace = Trace::new()?;
    let y = scalar(0.0).log()?.exp()?;
    let mut plan = trace.finish(&[&y])?;
    assert_eq!(plan.run()?[0].item()?, 0.0);
    let _check = CheckNumerics::enable();
    let error = plan.run().unwrap_err().to_string();
    assert!(error.starts_with("step 0 of the plan: log: expected finite results"), "{error}");
    Ok(())
}

#[test]
fn results_are_the_same_with_the_check() -> Result<()> {
    let gradients = || -> Result<Vec<f64>> {
        let tape = GradientTape::new();
        let x = tape.watch(&vector(&[0.3, 1.7, -0.4]));
        let parts = (x.tanh()? * &x + x.exp()?).split(&[1, 2], 0)?;
        let z = &parts[0] * parts[1].sum() + x.sum();
        tape.gradient(&z, &x)?.unwrap().into_dense()?.to_vec()
    };
    let plain = gradients()?;
    let outer = CheckNumerics::enable();
    let inner = CheckNumerics::enable();
    drop(outer);
    assert!(CheckNumerics::is_enabled());
    assert_eq!(gradients()?, plain);
    drop(inner);
    assert!(!CheckNumerics::is_enabled());
    Ok(())
}

#[test]
#[should_panic(expected = "divide: expected finite results from finite operands, got 1 NaN among 1 elements")]
fn operators_panic() {
    let _check = CheckNumerics::enable();
    let zero = scalar(0.0);
    let _ = &zero / &zero;
}

#[test]
fn operands_that_are_not_finite_are_not_blamed_on_the_op() {
    let _check = CheckNumerics::enable();
    let error = vector(&[f64::INFINITY]).sqrt().unwrap_err();
    assert!(error.expected().contains("an operand is not finite"), "{error}");
}
