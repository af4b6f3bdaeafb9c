//! What several themes use.
use serde_json::json;
use slalom_array::{Array, DType, Result};
use slalom_autograd::{Gradient, IndexedSlices, Tensor};
use slalom_optim::config::{Config, object};
use slalom_optim::{Optimizer, rules};
use slalom_variable::{Constraint, Variable};

pub(crate) fn item(variable: &Variable) -> f64 {
    variable.array().item().unwrap()
}

pub(crate) fn dense(elements: &[f64]) -> Gradient {
    Gradient::Dense(Tensor::from_vec([elements.len()], elements.to_vec()).unwrap())
}

pub(crate) fn sparse(indices: &[i64], values: &[f64], rows: usize) -> Gradient {
    let indices = Tensor::from_vec([indices.len()], indices.to_vec()).unwrap();
    let values = Tensor::from_vec([indices.len(), values.len() / indices.len()], values.to_vec()).unwrap();
    let width = values.shape()[1];
    IndexedSlices::new(indices, values, [rows, width]).unwrap().into()
}

/// Calls a closure.
pub(crate) struct By<F>(pub(crate) F);

impl<F> std::fmt::Debug for By<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("By")
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor> + Send + Sync> Constraint for By<F> {
    fn apply(&self, value: &Tensor) -> Result<Tensor> {
        (self.0)(value)
    }
}

/// Numbers between -1 and 1 that look random.
pub(crate) fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(n).collect()
}

pub(crate) fn variable(seed: u64, shape: &[usize]) -> Variable {
    let n = shape.iter().product();
    Variable::new(Array::from_vec(shape, noise(seed, n)).unwrap()).named(format!("v{seed}"))
}

pub(crate) fn gradient(seed: u64, shape: &[usize]) -> Gradient {
    Tensor::from_vec(shape, noise(seed, shape.iter().product())).unwrap().into()
}

/// A config of each class, with options that matter.
pub(crate) fn configs() -> Vec<(&'static str, Config)> {
    let rate = || ("learning_rate", json!(0.1));
    let mut all: Vec<_> = rules::registry()
        .entries()
        .filter(|entry| entry.class_name != "Lookahead")
        .map(|entry| (entry.class_name, object([rate()])))
        .collect();
    all.extend([
        ("SGD", object([rate(), ("momentum", json!(0.5)), ("nesterov", json!(true))])),
        ("RMSprop", object([rate(), ("momentum", json!(0.5)), ("centered", json!(true))])),
        ("RMSprop", object([rate(), ("centered", json!(true)), ("epsilon_in_root", json!(false))])),
        ("Adam", object([rate(), ("amsgrad", json!(true)), ("lazy", json!(true))])),
        ("AdamW", object([rate(), ("weight_decay", json!(0.5)), ("corrected_epsilon", json!(true))])),
        ("Adafactor", object([rate(), ("min_dim_size_to_factor", json!(2))])),
        ("Lookahead", object([rate(), ("inner", json!("Adam")), ("sync_period", json!(2))])),
        ("Lookahead", object([rate(), ("inner", json!("Muon")), ("sync_period", json!(3))])),
    ]);
    all
}

/// The same without rules that search.
pub(crate) fn stepping() -> impl Iterator<Item = (&'static str, Config)> {
    configs().into_iter().filter(|(class, config)| make(class, config).rule().search().is_none())
}

pub(crate) fn make(class: &str, config: &Config) -> Optimizer {
    Optimizer::from_config(class, config).unwrap_or_else(|error| panic!("{class}: {error}"))
}

pub(crate) fn values(optimizer: &Optimizer, variables: &[Variable]) -> Vec<Vec<u64>> {
    let weights = optimizer.weights();
    let all = variables.iter().chain(&weights);
    let bits = |v: &Variable| {
        let elements = v.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        elements.into_iter().map(f64::to_bits).collect()
    };
    all.map(bits).collect()
}
