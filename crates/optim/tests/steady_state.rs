//! Memory in steady state. Alone in its process, whose pool it watches.
use slalom_array::{Array, DType, Result, memory};
use slalom_optim::Optimizer;
use slalom_optim::rules::Adam;
use slalom_variable::Variable;

#[test]
fn a_step_in_steady_state_takes_no_memory_and_copies_nothing() -> Result<()> {
    let variables: Vec<Variable> =
        [3, 1000, 100_000].iter().map(|&n| Variable::new(Array::zeros([n], DType::F32).unwrap())).collect();
    let mut opt = Optimizer::new(Adam::new(0.1))?.global_clipnorm(1.0)?;
    let loss =
        || variables.iter().map(|v| (v.value() - 1.0).square().sum()).reduce(|a, b| a + b).expect("three");
    for _ in 0..3 {
        opt.minimize(loss, &variables)?;
    }
    let before = memory::stats();
    for _ in 0..10 {
        opt.minimize(loss, &variables)?;
    }
    let after = memory::stats();
    assert_eq!((after.allocations, after.copies), (before.allocations, before.copies));
    Ok(())
}
