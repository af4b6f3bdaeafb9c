//! Ops that rearrange elements.
use crate::cases::Domain::Between;
use crate::cases::{Domain, Random, shape};
use crate::table::{Row, axis, drawn, of_rank};
use slalom_autograd::{Indexing, Tensor, meshgrid};

const ANY: Domain = Between(-2.0, 2.0);

/// Up to two elements on each side, as far as there are enough, but for `skip` of them.
fn paddings(x: &Tensor, number: usize, skip: usize) -> Vec<[usize; 2]> {
    let most = |n: usize, wanted: usize| wanted.min(n.saturating_sub(skip));
    x.shape().iter().enumerate().map(|(i, &n)| [most(n, (i + number) % 3), most(n, number % 2)]).collect()
}

/// Something with a batch axis and another, and a length for each of the batch.
fn sequences(random: &mut Random, number: usize) -> Vec<Tensor> {
    let own = shape(random, number, 2..=5);
    let (batch, n) = (own[number % 2], own[1 - number % 2]);
    let lengths = (0..batch).map(|_| random.below(n + 1) as i64).collect();
    vec![ANY.tensor(random, &own), Tensor::from_vec([batch], lengths).unwrap()]
}

/// An image of blocks of two by two, as pixels or as channels.
fn blocks(random: &mut Random, number: usize) -> Vec<Tensor> {
    let [mut n, h, w] = [usize::from(number != 1), 1 + random.below(2), 1];
    n *= random.length(1, 4 * h);
    let own = if number.is_multiple_of(2) { [n, h, w, 4] } else { [n, 2 * h, 2 * w, 1] };
    vec![ANY.tensor(random, &own)]
}

pub(crate) fn layouts() -> Vec<Row> {
    vec![
        of_rank(0, "pad_reflect", ANY, |x, n| x[0].square().pad_reflect(&paddings(&x[0], n, 1))),
        of_rank(0, "pad_symmetric", ANY, |x, n| x[0].square().pad_symmetric(&paddings(&x[0], n, 0))),
        of_rank(1, "repeat", ANY, |x, n| {
            let at = axis(&x[0], n);
            let length = x[0].shape()[x[0].shape().axis(at)?];
            let repeats: Vec<usize> = (0..length).map(|i| (i + n) % 3).collect();
            x[0].square().repeat(if n % 3 == 0 { &[2] } else { &repeats }, at)
        }),
        of_rank(1, "strided_slice", ANY, |x, n| {
            let (begin, end, stride) = [(Some(1), None, 1), (None, Some(-1), 2), (None, None, -1)][n % 3];
            let x = x[0].square();
            let axes = 1 + n % x.rank();
            x.strided_slice(&vec![begin; axes], &vec![end; axes], &vec![stride; axes])
        }),
        of_rank(1, "roll", ANY, |x, n| {
            x[0].square().roll(&[n as isize - 9, 1], &[axis(&x[0], n), axis(&x[0], n + 1)])
        }),
        drawn("reverse_sequence", sequences, |x, n| {
            x[0].square().reverse_sequence(&x[1], (1 - n % 2) as isize, (n % 2) as isize)
        }),
        drawn("depth_to_space and space_to_depth", blocks, |x, n| match n % 2 {
            0 => x[0].square().depth_to_space(2),
            _ => x[0].square().space_to_depth(2),
        }),
        drawn(
            "meshgrid",
            |random, number| {
                let first = usize::from(number != 1) * (1 + random.length(1, 3));
                let lengths = [first, if random.equal { first.min(400) } else { 3 }];
                lengths.into_iter().map(|n| ANY.tensor(random, &[n])).collect()
            },
            |x, n| {
                let grid = meshgrid(x, if n % 2 == 0 { Indexing::Xy } else { Indexing::Ij })?;
                Ok(&grid[0] * grid[1].exp()?)
            },
        )
        .alike(),
    ]
}
