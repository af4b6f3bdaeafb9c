//! Rows of the table: attention.
use crate::cases::Domain::Between;
use crate::cases::Random;
use crate::table::{Row, drawn};
use slalom_autograd::Tensor;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        drawn("dot_product_attention", operands, |x, n| {
            x[0].dot_product_attention(&x[1], &x[2], x.get(3), n % 3 == 0, Some(1.3))
        })
        .alike(),
        drawn("dot_product_attention_with_weights", operands, |x, n| {
            let (y, weights) =
                x[0].dot_product_attention_with_weights(&x[1], &x[2], x.get(3), n % 3 == 0, None)?;
            Ok(if x[1].is_empty() { y } else { y.square().sum() + weights.square().sum() })
        })
        .alike(),
    ]
}

/// Queries, keys, values and, in even cases, a mask.
fn operands(random: &mut Random, number: usize) -> Vec<Tensor> {
    // Batch, queries, keys, heads and depth: one of them is long, or all are.
    let mut lengths = [2, 3, 3, 2, 2].map(|most| 1 + random.below(most));
    let mut e = random.side(2, 20);
    match number % 6 {
        5 => {
            let side = (random.length(1, 1) as f64).powf(0.25) as usize;
            lengths = lengths.map(|length| length.max(side));
        }
        axis => {
            lengths[axis] = 1;
            lengths[axis] = random.length(3, lengths.iter().product());
        }
    }
    let [batch, mut t, mut s, heads, d] = lengths;
    if random.equal {
        (s, e) = (t, d);
    }
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
