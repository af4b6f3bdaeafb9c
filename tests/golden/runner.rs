//! Reads a file of cases and judges each.
use crate::NOT_BUILT;
use crate::fields::Fields;
use crate::tensors::Tolerance;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a case failed.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// The same, with the place in front.
    pub(crate) fn within(self, place: &str) -> Failure {
        Failure(format!("{place}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Failure {
        Failure(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Failure {
        Failure(text.to_owned())
    }
}

impl From<slalom_array::Error> for Failure {
    fn from(error: slalom_array::Error) -> Failure {
        Failure(format!("{error:?}"))
    }
}

/// One case of a file.
pub(crate) struct Case<'a> {
    pub(crate) fields: Fields<'a>,
    /// What the case is judged by: its own tolerance, else that of the file.
    pub(crate) tolerance: Tolerance,
    pub(crate) file_tolerance: Tolerance,
}

/// A family of cases: one file.
#[derive(Clone, Copy)]
pub(crate) struct Family {
    /// The name of the file, without `.json`.
    pub(crate) name: &'static str,
    /// What must be built for a case to be judged; names of [`NOT_BUILT`].
    pub(crate) requires: fn(&Case<'_>) -> Result<Vec<String>, Failure>,
    /// Judges everything that a case says.
    pub(crate) judge: fn(&Case<'_>) -> Result<(), Failure>,
}

/// What became of the cases of a file.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) passed: usize,
    pub(crate) informational: usize,
    /// How many cases were skipped for want of what.
    pub(crate) skipped: BTreeMap<String, usize>,
    /// The ids and reasons.
    pub(crate) failed: Vec<(String, Failure)>,
}

impl Outcome {
    /// Whether there was no case at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed + self.informational + self.failed.len() == 0 && self.skipped.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cases", self.passed + self.failed.len())?;
        if !self.failed.is_empty() {
            write!(f, ", {} FAILED", self.failed.len())?;
        }
        if self.informational > 0 {
            write!(f, ", {} informational", self.informational)?;
        }
        if !self.skipped.is_empty() {
            let names: Vec<&str> = self.skipped.keys().map(String::as_str).collect();
            let count: usize = self.skipped.values().sum();
            write!(f, ", {count} skipped (not built: {})", names.join(", "))?;
        }
        Ok(())
    }
}

/// Judges the cases of a file whose id contains `filter`.
pub(crate) fn run(family: &Family, text: &str, filter: &str) -> Result<Outcome, Failure> {
    let file: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let fields = Fields::new(&file, family.name)?;
    fields.ignore(&["source", "seed", "notes"]);
    let tolerance = Tolerance::parse(fields.get("tolerance")?)?;
    let (mut outcome, mut ids) = (Outcome::default(), BTreeSet::new());
    for case in fields.list("cases")? {
        let id = case.get("id").and_then(Value::as_str).ok_or("a case without id")?;
        if !id.contains(filter) && !family.name.contains(filter) {
            continue;
        }
        if !ids.insert(id) {
            outcome.failed.push((id.to_owned(), "an id that is not unique".into()));
            continue;
        }
        match quietly(|| verdict(family, case, tolerance)) {
            Ok(Verdict::Passed) => outcome.passed += 1,
            Ok(Verdict::Informational) => outcome.informational += 1,
            Ok(Verdict::Skipped(missing)) => *outcome.skipped.entry(missing).or_default() += 1,
            Err(failure) => outcome.failed.push((id.to_owned(), failure)),
        }
    }
    fields.finish()?;
    Ok(outcome)
}

enum Verdict {
    Passed,
    Informational,
    Skipped(String),
}

fn verdict(family: &Family, case: &Value, file_tolerance: Tolerance) -> Result<Verdict, Failure> {
    let fields = Fields::new(case, "case")?;
    fields.ignore(&["id", "note"]);
    if fields.flag("informational")? {
        return Ok(Verdict::Informational);
    }
    let tolerance = fields.optional("tol").map_or(Ok(Tolerance::default()), Tolerance::parse)?;
    let case = Case { fields, tolerance: tolerance.or(file_tolerance), file_tolerance };
    let not_built: Vec<&str> =
        NOT_BUILT.iter().filter(|row| row.0 == family.name).flat_map(|row| row.1).copied().collect();
    let required = (family.requires)(&case)?;
    if let Some(missing) = required.into_iter().find(|name| not_built.contains(&name.as_str())) {
        return Ok(Verdict::Skipped(missing));
    }
    (family.judge)(&case)?;
    case.fields.finish()?;
    Ok(Verdict::Passed)
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `f`; a panic is a failure like any other, with its text.
pub(crate) fn quietly<T>(f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::set_hook(Box::new(|info| PANIC.set(info.to_string().replace('\n', " "))));
    let result = catch_unwind(AssertUnwindSafe(f));
    let _ = std::panic::take_hook();
    result.unwrap_or_else(|_| Err(PANIC.take().into()))
}
