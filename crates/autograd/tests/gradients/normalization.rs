//! Rows of the table: normalization.
use crate::cases::Domain::{self, Between};
use crate::cases::{Random, shape};
use crate::table::{Row, axis, drawn};
use slalom_autograd::Tensor;

const ANY: Domain = Between(-2.0, 2.0);

pub(crate) fn rows() -> Vec<Row> {
    vec![
        drawn(
            "layer_norm",
            |random, number| along(random, number, 1),
            |x, n| x[0].layer_norm(&[axis(&x[0], n)], x.get(1), x.get(2), 0.1),
        )
        .alike(),
        drawn(
            "layer_norm over two axes",
            |random, number| {
                let own = shape(random, number, 2..=5);
                let ends = [own[own.len() - 1], own[0]];
                vec![ANY.tensor(random, &own), ANY.tensor(random, &ends), ANY.tensor(random, &ends)]
            },
            |x, _| x[0].layer_norm(&[-1, 0], Some(&x[1]), Some(&x[2]), 0.1),
        )
        .alike(),
        drawn(
            "batch_norm",
            |random, number| along(random, number, 1),
            |x, n| {
                let [y, mean, variance] = x[0].batch_norm(axis(&x[0], n), x.get(1), x.get(2), 0.1)?;
                Ok(if x[0].is_empty() || n % 3 == 0 {
                    y
                } else {
                    y.sum() * mean + y.square().sum() * variance
                })
            },
        )
        .alike(),
        drawn(
            "batch_normalization",
            |random, number| {
                let own = shape(random, number, 1..=5);
                let n = own[own.len() - 1];
                let vectors = [Between(0.3, 2.0), ANY, ANY, ANY].map(|domain| domain.tensor(random, &[n]));
                // Perhaps it is the variance too.
                let first = if random.equal { Between(0.3, 2.0) } else { ANY };
                [vec![first.tensor(random, &own)], vectors.to_vec()].concat()
            },
            |x, n| {
                let (offset, scale) = if n % 2 == 0 { (Some(&x[3]), Some(&x[4])) } else { (None, None) };
                x[0].batch_normalization(&x[2], &x[1], offset, scale, 0.1)
            },
        )
        .alike(),
        drawn(
            "group_norm",
            |random, number| {
                let mut own = shape(random, number, 2..=5);
                own[0] *= own[1];
                own[1] = [2, 4][number % 2];
                [ANY.tensor(random, &own)].into_iter().chain(vectors(random, number, own[1])).collect()
            },
            |x, n| x[0].group_norm([1, 2][n / 2 % 2], 1, x.get(1), x.get(2), 0.1),
        )
        .alike(),
    ]
}

/// A tensor and, in even cases, two vectors along the axis of the case.
fn along(random: &mut Random, number: usize, least: usize) -> Vec<Tensor> {
    let own = shape(random, number, least..=5);
    let n = own[number % own.len()];
    [ANY.tensor(random, &own)].into_iter().chain(vectors(random, number, n)).collect()
}

fn vectors(random: &mut Random, number: usize, n: usize) -> Vec<Tensor> {
    (0..if number.is_multiple_of(2) { 2 } else { 0 }).map(|_| ANY.tensor(random, &[n])).collect()
}
