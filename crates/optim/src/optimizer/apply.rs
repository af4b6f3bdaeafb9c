//! `apply_gradients`: prepare, then commit.
use super::Optimizer;
use crate::driver::{Clip, Update};
use crate::stages::accumulate::Sums;
use crate::stages::average::Blend;
use crate::stages::{GradientList, Target, check, commit, constrain, finite, missing};
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
    /// Variables without a gradient stay as they are, with a warning in the log. An empty list does nothing; a step whose
    /// gradients have all been dropped by the aggregator or a transformer updates nothing, but counts, as in the reference. A
    /// micro-batch of an [accumulation](Optimizer::gradient_accumulation_steps) and a [skipped](Optimizer::skip_nonfinite) step
    /// do not count. A variable that is listed twice is updated twice, or, where gradients are accumulated, by their sum.
    ///
    /// # Errors
    /// Nothing has changed then:
    /// * [`ErrorKind::Gradient`], if no variable has a gradient;
    /// * [`ErrorKind::Shape`], [`ErrorKind::DType`] or [`ErrorKind::Index`], if a gradient does not fit its variable;
    /// * [`ErrorKind::Argument`], if a hyperparameter is not finite or not allowed, or if the pattern of a [`Group`](crate::Group)
    ///   matches no variable;
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
        let gradients = self.present(pairs, &[])?;
        self.apply(gradients, options)
    }

    /// The pairs that have a gradient. The first time, the patterns of groups are compared with all names.
    pub(crate) fn present(
        &mut self,
        pairs: impl IntoIterator<Item = (Option<Gradient>, Variable)>,
        cuts: &[Option<&'static str>],
    ) -> Result<GradientList> {
        if !self.stages.groups.unmatched() {
            return missing::drop_missing(&self.name, pairs, cuts);
        }
        let pairs: Vec<_> = pairs.into_iter().collect();
        if !pairs.is_empty() {
            let checked = self.stages.groups.check(pairs.iter().map(|pair| &pair.1));
            checked.map_err(|error| error.context(&self.name))?;
        }
        missing::drop_missing(&self.name, pairs, cuts)
    }

    /// Applies gradients that are all present.
    pub(crate) fn apply(&mut self, gradients: GradientList, options: &ApplyOptions) -> Result<i64> {
        self.check_usable()?;
        if self.rule.search().is_some() {
            return Err(self.searches(true));
        }
        let iterations = self.iterations.array().item()? as i64;
        let gradients = self.collect(gradients).map_err(|error| error.context(&self.name))?;
        self.proceed(iterations, gradients, options)
    }

    /// Does a step with the mean of the micro-batches that have been accumulated since the last step, where
    /// [`gradient_accumulation_steps`](Optimizer::gradient_accumulation_steps) have not come together: the mean over those that
    /// there are. Does nothing if there are none. Returns the number of steps done.
    ///
    /// # Errors
    /// As [`apply_gradients`](Optimizer::apply_gradients).
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(0.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(1.0))?.gradient_accumulation_steps(4)?;
    /// for slope in [1.0, 3.0] {
    ///     assert_eq!(opt.minimize(|| slope * &x, &x)?.iterations, 0);
    /// }
    /// assert_eq!((opt.apply_accumulated()?, x.value().item()?), (1, -2.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn apply_accumulated(&mut self) -> Result<i64> {
        self.check_usable()?;
        let iterations = self.iterations.array().item()? as i64;
        let Some(accumulation) = &self.stages.accumulation else { return Ok(iterations) };
        let count = accumulation.done()?;
        if count == 0 {
            return Ok(iterations);
        }
        self.slots.begin();
        let mut gradients = accumulation.mean(&self.slots, Sums::default(), count)?;
        self.stages.groups.drop_frozen(&mut gradients);
        self.proceed(iterations, gradients, &ApplyOptions::default())
    }

    fn proceed(&mut self, iterations: i64, gradients: GradientList, options: &ApplyOptions) -> Result<i64> {
        if gradients.is_empty() {
            return Ok(iterations);
        }
        let mut targets = Targets::new();
        if !self.prepare(gradients, options, &mut targets).map_err(|error| error.context(&self.name))? {
            return Ok(iterations);
        }
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

    /// The gradients of a step: those of variables that are not frozen, without the loss scale, as the mean over micro-batches.
    /// They are none where a micro-batch has been accumulated and the step is still to come.
    fn collect(&mut self, mut gradients: GradientList) -> Result<GradientList> {
        self.stages.groups.drop_frozen(&mut gradients);
        if let Some(scale) = &self.stages.scale {
            scale.unscale(&mut gradients)?;
        }
        let Some(accumulation) = self.stages.accumulation.as_ref().filter(|_| !gradients.is_empty()) else {
            return Ok(gradients);
        };
        self.slots.begin();
        let find = |(i, (_, variable)): (usize, &(Gradient, Variable))| self.slots.find(i, variable).0;
        let entries: Vec<usize> = gradients.iter().enumerate().map(find).collect();
        self.slots.create(&*self.rule, &self.specs, &self.name)?;
        let sums = accumulation.add(&self.slots, &gradients, &entries)?;
        let count = accumulation.done()? + 1;
        if count >= accumulation.steps {
            let mut means = accumulation.mean(&self.slots, sums, count)?;
            // A variable may have been frozen since its gradients came.
            self.stages.groups.drop_frozen(&mut means);
            return Ok(means);
        }
        let scalars = self.new_scalars()?;
        accumulation.commit(&self.slots, sums, Array::scalar(count));
        self.keep(scalars);
        Ok(GradientList::new())
    }

    /// The stages that deal with gradients, and the slots. Adds the targets of the step; false, if it is skipped.
    fn prepare(
        &mut self,
        mut gradients: GradientList,
        options: &ApplyOptions,
        targets: &mut Targets,
    ) -> Result<bool> {
        if let Some(aggregator) = self.aggregator.as_mut().filter(|_| options.aggregate_gradients) {
            gradients = aggregator.apply(gradients)?;
        }
        if let Some(skipped) = &self.stages.skipped
            && !finite::all_finite(&gradients)?
        {
            let count = Array::scalar(skipped.array().item()? as i64 + 1);
            let end = self.stages.end(false)?;
            *skipped.update().array() = count;
            self.stages.commit(end);
            return Ok(false);
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
        targets.reserve(gradients.len());
        let clips = clips.into_iter().chain(std::iter::repeat(Clip::NONE));
        for (i, ((gradient, variable), clip)) in gradients.into_iter().zip(clips).enumerate() {
            let gradient = check::check(gradient, &variable)?;
            let (entry, round) = self.slots.find(i, &variable);
            let group = self.stages.groups.set_of(&variable);
            let update = Update { gradient, clip };
            let update = if wants_dense { update.into_dense(variable.shape())? } else { update };
            targets.push(Target { entry, round, group, update });
        }
        self.slots.create(&*self.rule, &self.specs, &self.name)?;
        Ok(true)
    }

    /// Resolves the hyperparameters, computes what may fail, and commits.
    fn update(&mut self, iterations: i64, targets: &[Target]) -> Result<()> {
        // Without a variable nobody knows the scalars' element type.
        let new_scalars = if targets.is_empty() { None } else { self.new_scalars()? };
        let mut steps = self.hypers.steps(&self.name, iterations, &self.stages.groups)?;
        let scalars = new_scalars.as_ref().unwrap_or(&self.scalars);
        for scalar in scalars {
            let value = scalar.array().item()?;
            steps.iter_mut().for_each(|step| step.scalars.push(value));
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
        let blend = self.stages.average.map(|average| average.blend(iterations));
        let idle = self.idle_averages(blend)?;
        let end = self.stages.end(true)?;
        let (copies, advanced) = constrain::update_copies(rule, &steps, &self.slots, &copied, blend)?;
        let mut values: SmallVec<[Array; 1]> =
            scalars.iter().map(|scalar| Array::zeros([], scalar.dtype())).collect::<Result<_>>()?;
        let mut taken = commit::Taken::new(&self.slots, &in_place, &self.iterations, blend)?;

        self.poisoned = true;
        if !in_place.is_empty() {
            taken.update(rule, &mut steps, &in_place, blend)?;
        } else if !copied.is_empty() {
            steps[0].scalars = advanced;
        }
        self.poisoned = false;
        taken.count(iterations + 1);
        commit::swap_in(&self.slots, copies, blend);
        commit::fill(&mut values, &steps[0].scalars);
        drop(steps);
        if !targets.is_empty() {
            self.keep(new_scalars);
        }
        for (scalar, value) in self.scalars.iter().zip(values) {
            *scalar.update().array() = value;
        }
        for (variable, value) in idle {
            *variable.update().array() = value;
        }
        self.stages.commit(end);
        Ok(())
    }

    /// The averages of variables that the step has not, and their values where these are replaced: not those that are frozen.
    fn idle_averages(&self, blend: Option<Blend>) -> Result<Vec<(Variable, Array)>> {
        let mut new = Vec::new();
        for (blend, entry) in
            blend.iter().flat_map(|blend| self.slots.idle().map(move |entry| (blend, entry)))
        {
            let average = &entry.slots[blend.slot];
            let [value, mean] = blend.copies(&entry.variable, average)?;
            new.push((average.clone(), mean));
            if blend.overwrite && !self.stages.groups.is_frozen(&entry.variable) {
                new.push((entry.variable.clone(), constrain::constrain_all(&entry.variable, value)?));
            }
        }
        Ok(new)
    }
}
