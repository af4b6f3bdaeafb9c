//! Reductions when a metric has stopped improving.
use super::{Schedule, finite, require};
use crate::config::{Config, Reader, ToValue, object};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_variable::Variable;

/// Multiplies the learning rate by `factor` when a metric has not improved in `patience` observations
/// (`tf.keras.callbacks.ReduceLROnPlateau`).
///
/// The metric is given to [`Optimizer::observe`](crate::Optimizer::observe), usually after each epoch. It has improved if it is below
/// the best one so far by more than `min_delta` (above it, for [`maximize`](ReduceOnPlateau::maximize)). After a reduction
/// `cooldown` observations do not count. What it remembers (the learning rate, the best metric, the observations without
/// improvement and those left to cool down) is a variable of four numbers, which clones share, and one of the optimizer's
/// [`weights`](crate::Optimizer::weights).
///
/// ```
/// use slalom_optim::{Optimizer, rules::Sgd, schedules::ReduceOnPlateau};
/// let opt = Optimizer::new(Sgd::new(ReduceOnPlateau::new(0.5).factor(0.5).patience(2)))?;
/// for (loss, rate) in [(1.0, 0.5), (0.8, 0.5), (0.9, 0.5), (0.8, 0.25), (0.7, 0.25)] {
///     opt.observe(loss)?;
///     assert_eq!(opt.learning_rate()?, rate);
/// }
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReduceOnPlateau {
    initial_learning_rate: f64,
    factor: f64,
    patience: i64,
    maximize: bool,
    min_delta: f64,
    cooldown: i64,
    min_learning_rate: f64,
    state: Variable,
}

/// What is remembered.
#[derive(Debug, Clone, Copy)]
struct State {
    learning_rate: f64,
    best: f64,
    wait: f64,
    cooling: f64,
}

impl ReduceOnPlateau {
    pub(super) const CLASS_NAME: &str = "ReduceOnPlateau";

    /// Reductions to a tenth after 10 observations without improvement.
    pub fn new(initial_learning_rate: f64) -> ReduceOnPlateau {
        ReduceOnPlateau {
            initial_learning_rate,
            factor: 0.1,
            patience: 10,
            maximize: false,
            min_delta: 1e-4,
            cooldown: 0,
            min_learning_rate: 0.0,
            state: Variable::new(0.0f64),
        }
        .restarted()
    }

    /// What a reduction multiplies the learning rate by (< 1). Default: 0.1.
    #[must_use]
    pub fn factor(self, factor: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { factor, ..self }
    }

    /// How many observations without improvement lead to a reduction. Default: 10.
    #[must_use]
    pub fn patience(self, patience: i64) -> ReduceOnPlateau {
        ReduceOnPlateau { patience, ..self }
    }

    /// Whether larger metrics are better. Default: false.
    #[must_use]
    pub fn maximize(self, maximize: bool) -> ReduceOnPlateau {
        ReduceOnPlateau { maximize, ..self }.restarted()
    }

    /// By how much a metric must be better than the best one. Default: 0.0001.
    #[must_use]
    pub fn min_delta(self, min_delta: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_delta, ..self }
    }

    /// How many observations do not count after a reduction. Default: 0.
    #[must_use]
    pub fn cooldown(self, cooldown: i64) -> ReduceOnPlateau {
        ReduceOnPlateau { cooldown, ..self }
    }

    /// The least learning rate. Default: 0.
    #[must_use]
    pub fn min_learning_rate(self, min_learning_rate: f64) -> ReduceOnPlateau {
        ReduceOnPlateau { min_learning_rate, ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<ReduceOnPlateau> {
        let mode = reader.take_or("mode", "min".to_owned())?;
        if !["min", "max"].contains(&mode.as_str()) {
            let got = format!("{mode:?}");
            return Err(Error::new(ErrorKind::Argument, Self::CLASS_NAME, "mode \"min\" or \"max\"", got));
        }
        Ok(ReduceOnPlateau::new(reader.take("initial_learning_rate")?)
            .factor(reader.take_or("factor", 0.1)?)
            .patience(reader.take_or("patience", 10)?)
            .maximize(mode == "max")
            .min_delta(reader.take_or("min_delta", 1e-4)?)
            .cooldown(reader.take_or("cooldown", 0)?)
            .min_learning_rate(reader.take_or("min_learning_rate", 0.0)?))
    }

    /// The same with a state of its own, which has observed nothing.
    fn restarted(self) -> ReduceOnPlateau {
        let best = if self.maximize { f64::NEG_INFINITY } else { f64::INFINITY };
        let state = Array::from_vec([4], vec![self.initial_learning_rate, best, 0.0, 0.0]);
        let state = state.expect("four numbers fill a vector of four");
        ReduceOnPlateau { state: Variable::new(state).named(Self::CLASS_NAME).untrainable(), ..self }
    }

    fn remembered(state: &Array) -> State {
        let copy;
        let numbers = match state.as_slice::<f64>() {
            Some(numbers) => numbers,
            // Whoever sets weights may give a view.
            None => {
                copy = state.to_vec::<f64>().unwrap_or_default();
                &copy[..]
            }
        };
        match *numbers {
            [learning_rate, best, wait, cooling] => State { learning_rate, best, wait, cooling },
            _ => unreachable!("the state is four numbers of f64"),
        }
    }

    /// The state after another observation.
    fn after(&self, mut state: State, metric: f64) -> State {
        let gain = if self.maximize { metric - state.best } else { state.best - metric };
        if state.cooling > 0.0 {
            state.cooling -= 1.0;
            state.wait = 0.0;
        }
        if gain > self.min_delta {
            (state.best, state.wait) = (metric, 0.0);
        } else if state.cooling == 0.0 {
            state.wait += 1.0;
            if state.wait >= self.patience as f64 && state.learning_rate > self.min_learning_rate {
                state.learning_rate = (state.learning_rate * self.factor).max(self.min_learning_rate);
                (state.cooling, state.wait) = (self.cooldown as f64, 0.0);
            }
        }
        state
    }
}

impl Schedule for ReduceOnPlateau {
    fn value(&self, _step: i64) -> f64 {
        ReduceOnPlateau::remembered(&self.state.array()).learning_rate
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        object([
            ("initial_learning_rate", self.initial_learning_rate.to_value()),
            ("factor", self.factor.to_value()),
            ("patience", self.patience.to_value()),
            ("mode", if self.maximize { "max" } else { "min" }.into()),
            ("min_delta", self.min_delta.to_value()),
            ("cooldown", self.cooldown.to_value()),
            ("min_learning_rate", self.min_learning_rate.to_value()),
        ])
    }

    fn validate(&self) -> Result<()> {
        require(self.factor < 1.0, Self::CLASS_NAME, "factor < 1", self.factor)?;
        require(self.patience >= 0, Self::CLASS_NAME, "patience >= 0", self.patience)?;
        require(self.cooldown >= 0, Self::CLASS_NAME, "cooldown >= 0", self.cooldown)?;
        finite(
            Self::CLASS_NAME,
            [
                ("initial_learning_rate", self.initial_learning_rate),
                ("factor", self.factor),
                ("min_delta", self.min_delta),
                ("min_learning_rate", self.min_learning_rate),
            ],
        )
    }

    fn observe(&self, metric: f64) -> Result<()> {
        let mut update = self.state.update();
        let state = self.after(ReduceOnPlateau::remembered(update.array()), metric);
        let values = [state.learning_rate, state.best, state.wait, state.cooling];
        update.array().make_mut::<f64>()?.copy_from_slice(&values);
        Ok(())
    }

    fn state(&self) -> Vec<Variable> {
        vec![self.state.clone()]
    }
}
