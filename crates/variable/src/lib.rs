//! Variables, constraints and initializers.
mod config;
pub mod constraints;
pub mod initializers;
pub mod random;
mod variable;

pub use config::{Config, ConfigValue};
pub use constraints::Constraint;
pub use initializers::Initializer;
pub use variable::{Update, Variable};
