//! Operators on operands that do not fit: the text of the op's error as a panic, at the caller's line, and nothing changed.
use slalom_array::{Array, DType, Result};
use slalom_autograd::{GradientTape, Tensor};
use slalom_variable::Variable;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Mutex;

/// Where the last panic was.
static PLACE: Mutex<Option<(String, u32)>> = Mutex::new(None);

/// The text of the panic, and its file and line.
fn panic_of(f: impl Fn() -> Tensor) -> (String, (String, u32)) {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    let text = panic.downcast_ref::<String>().expect("a text").clone();
    (text, PLACE.lock().unwrap().take().expect("a place"))
}

/// What `maximum`, which returns its error, says of the same operands.
fn error_of(name: &str, a: &Tensor, b: &Tensor) -> String {
    a.maximum(b).expect_err("an error").to_string().replacen("maximum", name, 1)
}

#[test]
fn misused_operators_panic_with_the_error_of_the_op() -> Result<()> {
    let ones = |shape: &[usize], dtype| Tensor::ones(shape, dtype);
    let (a, v) = (ones(&[2, 3], DType::F32)?, Variable::new(Array::ones([2, 3], DType::F32)?));
    let hook = take_hook();
    set_hook(Box::new(|info| {
        *PLACE.lock().unwrap() = info.location().map(|place| (place.file().to_owned(), place.line()));
    }));
    let tape = GradientTape::new();
    let loss = v.value().square();
    let mut panics = Vec::new();
    let first = line!();
    for b in [ones(&[2, 4], DType::F32)?, ones(&[2, 3], DType::F64)?, ones(&[2, 3], DType::I64)?] {
        let w = Variable::new(b.clone());
        for (name, operators) in [
            ("add", [&|| &a + &b, &|| &v + &w, &|| &a + &w, &|| &v + &b] as [&dyn Fn() -> Tensor; 4]),
            ("subtract", [&|| &a - &b, &|| &v - &w, &|| &a - &w, &|| &v - &b]),
            ("multiply", [&|| &a * &b, &|| &v * &w, &|| &a * &w, &|| &v * &b]),
            ("divide", [&|| &a / &b, &|| &v / &w, &|| &a / &w, &|| &v / &b]),
        ] {
            panics.extend(operators.map(|operator| (panic_of(operator), error_of(name, &a, &b))));
        }
        assert_eq!((w.shape(), w.dtype()), (b.shape(), b.dtype()));
    }
    let fraction = panic_of(|| ones(&[2], DType::I64).unwrap() + 0.5).0;
    let last = line!();
    set_hook(hook);
    assert_eq!(panics.len(), 48);
    for ((text, (file, line)), error) in panics {
        assert_eq!(text, error);
        assert!(file.ends_with("operators.rs") && (first..last).contains(&line), "{file}:{line}");
    }
    assert!(fraction.starts_with("operator: expected "), "{fraction}");
    assert_eq!(v.array().to_vec::<f32>()?, [1.0; 6]);
    assert_eq!(tape.gradient(&loss, &v)?.unwrap().to_dense()?.to_vec::<f32>()?, [2.0; 6]);
    Ok(())
}
