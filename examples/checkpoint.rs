//! A training that stops in the middle, without a warning, and is resumed with the same bits.
//!
//! The program calls itself for the part that stops. Run: `cargo run --release --example checkpoint`
use slalom::checkpoint::{Better, Checkpoint, Rotation};
use slalom::prelude::*;
use slalom::schedules::CosineDecay;
use std::path::Path;
use std::process::{self, Command};
use std::{env, fs};

const STEPS: u64 = 300;
const FOLDER: &str = "out/checkpoints";

/// Everything that changes while it trains.
struct Training {
    model: Sequential,
    optimizer: Optimizer,
    /// Draws the batches.
    data: Generator,
    step: u64,
}

impl Training {
    fn new() -> slalom::Result<Training> {
        slalom::random::set_seed(1);
        let model = Sequential::new().add(Dense::new(32).activation(Activation::Tanh)).add(Dense::new(1));
        // The first call makes the variables.
        model.forward(&Tensor::zeros([1, 2], DType::F32)?)?;
        let optimizer = Optimizer::new(Adam::new(CosineDecay::new(0.01, STEPS)))?;
        Ok(Training { model, optimizer, data: Generator::from_seed(2), step: 0 })
    }

    /// One step on a batch of random points: the model learns to multiply two numbers.
    fn step(&mut self) -> slalom::Result<f64> {
        let mut points = vec![0.0f32; 2 * 64];
        self.data.uniform(-1.0, 1.0, &mut points);
        let products: Vec<f32> = points.chunks(2).map(|point| point[0] * point[1]).collect();
        let (x, y) = (Tensor::from_vec([64, 2], points)?, Tensor::from_vec([64, 1], products)?);
        let loss = || self.model.forward(&x)?.mse(&y);
        let report = self.optimizer.minimize(loss, || self.model.trainable_variables())?;
        self.step += 1;
        report.loss()
    }

    /// Trains to the end, or until something happens; saves every 20 steps.
    fn run(&mut self, rotation: &Rotation, stop_at: Option<u64>) -> slalom::Result<()> {
        while self.step < STEPS {
            let loss = self.step()?;
            if self.step.is_multiple_of(20) {
                rotation.save(self.step, Some(loss), &self.checkpoint()?)?;
            }
            if Some(self.step) == stop_at {
                process::abort();
            }
        }
        Ok(())
    }

    fn checkpoint(&self) -> slalom::Result<Checkpoint> {
        let checkpoint = Checkpoint::new().optimizer(&self.optimizer, self.model.variables())?;
        Ok(checkpoint.generator("data", &self.data).value("step", self.step))
    }

    fn resume(&mut self, path: &Path) -> slalom::Result<()> {
        let checkpoint = Checkpoint::load(path)?;
        let restoration = checkpoint.restore().optimizer(&mut self.optimizer, self.model.variables())?;
        restoration.generator("data", &self.data).apply()?;
        self.step = checkpoint.get_value("step")?.as_u64().unwrap_or(0);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rotation = Rotation::new(Path::new(FOLDER).join("stopped")).keep_last(2).keep_best(1, Better::Lower);
    if env::args().nth(1).is_some() {
        return Ok(Training::new()?.run(&rotation, Some(137))?);
    }
    let _ = fs::remove_dir_all(FOLDER);
    let status = Command::new(env::current_exe()?).arg("stop").status()?;
    println!("the training stopped at step 137: {status}");

    let mut resumed = Training::new()?;
    resumed.resume(&rotation.latest()?.ok_or("no checkpoint")?)?;
    println!("resumed at step {}", resumed.step);
    resumed.run(&rotation, None)?;

    let whole = Rotation::new(Path::new(FOLDER).join("whole")).keep_last(1);
    Training::new()?.run(&whole, None)?;
    let bytes = |rotation: &Rotation| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        Ok(fs::read(rotation.latest()?.ok_or("no checkpoint")?)?)
    };
    println!("the same bits as without a stop: {}", bytes(&rotation)? == bytes(&whole)?);
    Ok(())
}
