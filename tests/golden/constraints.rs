//! `constraints.json`: what constraints make of a value.
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use serde_json::json;
use slalom_optim::config::constraints;

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("class_name")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let (class_name, config) = (case.fields.str("class_name")?, case.fields.get("config")?);
    let constraint = constraints::deserialize(&json!({"class_name": class_name, "config": config}))?;
    let got = constraint.apply(&tensor(case.fields.get("input")?)?)?;
    compare("output", &got, &tensor(case.fields.get("output")?)?, case.tolerance)
}
