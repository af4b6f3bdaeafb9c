//! Products over any axes, diagonals and bands.
use crate::cases::Domain::{self, Between};
use crate::cases::{Random, narrowed};
use crate::table::{Row, drawn};
use slalom_autograd::{Tensor, einsum};

const ANY: Domain = Between(-1.5, 1.5);

/// Equations, and the shapes of their operands.
const EQUATIONS: [(&str, &[&[usize]]); 14] = [
    ("ij,jk->ik", &[&[2, 3], &[3, 2]]),
    ("ii->", &[&[3, 3]]),
    ("iij->ji", &[&[2, 2, 3]]),
    ("i,j", &[&[2], &[3]]),
    ("bij,bkj->bik", &[&[2, 2, 2], &[2, 1, 2]]),
    ("i,ij,j->", &[&[2], &[2, 3], &[3]]),
    ("a,ab,abc->cb", &[&[2], &[2, 2], &[2, 2, 2]]),
    ("...ij,...j->...i", &[&[2, 1, 2, 2], &[3, 2]]),
    ("...a,b->a", &[&[2, 1, 2], &[2]]),
    ("i->ii", &[&[3]]),
    ("ij,jk->ik", &[&[2, 0], &[0, 2]]),
    ("ab,ab->b", &[&[2, 3], &[2, 3]]),
    ("abcde,ce->bda", &[&[1, 2, 2, 1, 2], &[2, 2]]),
    ("ij,ij->", &[&[2, 3], &[2, 3]]),
];

/// Operands of the case's equation; one of its letters may have a long axis.
fn operands(random: &mut Random, number: usize) -> Vec<Tensor> {
    let (equation, shapes) = EQUATIONS[number % EQUATIONS.len()];
    let mut shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
    if random.equal {
        shapes.iter_mut().flatten().for_each(|length| *length = 2);
    }
    let terms: Vec<Vec<char>> = equation
        .split("->")
        .next()
        .unwrap()
        .split(',')
        .map(|term| term.replace('.', "").chars().collect())
        .collect();
    // Of the largest operand, which is the one that has about as many elements as are asked for.
    let at = (0..shapes.len()).max_by_key(|&i| shapes[i].iter().product::<usize>()).unwrap();
    let letter = terms[at][random.below(terms[at].len())];
    let times =
        equation.split("->").flat_map(|side| side.split(',')).map(|term| term.matches(letter).count()).max();
    let factor = random.length(1, shapes[at].iter().product());
    let factor = if times == Some(1) { factor } else { factor.isqrt() };
    for (shape, term) in shapes.iter_mut().zip(&terms) {
        let outer = shape.len() - term.len();
        (0..term.len()).filter(|&i| term[i] == letter).for_each(|i| shape[outer + i] *= factor);
    }
    shapes.iter().map(|shape| ANY.tensor(random, shape)).collect()
}

/// Two tensors of which the last two axes of the first are as long as the first two of the second.
fn chained(random: &mut Random, number: usize) -> Vec<Tensor> {
    let [mut i, mut j, mut k, mut l] =
        [1 + random.below(2), 1 + random.below(2), 1 + random.below(2), 1 + random.below(2)];
    match number / 3 % 3 {
        _ if random.equal => {
            i = random.cube(2, 3);
            (j, k, l) = (i, i, i);
        }
        0 => i = random.length(2, j * k),
        1 => j = random.length(2, i * k),
        _ => l = random.length(2, j * k),
    }
    if number == 1 {
        k = 0;
    }
    vec![ANY.tensor(random, &[i, j, k]), ANY.tensor(random, &[j, k, l])]
}

/// Leading axes that broadcast, and given last ones.
fn batched(random: &mut Random, last: [&[usize]; 2]) -> Vec<Tensor> {
    let mut batch = [&[][..], &[2], &[2, 1], &[2, 2], &[2, 1, 2]][random.below(5)].to_vec();
    let long = random.length(1, last[0].iter().product());
    if long > 1 {
        batch = vec![long];
    }
    let leads = narrowed(random, &batch, 2);
    leads.iter().zip(last).map(|(lead, own)| ANY.tensor(random, &[lead, own].concat())).collect()
}

/// One or more matrices.
fn matrix(random: &mut Random, number: usize) -> Vec<Tensor> {
    let (mut m, n) = if number == 1 { (0, 2) } else { (1 + random.below(3), 1 + random.below(3)) };
    let mut batch = [&[][..], &[2], &[0], &[1, 2, 2]][if number < 4 { number } else { number % 2 }].to_vec();
    // Many matrices, or a high one.
    match random.length(1, m * n) {
        1 => {}
        long if number.is_multiple_of(2) => batch = vec![long],
        long => m *= long,
    }
    let shape = [&batch[..], &[m, n]].concat();
    vec![ANY.tensor(random, &shape)]
}

/// A diagonal that a matrix has.
fn any_diagonal(x: &Tensor, number: usize) -> isize {
    let [.., m, n] = x.shape()[..] else { return 0 };
    if m == 0 || n == 0 { 0 } else { (number % (m + n - 1)) as isize - (m as isize - 1) }
}

pub(crate) fn table() -> Vec<Row> {
    vec![
        drawn("einsum", operands, |x, n| einsum(EQUATIONS[n % EQUATIONS.len()].0, x)).alike(),
        drawn("tensordot", chained, |x, n| match n % 3 {
            0 => x[0].tensordot(&x[1], 2),
            1 => x[0].tensordot_axes(&x[1], &[2, 1], &[-2, 0]),
            _ => x[0].tensordot_axes(&x[1], &[-2], &[0]),
        })
        .alike(),
        drawn(
            "matvec",
            |random, n| batched(random, if n % 2 == 0 { [&[2, 3], &[3]] } else { [&[3, 2], &[3]] }),
            |x, n| x[0].matvec(&x[1], n % 2 == 1),
        ),
        drawn(
            "outer",
            |random, n| {
                let length = if random.equal { 2 } else { 1 + n % 3 };
                batched(random, [&[length], &[2]])
            },
            |x, _| x[0].outer(&x[1]),
        )
        .alike(),
        drawn("cross", |random, _| batched(random, [&[3], &[3]]), |x, _| x[0].cross(&x[1])).alike(),
        drawn("diag", matrix, |x, n| x[0].square().diag(n as isize % 4 - 2)),
        drawn("diag_part", matrix, |x, n| x[0].square().diag_part(any_diagonal(&x[0], n))),
        drawn("trace", matrix, |x, _| x[0].square().trace()),
        drawn("band_part", matrix, |x, n| {
            x[0].square().band_part([None, Some(0), Some(1)][n % 3], [Some(1), None, Some(0), Some(2)][n % 4])
        }),
        drawn(
            "set_diag",
            |random, number| {
                let x = matrix(random, number).remove(0);
                let diagonal = ANY.tensor(random, x.diag_part(0).unwrap().shape());
                vec![x, diagonal]
            },
            |x, _| x[0].square().set_diag(x[1].square()),
        ),
    ]
}
