//! One row for each differentiable op.
use crate::cases::Domain::{self, Around, Between, Distinct, Grid};
use crate::cases::{Random, narrowed, shape};
use crate::indexing::indexing;
use crate::layouts::layouts;
use crate::norms::{norms, special};
use crate::scans::scans;
use crate::{contractions, linalg};
use slalom_array::{FusedActivation, Result};
use slalom_autograd::{Tensor, concat, stack};

/// Cases of each row.
pub(crate) const CASES: usize = 24;

/// A function of tensors and the number of the case, from which it takes axes and flags.
type Function = fn(&[Tensor], usize) -> Result<Tensor>;
type Draw = Box<dyn Fn(&mut Random, usize) -> Vec<Tensor> + Send + Sync>;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    draw: Draw,
    /// Inputs of one shape may be one tensor.
    alike: bool,
    function: Function,
}

impl Row {
    /// Some of the inputs of one shape are one tensor: the same argument twice.
    pub(crate) fn alike(self) -> Row {
        Row { alike: true, ..self }
    }

    /// The inputs of a case, and for each argument which of them it is.
    pub(crate) fn inputs(&self, random: &mut Random, number: usize) -> (Vec<Tensor>, Vec<usize>) {
        random.equal = self.alike && matches!(number % 8, 5 | 6);
        let (mut inputs, mut places) = (Vec::<Tensor>::new(), Vec::new());
        for x in (self.draw)(random, number) {
            let same = |y: &Tensor| x.dtype().is_float() && y.dtype().is_float() && x.shape() == y.shape();
            let place = if random.equal { inputs.iter().position(same) } else { None };
            places.push(place.unwrap_or(inputs.len()));
            if place.is_none() {
                inputs.push(x);
            }
        }
        (inputs, places)
    }

    pub(crate) fn apply(&self, inputs: &[Tensor], number: usize, places: &[usize]) -> Result<Tensor> {
        let arguments: Vec<Tensor> = places.iter().map(|&place| inputs[place].clone()).collect();
        (self.function)(&arguments, number)
    }
}

/// Inputs of these domains whose shapes broadcast together.
pub(crate) fn elementwise(name: &'static str, domains: &'static [Domain], function: Function) -> Row {
    let draw = move |random: &mut Random, number: usize| {
        let full = shape(random, number, 0..=5);
        let shapes = narrowed(random, &full, domains.len());
        domains.iter().zip(shapes).map(|(domain, own)| domain.tensor(random, &own)).collect()
    };
    let alike = domains.iter().all(|domain| *domain == domains[0]);
    Row { name, draw: Box::new(draw), alike, function }
}

/// One input with at least `rank` axes.
pub(crate) fn of_rank(rank: usize, name: &'static str, domain: Domain, function: Function) -> Row {
    let draw = move |random: &mut Random, number: usize| {
        let shape = shape(random, number, rank..=5);
        vec![domain.tensor(random, &shape)]
    };
    Row { name, draw: Box::new(draw), alike: false, function }
}

/// Inputs drawn by a function of the case.
pub(crate) fn drawn(
    name: &'static str,
    draw: fn(&mut Random, usize) -> Vec<Tensor>,
    function: Function,
) -> Row {
    Row { name, draw: Box::new(draw), alike: false, function }
}

/// Some of the axes of `x`: none, one, two neighbours or all, as the case wants it; from the end, sometimes.
pub(crate) fn axes(x: &Tensor, number: usize) -> Vec<isize> {
    let rank = x.rank() as isize;
    let some: Vec<isize> = match number % 4 {
        0 => (0..rank).collect(),
        1 => (0..rank).skip(number % 5).take(1).collect(),
        2 => (0..rank).skip(number % 3).take(2).collect(),
        _ => (0..rank).step_by(2).collect(),
    };
    if number.is_multiple_of(3) { some.iter().map(|axis| axis - rank).collect() } else { some }
}

/// One axis of `x`, from the end for odd cases.
pub(crate) fn axis(x: &Tensor, number: usize) -> isize {
    let (rank, axis) = (x.rank() as isize, (number % x.rank()) as isize);
    if number % 2 == 1 { axis - rank } else { axis }
}

pub(crate) fn table() -> Vec<Row> {
    [
        arithmetic(),
        bivariate(),
        crate::conv::rows(),
        unary(),
        elementary(),
        activations(),
        contractions::table(),
        linalg::table(),
        #[cfg(feature = "linalg")]
        crate::factorizations::table(),
        shapes(),
        parts(),
        layouts(),
        indexing(),
        reductions(),
        scans(),
        norms(),
        special(),
        matrices(),
        softmax(),
        crate::attention::rows(),
        crate::dropout::rows(),
        crate::normalization::rows(),
        crate::recurrent::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn arithmetic() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    vec![
        elementwise("add", &[ANY, ANY], |x, _| Ok(&x[0] + &x[1])),
        elementwise("subtract", &[ANY, ANY], |x, _| Ok(&x[0] - &x[1])),
        elementwise("multiply", &[ANY, ANY], |x, _| Ok(&x[0] * &x[1])),
        elementwise("divide", &[Around(0.5), Around(0.5)], |x, _| Ok(&x[0] / &x[1])),
        elementwise("scalar operands", &[Around(0.5)], |x, _| Ok(2.0 / (3.0 * &x[0]) - 1.0)),
    ]
}

fn bivariate() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    const POSITIVE: Domain = Between(0.5, 2.0);
    vec![
        elementwise("squared_difference", &[ANY, ANY], |x, _| x[0].squared_difference(&x[1])),
        elementwise("maximum", &[Grid(0.0), Grid(0.1)], |x, _| x[0].maximum(&x[1])),
        elementwise("minimum", &[Grid(0.0), Grid(0.1)], |x, _| x[0].minimum(&x[1])),
        elementwise("pow", &[POSITIVE, ANY], |x, _| x[0].pow(&x[1])),
        elementwise("pow of itself", &[POSITIVE, POSITIVE], |x, _| x[0].pow(&x[1])),
        elementwise("pow of negative bases", &[Between(-2.0, -0.5)], |x, n| {
            x[0].pow(Tensor::scalar([2.0, 3.0, -1.0][n % 3]).cast(x[0].dtype())?)
        }),
        elementwise("atan2", &[Around(0.4), Around(0.4)], |x, _| x[0].atan2(&x[1])),
        elementwise("hypot", &[Around(0.4), Around(0.4)], |x, _| x[0].hypot(&x[1])),
        elementwise("logaddexp", &[ANY, ANY], |x, _| x[0].logaddexp(&x[1])),
        elementwise("xlogy", &[Around(0.1), POSITIVE], |x, _| x[0].xlogy(&x[1])),
        elementwise("xdivy", &[Around(0.1), Around(0.5)], |x, _| x[0].xdivy(&x[1])),
        elementwise("divide_no_nan", &[ANY, Around(0.5)], |x, _| x[0].divide_no_nan(&x[1])),
        elementwise("sigmoid_cross_entropy_with_logits", &[ANY, Between(0.0, 1.0)], |x, _| {
            x[0].sigmoid_cross_entropy_with_logits(&x[1])
        }),
        elementwise("floormod", &[Between(2.35, 2.6), Between(0.95, 1.05)], |x, _| x[0].floormod(&x[1])),
        elementwise("where", &[Grid(0.0), Grid(0.1)], |x, _| {
            x[0].greater(&x[1])?.where_(x[0].square(), x[1].exp()?)
        }),
        elementwise("where of one tensor", &[Grid(0.1)], |x, _| {
            let y = x[0].square();
            x[0].greater(Tensor::scalar(0.0).cast(y.dtype())?)?.where_(&y, &y)
        }),
    ]
}

fn unary() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    const POSITIVE: Domain = Between(0.3, 3.0);
    vec![
        elementwise("negative", &[ANY], |x, _| Ok(-&x[0])),
        elementwise("abs", &[Around(0.1)], |x, _| Ok(x[0].abs())),
        elementwise("sign", &[Around(0.1)], |x, _| Ok(x[0].sign() * &x[0])),
        elementwise("square", &[ANY], |x, _| Ok(x[0].square())),
        elementwise("relu", &[Around(0.1)], |x, _| Ok(x[0].relu())),
        elementwise("exp", &[ANY], |x, _| x[0].exp()),
        elementwise("expm1", &[ANY], |x, _| x[0].expm1()),
        elementwise("log", &[POSITIVE], |x, _| x[0].log()),
        elementwise("log2", &[POSITIVE], |x, _| x[0].log2()),
        elementwise("log1p", &[Between(-0.7, 2.0)], |x, _| x[0].log1p()),
        elementwise("sqrt", &[POSITIVE], |x, _| x[0].sqrt()),
        elementwise("rsqrt", &[POSITIVE], |x, _| x[0].rsqrt()),
        elementwise("reciprocal", &[Around(0.4)], |x, _| x[0].reciprocal()),
        elementwise("tanh", &[ANY], |x, _| x[0].tanh()),
        elementwise("sigmoid", &[ANY], |x, _| x[0].sigmoid()),
        elementwise("softplus", &[ANY], |x, _| x[0].softplus()),
    ]
}

fn elementary() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    const INNER: Domain = Between(-0.8, 0.8);
    vec![
        elementwise("sin", &[ANY], |x, _| x[0].sin()),
        elementwise("cos", &[ANY], |x, _| x[0].cos()),
        elementwise("tan", &[Between(-1.2, 1.2)], |x, _| x[0].tan()),
        elementwise("asin", &[INNER], |x, _| x[0].asin()),
        elementwise("acos", &[INNER], |x, _| x[0].acos()),
        elementwise("atan", &[ANY], |x, _| x[0].atan()),
        elementwise("sinh", &[ANY], |x, _| x[0].sinh()),
        elementwise("cosh", &[ANY], |x, _| x[0].cosh()),
        elementwise("asinh", &[ANY], |x, _| x[0].asinh()),
        elementwise("acosh", &[Between(1.3, 3.0)], |x, _| x[0].acosh()),
        elementwise("atanh", &[INNER], |x, _| x[0].atanh()),
        elementwise("exp2", &[ANY], |x, _| x[0].exp2()),
        elementwise("ndtr", &[ANY], |x, _| x[0].ndtr()),
        elementwise("erf", &[ANY], |x, _| x[0].erf()),
        elementwise("erfc", &[ANY], |x, _| x[0].erfc()),
    ]
}

fn activations() -> Vec<Row> {
    const ANY: Domain = Between(-3.0, 3.0);
    vec![
        elementwise("relu6", &[Grid(0.1)], |x, _| (5.0 * &x[0]).relu6()),
        elementwise("gelu", &[ANY], |x, _| x[0].gelu()),
        elementwise("gelu_tanh", &[ANY], |x, _| x[0].gelu_tanh()),
        elementwise("silu", &[ANY], |x, _| x[0].silu()),
        elementwise("mish", &[ANY], |x, _| x[0].mish()),
        elementwise("hard_sigmoid", &[Grid(0.1)], |x, _| (2.5 * &x[0]).hard_sigmoid()),
        elementwise("softsign", &[Around(0.1)], |x, _| x[0].softsign()),
        elementwise("log_sigmoid", &[ANY], |x, _| x[0].log_sigmoid()),
        elementwise("leaky_relu", &[Around(0.1)], |x, _| x[0].leaky_relu(0.3)),
        elementwise("elu", &[Around(0.1)], |x, n| x[0].elu([1.0, 0.5][n % 2])),
        elementwise("selu", &[Around(0.1)], |x, _| x[0].selu()),
        elementwise("clip_by_value", &[Grid(0.1)], |x, _| x[0].clip_by_value(-0.8, 0.6)),
        elementwise("clip_by_tensors", &[Grid(0.0), Grid(0.07), Grid(0.13)], |x, _| {
            x[0].clip_by_tensors(&x[1], &x[2])
        }),
        elementwise("relu_with", &[Grid(0.1)], |x, n| {
            let max_value = [None, Some(0.8)][n % 2];
            x[0].relu_with([0.0, 0.3, 0.2][n % 3], max_value, [0.0, 0.4, -0.4, 0.0][n % 4])
        }),
    ]
}

fn shapes() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    vec![
        of_rank(0, "reshape", ANY, |x, _| x[0].square().reshape([1, x[0].len(), 1])),
        of_rank(0, "transpose", ANY, |x, number| {
            let mut axes: Vec<usize> = (0..x[0].rank()).collect();
            axes.rotate_left(number % x[0].rank().max(1));
            x[0].square().transpose(&axes)
        }),
        of_rank(2, "t", ANY, |x, _| x[0].square().t()),
        of_rank(0, "broadcast_to", ANY, |x, _| {
            let wide = [&[2, 3], &**x[0].shape()].concat();
            x[0].square().broadcast_to(wide)
        }),
        of_rank(0, "expand_dims", ANY, |x, _| x[0].square().expand_dims(-1)?.squeeze(-1)),
    ]
}

fn parts() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    vec![
        of_rank(1, "slice", ANY, |x, n| {
            let (at, x) = (axis(&x[0], n), x[0].square());
            let length = x.shape()[x.shape().axis(at)?];
            match n % 3 {
                0 => x.slice(at, length.min(1), length.saturating_sub(1)),
                1 => x.slice_by(at, 0, length.div_ceil(2), 2),
                _ => x.slice_by(at, length.saturating_sub(1), length, -1),
            }
        }),
        of_rank(1, "reverse", ANY, |x, n| x[0].square().reverse(&[axis(&x[0], n)])),
        of_rank(1, "split", ANY, |x, n| {
            let at = axis(&x[0], n);
            let length = x[0].shape()[x[0].shape().axis(at)?];
            let parts = x[0].square().split(&[length / 2, length - length / 2], at)?;
            Ok(parts[1].exp()?.sum() * &parts[0])
        }),
        of_rank(1, "unstack", ANY, |x, n| {
            let parts = x[0].square().unstack(axis(&x[0], n))?;
            if parts.is_empty() { Ok(x[0].sum()) } else { Ok(&parts[0] * parts[parts.len() - 1].exp()?) }
        }),
        of_rank(0, "pad", ANY, |x, n| {
            let paddings: Vec<[usize; 2]> = (0..x[0].rank()).map(|i| [(i + n) % 2, i % 2]).collect();
            x[0].square().pad(&paddings, [0.0, 1.5][n % 2])
        }),
        of_rank(0, "tile", ANY, |x, n| {
            let multiples: Vec<usize> = (0..x[0].rank()).map(|i| 1 + (i + n) % 2).collect();
            x[0].square().tile(&multiples)
        }),
        of_rank(1, "concat", ANY, |x, n| {
            let at = axis(&x[0], n);
            let y = x[0].square();
            concat(&[&y, &x[0].exp()?, &x[0], &y], at)
        }),
        of_rank(0, "stack", ANY, |x, n| {
            let y = x[0].square();
            stack(&[&y, &x[0].exp()?, &y], -(n as isize % 2))
        }),
        drawn("gather", gathered, |x, n| x[0].square().gather(&x[1], axis(&x[0], n))),
    ]
}

/// Something with at least one axis, and indices for the axis of the case.
fn gathered(random: &mut Random, number: usize) -> Vec<Tensor> {
    let mut own = shape(random, number, 1..=5);
    if number == 1 {
        own = vec![2, 0];
    }
    let params = Between(-2.0, 2.0).tensor(random, &own);
    let length = own[number % own.len()];
    let picked = shape(random, if length == 0 { 1 } else { 3 }, 1..=2);
    let indices = (0..picked.iter().product()).map(|_| random.below(length) as i32).collect();
    vec![params, Tensor::from_vec(picked, indices).unwrap()]
}

fn reductions() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    vec![
        of_rank(0, "sum", ANY, |x, _| Ok(x[0].square().sum())),
        of_rank(0, "sum_axes", ANY, |x, n| x[0].square().sum_axes(&axes(&x[0], n), n % 2 == 0)),
        of_rank(0, "mean", ANY, |x, _| if x[0].is_empty() { Ok(x[0].sum()) } else { x[0].square().mean() }),
        of_rank(0, "mean_axes", ANY, |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => x[0].square().mean_axes(&axes(&x[0], n), n % 2 == 0),
        }),
        of_rank(0, "max", Distinct, |x, n| x[0].square().max(&axes(&x[0], n), n % 2 == 0)),
        of_rank(0, "min", Distinct, |x, n| x[0].exp()?.min(&axes(&x[0], n), n % 2 == 0)),
        of_rank(0, "prod", ANY, |x, n| x[0].prod(&axes(&x[0], n), n % 2 == 0)),
        of_rank(0, "prod with zeros", Grid(0.0), |x, n| x[0].prod(&axes(&x[0], n), n % 2 == 0)),
        of_rank(0, "logsumexp", ANY, |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => x[0].logsumexp(&axes(&x[0], n), n % 2 == 0),
        }),
        of_rank(1, "variance", ANY, |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => x[0].variance(&axes(&x[0], n), n % 2 == 0),
        }),
        drawn(
            "std",
            |random, number| {
                let outer = shape(random, number, 0..=4);
                vec![Distinct.tensor(random, &[&outer, &[3][..]].concat())]
            },
            |x, n| x[0].std(&[-1], n % 2 == 0),
        ),
        of_rank(0, "norm", Around(0.3), |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => x[0].norm(&axes(&x[0], n), n % 2 == 0),
        }),
        of_rank(0, "l2_normalize", Around(0.3), |x, n| x[0].l2_normalize(&axes(&x[0], n))),
        elementwise("mse", &[ANY, ANY], |x, _| {
            let y = x[0].mse(&x[1])?;
            if (&x[0] + &x[1]).is_empty() { Ok((&x[0] * &x[1]).sum()) } else { Ok(y) }
        }),
    ]
}

/// `[..., m, k]` and `[..., k, n]`, with leading axes that broadcast.
fn factors(random: &mut Random, number: usize) -> Vec<Tensor> {
    const ANY: Domain = Between(-1.0, 1.0);
    let [mut m, mut k, mut n] = [random.side(3, 40), random.side(3, 8), random.side(2, 40)];
    // One side is long, or all are.
    match number % 4 {
        _ if random.equal => {
            m = random.cube(3, 2);
            (k, n) = (m, m);
        }
        0 => m = random.length(3, k),
        1 => k = random.length(3, m),
        2 => n = random.length(2, k),
        _ => {
            let side = random.length(1, 1).isqrt();
            (m, k, n) = (m.max(side), k.max(side), n.max(side));
        }
    }
    match number {
        1 => m = 0,
        2 => k = 0,
        _ => {}
    }
    let batch: &[usize] = [&[][..], &[2], &[2, 2], &[2, 1], &[2, 1, 2]][random.below(5)];
    let batches = narrowed(random, batch, 2);
    let (a, b) = if number.is_multiple_of(2) { ([m, k], [k, n]) } else { ([k, m], [k, n]) };
    let ends = [&a[..], &b];
    batches.iter().zip(ends).map(|(batch, end)| ANY.tensor(random, &[batch, end].concat())).collect()
}

/// `[..., k]`, `[k, n]` and, in even cases, `[n]`.
fn layer(random: &mut Random, number: usize) -> Vec<Tensor> {
    const ANY: Domain = Between(-1.0, 1.0);
    let (mut k, mut n) = (random.side(3, 40), random.side(3, 40));
    let mut rows: Vec<usize> = (0..number % 4).map(|_| 1 + random.below(2)).collect();
    if number % 8 == 7 {
        rows.push(2);
    }
    match number % 4 {
        _ if random.equal => {
            k = random.cube(3, 2);
            n = k;
            rows = vec![k];
        }
        0 => k = random.length(3, n),
        1 => rows[0] = random.length(2, k),
        2 => {
            let side = random.length(1, 1).isqrt();
            (rows[0], k, n) = (rows[0].max(side), k.max(side), n.max(side));
        }
        _ => n = random.length(3, k),
    }
    if number == 1 {
        rows[0] = 0;
    }
    rows.push(k);
    let mut inputs = vec![ANY.tensor(random, &rows), ANY.tensor(random, &[k, n])];
    if number.is_multiple_of(2) {
        inputs.push(ANY.tensor(random, &[n]));
    }
    inputs
}

fn matrices() -> Vec<Row> {
    vec![
        drawn("matmul", factors, |x, number| x[0].matmul_transposed(&x[1], number % 2 == 1, false)).alike(),
        drawn("matmul of a transposed second", factors, |x, number| {
            x[1].matmul_transposed(&x[0], true, number % 2 == 0)
        })
        .alike(),
        drawn("linear", layer, |x, number| {
            let activation = if number % 3 == 0 { FusedActivation::Linear } else { FusedActivation::Relu };
            x[0].linear(&x[1], x.get(2), activation)
        })
        .alike(),
    ]
}

/// Logits `[..., n]`, and labels: rows that sum to 1, or indices.
fn logits_and_labels(random: &mut Random, number: usize, sparse: bool) -> Vec<Tensor> {
    let mut own = shape(random, number, 1..=5);
    if number == 1 {
        own = vec![0, 3];
    }
    let n = own[own.len() - 1];
    let logits = Between(-2.0, 2.0).tensor(random, &own);
    if sparse {
        let rows = &own[..own.len() - 1];
        let indices = (0..rows.iter().product()).map(|_| random.below(n) as i64).collect();
        return vec![logits, Tensor::from_vec(rows, indices).unwrap()];
    }
    let weights = Between(0.1, 1.0).tensor(random, &own);
    let labels = &weights / weights.sum_axes(&[-1], true).unwrap();
    vec![logits, labels]
}

fn softmax() -> Vec<Row> {
    const ANY: Domain = Between(-2.0, 2.0);
    vec![
        of_rank(1, "softmax", ANY, |x, n| x[0].softmax(axis(&x[0], n))),
        of_rank(1, "log_softmax", ANY, |x, n| x[0].log_softmax(axis(&x[0], n))),
        drawn(
            "softmax_cross_entropy_with_logits",
            |random, number| logits_and_labels(random, number, false),
            |x, _| x[0].softmax_cross_entropy_with_logits(&x[1]),
        ),
        drawn(
            "sparse_softmax_cross_entropy_with_logits",
            |random, number| logits_and_labels(random, number, true),
            |x, _| x[0].sparse_softmax_cross_entropy_with_logits(&x[1]),
        ),
    ]
}
