//! Each rule gives the same bits at 1, 2, 4 and 8 threads, also where a training is resumed at another number of them.
mod common;

use rayon::ThreadPoolBuilder;
use slalom_array::{Array, Generator, Result};
use slalom_autograd::Tensor;
use slalom_checkpoint::Checkpoint;
use slalom_optim::rules;
use slalom_variable::Variable;
use std::fs;
use std::path::Path;

/// Trains a model that is large enough to be cut into chunks, from the checkpoint if there is one, and saves it.
fn train(class: &str, path: &Path, steps: usize) -> Result<()> {
    let random = Generator::from_seed(11);
    let normal = |shape: [usize; 2], deviation: f32| -> Result<Array> {
        let mut elements = vec![0.0f32; shape[0] * shape[1]];
        random.normal(0.0, deviation, &mut elements);
        Array::from_vec(shape, elements)
    };
    let (x, y) = (Tensor::from(normal([67, 213], 1.0)?), Tensor::from(normal([67, 5], 1.0)?));
    let variables = [
        Variable::new(normal([213, 301], 0.05)?).named("w1"),
        Variable::new(normal([301, 5], 0.05)?).named("w2"),
    ];
    let mut optimizer = common::optimizer(class)?;
    if optimizer.rule().search().is_none() {
        optimizer.set_global_clipnorm(Some(0.5))?;
    }
    if path.exists() {
        Checkpoint::load(path)?.restore().optimizer(&mut optimizer, &variables)?.apply()?;
    }
    for _ in 0..steps {
        optimizer.minimize(|| x.matmul(&variables[0])?.tanh()?.matmul(&variables[1])?.mse(&y), &variables)?;
    }
    Checkpoint::new().optimizer(&optimizer, &variables)?.save(path)
}

#[test]
fn at_any_number_of_threads_resumed_or_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for class in rules::registry().entries().map(|entry| entry.class_name) {
        let run = |name: String, parts: &[(usize, usize)]| -> Result<Vec<u8>> {
            let path = folder.path().join(name);
            for &(threads, steps) in parts {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                pool.install(|| train(class, &path, steps))?;
            }
            Ok(fs::read(path)?)
        };
        let expected = run(format!("{class}-1"), &[(1, 4)])?;
        for threads in [2, 4, 8] {
            assert!(
                run(format!("{class}-{threads}"), &[(threads, 4)])? == expected,
                "{class}, {threads} threads"
            );
            let resumed = run(format!("{class}-{threads}-resumed"), &[(threads, 2), (9 - threads, 2)])?;
            assert!(resumed == expected, "{class}, {threads} threads, resumed");
        }
    }
    Ok(())
}
