//! Layers whose activations are computed again.
use slalom_array::{Array, DType, Result};
use slalom_autograd::{GradientTape, PersistentGradientTape, Tensor, Trace, recompute_grad};
use slalom_nn::Layer;
use slalom_nn::layers::{BatchNormalization, Dropout};
use slalom_variable::Variable;
use std::sync::Arc;

fn input() -> Result<Tensor> {
    Tensor::from_vec([6, 2], (0..12).map(|i| f64::from(i * i % 7) - 2.0).collect())
}

/// Normalization and dropout.
struct Block {
    normalization: BatchNormalization,
    dropout: Dropout,
}

impl Block {
    fn new() -> Arc<Block> {
        let normalization = BatchNormalization::new().momentum(0.5);
        Arc::new(Block { normalization, dropout: Dropout::new(0.5).seed(3) })
    }

    fn call(&self, x: &Tensor) -> Result<Tensor> {
        self.dropout.call(&self.normalization.call(x, true)?.tanh()?, true)
    }

    fn wrapped(self: &Arc<Block>, x: &Tensor) -> Result<Tensor> {
        let block = Arc::clone(self);
        recompute_grad([x], move |[x]| block.call(x))
    }

    /// All variables: gamma, beta, and the moving statistics.
    fn values(&self) -> Vec<f64> {
        self.normalization.variables().iter().flat_map(|v| v.array().to_vec::<f64>().unwrap()).collect()
    }
}

/// The loss and its gradients for the input and the variables.
fn step(tape: &PersistentGradientTape, x: &Tensor, y: &Tensor, variables: &[Variable]) -> Result<Vec<Array>> {
    let loss = y.square().sum();
    let by_x = tape.gradient(&loss, x)?.unwrap().into_dense()?;
    let mut all: Vec<Array> = vec![loss.clone().into(), by_x.into()];
    for gradient in tape.gradient(&loss, variables)? {
        all.push(gradient.unwrap().into_dense()?.into());
    }
    Ok(all)
}

#[test]
fn a_block_has_the_same_gradients_and_statistics() -> Result<()> {
    let [plain, wrapped] = [Block::new(), Block::new()];
    for _ in 0..3 {
        let mut results = Vec::new();
        for (block, wrap) in [(&plain, false), (&wrapped, true)] {
            let tape = GradientTape::persistent();
            let x = tape.watch(&input()?);
            let y = if wrap { block.wrapped(&x)? } else { block.call(&x)? };
            let trained = &block.normalization.variables()[..2];
            // Twice: each time the closure runs again.
            let first = step(&tape, &x, &y, trained)?;
            let again = step(&tape, &x, &y, trained)?;
            let elements =
                |arrays: Vec<Array>| -> Result<Vec<Vec<f64>>> { arrays.iter().map(Array::to_vec).collect() };
            let (first, again) = (elements(first)?, elements(again)?);
            assert_eq!(first, again);
            results.push(first);
        }
        assert_eq!(results[0], results[1]);
        assert_eq!(plain.values(), wrapped.values());
    }
    Ok(())
}

#[test]
fn a_replay_updates_statistics_once() -> Result<()> {
    let [plain, wrapped] = [Block::new(), Block::new()];
    // Layers are built by their first call.
    for block in [&plain, &wrapped] {
        block.call(&input()?)?;
    }
    let mut plans = Vec::new();
    for (block, wrap) in [(&plain, false), (&wrapped, true)] {
        let trace = Trace::new()?;
        let tape = GradientTape::new();
        let x = tape.watch(&input()?);
        let y = if wrap { block.wrapped(&x)? } else { block.call(&x)? };
        let gradient = tape.gradient(&y.square().sum(), &x)?.unwrap().into_dense()?;
        plans.push(trace.finish(&[&y, &gradient])?);
    }
    for _ in 0..3 {
        let mut results = Vec::new();
        for plan in &mut plans {
            let out = plan.run()?;
            results.push([out[0].to_vec::<f64>()?, out[1].to_vec::<f64>()?]);
        }
        assert_eq!(results[0], results[1]);
        assert_eq!(plain.values(), wrapped.values());
    }
    Ok(())
}

#[test]
fn a_run_again_reads_what_the_first_run_read() -> Result<()> {
    // The block uses a count before and after it counts.
    let count = Variable::new(Tensor::scalar(2.0f64)).untrainable();
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::scalar(1.5f64));
    let own = count.clone();
    let y = recompute_grad([&x], move |[x]| {
        let before = x * &own * x;
        own.assign_add(Tensor::scalar(1.0f64))?;
        Ok(before * &own * x.exp()?)
    })?;
    assert_eq!(count.value().item()?, 3.0);
    count.assign(Tensor::scalar(100.0f64))?;
    let gradient = tape.gradient(&y, &x)?.unwrap().into_dense()?.item()?;
    // d/dx 2 · 3 x² eˣ
    let expected = 6.0 * (2.0 * 1.5 + 1.5 * 1.5) * 1.5f64.exp();
    assert!((gradient - expected).abs() < 1e-12 * expected, "{gradient}, not {expected}");
    assert_eq!((count.value().item()?, count.dtype()), (100.0, DType::F64));
    Ok(())
}

#[test]
fn assigning_a_watched_variable_is_an_error() -> Result<()> {
    let v = Variable::new(Tensor::scalar(2.0f64));
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::scalar(1.5f64));
    let own = v.clone();
    let result = recompute_grad([&x], move |[x]| {
        let y = x * &own;
        own.assign(Tensor::scalar(7.0f64))?;
        Ok(y)
    });
    assert_eq!(result.unwrap_err().kind(), slalom_array::ErrorKind::State);
    Ok(())
}
