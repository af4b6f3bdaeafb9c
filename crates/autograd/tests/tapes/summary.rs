//! Tables and drawings of what was recorded.
use slalom_array::{DType, Result};
use slalom_autograd::{GradientTape, Tensor, Trace};

#[test]
fn a_table_of_ops() -> Result<()> {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::zeros([20, 3], DType::F32)?);
    let y = x.tanh()?;
    let parts = (&y * 2.0).split(&[1, 19], 0)?;
    let _ = &parts[1] * &parts[1];
    let text = tape.summary().to_string();
    let expected = "\
node  op        inputs  results                       bytes  kept
   0  identity  -       f32 [20, 3]                     240     0
   1  tanh      0       f32 [20, 3]                     240   240
   2  multiply  1 -     f32 [20, 3]                     240     4
   3  split     2       f32 [1, 3], f32 [19, 3]         240     0
   5  multiply  4 4     f32 [19, 3]                     228   240
5 ops, 484 bytes kept";
    let trimmed = |text: &str| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(trimmed(&text), trimmed(expected), "{text}");
    let dot = tape.summary().to_dot();
    assert!(dot.contains("n1 [label=\"1 tanh\\nf32 [20, 3]\"];") && dot.contains("n3 -> n5;"), "{dot}");
    assert_eq!(dot.matches("n3 -> n5").count(), 2);
    Ok(())
}

#[test]
fn tapes_show_what_they_want_and_traces_everything() -> Result<()> {
    let trace = Trace::new()?;
    let constant = Tensor::ones([2], DType::F64)?.exp()?;
    let tape = GradientTape::new();
    let x = tape.watch(&constant);
    let _ = (&x * &constant).floor()?;
    assert_eq!(tape.summary().ops().collect::<Vec<_>>(), ["identity", "multiply"]);
    assert_eq!(trace.summary().ops().collect::<Vec<_>>(), ["exp", "identity", "multiply", "floor"]);
    Ok(())
}
