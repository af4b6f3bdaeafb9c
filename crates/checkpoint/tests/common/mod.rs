//! What several tests use.
use slalom_array::Result;
use slalom_optim::Optimizer;
use slalom_optim::config::object;

/// An optimizer of a class of the registry, with its default arguments.
pub(crate) fn optimizer(class: &str) -> Result<Optimizer> {
    match class {
        "Lookahead" => Optimizer::from_config(class, &object([("inner", "Adam".into())])),
        _ => Optimizer::from_config(class, &object([])),
    }
}
