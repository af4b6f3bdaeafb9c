//! A training step in steady state asks the system for no array memory and makes no hidden copy.
//!
//! The counters are those of the whole process, so there is one test in this program.
use slalom::memory;
use slalom::prelude::*;

/// A small classifier with everything that a step of a common model has.
struct Model {
    variables: Vec<Variable>,
    images: Tensor,
    labels: Tensor,
}

impl Model {
    fn new() -> slalom::Result<Model> {
        let random = Generator::from_seed(3);
        let weights = |rows: usize, columns: usize| -> slalom::Result<[Variable; 2]> {
            let mut w = vec![0.0f32; rows * columns];
            random.normal(0.0, (2.0 / rows as f32).sqrt(), &mut w);
            let w = Array::from_vec([rows, columns], w)?;
            Ok([Variable::new(w), Variable::new(Array::zeros([columns], DType::F32)?)])
        };
        let variables = [weights(300, 200)?, weights(200, 100)?, weights(100, 10)?].concat();
        let mut images = vec![0.0f32; 128 * 300];
        random.normal(0.0, 1.0, &mut images);
        let labels = (0..128).map(|i| i % 10).collect();
        let images = Tensor::from_vec([128, 300], images)?;
        Ok(Model { variables, images, labels: Tensor::from_vec([128], labels)? })
    }

    fn loss(&self) -> slalom::Result<Tensor> {
        let [w1, b1, w2, b2, w3, b3] = &self.variables[..] else { unreachable!("three layers") };
        let h = self.images.linear(w1, Some(&b1.value()), FusedActivation::Relu)?;
        let h = h.linear(w2, Some(&b2.value()), FusedActivation::Relu)?;
        let logits = h.linear(w3, Some(&b3.value()), FusedActivation::Linear)?;
        logits.sparse_softmax_cross_entropy_with_logits(&self.labels)?.mean()
    }
}

/// Runs `step` until the pool is filled, then counts what some more steps ask for.
fn demands(mut step: impl FnMut()) -> (u64, u64) {
    (0..20).for_each(|_| step());
    let before = memory::stats();
    (0..50).for_each(|_| step());
    let after = memory::stats();
    (after.allocations - before.allocations, after.copies - before.copies)
}

#[test]
fn no_memory_and_no_copies() -> slalom::Result<()> {
    let model = Model::new()?;
    let mut optimizer = Optimizer::new(Adam::new(1e-3))?.global_clipnorm(1.0)?;
    let eager = demands(|| {
        optimizer.minimize(|| model.loss(), &model.variables).expect("a step");
    });
    assert_eq!(eager, (0, 0), "allocations and copies of eager steps");

    let mut op = optimizer.minimize_op(|| model.loss(), &model.variables)?;
    let replayed = demands(|| {
        op.run().expect("a step");
    });
    assert_eq!(replayed, (0, 0), "allocations and copies of replayed steps");

    // The counters do count: a large array comes from the system, a shared buffer is copied when it changes.
    let before = memory::stats();
    let large = Array::zeros([3_000_017], DType::F32)?;
    let mut shared = large.clone();
    shared.make_mut::<f32>()?[0] = 1.0;
    let after = memory::stats();
    assert!(after.allocations > before.allocations && after.copies == before.copies + 1);
    Ok(())
}
