//! The optimization algorithms.
mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use crate::Rule;
use crate::config::{Entry, Registry};

/// The known classes of rules.
pub type Rules<'a> = Registry<'a, Box<dyn Rule>>;

/// slalom's own rules.
///
/// ```
/// let names: Vec<_> = slalom_optim::rules::registry().entries().map(|entry| entry.class_name).collect();
/// assert!(names.contains(&"SGD") && names.contains(&"Adam"));
/// ```
pub const fn registry() -> Rules<'static> {
    const CLASSES: &[Entry<Box<dyn Rule>>] = &[
        Entry { class_name: "SGD", build: |r| Ok(Box::new(Sgd::read(r)?)) },
        Entry { class_name: "Adam", build: |r| Ok(Box::new(Adam::read(r)?)) },
    ];
    Registry::new("optimizer", CLASSES)
}
