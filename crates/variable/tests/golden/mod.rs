//! Reading of golden files (`tests/golden` at the root; its format is described there).
#![allow(dead_code)] // each test uses a part

use serde_json::Value;
use slalom_array::{Array, DType};
use slalom_variable::{Config, ConfigValue};

pub(crate) struct Golden {
    tolerance: Value,
    pub(crate) cases: Vec<Value>,
}

pub(crate) fn load(family: &str) -> Golden {
    let path = format!("{}/../../tests/golden/{family}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let Value::Array(cases) = file["cases"].take() else { panic!("{path}: no cases") };
    assert!(!cases.is_empty());
    Golden { tolerance: file["tolerance"].take(), cases }
}

pub(crate) fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap_or_else(|| panic!("not a number: {value}")),
    }
}

pub(crate) fn shape(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

pub(crate) fn dtype(value: &Value) -> DType {
    let name = value.as_str().unwrap();
    *DType::ALL.iter().find(|dtype| dtype.name() == name).unwrap()
}

/// The array of a tensor in the file.
pub(crate) fn array(tensor: &Value) -> Array {
    let shape = shape(&tensor["shape"]);
    let data = tensor["data"].as_array().unwrap();
    match dtype(&tensor["dtype"]) {
        DType::F32 => Array::from_vec(shape, data.iter().map(|x| number(x) as f32).collect()),
        DType::F64 => Array::from_vec(shape, data.iter().map(number).collect()),
        DType::I32 => Array::from_vec(shape, data.iter().map(|x| x.as_i64().unwrap() as i32).collect()),
        DType::I64 => Array::from_vec(shape, data.iter().map(|x| x.as_i64().unwrap()).collect()),
        DType::Bool => Array::from_vec(shape, data.iter().map(|x| x.as_bool().unwrap()).collect()),
    }
    .unwrap()
}

/// The config of an object in the file.
pub(crate) fn config(value: &Value) -> Config {
    value.as_object().unwrap().iter().fold(Config::new(), |config, (name, value)| {
        let value = match value {
            Value::Null => ConfigValue::None,
            Value::Number(n) if n.is_i64() => ConfigValue::Integer(n.as_i64().unwrap()),
            Value::Number(n) => ConfigValue::Number(n.as_f64().unwrap()),
            Value::String(text) => ConfigValue::Text(text.clone()),
            Value::Array(list) => ConfigValue::Integers(list.iter().map(|i| i.as_i64().unwrap()).collect()),
            other => panic!("not in a config: {other}"),
        };
        config.with(name, value)
    })
}

pub(crate) fn elements(array: &Array) -> Vec<f64> {
    array.cast(DType::F64).unwrap().to_vec().unwrap()
}

impl Golden {
    /// Checks an array against a tensor in the file, with the tolerance of its type.
    pub(crate) fn check(&self, case: &Value, what: &str, got: &Array, want: &Value) {
        let (id, name) = (&case["id"], want["dtype"].as_str().unwrap());
        let of_case = &case["tol"][name];
        let tolerance = if of_case.is_null() { &self.tolerance[name] } else { of_case };
        let (rtol, atol) = (number(&tolerance["rtol"]), number(&tolerance["atol"]));
        assert_eq!(got.shape()[..], shape(&want["shape"]), "{id}: shape of {what}");
        assert_eq!(got.dtype().name(), name, "{id}: dtype of {what}");
        let want = want["data"].as_array().unwrap().iter().map(number);
        for (i, (got, want)) in elements(got).into_iter().zip(want).enumerate() {
            let equal = got == want || got.is_nan() && want.is_nan();
            let close = (got - want).abs() <= atol + rtol * want.abs() && want.is_finite();
            assert!(equal || close, "{id}: {what}[{i}]: got {got}, want {want}");
        }
    }
}
