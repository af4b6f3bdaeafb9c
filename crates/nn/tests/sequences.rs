//! Normalization, recurrent layers, attention, embeddings and dropout: training and inference, and what they refuse.
use slalom_array::{DType, ErrorKind, Result};
use slalom_autograd::{Gradient, GradientTape, Tensor, Trace};
use slalom_nn::layers::*;
use slalom_nn::{Layer, Sequential};
use slalom_variable::initializers::{Constant, Zeros};

#[test]
fn a_model_in_training_and_in_inference() -> Result<()> {
    let model =
        Sequential::new().add(Dense::new(3)).add(BatchNormalization::new()).add(Dropout::new(0.5).seed(1));
    let x = Tensor::from_vec([4, 2], (0..8).map(|i| i as f32).collect())?;
    let [first, second] = [model.call(&x, true)?, model.call(&x, true)?];
    assert_ne!(first.to_vec::<f32>()?, second.to_vec::<f32>()?);
    assert!(first.to_vec::<f32>()?.contains(&0.0));
    assert_eq!(model.forward(&x)?.to_vec::<f32>()?, model.forward(&x)?.to_vec::<f32>()?);
    assert_eq!((model.variables().len(), model.trainable_variables().len()), (6, 4));
    Ok(())
}

#[test]
fn what_the_layers_refuse() -> Result<()> {
    let kind = |result: Result<Tensor>| result.unwrap_err().kind();
    let of = |shape: &[usize]| Tensor::ones(shape, DType::F32).unwrap();
    let integers = Tensor::ones([2, 3], DType::I32)?;
    let batch = BatchNormalization::new();
    batch.forward(&of(&[2, 3]))?;
    assert_eq!(kind(batch.forward(&of(&[2, 4]))), ErrorKind::Shape);
    assert_eq!(kind(batch.call(&Tensor::ones([2, 3], DType::F64)?, true)), ErrorKind::DType);
    assert_eq!(kind(BatchNormalization::new().forward(&integers)), ErrorKind::DType);
    assert_eq!(kind(LayerNormalization::new().axis(&[2]).forward(&of(&[2, 3]))), ErrorKind::Shape);
    assert_eq!(kind(LayerNormalization::new().forward(&integers)), ErrorKind::DType);
    assert_eq!(kind(GroupNormalization::new(2).forward(&of(&[2, 3]))), ErrorKind::Argument);
    assert_eq!(kind(Dropout::new(1.0).call(&of(&[2]), true)), ErrorKind::Argument);
    assert_eq!(kind(Embedding::new(2, 2).forward(&Tensor::from_vec([1], vec![2])?)), ErrorKind::Index);
    assert_eq!(kind(Embedding::new(2, 2).forward(&of(&[2]))), ErrorKind::DType);
    assert_eq!(kind(LSTM::new(2).forward(&of(&[2, 3]))), ErrorKind::Shape);
    assert_eq!(kind(GRU::new(0).forward(&of(&[2, 3, 4]))), ErrorKind::Argument);
    assert_eq!(kind(MultiHeadAttention::new(1, 2).forward(&of(&[2, 3]))), ErrorKind::Shape);
    assert_eq!(kind(MultiHeadAttention::new(0, 2).forward(&of(&[2, 3, 2]))), ErrorKind::Argument);
    let layer = SimpleRNN::new(2);
    let mask = Tensor::ones([3, 2], DType::Bool)?;
    assert_eq!(layer.sequence(&of(&[2, 3, 1]), Some(&mask), None).unwrap_err().kind(), ErrorKind::Shape);
    let states = [of(&[2, 3])];
    assert_eq!(layer.sequence(&of(&[2, 3, 1]), None, Some(&states)).unwrap_err().kind(), ErrorKind::Shape);
    Ok(())
}

#[test]
fn batch_statistics_move_at_each_replay() -> Result<()> {
    let layer = BatchNormalization::new().momentum(0.5);
    let x = Tensor::from_vec([2, 1], vec![1.0f64, 5.0])?;
    layer.forward(&x)?;
    let trace = Trace::new()?;
    let y = layer.call(&x, true)?;
    let mut plan = trace.finish(&[&y])?;
    let moving = || layer.variables()[2].array().item();
    assert_eq!(moving()?, 0.0);
    plan.run()?;
    assert_eq!(moving()?, 1.5);
    plan.run()?;
    assert_eq!(moving()?, 2.25);
    Ok(())
}

#[test]
fn sequences_of_no_steps_and_no_samples() -> Result<()> {
    for shape in [[0, 3, 2], [2, 0, 2]] {
        let x = Tensor::ones(shape, DType::F32)?;
        let recurrent: [Box<dyn Layer>; 3] =
            [Box::new(SimpleRNN::new(4)), Box::new(GRU::new(4)), Box::new(LSTM::new(4))];
        for layer in recurrent {
            assert_eq!(
                layer.forward(&x)?.to_vec::<f32>()?,
                vec![0.0; 4 * shape[0]],
                "{}",
                layer.class_name()
            );
        }
        let y = MultiHeadAttention::new(1, 2).forward(&x)?;
        assert_eq!(y.shape()[..], shape);
        let y = GRU::new(4).return_sequences(true).forward(&x)?;
        assert_eq!(y.shape()[..], [shape[0], shape[1], 4]);
    }
    Ok(())
}

#[test]
fn a_mask_skips_steps_of_fused_layers_too() -> Result<()> {
    let x = Tensor::from_vec([1, 3, 1], vec![0.3f64, 100.0, -0.7])?;
    let without = Tensor::from_vec([1, 2, 1], vec![0.3f64, -0.7])?;
    let mask = Tensor::from_vec([1, 3], vec![true, false, true])?;
    let lstm = LSTM::new(2);
    let masked = lstm.sequence(&x, Some(&mask), None)?;
    let plain = lstm.sequence(&without, None, None)?;
    for (a, b) in masked.states.iter().zip(&plain.states) {
        for (a, b) in a.to_vec::<f64>()?.iter().zip(b.to_vec::<f64>()?) {
            assert!((a - b).abs() < 1e-15, "{a} {b}");
        }
    }
    Ok(())
}

#[test]
fn forget_gates_are_open_in_the_beginning() -> Result<()> {
    let x = Tensor::ones([1, 1, 1], DType::F32)?;
    let bias = |layer: LSTM| {
        layer.forward(&x)?;
        layer.variables()[2].array().to_vec::<f32>()
    };
    assert_eq!(bias(LSTM::new(2))?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(bias(LSTM::new(1).unit_forget_bias(false).bias_initializer(Constant::new(0.5)))?, [0.5; 4]);
    assert_eq!(bias(LSTM::new(1).bias_initializer(Zeros))?, [0.0, 1.0, 0.0, 0.0]);
    Ok(())
}

#[test]
fn dropout_of_attention_weights() -> Result<()> {
    let layer = MultiHeadAttention::new(2, 3).dropout(0.5);
    let x = Tensor::from_vec([1, 4, 2], (0..8).map(|i| i as f32 / 8.0).collect())?;
    let inference = layer.forward(&x)?.to_vec::<f32>()?;
    assert_eq!(layer.forward(&x)?.to_vec::<f32>()?, inference);
    assert_ne!(layer.call(&x, true)?.to_vec::<f32>()?, inference);
    Ok(())
}

#[test]
fn the_gradient_of_an_embedding_is_that_of_its_rows() -> Result<()> {
    let layer = Embedding::new(5, 2).embeddings_initializer(Constant::new(1.0)).mask_zero(true);
    let tape = GradientTape::new();
    let x = Tensor::from_vec([3], vec![4i64, 0, 4])?;
    let y = layer.forward(&x)?;
    let gradient = tape.gradient(&y, &layer.variables()[0])?.unwrap();
    assert!(matches!(gradient, Gradient::Sparse(_)));
    let want = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0];
    assert_eq!(gradient.to_dense()?.to_vec::<f32>()?, want);
    assert_eq!(layer.compute_mask(&x)?.unwrap().to_vec::<bool>()?, [true, false, true]);
    Ok(())
}
