//! Options that all rules have in common: builder methods, getters and setters.
use super::{Optimizer, iterations_variable};
use crate::IntoHyper;
use crate::stages::clip::ClipOptions;
use crate::stages::{GradientList, Gradients, Transformer};
use slalom_array::{DType, Error, ErrorKind, Result};
use slalom_variable::Variable;

/// Options. Each builder method takes and returns the optimizer; setters change one that exists.
impl Optimizer {
    /// Names the optimizer. The name stands in the config and begins the names of weights (default: that of the rule).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Optimizer {
        self.name = name.into();
        if !self.built {
            self.stages.rename(&self.name);
            if !self.counts_elsewhere {
                self.iterations = iterations_variable(&self.name);
            }
        }
        self
    }

    /// The name.
    pub fn get_name(&self) -> &str {
        &self.name
    }

    /// Time-based decay: the learning rate is divided by `1 + decay · iterations` (default 0), also that of a schedule.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is negative, or if the rule gives `decay` a meaning of its own.
    pub fn decay<M>(mut self, decay: impl IntoHyper<M>) -> Result<Optimizer> {
        if self.hypers.decay.is_none() {
            let expected = "no time-based decay, as `decay` is a hyperparameter of the rule's own";
            return Err(Error::new(ErrorKind::Argument, "decay", expected, "one").context(&self.name));
        }
        self.set("decay", decay)?;
        Ok(self)
    }

    /// Clips each element of a gradient to `-clipvalue..=clipvalue`, before any other clipping.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is negative or not finite, or if there are gradient transformers.
    pub fn clipvalue(mut self, clipvalue: f64) -> Result<Optimizer> {
        self.set_clipvalue(Some(clipvalue))?;
        Ok(self)
    }

    /// Scales each gradient whose Euclidean norm is greater than `clipnorm` down to that norm.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is negative or not finite, if there is a `global_clipnorm`, or if there are
    /// gradient transformers.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(10.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(1.0))?.clipnorm(0.5)?;
    /// opt.minimize(|| &x * &x, &x)?;
    /// assert_eq!(x.value().item()?, 9.5);
    /// assert!(opt.global_clipnorm(1.0).is_err());
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn clipnorm(mut self, clipnorm: f64) -> Result<Optimizer> {
        self.set_clipnorm(Some(clipnorm))?;
        Ok(self)
    }

    /// Scales all gradients by one factor, if the Euclidean norm of all of them together is greater than
    /// `global_clipnorm`, down to that norm.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if it is negative or not finite, if there is a `clipnorm`, or if there are gradient
    /// transformers.
    pub fn global_clipnorm(mut self, global_clipnorm: f64) -> Result<Optimizer> {
        self.set_global_clipnorm(Some(global_clipnorm))?;
        Ok(self)
    }

    /// The limit of [`clipvalue`](Optimizer::clipvalue).
    pub fn get_clipvalue(&self) -> Option<f64> {
        self.clip.value
    }

    /// The limit of [`clipnorm`](Optimizer::clipnorm).
    pub fn get_clipnorm(&self) -> Option<f64> {
        self.clip.norm
    }

    /// The limit of [`global_clipnorm`](Optimizer::global_clipnorm).
    pub fn get_global_clipnorm(&self) -> Option<f64> {
        self.clip.global_norm
    }

    /// Changes [`clipvalue`](Optimizer::clipvalue).
    ///
    /// # Errors
    /// As there.
    pub fn set_clipvalue(&mut self, clipvalue: Option<f64>) -> Result<()> {
        self.set_clip(ClipOptions { value: clipvalue, ..self.clip })
    }

    /// Changes [`clipnorm`](Optimizer::clipnorm).
    ///
    /// # Errors
    /// As there.
    pub fn set_clipnorm(&mut self, clipnorm: Option<f64>) -> Result<()> {
        self.set_clip(ClipOptions { norm: clipnorm, ..self.clip })
    }

    /// Changes [`global_clipnorm`](Optimizer::global_clipnorm).
    ///
    /// # Errors
    /// As there.
    pub fn set_global_clipnorm(&mut self, global_clipnorm: Option<f64>) -> Result<()> {
        self.set_clip(ClipOptions { global_norm: global_clipnorm, ..self.clip })
    }

    fn set_clip(&mut self, clip: ClipOptions) -> Result<()> {
        clip.check(&self.name)?;
        if clip.any() && !self.transformers.is_empty() {
            return Err(self.transformers_and_clipping());
        }
        self.clip = clip;
        Ok(())
    }

    fn transformers_and_clipping(&self) -> Error {
        let expected = "gradient transformers or clip options";
        Error::new(ErrorKind::Argument, "gradient_transformers", expected, "both").context(&self.name)
    }

    /// Replaces the aggregation of gradients over replicas. Without one, gradients are used as they are given.
    ///
    /// ```
    /// use slalom_autograd::Gradient;
    /// use slalom_optim::{GradientList, Optimizer, rules::Sgd};
    /// let halve = |gradients: GradientList| -> slalom_array::Result<GradientList> {
    ///     let halved = gradients.into_iter().map(|(g, v)| Ok((Gradient::Dense(g.to_dense()? * 0.5), v)));
    ///     halved.collect()
    /// };
    /// let opt = Optimizer::new(Sgd::new(0.1))?.gradient_aggregator(halve);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[must_use]
    pub fn gradient_aggregator<R: Gradients>(
        mut self,
        aggregator: impl FnMut(GradientList) -> R + Send + 'static,
    ) -> Optimizer {
        self.aggregator = Some(Transformer::new(aggregator));
        self
    }

    /// Adds a stage after the aggregation: gradients and variables to gradients and variables. Transformers run in the
    /// order in which they were added.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`], if there is a clip option.
    pub fn gradient_transformer<R: Gradients>(
        self,
        transformer: impl FnMut(GradientList) -> R + Send + 'static,
    ) -> Result<Optimizer> {
        self.transformer(Transformer::new(transformer))
    }

    /// As [`gradient_transformer`](Optimizer::gradient_transformer), for a stage that may have a name.
    ///
    /// # Errors
    /// As there.
    pub fn transformer(mut self, transformer: Transformer) -> Result<Optimizer> {
        if self.clip.any() {
            return Err(self.transformers_and_clipping());
        }
        self.transformers.push(transformer);
        Ok(self)
    }

    /// Adds several transformers, as [`gradient_transformer`](Optimizer::gradient_transformer) does.
    ///
    /// # Errors
    /// As there.
    pub fn gradient_transformers<R: Gradients, F: FnMut(GradientList) -> R + Send + 'static>(
        self,
        transformers: impl IntoIterator<Item = F>,
    ) -> Result<Optimizer> {
        transformers.into_iter().try_fold(self, Optimizer::gradient_transformer)
    }

    /// How many steps have been done: a variable of one `i64`.
    pub fn iterations(&self) -> &Variable {
        &self.iterations
    }

    /// Counts steps in another variable, which several optimizers may share.
    ///
    /// # Errors
    /// [`ErrorKind::State`], if weights exist; [`ErrorKind::DType`] or [`ErrorKind::Shape`], if the variable is not a scalar of
    /// `i64`.
    pub fn set_iterations(&mut self, iterations: Variable) -> Result<()> {
        const OP: &str = "set_iterations";
        let error = if self.built {
            Error::new(ErrorKind::State, OP, "an optimizer without weights", "one that has weights")
        } else if iterations.dtype() != DType::I64 {
            Error::new(ErrorKind::DType, OP, "a variable of dtype i64", iterations.dtype())
        } else if iterations.shape().rank() != 0 {
            Error::new(ErrorKind::Shape, OP, "a variable of shape []", iterations.shape())
        } else {
            (self.iterations, self.counts_elsewhere) = (iterations, true);
            return Ok(());
        };
        Err(error.context(&self.name))
    }
}
