//! The optimizer: rules, schedules, stages and their configuration.
pub mod config;
mod driver;
mod hyper;
mod loss;
mod minimize;
mod optimizer;
mod report;
mod rule;
pub mod rules;
pub mod schedules;
mod search;
mod slots;
mod stages;
mod step;
mod var_list;

pub use hyper::{Hyper, HyperValue, IntoHyper, NamedHyper};
pub use loss::LossValue;
pub use minimize::{MinimizeOp, MinimizeOptions};
pub use optimizer::{ApplyOptions, Loader, Optimizer, Restore, State, Transformers};
pub use report::Report;
pub use rule::{ElementRule, Item, Rule, SlotOrder, SlotSpec, SparseUpdate, Sums};
pub use search::{Objective, Search, SearchState};
pub use stages::{GradientList, Gradients, Group, Transformer};
pub use step::Step;
pub use var_list::{VarList, Variables};
