//! `activations.json`: Keras's activation functions, their values and gradients.
use crate::fields::{Fields, number};
use crate::runner::{Case, Failure};
use crate::tensors::{compare, compare_gradient, tensor};
use slalom_autograd::{GradientOptions, GradientTape, Tensor};
use slalom_nn::Activation;

pub(crate) fn requires(case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![case.fields.str("activation")?.to_owned()])
}

pub(crate) fn judge(case: &Case<'_>) -> Result<(), Failure> {
    let kwargs = case.fields.object("kwargs")?;
    let (input, upstream) = (tensor(case.fields.get("input")?)?, tensor(case.fields.get("upstream")?)?);
    let tape = GradientTape::new();
    let x = tape.watch(&input);
    let y = activation(case.fields.str("activation")?, &x, &kwargs)?;
    kwargs.finish()?;
    compare("output", &y, &tensor(case.fields.get("output")?)?, case.tolerance)?;
    let options = GradientOptions::new().output_gradients([upstream]);
    let gradient = tape.gradient_with(&y, &x, &options)?;
    compare_gradient("gradient", gradient.as_ref(), case.fields.get("grad")?, case.tolerance)
}

fn activation(name: &str, x: &Tensor, kwargs: &Fields<'_>) -> Result<Tensor, Failure> {
    let axis = || kwargs.number_or("axis", -1.0).map(|axis| axis as isize);
    Ok(match name {
        "crelu" => x.crelu(-1)?,
        "elu" => x.elu(kwargs.number_or("alpha", 1.0)?)?,
        "gelu" if kwargs.flag("approximate")? => x.gelu_tanh()?,
        "gelu" => x.gelu()?,
        "hard_sigmoid" => x.hard_sigmoid()?,
        "leaky_relu" => x.leaky_relu(kwargs.number_or("alpha", 0.2)?)?,
        "log_sigmoid" => x.log_sigmoid()?,
        "log_softmax" => x.log_softmax(axis()?)?,
        "mish" => x.mish()?,
        "relu" => {
            let max_value = kwargs.optional("max_value").map(number).transpose()?;
            let (alpha, threshold) = (kwargs.number_or("alpha", 0.0)?, kwargs.number_or("threshold", 0.0)?);
            x.relu_with(alpha, max_value, threshold)?
        }
        "relu6" => x.relu6()?,
        "selu" => x.selu()?,
        "softmax" => x.softmax(axis()?)?,
        "softsign" => x.softsign()?,
        _ => Activation::from_name(name)?.apply(x)?,
    })
}
