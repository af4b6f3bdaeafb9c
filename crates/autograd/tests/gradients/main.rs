//! Every op of the crate against finite differences, in first and second order.
mod attention;
mod cases;
mod contractions;
mod conv;
mod cuts;
mod dropout;
#[cfg(feature = "linalg")]
mod factorizations;
mod forward;
mod indexing;
mod layouts;
mod linalg;
mod normalization;
mod norms;
mod recurrent;
mod scans;
mod table;
mod threads;
mod values;

use cases::{Random, for_each_case};
use cuts::cuts;
use slalom_array::{DType, Result};
use slalom_autograd::{GradientCheck, GradientTape, Tensor, Trace, UnconnectedGradients};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use table::{CASES, Row, table};

/// Ops that lose digits, or have first derivatives alone, checked in tests of their own.
const APART: [&str; 2] = ["cast", "igamma_grad_a"];

/// Prints a line that is seen also where the output of tests that pass is not.
fn report(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[test]
fn gradients_of_all_ops() {
    let worst = Cell::new([0.0f64; 2]);
    let derivatives = Cell::new(0);
    let rows = table();
    let cases = for_each_case(&rows, CASES, |row, random, number| {
        let (inputs, places) = row.inputs(random, number);
        let f = |x: &[Tensor]| row.apply(x, number, &places);
        let report = GradientCheck::new().tolerances(&[1e-6, 1e-5]).run(f, &inputs);
        let shapes: Vec<String> = inputs.iter().map(|x| x.shape().to_string()).collect();
        let report = report.map_err(|error| format!("{}: {error}", shapes.join(" ")))?;
        let [first, second] = worst.get();
        worst.set([first.max(report.worst(1)), second.max(report.worst(2))]);
        derivatives.set(derivatives.get() + report.derivatives());
        Ok(())
    });
    let ([first, second], derivatives) = (worst.get(), derivatives.get());
    report(&format!(
        "{} functions, {cases} cases, {derivatives} derivatives; \
         worst relative error {first:.1e}, second order {second:.1e}",
        rows.len()
    ));
}

#[test]
fn the_table_applies_every_op() {
    let applied: BTreeSet<&str> = table()
        .iter()
        .flat_map(|row| applied_ops(row).unwrap_or_else(|e| panic!("{}: {e}", row.name)))
        .collect();
    let declared = declared_ops();
    let listed: Vec<&str> = cuts().iter().map(|cut| cut.name).chain(APART).collect();
    assert!(declared.len() > 30, "only {} ops found", declared.len());
    let missing: Vec<&String> = declared
        .iter()
        .filter(|name| !applied.contains(name.as_str()) && !listed.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "without a row in the table: {missing:?}");
    let stale: Vec<&&str> = listed.iter().filter(|name| !declared.contains(**name)).collect();
    assert!(stale.is_empty(), "listed, but no ops: {stale:?}");
}

#[test]
fn the_table_calls_every_method() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gradients");
    let mut called = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for call in text.split('(') {
            let before = call.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
            let name = &call[before.len()..];
            called.insert(if before.ends_with('.') { format!(".{name}") } else { name.to_string() });
        }
    }
    let methods = declared_methods();
    assert!(methods.len() > 100, "only {} methods found", methods.len());
    let missing: Vec<&String> = methods.iter().filter(|name| !called.contains(*name)).collect();
    assert!(missing.is_empty(), "called by no row: {missing:?}");
}

#[test]
fn gradients_pass_between_floating_point_types() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from_vec([2], vec![0.1, 3.0]).unwrap());
    let y = x.cast(DType::F32).unwrap().square().cast(DType::F64).unwrap();
    let gradient = tape.gradient(&y, &x).unwrap().unwrap().to_dense().unwrap();
    assert_eq!(gradient.to_vec::<f64>().unwrap(), [f64::from(0.2f32), 6.0]);
}

/// The ops that one case of a row and its first and second gradient apply.
fn applied_ops(row: &Row) -> Result<Vec<&'static str>> {
    let (inputs, places) = row.inputs(&mut Random::new(7), 3);
    let trace = Trace::new()?;
    // Values of the trace, not constants from outside of it.
    let inputs: Vec<Tensor> = inputs.iter().map(Tensor::stop_gradient).collect();
    let (outer, inner) = (GradientTape::unwatched(), GradientTape::unwatched());
    let float = |x: &&Tensor| x.dtype().is_float();
    let watched: Vec<Tensor> =
        inputs.iter().map(|x| if float(&x) { inner.watch(&outer.watch(x)) } else { x.clone() }).collect();
    let sources: Vec<&Tensor> = watched.iter().filter(float).collect();
    let options = slalom_autograd::GradientOptions::new().unconnected_gradients(UnconnectedGradients::Zero);
    let dense = |gradients: Vec<Option<slalom_autograd::Gradient>>| -> Result<Vec<Tensor>> {
        gradients.into_iter().flatten().map(|gradient| gradient.to_dense()).collect()
    };
    let y = row.apply(&watched, 3, &places)?;
    let first = dense(inner.gradient_with(&y, sources.clone(), &options)?)?;
    let second = dense(outer.gradient_with(&first, sources, &options)?)?;
    let results: Vec<&Tensor> = [&y].into_iter().chain(&first).chain(&second).collect();
    Ok(trace.finish(&results)?.ops().collect())
}

/// The files of the crate's source that define ops.
fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let built = |folder: &&PathBuf| cfg!(feature = "linalg") || !folder.ends_with("linalg");
    let files = |folder: &PathBuf| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let all =
        [folder.clone(), folder.join("linalg")].iter().filter(built).flat_map(files).collect::<Vec<_>>();
    let read = |path: &PathBuf| !path.is_dir() || path.ends_with("linalg");
    assert!(all.iter().all(read), "a folder that is not read: {all:?}");
    all.into_iter().filter(|path| path.is_file()).collect()
}

/// The names of public methods of tensors, each behind a dot, and of public functions that stand where the ops do.
fn declared_methods() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources() {
        let (mut of_tensors, text) = (true, std::fs::read_to_string(&path).unwrap());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let start = line.trim_start();
            if start.starts_with("impl") {
                of_tensors = start == "impl Tensor {";
            }
            let Some((name, arguments)) = start.strip_prefix("pub fn ").and_then(|rest| rest.split_once('('))
            else {
                continue;
            };
            let name = name.split('<').next().expect("a part");
            // Those that macros define are named like their ops.
            if name.starts_with('$') {
                continue;
            }
            let of_self = |arguments: &str| arguments.trim_start().starts_with("&self");
            if start.len() == line.len() {
                names.insert(name.to_string());
            } else if of_tensors && (of_self(arguments) || lines.peek().is_some_and(|next| of_self(next))) {
                names.insert(format!(".{name}"));
            }
        }
    }
    names
}

/// The names of all ops in the crate's source.
fn declared_ops() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
        for (i, line) in lines.iter().enumerate() {
            // `fn name(&self) -> &'static str {`: the names in its body, or a constant.
            if line.starts_with("fn name(&self)") {
                let body: Vec<&str> =
                    lines[i + 1..].iter().take_while(|line| !line.starts_with("fn ")).copied().collect();
                let body = body.join(" ");
                assert!(body.contains('"') || body.contains("::NAME"), "{}: {body}", path.display());
                names.extend(body.split('"').skip(1).step_by(2).map(str::to_string));
            }
            // `const NAME: &'static str = "name";`
            if line.starts_with("const NAME") {
                names.extend(line.split('"').nth(1).map(str::to_string));
            }
            // `name = Struct of input: ..`, `name = Struct: f(..`, `name = Struct, true: ..`: a row of a macro.
            let macros = [" of input: ", " of output: ", ": f(", ", true: ", ", false: "];
            if let Some((name, rest)) = line.split_once(" = ")
                && rest.starts_with(char::is_uppercase)
                && (rest.ends_with(':') || macros.iter().any(|form| rest.contains(form)))
            {
                names.insert(name.to_string());
            }
        }
    }
    names
}
