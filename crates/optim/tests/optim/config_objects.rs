//! Constraints and initializers in Keras's JSON.
use serde_json::{Value, json};
use slalom_array::{Array, DType};
use slalom_array::{ErrorKind, Result, Shape};
use slalom_autograd::Tensor;
use slalom_optim::config::{constraints, initializers};
use slalom_variable::constraints::{Constraint, RowWise};
use slalom_variable::initializers::{Constant, Initializer};
use slalom_variable::{Config, constraints as plain, initializers as plain_initializers};
use std::sync::Arc;

fn keras(kind: &str, class: &str, config: Value) -> Value {
    json!({"module": format!("keras.{kind}"), "class_name": class, "config": config, "registered_name": null})
}

/// The same with every number as a float: Python writes 1 where it means 1.0.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(x) => x.as_f64().into(),
        Value::Array(list) => list.iter().map(floats).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), floats(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn what_keras_prints_comes_back() -> Result<()> {
    let all = [
        ("NonNeg", json!({})),
        ("MaxNorm", json!({"max_value": 2, "axis": 0})),
        ("MaxNorm", json!({"max_value": "Infinity", "axis": [0, 1]})),
        ("MinMaxNorm", json!({"min_value": 0.5, "max_value": 1.0, "rate": 0.25, "axis": 1})),
        ("UnitNorm", json!({"axis": [0, 1, 2]})),
        ("RadialConstraint", json!({})),
    ];
    for (class, config) in all {
        let json = keras("constraints", class, config.clone());
        let printed = constraints::serialize(&constraints::deserialize(&json)?);
        assert_eq!(floats(&printed.unwrap()), floats(&json));
        let short = constraints::deserialize(&json!({"class_name": class, "config": config}))?;
        assert_eq!(floats(&constraints::serialize(&short).unwrap()), floats(&json));
    }
    let all = [
        ("Zeros", json!({})),
        ("Constant", json!({"value": 0.5})),
        ("GlorotUniform", json!({"seed": null})),
        ("RandomNormal", json!({"mean": 0.0, "stddev": 0.05, "seed": 3})),
        ("VarianceScaling", json!({"scale": 2, "mode": "fan_avg", "distribution": "uniform", "seed": null})),
    ];
    for (class, config) in all {
        let json = keras("initializers", class, config);
        let printed = initializers::serialize(&initializers::deserialize(&json)?);
        assert_eq!(floats(&printed.unwrap()), floats(&json));
    }
    Ok(())
}

/// `min(w, limit)`
struct AtMost(f64);

impl Constraint for AtMost {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        let limit = Tensor::from(Array::full([], self.0, value.dtype())?);
        value.minimum(&limit)
    }
    fn class_name(&self) -> Option<&'static str> {
        Some("own>AtMost")
    }
    fn get_config(&self) -> Config {
        Config::new().with("limit", self.0)
    }
}

#[test]
fn own_constraints_are_found_by_their_registered_names() -> Result<()> {
    let own: &[(&str, plain::Build)] =
        &[("own>AtMost", |config| Ok(Arc::new(AtMost(config.number("limit", 1.0)?))))];
    let printed = constraints::serialize(&AtMost(0.5)).unwrap();
    let expected = json!({
        "module": null, "class_name": "AtMost", "config": {"limit": 0.5}, "registered_name": "own>AtMost",
    });
    assert_eq!(printed, expected);
    let rows = constraints::serialize(&RowWise::new(AtMost(0.5))?).unwrap();
    assert_eq!(rows["config"], json!({"limit": 0.5, "constraint": "own>AtMost"}));
    for json in [printed, rows] {
        let again = constraints::deserialize_with(&json, own)?;
        assert_eq!(constraints::serialize(&again).unwrap(), json);
        assert_eq!(again.apply(&Tensor::from_vec([2], vec![0.25f64, 2.0])?)?.to_vec::<f64>()?, [0.25, 0.5]);
        assert_eq!(constraints::deserialize(&json).err().map(|e| e.kind()), Some(ErrorKind::NotFound));
    }
    assert!(constraints::serialize(&|w: &Tensor| Ok(w.clone())).is_none());

    let sevens: &[(&str, plain_initializers::Build)] =
        &[("own>Sevens", |_| Ok(Arc::new(Constant::new(7.0))))];
    let json = json!({"class_name": "Sevens", "config": {}, "registered_name": "own>Sevens"});
    let value = initializers::deserialize_with(&json, sevens)?.initialize(&Shape::from([1]), DType::F64)?;
    assert_eq!(value.to_vec::<f64>()?, [7.0]);
    Ok(())
}

#[test]
fn malformed_ones_are_errors() {
    let error = |config: Value| {
        constraints::deserialize(&json!({"class_name": "MaxNorm", "config": config})).err().unwrap()
    };
    let text = "MaxNorm.from_config: expected a number, a string, null or an array of whole numbers for `axis`, \
                got the boolean true";
    assert_eq!(error(json!({"axis": true})).to_string(), text);
    for config in [json!({"axis": [0.5]}), json!({"axis": "x"}), json!({"max": 1}), json!({"axis": {}})] {
        assert_eq!(error(config).kind(), ErrorKind::Config);
    }
    assert_eq!(constraints::deserialize(&json!("NonNeg")).err().map(|e| e.kind()), Some(ErrorKind::Config));
}
