//! Triangular systems, at matrices of small condition.
use crate::cases::Domain::{self, Between};
use crate::cases::{Random, narrowed};
use crate::table::{Row, drawn};
use slalom_array::DType;
use slalom_autograd::Tensor;

const SMALL: Domain = Between(-0.4, 0.4);

/// An empty batch, a batch, or none, of matrices of so many elements; a batch if inputs are to be large.
pub(crate) fn batch(random: &mut Random, number: usize, elements: usize) -> Vec<usize> {
    match random.length(1, elements) {
        1 => [&[][..], &[], &[0], &[2], &[2, 1, 2]][if number < 3 { number } else { number % 5 }].to_vec(),
        long => vec![long],
    }
}

/// `m x n` matrices near one with the diagonal `first, first + step, ..`.
pub(crate) fn near(
    random: &mut Random,
    batch: &[usize],
    [m, n]: [usize; 2],
    first: f64,
    step: f64,
) -> Tensor {
    let noise = SMALL.tensor(random, &[batch, &[m, n]].concat());
    let diagonal = (0..m.min(n)).map(|i| first + step * i as f64).collect();
    let diagonal = Tensor::from_vec([m.min(n)], diagonal).unwrap();
    noise + Tensor::zeros([m, n], DType::F64).unwrap().set_diag(diagonal).unwrap()
}

/// A matrix, and a right-hand side; the leading axes broadcast.
pub(crate) fn system(random: &mut Random, number: usize) -> Vec<Tensor> {
    let (n, k) = (random.side(2, 8), random.side(2, 8));
    let k = if random.equal { n } else { k };
    let batch = batch(random, number, n * n);
    let batches = narrowed(random, &batch, 2);
    let b = Between(-1.0, 1.0).tensor(random, &[&batches[1][..], &[n, k]].concat());
    vec![near(random, &batches[0], [n, n], 1.5, 0.5), b]
}

pub(crate) fn table() -> Vec<Row> {
    vec![
        drawn("triangular_solve", system, |x, n| x[0].triangular_solve(&x[1], n % 2 == 1, n % 3 == 1))
            .alike(),
        drawn("cholesky_solve", system, |x, _| x[0].cholesky_solve(&x[1])).alike(),
    ]
}
