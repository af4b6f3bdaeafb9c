//! `einsum` against loops over all indices.
use proptest::prelude::*;
use slalom_array::{DType, ErrorKind};
use slalom_autograd::{Tensor, einsum};
use std::collections::BTreeMap;

const LETTERS: [char; 4] = ['i', 'b', 'K', 'a'];

/// An operand's letters; which of the axes under the ellipsis it has (the last ones), and which of them are of length 1.
#[derive(Debug, Clone)]
struct Operand {
    letters: Vec<char>,
    under: Option<Vec<bool>>,
}

impl Operand {
    /// The names of its axes: letters, and digits for those under the ellipsis, counted from the last.
    fn names(&self, split: usize) -> Vec<char> {
        let under = self.under.iter().flat_map(|u| (0..u.len()).rev()).map(|i| (b'0' + i as u8) as char);
        let split = split.min(self.letters.len());
        self.letters[..split]
            .iter()
            .copied()
            .chain(under)
            .chain(self.letters[split..].iter().copied())
            .collect()
    }

    fn term(&self, split: usize) -> String {
        let split = split.min(self.letters.len());
        let ellipsis = if self.under.is_some() { "..." } else { "" };
        let (before, after) = self.letters.split_at(split);
        format!("{}{ellipsis}{}", String::from_iter(before), String::from_iter(after))
    }
}

fn operand() -> impl Strategy<Value = Operand> {
    let letters = prop::collection::vec(prop::sample::select(&LETTERS[..]), 0..4);
    let under = prop::option::of(prop::collection::vec(any::<bool>(), 0..3));
    (letters, under).prop_map(|(letters, under)| Operand { letters, under })
}

/// The sum of products over all values of all names, by the definition.
fn reference(inputs: &[(Vec<char>, Tensor)], output: &[char], lengths: &BTreeMap<char, usize>) -> Vec<i64> {
    let total: usize = lengths.values().product();
    let place = |names: &[char], shape: &[usize], at: &BTreeMap<char, usize>| {
        names.iter().zip(shape).fold(0, |place, (name, &n)| place * n + if n == 1 { 0 } else { at[name] })
    };
    let shape: Vec<usize> = output.iter().map(|name| lengths[name]).collect();
    let mut sums = vec![0i64; shape.iter().product()];
    let values: Vec<Vec<i64>> = inputs.iter().map(|(_, x)| x.to_vec().unwrap()).collect();
    for index in 0..total {
        let mut rest = index;
        let mut at = BTreeMap::new();
        for (&name, &n) in lengths {
            at.insert(name, rest % n);
            rest /= n;
        }
        let factors = inputs.iter().zip(&values).map(|((names, x), v)| v[place(names, x.shape(), &at)]);
        sums[place(output, &shape, &at)] += factors.product::<i64>();
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn by_the_definition(
        operands in prop::collection::vec(operand(), 1..5),
        splits in prop::collection::vec(0usize..4, 5),
        letter_lengths in prop::collection::vec(prop_oneof![1 => Just(0usize), 12 => 1usize..4], 4),
        under_lengths in prop::collection::vec(1usize..4, 2),
        picks in prop::collection::vec(any::<u8>(), 4),
        with_ellipsis in any::<bool>(),
    ) {
        let length = |name: char| match LETTERS.iter().position(|&letter| letter == name) {
            Some(i) => letter_lengths[i],
            None => under_lengths[name as usize - '0' as usize],
        };
        let mut inputs = Vec::new();
        let mut lengths: BTreeMap<char, usize> = BTreeMap::new();
        for (operand, &split) in operands.iter().zip(&splits) {
            let names = operand.names(split);
            let alone = |name: &char| name.is_ascii_digit() && operand.under.as_ref().unwrap()[*name as usize - '0' as usize];
            let shape: Vec<usize> = names.iter().map(|name| if alone(name) { 1 } else { length(*name) }).collect();
            for (&name, &n) in names.iter().zip(&shape) {
                let known = lengths.entry(name).or_insert(n);
                *known = if name.is_ascii_digit() { n.max(*known) } else { n };
            }
            let count = shape.iter().product::<usize>() as i64;
            let values: Vec<i64> = (0..count).map(|i| (i * 7 + 3 * split as i64) % 11 - 5).collect();
            inputs.push((names, Tensor::from_vec(shape, values).unwrap()));
        }
        // Some of the letters, in any order, and the ellipsis between them.
        let used: Vec<char> = lengths.keys().copied().filter(|name| name.is_alphabetic()).collect();
        let mut output: Vec<char> = Vec::new();
        for pick in picks {
            if let Some(&letter) = used.get(pick as usize % 6)
                && (!output.contains(&letter) || pick % 5 == 0)
            {
                output.push(letter);
            }
        }
        let under = lengths.keys().filter(|name| name.is_ascii_digit()).count();
        let result = Operand { letters: output, under: with_ellipsis.then(|| vec![false; under]) };
        let terms: Vec<String> = operands.iter().zip(&splits).map(|(o, &split)| o.term(split)).collect();
        let equation = format!("{} -> {}", terms.join(", "), result.term(splits[4]));
        let names = result.names(splits[4]);
        let tensors: Vec<&Tensor> = inputs.iter().map(|(_, x)| x).collect();
        let found = einsum(&equation, &tensors).unwrap();
        let shape: Vec<usize> = names.iter().map(|name| lengths[name]).collect();
        prop_assert_eq!(&found.shape()[..], &shape[..], "{}", &equation);
        prop_assert_eq!(found.to_vec::<i64>().unwrap(), reference(&inputs, &names, &lengths), "{}", equation);
    }
}

fn numbers(shape: &[usize]) -> Tensor {
    Tensor::from_vec(shape, (0..shape.iter().product::<usize>() as i64).collect()).unwrap()
}

#[test]
fn without_an_output_it_has_the_letters_that_appear_once() {
    let (a, b) = (numbers(&[2, 3]), numbers(&[3, 4]));
    let explicit = einsum("cb,ba->ac", &[&a, &b]).unwrap();
    let implicit = einsum("cb,ba", &[&a, &b]).unwrap();
    assert_eq!(implicit.shape()[..], [4, 2]);
    assert_eq!(implicit.to_vec::<i64>().unwrap(), explicit.to_vec::<i64>().unwrap());
    assert_eq!(einsum("b...a", &[numbers(&[2, 3, 4])]).unwrap().shape()[..], [3, 4, 2]);
    // Capitals come first.
    assert_eq!(einsum("aB", &[&a]).unwrap().shape()[..], [3, 2]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = numbers(&[2, 3]);
    let kind = |equation: &str, operands: &[&Tensor]| einsum(equation, operands).unwrap_err().kind();
    for equation in ["ij,jk->ik", "i1->i", "ij->ik", "i..j->i", "......ij->i", "ij->i->j", ""] {
        let expected = if equation.is_empty() { ErrorKind::Shape } else { ErrorKind::Argument };
        assert_eq!(kind(equation, &[&x]), expected, "{equation}");
    }
    for equation in ["i->i", "ijk->i", "ii->i", "...ijk->i"] {
        assert_eq!(kind(equation, &[&x]), ErrorKind::Shape, "{equation}");
    }
    assert_eq!(kind("ij,ij->i", &[&x, &numbers(&[2, 1])]), ErrorKind::Shape);
    let float = x.cast(DType::F32).unwrap();
    assert_eq!(kind("ij,ij->i", &[&x, &float]), ErrorKind::DType);
}
