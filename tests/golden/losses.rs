//! `losses.json`: losses and their gradients for the predictions.
use crate::fields::Fields;
use crate::runner::{Case, Failure};
use crate::tensors::{compare, compare_gradient, tensor};
use slalom_autograd::{GradientOptions, GradientTape};
use slalom_nn::losses::{
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalHinge, CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, Loss, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, Reduction,
    SparseCategoricalCrossentropy, SquaredHinge,
};

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("loss")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let loss = loss(case)?;
    let y_true = tensor(case.fields.get("y_true")?)?;
    let sample_weight = case.fields.nullable("sample_weight")?.map(tensor).transpose()?;
    let tape = GradientTape::new();
    let y_pred = tape.watch(&tensor(case.fields.get("y_pred")?)?);
    let value = match sample_weight {
        None => loss.call(&y_true, &y_pred)?,
        Some(sample_weight) => loss.call_weighted(&y_true, &y_pred, &sample_weight)?,
    };
    compare("value", &value, &tensor(case.fields.get("value")?)?, case.tolerance)?;
    let mut options = GradientOptions::new();
    if let Some(upstream) = case.fields.nullable("upstream")? {
        options = options.output_gradients([tensor(upstream)?]);
    }
    let gradient = tape.gradient_with(&value, &y_pred, &options)?;
    compare_gradient("gradient", gradient.as_ref(), case.fields.get("grad")?, case.tolerance)
}

fn loss(case: &Case<'_>) -> Result<Box<dyn Loss>, Failure> {
    let reduction = match case.fields.str("reduction")? {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        "sum_over_batch_size" => Reduction::SumOverBatchSize,
        other => return Err(format!("unknown reduction {other}").into()),
    };
    let config = case.fields.object("config")?;
    let loss: Box<dyn Loss> = match case.fields.str("loss")? {
        "CategoricalHinge" => Box::new(CategoricalHinge::new().reduction(reduction)),
        "Hinge" => Box::new(Hinge::new().reduction(reduction)),
        "KLDivergence" => Box::new(KLDivergence::new().reduction(reduction)),
        "LogCosh" => Box::new(LogCosh::new().reduction(reduction)),
        "MeanAbsoluteError" => Box::new(MeanAbsoluteError::new().reduction(reduction)),
        "MeanAbsolutePercentageError" => Box::new(MeanAbsolutePercentageError::new().reduction(reduction)),
        "MeanSquaredError" => Box::new(MeanSquaredError::new().reduction(reduction)),
        "MeanSquaredLogarithmicError" => Box::new(MeanSquaredLogarithmicError::new().reduction(reduction)),
        "Poisson" => Box::new(Poisson::new().reduction(reduction)),
        "SquaredHinge" => Box::new(SquaredHinge::new().reduction(reduction)),
        "CosineSimilarity" => Box::new(
            CosineSimilarity::new().axis(config.number_or("axis", -1.0)? as isize).reduction(reduction),
        ),
        "Huber" => Box::new(Huber::new().delta(config.number_or("delta", 1.0)?).reduction(reduction)),
        "BinaryCrossentropy" => Box::new(
            BinaryCrossentropy::new()
                .from_logits(config.flag("from_logits")?)
                .label_smoothing(config.number_or("label_smoothing", 0.0)?)
                .reduction(reduction),
        ),
        "BinaryFocalCrossentropy" => Box::new(
            BinaryFocalCrossentropy::new()
                .apply_class_balancing(config.flag("apply_class_balancing")?)
                .alpha(config.number_or("alpha", 0.25)?)
                .gamma(config.number_or("gamma", 2.0)?)
                .from_logits(config.flag("from_logits")?)
                .label_smoothing(config.number_or("label_smoothing", 0.0)?)
                .reduction(reduction),
        ),
        "CategoricalFocalCrossentropy" => Box::new(
            CategoricalFocalCrossentropy::new()
                .alpha(config.number_or("alpha", 0.25)?)
                .gamma(config.number_or("gamma", 2.0)?)
                .from_logits(config.flag("from_logits")?)
                .label_smoothing(config.number_or("label_smoothing", 0.0)?)
                .reduction(reduction),
        ),
        "CategoricalCrossentropy" => Box::new(
            CategoricalCrossentropy::new()
                .from_logits(config.flag("from_logits")?)
                .label_smoothing(config.number_or("label_smoothing", 0.0)?)
                .reduction(reduction),
        ),
        "SparseCategoricalCrossentropy" => Box::new(sparse(&config)?.reduction(reduction)),
        other => return Err(format!("unknown loss {other}").into()),
    };
    config.finish()?;
    Ok(loss)
}

fn sparse(config: &Fields<'_>) -> Result<SparseCategoricalCrossentropy, Failure> {
    let loss = SparseCategoricalCrossentropy::new().from_logits(config.flag("from_logits")?);
    Ok(match config.optional("ignore_class") {
        None => loss,
        Some(class) => loss.ignore_class(class.as_i64().ok_or("ignore_class is no integer")?),
    })
}
