//! Tensors, the gradient tape, the trace for replay, and the differentiable ops.
mod backward;
mod check;
mod gradient;
mod list;
mod op;
mod ops;
mod session;
mod sources;
mod tape;
mod tensor;
mod trace;

pub use check::{GradientCheck, GradientReport, check_gradients};
pub use gradient::{Gradient, IndexedSlices};
pub use op::{Gradients, Op, Outputs, Saves, Vjp, apply, apply_many, defer};
#[doc(hidden)]
pub use ops::arithmetic::operators;
pub use ops::concat::{concat, stack};
pub use ops::conv::ConvOptions;
pub use ops::einsum::einsum;
pub use ops::layout::{Indexing, meshgrid};
pub use ops::norms::{clip_by_global_norm, global_norm};
pub use ops::scatter::{dynamic_stitch, scatter_nd};
pub use ops::sort::{Direction, UniqueElements};
pub use session::{VariableId, forget_variable, next_version, read_variable};
pub use slalom_array::{Interpolation, Padding};
pub use sources::{Source, SourceKey, Sources, Targets};
pub use tape::{AnyTape, GradientOptions, GradientTape, PersistentGradientTape, UnconnectedGradients};
pub use tensor::{AsTensor, Tensor};
pub use trace::{Plan, Trace};
