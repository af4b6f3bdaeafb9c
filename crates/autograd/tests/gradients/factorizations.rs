//! Factorizations and what is computed with them, at matrices of small condition.
use crate::cases::Domain::Between;
use crate::cases::Random;
use crate::linalg::{batch, near, system};
use crate::table::{Row, drawn};
use slalom_array::Result;
use slalom_autograd::{Tensor, concat};

fn invertible(random: &mut Random, number: usize) -> Vec<Tensor> {
    let n = if number == 1 { 0 } else { random.side(3, 8) };
    let batch = batch(random, number, n * n);
    vec![near(random, &batch, [n, n], 1.5, 0.5)]
}

/// No batch, an empty one for one case, or one of so many elements as inputs are to have.
fn some(random: &mut Random, number: usize, elements: usize) -> Vec<usize> {
    match random.length(1, elements) {
        _ if number == 2 => vec![0],
        1 => [&[][..], &[2], &[1, 2], &[2, 1, 2]][if number < 12 { 0 } else { number % 4 }].to_vec(),
        long => vec![long],
    }
}

/// High, square and wide matrices with different singular values.
fn oblong(random: &mut Random, number: usize) -> Vec<Tensor> {
    let side = [[3, 2], [0, 2], [2, 2], [2, 3], [1, 3], [3, 1], [2, 1]][number % 7];
    let batch = some(random, number, side[0] * side[1]);
    vec![near(random, &batch, side, 1.5, 1.5)]
}

/// A matrix `[m, n]` of full rank and a right-hand side `[m, k]`.
fn overdetermined(random: &mut Random, number: usize) -> Vec<Tensor> {
    let a = oblong(random, number).remove(0);
    let shape = [&a.shape()[..a.rank() - 1], &[2]].concat();
    vec![a, Between(-1.0, 1.0).tensor(random, &shape)]
}

/// The eigenvalues differ, and the upper triangle is not read.
fn symmetric(random: &mut Random, number: usize) -> Vec<Tensor> {
    let n = if number == 1 { 0 } else { random.side(3, 8) };
    let batch = some(random, number, n * n);
    vec![near(random, &batch, [n, n], -2.0, 2.0)]
}

/// `x xᵀ`, positive definite.
fn definite(x: &Tensor) -> Result<Tensor> {
    x.matmul_transposed(x, false, true)
}

/// All elements of several tensors.
fn all(tensors: &[&Tensor]) -> Result<Tensor> {
    let flat = tensors.iter().map(|x| x.reshape([x.len()])).collect::<Result<Vec<_>>>()?;
    concat(&flat, 0)
}

pub(crate) fn table() -> Vec<Row> {
    [systems(), decompositions()].into_iter().flatten().collect()
}

fn systems() -> Vec<Row> {
    vec![
        drawn("det", invertible, |x, _| x[0].det()),
        drawn("slogdet", invertible, |x, _| {
            let (sign, log) = x[0].t()?.slogdet()?;
            Ok(sign * log)
        }),
        drawn("logdet", invertible, |x, _| definite(&x[0])?.logdet()),
        drawn("inv", invertible, |x, _| x[0].t()?.inv()),
        drawn("solve", system, |x, n| x[0].solve(&x[1], n % 2 == 1)).alike(),
        drawn("cholesky", invertible, |x, _| definite(&x[0])?.cholesky()),
        drawn("expm", invertible, |x, n| (x[0].t()? * [0.5, -0.5, 0.3][n % 3]).expm()),
        drawn("lstsq", overdetermined, |x, n| x[0].lstsq(&x[1], [0.0, 0.5][n % 2])).alike(),
    ]
}

fn decompositions() -> Vec<Row> {
    vec![
        drawn("qr", oblong, |x, n| {
            let [.., rows, columns] = x[0].shape()[..] else { unreachable!("a matrix") };
            let (q, r) = x[0].qr(n % 2 == 0 && rows <= columns)?;
            all(&[&q, &r])
        }),
        drawn("eigh", symmetric, |x, _| {
            let (e, v) = x[0].eigh()?;
            all(&[&e, &v.square()])
        }),
        drawn("eigvalsh", symmetric, |x, _| x[0].eigvalsh()),
        drawn("svd", oblong, |x, n| {
            let [.., rows, columns] = x[0].shape()[..] else { unreachable!("a matrix") };
            let (s, u, v) = x[0].svd(n % 2 == 0 && rows.abs_diff(columns) <= 1)?;
            all(&[&s, &u.square(), &v.square()])
        }),
        drawn("svdvals", oblong, |x, _| x[0].t()?.svdvals()),
        drawn("matrix_norm of order 2 and nuclear_norm", oblong, |x, n| {
            let y = x[0].transpose(&(0..x[0].rank()).rev().collect::<Vec<_>>())?;
            let (axes, keep_dims) = ([[0, 1], [1, 0]][n % 2], n % 3 == 0);
            let nuclear = y.nuclear_norm(axes, keep_dims)?;
            if y.is_empty() {
                Ok(nuclear)
            } else {
                Ok(nuclear * y.matrix_norm([2.0, -2.0][n % 2], axes, keep_dims)?)
            }
        }),
        drawn("pinv", oblong, |x, _| x[0].pinv(None)),
    ]
}
