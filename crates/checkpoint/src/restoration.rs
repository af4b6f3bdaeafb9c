//! Putting what was saved in its place, all or nothing.
use crate::Checkpoint;
use crate::differences::mismatch;
use slalom_array::{Generator, Result};
use slalom_optim::{Optimizer, Restore};
use slalom_variable::{Variable, random};
use std::collections::HashSet;

/// A checkpoint on its way into a program: list what it belongs to, then [`apply`](Restoration::apply).
///
/// Nothing changes before everything has been found to fit: the optimizer's class, arguments and hyperparameters, and the name,
/// shape and element type of every variable and slot. So the model must have been built; a model that makes its
/// variables at the first call is called once before.
///
/// ```
/// use slalom_array::Generator;
/// use slalom_checkpoint::Checkpoint;
/// use slalom_optim::{Optimizer, rules::Sgd};
/// use slalom_variable::Variable;
/// let [w, b] = ["w", "b"].map(|name| Variable::new(1.0f32).named(name));
/// let (mut optimizer, noise) = (Optimizer::new(Sgd::new(0.1))?, Generator::from_seed(1));
/// let checkpoint = Checkpoint::new().optimizer(&optimizer, [&w])?.generator("noise", &noise);
///
/// let error = checkpoint.restore().optimizer(&mut optimizer, [&b])?.apply().unwrap_err().to_string();
/// assert!(error.contains("variables/b: expected f32 [], got nothing"));
/// assert!(error.contains("variables/w: expected nothing"));
/// assert!(error.contains("generators/noise: expected nothing"));
/// checkpoint.restore().optimizer(&mut optimizer, [&w])?.generator("noise", &noise).apply()?;
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing has changed before `apply`"]
pub struct Restoration<'a> {
    checkpoint: &'a Checkpoint,
    optimizers: Vec<Restore<'a>>,
    generators: Vec<(&'a Generator, [u64; 2])>,
    asked: [HashSet<String>; 2],
    differences: Vec<String>,
}

impl<'a> Restoration<'a> {
    pub(crate) fn new(checkpoint: &'a Checkpoint) -> Restoration<'a> {
        Restoration {
            checkpoint,
            optimizers: Vec::new(),
            generators: Vec::new(),
            asked: Default::default(),
            differences: Vec::new(),
        }
    }

    /// With the optimizer and the variables that were given to [`Checkpoint::optimizer`].
    ///
    /// # Errors
    /// As [`Optimizer::prepare_restore`]; what does not fit, [`apply`](Self::apply) says.
    pub fn optimizer<V: AsRef<Variable>>(
        self,
        optimizer: &'a mut Optimizer,
        variables: impl IntoIterator<Item = V>,
    ) -> Result<Restoration<'a>> {
        self.optimizer_named("", optimizer, variables)
    }

    /// With the optimizer and the variables that were given to [`Checkpoint::optimizer_named`].
    ///
    /// # Errors
    /// As [`optimizer`](Self::optimizer).
    pub fn optimizer_named<V: AsRef<Variable>>(
        mut self,
        name: &str,
        optimizer: &'a mut Optimizer,
        variables: impl IntoIterator<Item = V>,
    ) -> Result<Restoration<'a>> {
        let Some(state) = self.checkpoint.optimizers.get(name) else {
            self.differences
                .push(format!("{}: expected an optimizer, got nothing", place("optimizers", name)));
            return Ok(self);
        };
        let restore = optimizer.prepare_restore(variables, state)?;
        let prefix = if name.is_empty() { String::new() } else { format!("optimizers/{name}/") };
        self.differences.extend(restore.differences().iter().map(|line| format!("{prefix}{line}")));
        self.optimizers.push(restore);
        self.asked[0].insert(name.to_owned());
        Ok(self)
    }

    /// With the generator that was given to [`Checkpoint::generator`] under this name.
    pub fn generator(mut self, name: &str, generator: &'a Generator) -> Restoration<'a> {
        match self.checkpoint.generators.get(name) {
            Some(&state) => self.generators.push((generator, state)),
            None => self.differences.push(format!("generators/{name}: expected a generator, got nothing")),
        }
        self.asked[1].insert(name.to_owned());
        self
    }

    /// Everything in which the checkpoint and what was listed differ, a line each.
    pub fn differences(&self) -> Vec<String> {
        let [optimizers, generators] = &self.asked;
        let left =
            |kind: &'static str, name: &String| format!("{}: expected nothing, got it", place(kind, name));
        let names = self.checkpoint.optimizers.keys().filter(|name| !optimizers.contains(*name));
        let optimizers = names.map(|name| left("optimizers", name));
        let names = self.checkpoint.generators.keys().filter(|name| !generators.contains(*name));
        let generators = names.map(|name| left("generators", name));
        self.differences.iter().cloned().chain(optimizers).chain(generators).collect()
    }

    /// Puts everything in its place, also the state of the process's default generator.
    ///
    /// # Errors
    /// [`Argument`](slalom_array::ErrorKind::Argument), with a line for each difference; nothing has changed then.
    pub fn apply(self) -> Result<()> {
        let differences = self.differences();
        if !differences.is_empty() {
            return Err(mismatch("restore", &differences));
        }
        self.apply_partial();
        Ok(())
    }

    /// Puts in place what fits, leaves the rest as it is, and returns the differences: for a model that has changed.
    ///
    /// Generators and hyperparameters are among what fits; slots of variables that the checkpoint lacks begin anew.
    pub fn apply_partial(self) -> Vec<String> {
        let differences = self.differences();
        self.optimizers.into_iter().for_each(Restore::commit);
        for (generator, state) in self.generators {
            generator.set_state(state);
        }
        random::default_generator().set_state(self.checkpoint.default_generator);
        differences
    }
}

fn place(kind: &str, name: &str) -> String {
    if name.is_empty() { format!("{kind} without a name") } else { format!("{kind}/{name}") }
}
