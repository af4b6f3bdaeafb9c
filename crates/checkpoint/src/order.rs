//! The order of an optimizer's weights, which a state lists by name and a file holds as an array: the names of many variables would
//! be more JSON than a file may have.
use crate::differences::damaged;
use serde_json::Value;
use slalom_array::{Array, Result};
use slalom_optim::State;
use std::collections::HashMap;

/// The name of the list among the values of a state, and of the array in the file.
pub(crate) const WEIGHTS: &str = "weights";

/// The place of each weight among the names of the state's arrays; `None` before the first step.
pub(crate) fn write(state: &State) -> Option<Array> {
    let places: HashMap<&str, i32> = state.arrays.keys().map(String::as_str).zip(0..).collect();
    let weights = state.values.get(WEIGHTS)?.as_array()?.iter();
    let places: Option<Vec<i32>> = weights.map(|name| places.get(name.as_str()?).copied()).collect();
    let places = places?;
    Array::from_vec([places.len()], places).ok()
}

/// Puts the names in the place of the array. No name comes twice, so they take no more memory than those of the arrays.
///
/// # Errors
/// [`Format`](slalom_array::ErrorKind::Format).
pub(crate) fn read(state: &mut State) -> Result<()> {
    let Some(order) = state.arrays.remove(WEIGHTS) else { return Ok(()) };
    let mut names: Vec<_> = state.arrays.keys().map(|name| Some(name.as_str())).collect();
    let mut name = |place: i32| names.get_mut(usize::try_from(place).ok()?)?.take().map(Value::from);
    let places = order.to_vec::<i32>().ok().filter(|_| order.shape().rank() == 1);
    let weights: Option<Vec<Value>> = places.and_then(|places| places.into_iter().map(&mut name).collect());
    match weights {
        Some(weights) if !state.values.contains_key(WEIGHTS) => {
            state.values.insert(WEIGHTS.to_owned(), weights.into());
            Ok(())
        }
        _ => {
            Err(damaged("checkpoint", "`weights` as places among the names of the arrays", "something else"))
        }
    }
}
