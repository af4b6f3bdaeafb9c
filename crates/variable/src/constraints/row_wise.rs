//! Constraints of single rows, which sparse gradients allow.
use super::{Build, Constraint, from_config_with};
use crate::{Config, ConfigValue};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use std::sync::Arc;

/// A constraint that treats each row alone, and so goes together with sparse gradients: an optimizer then constrains the rows
/// that have moved.
///
/// The inner constraint is given rows `[n, ...]`, all of them or some, and must not look from one row to another: norms
/// are those over axes from 1 on. The reference refuses sparse gradients for variables with a constraint, and so do other
/// constraints here. A config holds the arguments of the inner constraint, and its class as `constraint`.
///
/// # Errors
/// [`apply`](Constraint::apply): those of the inner constraint.
///
/// ```
/// use slalom_autograd::Tensor;
/// use slalom_variable::constraints::{Constraint, MaxNorm, RowWise, UnitNorm};
/// let rows = RowWise::new(MaxNorm::new(1.0).axis(&[1]))?;
/// let table = Tensor::from_vec([2, 2], vec![3.0f64, 4.0, 0.3, 0.4])?;
/// let table = rows.apply(&table)?.to_vec::<f64>()?;
/// assert!((table[0] - 0.6).abs() < 1e-7 && (table[3] - 0.4).abs() < 1e-6);
/// // The default axis of a norm is the one along which the rows stand.
/// assert!(RowWise::new(UnitNorm::new()).is_err());
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Clone)]
pub struct RowWise(Arc<dyn Constraint>);

impl RowWise {
    /// The constraint of each row.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the constraint is known to look from one row to another: one with a norm over axis 0.
    pub fn new(constraint: impl Constraint + 'static) -> Result<RowWise> {
        let config = constraint.get_config();
        let across = match config.get("axis") {
            Some(ConfigValue::Integer(axis)) => *axis == 0,
            Some(ConfigValue::Integers(axes)) => axes.contains(&0),
            _ => constraint.class_name() == Some("RadialConstraint"),
        };
        if across {
            let (expected, got) = ("a constraint of single rows", "one that looks from one row to another");
            return Err(Error::new(ErrorKind::Argument, "RowWise", expected, got));
        }
        Ok(RowWise(Arc::new(constraint)))
    }

    pub(super) fn from_config(config: &Config, own: &[(&str, Build)]) -> Result<RowWise> {
        let mut inner = Config::new();
        for (name, value) in config.iter().filter(|(name, _)| *name != "constraint") {
            inner = inner.with(name, value.clone());
        }
        RowWise::new(from_config_with(config.text("constraint", "NonNeg")?, &inner, own)?)
    }
}

impl Constraint for RowWise {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        self.0.apply(value)
    }
    fn is_row_wise(&self) -> bool {
        true
    }
    fn class_name(&self) -> Option<&'static str> {
        self.0.class_name().map(|_| "RowWise")
    }
    fn get_config(&self) -> Config {
        let mut config = self.0.get_config();
        if let Some(class_name) = self.0.class_name() {
            config = config.with("constraint", class_name);
        }
        config
    }
}
