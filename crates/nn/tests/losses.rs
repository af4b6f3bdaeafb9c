//! Losses against TensorFlow's numbers, and what they refuse.
#[path = "../../variable/tests/golden/mod.rs"]
mod golden;

use serde_json::Value;
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::{GradientTape, Tensor};
use slalom_nn::losses::{
    CategoricalCrossentropy, Loss, MeanSquaredError, Reduction, SparseCategoricalCrossentropy, mse,
};

/// The loss of a case; `None` for a class that is not here.
fn loss(case: &Value) -> Option<Box<dyn Loss>> {
    let config = &case["config"];
    let from_logits = config["from_logits"].as_bool().unwrap_or(false);
    let reduction = match case["reduction"].as_str().unwrap() {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        "sum_over_batch_size" => Reduction::SumOverBatchSize,
        other => panic!("{other}"),
    };
    let known = ["from_logits", "label_smoothing", "ignore_class"];
    let expect_known = || assert!(config.as_object().unwrap().keys().all(|k| known.contains(&k.as_str())));
    Some(match case["loss"].as_str().unwrap() {
        "MeanSquaredError" => Box::new(MeanSquaredError::new().reduction(reduction)),
        "CategoricalCrossentropy" => {
            expect_known();
            let smoothing = config.get("label_smoothing").map_or(0.0, golden::number);
            let loss = CategoricalCrossentropy::new().from_logits(from_logits).label_smoothing(smoothing);
            Box::new(loss.reduction(reduction))
        }
        "SparseCategoricalCrossentropy" => {
            expect_known();
            let loss = SparseCategoricalCrossentropy::new().from_logits(from_logits).reduction(reduction);
            Box::new(match config.get("ignore_class") {
                Some(class) => loss.ignore_class(class.as_i64().unwrap()),
                None => loss,
            })
        }
        _ => return None,
    })
}

#[test]
fn losses_are_those_of_tensorflow() -> Result<()> {
    let file = golden::load("losses");
    let mut checked = 0;
    for case in &file.cases {
        let Some(loss) = loss(case) else { continue };
        let y_true = golden::array(&case["y_true"]).into();
        let tape = GradientTape::new();
        let y_pred = tape.watch(&golden::array(&case["y_pred"]).into());
        let value = match &case["sample_weight"] {
            Value::Null => loss.call(&y_true, &y_pred)?,
            weight => loss.call_weighted(&y_true, &y_pred, &golden::array(weight).into())?,
        };
        file.check(case, "value", value.array()?, &case["value"]);
        let target = match &case["upstream"] {
            Value::Null => value,
            upstream => (value * Tensor::from(golden::array(upstream))).sum(),
        };
        let gradient = tape.gradient(&target, &y_pred)?.unwrap().to_dense()?;
        file.check(case, "gradient", gradient.array()?, &case["grad"]);
        checked += 1;
    }
    assert_eq!(checked, 100);
    Ok(())
}

#[test]
fn mse_is_one_loss_for_each_sample() -> Result<()> {
    let y_true = Tensor::from_vec([2, 2], vec![0.0f64, 1.0, 2.0, 3.0])?;
    let y_pred = Tensor::from_vec([2, 2], vec![1.0f64, 1.0, 4.0, 0.0])?;
    assert_eq!(mse(&y_true, &y_pred)?.to_vec::<f64>()?, [0.5, 6.5]);
    let integers = Tensor::from_vec([2, 2], vec![0, 1, 2, 3])?;
    assert_eq!(mse(&integers, &y_pred)?.to_vec::<f64>()?, [0.5, 6.5]);
    Ok(())
}

#[test]
fn empty_batches_and_ignored_ones() -> Result<()> {
    let nothing = Tensor::zeros([0, 3], DType::F32)?;
    assert_eq!(MeanSquaredError::new().call(&nothing, &nothing)?.item()?, 0.0);
    // All are ignored: the mean is over no samples.
    let (labels, logits) = (Tensor::from_vec([2], vec![7i64, 7])?, Tensor::zeros([2, 3], DType::F64)?);
    let loss = SparseCategoricalCrossentropy::new().from_logits(true).ignore_class(7);
    assert!(loss.call(&labels, &logits)?.item()?.is_nan());
    assert_eq!(loss.reduction(Reduction::Sum).call(&labels, &logits)?.item()?, 0.0);
    // What is ignored has no part in the gradient, whatever it is.
    let tape = GradientTape::new();
    let logits = tape.watch(&Tensor::from_vec([2, 2], vec![f64::NAN, f64::INFINITY, 1.0, 1.0])?);
    let labels = Tensor::from_vec([2], vec![7, 1])?;
    let loss = loss.reduction(Reduction::Sum).call(&labels, &logits)?;
    let gradient = tape.gradient(&loss, &logits)?.unwrap().to_dense()?;
    assert_eq!(gradient.to_vec::<f64>()?, [0.0, 0.0, 0.5, -0.5]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_an_error() -> Result<()> {
    let of = |shape: &[usize]| Tensor::from(Array::ones(shape, DType::F32).unwrap());
    let labels = |labels: Vec<i64>| Tensor::from_vec([labels.len()], labels).unwrap();
    let kind = |result: Result<Tensor>| result.unwrap_err().kind();
    let (mse, sparse) = (MeanSquaredError::new(), SparseCategoricalCrossentropy::new());
    let categorical = CategoricalCrossentropy::new();
    assert_eq!(kind(mse.call(&of(&[2, 3]), &of(&[2, 4]))), ErrorKind::Shape);
    assert_eq!(kind(mse.call(&of(&[]), &of(&[]))), ErrorKind::Shape);
    assert_eq!(kind(mse.call(&of(&[2]), &labels(vec![1, 2]))), ErrorKind::DType);
    assert_eq!(kind(mse.call_weighted(&of(&[2, 3]), &of(&[2, 3]), &of(&[3]))), ErrorKind::Shape);
    assert_eq!(kind(mse.call_weighted(&of(&[2, 3]), &of(&[2, 3]), &of(&[2, 2]))), ErrorKind::Shape);
    for logits in [true, false] {
        let (sparse, categorical) = (sparse.from_logits(logits), categorical.from_logits(logits));
        assert_eq!(kind(sparse.call(&labels(vec![0, 3]), &of(&[2, 3]))), ErrorKind::Index);
        assert_eq!(kind(sparse.call(&labels(vec![0, -1]), &of(&[2, 3]))), ErrorKind::Index);
        assert_eq!(kind(sparse.ignore_class(9).call(&labels(vec![9, 3]), &of(&[2, 3]))), ErrorKind::Index);
        assert_eq!(kind(sparse.call(&labels(vec![0, 1, 2]), &of(&[2, 3]))), ErrorKind::Shape);
        assert_eq!(kind(sparse.call(&of(&[2, 3]), &of(&[2, 3]))), ErrorKind::Shape);
        assert_eq!(kind(categorical.call(&of(&[2, 1]), &of(&[2, 3]))), ErrorKind::Shape);
        assert_eq!(kind(categorical.call(&of(&[2, 3]), &labels(vec![1]))), ErrorKind::DType);
    }
    Ok(())
}
