//! `constraints.json`: what constraints make of a value.
use crate::objects::config;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, tensor};
use slalom_variable::constraints::from_config;

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("class_name")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let constraint = from_config(case.fields.str("class_name")?, &config(case.fields.get("config")?)?)?;
    let got = constraint.apply(&tensor(case.fields.get("input")?)?)?;
    compare("output", &got, &tensor(case.fields.get("output")?)?, case.tolerance)
}
