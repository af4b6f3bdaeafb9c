//! A truncated Newton method.
use super::arguments::{arguments, at_least};
use super::line_search::{Line, Point};
use super::precision::{Precision, dot};
use crate::config::Config;
use crate::search::{self, Objective, Search, SearchState};
use crate::{Item, NamedHyper, Rule, SlotSpec, Step};
use slalom_array::Result;

arguments! {
    /// A truncated Newton method: conjugate gradients on Hessian–vector products, then a line search.
    ///
    /// A step solves `H d = -g` until the residual is at most `min(1/2, √‖g‖) ‖g‖` or the curvature along a direction is not
    /// positive, and searches along `d` for the strong Wolfe conditions. The Hessian matrix is never made: each product is the
    /// gradient of a gradient. The rule evaluates the loss closure itself, so that it works in
    /// [`minimize`](crate::Optimizer::minimize) alone, with no clipping, constraints or transformers. It remembers nothing from
    /// step to step.
    ///
    /// Nocedal and Wright, *Numerical optimization*, 2006, algorithm 7.1.
    ///
    /// ```
    /// use slalom_array::Array;
    /// use slalom_autograd::Tensor;
    /// use slalom_optim::{Optimizer, rules::TruncatedNewton};
    /// use slalom_variable::Variable;
    /// let x = Variable::new(Array::from_vec([3], vec![5.0f64, -3.0, 2.0])?);
    /// let curvature = Tensor::from_vec([3], vec![1.0f64, 10.0, 100.0])?;
    /// let mut opt = Optimizer::new(TruncatedNewton::new(1.0))?;
    /// for _ in 0..6 {
    ///     opt.minimize(|| (&x * &x * &curvature).sum(), &x)?;
    /// }
    /// assert!(x.value().square().sum().item()? < 1e-12);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub struct TruncatedNewton(1.0);
    hypers {
        /// A step whose gradient is no longer changes nothing (default 1e-12).
        tolerance_grad = 1e-12, non_negative();
    }
    options {
        /// The most products for a direction, at least 1 (default 50).
        max_products: i64 = 50;
        /// The most evaluations of a line search (default 25).
        max_eval: i64 = 25;
    }
}

impl TruncatedNewton {
    /// Where to go from a gradient that is not 0.
    fn direction(&self, gradient: &[f64], objective: &mut dyn Objective) -> Result<Vec<f64>> {
        let precision = Precision::of(objective);
        let mut square = dot(gradient, gradient);
        let enough = square.sqrt().sqrt().min(0.5).powi(2) * square;
        let mut direction = vec![0.0; gradient.len()];
        let mut residual = gradient.to_vec();
        let mut p: Vec<f64> = gradient.iter().map(|g| -g).collect();
        for round in 0..self.max_products {
            let product = objective.hessian_vector(&p)?;
            let curvature = dot(&p, &product);
            if curvature.is_nan() || curvature <= 0.0 {
                return Ok(if round == 0 { p } else { direction });
            }
            let length = square / curvature;
            precision.add(&mut direction, length, &p);
            precision.add(&mut residual, length, &product);
            let before = std::mem::replace(&mut square, dot(&residual, &residual));
            if square <= enough {
                break;
            }
            for (p, r) in p.iter_mut().zip(&residual) {
                *p = *p * (square / before) - r;
            }
        }
        Ok(direction)
    }
}

impl Search for TruncatedNewton {
    fn search(
        &self,
        step: &Step<'_>,
        objective: &mut dyn Objective,
        _: &mut SearchState,
    ) -> Result<Vec<f64>> {
        let mut x = objective.start().to_vec();
        let (loss, gradient) = objective.evaluate(&x)?;
        if dot(&gradient, &gradient).sqrt() <= step.hyper("tolerance_grad") {
            return Ok(x);
        }
        let direction = self.direction(&gradient, objective)?;
        let precision = Precision::of(objective);
        let start = Point { t: 0.0, loss, slope: dot(&gradient, &direction), gradient };
        let mut line = Line { objective, position: &x, direction: &direction, precision, evaluations: 0 };
        let t = line.strong_wolfe(&start, step.learning_rate(), self.max_eval - 1, 0.0)?.t;
        precision.add(&mut x, t, &direction);
        Ok(x)
    }
}

impl Rule for TruncatedNewton {
    fn class_name(&self) -> &str {
        "TruncatedNewton"
    }

    fn hypers(&self) -> Vec<NamedHyper> {
        self.named()
    }

    fn slots(&self) -> Vec<SlotSpec> {
        Vec::new()
    }

    fn validate(&self) -> Result<()> {
        at_least("max_products", self.max_products as f64, 1.0)?;
        at_least("max_eval", self.max_eval as f64, 1.0)
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
