//! The same bits at any number of threads, for every op and its gradients, in `f32` and `f64`.
use crate::cases::Random;
use crate::table::{Row, table};
use crate::values::values;
use proptest::test_runner::Config;
use rayon::ThreadPoolBuilder;
use slalom_array::{DType, Result};
use slalom_autograd::{GradientOptions, GradientTape, Tensor};

/// Elements of an input: around the limits at which work is cut into chunks.
const SIZES: [usize; 5] = [(1 << 14) - 1, (1 << 15) + 1, 1 << 16, (1 << 16) + 17, 100_003];
const MOST: usize = 8;
const THREADS: [usize; 5] = [1, 2, 3, 4, MOST];
/// Of fewer random cases than this, as a sanitizer has, there is but the last size.
const FEW: u32 = 24;

/// The bits of a case's result and gradients; those of several backward passes must be the same.
fn bits(row: &Row, inputs: &[Tensor], number: usize, places: &[usize], passes: usize) -> Result<Vec<u64>> {
    let tape = GradientTape::persistent();
    let watched: Vec<Tensor> = inputs.iter().map(|x| tape.watch(x)).collect();
    let y = row.apply(&watched, number, places)?;
    let mut values = vec![y.stop_gradient()];
    if y.dtype().is_float() {
        let weights = y.stop_gradient().sin()?;
        let options = GradientOptions::new().output_gradients([weights]);
        let pass = || -> Result<Vec<Tensor>> {
            let gradients = tape.gradient_with(&y, &watched[..], &options)?;
            gradients.into_iter().flatten().map(|gradient| gradient.to_dense()).collect()
        };
        let first = pass()?;
        for _ in 1..passes {
            for (one, another) in first.iter().zip(pass()?) {
                assert_eq!(of(one)?, of(&another)?, "{}: two passes differ", row.name);
            }
        }
        values.extend(first);
    }
    values.iter().map(of).collect::<Result<Vec<_>>>().map(|all| all.concat())
}

fn of(x: &Tensor) -> Result<Vec<u64>> {
    Ok(match x.dtype() {
        DType::F32 => x.to_vec::<f32>()?.into_iter().map(|x| x.to_bits().into()).collect(),
        DType::F64 => x.to_vec::<f64>()?.into_iter().map(f64::to_bits).collect(),
        _ => x.cast(DType::I64)?.to_vec::<i64>()?.into_iter().map(|x| x as u64).collect(),
    })
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let pools = THREADS.map(|n| ThreadPoolBuilder::new().num_threads(n).build().expect("a pool"));
    let first = if Config::default().cases < FEW { SIZES.len() - 1 } else { 0 };
    for (seed, row) in table().iter().chain(&values()).enumerate() {
        let mut largest = 0;
        for (i, &size) in SIZES.iter().enumerate().skip(first) {
            let number = 3 + i;
            let mut random = Random::large((SIZES.len() * seed + i) as u64, size);
            let (doubles, places) = row.inputs(&mut random, number);
            let single = |x: &Tensor| match x.dtype().is_float() {
                true => x.cast(DType::F32).expect("an array of floats"),
                false => x.clone(),
            };
            let narrow: Vec<Tensor> = doubles.iter().map(single).collect();
            largest = largest.max(doubles.iter().map(Tensor::len).max().unwrap_or(0));
            for inputs in [narrow, doubles] {
                let shapes: Vec<String> = inputs.iter().map(|x| x.shape().to_string()).collect();
                let shapes = format!("{} {}", shapes.join(" "), inputs[0].dtype());
                let results = pools.each_ref().map(|pool| {
                    // Passes are repeated where they are most likely to differ.
                    let passes = if pool.current_num_threads() == MOST { 2 } else { 1 };
                    let run = || bits(row, &inputs, number, &places, passes);
                    pool.install(run).unwrap_or_else(|error| panic!("{} {shapes}: {error}", row.name))
                });
                for (result, threads) in results.iter().zip(THREADS) {
                    assert!(*result == results[0], "{} {shapes}: {threads} threads", row.name);
                }
            }
        }
        assert!(first > 0 || largest > 1 << 15, "{}: the largest input has {largest} elements", row.name);
    }
}
