//! Layers against TensorFlow's numbers, models, and what they refuse.
#[path = "../../variable/tests/golden/mod.rs"]
mod golden;

use serde_json::Value;
use slalom_array::{Array, DType, ErrorKind, Result, Shape};
use slalom_autograd::{GradientTape, Tensor};
use slalom_nn::layers::Dense;
use slalom_nn::{Activation, Layer, Sequential};
use slalom_variable::Variable;
use slalom_variable::constraints::{MaxNorm, NonNeg};
use slalom_variable::initializers::{Constant, GlorotUniform};

/// A dense layer of a case, with the weights of the case.
fn dense(case: &Value) -> Result<Dense> {
    let kwargs = case["kwargs"].as_object().unwrap();
    let mut layer = Dense::new(kwargs["units"].as_u64().unwrap() as usize);
    for (name, value) in kwargs {
        layer = match name.as_str() {
            "activation" if value.is_null() => layer,
            "activation" => layer.activation(Activation::from_name(value.as_str().unwrap())?),
            "use_bias" => layer.use_bias(value.as_bool().unwrap()),
            // Regularizers add to the loss; neither output nor gradients show them.
            "units" | "kernel_regularizer" | "bias_regularizer" => layer,
            other => panic!("{}: {other}", case["id"]),
        };
    }
    for weight in case["weights"].as_array().unwrap() {
        let value = golden::array(&weight["value"]);
        let given = move |_: &Shape, _: DType| Ok(value.clone());
        layer = match weight["name"].as_str().unwrap() {
            "kernel" => layer.kernel_initializer(given),
            _ => layer.bias_initializer(given),
        };
    }
    Ok(layer)
}

#[test]
fn dense_is_that_of_tensorflow() -> Result<()> {
    let file = golden::load("layers");
    for case in file.cases.iter().filter(|case| case["layer"] == "Dense") {
        let layer = dense(case)?;
        let tape = GradientTape::persistent();
        let x = tape.watch(&golden::array(&case["inputs"][0]).into());
        let y = layer.forward(&x)?;
        let loss = (&y * Tensor::from(golden::array(&case["upstream"][0]))).sum();
        file.check(case, "output", y.array()?, &case["output"][0]);
        let by_x = tape.gradient(&loss, &x)?.unwrap().to_dense()?;
        file.check(case, "input gradient", by_x.array()?, &case["input_grads"][0]);
        let by_weights = tape.gradient(&loss, &layer.trainable_variables())?;
        assert_eq!(by_weights.len(), case["weight_grads"].as_array().unwrap().len());
        for (i, gradient) in by_weights.into_iter().enumerate() {
            let gradient = gradient.unwrap().to_dense()?;
            file.check(case, "weight gradient", gradient.array()?, &case["weight_grads"][i]);
        }
    }
    Ok(())
}

#[test]
fn a_dense_layer_is_built_once_with_what_it_was_given() -> Result<()> {
    let layer = Dense::new(3)
        .named("out")
        .kernel_initializer(GlorotUniform::new().seed(1))
        .bias_initializer(Constant::new(0.25))
        .kernel_constraint(MaxNorm::default())
        .bias_constraint(NonNeg);
    assert!(layer.variables().is_empty());
    let x = Tensor::ones([2, 4], DType::F64)?;
    let first = layer.forward(&x)?.to_vec::<f64>()?;
    assert_eq!(layer.forward(&x)?.to_vec::<f64>()?, first);
    let [kernel, bias] = &layer.variables()[..] else { panic!("two variables") };
    assert_eq!((kernel.name(), &kernel.shape()[..], kernel.dtype()), ("out/kernel", &[4, 3][..], DType::F64));
    assert_eq!((bias.name(), &bias.shape()[..]), ("out/bias", &[3][..]));
    assert_eq!(kernel.constraint().unwrap().class_name(), Some("MaxNorm"));
    assert_eq!(bias.constraint().unwrap().class_name(), Some("NonNeg"));
    // glorot_uniform: within ±√(6 / (4 + 3)).
    assert!(kernel.array().to_vec::<f64>()?.iter().all(|w| w.abs() <= (6.0f64 / 7.0).sqrt()));
    assert_eq!(bias.array().to_vec::<f64>()?, [0.25; 3]);
    assert_eq!(layer.use_bias(false).variables().len(), 2, "variables stay as they are");
    Ok(())
}

#[test]
fn what_a_dense_layer_refuses() -> Result<()> {
    let kind = |result: Result<Tensor>| result.unwrap_err().kind();
    let layer = Dense::new(2);
    assert_eq!(kind(layer.forward(&Tensor::ones([3], DType::F32)?)), ErrorKind::Shape);
    assert_eq!(kind(layer.forward(&Tensor::ones([3, 3], DType::I32)?)), ErrorKind::DType);
    assert!(layer.variables().is_empty());
    layer.forward(&Tensor::ones([2, 3], DType::F32)?)?;
    assert_eq!(kind(layer.forward(&Tensor::ones([2, 4], DType::F32)?)), ErrorKind::Shape);
    assert_eq!(kind(layer.forward(&Tensor::ones([2, 3], DType::F64)?)), ErrorKind::DType);
    assert_eq!(kind(Dense::new(0).forward(&Tensor::ones([2, 3], DType::F32)?)), ErrorKind::Argument);
    let wrong = Dense::new(2).bias_initializer(|_: &Shape, dtype: DType| Array::zeros([3], dtype));
    assert_eq!(kind(wrong.forward(&Tensor::ones([2, 3], DType::F32)?)), ErrorKind::Shape);
    assert!(wrong.variables().is_empty());
    Ok(())
}

#[test]
fn threads_that_build_a_layer_at_once_share_the_variables() -> Result<()> {
    let layer = Dense::new(64);
    let x = Tensor::ones([1, 64], DType::F32)?;
    let results: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| layer.forward(&x)?.to_vec::<f32>())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<_>>()
    })?;
    assert!(results.iter().all(|result| *result == results[0]));
    Ok(())
}

#[test]
fn layers_of_a_model_follow_one_another() -> Result<()> {
    let ones = |units: usize| Dense::new(units).kernel_initializer(Constant::new(1.0));
    let halve = ones(2).activation(Activation::function(|x| Ok(0.5 * x)));
    let model = Sequential::new().add(ones(3)).add(halve).add(ones(1).named("head")).add(ones(1));
    let x = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0])?;
    // (1 + 2) · 3 units / 2 · 2 units = 9, and (3 + 4) likewise 21.
    assert_eq!(model.forward(&x)?.to_vec::<f32>()?, [9.0, 21.0]);
    let names: Vec<String> = model.trainable_variables().iter().map(|v| v.name().to_owned()).collect();
    let want = ["dense", "dense_1", "head", "dense_2"].map(|n| [format!("{n}/kernel"), format!("{n}/bias")]);
    assert_eq!(names, want.concat());
    let error = model.forward(&Tensor::ones([2, 5], DType::F32)?).unwrap_err();
    assert!(error.to_string().starts_with("dense: "), "{error}");
    assert_eq!(Sequential::new().forward(&x)?.to_vec::<f32>()?, x.to_vec::<f32>()?);
    Ok(())
}

#[test]
fn a_model_within_a_model_and_a_frozen_variable() -> Result<()> {
    /// A layer whose one variable is not trained.
    struct Offset(Variable);
    impl Layer for Offset {
        fn class_name(&self) -> &'static str {
            "Offset"
        }
        fn name(&self) -> &str {
            "offset"
        }
        fn rename(&mut self, _name: String) {}
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            Ok(x + &self.0)
        }
        fn variables(&self) -> Vec<Variable> {
            vec![self.0.clone()]
        }
    }
    let inner = Sequential::new().add(Dense::new(2)).add(Offset(Variable::new(1.0f32).untrainable()));
    let model = Sequential::new().named("outer").add(inner).add(Dense::new(1));
    model.forward(&Tensor::ones([4, 3], DType::F32)?)?;
    assert_eq!((model.variables().len(), model.trainable_variables().len()), (5, 4));
    let table = "\
outer (Sequential)
  layer                    output  parameters
  sequential (Sequential)  [?, 2]           9
  dense (Dense)            [?, 1]           3
12 parameters, 11 of them trainable";
    assert_eq!(model.to_string(), table);
    let unbuilt = Sequential::new().add(Dense::new(2)).to_string();
    assert!(unbuilt.contains("dense (Dense)  not built           0"), "{unbuilt}");
    Ok(())
}

#[test]
fn activations_by_name() -> Result<()> {
    for name in ["linear", "relu", "sigmoid", "tanh", "softplus", "exponential", "softmax", "swish"] {
        assert_eq!(Activation::from_name(name)?.name(), Some(name));
    }
    assert_eq!(Activation::from_name("Relu").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Activation::function(|x| Ok(x.clone())).name(), None);
    assert_eq!(format!("{:?}", Activation::Tanh), "tanh");
    Ok(())
}
