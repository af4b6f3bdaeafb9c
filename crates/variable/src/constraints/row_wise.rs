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
/// are those over axes from 1 on, or over negative ones. The reference refuses sparse gradients for variables with a
/// constraint, and so do other constraints here. A config holds the arguments of the inner constraint, and its class as
/// `constraint`.
///
/// # Errors
/// [`apply`](Constraint::apply): those of the inner constraint; [`ErrorKind::Argument`], if an axis that counts from the end
/// turns out to be the one along which the rows stand.
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
pub struct RowWise {
    constraint: Arc<dyn Constraint>,
    /// The axes of its norm, if it has one.
    axes: Vec<i64>,
}

impl RowWise {
    /// The constraint of each row.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the constraint is known to look from one row to another: one with a norm over axis 0.
    pub fn new(constraint: impl Constraint + 'static) -> Result<RowWise> {
        let config = constraint.get_config();
        let axes = match config.get("axis") {
            Some(ConfigValue::Integer(axis)) => vec![*axis],
            Some(ConfigValue::Integers(axes)) => axes.clone(),
            _ => Vec::new(),
        };
        if axes.contains(&0) || constraint.class_name() == Some("RadialConstraint") {
            return Err(across("one that looks from one row to another"));
        }
        Ok(RowWise { constraint: Arc::new(constraint), axes })
    }

    pub(super) fn from_config(config: &Config, own: &[(&str, Build)]) -> Result<RowWise> {
        let mut inner = Config::new();
        for (name, value) in config.iter().filter(|(name, _)| *name != "constraint") {
            inner = inner.with(name, value.clone());
        }
        RowWise::new(from_config_with(config.text("constraint", "NonNeg")?, &inner, own)?)
    }
}

/// The error of a constraint that is not one of single rows.
fn across(got: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Argument, "RowWise", "a constraint of single rows", got)
}

impl Constraint for RowWise {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let rank = value.rank() as i64;
        if let Some(axis) = self.axes.iter().find(|&axis| axis + rank == 0) {
            return Err(across(format!("a norm over axis {axis} of {rank}")));
        }
        self.constraint.apply(value)
    }
    fn is_row_wise(&self) -> bool {
        true
    }
    fn class_name(&self) -> Option<&'static str> {
        self.constraint.class_name().map(|_| "RowWise")
    }
    fn get_config(&self) -> Config {
        let mut config = self.constraint.get_config();
        if let Some(class_name) = self.constraint.class_name() {
            config = config.with("constraint", class_name);
        }
        config
    }
}
