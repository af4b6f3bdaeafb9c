//! Each rule gives the same bits at 1, 2, 4 and 8 threads, by dense and by sparse gradients, also where a training is resumed at
//! another number of them.
mod common;

use rayon::ThreadPoolBuilder;
use slalom_array::{Array, Generator, Result};
use slalom_autograd::Tensor;
use slalom_checkpoint::Checkpoint;
use slalom_optim::rules;
use slalom_variable::Variable;
use std::fs;
use std::path::Path;

/// Variables and their loss.
struct Model {
    variables: Vec<Variable>,
    loss: Box<dyn Fn() -> Result<Tensor>>,
}

fn normal(random: &Generator, shape: [usize; 2], deviation: f32) -> Result<Array> {
    let mut elements = vec![0.0f32; shape[0] * shape[1]];
    random.normal(0.0, deviation, &mut elements);
    Array::from_vec(shape, elements)
}

/// A model that is large enough to be cut into chunks.
fn dense() -> Result<Model> {
    let random = Generator::from_seed(11);
    let x = Tensor::from(normal(&random, [67, 213], 1.0)?);
    let y = Tensor::from(normal(&random, [67, 5], 1.0)?);
    let w1 = Variable::new(normal(&random, [213, 301], 0.05)?).named("w1");
    let w2 = Variable::new(normal(&random, [301, 5], 0.05)?).named("w2");
    let variables = vec![w1.clone(), w2.clone()];
    Ok(Model { variables, loss: Box::new(move || x.matmul(&w1)?.tanh()?.matmul(&w2)?.mse(&y)) })
}

/// A table of which some 4,400 of 6,000 rows are gathered, 141,000 elements, in no order and many of them several times.
fn sparse() -> Result<Model> {
    let random = Generator::from_seed(12);
    let mut ids = vec![0i32; 8000];
    random.uniform_int(0, 6000, &mut ids);
    let (ids, y) = (Tensor::from_vec([8000], ids)?, Tensor::from(normal(&random, [8000, 32], 1.0)?));
    let table = Variable::new(normal(&random, [6000, 32], 0.05)?).named("table");
    let variables = vec![table.clone()];
    Ok(Model { variables, loss: Box::new(move || table.value().gather(&ids, 0)?.mse(&y)) })
}

/// Trains a model, from the checkpoint if there is one, and saves it.
fn train(class: &str, model: fn() -> Result<Model>, path: &Path, steps: usize) -> Result<()> {
    let Model { variables, loss } = model()?;
    let mut optimizer = common::optimizer(class)?;
    if optimizer.rule().search().is_none() {
        optimizer.set_global_clipnorm(Some(0.5))?;
    }
    if path.exists() {
        Checkpoint::load(path)?.restore().optimizer(&mut optimizer, &variables)?.apply()?;
    }
    for _ in 0..steps {
        optimizer.minimize(&*loss, &variables)?;
    }
    Checkpoint::new().optimizer(&optimizer, &variables)?.save(path)
}

/// Compares trainings of `2 · half` steps at several numbers of threads, whole and resumed.
fn same_bits(class: &str, model: fn() -> Result<Model>, half: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = |name: String, parts: &[(usize, usize)]| -> Result<Vec<u8>> {
        let path = folder.path().join(name);
        for &(threads, steps) in parts {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| train(class, model, &path, steps))?;
        }
        Ok(fs::read(path)?)
    };
    let expected = run("1".to_owned(), &[(1, 2 * half)])?;
    for threads in [2, 4, 8] {
        let whole = run(threads.to_string(), &[(threads, 2 * half)])?;
        assert!(whole == expected, "{class}, {threads} threads");
        let resumed = run(format!("{threads}-resumed"), &[(threads, half), (9 - threads, half)])?;
        assert!(resumed == expected, "{class}, {threads} threads, resumed");
    }
    Ok(())
}

fn classes() -> impl Iterator<Item = &'static str> {
    rules::registry().entries().map(|entry| entry.class_name)
}

#[test]
fn at_any_number_of_threads_resumed_or_not() -> Result<()> {
    classes().try_for_each(|class| same_bits(class, dense, 2))
}

#[test]
fn by_sparse_gradients_at_any_number_of_threads() -> Result<()> {
    classes().try_for_each(|class| same_bits(class, sparse, 1))
}
