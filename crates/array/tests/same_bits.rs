//! The same bits at any number of threads: normalization, attention, recurrent layers and dropout, of sizes at which work
//! is cut into many shares.
use rayon::ThreadPoolBuilder;
use slalom_array::{
    Array, Attention, DType, Philox, Result, attention, attention_grad, batch_norm, batch_norm_grad, dropout,
    gru, gru_grad, layer_norm, layer_norm_grad, lstm, lstm_grad,
};

fn array(shape: &[usize], seed: u64) -> Array {
    let mut elements = vec![0.0f32; shape.iter().product()];
    Philox::new(seed).uniform(0, -1.0, 1.0, &mut elements);
    Array::from_vec(shape, elements).unwrap()
}

/// Checks that the results have the same bits on pools of different sizes.
fn same_bits(what: &str, f: impl Fn() -> Result<Vec<Array>> + Sync) {
    let run = |threads: usize| -> Vec<Vec<u32>> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let results = pool.install(&f).unwrap();
        results.iter().map(|a| a.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()).collect()
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{what}: {threads} threads");
    }
}

#[test]
fn normalization() {
    for (rows, n) in [(3001, 65), (50_000, 3), (5, 30_001)] {
        let (x, g) = (array(&[rows, n], 1), array(&[rows, n], 2));
        let (gamma, beta) = (array(&[n], 3), array(&[n], 4));
        same_bits("layer_norm", || {
            let [y, mean, rstd] = layer_norm(&x, &gamma, &beta, 1e-3)?;
            let gradients = layer_norm_grad(&x, &gamma, &mean, &rstd, &g)?;
            Ok([vec![y, mean, rstd], gradients.to_vec()].concat())
        });
        same_bits("batch_norm", || {
            let [y, mean, variance] = batch_norm(&x, &gamma, &beta, 1e-3)?;
            let gradients = batch_norm_grad(&x, &gamma, &mean, &variance, &g, 1e-3)?;
            Ok([vec![y, mean, variance], gradients.to_vec()].concat())
        });
    }
}

#[test]
fn attention_and_its_gradients() {
    for (batch, steps, heads, causal) in [(3, 130, 4, true), (1, 300, 1, false)] {
        let [q, k, v, g] = [1, 2, 3, 4].map(|seed| array(&[batch, steps, heads, 33], seed));
        let options = Attention { scale: 0.2, causal };
        same_bits("attention", || {
            let [y, sums] = attention(&q, &k, &v, None, options)?;
            let gradients = attention_grad([&q, &k, &v], None, [&y, &sums], &g, options)?;
            Ok([vec![y, sums], gradients.to_vec()].concat())
        });
    }
}

#[test]
fn recurrent_layers() {
    let (steps, batch, n) = (7, 70, 40);
    let (z, weights) = (array(&[steps, batch, 4 * n], 1), array(&[n, 4 * n], 2));
    let (state, g) = (array(&[batch, n], 3), array(&[steps, batch, n], 4));
    same_bits("lstm", || {
        let [h, c, gates] = lstm(&z, &weights, &state, &state)?;
        let gradients = lstm_grad(&weights, [&state, &state], [&h, &c, &gates], [&g, &g])?;
        Ok([vec![h, c], gradients.to_vec()].concat())
    });
    let (z, weights, bias) = (array(&[steps, batch, 3 * n], 1), array(&[n, 3 * n], 2), array(&[3 * n], 5));
    same_bits("gru", || {
        let [h, gates] = gru(&z, &weights, &bias, &state)?;
        let gradients = gru_grad(&weights, &state, [&h, &gates], &g)?;
        Ok([vec![h], gradients.to_vec()].concat())
    });
}

#[test]
fn dropout_draws_by_the_counter() {
    let x = Array::ones([100_003], DType::F32).unwrap();
    same_bits("dropout", || Ok(vec![dropout(&x, 0.3, Philox::new(5), 77)?]));
}
