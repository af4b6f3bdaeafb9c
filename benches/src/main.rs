//! Slalom's workloads, in the protocol of `peers/README.md`: `slalom-workloads MODE WORD...`.
//!
//! Modes: `eager` records and differentiates at each step (`minimize`), `graph` replays (`minimize_op`).
#[path = "../peers/bench.rs"]
#[allow(unreachable_pub, missing_docs, clippy::all, reason = "shared with the peers, which have other lints")]
mod bench;

use bench::{Work, randint, randn};
use slalom::initializers::{Initializer, RandomUniform};
use slalom::optimizers::AdamW;
use slalom::prelude::*;

type Made = slalom::Result<Work>;

fn tensor(shape: &[usize], seed: u64, scale: f32) -> slalom::Result<Tensor> {
    Tensor::from_vec(shape, randn(shape.iter().product(), seed, scale))
}

fn variable(shape: &[usize], seed: u64, scale: f32) -> slalom::Result<Variable> {
    Ok(Variable::new(tensor(shape, seed, scale)?))
}

fn zeros(n: usize) -> slalom::Result<Variable> {
    Ok(Variable::new(Array::zeros([n], DType::F32)?))
}

/// A training loop in either mode.
fn train(
    mode: &str,
    mut optimizer: Optimizer,
    variables: Vec<Variable>,
    loss: impl FnMut() -> slalom::Result<Tensor> + 'static,
) -> Made {
    let mut loss = loss;
    if mode == "graph" {
        // The operation borrows the optimizer; both live as long as the process.
        let optimizer: &'static mut Optimizer = Box::leak(Box::new(optimizer));
        let mut op = optimizer.minimize_op(loss, variables)?;
        return Ok(Box::new(move |want| {
            let report = op.run().expect("a step");
            if want { report.loss().expect("a scalar") as f32 } else { 0.0 }
        }));
    }
    Ok(Box::new(move |want| {
        let report = optimizer.minimize(&mut loss, &variables).expect("a step");
        if want { report.loss().expect("a scalar") as f32 } else { 0.0 }
    }))
}

fn w1(mode: &str) -> Made {
    let (v1, v2) = (Variable::new(1.0f32), Variable::new(2.0f32));
    let variables = vec![v1.clone(), v2.clone()];
    train(mode, Optimizer::new(Sgd::new(0.1))?, variables, move || Ok(3.0 * &v1 * &v1 + 2.0 * &v2 * &v2))
}

fn w2(mode: &str) -> Made {
    let (x, y) = (tensor(&[1000, 10], 1, 1.0)?, tensor(&[1000, 1], 2, 1.0)?);
    let (w, b) = (variable(&[10, 1], 3, 1.0)?, zeros(1)?);
    let variables = vec![w.clone(), b.clone()];
    let loss = move || x.linear(&w, Some(&b.value()), FusedActivation::Linear)?.mse(&y);
    train(mode, Optimizer::new(Sgd::new(0.01))?, variables, loss)
}

fn w3(mode: &str, batch: usize) -> Made {
    let x = Tensor::from_vec([batch, 784], bench::w3_f32("x")[..batch * 784].to_vec())?;
    let y = Tensor::from_vec([batch], bench::w3_labels()[..batch].iter().map(|&y| y as i32).collect())?;
    let layer = |i: usize, rows: usize, columns: usize| -> slalom::Result<[Variable; 2]> {
        let w = Tensor::from_vec([rows, columns], bench::w3_f32(&format!("w{i}")))?;
        Ok([Variable::new(w), zeros(columns)?])
    };
    let [[w1, b1], [w2, b2], [w3, b3]] = [layer(1, 784, 512)?, layer(2, 512, 256)?, layer(3, 256, 10)?];
    let variables = [&w1, &b1, &w2, &b2, &w3, &b3].map(Variable::clone).to_vec();
    let loss = move || {
        let h = x.linear(&w1, Some(&b1.value()), FusedActivation::Relu)?;
        let h = h.linear(&w2, Some(&b2.value()), FusedActivation::Relu)?;
        let logits = h.linear(&w3, Some(&b3.value()), FusedActivation::Linear)?;
        logits.sparse_softmax_cross_entropy_with_logits(&y)?.mean()
    };
    train(mode, Optimizer::new(Adam::new(1e-3).epsilon(1e-12))?, variables, loss)
}

/// Only the update: the gradients are given.
fn w4(kind: &str) -> Result<Work, String> {
    let (count, size) = if kind == "adam_1000x1000" { (1000, 1000) } else { (100, 250_000) };
    let optimizer = match kind {
        "sgd" => Optimizer::new(Sgd::new(1e-3)),
        "momentum" => Optimizer::new(Sgd::new(1e-3).momentum(0.9)),
        "adam" | "adam_1000x1000" => Optimizer::new(Adam::new(1e-3)),
        "adamw" => Optimizer::new(AdamW::new(1e-3)),
        "adam_clip" => Optimizer::new(Adam::new(1e-3)).and_then(|o| o.global_clipnorm(1.0)),
        _ => return Err(format!("slalom has no {kind} yet")),
    };
    let made = || -> slalom::Result<_> {
        let variables = (0..count).map(|i| variable(&[size], i, 1.0)).collect::<Result<Vec<_>, _>>()?;
        let gradients = (0..count).map(|i| tensor(&[size], 1000 + i, 0.1)).collect::<Result<Vec<_>, _>>()?;
        Ok((optimizer?, variables, gradients))
    };
    let (mut optimizer, variables, gradients) = made().map_err(|error| error.to_string())?;
    Ok(Box::new(move |_| {
        let gradients = gradients.iter().map(|g| Gradient::from(g.clone()));
        optimizer.apply_gradients(gradients.zip(&variables)).expect("a step");
        0.0
    }))
}

fn w5(row: &str) -> Made {
    let (m, k, n, transposed) = bench::w5_dims(row);
    let a = if transposed { tensor(&[k, m], 1, 1.0)? } else { tensor(&[m, k], 1, 1.0)? };
    let b = tensor(&[k, n], 2, 1.0)?;
    Ok(Box::new(move |_| {
        a.matmul_transposed(&b, transposed, false).expect("a product");
        0.0
    }))
}

/// `n` labels below 10.
fn labels(n: usize) -> slalom::Result<Tensor> {
    Tensor::from_vec([n], randint(n, 10, 1).into_iter().map(|y| y as i32).collect())
}

fn w6(mode: &str) -> Made {
    let (x, y) = (tensor(&[64, 28, 28, 1], 1, 1.0)?, labels(64)?);
    // As PyTorch begins: deviations near those of its uniform distributions.
    let layer = |shape: &[usize], seed: u64| -> slalom::Result<[Variable; 2]> {
        let inputs: usize = shape[..shape.len() - 1].iter().product();
        let scale = (3.0 * inputs as f32).sqrt().recip();
        Ok([variable(shape, seed, scale)?, zeros(shape[shape.len() - 1])?])
    };
    let ([k1, c1], [k2, c2]) = (layer(&[3, 3, 1, 32], 2)?, layer(&[3, 3, 32, 64], 3)?);
    let ([w1, b1], [w2, b2]) = (layer(&[9216, 128], 4)?, layer(&[128, 10], 5)?);
    let variables = [&k1, &c1, &k2, &c2, &w1, &b1, &w2, &b2].map(Variable::clone).to_vec();
    let options = ConvOptions::new();
    let loss = move || {
        let h = x.convolution_with(&k1, Some(&c1.value()), FusedActivation::Relu, &options)?;
        let h = h.convolution_with(&k2, Some(&c2.value()), FusedActivation::Relu, &options)?;
        let h = h.max_pool(&[2], &[2], &Padding::Valid)?.reshape([64, 9216])?;
        let h = h.linear(&w1, Some(&b1.value()), FusedActivation::Relu)?;
        let logits = h.linear(&w2, Some(&b2.value()), FusedActivation::Linear)?;
        logits.sparse_softmax_cross_entropy_with_logits(&y)?.mean()
    };
    train(mode, Optimizer::new(Adam::new(1e-3))?, variables, loss)
}

fn w7(mode: &str, kind: &str) -> Made {
    let (rows, bags, bag) = (200_000, 1024, 16);
    let (table, w, b) = (variable(&[rows, 64], 1, 1.0)?, variable(&[64, 1], 2, 0.1)?, zeros(1)?);
    let y = tensor(&[bags, 1], 3, 1.0)?;
    let indices = (0..16)
        .map(|seed| {
            let drawn = randint(bags * bag, rows as u64, 100 + seed).into_iter().map(|i| i as i32).collect();
            Tensor::from_vec([bags, bag], drawn)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if mode == "graph" {
        return Err(slalom::Error::other("the batches change from step to step"));
    }
    let optimizer = match kind {
        "sgd" => Optimizer::new(Sgd::new(0.01))?,
        "lazy_adam" => Optimizer::new(Adam::new(1e-3).lazy(true))?,
        _ => Optimizer::new(Adam::new(1e-3))?,
    };
    let variables = vec![table.clone(), w.clone(), b.clone()];
    let mut at = 0;
    train(mode, optimizer, variables, move || {
        at = (at + 1) % indices.len();
        let mean = table.value().gather(&indices[at], 0)?.mean_axes(&[1], false)?;
        mean.linear(&w, Some(&b.value()), FusedActivation::Linear)?.mse(&y)
    })
}

/// The variables of a linear map, from uniform numbers in `±1/√inputs` as torch draws them.
fn linear(inputs: usize, outputs: usize, seed: u64) -> slalom::Result<[Variable; 2]> {
    let bound = 1.0 / (inputs as f64).sqrt();
    let draw = |shape: &[usize], seed| {
        RandomUniform::new(-bound, bound).seed(seed).initialize(&shape.into(), DType::F32)
    };
    Ok([Variable::new(draw(&[inputs, outputs], seed)?), Variable::new(draw(&[outputs], seed + 1)?)])
}

fn ones(n: usize) -> slalom::Result<Variable> {
    Ok(Variable::new(Array::ones([n], DType::F32)?))
}

/// `x w + b`
fn apply(x: &Tensor, [w, b]: &[Variable; 2]) -> slalom::Result<Tensor> {
    x.linear(w, Some(&b.value()), FusedActivation::Linear)
}

fn layer_norm(x: &Tensor, [gamma, beta]: &[Variable; 2]) -> slalom::Result<Tensor> {
    x.layer_norm(&[-1], Some(&gamma.value()), Some(&beta.value()), 1e-5)
}

/// A block of a transformer: normalization before attention and before the two dense layers.
struct Block {
    norms: [[Variable; 2]; 2],
    qkv: [Variable; 2],
    proj: [Variable; 2],
    up: [Variable; 2],
    down: [Variable; 2],
}

impl Block {
    fn new(d: usize, seed: u64) -> slalom::Result<Block> {
        let norm = || Ok::<_, slalom::Error>([ones(d)?, zeros(d)?]);
        Ok(Block {
            norms: [norm()?, norm()?],
            qkv: linear(d, 3 * d, seed)?,
            proj: linear(d, d, seed + 2)?,
            up: linear(d, 4 * d, seed + 4)?,
            down: linear(4 * d, d, seed + 6)?,
        })
    }

    fn variables(&self) -> impl Iterator<Item = Variable> {
        let all = [&self.norms[0], &self.norms[1], &self.qkv, &self.proj, &self.up, &self.down];
        all.into_iter().flatten().cloned()
    }

    fn forward(&self, x: &Tensor, heads: usize) -> slalom::Result<Tensor> {
        let &[batch, steps, d] = &x.shape()[..] else { unreachable!("three axes") };
        let qkv = apply(&layer_norm(x, &self.norms[0])?, &self.qkv)?.split(&[d; 3], -1)?;
        let head = |i: usize| qkv[i].reshape([batch, steps, heads, d / heads]);
        let attention = head(0)?.dot_product_attention(&head(1)?, &head(2)?, None, true, None)?;
        let x = x + apply(&attention.reshape([batch, steps, d])?, &self.proj)?;
        let up = apply(&layer_norm(&x, &self.norms[1])?, &self.up)?.gelu()?;
        Ok(&x + apply(&up, &self.down)?)
    }
}

fn w8(mode: &str) -> Made {
    let (vocab, d, steps, batch) = (65, 128, 64, 16);
    let index =
        |n: usize, seed| randint(n, vocab as u64, seed).into_iter().map(|i| i as i32).collect::<Vec<_>>();
    let i = Tensor::from_vec([batch, steps], index(batch * steps, 1))?;
    let y = Tensor::from_vec([batch * steps], index(batch * steps, 2))?;
    let (tok, pos) = (variable(&[vocab, d], 3, 1.0)?, variable(&[steps, d], 4, 0.02)?);
    let blocks = [Block::new(d, 10)?, Block::new(d, 20)?];
    let (norm, head) = ([ones(d)?, zeros(d)?], linear(d, vocab, 30)?);
    let ends = [&tok, &pos].into_iter().chain(&norm).chain(&head).cloned();
    let variables = ends.chain(blocks.iter().flat_map(Block::variables)).collect();
    let loss = move || {
        let mut x = tok.value().gather(&i, 0)? + &pos;
        for block in &blocks {
            x = block.forward(&x, 4)?;
        }
        let logits = apply(&layer_norm(&x, &norm)?, &head)?.reshape([batch * steps, vocab])?;
        logits.sparse_softmax_cross_entropy_with_logits(&y)?.mean()
    };
    train(mode, Optimizer::new(AdamW::new(3e-4).weight_decay(0.01))?, variables, loss)
}

fn w10(mode: &str) -> Made {
    let (steps, batch, features, units) = (50, 32, 64, 128);
    let x = tensor(&[steps, batch, features], 1, 1.0)?;
    let y = Tensor::from_vec([batch], randint(batch, 10, 2).into_iter().map(|y| y as i32).collect())?;
    let [[kernel, bias], [recurrent, _]] = [linear(features, 4 * units, 10)?, linear(units, 4 * units, 20)?];
    let head = linear(units, 10, 30)?;
    let state = Tensor::zeros([batch, units], DType::F32)?;
    let variables = [&kernel, &bias, &recurrent, &head[0], &head[1]].map(Variable::clone).to_vec();
    let loss = move || {
        let z = x.linear(&kernel, Some(&bias.value()), FusedActivation::Linear)?;
        let [h, _] = z.lstm(&recurrent, &state, &state)?;
        let last = h.slice(0, steps - 1, 1)?.reshape([batch, units])?;
        apply(&last, &head)?.sparse_softmax_cross_entropy_with_logits(&y)?.mean()
    };
    train(mode, Optimizer::new(Adam::new(1e-3))?, variables, loss)
}

fn w9() -> Made {
    let n = 4_000_000;
    let (x, w, b) = (tensor(&[n], 1, 1.0)?, variable(&[n], 2, 1.0)?, variable(&[n], 3, 1.0)?);
    Ok(Box::new(move |_| {
        let tape = GradientTape::new();
        let loss = (&x * &w + &b).tanh().and_then(|y| y.square().mean()).expect("a loss");
        tape.gradient(&loss, [&w, &b]).expect("gradients");
        0.0
    }))
}

fn w12(mode: &str) -> Made {
    let (v, w) = (Variable::new(0.5f32), Tensor::scalar(1.01f32));
    let chain = move |v: &Variable| -> slalom::Result<(Tensor, Tensor)> {
        let tape = GradientTape::new();
        let mut h = v.value();
        for _ in 0..5000 {
            h = h.tanh()? * &w;
        }
        let gradient = tape.gradient(&h, v)?.expect("a gradient").to_dense()?;
        Ok((h, gradient))
    };
    if mode == "graph" {
        let trace = Trace::new()?;
        let (h, gradient) = chain(&v)?;
        let mut plan = trace.finish(&[&h, &gradient])?;
        return Ok(Box::new(move |_| {
            plan.run().expect("a run");
            0.0
        }));
    }
    Ok(Box::new(move |_| {
        chain(&v).expect("a gradient");
        0.0
    }))
}

fn make(mode: &str, row: &str) -> Result<Work, String> {
    let made = match row {
        "W1" => w1(mode),
        "W2" => w2(mode),
        "W3.b32" => w3(mode, 32),
        "W3.b128" => w3(mode, 128),
        "W3.b1024" => w3(mode, 1024),
        _ if row.starts_with("W4") => return w4(&row[3..]),
        _ if row.starts_with("W5") => w5(row),
        "W6" => w6(mode),
        "W7.sgd" | "W7.adam" | "W7.lazy_adam" => w7(mode, &row[3..]),
        "W8" => w8(mode),
        "W9" => w9(),
        "W10" => w10(mode),
        "W12" => w12(mode),
        _ => return Err("not written yet".into()),
    };
    made.map_err(|error| error.to_string())
}

fn main() {
    bench::main("slalom", make);
}
