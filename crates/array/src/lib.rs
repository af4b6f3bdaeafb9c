//! Strided arrays on pooled memory, and the kernels that compute on them.
mod array;
mod display;
mod dtype;
mod error;
mod float;
mod isa;
mod kernels;
pub mod memory;
mod number;
pub mod parallel;
mod random;
mod shape;
pub mod special;

pub use array::{Array, Uninit};
pub use dtype::{DType, Element};
pub use error::{Error, ErrorKind, Result};
pub use float::Float;
pub use isa::{Isa, Kernel, dispatch, prefetch};
pub use kernels::attention::{Attention, attention, attention_grad};
pub use kernels::conv::{
    Convolution, bias_relu_grad, conv, conv_filter_grad, conv_input_grad, extract_patches,
    extract_patches_grad,
};
pub use kernels::dropout::{dropout, dropout_counters};
pub use kernels::elementwise::{Map, map, map_assign, map_float, map_integer};
pub use kernels::gemm::FusedActivation;
pub use kernels::index::{
    Scatter, add_along_axis, concat, gather, one_hot, scatter, scatter_add, sum_duplicates, take_along_axis,
    unslice,
};
pub use kernels::linalg;
pub use kernels::matmul::matmul;
pub use kernels::normalization::{batch_norm, batch_norm_grad, layer_norm, layer_norm_grad};
pub use kernels::pool::{avg_pool, avg_pool_grad, max_pool, max_pool_grad, max_pool_pick};
pub use kernels::recurrent::{gru, gru_grad, lstm, lstm_grad};
pub use kernels::reduce::{Reduction, argmax, argmin, reduce, reduce_map, sum_to};
pub use kernels::resize::{Interpolation, resize, resize_grad};
pub use kernels::scan::{Scan, linear_scan, scan};
pub use kernels::softmax::{
    log_softmax, log_softmax_grad, logsumexp, softmax, softmax_cross_entropy, softmax_cross_entropy_grad,
    softmax_grad, sparse_softmax_cross_entropy, sparse_softmax_cross_entropy_grad,
};
pub use kernels::sort::{argsort, search_sorted, top_k, unique};
pub use kernels::window::{Padding, Windows};
pub use number::Number;
pub use random::{Generator, Integer, Philox};
pub use shape::Shape;
