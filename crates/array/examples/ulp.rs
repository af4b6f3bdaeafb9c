//! Prints the largest error, in ulp, of each function of `Float` over all 2³² values of `f32`, and the time that
//! an element takes in the first-level cache.
//!
//! `cargo run --release -p slalom-array --example ulp [STRIDE [NAME]...]`
#[path = "../tests/reference/mod.rs"]
mod reference;

use reference::{FUNCTIONS, Function, ulp_f32, ulp_f64};
use slalom_array::parallel;
use std::sync::Mutex;
use std::time::Instant;

/// The largest error over every `stride`-th float, and where it is.
fn worst(function: &Function, stride: usize) -> (f64, f32) {
    const CHUNK: u64 = 1 << 20;
    let worst = Mutex::new((0.0_f64, 0.0_f32));
    parallel::for_each(1 << 12, |chunk| {
        let first = chunk as u64 * CHUNK;
        let x: Vec<f32> =
            (first..first + CHUNK).step_by(stride).map(|bits| f32::from_bits(bits as u32)).collect();
        let mut y = x.clone();
        (function.f32)(&mut y);
        let errors = x.iter().zip(&y).map(|(&x, &y)| (ulp_f32(y, (function.reference)(x.into())), x));
        let local = errors.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
        let mut worst = worst.lock().unwrap();
        if local.0 > worst.0 {
            *worst = local;
        }
    });
    worst.into_inner().unwrap()
}

/// The largest distance, in representable numbers, from the standard library's `f64` function, on a sample.
fn worst_f64(function: &Function) -> (u64, f64) {
    let all = (0..=u64::MAX).step_by(1 << 43).map(f64::from_bits);
    let usual = (-1_000_000..1_000_000).map(|i| f64::from(i) * 1.000_123e-4);
    let x: Vec<f64> = all.chain(usual).collect();
    let mut y = x.clone();
    (function.f64)(&mut y);
    let errors = x.iter().zip(&y).map(|(&x, &y)| (ulp_f64(y, (function.reference)(x)), x));
    errors.fold((0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
}

/// Nanoseconds per element, the best of many runs over 1024 elements.
fn time<T: Copy>(function: fn(&mut [T]), x: [T; 1024]) -> f64 {
    let runs = (0..2000).map(|_| {
        let mut y = x;
        let start = Instant::now();
        for _ in 0..8 {
            y.copy_from_slice(&x);
            function(std::hint::black_box(&mut y));
        }
        start.elapsed().as_secs_f64() * 1e9 / (8.0 * 1024.0)
    });
    runs.fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let stride: usize = args.next().map_or(1, |s| s.parse().expect("STRIDE is a number"));
    let names: Vec<String> = args.collect();
    println!("function     f32: ulp  at                     ns   f64: off by  at                     ns");
    for function in FUNCTIONS.iter().filter(|f| names.is_empty() || names.iter().any(|n| n == f.name)) {
        let (error, at) = worst(function, stride);
        let (distance, at_f64) = worst_f64(function);
        let x = std::array::from_fn(|i| (i as f32 - 300.0) * 0.011);
        let f32 = time(function.f32, x);
        let f64 = time(function.f64, x.map(f64::from));
        let name = function.name;
        println!("{name:<12} {error:8.3}  {at:<16e} {f32:8.3}   {distance:11}  {at_f64:<16.9e} {f64:8.3}");
    }
}
