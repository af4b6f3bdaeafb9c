//! Norms, what is scaled by them, and functions beside them.
use crate::cases::Domain::{self, Around, Between, Distinct};
use crate::table::{Row, axes, axis, elementwise, of_rank};
use slalom_array::Result;
use slalom_autograd::{Tensor, clip_by_global_norm, global_norm};

const ANY: Domain = Between(-2.0, 2.0);

pub(crate) fn norms() -> Vec<Row> {
    vec![
        of_rank(0, "vector_norm", Around(0.3), |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => x[0].vector_norm([1.0, 2.0, 3.5][n % 3], &axes(&x[0], n), n % 2 == 0),
        }),
        of_rank(1, "vector_norm of infinite order", Distinct, |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            // Distinct also without signs, and not near 0.
            false => (&x[0] + 0.57).vector_norm(f64::INFINITY, &[axis(&x[0], n)], n % 2 == 0),
        }),
        of_rank(2, "matrix_norm", Between(-0.3, 0.3), |x, n| match x[0].is_empty() {
            true => Ok(x[0].clone()),
            false => {
                // Elements are not near 0, nor are sums near each other.
                let steps =
                    (0..x[0].len()).map(|i| if i % 3 == 1 { -0.6 - i as f64 } else { 0.6 + i as f64 });
                let steps = Tensor::from_vec(x[0].shape(), steps.collect())?.cast(x[0].dtype())?;
                let (rank, first) = (x[0].rank(), n % x[0].rank());
                let second = (first + 1 + n / 5 % (rank - 1)) % rank;
                let axes = [first as isize, second as isize - rank as isize];
                let ord = [1.0, f64::INFINITY, -1.0, f64::NEG_INFINITY][n / 2 % 4];
                Ok((&x[0] + steps).matrix_norm(ord, axes, n % 2 == 0)?.square())
            }
        }),
        of_rank(1, "normalize", Around(0.3), |x, n| {
            let (y, norm) = x[0].normalize([2.0, 1.0][n % 2], &[axis(&x[0], n)])?;
            Ok(y * (1.0 + norm))
        }),
        of_rank(0, "l2_loss", ANY, |x, _| x[0].exp()?.l2_loss()),
        of_rank(0, "clip_by_norm", Around(0.3), |x, n| match n % 2 {
            0 => x[0].clip_by_norm(0.25, &axes(&x[0], n)),
            _ => x[0].clip_by_norm(50.0, &axes(&x[0], n)),
        }),
        elementwise("global_norm and clip_by_global_norm", &[Around(0.3), Around(0.3)], |x, n| {
            if x[0].is_empty() && x[1].is_empty() {
                return Ok(x[0].sum() + x[1].sum());
            }
            let (clipped, norm) = clip_by_global_norm(x, [0.2, 100.0][n % 2])?;
            Ok(&clipped[0] * clipped[1].sum() + norm * global_norm(x)?)
        }),
        of_rank(1, "crelu", Around(0.1), |x, n| Ok(x[0].crelu(axis(&x[0], n))?.square())),
        elementwise("weighted_cross_entropy_with_logits", &[ANY, Between(0.0, 1.0)], |x, _| {
            x[0].weighted_cross_entropy_with_logits(&x[1], 2.5)
        }),
    ]
}

/// A number that is not differentiated.
fn constant(like: &Tensor, value: f64) -> Result<Tensor> {
    Tensor::scalar(value).cast(like.dtype())
}

pub(crate) fn special() -> Vec<Row> {
    const POSITIVE: Domain = Between(0.6, 4.0);
    vec![
        elementwise("lgamma", &[POSITIVE], |x, _| x[0].lgamma()),
        elementwise("lgamma below 0", &[Between(-1.8, -1.2)], |x, _| x[0].lgamma()),
        elementwise("digamma", &[POSITIVE], |x, _| x[0].digamma()),
        elementwise("polygamma", &[POSITIVE], |x, n| x[0].polygamma((n % 4) as u32)),
        elementwise("zeta", &[POSITIVE], |x, n| constant(&x[0], [1.5, 2.0, 6.0][n % 3])?.zeta(&x[0])),
        elementwise("igamma", &[POSITIVE], |x, n| constant(&x[0], [0.5, 2.5, 12.0][n % 3])?.igamma(&x[0])),
        elementwise("igammac", &[POSITIVE], |x, n| constant(&x[0], [0.5, 2.5, 12.0][n % 3])?.igammac(&x[0])),
        elementwise("betainc", &[Between(0.1, 0.9)], |x, n| {
            let [a, b] = [[0.5, 0.5], [2.0, 3.5], [12.0, 1.5]][n % 3];
            constant(&x[0], a)?.betainc(constant(&x[0], b)?, &x[0])
        }),
        elementwise("bessel_i", &[ANY], |x, n| if n % 2 == 0 { x[0].bessel_i0() } else { x[0].bessel_i1() }),
        elementwise("bessel_ie", &[Around(0.1)], |x, n| match n % 2 {
            0 => x[0].bessel_i0e(),
            _ => x[0].bessel_i1e(),
        }),
        elementwise("bessel_j", &[ANY], |x, n| if n % 2 == 0 { x[0].bessel_j0() } else { x[0].bessel_j1() }),
        elementwise(
            "bessel_k",
            &[POSITIVE],
            |x, n| if n % 2 == 0 { x[0].bessel_k0() } else { x[0].bessel_k1() },
        ),
        elementwise("bessel_ke", &[POSITIVE], |x, n| match n % 2 {
            0 => x[0].bessel_k0e(),
            _ => x[0].bessel_k1e(),
        }),
        elementwise(
            "bessel_y",
            &[POSITIVE],
            |x, n| if n % 2 == 0 { x[0].bessel_y0() } else { x[0].bessel_y1() },
        ),
        elementwise("erfinv", &[Between(-0.9, 0.9)], |x, _| x[0].erfinv()),
        elementwise("erfcinv", &[Between(0.1, 1.9)], |x, _| x[0].erfcinv()),
        elementwise("ndtri", &[Between(0.05, 0.95)], |x, _| x[0].ndtri()),
        elementwise("reciprocal_no_nan", &[Around(0.4)], |x, _| x[0].reciprocal_no_nan()),
        elementwise("xlog1py", &[Around(0.1), Between(-0.5, 2.0)], |x, _| x[0].xlog1py(&x[1])),
        elementwise("multiply_no_nan", &[ANY, Around(0.1)], |x, _| x[0].multiply_no_nan(&x[1])),
    ]
}
