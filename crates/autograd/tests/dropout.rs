//! Dropout draws anew at each application and each replay, and its gradient has the mask of its result.
use slalom_array::{DType, Generator, Result};
use slalom_autograd::{GradientTape, Tensor, Trace};
use std::sync::Arc;

#[test]
fn a_replay_draws_anew_and_its_gradient_agrees() -> Result<()> {
    let generator = Arc::new(Generator::from_seed(3));
    let trace = Trace::new()?;
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::ones([1000], DType::F32)?);
    let y = x.dropout(0.25, &generator)?;
    let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
    let mut plan = trace.finish(&[&y, &gradient])?;
    let mut before = Vec::new();
    for _ in 0..3 {
        let results = plan.run()?;
        let y = results[0].to_vec::<f32>()?;
        assert_eq!(results[1].to_vec::<f32>()?, y);
        assert_ne!(y, before);
        let kept = y.iter().filter(|&&y| y > 0.0).count();
        assert!((650..850).contains(&kept), "{kept}");
        before = y;
    }
    Ok(())
}

#[test]
fn the_state_of_the_generator_resumes_it() -> Result<()> {
    let generator = Arc::new(Generator::from_seed(3));
    let x = Tensor::ones([100], DType::F64)?;
    x.dropout(0.5, &generator)?;
    let state = generator.state();
    let first = x.dropout(0.5, &generator)?.to_vec::<f64>()?;
    generator.set_state(state);
    assert_eq!(x.dropout(0.5, &generator)?.to_vec::<f64>()?, first);
    assert_ne!(x.dropout(0.5, &generator)?.to_vec::<f64>()?, first);
    Ok(())
}
