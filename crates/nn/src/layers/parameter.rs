//! How the variables of layers are made.
use slalom_array::{DType, Error, ErrorKind, Result, Shape};
use slalom_variable::initializers::Initializer;
use slalom_variable::{Constraint, Variable};
use std::sync::Arc;

/// How a variable is made.
pub(crate) struct Parameter {
    pub(crate) initializer: Arc<dyn Initializer>,
    pub(crate) constraint: Option<Arc<dyn Constraint>>,
}

impl Parameter {
    pub(crate) fn new(initializer: impl Initializer + 'static) -> Parameter {
        Parameter { initializer: Arc::new(initializer), constraint: None }
    }

    pub(crate) fn variable(&self, name: String, shape: Shape, dtype: DType) -> Result<Variable> {
        let value = self.initializer.initialize(&shape, dtype).map_err(|error| error.context(&name))?;
        if *value.shape() != shape || value.dtype() != dtype {
            let expected = format!("an initial value of shape {shape} and type {dtype}");
            let got = format!("shape {} and type {}", value.shape(), value.dtype());
            return Err(Error::new(ErrorKind::Shape, name, expected, got));
        }
        let variable = Variable::new(value).named(name);
        Ok(match &self.constraint {
            Some(constraint) => variable.constrained(constraint.clone()),
            None => variable,
        })
    }
}
