//! Products over any axes, diagonals and bands.
use crate::cases::Domain::{self, Between};
use crate::cases::{Random, narrowed};
use crate::table::{Row, drawn};
use slalom_autograd::{Tensor, einsum};

const ANY: Domain = Between(-1.5, 1.5);

/// Equations, and the shapes of their operands.
const EQUATIONS: [(&str, &[&[usize]]); 12] = [
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
];

fn operands(random: &mut Random, number: usize) -> Vec<Tensor> {
    EQUATIONS[number % EQUATIONS.len()].1.iter().map(|shape| ANY.tensor(random, shape)).collect()
}

/// Two tensors of which the last two axes of the first are as long as the first two of the second.
fn chained(random: &mut Random, number: usize) -> Vec<Tensor> {
    let [i, j, mut k, l] =
        [1 + random.below(2), 1 + random.below(2), 1 + random.below(2), 1 + random.below(2)];
    if number == 1 {
        k = 0;
    }
    vec![ANY.tensor(random, &[i, j, k]), ANY.tensor(random, &[j, k, l])]
}

/// Leading axes that broadcast, and given last ones.
fn batched(random: &mut Random, last: [&[usize]; 2]) -> Vec<Tensor> {
    let batch: &[usize] = [&[][..], &[2], &[2, 1], &[1, 2]][random.below(4)];
    let mut draw = |own: &[usize]| {
        let lead = narrowed(random, batch);
        ANY.tensor(random, &[&lead, own].concat())
    };
    vec![draw(last[0]), draw(last[1])]
}

/// One or more matrices.
fn matrix(random: &mut Random, number: usize) -> Vec<Tensor> {
    let (m, n) = if number == 1 { (0, 2) } else { (1 + random.below(3), 1 + random.below(3)) };
    let batch: &[usize] = [&[][..], &[2], &[0], &[1, 2]][if number < 4 { number } else { number % 2 }];
    let shape = [batch, &[m, n]].concat();
    vec![ANY.tensor(random, &shape)]
}

/// A diagonal that a matrix has.
fn any_diagonal(x: &Tensor, number: usize) -> isize {
    let [.., m, n] = x.shape()[..] else { return 0 };
    if m == 0 || n == 0 { 0 } else { (number % (m + n - 1)) as isize - (m as isize - 1) }
}

pub(crate) fn table() -> Vec<Row> {
    vec![
        drawn("einsum", operands, |x, n| einsum(EQUATIONS[n % EQUATIONS.len()].0, x)),
        drawn("tensordot", chained, |x, n| match n % 3 {
            0 => x[0].tensordot(&x[1], 2),
            1 => x[0].tensordot_axes(&x[1], &[2, 1], &[-2, 0]),
            _ => x[0].tensordot_axes(&x[1], &[-2], &[0]),
        }),
        drawn(
            "matvec",
            |random, n| batched(random, if n % 2 == 0 { [&[2, 3], &[3]] } else { [&[3, 2], &[3]] }),
            |x, n| x[0].matvec(&x[1], n % 2 == 1),
        ),
        drawn("outer", |random, n| batched(random, [&[1 + n % 3], &[2]]), |x, _| x[0].outer(&x[1])),
        drawn("cross", |random, _| batched(random, [&[3], &[3]]), |x, _| x[0].cross(&x[1])),
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
