//! The layers.
mod activations;
mod axes;
mod batch_normalization;
mod conv;
mod conv_transpose;
mod dense;
mod depthwise;
mod dropout;
mod embedding;
mod multi_head_attention;
mod normalization;
mod options;
mod parameter;
mod pooling;
mod recurrent;
mod shapes;

pub use activations::{Activation, ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU, UnitNormalization};
pub use axes::{Lengths, Margins};
pub use batch_normalization::BatchNormalization;
pub use conv::{Conv, Conv1D, Conv2D, Conv3D};
pub use conv_transpose::{Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, ConvTranspose};
pub use dense::Dense;
pub use depthwise::{
    DepthwiseConv, DepthwiseConv1D, DepthwiseConv2D, SeparableConv, SeparableConv1D, SeparableConv2D,
};
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use multi_head_attention::{AttentionInputs, MultiHeadAttention};
pub use normalization::{GroupNormalization, LayerNormalization};
pub use pooling::{
    AveragePooling, AveragePooling1D, AveragePooling2D, AveragePooling3D, GlobalAveragePooling,
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D, GlobalMaxPooling,
    GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D, MaxPooling, MaxPooling1D, MaxPooling2D,
    MaxPooling3D,
};
pub use recurrent::{GRU, LSTM, Recurrent, SimpleRNN};
pub use shapes::{
    Cropping, Cropping1D, Cropping2D, Cropping3D, Flatten, Permute, RepeatVector, Reshape, UpSampling,
    UpSampling1D, UpSampling2D, UpSampling3D, ZeroPadding, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D,
};
