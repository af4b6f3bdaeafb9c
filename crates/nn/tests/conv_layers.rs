//! Layers with windows: what they make, and what they refuse. Their numbers are judged by the golden tests.
use slalom_array::{DType, ErrorKind, Padding, Result};
use slalom_autograd::Tensor;
use slalom_nn::layers::*;
use slalom_nn::{Layer, Sequential};
use slalom_variable::constraints::{MaxNorm, NonNeg};
use slalom_variable::initializers::{Constant, GlorotUniform};

fn ones(shape: &[usize]) -> Tensor {
    Tensor::ones(shape, DType::F32).unwrap()
}

/// The names and shapes of a layer's variables.
fn variables(layer: &dyn Layer) -> Vec<(String, Vec<usize>)> {
    layer.variables().iter().map(|v| (v.name().to_owned(), v.shape().to_vec())).collect()
}

#[test]
fn variables_are_made_at_the_first_call() -> Result<()> {
    let named = |list: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
        list.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
    };
    let conv = Conv2D::new(6, [3, 2]).groups(2).named("first");
    assert!(conv.variables().is_empty());
    conv.forward(&ones(&[1, 5, 5, 4]))?;
    assert_eq!(variables(&conv), named(&[("first/kernel", &[3, 2, 2, 6]), ("first/bias", &[6])]));
    let bare = Conv3D::new(2, 1).use_bias(false);
    bare.forward(&ones(&[1, 2, 2, 2, 3]))?;
    assert_eq!(variables(&bare), named(&[("conv3d/kernel", &[1, 1, 1, 3, 2])]));
    let transposed = Conv1DTranspose::new(5, 3);
    transposed.forward(&ones(&[1, 4, 2]))?;
    assert_eq!(
        variables(&transposed),
        named(&[("conv1d_transpose/kernel", &[3, 5, 2]), ("conv1d_transpose/bias", &[5])])
    );
    let separable = SeparableConv2D::new(5, 3).depth_multiplier(2);
    separable.forward(&ones(&[1, 4, 4, 3]))?;
    let want: [(&str, &[usize]); 3] = [
        ("separable_conv2d/depthwise_kernel", &[3, 3, 3, 2]),
        ("separable_conv2d/pointwise_kernel", &[1, 1, 6, 5]),
        ("separable_conv2d/bias", &[5]),
    ];
    assert_eq!(variables(&separable), named(&want));
    Ok(())
}

#[test]
fn initializers_and_constraints_go_where_they_belong() -> Result<()> {
    let layer = SeparableConv1D::new(2, 3)
        .depthwise_initializer(Constant::new(0.5))
        .pointwise_initializer(GlorotUniform::new().seed(1))
        .bias_initializer(Constant::new(2.0))
        .pointwise_constraint(MaxNorm::default())
        .bias_constraint(NonNeg);
    layer.forward(&ones(&[1, 4, 2]))?;
    let [depthwise, pointwise, bias] = &layer.variables()[..] else { panic!("three variables") };
    assert_eq!(depthwise.array().to_vec::<f32>()?, [0.5; 6]);
    assert_eq!(bias.array().to_vec::<f32>()?, [2.0; 2]);
    let constraint = |v: &slalom_variable::Variable| v.constraint().and_then(|c| c.class_name());
    assert_eq!([depthwise, pointwise, bias].map(constraint), [None, Some("MaxNorm"), Some("NonNeg")]);
    Ok(())
}

#[test]
fn a_transposed_layer_has_the_shape_of_keras() -> Result<()> {
    // deconv_output_length of Keras 2.15, worked out by hand.
    let shape = |layer: Conv1DTranspose, n: usize| -> Result<usize> {
        Ok(layer.forward(&ones(&[1, n, 1]))?.shape()[1])
    };
    assert_eq!(shape(Conv1DTranspose::new(1, 3).strides(2), 4)?, 9);
    assert_eq!(shape(Conv1DTranspose::new(1, 1).strides(3), 4)?, 12);
    assert_eq!(shape(Conv1DTranspose::new(1, 3).strides(2).padding(Padding::Same), 4)?, 8);
    assert_eq!(shape(Conv1DTranspose::new(1, 3).dilation_rate(2), 4)?, 8);
    assert_eq!(shape(Conv1DTranspose::new(1, 3).strides(2).output_padding(1), 4)?, 10);
    assert_eq!(shape(Conv1DTranspose::new(1, 3).strides(2).padding(Padding::Same).output_padding(0), 4)?, 7);
    Ok(())
}

#[test]
fn layers_of_a_convnet_follow_one_another() -> Result<()> {
    let model = Sequential::new()
        .add(Conv2D::new(4, 3))
        .add(MaxPooling2D::default())
        .add(Conv2D::new(8, 3).padding(Padding::Same))
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(2));
    let y = model.forward(&ones(&[3, 10, 8, 1]))?;
    assert_eq!(y.shape()[..], [3, 2]);
    let names: Vec<&str> = model.layers().map(Layer::name).collect();
    assert_eq!(names, ["conv2d", "max_pooling2d", "conv2d_1", "global_average_pooling2d", "dense"]);
    assert_eq!(model.trainable_variables().len(), 6);
    Ok(())
}

#[test]
fn what_layers_refuse() -> Result<()> {
    let kind = |layer: &dyn Layer, shape: &[usize]| layer.forward(&ones(shape)).unwrap_err().kind();
    let conv = Conv2D::new(2, 3);
    assert_eq!(kind(&conv, &[1, 5, 5]), ErrorKind::Shape);
    assert!(conv.variables().is_empty());
    conv.forward(&ones(&[1, 5, 5, 2]))?;
    assert_eq!(kind(&conv, &[1, 5, 5, 3]), ErrorKind::Shape);
    assert_eq!(kind(&conv, &[1, 1, 5, 2]), ErrorKind::Shape);
    assert_eq!(conv.forward(&Tensor::ones([1, 5, 5, 2], DType::F64)?).unwrap_err().kind(), ErrorKind::DType);
    assert_eq!(kind(&Conv2D::new(0, 3), &[1, 5, 5, 2]), ErrorKind::Argument);
    assert_eq!(kind(&Conv2D::new(2, 3).strides(0), &[1, 5, 5, 2]), ErrorKind::Argument);
    assert_eq!(kind(&Conv2D::new(2, 3).groups(0), &[1, 5, 5, 2]), ErrorKind::Argument);
    assert_eq!(kind(&Conv2D::new(2, 3).groups(2), &[1, 5, 5, 3]), ErrorKind::Shape);
    assert_eq!(kind(&DepthwiseConv1D::new(2).depth_multiplier(0), &[1, 5, 2]), ErrorKind::Argument);
    let explicit = Padding::Explicit(vec![[1, 1]]);
    assert_eq!(kind(&Conv1DTranspose::new(1, 3).padding(explicit), &[1, 5, 2]), ErrorKind::Argument);
    assert_eq!(kind(&Conv1DTranspose::new(1, 3).output_padding(1), &[1, 5, 2]), ErrorKind::Argument);
    assert_eq!(kind(&MaxPooling2D::new(2), &[1, 5, 2]), ErrorKind::Shape);
    assert_eq!(kind(&GlobalMaxPooling1D::new(), &[1, 5, 2, 2]), ErrorKind::Shape);
    assert_eq!(kind(&Cropping1D::new(3), &[1, 5, 2]), ErrorKind::Shape);
    assert_eq!(kind(&Reshape::new(&[-1, -1]), &[1, 4]), ErrorKind::Argument);
    assert_eq!(kind(&Reshape::new(&[3, -1]), &[1, 4]), ErrorKind::Shape);
    assert_eq!(kind(&RepeatVector::new(2), &[1, 4, 1]), ErrorKind::Shape);
    assert_eq!(kind(&Permute::new(&[1, 1]), &[1, 4, 1]), ErrorKind::Shape);
    assert_eq!(kind(&UpSampling2D::new(2), &[1, 4, 1]), ErrorKind::Shape);
    Ok(())
}
