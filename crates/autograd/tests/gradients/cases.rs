//! Random inputs.
use crate::table::{CASES, Row};
use proptest::collection;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use slalom_array::Array;
use slalom_autograd::Tensor;

/// Choices made elsewhere, and then SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
pub(crate) struct Random {
    /// The next one stands last.
    choices: Vec<u64>,
    state: u64,
    /// How many elements the next shape is to have, about; otherwise it is small.
    elements: Option<usize>,
    /// Inputs are to have the same shape, where they may.
    pub(crate) equal: bool,
}

/// Draws inputs for the cases of each row and checks them; returns how many there were.
///
/// proptest makes the choices that shapes, indices, layouts and values follow from, the same at each run. Smaller choices
/// mean smaller shapes and plainer layouts, and so what fails is shrunk to something simple.
pub(crate) fn for_each_case(
    rows: &[Row],
    numbers: usize,
    check: impl Fn(&Row, &mut Random, usize) -> Result<(), String>,
) -> usize {
    let asked = ProptestConfig::default();
    let config = ProptestConfig {
        cases: (asked.cases / 256).max(1),
        max_shrink_iters: 1000,
        failure_persistence: None,
        ..asked
    };
    let numbers = numbers.min(asked.cases as usize);
    let strategy = (collection::vec(any::<u64>(), 24), any::<u64>());
    for (i, row) in rows.iter().enumerate() {
        for number in 0..numbers {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&((CASES * i + number) as u64).to_le_bytes());
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
            let result = TestRunner::new_with_rng(config.clone(), rng).run(&strategy, |(choices, seed)| {
                let mut random = Random { choices, ..Random::new(seed) };
                check(row, &mut random, number).map_err(TestCaseError::fail)
            });
            result.unwrap_or_else(|error| panic!("{}, case {number}: {error}", row.name));
        }
    }
    rows.len() * numbers * config.cases as usize
}

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random { choices: Vec::new(), state: seed, elements: None, equal: false }
    }

    /// For inputs of which the first has about so many elements.
    pub(crate) fn large(seed: u64, elements: usize) -> Random {
        Random { elements: Some(elements), ..Random::new(seed) }
    }

    /// Whether inputs are to be large.
    pub(crate) fn is_large(&self) -> bool {
        self.elements.is_some()
    }

    /// The side of something with `rank` axes of one length, `1..=most`, or as long as is asked for.
    pub(crate) fn cube(&mut self, most: usize, rank: u32) -> usize {
        let length = self.length(most.pow(rank), 1);
        (1..).take_while(|side: &usize| side.pow(rank) <= length).last().unwrap_or(1)
    }

    /// A length of `1..=most`; or, once, one with which about the elements asked for are reached: `others` is the product of
    /// the other lengths.
    pub(crate) fn length(&mut self, most: usize, others: usize) -> usize {
        let small = 1 + self.below(most);
        self.elements.take().map_or(small, |elements| (elements / others.max(1)).max(1))
    }

    /// A length of `1..=small`; where inputs are to be large, one of more than half of `large`.
    pub(crate) fn side(&mut self, small: usize, large: usize) -> usize {
        let (least, most) = if self.elements.is_some() { (large / 2, large) } else { (0, small) };
        least + 1 + self.below(most - least)
    }

    pub(crate) fn next(&mut self) -> u64 {
        if let Some(choice) = self.choices.pop() {
            return choice;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What values an input may have: where an op is smooth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Domain {
    /// Between two numbers.
    Between(f64, f64),
    /// Within 2 of zero, at least this far from it.
    Around(f64),
    /// Multiples of 0.2, moved by this much: inputs of different grids differ.
    Grid(f64),
    /// All different by 0.1 at least.
    Distinct,
}

impl Domain {
    fn draw(self, random: &mut Random, n: usize) -> Vec<f64> {
        if self == Domain::Distinct {
            let mut values: Vec<f64> = (0..n).map(|i| 0.15 * i as f64 - 0.5).collect();
            (1..n).rev().for_each(|i| values.swap(i, random.below(i + 1)));
            return values;
        }
        let one = |random: &mut Random| match self {
            Domain::Between(low, high) => random.uniform(low, high),
            Domain::Around(gap) => random.uniform(gap, 2.0) * if random.below(2) == 0 { 1.0 } else { -1.0 },
            Domain::Grid(offset) => 0.2 * (random.below(17) as f64 - 8.0) + offset,
            Domain::Distinct => unreachable!("drawn above"),
        };
        (0..n).map(|_| one(random)).collect()
    }

    /// A tensor with values of this domain: contiguous, transposed, sliced or, where elements may be equal, broadcast.
    pub(crate) fn tensor(self, random: &mut Random, shape: &[usize]) -> Tensor {
        let n = shape.iter().product();
        let values = self.draw(random, n);
        let layout = random.below(5);
        let array = match layout {
            1 if shape.len() > 1 => {
                let axes: Vec<usize> = (0..shape.len()).rev().collect();
                let turned: Vec<usize> = shape.iter().rev().copied().collect();
                Array::from_vec(turned, values).and_then(|a| a.transpose(&axes))
            }
            2 if !shape.is_empty() => {
                let axis = random.below(shape.len());
                let mut wide = shape.to_vec();
                wide[axis] = 2 * shape[axis] + 1;
                let filler = self.draw(random, wide.iter().product());
                Array::from_vec(wide, filler).and_then(|a| a.slice(axis, 1, shape[axis], 2))
            }
            3 if !shape.is_empty() && n > 0 => {
                let axis = random.below(shape.len());
                Array::from_vec(shape, values).and_then(|a| a.slice(axis, shape[axis] - 1, shape[axis], -1))
            }
            4 if !shape.is_empty() && n > 0 && self != Domain::Distinct => {
                let (axis, mut narrow) = (random.below(shape.len()), shape.to_vec());
                narrow[axis] = 1;
                let values = values[..n / shape[axis]].to_vec();
                Array::from_vec(narrow, values).and_then(|a| a.broadcast_to(shape))
            }
            _ => Array::from_vec(shape, values),
        };
        array.unwrap().into()
    }
}

/// The shape of case `number`: a scalar, an empty one, one of rank 5, then random ones of at most 8 elements, or as many
/// as are asked for.
pub(crate) fn shape(
    random: &mut Random,
    number: usize,
    ranks: std::ops::RangeInclusive<usize>,
) -> Vec<usize> {
    let (low, high) = (*ranks.start(), *ranks.end());
    let rank = match number {
        0 => low,
        1 => low.max(2).min(high),
        2 => high,
        _ => low + random.below(high - low + 1),
    };
    let mut shape: Vec<usize> = (0..rank).map(|_| 1 + random.below(3)).collect();
    if rank > 0 && random.elements.is_some() {
        let axis = random.below(rank);
        shape[axis] = 1;
        let others = shape.iter().product();
        shape[axis] = random.length(1, others);
        return shape;
    }
    while shape.iter().product::<usize>() > 8 {
        let axis = random.below(rank);
        shape[axis] = (shape[axis] - 1).max(1);
    }
    if number == 1 && rank > 0 {
        let axis = random.below(rank);
        shape[axis] = 0;
    }
    shape
}

/// Shapes that broadcast together to the given one. Either one of them is the whole, or each axis has its length in some of
/// them. They have axes of length 1, or lack outer axes.
pub(crate) fn narrowed(random: &mut Random, shape: &[usize], count: usize) -> Vec<Vec<usize>> {
    if random.equal {
        return vec![shape.to_vec(); count];
    }
    let both_ways = random.below(2) == 1;
    let mut owner = random.below(count);
    let mut owners = Vec::new();
    for _ in shape {
        if both_ways {
            owner = random.below(count);
        }
        owners.push(owner);
    }
    let narrow = |i: usize| {
        let mut length = |axis: usize| {
            let one = owners[axis] != i && random.below(3) < 1 + usize::from(both_ways);
            if one { 1 } else { shape[axis] }
        };
        let mut own: Vec<usize> = (0..shape.len()).map(&mut length).collect();
        let outer = owners.iter().position(|&owner| owner == i).unwrap_or(shape.len());
        if random.below(3) == 0 {
            own.drain(..random.below(outer + 1));
        }
        own
    };
    (0..count).map(narrow).collect()
}
