//! Tensors, the gradient tape, the trace for replay, and the differentiable ops.
mod backward;
mod check;
mod custom;
mod cut;
mod forward;
mod gradient;
mod jacobian;
mod jvp;
mod list;
mod numerics;
mod op;
mod ops;
mod recompute;
mod session;
mod sources;
mod summary;
mod tape;
mod tensor;
mod trace;

pub use check::{GradientCheck, GradientReport, check_gradients};
pub use custom::{CustomResults, custom_gradient};
pub use cut::Disconnection;
#[doc(hidden)]
pub use cut::cuts;
pub use forward::ForwardAccumulator;
pub use gradient::{Gradient, IndexedSlices};
pub use jvp::{Jvp, Tangents};
pub use numerics::CheckNumerics;
pub use op::{Gradients, Op, Outputs, Saves, Vjp, apply, apply_many, defer};
#[doc(hidden)]
pub use ops::arithmetic::operators;
pub use ops::concat::{concat, stack};
pub use ops::conv::ConvOptions;
pub use ops::einsum::einsum;
pub use ops::layout::{Indexing, meshgrid};
pub use ops::norms::{clip_by_global_norm, global_norm};
pub use ops::partition::dynamic_stitch;
pub use ops::scatter::scatter_nd;
pub use ops::sort::{Direction, UniqueElements};
pub use recompute::recompute_grad;
#[doc(hidden)]
pub use session::{
    VariableId, assign_variable, forget_variable, next_version, notes_assignments, read_variable,
};
pub use slalom_array::{Interpolation, Padding};
pub use sources::{Source, SourceKey, Sources, Targets};
pub use summary::Summary;
pub use tape::{AnyTape, GradientOptions, GradientTape, PersistentGradientTape, UnconnectedGradients};
pub use tensor::{AsTensor, Tensor};
pub use trace::{Plan, Trace};
