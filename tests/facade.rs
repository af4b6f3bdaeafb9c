//! What one does with `slalom` alone.
use slalom::constraints::{self, Config, ConfigValue};
use slalom::prelude::*;
use slalom::{Constraint, ErrorKind, Result, initializers};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A constraint of one's own, with arguments.
struct AtMost(f64);

impl Constraint for AtMost {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        value.minimum(&Tensor::full([], self.0, value.dtype())?)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("AtMost")
    }
    fn get_config(&self) -> Config {
        Config::new().with("limit", self.0)
    }
}

#[test]
fn configs_of_constraints_and_initializers() -> Result<()> {
    let config = Config::new().with("max_value", 1.0).with("axis", 0);
    let constraint = constraints::from_config("MaxNorm", &config)?;
    let w = constraint.apply(&Tensor::from_vec([2], vec![3.0f64, 4.0])?)?.to_vec::<f64>()?;
    assert!((w[0] - 0.6).abs() < 1e-6 && (w[1] - 0.8).abs() < 1e-6);
    let own = AtMost(0.5);
    assert_eq!(own.get_config().get("limit"), Some(&ConfigValue::Number(0.5)));
    let w = Variable::new(2.0f64).constrained(own);
    Optimizer::new(Sgd::new(0.1))?.minimize(|| 2.0 * &w, [&w])?;
    assert_eq!(w.value().item()?, 0.5);
    let config = initializers::Config::new().with("value", 2.0);
    let constant = initializers::from_config("Constant", &config)?;
    assert_eq!(constant.initialize(&[].into(), DType::F32)?.item()?, 2.0);
    Ok(())
}

#[test]
fn a_traced_loss_reads_no_values() -> Result<()> {
    let w = Variable::new(2.0f64);
    let mut optimizer = Optimizer::new(Sgd::new(0.125))?;
    let error = optimizer.minimize_op(|| Ok(&w * w.value().item()?), [&w]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    let traced = AssertUnwindSafe(|| optimizer.minimize_op(|| Ok(&w * w.array().item()?), [&w]).map(drop));
    let panic = catch_unwind(traced).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>(), Some(&error.to_string()));
    // Nothing has changed, and nothing is being traced.
    assert_eq!((w.array().item()?, optimizer.iterations().array().item()?), (2.0, 0.0));
    let mut op = optimizer.minimize_op(|| &w * &w, [&w])?;
    let losses = (0..3).map(|_| op.run()?.loss()).collect::<Result<Vec<_>>>()?;
    assert_eq!(losses, [4.0, 2.25, 1.265625]);
    Ok(())
}
