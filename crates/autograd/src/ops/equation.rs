//! Equations of Einstein's summation convention.
use slalom_array::{Error, ErrorKind, Result};
use smallvec::SmallVec;

/// The name of an axis: a letter, or an axis under the ellipsis, numbered from the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// The axes of an operand or of the result.
pub(crate) type Labels = SmallVec<[Label; 6]>;

/// The labels of all axes.
#[derive(Debug, PartialEq)]
pub(crate) struct Equation {
    pub(crate) inputs: Vec<Labels>,
    pub(crate) output: Labels,
}

impl Equation {
    /// Reads the equation for operands of the given ranks.
    pub(crate) fn parse(text: &str, ranks: &[usize]) -> Result<Equation> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = text.split_once("->").map_or((&*text, None), |(left, right)| (left, Some(right)));
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            let expected = format!("{} operands for the equation {text:?}", terms.len());
            return Err(Error::new(ErrorKind::Argument, "einsum", expected, ranks.len()));
        }
        let mut inputs = Vec::new();
        let mut under = 0;
        for (term, &rank) in terms.into_iter().zip(ranks) {
            let (before, after) = letters(term)?;
            let named = before.len() + after.map_or(0, str::len);
            if named > rank || (after.is_none() && named < rank) {
                let expected = format!("an operand with the axes {term:?}");
                return Err(Error::new(ErrorKind::Shape, "einsum", expected, format!("{rank} axes")));
            }
            under = under.max(rank - named);
            inputs.push(labels(before, after, rank - named));
        }
        let output = match right {
            Some(right) => explicit(right, under, &inputs)?,
            None => implicit(under, &inputs),
        };
        Ok(Equation { inputs, output })
    }
}

/// The letters before the ellipsis and after it, if there is one.
fn letters(term: &str) -> Result<(&str, Option<&str>)> {
    let (before, after) = term.split_once("...").map_or((term, None), |(b, a)| (b, Some(a)));
    let valid = |part: &str| part.chars().all(|c| c.is_ascii_alphabetic());
    if valid(before) && after.is_none_or(valid) {
        return Ok((before, after));
    }
    let expected = "letters, with at most one ellipsis in each term";
    Err(Error::new(ErrorKind::Argument, "einsum", expected, format!("{term:?}")))
}

fn labels(before: &str, after: Option<&str>, under: usize) -> Labels {
    let ellipsis = (0..under).rev().map(Label::Ellipsis);
    let before = before.chars().map(Label::Letter);
    before.chain(ellipsis).chain(after.unwrap_or_default().chars().map(Label::Letter)).collect()
}

fn explicit(right: &str, under: usize, inputs: &[Labels]) -> Result<Labels> {
    let (before, after) = letters(right)?;
    let output = labels(before, after, if after.is_some() { under } else { 0 });
    match output.iter().find(|label| !inputs.iter().any(|input| input.contains(label))) {
        Some(label) => {
            let expected = "axes of the operands in the output";
            Err(Error::new(ErrorKind::Argument, "einsum", expected, format!("{label:?}")))
        }
        None => Ok(output),
    }
}

/// The axes under the ellipsis, then the letters that appear once, in the order of the alphabet.
fn implicit(under: usize, inputs: &[Labels]) -> Labels {
    let mut all: Labels =
        inputs.iter().flatten().copied().filter(|l| matches!(l, Label::Letter(_))).collect();
    all.sort_unstable();
    let once = all.iter().filter(|label| all.iter().filter(|other| other == label).count() == 1);
    (0..under).rev().map(Label::Ellipsis).chain(once.copied()).collect()
}
