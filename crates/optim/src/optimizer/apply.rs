//! `apply_gradients`: prepare, then commit.
use super::Optimizer;
use crate::driver::{Clip, Update};
use crate::stages::{GradientList, Target, check, commit, constrain, missing};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_autograd::{Gradient, Trace};
use slalom_variable::Variable;
use smallvec::{SmallVec, smallvec};

/// Options of [`Optimizer::apply_gradients_with`].
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    aggregate_gradients: bool,
}

impl Default for ApplyOptions {
    fn default() -> ApplyOptions {
        ApplyOptions { aggregate_gradients: true }
    }
}

impl ApplyOptions {
    /// The defaults.
    pub fn new() -> ApplyOptions {
        ApplyOptions::default()
    }

    /// Whether the optimizer aggregates gradients over replicas (default true;
    /// `experimental_aggregate_gradients`). If not, the caller has done it.
    #[must_use]
    pub fn aggregate_gradients(self, aggregate: bool) -> ApplyOptions {
        ApplyOptions { aggregate_gradients: aggregate }
    }
}

type Targets = SmallVec<[Target; 2]>;

/// Applying gradients.
impl Optimizer {
    /// Updates each variable by its gradient, and counts one step. Returns the number of steps done.
    ///
    /// Variables without a gradient stay as they are, with a warning in the log. An empty list does nothing.
    ///
    /// # Errors
    /// Nothing has changed then:
    /// * [`ErrorKind::Gradient`], if no variable has a gradient;
    /// * [`ErrorKind::Shape`], [`ErrorKind::DType`] or [`ErrorKind::Index`], if a gradient does not fit its variable;
    /// * [`ErrorKind::Argument`], if a hyperparameter is not finite or not allowed;
    /// * [`ErrorKind::State`], if a variable with a constraint has a sparse gradient, while a trace records, or if a rule has
    ///   panicked in an earlier step;
    /// * those of the user's aggregator, transformers, callables and constraints.
    ///
    /// ```
    /// use slalom_autograd::GradientTape;
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let vars = vec![Variable::new(1.0f64), Variable::new(2.0f64)];
    /// let mut opt = Optimizer::new(Sgd::new(0.1))?;
    /// let tape = GradientTape::new();
    /// let loss = &vars[0] * &vars[1];
    /// let grads = tape.gradient(&loss, &vars)?;
    /// assert_eq!(opt.apply_gradients(grads.into_iter().zip(&vars))?, 1);
    /// assert_eq!(vars[0].value().item()?, 0.8);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn apply_gradients<G: Into<Option<Gradient>>, V: AsRef<Variable>>(
        &mut self,
        gradients: impl IntoIterator<Item = (G, V)>,
    ) -> Result<i64> {
        self.apply_gradients_with(gradients, &ApplyOptions::default())
    }

    /// As [`apply_gradients`](Optimizer::apply_gradients), with options.
    ///
    /// # Errors
    /// As there.
    pub fn apply_gradients_with<G: Into<Option<Gradient>>, V: AsRef<Variable>>(
        &mut self,
        gradients: impl IntoIterator<Item = (G, V)>,
        options: &ApplyOptions,
    ) -> Result<i64> {
        let pairs =
            gradients.into_iter().map(|(gradient, variable)| (gradient.into(), variable.as_ref().clone()));
        let gradients = missing::drop_missing(&self.name, pairs, &[])?;
        self.apply(gradients, options)
    }

    /// Applies gradients that are all present.
    pub(crate) fn apply(&mut self, gradients: GradientList, options: &ApplyOptions) -> Result<i64> {
        self.check_usable()?;
        if self.rule.search().is_some() {
            return Err(self.searches(true));
        }
        let iterations = self.iterations.array().item()? as i64;
        if gradients.is_empty() {
            return Ok(iterations);
        }
        let targets = self.prepare(gradients, options).map_err(|error| error.context(&self.name))?;
        self.update(iterations, &targets)?;
        Ok(iterations + 1)
    }

    pub(super) fn check_usable(&self) -> Result<()> {
        let (expected, got) = if self.poisoned {
            (
                "an optimizer whose updates have all ended",
                "one whose rule has panicked in the middle of an update",
            )
        } else if Trace::is_recording() {
            ("gradients to be applied outside of a trace", "a trace that records")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::State, "apply_gradients", expected, got).context(&self.name))
    }

    /// The stages that deal with gradients, and the slots.
    fn prepare(&mut self, mut gradients: GradientList, options: &ApplyOptions) -> Result<Targets> {
        if let Some(aggregator) = self.aggregator.as_mut().filter(|_| options.aggregate_gradients) {
            gradients = aggregator.apply(gradients)?;
        }
        let clips = match self.clip.any() {
            true => self.clip.resolve(&gradients)?,
            false => smallvec![Clip::NONE; gradients.len()],
        };
        for transformer in &mut self.transformers {
            gradients = transformer.apply(gradients)?;
        }
        self.slots.begin();
        let wants_dense = self.rule.wants_dense();
        let mut targets = Targets::with_capacity(gradients.len());
        let clips = clips.into_iter().chain(std::iter::repeat(Clip::NONE));
        for (i, ((gradient, variable), clip)) in gradients.iter().zip(clips).enumerate() {
            let gradient = check::check(gradient, variable)?;
            let (entry, round) = self.slots.find(i, variable);
            let update = Update { gradient, clip };
            let update = if wants_dense { update.into_dense(variable.shape())? } else { update };
            targets.push(Target { entry, round, update });
        }
        self.slots.create(&*self.rule, &self.specs, &self.name)?;
        Ok(targets)
    }

    /// Resolves the hyperparameters, computes what may fail, and commits.
    fn update(&mut self, iterations: i64, targets: &[Target]) -> Result<()> {
        let new_scalars = self.new_scalars()?;
        let mut step = self.hypers.step(&self.name, iterations)?;
        let scalars = new_scalars.as_ref().unwrap_or(&self.scalars);
        for scalar in scalars {
            step.scalars.push(scalar.array().item()?);
        }
        let rule = &*self.rule;
        let aside = |target: &&Target| {
            !rule.updates_in_place()
                || self.slots.repeats(target.entry)
                || self.slots.entry(target.entry).variable.constraint().is_some()
        };
        let all_aside = rule.updates_together() && targets.iter().any(|target| aside(&target));
        let on_copy = |target: &&Target| all_aside || aside(target);
        let copied: SmallVec<[&Target; 2]> = targets.iter().filter(on_copy).collect();
        let in_place: SmallVec<[&Target; 2]> = targets.iter().filter(|target| !on_copy(target)).collect();
        let mut steps = [step];
        let (copies, advanced) = constrain::update_copies(rule, &steps, &self.slots, &copied)?;
        let mut values: SmallVec<[Array; 1]> =
            scalars.iter().map(|scalar| Array::zeros([], scalar.dtype())).collect::<Result<_>>()?;
        let mut taken = commit::Taken::new(&self.slots, &in_place, &self.iterations)?;

        self.poisoned = true;
        if in_place.is_empty() {
            steps[0].scalars = advanced;
        } else {
            taken.update(rule, &mut steps, &in_place)?;
        }
        self.poisoned = false;
        taken.count(iterations + 1);
        commit::swap_in(&self.slots, copies);
        commit::fill(&mut values, &steps[0].scalars);
        drop(steps);
        self.keep(new_scalars);
        for (scalar, value) in self.scalars.iter().zip(values) {
            *scalar.update().array() = value;
        }
        Ok(())
    }
}
