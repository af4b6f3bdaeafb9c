//! A classifier of handwritten digits: 1,797 images of 8 by 8 pixels.
//!
//! ```sh
//! cargo run --release --example digits
//! ```
mod common;

use common::progress::Progress;
use common::{pictures, read_csv};
use slalom::prelude::*;
use std::error::Error;
use std::path::PathBuf;

const EPOCHS: u64 = 30;
const BATCH: usize = 32;
const PIXELS: usize = 64;

/// Images `[n, 64]` and labels `[n]`.
struct Digits {
    images: Tensor,
    labels: Tensor,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (train, test) = read_digits()?;
    slalom::random::set_seed(7);
    let model = Sequential::new()
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(32).activation(Activation::Relu))
        .add(Dense::new(10));
    let cross_entropy = SparseCategoricalCrossentropy::new().from_logits(true);
    let mut optimizer = Optimizer::new(Adam::new(0.002))?;
    let shuffle = Generator::from_seed(1);

    let n = train.labels.len();
    for epoch in 1..=EPOCHS {
        let mut progress = Progress::new(format!("epoch {epoch:2}/{EPOCHS}"), (n / BATCH) as u64, 1);
        let order: Vec<i64> = shuffle.permutation(n).into_iter().map(|row| row as i64).collect();
        let mut right = 0.0;
        for (batch, rows) in order.chunks_exact(BATCH).enumerate() {
            let rows = Tensor::from_vec([BATCH], rows.to_vec())?;
            let (images, labels) = (train.images.gather(&rows, 0)?, train.labels.gather(&rows, 0)?);
            let loss = || cross_entropy.call(&labels, &model.forward(&images)?);
            let step = optimizer.minimize(loss, || model.trainable_variables())?;
            let (loss, hits) = (step.loss()?, accuracy(&model, &images, &labels)?);
            right += hits;
            progress.step(|| format!("loss {loss:.3}, accuracy {:.3}", right / (batch + 1) as f64));
        }
        progress.finish();
    }

    let path = draw(&model, &test)?;
    println!("picture: {}", path.display());
    println!("test accuracy: {:.2}", accuracy(&model, &test.images, &test.labels)?);
    Ok(())
}

/// Every fifth row is held out for the test.
fn read_digits() -> Result<(Digits, Digits), Box<dyn Error>> {
    let (_, columns) = read_csv(include_str!("data/digits.csv"))?;
    let part = |test: bool| -> Result<Digits, Box<dyn Error>> {
        let rows: Vec<usize> = (0..columns[0].len()).filter(|row| (row % 5 == 0) == test).collect();
        let pixel = |i: usize| columns[i % PIXELS][rows[i / PIXELS]] as f32 / 16.0;
        let images = (0..rows.len() * PIXELS).map(pixel).collect();
        let labels = rows.iter().map(|&row| columns[PIXELS][row] as i32).collect();
        Ok(Digits {
            images: Tensor::from_vec([rows.len(), PIXELS], images)?,
            labels: Tensor::from_vec([rows.len()], labels)?,
        })
    };
    Ok((part(false)?, part(true)?))
}

/// The share of images whose most probable digit is the label.
fn accuracy(model: &Sequential, images: &Tensor, labels: &Tensor) -> Result<f64, slalom::Error> {
    let predicted = model.forward(images)?.argmax(-1)?.to_vec::<i64>()?;
    let labels = labels.to_vec::<i32>()?;
    let right = predicted.iter().zip(&labels).filter(|&(&p, &l)| p == l as i64).count();
    Ok(right as f64 / labels.len() as f64)
}

/// The first test images, each with the digit that the model sees in it, wrong ones in red.
fn draw(model: &Sequential, test: &Digits) -> Result<PathBuf, Box<dyn Error>> {
    let (rows, columns) = (4, 10);
    let predicted = model.forward(&test.images)?.argmax(-1)?.to_vec::<i64>()?;
    let (pixels, labels) = (test.images.to_vec::<f32>()?, test.labels.to_vec::<i32>()?);
    let path = pictures::path("digits.svg")?;
    let area = pictures::canvas(&path, (columns * 90, rows * 115))?;
    let cells = area.split_evenly((rows as usize, columns as usize));
    for (i, cell) in cells.iter().enumerate() {
        let image: Vec<f64> = pixels[i * PIXELS..][..PIXELS].iter().map(|&p| p as f64).collect();
        let (seen, label) = (predicted[i], labels[i] as i64);
        let text = if seen == label { format!("{seen}") } else { format!("{seen} (is {label})") };
        pictures::image(cell, &image, 8, &text, seen == label)?;
    }
    area.present()?;
    drop((cells, area));
    Ok(path)
}
