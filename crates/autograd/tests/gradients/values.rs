//! Functions whose results have no gradient, for tests of values alone.
use crate::cases::Domain::{self, Distinct, Grid};
use crate::table::{Row, axes, axis, elementwise, of_rank};
use slalom_array::{DType, Result};
use slalom_autograd::{Direction, Tensor, concat};

/// Some elements are equal, some zero.
const GRID: Domain = Grid(0.0);

/// All elements of several tensors.
fn all(tensors: &[Tensor]) -> Result<Tensor> {
    let flat = |x: &Tensor| x.cast(DType::F64)?.reshape([x.len()]);
    concat(&tensors.iter().map(flat).collect::<Result<Vec<_>>>()?, 0)
}

/// From -8 to 8.
fn integers(x: &Tensor) -> Result<Tensor> {
    (5.0 * x).round()?.cast(DType::I64)
}

pub(crate) fn values() -> Vec<Row> {
    [comparisons(), bits(), orders()].into_iter().flatten().collect()
}

fn comparisons() -> Vec<Row> {
    vec![
        elementwise("comparisons", &[GRID, GRID], |x, n| match n % 6 {
            0 => x[0].equal(&x[1]),
            1 => x[0].not_equal(&x[1]),
            2 => x[0].less(&x[1]),
            3 => x[0].less_equal(&x[1]),
            4 => x[0].greater(&x[1]),
            _ => x[0].greater_equal(&x[1]),
        }),
        elementwise("classes", &[GRID], |x, _| {
            // Infinities where it is divided by 0, and NaN where it is 0 itself.
            let x = &x[0] / x[0].floor()?;
            all(&[x.is_finite()?, x.is_inf()?, x.is_nan()?])
        }),
        elementwise("logic", &[GRID, GRID], |x, _| {
            let (a, b) = (x[0].cast(DType::Bool)?, x[1].cast(DType::Bool)?);
            all(&[a.logical_and(&b)?, a.logical_or(&b)?, a.logical_xor(&b)?, a.logical_not()?])
        }),
        of_rank(0, "all and any", GRID, |x, n| {
            let (truth, at) = (x[0].cast(DType::Bool)?, axes(&x[0], n));
            all(&[truth.all(&at, n % 2 == 0)?, truth.any(&at, n % 2 == 0)?])
        }),
    ]
}

fn bits() -> Vec<Row> {
    vec![
        elementwise("bits of integers", &[GRID, GRID], |x, n| {
            let (a, b) = (integers(&x[0])?, integers(&x[1])?);
            match n % 6 {
                0 => a.bitwise_and(b),
                1 => a.bitwise_or(b),
                2 => a.bitwise_xor(b),
                3 => a.left_shift(b),
                4 => a.right_shift(b),
                _ => a.bitwise_invert(),
            }
        }),
        elementwise("integers", &[GRID, GRID], |x, n| {
            let (a, b) = (integers(&x[0])?, integers(&x[1])?);
            match n % 3 {
                0 => Ok(&a + &b * &a),
                1 => a.maximum(&b),
                _ => Ok((a - b).sum()),
            }
        }),
        elementwise("rounding", &[Grid(0.1), Grid(0.25)], |x, n| match n % 4 {
            0 => x[0].floor(),
            1 => x[0].ceil(),
            2 => x[0].round(),
            _ => x[0].floordiv(&x[1]),
        }),
        of_rank(1, "one_hot of integers", GRID, |x, _| {
            integers(&x[0])?.cast(DType::I32)?.one_hot(3, DType::F32)
        }),
    ]
}

fn orders() -> Vec<Row> {
    const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];
    vec![
        of_rank(1, "argmax and argmin", GRID, |x, n| {
            let at = axis(&x[0], n);
            all(&[x[0].argmax(at)?, x[0].argmin(at)?])
        }),
        of_rank(1, "count_nonzero", GRID, |x, n| x[0].count_nonzero(&axes(&x[0], n), n % 2 == 0)),
        of_rank(1, "argsort", GRID, |x, n| x[0].argsort(axis(&x[0], n), DIRECTIONS[n % 2])),
        of_rank(1, "places of top_k", GRID, |x, n| {
            let last = x[0].shape()[x[0].rank() - 1];
            Ok(x[0].top_k(last.min(1 + 7 * n))?.1)
        }),
        of_rank(1, "unique", GRID, |x, _| {
            let unique = x[0].reshape([x[0].len()])?.unique()?;
            all(&[unique.values, unique.inverse, unique.counts])
        }),
        of_rank(1, "nonzero", GRID, |x, _| x[0].nonzero()),
        of_rank(1, "searchsorted", Distinct, |x, n| {
            let line = x[0].reshape([x[0].len()])?;
            let sorted = line.sort(0, Direction::Ascending)?;
            sorted.searchsorted(&line.reverse(&[0])?, n % 2 == 1)
        }),
        #[cfg(feature = "linalg")]
        crate::table::drawn(
            "matrix_rank",
            |random, number| {
                let batch = crate::linalg::batch(random, number, 9);
                vec![crate::linalg::near(random, &batch, [3, 3], 1.5, 0.5)]
            },
            |x, _| x[0].matrix_rank(None),
        ),
    ]
}
