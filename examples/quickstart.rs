//! The smallest programs: a function of two variables, and a model whose variables come into being on first use.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```
//!
//! The last line says that both have learned.
use slalom::prelude::*;

fn main() -> Result<(), slalom::Error> {
    let far = two_variables()?;
    let [first, last] = two_layers()?;
    println!("both variables near 0: {}, loss fell a hundredfold: {}", far < 1e-9, last < first / 100.0);
    Ok(())
}

/// Minimizes 3 v1² + 2 v2²; returns how far the variables are from 0.
fn two_variables() -> Result<f64, slalom::Error> {
    let v1 = Variable::new(1.0f32).named("v1");
    let v2 = Variable::new(2.0f32).named("v2");
    let mut optimizer = Optimizer::new(Sgd::new(0.1))?;
    for _ in 0..50 {
        optimizer.minimize(|| 3.0 * &v1 * &v1 + 2.0 * &v2 * &v2, [&v1, &v2])?;
    }
    let (v1, v2) = (v1.value().item()?, v2.value().item()?);
    println!("v1 = {v1:.1e}, v2 = {v2:.1e}");
    Ok(v1.abs().max(v2.abs()))
}

/// Fits y = x² with a model that learns its input shape at the first call; its variables are listed by a closure,
/// which `minimize` calls after the loss. Returns the first and the last loss.
fn two_layers() -> Result<[f64; 2], slalom::Error> {
    let model = Sequential::new().add(Dense::new(16).activation(Activation::Relu)).add(Dense::new(1));
    let x: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
    let input = Tensor::from_vec([64, 1], x)?;
    let output = input.square();
    let mse = MeanSquaredError::new();
    let mut optimizer = Optimizer::new(Adam::new(0.02))?;
    let mut losses = Vec::new();
    for step in 0..=400 {
        let loss = || mse.call(&output, &model.forward(&input)?);
        let report = optimizer.minimize(loss, || model.trainable_variables())?;
        losses.push(report.loss()?);
        if step % 100 == 0 {
            println!("step {step:3}: loss {:.5}", losses[step]);
        }
    }
    println!("{model}");
    Ok([losses[0], losses[400]])
}
