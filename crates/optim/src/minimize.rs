//! `minimize`: record, loss, gradients, apply.
use crate::stages::missing;
use crate::{ApplyOptions, GradientList, LossValue, Optimizer, Report, VarList, Variables};
use slalom_array::{Error, ErrorKind, Result};
use slalom_autograd::{AnyTape, Gradient, GradientOptions, GradientTape, IndexedSlices, Plan, Tensor, Trace};
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

    fn of_gradient(&self) -> GradientOptions {
        match &self.grad_loss {
            Some(grad_loss) => GradientOptions::new().output_gradients([grad_loss.clone()]),
            None => GradientOptions::new(),
        }
    }
}

/// What a loss closure computed, and the gradients of the variables.
struct Recorded {
    loss: Tensor,
    gradients: Vec<Option<Gradient>>,
    variables: Variables,
}

fn record<R: LossValue>(
    mut loss: impl FnMut() -> R,
    vars: impl VarList,
    options: &MinimizeOptions,
) -> Result<Recorded> {
    let known = vars.known();
    let tape = GradientTape::new();
    // Trainable variables are watched when they are read.
    for variable in known.iter().flatten().filter(|variable| !variable.is_trainable()) {
        tape.watch_variable(variable.id());
    }
    let loss = loss().into_loss()?;
    let variables = known.unwrap_or_else(|| vars.variables());
    let gradients = tape.gradient_with(&loss, &variables[..], &options.of_gradient())?;
    Ok(Recorded { loss, gradients, variables })
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
        loss: impl FnMut() -> R,
        vars: impl VarList,
        options: &MinimizeOptions,
    ) -> Result<Report> {
        let recorded = record(loss, vars, options)?;
        self.apply_recorded(recorded)
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
        let variables = vars.variables();
        let gradients = tape.last_gradient(&loss, &variables[..], &GradientOptions::new())?;
        self.apply_recorded(Recorded { loss, gradients, variables })
    }

    /// The first half of [`minimize`](Optimizer::minimize): the gradients, each with its variable, for
    /// [`apply_gradients`](Optimizer::apply_gradients). A gradient is `None` where the loss does not depend on the variable.
    ///
    /// # Errors
    /// Those of the loss and of its gradient.
    pub fn compute_gradients<R: LossValue>(
        &self,
        loss: impl FnMut() -> R,
        vars: impl VarList,
    ) -> Result<Vec<(Option<Gradient>, Variable)>> {
        let recorded = record(loss, vars, &MinimizeOptions::default())?;
        Ok(recorded.gradients.into_iter().zip(recorded.variables).collect())
    }

    fn apply_recorded(&mut self, recorded: Recorded) -> Result<Report> {
        let Recorded { loss, gradients, variables } = recorded;
        let pairs = gradients.into_iter().zip(variables);
        let gradients = missing::drop_missing(self.get_name(), pairs)?;
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
        let Recorded { loss, gradients, variables } = record(loss, vars, &MinimizeOptions::default())?;
        let gradients = missing::drop_missing(self.get_name(), gradients.into_iter().zip(variables))?;
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
        Ok(MinimizeOp { targets: targets.collect(), optimizer: self, plan })
    }
}

/// A minimization that has been traced once, to be run many times; see [`Optimizer::minimize_op`].
#[derive(Debug)]
pub struct MinimizeOp<'a> {
    optimizer: &'a mut Optimizer,
    plan: Plan,
    /// Each variable, and whether its gradient is sparse.
    targets: Vec<(bool, Variable)>,
}

impl MinimizeOp<'_> {
    /// Does a step with the present values of all variables.
    ///
    /// # Errors
    /// As [`Optimizer::minimize`].
    pub fn run(&mut self) -> Result<Report> {
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
        let iterations = self.optimizer.apply(gradients, &ApplyOptions::default())?;
        Ok(Report { loss, iterations })
    }

    /// The optimizer, to change its hyperparameters between runs.
    pub fn optimizer_mut(&mut self) -> &mut Optimizer {
        self.optimizer
    }
}
