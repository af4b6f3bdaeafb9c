//! The stages that are off by default: builder methods, and what they remember.
use super::{Optimizer, hypers};
use crate::rule::Extent;
use crate::stages::Group;
use crate::stages::accumulate::{self, Accumulation};
use crate::stages::average::{self, Average, scalar};
use crate::stages::unscale::LossScale;
use crate::{IntoHyper, SlotSpec};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::Variable;
use std::sync::atomic::Ordering;

/// Weight decay and parameter groups.
impl Optimizer {
    /// Decoupled weight decay λ: `x -= lr λ x` before the update, with the effective learning rate (default 0). Rules that
    /// have a weight decay of their own (`AdamW`, `Lion`, ...) take it as theirs. With a sparse gradient all rows decay, or those of the
    /// gradient alone where the rule is a [lazy](crate::rules::Adam::lazy) one.
    ///
    /// Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019; `weight_decay` of Keras 3.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is not finite.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let [w, b] = ["kernel", "bias"].map(|name| Variable::new(1.0f64).named(name));
    /// let mut opt = Optimizer::new(Sgd::new(0.5))?.weight_decay(0.5)?.exclude_from_weight_decay(["bias"])?;
    /// opt.minimize(|| 0.0 * &w * &b, [&w, &b])?;
    /// assert_eq!((w.value().item()?, b.value().item()?), (0.75, 1.0));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn weight_decay<M>(mut self, weight_decay: impl IntoHyper<M>) -> Result<Optimizer> {
        self.set("weight_decay", weight_decay)?;
        Ok(self)
    }

    /// Excludes variables from weight decay, those whose names contain a match of one of these regular expressions: a
    /// [`Group`] of weight decay 0 for each.
    ///
    /// # Errors
    /// As [`group`](Optimizer::group).
    pub fn exclude_from_weight_decay<P: Into<String>>(
        self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Optimizer> {
        let names = self.hypers.all.iter().map(|hyper| hyper.name);
        let decays: Vec<&str> = names.filter(|name| name.ends_with("weight_decay")).collect();
        patterns.into_iter().try_fold(self, |optimizer, pattern: P| {
            optimizer
                .group(decays.iter().fold(Group::matching(pattern), |group, &decay| group.hyper(decay, 0.0)))
        })
    }

    /// Trains some of the variables in another way; see [`Group`].
    ///
    /// A pattern that matches no name is an error of the first step (or of [`build`](Optimizer::build)), where the names are known.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if a pattern is not a regular expression, a value is not allowed, or all variables must have the
    /// same; [`ErrorKind::NotFound`], if there is no such hyperparameter.
    pub fn group(mut self, group: Group) -> Result<Optimizer> {
        if group.scales() && !self.hypers.has_learning_rate() {
            let expected = "no factor, as the rule has no learning rate";
            let error = Error::new(ErrorKind::Argument, "learning_rate_factor", expected, "one");
            return Err(error.context(&self.name));
        }
        let (hypers, name, rule) = (&self.hypers, &self.name, &*self.rule);
        hypers::check_shared(rule, &group).map_err(|error| error.context(name))?;
        self.stages.groups.add(group, |key, value| hypers.replaced(name, key, value))?;
        Ok(self)
    }

    /// Freezes a group, or thaws it; groups have the numbers 0, 1, 2 and so on in the order in which they were added.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if there is no such group.
    pub fn set_frozen(&mut self, group: usize, frozen: bool) -> Result<()> {
        self.stages.groups.freeze(group, frozen).map_err(|error| error.context(&self.name))
    }
}

/// Averages of weights, and accumulation of gradients.
impl Optimizer {
    /// Keeps an exponential moving average of each variable's values, in the slot `average`:
    /// `average = momentum · average + (1 - momentum) · x` after each update and before the constraint; the first step sets it to
    /// the value (`use_ema`, `ema_momentum` of Keras 3).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the momentum is not from 0 to 1, or if the rule has a slot `average` of its own;
    /// [`ErrorKind::State`], if weights exist.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(0.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(1.0))?.use_ema(0.75)?;
    /// for _ in 0..2 {
    ///     opt.minimize(|| -1.0 * &x, &x)?;
    /// }
    /// assert_eq!((x.value().item()?, opt.averaged(|| x.value().item())??), (2.0, 0.75 * 1.0 + 0.25 * 2.0));
    /// opt.finalize_variable_values()?;
    /// assert_eq!(x.value().item()?, 1.25);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn use_ema(mut self, momentum: f64) -> Result<Optimizer> {
        self.unbuilt("use_ema")?;
        let spec = SlotSpec::copy_of_variable(average::SLOT).extent(Extent::Variable);
        let slot = self.stage_slot(spec)?;
        let overwrite = self.stages.average.and_then(|average| average.overwrite);
        let average = Average::new(momentum, overwrite, slot).map_err(|error| error.context(&self.name))?;
        self.stages.average = Some(average);
        Ok(self)
    }

    /// Replaces the variables by their averages after each `steps` steps (`ema_overwrite_frequency` of Keras 3). Default:
    /// never.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is less than 1; [`ErrorKind::State`], if there are no averages.
    pub fn ema_overwrite_frequency(mut self, steps: i64) -> Result<Optimizer> {
        let Some(average) = self.stages.average else {
            return Err(self.no_averages("ema_overwrite_frequency"));
        };
        let average = Average::new(average.momentum, Some(steps), average.slot);
        self.stages.average = Some(average.map_err(|error| error.context(&self.name))?);
        Ok(self)
    }

    /// Replaces the variables by their averages, at the end of a training.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`]. Nothing has changed then.
    pub fn finalize_variable_values(&self) -> Result<()> {
        let mut values = Vec::new();
        for (variable, average) in self.averages() {
            values.push((variable, average.array().copy()?));
        }
        for (variable, value) in values {
            *variable.update().array() = value;
        }
        Ok(())
    }

    /// Calls a closure while the variables have the values of their averages, to validate or to save a model; then they have
    /// their own again. A [state](Optimizer::state) that is taken meanwhile is that of the training, with the variables' own
    /// values.
    ///
    /// # Errors
    /// [`ErrorKind::State`], if there are no averages.
    pub fn averaged<R>(&self, call: impl FnOnce() -> R) -> Result<R> {
        /// Exchanges values and averages, and again when it is dropped.
        struct Exchanged<'a>(&'a Optimizer);
        impl Exchanged<'_> {
            fn exchange(&self) {
                for (variable, average) in self.0.averages() {
                    std::mem::swap(variable.update().array(), average.update().array());
                }
                self.0.exchanged.fetch_xor(true, Ordering::Relaxed);
            }
        }
        impl Drop for Exchanged<'_> {
            fn drop(&mut self) {
                self.exchange();
            }
        }
        if self.stages.average.is_none() {
            return Err(self.no_averages("averaged"));
        }
        let exchanged = Exchanged(self);
        exchanged.exchange();
        Ok(call())
    }

    /// Each variable that has been updated, with its average.
    pub(super) fn averages(&self) -> impl Iterator<Item = (&Variable, &Variable)> {
        let entries = self.slots.kept();
        let slot = self.stages.average.map(|average| average.slot);
        entries.iter().filter_map(move |entry| Some((&entry.variable, &entry.slots[slot?])))
    }

    /// Accumulates the gradients of so many calls (at least 2), micro-batches, and does one step with their mean
    /// (`gradient_accumulation_steps` of Keras 3). Micro-batches of one size then make the same step as one batch of all of them, if
    /// the loss is a mean over its batch.
    ///
    /// Only steps count as iterations. A variable without a gradient in one of the micro-batches counts there with 0; clipping,
    /// aggregation and transformers see the mean. A sparse mean has the rows of all micro-batches. At the end of the data,
    /// [`apply_accumulated`](Optimizer::apply_accumulated) does a step with what there is.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is less than 2, or if the rule has a slot `gradient_accumulator` or `accumulated_rows` of
    /// its own; [`ErrorKind::State`], if weights exist.
    pub fn gradient_accumulation_steps(mut self, steps: i64) -> Result<Optimizer> {
        self.unbuilt("gradient_accumulation_steps")?;
        let [sum, rows] = accumulate::SLOTS.map(SlotSpec::new);
        let slot = self.stage_slot(sum.extent(Extent::Variable))?;
        self.stage_slot(rows.dtype(slalom_array::DType::F32).extent(Extent::Rows))?;
        let accumulation = Accumulation::new(&self.name, steps, slot);
        self.stages.accumulation = Some(accumulation.map_err(|error| error.context(&self.name))?);
        Ok(self)
    }

    /// How many micro-batches have been accumulated since the last step.
    ///
    /// # Errors
    /// None, unless someone has changed the variable that counts them.
    pub fn accumulated_steps(&self) -> Result<i64> {
        self.stages.accumulation.as_ref().map_or(Ok(0), Accumulation::done)
    }

    /// The place of a stage's slot, which is made behind those of the rule if it is not there yet.
    fn stage_slot(&mut self, spec: SlotSpec) -> Result<usize> {
        match self.specs.iter().position(|known| known.name == spec.name) {
            Some(place) if self.specs[place] == spec => Ok(place),
            Some(_) => {
                let expected = format!("a rule without a slot {:?}", spec.name);
                Err(Error::new(ErrorKind::Argument, "slots", expected, "one that has it").context(&self.name))
            }
            None => {
                self.specs.push(spec);
                Ok(self.specs.len() - 1)
            }
        }
    }

    fn unbuilt(&self, option: &'static str) -> Result<()> {
        if !self.built {
            return Ok(());
        }
        let (expected, got) = ("an optimizer without weights", "one that has weights");
        Err(Error::new(ErrorKind::State, option, expected, got).context(&self.name))
    }

    #[cold]
    fn no_averages(&self, option: &'static str) -> Error {
        Error::new(ErrorKind::State, option, "an optimizer with averages (`use_ema`)", "one without")
            .context(&self.name)
    }
}

/// Steps that are skipped, and the loss scale.
impl Optimizer {
    /// Skips steps whose gradients, after aggregation, are not all finite: nothing changes but a counter,
    /// [`skipped_steps`](Optimizer::skipped_steps). The mean of micro-batches is skipped as a whole.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(0.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(1.0))?.skip_nonfinite();
    /// assert_eq!(opt.minimize(|| f64::NAN * &x, &x)?.iterations, 0);
    /// assert_eq!((x.value().item()?, opt.skipped_steps()?), (0.0, 1));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[must_use]
    pub fn skip_nonfinite(mut self) -> Optimizer {
        let counter = || scalar(&self.name, "skipped_steps", Array::scalar(0i64));
        self.stages.skipped = Some(self.stages.skipped.take().unwrap_or_else(counter));
        self
    }

    /// How many steps have been skipped.
    ///
    /// # Errors
    /// None, unless someone has changed the variable that counts them.
    pub fn skipped_steps(&self) -> Result<i64> {
        self.stages.skipped.as_ref().map_or(Ok(0), |skipped| Ok(skipped.array().item()? as i64))
    }

    /// Multiplies the loss by a factor before its gradients are computed, and divides them by it before anything else is done
    /// with them, so that small ones do not underflow (`loss_scale_factor` of Keras 3). [`minimize`](Optimizer::minimize) does
    /// both; where gradients are computed otherwise, the loss must be [scaled](Optimizer::scale_loss).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is 0 or not finite.
    pub fn loss_scale_factor(mut self, factor: f64) -> Result<Optimizer> {
        let scale = LossScale::fixed(&self.name, factor).map_err(|error| error.context(&self.name))?;
        self.stages.scale = Some(scale);
        Ok(self)
    }

    /// Scales the loss by a factor that finds its own size: it is halved when a gradient is not finite, and that step is
    /// [skipped](Optimizer::skip_nonfinite); it is doubled after `growth_steps` steps without such a gradient
    /// (`keras.optimizers.LossScaleOptimizer`, where the initial factor is 2¹⁵ and `dynamic_growth_steps` 2000).
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if the initial factor is 0 or not finite, or if `growth_steps` is less than 1.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(0.0f32);
    /// let mut opt = Optimizer::new(Sgd::new(1.0))?.dynamic_loss_scale(8.0, 2)?;
    /// for (slope, scale) in [(1.0, 8.0), (1.0, 16.0), (2f64.powi(126), 8.0), (1.0, 8.0)] {
    ///     opt.minimize(|| slope * &x, &x)?;
    ///     assert_eq!(opt.loss_scale()?, scale);
    /// }
    /// assert_eq!((x.value().item()?, opt.skipped_steps()?), (-3.0, 1));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn dynamic_loss_scale(mut self, initial: f64, growth_steps: i64) -> Result<Optimizer> {
        let scale = LossScale::dynamic(&self.name, initial, growth_steps);
        self.stages.scale = Some(scale.map_err(|error| error.context(&self.name))?);
        Ok(self.skip_nonfinite())
    }

    /// The present loss scale; 1 if there is none.
    ///
    /// # Errors
    /// None, unless someone has changed the variable that holds it.
    pub fn loss_scale(&self) -> Result<f64> {
        self.stages.scale.as_ref().map_or(Ok(1.0), |scale| scale.factor.array().item())
    }

    /// A loss times the loss scale: what is to be differentiated where [`minimize`](Optimizer::minimize) does not do it.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if the loss is not of floats.
    pub fn scale_loss(&self, loss: &Tensor) -> Result<Tensor> {
        match &self.stages.scale {
            Some(scale) => Ok(loss * scale.of(loss)?),
            None => Ok(loss.clone()),
        }
    }

    pub(crate) fn loss_scaling(&self) -> Option<&LossScale> {
        self.stages.scale.as_ref()
    }
}
