//! Rows of the table: recurrent layers.
use crate::cases::Domain::Between;
use crate::cases::Random;
use crate::table::{Row, drawn};
use slalom_autograd::Tensor;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        drawn(
            "lstm",
            |random, number| operands(random, number, 4, false),
            |x, n| {
                let [h, c] = x[0].lstm(&x[1], &x[2], &x[3])?;
                Ok(match n % 3 {
                    0 => h.square().sum() + c,
                    1 => h,
                    _ => c,
                })
            },
        )
        .alike(),
        drawn(
            "gru",
            |random, number| operands(random, number, 3, true),
            |x, _| x[0].gru(&x[1], &x[2], &x[3]),
        ),
    ]
}

/// What inputs contribute to the gates, weights, and a bias and a state or two states.
fn operands(random: &mut Random, number: usize, gates: usize, bias: bool) -> Vec<Tensor> {
    let n = random.side(2, 40);
    let [mut steps, mut batch] = [3, 2].map(|most| 1 + random.below(most));
    match number % 3 {
        0 => steps = random.length(3, batch * gates * n),
        1 => batch = random.length(2, steps * gates * n),
        _ => {
            let side = random.length(1, gates * n).isqrt();
            (steps, batch) = (steps.max(side), batch.max(side));
        }
    }
    if number == 1 {
        steps = 0;
    }
    let width = gates * n;
    let third = if bias { vec![width] } else { vec![batch, n] };
    let shapes = [vec![steps, batch, width], vec![n, width], third, vec![batch, n]];
    shapes.iter().map(|own| Between(-1.0, 1.0).tensor(random, own)).collect()
}
