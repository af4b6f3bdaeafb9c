//! `schedules.json`: the values of learning-rate schedules.
use crate::runner::{Case, Failure};
use crate::tensors::{dtype, tensor};
use serde_json::json;
use slalom_array::DType;
use slalom_optim::schedules::deserialize;

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("class_name")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let class_name = case.fields.get("class_name")?;
    let schedule = deserialize(&json!({"class_name": class_name, "config": case.fields.get("config")?}))?;
    let dtype = dtype(case.fields.str("dtype")?)?;
    let bound = case.tolerance.of(dtype)?;
    let (steps, want) = (tensor(case.fields.get("steps")?)?, tensor(case.fields.get("values")?)?);
    if want.dtype() != dtype || want.shape() != steps.shape() {
        return Err(format!("values {} of {}", want.shape(), want.dtype()).into());
    }
    let (steps, want) = (steps.to_vec::<i64>()?, want.cast(DType::F64)?.to_vec::<f64>()?);
    for (step, want) in steps.into_iter().zip(want) {
        let got = schedule.value(step);
        if !bound.admits(got, want) {
            return Err(format!("step {step}: got {got:e}, want {want:e}").into());
        }
    }
    Ok(())
}
