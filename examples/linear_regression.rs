//! Linear regression on real data: disease progression from ten measurements of 442 patients.
//!
//! ```sh
//! cargo run --release --example linear_regression
//! ```
mod common;

use common::progress::Progress;
use common::{Column, pictures, read_csv};
use slalom::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const STEPS: u64 = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let (names, mut columns) = read_csv(include_str!("data/diabetes.csv"))?;
    let target = columns.pop().ok_or("a target column")?;
    columns.iter_mut().for_each(standardize);
    let (rows, features) = (target.len(), columns.len());
    let x = (0..rows * features).map(|i| columns[i % features][i / features]).collect::<Vec<f64>>();
    let x = Tensor::from_vec([rows, features], x)?;
    let y = Tensor::from_vec([rows, 1], target.clone())?;

    // The model: one weight for each feature, and a bias.
    let weights = Variable::new(Array::zeros([features, 1], DType::F64)?).named("weights");
    let bias = Variable::new(Array::zeros([1], DType::F64)?).named("bias");
    let predict = || Ok::<Tensor, slalom::Error>(x.matmul(&weights)? + &bias);

    // One line trains it: record the loss, differentiate it, update both variables.
    let mse = MeanSquaredError::new();
    let mut optimizer = Optimizer::new(Sgd::new(0.05).momentum(0.9))?;
    let mut losses = Vec::new();
    let mut progress = Progress::new("training", STEPS, 10);
    for _ in 0..STEPS {
        let step = optimizer.minimize(|| mse.call(&y, &predict()?), [&weights, &bias])?;
        losses.push(step.loss()?);
        progress.step(|| format!("mse {:.1}", losses[losses.len() - 1]));
    }
    progress.finish();

    println!("\n{:>12}  weight", "feature");
    for (name, weight) in names.iter().zip(weights.array().to_vec::<f64>()?) {
        println!("{name:>12}  {weight:8.3}");
    }
    println!("{:>12}  {:8.3}\n", "bias", bias.array().item()?);

    let predicted = predict()?.to_vec::<f64>()?;
    let path = draw(&losses, &target, &predicted)?;
    println!("picture: {}", path.display());
    let error = mse.call(&y, &predict()?)?.item()?;
    let mean = target.iter().sum::<f64>() / rows as f64;
    let variance = target.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / rows as f64;
    println!("mse: {error:.1}  r2: {:.4}", 1.0 - error / variance);
    Ok(())
}

/// Mean 0 and variance 1.
fn standardize(column: &mut Column) {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let deviation = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    column.iter_mut().for_each(|x| *x = (*x - mean) / deviation);
}

/// The loss at each step, and the predictions against the truth.
fn draw(losses: &[f64], truth: &[f64], predicted: &[f64]) -> Result<PathBuf, Box<dyn Error>> {
    let path = pictures::path("linear_regression.svg")?;
    let area = pictures::canvas(&path, (1000, 450))?;
    let (left, right) = area.split_horizontally(500);
    pictures::line(&left, "Loss", "step", "mean squared error", losses)?;
    let points: Vec<(f64, f64)> = truth.iter().copied().zip(predicted.iter().copied()).collect();
    pictures::scatter(&right, "Progression after one year", ("measured", "predicted"), &points)?;
    area.present()?;
    drop((left, right, area));
    Ok(path)
}
