//! Configurations in Keras's JSON: what `get_config` prints and `from_config` reads.
//!
//! The config of an object is a JSON object of its arguments, `{"decay_rate": 0.5, ..}`. It says nothing of its class;
//! an [`Envelope`] adds that: `{"class_name": "ExponentialDecay", "config": {..}}`. Reading goes through three types:
//!
//! * [`Registry`], the table of the known classes of one kind, finds the class by its name;
//! * [`Reader`] takes typed arguments from the config, and refuses keys that nobody asked for;
//! * [`FromValue`] reads one value.
//!
//! Constraints and initializers have configs of their own ([`constraints`], [`initializers`]).
//!
//! Every error names the class and the key, what was expected and what was found.
pub mod constraints;
mod dialect;
mod envelope;
pub mod initializers;
mod plain;
mod reader;
mod registry;
mod value;

pub use dialect::Dialect;
pub(crate) use dialect::IS_LEGACY;
pub use envelope::{Envelope, Origin};
pub use reader::{NumberOrSchedule, Reader};
pub use registry::{Entry, Registry};
pub(crate) use value::ToValue;
pub use value::{Config, FromValue, number, object};
