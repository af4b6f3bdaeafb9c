//! The driver: every element is updated once, by the same numbers, however the work is cut.
use crate::common::noise;
use slalom_array::{Array, Result};
use slalom_autograd::{Gradient, GradientTape, IndexedSlices, Tensor};
use slalom_optim::Optimizer;
use slalom_optim::rules::{Adam, Sgd};
use slalom_variable::Variable;

const SIZES: [usize; 8] = [1, 70_000, 0, 3, 16_384, 5, 40_001, 17];

fn train(rule: impl Fn() -> Optimizer, steps: u64) -> Result<Vec<Vec<f32>>> {
    let variable =
        |(i, &n): (usize, &usize)| Ok(Variable::new(Array::from_vec([n], noise(i as u64 + 1, n))?));
    let variables = SIZES.iter().enumerate().map(variable).collect::<Result<Vec<_>>>()?;
    let mut opt = rule();
    for step in 0..steps {
        let gradient = |(i, &n): (usize, &usize)| {
            Ok(Gradient::Dense(Tensor::from_vec([n], noise(100 * step + i as u64 + 50, n))?))
        };
        let gradients = SIZES.iter().enumerate().map(gradient).collect::<Result<Vec<_>>>()?;
        opt.apply_gradients(gradients.into_iter().zip(&variables))?;
    }
    variables.iter().map(|variable| variable.array().to_vec()).collect()
}

#[test]
fn the_same_bits_at_any_number_of_threads_and_as_by_the_formula() -> Result<()> {
    let rule = || Optimizer::new(Sgd::new(0.25).momentum(0.5)).unwrap();
    let results: Vec<_> = [1, 2, 4]
        .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap())
        .map(|pool| pool.install(|| train(rule, 2).unwrap()))
        .into();
    assert!(results.iter().all(|result| *result == results[0]));
    for (i, &n) in SIZES.iter().enumerate() {
        let (mut x, mut a) = (noise(i as u64 + 1, n), vec![0.0f32; n]);
        for step in 0..2 {
            for ((x, a), g) in x.iter_mut().zip(&mut a).zip(noise(100 * step + i as u64 + 50, n)) {
                *a = 0.5 * *a - 0.25 * g;
                *x += *a;
            }
        }
        assert_eq!(results[0][i], x);
    }
    Ok(())
}

/// A sparse gradient of `rows` rows with repeated indices, and the same as a whole.
fn sparse(seed: u64, rows: usize, width: usize, n: usize) -> (Gradient, Vec<f32>) {
    let indices: Vec<i64> =
        noise(seed, n).iter().map(|x| ((x + 1.0) / 2.0 * rows as f32) as i64 % rows as i64).collect();
    let values = noise(seed + 1, n * width);
    let mut whole = vec![0.0f32; rows * width];
    for (i, &row) in indices.iter().enumerate() {
        for k in 0..width {
            whole[row as usize * width + k] += values[i * width + k];
        }
    }
    let indices = Tensor::from_vec([n], indices).unwrap();
    let values = Tensor::from_vec([n, width], values).unwrap();
    (IndexedSlices::new(indices, values, [rows, width]).unwrap().into(), whole)
}

#[test]
fn sparse_updates_of_all_rows_are_dense_ones() -> Result<()> {
    for (rows, width, n) in [(7, 1, 4), (50, 3, 90), (3000, 40, 500), (40, 700, 30), (5, 2, 0)] {
        let start = Array::from_vec([rows, width], noise(9, rows * width))?;
        let (one, other) = (Variable::new(start.clone()), Variable::new(start));
        let mut by_rows = Optimizer::new(Adam::new(0.1))?;
        let mut whole = Optimizer::new(Adam::new(0.1))?;
        for step in 0..3 {
            let (gradient, dense) = sparse(step * 10 + 3, rows, width, n);
            by_rows.apply_gradients([(gradient, &one)])?;
            whole.apply_gradients([(Gradient::Dense(Tensor::from_vec([rows, width], dense)?), &other)])?;
        }
        assert_eq!(one.array().to_vec::<f32>()?, other.array().to_vec::<f32>()?);
    }
    Ok(())
}

#[test]
fn sparse_updates_of_touched_rows_leave_the_others() -> Result<()> {
    for (rows, width, n) in [(7, 1, 4), (50, 3, 20), (3000, 40, 500), (40, 700, 30)] {
        let start = noise(9, rows * width);
        let variable = Variable::new(Array::from_vec([rows, width], start.clone())?);
        let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.5))?;
        let (mut x, mut a) = (start, vec![0.0f32; rows * width]);
        for step in 0..3 {
            let (gradient, whole) = sparse(step * 10 + 3, rows, width, n);
            let indices = gradient.as_sparse().expect("sparse").indices().to_vec::<i64>()?;
            opt.apply_gradients([(gradient, &variable)])?;
            let touched = (0..rows).filter(|&row| indices.contains(&(row as i64)));
            for i in touched.flat_map(|row| row * width..(row + 1) * width) {
                a[i] = 0.5 * a[i] - 0.5 * whole[i];
                x[i] += a[i];
            }
        }
        assert_eq!(variable.array().to_vec::<f32>()?, x);
        assert_eq!(opt.get_slot(&variable, "momentum")?.array().to_vec::<f32>()?, a);
    }
    Ok(())
}

#[test]
fn means_of_gathered_rows_repeat_their_gradient() -> Result<()> {
    let (rows, width, bags, bag) = (300, 5, 700, 4);
    let indices: Vec<i32> = noise(5, bags * bag).iter().map(|x| (x.abs() * 299.0) as i32).collect();
    let (start, weights) = (noise(9, rows * width), noise(7, bags * width));
    let mut gradient = vec![0.0f32; rows * width];
    for (i, &row) in indices.iter().enumerate() {
        for k in 0..width {
            gradient[row as usize * width + k] += weights[i / bag * width + k] / bag as f32;
        }
    }
    let expected: Vec<f32> = start.iter().zip(&gradient).map(|(x, g)| x - 0.5 * g).collect();
    let table = Variable::new(Array::from_vec([rows, width], start)?);
    let indices = Tensor::from_vec([bags, bag], indices)?;
    let weights = Tensor::from_vec([bags, width], weights)?;
    let tape = GradientTape::new();
    let loss = (table.value().gather(&indices, 0)?.mean_axes(&[1], false)? * weights).sum();
    let slices = tape.gradient(&loss, &table)?.expect("a gradient");
    assert_eq!(slices.to_dense()?.to_vec::<f32>()?, gradient);
    Optimizer::new(Sgd::new(0.5))?.apply_gradients([(slices, &table)])?;
    assert_eq!(table.array().to_vec::<f32>()?, expected);
    Ok(())
}
