//! How much longer a function of each element of a large array takes than a copy of it:
//! `cargo bench -p slalom-array --bench bandwidth`.
//!
//! All are elementwise kernels from one array in memory into another, from the pool. Each time is the best of many, taken
//! in turns, so that what else the machine does falls on all alike.
use slalom_array::{Array, Float, Generator, Isa, Map, Result, map};
use std::time::{Duration, Instant};

/// Elements; an array of them is larger than any cache.
const LENGTH: usize = 1 << 24;

/// Times that each is measured.
const ROUNDS: usize = 25;

macro_rules! functions {
    ($($name:literal = $Kernel:ident $(, $OF_ANGLES:ident)?: |$x:ident| $eval:expr;)*) => {
        $(
            #[derive(Clone, Copy)]
            struct $Kernel;
            impl Map<f32, f32, 1> for $Kernel {
                const WIDEST: Isa = Isa::Avx512;
                $(const $OF_ANGLES: bool = true;)?
                #[inline(always)]
                fn eval(self, [$x]: [f32; 1]) -> f32 {
                    $eval
                }
            }
        )*
        const FUNCTIONS: &[(&str, fn(&Array) -> Result<Array>)] = &[$(($name, |x| map($name, $Kernel, [x]))),*];
    };
}

functions! {
    "copy" = Copy_: |x| x;
    "x + 1" = Add: |x| x + 1.0;
    "exp" = Exp: |x| Float::exp(x);
    "log" = Log: |x| Float::ln(x);
    "tanh" = Tanh: |x| Float::tanh(x);
    "sigmoid" = Sigmoid: |x| Float::sigmoid(x);
    "gelu" = Gelu: |x| Float::gelu(x);
    "erf" = Erf: |x| Float::erf(x);
    "sin" = Sin, OF_ANGLES: |x| Float::sin(x);
    "cos" = Cos, OF_ANGLES: |x| Float::cos(x);
    "softplus" = Softplus: |x| Float::softplus(x);
}

fn main() -> Result<()> {
    let mut elements = vec![0.0f32; LENGTH];
    Generator::from_seed(1).normal(0.0, 1.0, &mut elements);
    let x = Array::from_vec([LENGTH], elements)?;
    let mut best = vec![Duration::MAX; FUNCTIONS.len()];
    for _ in 0..ROUNDS {
        for (best, (_, function)) in best.iter_mut().zip(FUNCTIONS) {
            let start = Instant::now();
            function(&x)?;
            *best = start.elapsed().min(*best);
        }
    }
    let copy = best[0].min(best[1]).as_secs_f64();
    println!("{LENGTH} elements of f32");
    for ((name, _), best) in FUNCTIONS.iter().zip(best) {
        let seconds = best.as_secs_f64();
        let speed = (2 * size_of::<f32>() * LENGTH) as f64 / seconds / 1e9;
        println!("{name:10} {:7.2} ms {speed:6.1} GB/s, {:.2} of a copy", 1e3 * seconds, seconds / copy);
    }
    Ok(())
}
