//! Kernels: `cargo bench -p slalom-array`.
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use slalom_array::{Array, Float, FusedActivation, Generator, Map, Reduction, map, matmul, reduce, softmax};

fn main() {
    divan::main();
}

fn random(shape: &[usize]) -> Array {
    let mut elements = vec![0.0f32; shape.iter().product()];
    Generator::from_seed(1).normal(0.0, 1.0, &mut elements);
    Array::from_vec(shape, elements).expect("as many elements")
}

macro_rules! elementwise {
    ($($name:ident = $Kernel:ident, $inputs:literal: |$x:pat_param| $eval:expr;)*) => {$(
        #[derive(Clone, Copy)]
        struct $Kernel;
        impl<F: Float> Map<F, F, $inputs> for $Kernel {
            #[inline(always)]
            fn eval(self, $x: [F; $inputs]) -> F {
                $eval
            }
        }
        #[divan::bench(args = [1, 1_000, 1_000_000])]
        fn $name(bencher: Bencher<'_, '_>, n: usize) {
            let x = random(&[n]);
            let bytes = BytesCount::of_many::<f32>(($inputs + 1) * n);
            bencher.counter(bytes).bench(|| map::<f32, f32, $inputs, _>("bench", $Kernel, [&x; $inputs]));
        }
    )*};
}

elementwise! {
    add = Add, 2: |[a, b]| a + b;
    exp = Exp, 1: |[x]| x.exp();
    tanh = Tanh, 1: |[x]| x.tanh();
    erf = Erf, 1: |[x]| x.erf();
}

#[divan::bench(args = [0, 1])]
fn sum_of_1024x512_over_axis(bencher: Bencher<'_, '_>, axis: usize) {
    let x = random(&[1024, 512]);
    let bytes = BytesCount::of_many::<f32>(x.len());
    bencher.counter(bytes).bench(|| reduce(Reduction::Sum, &x, &[axis], false));
}

#[divan::bench(args = [10, 1000])]
fn softmax_of_128_rows_of(bencher: Bencher<'_, '_>, n: usize) {
    let x = random(&[128, n]);
    bencher.counter(ItemsCount::new(x.len())).bench(|| softmax(&x));
}

/// Items are floating-point operations.
#[divan::bench(args = [(64, 64, 64), (512, 512, 512), (128, 784, 512), (1000, 10, 1)])]
fn product(bencher: Bencher<'_, '_>, (m, k, n): (usize, usize, usize)) {
    let (a, b) = (random(&[m, k]), random(&[k, n]));
    let operations = ItemsCount::new(2 * m * k * n);
    bencher.counter(operations).bench(|| matmul(&a, &b, None, FusedActivation::Linear));
}
