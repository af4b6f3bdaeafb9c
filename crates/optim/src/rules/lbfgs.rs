//! L-BFGS.
use super::arguments::{arguments, at_least};
use super::line_search::{Line, Point};
use super::precision::{Precision, largest};
use super::quasi_newton::{SCALARS, SLOTS, direction, remember};
use crate::config::Config;
use crate::search::{self, Objective, Search, SearchState};
use crate::{Item, NamedHyper, Rule, SlotSpec, Step};
use slalom_array::{DType, Result, Shape};
use slalom_variable::Variable;

arguments! {
    /// L-BFGS: a quasi-Newton method that remembers some of its last steps (`torch.optim.LBFGS`).
    ///
    /// A step of the optimizer is up to [`max_iter`](Lbfgs::max_iter) iterations, each of which evaluates the loss closure as
    /// often as its line search asks for: it works in [`minimize`](crate::Optimizer::minimize) and
    /// [`minimize_op`](crate::Optimizer::minimize_op) alone, with no clipping, constraints or transformers. A step over other variables
    /// than those of the step before begins anew.
    ///
    /// Liu and Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989.
    ///
    /// ```
    /// use slalom_array::Array;
    /// use slalom_optim::{Optimizer, rules::Lbfgs};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(Array::from_vec([2], vec![-1.2f64, 1.0])?);
    /// let mut opt = Optimizer::new(Lbfgs::new(1.0).max_iter(60))?;
    /// // Rosenbrock's valley, with its end at (1, 1).
    /// let loss = || -> slalom_array::Result<slalom_autograd::Tensor> {
    ///     let (a, b) = (x.value().slice(0, 0, 1)?, x.value().slice(0, 1, 1)?);
    ///     Ok((100.0 * (&b - a.square()).square() + (1.0 - &a).square()).sum())
    /// };
    /// opt.minimize(loss, &x)?;
    /// assert!(loss()?.item()? < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct Lbfgs(1.0);
    hypers {
        /// The search ends where no element of the gradient is larger (default 1e-7).
        tolerance_grad = 1e-7, non_negative();
        /// The search ends where loss and variables change by less (default 1e-9).
        tolerance_change = 1e-9, non_negative();
    }
    options {
        /// The most iterations of a step (default 20).
        max_iter: i64 = 20;
        /// The most evaluations of a step (default `None`: `max_iter · 5 / 4`); a line search that has begun may need one more.
        max_eval: Option<i64> = None;
        /// How many steps are remembered, at least 1 (default 10). A variable has twice as many slots of its size.
        history_size: i64 = 10;
        /// Whether each iteration searches along its direction (default true), or goes by the learning rate.
        strong_wolfe: bool = true;
    }
}

impl Search for Lbfgs {
    fn search(
        &self,
        step: &Step<'_>,
        objective: &mut dyn Objective,
        state: &mut SearchState,
    ) -> Result<Vec<f64>> {
        let precision = Precision::of(objective);
        let (flat, still) = (step.hyper("tolerance_grad"), step.hyper("tolerance_change"));
        let most = self.max_eval.unwrap_or(self.max_iter * 5 / 4);
        let mut x = objective.start().to_vec();
        let (mut loss, mut gradient) = objective.evaluate(&x)?;
        let (mut evaluations, mut iterations) = (1, 0);
        while iterations < self.max_iter && (iterations > 0 || largest(&gradient) > flat) {
            iterations += 1;
            state.scalars[0] += 1.0;
            let first = state.scalars[0] == 1.0;
            if first {
                state.scalars[3] = 1.0;
            } else {
                remember(precision, &gradient, state);
            }
            let d = direction(precision, &gradient, state);
            let length = precision.round(gradient.iter().map(|g| g.abs()).sum());
            let shortened = (1.0 / length).min(1.0);
            let t = step.learning_rate() * if first { precision.round(shortened) } else { 1.0 };
            let slope = precision.dot(&gradient, &d);
            state.slots[1][0].clone_from(&gradient);
            state.slots[0][0].clone_from(&d);
            state.scalars[2] = t;
            if slope > -still {
                break;
            }
            let start = Point { t: 0.0, loss, gradient, slope };
            let mut line =
                Line { objective: &mut *objective, position: &x, direction: &d, precision, evaluations: 0 };
            let new = match (self.strong_wolfe, iterations == self.max_iter) {
                (true, _) => line.strong_wolfe(&start, t, most - evaluations, still)?,
                (false, true) => Point { t, ..start },
                (false, false) => line.at(t)?,
            };
            evaluations += line.evaluations;
            let change = (new.loss - loss).abs();
            state.scalars[2] = new.t;
            precision.add(&mut x, new.t, &d);
            (loss, gradient) = (new.loss, new.gradient);
            let stopped = largest(&gradient) <= flat || largest(&d) * new.t <= still || change < still;
            if evaluations >= most || stopped {
                break;
            }
        }
        state.scalars[1] += evaluations as f64;
        Ok(x)
    }
}

impl Rule for Lbfgs {
    fn class_name(&self) -> &str {
        "LBFGS"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        SLOTS.map(SlotSpec::new).to_vec()
    }

    fn slot_shape(&self, slot: usize, variable: &Variable) -> Shape {
        let shape = variable.shape();
        if slot < 2 { shape.clone() } else { shape.with(0, self.history_size as usize) }
    }

    fn scalars(&self) -> Vec<SlotSpec> {
        SCALARS.map(|name| SlotSpec::new(name).dtype(DType::F64)).to_vec()
    }

    fn validate(&self) -> Result<()> {
        at_least("max_iter", self.max_iter as f64, 1.0)?;
        at_least("history_size", self.history_size as f64, 1.0)
    }

    fn config(&self) -> Config {
        self.options()
    }

    fn search(&self) -> Option<&dyn Search> {
        Some(self)
    }

    fn update(&self, _: &mut [Step<'_>], _: &mut [Item<'_>]) -> Result<()> {
        Err(search::no_update())
    }
}
