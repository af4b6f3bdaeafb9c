//! An optimizer of one's own: Lion (Chen et al., 2023), `u = sign(β₁ m + (1 - β₁) g)`, `m = β₂ m + (1 - β₂) g`, `x -= lr u`.
use slalom::kernels::Float;
use slalom::optimizers::{ElementRule, Hyper, IntoHyper, NamedHyper, SlotSpec, Step};
use slalom::prelude::*;

#[derive(Debug, Clone)]
struct Lion {
    learning_rate: Hyper,
}

impl ElementRule for Lion {
    const NAME: &'static str = "Lion";
    type Coeffs<F: Float> = F;

    fn hypers(&self) -> Vec<NamedHyper> {
        vec![self.learning_rate.named("learning_rate")]
    }
    fn slots(&self) -> Vec<SlotSpec> {
        vec![SlotSpec::new("momentum")]
    }
    fn coeffs<F: Float>(&self, step: &Step<'_>) -> F {
        F::from_f64(step.learning_rate())
    }
    #[inline(always)]
    fn element<F: Float>(learning_rate: F, x: F, g: F, slots: &mut [F]) -> F {
        let (old, keep) = (slots[0], |beta: f64| F::from_f64(beta));
        slots[0] = keep(0.99) * old + keep(0.01) * g;
        x - learning_rate * (keep(0.9) * old + keep(0.1) * g).signum()
    }
}

fn main() -> Result<(), slalom::Error> {
    let x = Variable::new(1.0f32);
    let mut optimizer = Optimizer::new(Lion { learning_rate: 0.01.into_hyper() })?;
    while optimizer.minimize(|| &x * &x, [&x])?.loss()? > 1e-3 {}
    println!("x = {:.3} after {} steps", x.value().item()?, optimizer.iterations().value().item()?);
    Ok(())
}
