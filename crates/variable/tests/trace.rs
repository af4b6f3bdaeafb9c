//! What a trace must not let the program see.
use slalom_array::Result;
use slalom_autograd::{Tensor, Trace};
use slalom_variable::Variable;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The text of the panic.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("a panic");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn no_value_is_read_while_a_trace_records() -> Result<()> {
    let x = Variable::new(3.0f64);
    let trace = Trace::new()?;
    let y = &x * &x;
    let expected = y.item().unwrap_err().to_string();
    assert_eq!(panic_of(|| x.array()), expected);
    assert_eq!(panic_of(|| x.update().array().item()), expected);
    assert_eq!(panic_of(|| Variable::new(y.clone())), expected);
    // What is new does not depend on the trace, and to assign reads nothing.
    let captured = Variable::new(Tensor::scalar(2.0f64));
    x.assign(&y * &captured)?;
    let mut plan = trace.finish(&[&y])?;
    assert_eq!(x.array().item()?, 3.0);
    assert_eq!(plan.run()?[0].item()?, 9.0);
    assert_eq!(x.array().item()?, 18.0);
    // A value that was traced is an ordinary one afterwards.
    assert_eq!(y.item()?, 9.0);
    Ok(())
}

#[test]
fn other_threads_read_while_a_trace_records() -> Result<()> {
    let x = Variable::new(3.0f64);
    let _trace = Trace::new()?;
    assert_eq!(std::thread::scope(|scope| scope.spawn(|| x.array().item()).join().unwrap())?, 3.0);
    Ok(())
}
