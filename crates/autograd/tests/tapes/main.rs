//! What tapes do beyond plain gradients.
mod custom;
mod forward;
mod jacobian;
mod numerics;
mod persistent;
mod summary;

use slalom_autograd::{Gradient, Tensor};

/// The elements of a gradient; `None`, if there is none.
fn values(gradient: Option<Gradient>) -> Option<Vec<f64>> {
    gradient.map(|gradient| gradient.into_dense().unwrap().to_vec().unwrap())
}

fn vector(elements: &[f64]) -> Tensor {
    Tensor::from_vec([elements.len()], elements.to_vec()).unwrap()
}

fn scalar(value: f64) -> Tensor {
    Tensor::scalar(value)
}
