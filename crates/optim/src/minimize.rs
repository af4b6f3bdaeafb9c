//! `minimize`: record, loss, gradients, apply.
use crate::optimizer::Loss;
use crate::stages::unscale::LossScale;
use crate::{ApplyOptions, GradientList, LossValue, Optimizer, Report, VarList, Variables};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::{
    AnyTape, Gradient, GradientOptions, GradientTape, IndexedSlices, Plan, Tensor, Trace, cuts,
};
use slalom_variable::Variable;

/// Options of [`Optimizer::minimize_with`].
#[derive(Debug, Clone, Default)]
pub struct MinimizeOptions {
    grad_loss: Option<Tensor>,
}

impl MinimizeOptions {
    /// The defaults.
    pub fn new() -> MinimizeOptions {
        MinimizeOptions::default()
    }

    /// The gradient of the loss itself, of its shape: weights of its elements (default: ones).
    #[must_use]
    pub fn grad_loss(self, grad_loss: Tensor) -> MinimizeOptions {
        MinimizeOptions { grad_loss: Some(grad_loss) }
    }

    fn of_gradient(&self, loss: &Tensor, scale: Option<&LossScale>) -> Result<GradientOptions> {
        let options = GradientOptions::new();
        let Some(scale) = scale.map(|scale| scale.of(loss)).transpose()? else {
            return Ok(match &self.grad_loss {
                Some(grad_loss) => options.output_gradients([grad_loss.clone()]),
                None => options,
            });
        };
        let weights = match &self.grad_loss {
            Some(grad_loss) => grad_loss * scale,
            None => scale.broadcast_to(loss.shape())?,
        };
        Ok(options.output_gradients([weights]))
    }
}

/// What a loss closure computed, and the gradients of the variables.
pub(crate) struct Recorded {
    pub(crate) loss: Tensor,
    pub(crate) gradients: Vec<Option<Gradient>>,
    pub(crate) variables: Variables,
    /// For each variable the op that cuts it from the loss, if there is one; nothing, if nothing is cut.
    pub(crate) cuts: Vec<Option<&'static str>>,
}

fn record<R: LossValue>(
    mut loss: impl FnMut() -> R,
    vars: impl VarList,
    options: &MinimizeOptions,
    scale: Option<&LossScale>,
) -> Result<Recorded> {
    let known = vars.known();
    let tape = GradientTape::new();
    // Trainable variables are watched when they are read.
    for variable in known.iter().flatten().filter(|variable| !variable.is_trainable()) {
        tape.watch_variable(variable.id());
    }
    let loss = loss().into_loss()?;
    let variables = known.unwrap_or_else(|| vars.variables());
    let cuts = cuts(&tape, &loss, &&variables[..]);
    let gradients = tape.gradient_with(&loss, &variables[..], &options.of_gradient(&loss, scale)?)?;
    Ok(Recorded { loss, gradients, variables, cuts })
}

/// A loss closure and its variables, for a rule that evaluates the loss itself.
struct Closure<L> {
    loss: L,
    variables: Variables,
}

impl<R: LossValue, L: FnMut() -> R> Loss for Closure<L> {
    fn record(&mut self) -> Result<Recorded> {
        record(&mut self.loss, &self.variables[..], &MinimizeOptions::default(), None)
    }

    fn hessian_vector(&mut self, vectors: &[Tensor]) -> Result<Vec<Option<Gradient>>> {
        let tape = GradientTape::new();
        for variable in self.variables.iter().filter(|variable| !variable.is_trainable()) {
            tape.watch_variable(variable.id());
        }
        let (mut gradients, mut weights) = (Vec::new(), Vec::new());
        for (gradient, vector) in self.record()?.gradients.into_iter().zip(vectors) {
            if let Some(gradient) = gradient {
                gradients.push(gradient.into_dense()?);
                weights.push(vector.clone());
            }
        }
        let options = GradientOptions::new().output_gradients(weights);
        tape.gradient_with(&gradients, &self.variables[..], &options)
    }
}

/// Minimizing.
impl Optimizer {
    /// Computes the loss once, and moves the variables a step against its gradient.
    ///
    /// `vars` is a list of variables or a callable that returns one; see [`VarList`]. A loss that is not a scalar is summed. The
    /// loss closure may return a `Result`.
    ///
    /// # Errors
    /// Those of the loss and of its gradient; as [`apply_gradients`](Optimizer::apply_gradients). Nothing has changed then.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(3.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(0.25))?;
    /// while opt.minimize(|| &x * &x, [&x])?.loss()? > 1e-6 {}
    /// assert!(x.value().item()?.abs() < 1e-3);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn minimize<R: LossValue>(&mut self, loss: impl FnMut() -> R, vars: impl VarList) -> Result<Report> {
        self.minimize_with(loss, vars, &MinimizeOptions::default())
    }

    /// As [`minimize`](Optimizer::minimize), with options.
    ///
    /// # Errors
    /// As there; also if `grad_loss` is not of the shape and element type of the loss.
    pub fn minimize_with<R: LossValue>(
        &mut self,
        mut loss: impl FnMut() -> R,
        vars: impl VarList,
        options: &MinimizeOptions,
    ) -> Result<Report> {
        let recorded = record(&mut loss, vars, options, self.loss_scaling())?;
        if self.rule().search().is_none() {
            return self.apply_recorded(recorded);
        }
        if options.grad_loss.is_some() {
            let expected = "no grad_loss, as the rule evaluates the loss itself";
            return Err(Error::new(ErrorKind::State, "minimize", expected, "one").context(self.get_name()));
        }
        let variables = recorded.variables.clone();
        self.search(recorded, &mut Closure { loss, variables })
    }

    /// Minimizes a loss that has been computed while `tape` recorded.
    ///
    /// # Errors
    /// As [`minimize`](Optimizer::minimize).
    ///
    /// ```
    /// use slalom_autograd::GradientTape;
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(3.0f64);
    /// let mut opt = Optimizer::new(Sgd::new(0.5))?;
    /// let tape = GradientTape::new();
    /// let loss = &x * &x;
    /// opt.minimize_with_tape(loss, tape, [&x])?;
    /// assert_eq!(x.value().item()?, 0.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn minimize_with_tape(
        &mut self,
        loss: Tensor,
        tape: impl AnyTape,
        vars: impl VarList,
    ) -> Result<Report> {
        if self.rule().search().is_some() {
            return Err(self.searches(true));
        }
        let variables = vars.variables();
        let cuts = cuts(&tape, &loss, &&variables[..]);
        let options = MinimizeOptions::default().of_gradient(&loss, self.loss_scaling())?;
        let gradients = tape.last_gradient(&loss, &variables[..], &options)?;
        self.apply_recorded(Recorded { loss, gradients, variables, cuts })
    }

    /// The first half of [`minimize`](Optimizer::minimize): the gradients, each with its variable, for
    /// [`apply_gradients`](Optimizer::apply_gradients). A gradient is `None` where the loss does not depend on the variable. Where there is
    /// a loss scale, these are the gradients of the scaled loss.
    ///
    /// # Errors
    /// Those of the loss and of its gradient.
    pub fn compute_gradients<R: LossValue>(
        &self,
        loss: impl FnMut() -> R,
        vars: impl VarList,
    ) -> Result<Vec<(Option<Gradient>, Variable)>> {
        let recorded = record(loss, vars, &MinimizeOptions::default(), self.loss_scaling())?;
        Ok(recorded.gradients.into_iter().zip(recorded.variables).collect())
    }

    fn apply_recorded(&mut self, recorded: Recorded) -> Result<Report> {
        let Recorded { loss, gradients, variables, cuts } = recorded;
        let pairs = gradients.into_iter().zip(variables);
        let gradients = self.present(pairs, &cuts)?;
        let iterations = self.apply(gradients, &ApplyOptions::default())?;
        Ok(Report { loss: loss.stop_gradient(), iterations })
    }

    /// Traces the loss and its gradients once, to be run any number of times: each [`run`](MinimizeOp::run) is a step, with
    /// the same bits as [`minimize`](Optimizer::minimize), and without running the closure again.
    ///
    /// Variables are read anew, and random ops draw anew, at each run; other tensors that the closure captures are constants. The
    /// closure must not read values.
    ///
    /// # Errors
    /// Those of the loss and of its gradient; [`ErrorKind::State`], if the closure reads a value; [`ErrorKind::Gradient`],
    /// if the loss depends on no variable of the list. An empty list gives an op that computes the loss alone.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// use slalom_variable::Variable;
    /// let (x, y) = (Variable::new(3.0f64), Variable::new(4.0f64));
    /// let mut opt = Optimizer::new(Sgd::new(0.25))?;
    /// let mut op = opt.minimize_op(|| &x * &x + &y * &y, [&x, &y])?;
    /// let losses = (0..3).map(|_| op.run()?.loss()).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(losses, [25.0, 6.25, 1.5625]);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn minimize_op<R: LossValue>(
        &mut self,
        loss: impl FnMut() -> R,
        vars: impl VarList,
    ) -> Result<MinimizeOp<'_>> {
        let trace = Trace::new()?;
        let Recorded { loss, gradients, variables, cuts } =
            record(loss, vars, &MinimizeOptions::default(), self.loss_scaling())?;
        let gradients = self.present(gradients.into_iter().zip(variables), &cuts)?;
        let mut results = vec![&loss];
        for (gradient, _) in &gradients {
            match gradient {
                Gradient::Dense(tensor) => results.push(tensor),
                Gradient::Sparse(slices) => results.extend([slices.indices(), slices.values()]),
            }
        }
        let plan = trace.finish(&results)?;
        let targets =
            gradients.into_iter().map(|(gradient, variable)| (gradient.as_sparse().is_some(), variable));
        Ok(MinimizeOp { traced: Traced { plan, targets: targets.collect() }, optimizer: self })
    }
}

/// A minimization that has been traced once, to be run many times; see [`Optimizer::minimize_op`].
#[derive(Debug)]
pub struct MinimizeOp<'a> {
    optimizer: &'a mut Optimizer,
    traced: Traced,
}

impl MinimizeOp<'_> {
    /// Does a step with the present values of all variables.
    ///
    /// # Errors
    /// As [`Optimizer::minimize`].
    pub fn run(&mut self) -> Result<Report> {
        let MinimizeOp { optimizer, traced } = self;
        if optimizer.rule().search().is_some() {
            let first = traced.record()?;
            return optimizer.search(first, traced);
        }
        let (loss, gradients) = traced.evaluate()?;
        let iterations = optimizer.apply(gradients, &ApplyOptions::default())?;
        Ok(Report { loss, iterations })
    }

    /// The optimizer, to change its hyperparameters between runs.
    pub fn optimizer_mut(&mut self) -> &mut Optimizer {
        self.optimizer
    }
}

/// A traced loss with its gradients.
#[derive(Debug)]
struct Traced {
    plan: Plan,
    /// Each variable, and whether its gradient is sparse.
    targets: Vec<(bool, Variable)>,
}

impl Traced {
    fn evaluate(&mut self) -> Result<(Tensor, GradientList)> {
        let mut results = self.plan.run()?.into_iter();
        let mut next = || {
            let lacking =
                || Error::new(ErrorKind::State, "minimize_op", "a result for each gradient", "fewer");
            results.next().ok_or_else(lacking)
        };
        let loss = next()?;
        let mut gradients = GradientList::with_capacity(self.targets.len());
        for (sparse, variable) in &self.targets {
            let gradient = match sparse {
                false => next()?.into(),
                true => {
                    let (indices, values) = (next()?, next()?);
                    IndexedSlices::new(indices, values, variable.shape())?.into()
                }
            };
            gradients.push((gradient, variable.clone()));
        }
        Ok((loss, gradients))
    }
}

impl Loss for Traced {
    fn record(&mut self) -> Result<Recorded> {
        let (loss, gradients) = self.evaluate()?;
        let (gradients, variables) = gradients.into_iter().map(|(g, v)| (Some(g), v)).unzip();
        Ok(Recorded { loss, gradients, variables, cuts: Vec::new() })
    }

    fn hessian_vector(&mut self, _: &[Tensor]) -> Result<Vec<Option<Gradient>>> {
        let expected = "minimize, as the rule differentiates the loss twice";
        Err(Error::new(ErrorKind::State, "minimize_op", expected, "a traced loss"))
    }
}
