//! Judges the judge: what must fail does, and what must pass does.
use crate::runner::{Family, Outcome, run};
use crate::tensors::Bound;
use crate::{NOT_BUILT, expression, layers, ops};
use std::path::Path;
use std::process::Command;

const OPS: Family = Family { name: "ops_grad", requires: ops::requires, judge: ops::judge };

/// A file with one case of `x * x` at 3, with pieces to replace.
const RIGHT: &str = r#"{"source": "", "seed": 0, "notes": [],
    "tolerance": {"f64": {"rtol": 1e-9, "atol": 1e-11}}, "cases": [
    {"id": "square", "op": "square", "attrs": {}, "tf": "x0 * x0",
     "inputs": [{"shape": [2], "dtype": "f64", "data": [3.0, "nan"]}],
     "output": [{"shape": [2], "dtype": "f64", "data": [9.0, "nan"]}],
     "upstream": [{"shape": [2], "dtype": "f64", "data": [1.0, 0]}],
     "grads": [{"shape": [2], "dtype": "f64", "data": [6.0, "nan"]}]}]}"#;

/// What is changed in the right file, and how.
const WRONG: &[(&str, &str, &str)] = &[
    ("a wrong value", "[9.0, ", "[9.00001, "),
    ("a number for NaN", r#"[9.0, "nan"]"#, "[9.0, 1.0]"),
    ("NaN for a number", r#"[6.0, "nan"]"#, r#"["nan", "nan"]"#),
    ("an infinity for a number", r#"[6.0, "nan"]"#, r#"["inf", "nan"]"#),
    ("a wrong gradient", "[6.0, ", "[5.99999, "),
    ("a wrong shape", r#""output": [{"shape": [2]"#, r#""output": [{"shape": [2, 1]"#),
    (
        "a wrong dtype",
        r#""grads": [{"shape": [2], "dtype": "f64""#,
        r#""grads": [{"shape": [2], "dtype": "f32""#,
    ),
    (
        "no gradient wanted",
        r#""grads": [{"shape": [2], "dtype": "f64", "data": [6.0, "nan"]}]"#,
        r#""grads": [null]"#,
    ),
    ("a missing gradient", r#""tf": "x0 * x0""#, r#""tf": "tf.stop_gradient(x0 * x0)""#),
    ("a missing output", r#""output": ["#, r#""output": [{"shape": [], "dtype": "f64", "data": [1.0]}, "#),
    ("a dense gradient for a sparse one", r#""grads""#, r#""sparse": [0], "grads""#),
    ("an unknown field", r#""attrs""#, r#""mode": 1, "attrs""#),
    ("an unknown function", "x0 * x0", "tf.cubed(x0)"),
    ("an unknown argument", "x0 * x0", "tf.square(x0, fast=True)"),
    ("an unknown operator", "x0 * x0", "x0 @ x0"),
    ("an unknown name", "x0 * x0", "x0 * x1"),
    (
        "an unknown dtype",
        r#""inputs": [{"shape": [2], "dtype": "f64""#,
        r#""inputs": [{"shape": [2], "dtype": "f16""#,
    ),
    ("a type without tolerance", r#"{"f64": {"#, r#"{"f32": {"#),
    ("too few elements", "[3.0, ", "["),
    ("a missing field", r#""upstream""#, r#""downstream""#),
    ("an id given twice", r#""cases": ["#, r#""cases": [{"id": "square", "informational": true}, "#),
    ("a panic", "x0 * x0", "x0 * tf.reshape(x0, [2, -1])[:, 0:0]"),
];

/// Runs the checks.
pub(crate) fn all() -> Outcome {
    let mut outcome = Outcome::default();
    let mut check = |name: &str, right: bool| match right {
        true => outcome.passed += 1,
        false => outcome.failed.push((name.to_owned(), "the judge is wrong".into())),
    };
    let judged = |text: &str| run(&OPS, text, "").is_ok_and(|outcome| outcome.failed.is_empty());
    check("the right file", run(&OPS, RIGHT, "").is_ok_and(|o| o.failed.is_empty() && o.passed == 1));
    for (name, right, wrong) in WRONG {
        check(name, RIGHT.matches(right).count() >= 1 && !judged(&RIGHT.replacen(right, wrong, 1)));
    }
    let own = RIGHT
        .replace("[9.0, ", "[9.09, ")
        .replace(r#""attrs""#, r#""tol": {"f64": {"rtol": 0.1, "atol": 0}}, "attrs""#);
    check("a tolerance of the case's own", judged(&own));
    let informational =
        RIGHT.replace("[9.0, ", "[8.0, ").replace(r#""attrs""#, r#""informational": true, "attrs""#);
    check("an informational case", judged(&informational));

    let bound = Bound::new(0.5, 0.25);
    check(
        "the bound is reached",
        bound.admits(1.75, 1.0) && bound.admits(-1.75, -1.0) && bound.admits(0.25, 0.0),
    );
    check("the bound is passed", !bound.admits(1.7500001, 1.0) && !bound.admits(-0.2500001, 0.0));
    let [nan, inf] = [f64::NAN, f64::INFINITY];
    check("what is not finite", bound.admits(nan, nan) && bound.admits(inf, inf) && bound.admits(-inf, -inf));
    let unlike = [(nan, 1.0), (1.0, nan), (inf, -inf), (inf, 1.0), (1.0, inf), (nan, inf), (inf, nan)];
    check("what is not alike", !unlike.into_iter().any(|(got, want)| bound.admits(got, want)));

    for name in NOT_BUILT.iter().flat_map(|row| row.1) {
        check(&format!("{name} is listed as not built"), !expression::knows(name) && !layers::knows(name));
    }
    for name in expression::FACTORIZATIONS {
        check(
            &format!("{name} is built with its feature"),
            expression::knows(name) == cfg!(feature = "linalg"),
        );
    }
    for (name, right) in folders().unwrap_or_else(|_| vec![("folders of cases", false)]) {
        check(name, right);
    }
    outcome
}

/// Runs this program on folders of its own making, with a filter, so that it does not check itself again.
fn folders() -> std::io::Result<Vec<(&'static str, bool)>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let succeeds = |filter: &str| -> std::io::Result<bool> {
        let mut run = Command::new(std::env::current_exe()?);
        Ok(run.arg(filter).env("SLALOM_GOLDEN_DIR", &folder).output()?.status.success())
    };
    let empty = succeeds("square")?;
    std::fs::write(folder.join("ops_grad.json"), RIGHT)?;
    let (one, none) = (succeeds("square")?, succeeds("cube")?);
    // A folder cannot be read as a file.
    std::fs::create_dir(folder.join("layers.json"))?;
    let unreadable = succeeds("square")?;
    std::fs::remove_dir_all(&folder)?;
    Ok(vec![
        ("a folder with one file", one),
        ("a folder without cases", !empty),
        ("a filter without cases", !none),
        ("a file that cannot be read", !unreadable),
    ])
}
