//! Second derivatives of fused ops, through the same functions composed of plain ops.
use crate::op::Gradients;
use crate::{GradientOptions, GradientTape, Tensor, session};
use slalom_array::{Array, Result};

/// The gradients of a fused gradient, which is a function of `inputs` and of the gradients `grads` of the results of
/// `function`, and gives a gradient for each input; `upstream` are the gradients of these. Returns the gradients for
/// all `inputs`, then those for `grads`.
///
/// `function` says in plain ops what the fused op computes. Its gradient is recorded and differentiated once more; as
/// plain ops record themselves on the tapes around, so are all higher derivatives. Inputs of other types than floats
/// get no gradients.
pub(crate) fn second_order(
    inputs: &[&Tensor],
    grads: &[&Tensor],
    upstream: &[Tensor],
    function: impl Fn(&[Tensor]) -> Result<Vec<Tensor>>,
) -> Result<Gradients> {
    let inputs: Vec<Tensor> = inputs.iter().map(|x| placed(x)).collect();
    let (outer, inner) = (GradientTape::unwatched(), GradientTape::unwatched());
    let float = |x: &&Tensor| x.dtype().is_float();
    let watched = |x: &Tensor| if float(&x) { inner.watch(&outer.watch(x)) } else { x.clone() };
    let inputs: Vec<Tensor> = inputs.iter().map(watched).collect();
    let seeds: Vec<Tensor> = grads.iter().map(|g| outer.watch(&placed(g))).collect();
    let results = function(&inputs)?;
    let sources: Vec<&Tensor> = inputs.iter().filter(float).collect();
    let options = GradientOptions::new().output_gradients(seeds.iter().cloned());
    let first = inner.gradient_with(&results, sources.clone(), &options)?;
    let (mut targets, mut weights) = (Vec::new(), Vec::new());
    for (gradient, weight) in first.into_iter().zip(upstream) {
        if let Some(gradient) = gradient {
            targets.push(gradient.to_dense()?);
            weights.push(placed(weight));
        }
    }
    let all: Vec<&Tensor> = sources.into_iter().chain(&seeds).collect();
    let options = GradientOptions::new().output_gradients(weights);
    let mut second = outer.gradient_with(&targets, all, &options)?.into_iter();
    let each = inputs.iter().chain(&seeds);
    Ok(each.map(|x| if float(&x) { second.next().flatten() } else { None }).collect())
}

/// The tensor as something new to record. Where nothing records, the nodes of the tape that is differentiated are lent
/// to its walk, and places in it mean nothing.
fn placed(x: &Tensor) -> Tensor {
    match session::recording() {
        0 => Tensor::from(Array::clone(&x.array)),
        _ => x.clone(),
    }
}
