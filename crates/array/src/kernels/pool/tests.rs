use super::*;
use crate::{DType, Padding};
use proptest::prelude::*;

fn given() -> impl Strategy<Value = (Windows, usize, usize)> {
    let axis = (1usize..9, 1usize..4, 1usize..4, 1usize..3);
    (prop::collection::vec(axis, 1..=3), any::<bool>(), 0usize..4, prop_oneof![1usize..4, Just(37)])
        .prop_filter_map("the windows fit", |(axes, same, batch, channels)| {
            let pick = |f: fn(&(usize, usize, usize, usize)) -> usize| -> Vec<usize> {
                axes.iter().map(f).collect()
            };
            let padding = if same { Padding::Same } else { Padding::Valid };
            let [input, size, strides, dilations] =
                [pick(|a| a.0), pick(|a| a.1), pick(|a| a.2), pick(|a| a.3)];
            let w = Windows::new("pool", &input, &size, &strides, &dilations, &padding).ok()?;
            expect_cells("pool", &w).is_ok().then_some((w, batch, channels))
        })
}

/// Few different values, so that there are ties.
fn numbers(shape: &Shape, seed: usize) -> Array {
    let n = shape.num_elements().unwrap();
    Array::from_vec(shape, (0..n).map(|i| ((i * 7 + seed) % 5) as f32 - 2.0).collect()).unwrap()
}

proptest! {
    #[test]
    fn pooling_by_the_definition((w, batch, channels) in given()) {
        let (x, u) = (numbers(&framed(batch, w.input(), channels), 1), numbers(&framed(batch, w.input(), channels), 3));
        let g = numbers(&framed(batch, w.output(), channels), 2);
        let [xs, us, gs] = [&x, &u, &g].map(|a| a.to_vec::<f32>().unwrap());
        let (mut largest, mut picked, mut mean) = (gs.clone(), gs.clone(), gs.clone());
        let (mut by_max, mut by_mean) = (vec![0.0f32; xs.len()], vec![0.0f32; xs.len()]);
        for i in 0..batch * w.count() {
            for c in 0..channels {
                let mut found: Vec<usize> = Vec::new();
                let at = [i % w.count() / w.out[2] / w.out[1], i / w.out[2] % w.out[1], i % w.out[2]];
                for tap in 0..w.area() {
                    let tap = [tap / w.size[2] / w.size[1], tap / w.size[2] % w.size[1], tap % w.size[2]];
                    let cell: Vec<isize> = (0..3)
                        .map(|a| (at[a] * w.stride[a] + tap[a] * w.dilation[a]) as isize - w.before[a] as isize)
                        .collect();
                    if (0..3).all(|a| (0..w.input[a] as isize).contains(&cell[a])) {
                        let cell = (0..3).fold(i / w.count(), |at, a| at * w.input[a] + cell[a] as usize);
                        found.push(cell * channels + c);
                    }
                }
                let first = *found.iter().rev().max_by(|&&a, &&b| xs[a].total_cmp(&xs[b])).unwrap();
                let o = i * channels + c;
                (largest[o], picked[o]) = (xs[first], us[first]);
                mean[o] = found.iter().map(|&cell| xs[cell]).sum::<f32>() / found.len() as f32;
                by_max[first] += gs[o];
                found.iter().for_each(|&cell| by_mean[cell] += gs[o] / found.len() as f32);
            }
        }
        prop_assert_eq!(max_pool(&x, &w).unwrap().to_vec::<f32>().unwrap(), largest);
        prop_assert_eq!(max_pool_pick(&x, &u, &w).unwrap().to_vec::<f32>().unwrap(), picked);
        prop_assert_eq!(max_pool_grad(&x, &g, &w).unwrap().to_vec::<f32>().unwrap(), by_max);
        prop_assert_eq!(avg_pool(&x, &w).unwrap().to_vec::<f32>().unwrap(), mean);
        let got = avg_pool_grad(&g, &w).unwrap().to_vec::<f32>().unwrap();
        prop_assert!(got.iter().zip(&by_mean).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}, want {by_mean:?}");
    }
}

#[test]
fn not_a_number_is_the_largest() {
    let x =
        Array::from_vec([1, 6, 1], vec![1.0, f64::NAN, f64::NAN, 2.0, f64::NEG_INFINITY, f64::NEG_INFINITY])
            .unwrap();
    let w = Windows::new("pool", &[6], &[2], &[2], &[1], &Padding::Valid).unwrap();
    let y = max_pool(&x, &w).unwrap().to_vec::<f64>().unwrap();
    assert!(y[0].is_nan() && y[1].is_nan() && y[2] == f64::NEG_INFINITY);
    let g = Array::from_vec([1, 3, 1], vec![1.0, 2.0, 3.0]).unwrap();
    assert_eq!(max_pool_grad(&x, &g, &w).unwrap().to_vec::<f64>().unwrap(), [0.0, 1.0, 2.0, 0.0, 3.0, 0.0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let kind = |result: Result<Array>| result.unwrap_err().kind();
    let w = Windows::new("pool", &[4], &[2], &[2], &[1], &Padding::Valid).unwrap();
    let (x, g) = (numbers(&[2, 4, 3].into(), 0), numbers(&[2, 2, 3].into(), 0));
    assert_eq!(kind(max_pool(&g, &w)), ErrorKind::Shape);
    assert_eq!(kind(max_pool_grad(&x, &x, &w)), ErrorKind::Shape);
    assert_eq!(kind(max_pool_grad(&g, &g, &w)), ErrorKind::Shape);
    assert_eq!(kind(max_pool(&x.cast(DType::I32).unwrap(), &w)), ErrorKind::DType);
    assert_eq!(kind(max_pool_grad(&x, &g.cast(DType::F64).unwrap(), &w)), ErrorKind::DType);
    let outside = Windows::new("pool", &[4], &[2], &[2], &[1], &Padding::Explicit(vec![[3, 0]])).unwrap();
    assert_eq!(kind(avg_pool(&x, &outside)), ErrorKind::Argument);
}
