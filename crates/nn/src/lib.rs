//! Layers, losses and models.
mod activation;
mod layer;
pub mod layers;
pub mod losses;
mod sequential;

pub use activation::Activation;
pub use layer::Layer;
pub use sequential::Sequential;
