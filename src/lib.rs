#![doc = include_str!("../README.md")]
//!
//! # The crate
//!
//! Start with the [`prelude`]. The nouns: [`Tensor`], [`Variable`], [`GradientTape`], [`Optimizer`], [`Layer`]. What they are
//! made of lies in the modules: [`optimizers`] with their [`schedules`], [`layers`], [`losses`], [`initializers`],
//! [`constraints`], [`checkpoint`]s, and [`kernels`] for ops of your own.

pub use slalom_array::{
    Array, DType, Element, Error, ErrorKind, FusedActivation, Generator, Isa, Result, Shape, memory,
};
pub use slalom_autograd::{
    AsTensor, CheckNumerics, ConvOptions, CustomResults, Direction, Disconnection, ForwardAccumulator,
    Gradient, GradientCheck, GradientOptions, GradientReport, GradientTape, Gradients, IndexedSlices,
    Indexing, Interpolation, Jvp, Op, Outputs, Padding, PersistentGradientTape, Plan, Saves, Source, Sources,
    Summary, Tangents, Targets, Tensor, Trace, UnconnectedGradients, UniqueElements, Vjp, apply, apply_many,
    check_gradients, clip_by_global_norm, concat, custom_gradient, dynamic_stitch, einsum, global_norm,
    meshgrid, recompute_grad, scatter_nd, stack,
};
pub use slalom_checkpoint as checkpoint;
pub use slalom_nn::{Activation, Layer, Sequential, layers, losses};
pub use slalom_optim::{MinimizeOp, Optimizer, Report, config, schedules};
pub use slalom_variable::{Constraint, Initializer, Variable, constraints, initializers, random};

/// Optimization algorithms, and what an own one is made of.
pub mod optimizers {
    pub use slalom_optim::rules::*;
    pub use slalom_optim::{
        ApplyOptions, ElementRule, GradientList, Group, Hyper, HyperValue, IntoHyper, Item, Loader,
        LossValue, MinimizeOptions, NamedHyper, Objective, Rule, Search, SearchState, SlotOrder, SlotSpec,
        SparseUpdate, Step, Sums, Transformer, Transformers, VarList, Variables,
    };
}

/// What kernels are made of, for ops and rules of your own.
pub mod kernels {
    pub use slalom_array::{Float, Kernel, Map, Number, Uninit, dispatch, linalg, map, map_assign, parallel};
}

/// What most programs use.
pub mod prelude {
    pub use crate::layers::{Conv2D, Dense, Flatten, MaxPooling2D};
    pub use crate::losses::{
        CategoricalCrossentropy, Loss, MeanSquaredError, SparseCategoricalCrossentropy, mse,
    };
    pub use crate::optimizers::{Adam, Sgd};
    pub use crate::{
        Activation, Array, AsTensor, ConvOptions, DType, FusedActivation, Generator, Gradient, GradientTape,
        IndexedSlices, Layer, Optimizer, Padding, Sequential, Tensor, Trace, Variable,
    };
}
