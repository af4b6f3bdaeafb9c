//! What a closure does beside computing, so that it can be run again without doing it again: random choices, and
//! assignments of variables.
use super::{VariableId, traces};
use crate::Tensor;
use slalom_array::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};

/// What one run of a closure has done.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    /// What its random ops have chosen with, in their order.
    draws: Vec<Tensor>,
    /// The variables that it has assigned, each once, with the values from before.
    assigned: Vec<(u32, Tensor)>,
}

impl Log {
    /// Whether the variable was assigned.
    pub(crate) fn assigns(&self, id: &VariableId) -> bool {
        self.assigned.iter().any(|(of, _)| *of == id.0)
    }
}

/// A run that goes on.
enum Run {
    First(Log),
    /// With the values that variables have in this run, and the number of draws so far.
    Again(Log, usize),
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// The outermost run first.
    static RUNS: RefCell<Vec<Run>> = const { RefCell::new(Vec::new()) };
}

/// Takes the innermost run off, also after a panic.
struct Guard;

impl Guard {
    fn new(run: Run) -> Guard {
        RUNS.with_borrow_mut(|runs| runs.push(run));
        COUNT.set(COUNT.get() + 1);
        Guard
    }

    fn end(self) -> Run {
        let run = RUNS.with_borrow_mut(Vec::pop).expect("a run that goes on");
        COUNT.set(COUNT.get() - 1);
        std::mem::forget(self);
        run
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(Guard.end());
    }
}

/// Runs a closure, and notes what it does.
pub(crate) fn first<R>(f: impl FnOnce() -> Result<R>) -> Result<(R, Log)> {
    let guard = Guard::new(Run::First(Log::default()));
    let result = f()?;
    let (Run::First(log) | Run::Again(log, _)) = guard.end();
    Ok((result, log))
}

/// Runs a closure again. It finds variables as they were, draws the same, and assigns nothing.
pub(crate) fn again<R>(log: &Log, f: impl FnOnce() -> Result<R>) -> Result<R> {
    let guard = Guard::new(Run::Again(log.clone(), 0));
    let result = f()?;
    match guard.end() {
        Run::Again(log, drawn) if drawn < log.draws.len() => Err(other_draws(drawn, log.draws.len())),
        _ => Ok(result),
    }
}

fn other_draws(now: usize, before: usize) -> Error {
    let expected = format!("the closure to draw {before} times again");
    Error::new(ErrorKind::State, "recompute_grad", expected, format!("{now} draws"))
}

/// Calls `f` with the runs that what happens now belongs to, from the innermost on: up to the first that goes on again,
/// as it does not happen for those around it.
fn affected<R>(mut f: impl FnMut(&mut Run) -> Option<R>) -> Option<R> {
    if COUNT.get() == 0 {
        return None;
    }
    RUNS.with_borrow_mut(|runs| {
        for run in runs.iter_mut().rev() {
            let found = f(run);
            if found.is_some() || matches!(run, Run::Again(..)) {
                return found;
            }
        }
        None
    })
}

/// The value off all tapes, as a trace computes it.
fn off_tapes(value: &Tensor) -> Tensor {
    if traces(value.place) { value.stop_gradient() } else { value.array.clone().into() }
}

/// What the next random op has chosen with before, in a run that goes on again.
pub(crate) fn drawn_before() -> Result<Option<Tensor>> {
    affected(|run| match run {
        Run::First(_) => None,
        Run::Again(log, drawn) => {
            *drawn += 1;
            Some(log.draws.get(*drawn - 1).cloned().ok_or_else(|| other_draws(*drawn, log.draws.len())))
        }
    })
    .transpose()
}

/// Notes what a random op has chosen with.
pub(crate) fn drew(chosen_with: &Tensor) {
    if COUNT.get() == 0 {
        return;
    }
    let chosen_with = off_tapes(chosen_with);
    let _: Option<()> = affected(|run| {
        if let Run::First(log) = run {
            log.draws.push(chosen_with.clone());
        }
        None
    });
}

/// The value of a variable that a run that goes on again has assigned, or will.
#[inline]
pub(super) fn value(id: &VariableId) -> Option<Tensor> {
    if COUNT.get() == 0 { None } else { assigned_value(id) }
}

#[cold]
fn assigned_value(id: &VariableId) -> Option<Tensor> {
    affected(|run| match run {
        Run::First(_) => None,
        Run::Again(log, _) => log.assigned.iter().find(|(of, _)| *of == id.0).map(|(_, value)| value.clone()),
    })
}

/// Whether this thread runs a closure whose assignments are noted, so that they have to go through [`assign_variable`].
#[inline]
pub fn notes_assignments() -> bool {
    COUNT.get() != 0
}

/// Notes that a variable is about to be assigned, where the value now is `before`. Returns whether that has happened
/// already, and this is the same assignment in a run of [`recompute_grad`](crate::recompute_grad) that goes on again.
#[inline]
pub fn assign_variable(id: &VariableId, before: impl FnOnce() -> Tensor, value: &Tensor) -> bool {
    notes_assignments() && note_assignment(id, &off_tapes(&before()), &off_tapes(value))
}

fn note_assignment(id: &VariableId, before: &Tensor, value: &Tensor) -> bool {
    affected(|run| match run {
        Run::First(log) => {
            if !log.assigns(id) {
                log.assigned.push((id.0, before.clone()));
            }
            None
        }
        Run::Again(log, _) => {
            log.assigned.retain(|(of, _)| *of != id.0);
            log.assigned.push((id.0, value.clone()));
            Some(())
        }
    })
    .is_some()
}
