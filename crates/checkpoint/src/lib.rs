//! Checkpoints: a training saved in one atomic, checksummed file, and resumed exactly.
//!
//! A [`Checkpoint`] holds all that a training remembers: variables, the whole state of the optimizer, random generators, and
//! what else the program wants to find again, such as its place in the data. A training that is resumed from it
//! goes on with the same bits as one that was never interrupted (on the same instruction set).
//!
//! ```
//! use slalom_checkpoint::Checkpoint;
//! use slalom_optim::{Optimizer, rules::Adam};
//! use slalom_variable::Variable;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("run.safetensors");
//!
//! let w = Variable::new(1.0f32).named("w");
//! let mut optimizer = Optimizer::new(Adam::new(0.1))?;
//! optimizer.minimize(|| &w * &w, &w)?;
//! Checkpoint::new().optimizer(&optimizer, [&w])?.value("batch", 17).save(&path)?;
//!
//! // In another process:
//! let w2 = Variable::new(0.0f32).named("w");
//! let mut resumed = Optimizer::new(Adam::new(0.1))?;
//! let checkpoint = Checkpoint::load(&path)?;
//! checkpoint.restore().optimizer(&mut resumed, [&w2])?.apply()?;
//! assert_eq!(checkpoint.get_value("batch")?, 17);
//! optimizer.minimize(|| &w * &w, &w)?;
//! resumed.minimize(|| &w2 * &w2, &w2)?;
//! assert_eq!(w2.value().item()?.to_bits(), w.value().item()?.to_bits());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Files
//! A checkpoint is a file in [safetensors](https://github.com/huggingface/safetensors) format, which any reader of that format
//! reads. It is written beside its place and then renamed: whoever reads it, and whatever happens meanwhile, finds the old file
//! or the new one, whole. A reader checks everything before it believes it, in bounded memory: damaged or hostile
//! files give an error of the kind [`Format`](slalom_array::ErrorKind::Format).
//!
//! [`config`] reads and writes configurations as files of their own. [`Rotation`] keeps the last and the best of many checkpoints. [`save_weights`] and [`load_weights`] exchange weights alone
//! with other programs, as safetensors or as NumPy's npz.
mod atomic;
mod bytes;
mod checkpoint;
pub mod config;
mod differences;
mod file;
mod npy;
pub mod npz;
mod order;
mod restoration;
mod rotation;
mod safetensors;
mod weights;
mod zip;

pub use checkpoint::Checkpoint;
pub use restoration::Restoration;
pub use rotation::{Better, Rotation};
pub use weights::{load_weights, load_weights_partial, read_arrays, save_weights, write_arrays};
