//! Rows of the table: dropout, of the same numbers at each call.
use crate::cases::Domain::Between;
use crate::table::{Row, of_rank};
use slalom_array::Generator;
use std::sync::Arc;

pub(crate) fn rows() -> Vec<Row> {
    vec![of_rank(0, "dropout", Between(-2.0, 2.0), |x, n| {
        let generator = Arc::new(Generator::from_seed(n as u64));
        x[0].square().dropout([0.0, 0.4, 0.8][n % 3], &generator)
    })]
}
