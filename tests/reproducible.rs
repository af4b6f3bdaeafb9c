//! The same program gives the same bits: at any number of threads, and replayed or not.
use rayon::ThreadPoolBuilder;
use slalom::prelude::*;

/// Trains a model that is large enough to be cut into chunks; the bits of all losses and weights.
fn train(replay: bool) -> slalom::Result<Vec<u32>> {
    let random = Generator::from_seed(11);
    let normal = |shape: [usize; 2], deviation: f32| -> slalom::Result<Array> {
        let mut elements = vec![0.0f32; shape[0] * shape[1]];
        random.normal(0.0, deviation, &mut elements);
        Array::from_vec(shape, elements)
    };
    let x = Tensor::from(normal([97, 413], 1.0)?);
    let y = Tensor::from(normal([97, 7], 1.0)?);
    let w1 = Variable::new(normal([413, 611], 0.05)?);
    let b1 = Variable::new(Array::zeros([611], DType::F32)?);
    let w2 = Variable::new(normal([611, 7], 0.05)?);
    let loss = || {
        let h = x.linear(&w1, Some(&b1.value()), FusedActivation::Linear)?.tanh()?;
        h.matmul(&w2)?.mse(&y)
    };
    let variables = [&w1, &b1, &w2];
    let mut optimizer = Optimizer::new(Adam::new(0.01))?.global_clipnorm(0.5)?;
    let mut bits = Vec::new();
    if replay {
        let mut op = optimizer.minimize_op(loss, variables)?;
        for _ in 0..5 {
            bits.push((op.run()?.loss()? as f32).to_bits());
        }
    } else {
        for _ in 0..5 {
            bits.push((optimizer.minimize(loss, variables)?.loss()? as f32).to_bits());
        }
    }
    for variable in variables {
        bits.extend(variable.array().to_vec::<f32>()?.iter().map(|x| x.to_bits()));
    }
    Ok(bits)
}

#[test]
fn at_any_number_of_threads_replayed_or_not() -> slalom::Result<()> {
    let expected = train(false)?;
    assert_ne!(expected[0], expected[4], "the loss changes");
    for threads in [1, 2, 3, 4, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        for replay in [false, true] {
            let bits = pool.install(|| train(replay))?;
            assert!(bits == expected, "{threads} threads, replay: {replay}");
        }
    }
    Ok(())
}
