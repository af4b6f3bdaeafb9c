//! The optimizer: a rule and the options that all rules have in common.
mod apply;
mod hypers;
mod loader;
mod options;
mod restore;
mod search;
mod serialize;
mod stages;
mod state;
mod weights;

pub use apply::ApplyOptions;
pub use loader::{Loader, Transformers};
pub use restore::Restore;
pub(crate) use search::Loss;
pub use state::State;

use crate::slots::{SlotTable, check_names};
use crate::stages::clip::ClipOptions;
use crate::stages::{Stages, Transformer};
use crate::{Rule, SlotSpec};
use hypers::Hypers;
use serialize::Printed;
use slalom_array::Result;
use slalom_variable::Variable;
use std::sync::atomic::AtomicBool;

/// Trains variables by gradient descent, by one of the rules in [`rules`](crate::rules) or your own
/// (`tf.keras.optimizers.Optimizer`).
///
/// ```
/// use slalom_optim::{Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// let (v1, v2) = (Variable::new(1.0f32), Variable::new(2.0f32));
/// let mut opt = Optimizer::new(Sgd::new(0.1))?;
/// let report = opt.minimize(|| 3.0 * &v1 * &v1 + 2.0 * &v2 * &v2, [&v1, &v2])?;
/// assert_eq!((report.loss()?, report.iterations), (11.0, 1));
/// assert!((v1.value().item()? - 0.4).abs() < 1e-6 && (v2.value().item()? - 1.2).abs() < 1e-6);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// A step that returns an error has changed nothing.
///
/// # Threads
/// An optimizer may be sent to another thread. Threads that share one put a mutex around it:
///
/// ```
/// use slalom_optim::{Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// use std::sync::{Barrier, Mutex};
/// let opt = Mutex::new(Optimizer::new(Sgd::new(0.5))?);
/// let (vars, both) = ([8.0f64, 4.0].map(Variable::new), Barrier::new(2));
/// std::thread::scope(|scope| {
///     for x in &vars {
///         let (opt, both) = (&opt, &both);
///         scope.spawn(move || {
///             both.wait();
///             for _ in 0..3 {
///                 opt.lock().unwrap().minimize(|| 0.5 * x * x, x).unwrap();
///             }
///             both.wait();
///         });
///     }
/// });
/// assert_eq!(vars.map(|x| x.value().item().unwrap()), [1.0, 0.5]);
/// assert_eq!(opt.into_inner().unwrap().iterations().value().item()?, 6.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// References alone cannot be shared, as callables and transformers need not be called by two threads at once:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<slalom_optim::Optimizer>();
/// ```
///
/// ```
/// fn shared<T: Sync>() {}
/// shared::<std::sync::Mutex<slalom_optim::Optimizer>>();
/// ```
#[derive(Debug)]
pub struct Optimizer {
    rule: Box<dyn Rule>,
    name: String,
    hypers: Hypers,
    specs: Vec<SlotSpec>,
    clip: ClipOptions,
    aggregator: Option<Transformer>,
    transformers: Vec<Transformer>,
    stages: Stages,
    printed: Printed,
    iterations: Variable,
    /// Whether `iterations` was given (`set_iterations`).
    counts_elsewhere: bool,
    scalars: Vec<Variable>,
    slots: SlotTable,
    /// Whether weights exist.
    built: bool,
    /// Whether variables and their averages are exchanged at present.
    exchanged: AtomicBool,
    /// Whether a rule has panicked in the middle of an update.
    poisoned: bool,
}

impl Optimizer {
    /// An optimizer that follows `rule`, named after it.
    ///
    /// # Errors
    /// [`Argument`](slalom_array::ErrorKind::Argument), if the rule refuses its arguments, a hyperparameter is not in its range, or
    /// two slots, scalars or hyperparameters have one name or a `/` in it.
    pub fn new(rule: impl Rule + 'static) -> Result<Optimizer> {
        Optimizer::from_rule(Box::new(rule))
    }

    /// As [`new`](Optimizer::new), for a rule whose type is not known.
    ///
    /// # Errors
    /// As [`new`](Optimizer::new).
    pub fn from_rule(rule: Box<dyn Rule>) -> Result<Optimizer> {
        let name = rule.class_name().to_owned();
        rule.validate().map_err(|error| error.context(&name))?;
        let hypers = Hypers::new(&name, &*rule)?;
        let (specs, scalars) = (rule.slots(), rule.scalars());
        let names = [
            ("slots", specs.iter().map(SlotSpec::name).collect()),
            ("scalars", scalars.iter().map(SlotSpec::name).collect()),
            ("hyperparameters", hypers.all.iter().map(|hyper| hyper.name).collect()),
        ];
        names.into_iter().try_for_each(check_names).map_err(|error| error.context(&name))?;
        let iterations = iterations_variable(&name);
        Ok(Optimizer {
            specs,
            rule,
            name,
            hypers,
            clip: ClipOptions::default(),
            aggregator: None,
            transformers: Vec::new(),
            stages: Stages::default(),
            printed: Printed::default(),
            iterations,
            counts_elsewhere: false,
            scalars: Vec::new(),
            slots: SlotTable::default(),
            built: false,
            exchanged: AtomicBool::new(false),
            poisoned: false,
        })
    }

    /// The rule.
    pub fn rule(&self) -> &dyn Rule {
        &*self.rule
    }
}

/// The variable that counts the steps of an optimizer.
fn iterations_variable(optimizer: &str) -> Variable {
    Variable::new(0i64).named(format!("{optimizer}/iter")).untrainable()
}
