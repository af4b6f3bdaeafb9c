//! Running totals.
use crate::cases::Domain::{Around, Between};
use crate::table::{Row, axis, of_rank};

/// The exclusive and reverse flags of a case.
fn flags(number: usize) -> (bool, bool) {
    (number.is_multiple_of(2), (number / 2).is_multiple_of(2))
}

pub(crate) fn scans() -> Vec<Row> {
    vec![
        of_rank(1, "cumsum", Between(-2.0, 2.0), |x, n| {
            let (exclusive, reverse) = flags(n);
            x[0].square().cumsum(axis(&x[0], n), exclusive, reverse)
        }),
        of_rank(1, "cumprod", Around(0.4), |x, n| {
            let (exclusive, reverse) = flags(n);
            x[0].cumprod(axis(&x[0], n), exclusive, reverse)
        }),
        of_rank(1, "cumulative_logsumexp", Between(-2.0, 2.0), |x, n| {
            let (exclusive, reverse) = flags(n);
            // Finite, also of nothing.
            x[0].cumulative_logsumexp(axis(&x[0], n), exclusive, reverse)?.exp()?.log1p()
        }),
    ]
}
