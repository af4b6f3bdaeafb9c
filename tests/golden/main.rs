//! Judges slalom by what other frameworks computed; `README.md` beside this file says how the cases are written.
//!
//! `cargo test --release --test golden [FILTER]` judges the cases whose file or id contains the filter;
//! `SLALOM_GOLDEN_DIR` names another folder of cases, which need not have all files. Where no case is judged, the run fails.
mod activations;
mod check;
mod constraints;
mod expression;
mod fields;
mod higher_order;
mod initializers;
mod layers;
mod losses;
mod modern;
mod modern_state;
mod modern_torch;
mod objects;
mod ops;
mod optimizers;
mod runner;
mod schedules;
mod tensors;

use runner::{Case, Failure, Family};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the files ask for and slalom does not have yet, by file: cases that need it are skipped and counted. What is
/// not listed here must be understood and right.
const NOT_BUILT: &[(&str, &[&str])] = &[
    #[cfg(not(feature = "linalg"))]
    ("higher_order", &["feature linalg"]),
    #[cfg(not(feature = "linalg"))]
    ("ops_grad", &["feature linalg"]),
    (
        "layers",
        &[
            "ActivityRegularization",
            "Add",
            "AdditiveAttention",
            "Attention",
            "Average",
            "Bidirectional",
            "Concatenate",
            "Dot",
            "EinsumDense",
            "Masking",
            "Maximum",
            "Minimum",
            "Multiply",
            "Subtract",
            "TimeDistributed",
            "mask",
            "regularizers",
        ],
    ),
    ("metrics", ALL),
    (
        "modern_optimizers_optax",
        &[
            "acprop",
            "ademamix",
            "adopt",
            "agc_sgd",
            "centralize_sgd",
            "cocob",
            "dadapt_adamw",
            "dog",
            "fromage",
            "madgrad",
            "optimistic_gradient_descent",
            "schedule_free_sgd",
            "sign_sgd",
            "signum",
        ],
    ),
    ("training", ALL),
];

/// The row of a file of which nothing is built.
const ALL: &[&str] = &["everything"];

const FAMILIES: &[Family] = &[
    Family { name: "activations", requires: activations::requires, judge: activations::judge },
    Family { name: "constraints", requires: constraints::requires, judge: constraints::judge },
    Family { name: "higher_order", requires: higher_order::requires, judge: higher_order::judge },
    Family { name: "initializers", requires: initializers::requires, judge: initializers::judge },
    Family { name: "layers", requires: layers::requires, judge: layers::judge },
    Family { name: "losses", requires: losses::requires, judge: losses::judge },
    Family { name: "metrics", requires: everything, judge: nothing },
    Family { name: "modern_optimizers_keras3", requires: modern::requires, judge: modern::judge_keras_3 },
    Family { name: "modern_optimizers_optax", requires: modern::requires, judge: modern::judge_optax },
    Family { name: "modern_optimizers_torch", requires: modern::requires, judge: modern_torch::judge },
    Family { name: "ops_grad", requires: ops::requires, judge: ops::judge },
    Family { name: "optimizers", requires: optimizers::requires, judge: optimizers::judge },
    Family { name: "schedules", requires: schedules::requires, judge: schedules::judge },
    Family { name: "training", requires: everything, judge: nothing },
];

fn everything(_case: &Case<'_>) -> Result<Vec<String>, Failure> {
    Ok(vec![ALL[0].to_owned()])
}

fn nothing(_case: &Case<'_>) -> Result<(), Failure> {
    Err("there is nothing to judge it with".into())
}

fn main() -> ExitCode {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let given = std::env::var_os("SLALOM_GOLDEN_DIR").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let directory = given.as_ref().unwrap_or(&own);
    let mut count = Count::default();
    if filter.is_empty() {
        count.add("judge", check::all());
    }
    for family in FAMILIES {
        match std::fs::read_to_string(directory.join(family.name).with_extension("json")) {
            Ok(text) => judge(family, &text, &filter, &mut count),
            Err(error) if given.is_some() && error.kind() == ErrorKind::NotFound => {
                println!("{}: absent", family.name);
            }
            Err(error) => count.fail(family.name, &error.to_string().into()),
        }
    }
    if let Err(failure) = only_known_files(directory) {
        count.fail("folder", &failure);
    }
    if count.judged == 0 {
        count.fail("filter", &format!("no case of {filter:?} in {}", directory.display()).into());
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many cases were found, passed and failed.
#[derive(Default)]
struct Count {
    /// Cases of files, not the judge's own.
    judged: usize,
    passed: usize,
    failed: usize,
}

impl Count {
    fn fail(&mut self, what: &str, failure: &Failure) {
        println!("FAILED {what}: {failure}");
        self.failed += 1;
    }

    fn add(&mut self, what: &str, outcome: runner::Outcome) {
        self.passed += outcome.passed;
        for (id, failure) in &outcome.failed {
            self.fail(&format!("{what} {id}"), failure);
        }
        println!("{what}: {outcome}");
    }
}

fn judge(family: &Family, text: &str, filter: &str, count: &mut Count) {
    match runner::run(family, text, filter) {
        Ok(outcome) if outcome.is_empty() && !filter.is_empty() => {}
        Ok(outcome) => {
            count.judged += outcome.passed + outcome.failed.len();
            count.add(family.name, outcome);
        }
        Err(failure) => count.fail(family.name, &failure),
    }
}

/// Fails, if there are files that belong to no family.
fn only_known_files(directory: &Path) -> Result<(), Failure> {
    let entries = std::fs::read_dir(directory).map_err(|error| error.to_string())?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let json = path.extension().is_some_and(|extension| extension == "json");
        let known = FAMILIES.iter().any(|family| path.file_stem().is_some_and(|stem| stem == family.name));
        if json && !known {
            return Err(format!("{} belongs to no family", path.display()).into());
        }
    }
    Ok(())
}
