//! Every op of the crate against finite differences, in first and second order.
mod attention;
mod cases;
mod contractions;
mod conv;
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

use cases::Random;
use slalom_array::{DType, Result};
use slalom_autograd::{GradientCheck, GradientTape, Tensor, Trace, UnconnectedGradients};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use table::{CASES, Row, table};

/// Ops without a gradient.
const NOT_DIFFERENTIABLE: [&str; 34] = [
    "all",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "ceil",
    "equal",
    "floor",
    "floordiv",
    "greater",
    "greater_equal",
    "indicator",
    "is_finite",
    "is_inf",
    "is_nan",
    "left_shift",
    "less",
    "less_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "nonzero",
    "not_equal",
    "one_hot",
    "right_shift",
    "round",
    "row_indices",
    "searchsorted",
    "stop_gradient",
    "top_k",
    "unique",
];

/// Ops that lose digits, checked in a test of their own.
const ROUNDING: [&str; 1] = ["cast"];

#[test]
fn gradients_of_all_ops() {
    let mut worst = [0.0f64; 2];
    let mut derivatives = 0;
    let rows = table();
    for (seed, row) in rows.iter().enumerate() {
        let mut random = Random::new(seed as u64);
        for number in 0..CASES {
            let (inputs, repeated) = row.inputs(&mut random, number);
            let f = |x: &[Tensor]| row.apply(x, number, repeated);
            let report = GradientCheck::new().tolerances(&[1e-6, 1e-5]).run(f, &inputs);
            let shapes: Vec<String> = inputs.iter().map(|x| x.shape().to_string()).collect();
            let report = report
                .unwrap_or_else(|error| panic!("{}, case {number}, {}: {error}", row.name, shapes.join(" ")));
            worst = [worst[0].max(report.worst(1)), worst[1].max(report.worst(2))];
            derivatives += report.derivatives();
        }
    }
    println!(
        "{} functions, {} cases, {derivatives} derivatives; worst relative error {:.1e}, second order {:.1e}",
        rows.len(),
        rows.len() * CASES,
        worst[0],
        worst[1]
    );
}

#[test]
fn the_table_applies_every_op() {
    let applied: BTreeSet<&str> = table()
        .iter()
        .flat_map(|row| applied_ops(row).unwrap_or_else(|e| panic!("{}: {e}", row.name)))
        .collect();
    let declared = declared_ops();
    let listed = [&NOT_DIFFERENTIABLE[..], &ROUNDING].concat();
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
fn gradients_pass_between_floating_point_types() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::from_vec([2], vec![0.1, 3.0]).unwrap());
    let y = x.cast(DType::F32).unwrap().square().cast(DType::F64).unwrap();
    let gradient = tape.gradient(&y, &x).unwrap().unwrap().to_dense().unwrap();
    assert_eq!(gradient.to_vec::<f64>().unwrap(), [f64::from(0.2f32), 6.0]);
}

/// The ops that one case of a row and its first and second gradient apply.
fn applied_ops(row: &Row) -> Result<Vec<&'static str>> {
    let (inputs, repeated) = row.inputs(&mut Random::new(7), 3);
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
    let y = row.apply(&watched, 3, repeated)?;
    let first = dense(inner.gradient_with(&y, sources.clone(), &options)?)?;
    let second = dense(outer.gradient_with(&first, sources, &options)?)?;
    let results: Vec<&Tensor> = [&y].into_iter().chain(&first).chain(&second).collect();
    Ok(trace.finish(&results)?.ops().collect())
}

/// The names of all ops in the crate's source.
fn declared_ops() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let built = |folder: &&PathBuf| cfg!(feature = "linalg") || !folder.ends_with("linalg");
    let files = |folder: &PathBuf| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    for path in [folder.clone(), folder.join("linalg")].iter().filter(built).flat_map(files) {
        if path.is_dir() {
            assert!(path.ends_with("linalg"), "{}: a folder that is not read", path.display());
            continue;
        }
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
