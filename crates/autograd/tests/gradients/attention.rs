//! Rows of the table: attention.
use crate::cases::Domain::Between;
use crate::cases::Random;
use crate::table::{Row, drawn};
use slalom_autograd::Tensor;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        drawn("dot_product_attention", operands, |x, n| {
            x[0].dot_product_attention(&x[1], &x[2], x.get(3), n % 3 == 0, Some(1.3))
        }),
        drawn("dot_product_attention_with_weights", operands, |x, n| {
            let (y, weights) =
                x[0].dot_product_attention_with_weights(&x[1], &x[2], x.get(3), n % 3 == 0, None)?;
            Ok(if x[1].is_empty() { y } else { y.square().sum() + weights.square().sum() })
        }),
    ]
}

/// Queries, keys, values and, in even cases, a mask.
fn operands(random: &mut Random, number: usize) -> Vec<Tensor> {
    let [batch, mut t, s, heads, d, e] = [2, 3, 3, 2, 2, 2].map(|most| 1 + random.below(most));
    if number == 1 {
        t = 0;
    }
    let shapes = [[batch, t, heads, d], [batch, s, heads, d], [batch, s, heads, e]];
    let mut inputs: Vec<Tensor> = shapes.iter().map(|own| Between(-1.0, 1.0).tensor(random, own)).collect();
    if number.is_multiple_of(2) {
        // Each query sees its first key.
        let bits = (0..batch * t * s).map(|i| i % s == 0 || random.below(3) > 0).collect();
        inputs.push(Tensor::from_vec([batch, 1, t, s], bits).unwrap());
    }
    inputs
}
