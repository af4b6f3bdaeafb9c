//! SM3.
use super::arguments::arguments;
use super::whole::{UpdateItem, combine, minimum, over_positive_root, square_and};
use crate::config::Config;
use crate::{Item, NamedHyper, Rule, SlotSpec, Step};
use slalom_array::{Array, Element, Float, Reduction, Result, Shape, reduce};
use slalom_variable::Variable;

arguments! {
    /// SM3: Adagrad with one accumulator for each index of each axis (`optax.sm3`).
    ///
    /// `a = g² + min(μ₁, μ₂, ..)`, the least of the accumulators of an element's indices; `u = g / √(a + ε)`, 0 where `a` is;
    /// `m = momentum m + (1 - momentum) u; x -= lr m`; each `μ` is the largest `a` of its index. Variables of less than two
    /// axes have one accumulator for each element. The slot `accumulator` holds those of the first axis, then those of the
    /// second, and so on.
    ///
    /// Anil, Gupta, Koren and Singer, *Memory-efficient adaptive optimization*, 2019, algorithm SM3-II.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sm3};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(1.0f64);
    /// let mut opt = Optimizer::new(Sm3::new(0.5).momentum(0.5).epsilon(0.0))?;
    /// opt.minimize(|| 4.0 * &x, &x)?;
    /// assert_eq!(x.value().item()?, 0.75);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Sm3(0.1);
    hypers {
        /// The part of the last step that the next one repeats (default 0.9).
        momentum = 0.9;
        /// What is added in the root (default 1e-8).
        epsilon = 1e-8;
    }
    options {}
}

/// The accumulators of each axis, in the shape that broadcasts to that of the variable.
fn by_axis(accumulators: &Array, shape: &Shape) -> Result<Vec<Array>> {
    let mut start = 0;
    let axis = |(axis, &n): (usize, &usize)| {
        let mut along = vec![1; shape.rank()];
        along[axis] = n;
        start += n;
        accumulators.slice(0, start - n, n, 1)?.reshape(along)
    };
    shape.iter().enumerate().map(axis).collect()
}

/// What the accumulators of an element let it begin with.
fn least<F: Float + Element>(accumulators: &Array, shape: &Shape) -> Result<Array> {
    if shape.rank() < 2 {
        return accumulators.reshape(shape);
    }
    let mut axes = by_axis(accumulators, shape)?.into_iter();
    let Some(first) = axes.next() else { return Ok(accumulators.clone()) };
    axes.try_fold(first, |so_far, next| minimum::<F>(&so_far, &next))
}

/// Puts the largest sum of each index into the accumulators.
fn cover<F: Float + Element>(accumulators: &mut Array, sums: &Array) -> Result<()> {
    let rank = sums.rank();
    let largest = match rank {
        0 | 1 => vec![sums.clone()],
        _ => (0..rank)
            .map(|axis| {
                let others: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
                reduce(Reduction::Max, sums, &others, false)
            })
            .collect::<Result<_>>()?,
    };
    let mut into = accumulators.make_mut::<F>()?;
    for part in largest {
        let (own, rest) = into.split_at_mut(part.len());
        own.copy_from_slice(&part.to_vec::<F>()?);
        into = rest;
    }
    Ok(())
}

impl UpdateItem for Sm3 {
    fn update_item<F: Float + Element>(&self, step: &Step<'_>, item: &mut Item<'_>) -> Result<()> {
        let (gradient, momentum) = (item.gradient()?, step.hyper("momentum"));
        let least = least::<F>(item.slots[0], gradient.shape())?;
        let sums = square_and::<F>(&gradient, &least)?;
        drop(least);
        let u = over_positive_root::<F>(&gradient, &sums, step.hyper("epsilon"))?;
        cover::<F>(item.slots[0], &sums)?;
        combine::<F>(item.slots[1], momentum, &u, 1.0 - momentum)?;
        combine::<F>(item.value, 1.0, item.slots[1], -step.learning_rate())
    }
}

impl Rule for Sm3 {
    fn class_name(&self) -> &str {
        "SM3"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        ["accumulator", "momentum"].map(SlotSpec::new).to_vec()
    }

    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let shape = variable.shape();
        match slot {
            0 if shape.rank() >= 2 => Shape::from([shape.iter().sum()]),
            _ => shape.clone(),
        }
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn update(&self, steps: &mut [Step<'_>], items: &mut [Item<'_>]) -> Result<()> {
        self.update_items(steps, items)
    }
}
