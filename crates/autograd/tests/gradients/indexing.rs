//! Picking and placing by index, segments, and sorting.
use crate::cases::Domain::{Around, Between, Distinct};
use crate::cases::{Domain, Random, shape};
use crate::table::{Row, axis, drawn, of_rank};
use slalom_autograd::{Direction, Tensor, concat, dynamic_stitch, scatter_nd};

const ANY: Domain = Between(-2.0, 2.0);

/// `count` tuples of indices into the given axes.
fn tuples(random: &mut Random, axes: &[usize], count: usize) -> Tensor {
    let indices = (0..count).flat_map(|_| axes.iter().map(|&n| random.below(n) as i32).collect::<Vec<_>>());
    let indices: Vec<i32> = indices.collect();
    Tensor::from_vec([count, axes.len()], indices).unwrap()
}

/// Different integers below `n`, in any order.
fn shuffled(random: &mut Random, n: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..n as i64).collect();
    (1..n).rev().for_each(|i| order.swap(i, random.below(i + 1)));
    order
}

/// Something with at least one axis, and tuples of indices into one axis or two: up to three, or many of many.
fn picked(random: &mut Random, number: usize) -> Vec<Tensor> {
    let own = if number == 1 { vec![2, 0] } else { shape(random, number, 1..=5) };
    let depth = if own.contains(&0) { 1 } else { 1 + number % own.len().min(2) };
    let places = own[..depth].iter().product::<usize>();
    let count = random.below(places.clamp(4, 50_000));
    vec![ANY.tensor(random, &own), tuples(random, &own[..depth], count)]
}

/// Something with at least one axis, and up to three indices into the first.
fn few(random: &mut Random, number: usize) -> Vec<Tensor> {
    let own = if number == 1 { vec![2, 0] } else { shape(random, number, 1..=5) };
    let count = random.below(4);
    vec![ANY.tensor(random, &own), tuples(random, &own[..1], count)]
}

/// A batch of two, and indices for each part of it.
fn batches(random: &mut Random, number: usize) -> Vec<Tensor> {
    let mut own = [2, 1 + random.below(2), 1 + random.below(2)];
    let at = 1 + number % 2;
    own[at] = random.length(2, own[0] * own[3 - at]);
    let (n, count) = (own[at], random.below(own[at].max(3)));
    let indices: Vec<i64> = (0..2 * count).map(|_| random.below(n) as i64).collect();
    vec![ANY.tensor(random, &own), Tensor::from_vec([2, count], indices).unwrap()]
}

/// Something, and indices of the same shape but for the length of the case's axis.
fn lines(random: &mut Random, number: usize) -> Vec<Tensor> {
    let own = if number == 1 { vec![2, 0] } else { shape(random, number, 1..=5) };
    let (at, mut places) = (number % own.len(), own.clone());
    places[at] = if own[at] == 0 { 0 } else { random.side(2, own[at]) };
    let indices = (0..places.iter().product()).map(|_| random.below(own[at]) as i32).collect();
    vec![ANY.tensor(random, &own), Tensor::from_vec(places, indices).unwrap()]
}

/// Lengths of up to three more axes.
fn others(random: &mut Random) -> Vec<usize> {
    let count = if random.is_large() { 0 } else { random.below(4) };
    let mut lengths = vec![1; count];
    lengths.iter_mut().take(1).for_each(|length| *length += random.below(2));
    lengths
}

/// A target of rows, tuples of indices, and an update for each.
fn updates(random: &mut Random, number: usize, domain: Domain, different: bool) -> Vec<Tensor> {
    // Many rows, or wide ones.
    let mut rest = others(random);
    let (mut n, mut width) = (3, number % 3);
    match number % 2 {
        0 => n = 2 + random.length(1, width),
        _ => width *= random.length(1, 3 * width),
    }
    let count = if random.equal { n } else { random.below(n + 1) };
    let indices = match different {
        true => shuffled(random, n)[..count].to_vec(),
        false => (0..count).map(|_| random.below(n) as i64).collect(),
    };
    let indices = Tensor::from_vec([count, 1], indices).unwrap();
    rest.push(width);
    let target = domain.tensor(random, &[&[n], &rest[..]].concat());
    vec![target, indices, domain.tensor(random, &[&[count], &rest[..]].concat())]
}

/// Rows, and the number of the segment of each: in order, or below 3 and -1 sometimes.
fn segments(random: &mut Random, number: usize, domain: Domain, sorted: bool) -> Vec<Tensor> {
    // Many rows, or wide ones.
    let rest = others(random);
    let (mut count, mut width) = (if number == 1 { 0 } else { 1 + random.below(4) }, 1 + number % 2);
    match number % 3 {
        0 => width *= random.length(1, count * width),
        _ => count *= random.length(1, count * width),
    }
    let mut ids: Vec<i64> = (0..count).map(|_| random.below(4) as i64 - i64::from(!sorted)).collect();
    if sorted {
        ids.sort_unstable();
    }
    let shape = [&[count, width], &rest[..]].concat();
    vec![domain.tensor(random, &shape), Tensor::from_vec([count], ids).unwrap()]
}

pub(crate) fn indexing() -> Vec<Row> {
    [picking(), placing(), of_segments(), sorting()].into_iter().flatten().collect()
}

fn picking() -> Vec<Row> {
    vec![
        drawn("gather_nd", picked, |x, _| x[0].square().gather_nd(&x[1], 0)),
        drawn("gather_nd of a batch", batches, |x, n| match n % 2 {
            0 => x[0].square().gather_nd(x[1].expand_dims(-1)?, 1),
            _ => x[0].square().gather_batched(&x[1], 2, 1),
        }),
        drawn("take_along_axis", lines, |x, n| x[0].square().take_along_axis(&x[1], axis(&x[0], n))),
        of_rank(1, "boolean_mask", ANY, |x, n| {
            let at = n % x[0].rank();
            let places: Vec<bool> = (0..x[0].shape()[at]).map(|i| (i + n) % 3 != 0).collect();
            let mask = Tensor::from_vec([places.len()], places)?;
            x[0].square().boolean_mask(mask, at as isize)
        }),
        drawn("one_hot", few, |x, _| {
            let rows = x[0].square().reshape([x[0].shape()[0], x[0].len() / x[0].shape()[0].max(1)])?;
            x[1].reshape([x[1].len()])?.one_hot(x[0].shape()[0], x[0].dtype())?.matmul(rows)
        }),
    ]
}

fn placing() -> Vec<Row> {
    vec![
        drawn(
            "scatter_nd",
            |random, n| updates(random, n, ANY, false),
            |x, _| Ok(scatter_nd(&x[1], x[2].square(), x[0].shape())? * &x[0]),
        )
        .alike(),
        drawn(
            "tensor_scatter_nd_add",
            |random, n| updates(random, n, ANY, false),
            |x, _| Ok(x[0].tensor_scatter_nd_add(&x[1], &x[2])?.square()),
        )
        .alike(),
        drawn(
            "tensor_scatter_nd_sub",
            |random, n| updates(random, n, ANY, false),
            |x, _| Ok(x[0].tensor_scatter_nd_sub(&x[1], &x[2])?.square()),
        )
        .alike(),
        drawn(
            "tensor_scatter_nd_update",
            |random, n| updates(random, n, ANY, true),
            |x, _| Ok(x[0].tensor_scatter_nd_update(&x[1], &x[2])?.square()),
        )
        .alike(),
        drawn(
            "tensor_scatter_nd_min",
            |random, n| updates(random, n, Distinct, false),
            |x, _| Ok((&x[0] + 0.07).tensor_scatter_nd_min(&x[1], &x[2])?.square()),
        )
        .alike(),
        drawn(
            "tensor_scatter_nd_max",
            |random, n| updates(random, n, Distinct, false),
            |x, _| Ok((&x[0] + 0.07).tensor_scatter_nd_max(&x[1], &x[2])?.square()),
        )
        .alike(),
        drawn(
            "dynamic_stitch",
            |random, number| {
                let width = number % 3;
                let rows = 3 + random.length(1, width);
                let order = shuffled(random, rows);
                let (a, b) = match random.equal {
                    true => order[..rows / 2 * 2].split_at(rows / 2),
                    false => order.split_at(1 + number % 3),
                };
                let ids = [a, b].map(|ids| Tensor::from_vec([ids.len()], ids.to_vec()).unwrap());
                let data = [a, b].map(|ids| ANY.tensor(random, &[ids.len(), width]));
                ids.into_iter().chain(data).collect()
            },
            |x, _| Ok(dynamic_stitch(&x[..2], &x[2..])?.square()),
        )
        .alike(),
    ]
}

fn of_segments() -> Vec<Row> {
    vec![
        drawn(
            "dynamic_partition",
            |random, n| segments(random, n, ANY, n % 2 == 0),
            |x, n| {
                let parts = x[0].dynamic_partition(&x[1] + Tensor::scalar(1i64), 5 + n % 2)?;
                // One part that nobody uses, those of odd numbers exchanged.
                Ok(parts[1].square().sum() * parts[0].sum() + concat(&[&parts[3], &parts[2]], 0)?.exp()?)
            },
        ),
        drawn(
            "segment_sum",
            |random, n| segments(random, n, ANY, true),
            |x, _| Ok(x[0].segment_sum(&x[1])?.square()),
        ),
        drawn(
            "segment_mean",
            |random, n| segments(random, n, ANY, true),
            |x, _| Ok(x[0].segment_mean(&x[1])?.square()),
        ),
        drawn(
            "segment_min",
            |random, n| segments(random, n, Distinct, true),
            |x, _| Ok(x[0].segment_min(&x[1])?.square()),
        ),
        drawn(
            "segment_max",
            |random, n| segments(random, n, Distinct, true),
            |x, _| Ok(x[0].segment_max(&x[1])?.square()),
        ),
        drawn(
            "unsorted_segment_sum",
            |random, n| segments(random, n, ANY, false),
            |x, _| Ok(x[0].unsorted_segment_sum(&x[1], 3)?.square()),
        ),
        drawn(
            "unsorted_segment_mean",
            |random, n| segments(random, n, ANY, false),
            |x, n| match n % 2 {
                0 => Ok(x[0].unsorted_segment_mean(&x[1], 3)?.square()),
                _ => Ok(x[0].unsorted_segment_sqrt_n(&x[1], 3)?.square()),
            },
        ),
        drawn(
            "unsorted_segment_min",
            |random, n| segments(random, n, Distinct, false),
            |x, _| Ok(x[0].unsorted_segment_min(&x[1], 3)?.tanh()?.square()),
        ),
        drawn(
            "unsorted_segment_max",
            |random, n| segments(random, n, Distinct, false),
            |x, _| Ok(x[0].unsorted_segment_max(&x[1], 3)?.tanh()?.square()),
        ),
        drawn(
            "segment_prod",
            |random, n| factors_of_segments(random, n, true),
            |x, _| x[0].segment_prod(&x[1]),
        ),
        drawn(
            "unsorted_segment_prod",
            |random, n| factors_of_segments(random, n, false),
            |x, _| x[0].unsorted_segment_prod(&x[1], 3),
        ),
    ]
}

/// Segments without small factors, in some cases with one that is 0; of several, the second derivative is 0.
fn factors_of_segments(random: &mut Random, number: usize, sorted: bool) -> Vec<Tensor> {
    let mut inputs = segments(random, number, Around(0.3), sorted);
    if number % 3 == 2 {
        let count = inputs[0].shape()[0];
        let factors = (0..count).map(|i| f64::from(i != number % count)).collect();
        let ones = vec![1; inputs[0].rank() - 1];
        let factors = Tensor::from_vec([&[count], &ones[..]].concat(), factors).unwrap();
        inputs[0] = &inputs[0] * factors;
    }
    inputs
}

fn sorting() -> Vec<Row> {
    const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];
    vec![
        of_rank(1, "sort", Distinct, |x, n| x[0].square().sort(axis(&x[0], n), DIRECTIONS[n / 2 % 2])),
        of_rank(1, "top_k", Distinct, |x, n| {
            let last = x[0].shape()[x[0].rank() - 1];
            Ok(x[0].top_k(last.min(1 + n % 2))?.0.square())
        }),
    ]
}
