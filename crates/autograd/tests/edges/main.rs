//! What happens at the edges: element types, special numbers, gradients of the wrong form, numbers too large to count.
mod contracts;
mod dtypes;
mod recompute;
mod values;

use slalom_autograd::{Gradient, Tensor};

/// The elements of a gradient; `None`, if there is none.
fn values(gradient: Option<Gradient>) -> Option<Vec<f64>> {
    gradient.map(|gradient| gradient.into_dense().unwrap().to_vec().unwrap())
}

fn vector(elements: &[f64]) -> Tensor {
    Tensor::from_vec([elements.len()], elements.to_vec()).unwrap()
}
