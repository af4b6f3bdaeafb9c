use super::batch::gemm_batched_with;
use super::*;
use proptest::prelude::*;

/// Every instruction set that this processor has.
fn isas() -> impl Iterator<Item = Isa> {
    [Isa::Scalar, Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| *isa <= Isa::current())
}

fn numbers(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// How an operand lies in memory.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Rows,
    Columns,
    /// Both strides larger than one.
    Sparse,
    /// Rows from the last to the first.
    Reversed,
    /// Columns from the last to the first, column by column.
    ReversedColumns,
    /// The same row again and again.
    RepeatedRows,
    /// The same column again and again.
    RepeatedColumns,
}
use Layout::*;

const LAYOUTS: [Layout; 7] =
    [Rows, Columns, Sparse, Reversed, ReversedColumns, RepeatedRows, RepeatedColumns];

/// A matrix and the memory it lies in.
struct Operand<T> {
    memory: Vec<T>,
    start: usize,
    rows: usize,
    cols: usize,
    strides: (isize, isize),
}

impl<T: Copy> Operand<T> {
    fn new(rows: usize, cols: usize, layout: Layout, seed: u64, convert: impl Fn(f64) -> T) -> Self {
        let (r, c) = (rows.max(1), cols.max(1));
        let (len, start, strides) = match layout {
            Rows => (r * c, 0, (c as isize, 1)),
            Columns => (r * c, 0, (1, r as isize)),
            Sparse => (r * c * 6, 1, (3 * c as isize, 2)),
            Reversed => (r * c, (r - 1) * c, (-(c as isize), 1)),
            ReversedColumns => (r * c, (c - 1) * r, (1, -(r as isize))),
            RepeatedRows => (c, 0, (0, 1)),
            RepeatedColumns => (r, 0, (1, 0)),
        };
        Operand { memory: numbers(len, seed).into_iter().map(convert).collect(), start, rows, cols, strides }
    }

    fn at(&self, i: usize, j: usize) -> T {
        let offset = i as isize * self.strides.0 + j as isize * self.strides.1;
        self.memory[self.start.checked_add_signed(offset).unwrap()]
    }

    fn mat(&self) -> Mat<T> {
        let ptr = self.memory[self.start..].as_ptr();
        Mat { ptr, rows: self.rows, cols: self.cols, row_stride: self.strides.0, col_stride: self.strides.1 }
    }

    /// The same elements row by row.
    fn contiguous(&self) -> Operand<T> {
        let memory = (0..self.rows).flat_map(|i| (0..self.cols).map(move |j| self.at(i, j))).collect();
        Operand { memory, start: 0, strides: (self.cols as isize, 1), ..*self }
    }
}

/// Elements that the tests compare with f64 arithmetic.
trait Real: GemmElement + std::fmt::Debug + PartialEq {
    const EPSILON: f64;
    fn from_f64(x: f64) -> Self;
    fn to_f64(self) -> f64;
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            const EPSILON: f64 = <$t>::EPSILON as f64;
            fn from_f64(x: f64) -> $t {
                x as $t
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
real!(f32, f64);

#[derive(Debug, Clone, Copy)]
struct Case {
    m: usize,
    k: usize,
    n: usize,
    a: Layout,
    b: Layout,
    gap: usize,
    accumulate: bool,
    bias: bool,
    relu: bool,
}

impl Case {
    fn plain(m: usize, k: usize, n: usize) -> Case {
        Case { m, k, n, a: Rows, b: Rows, gap: 0, accumulate: false, bias: false, relu: false }
    }

    fn operands<T: Real>(&self) -> (Operand<T>, Operand<T>, Vec<T>, Vec<T>) {
        let a = Operand::new(self.m, self.k, self.a, 1, T::from_f64);
        let b = Operand::new(self.k, self.n, self.b, 2, T::from_f64);
        let bias = numbers(self.n, 3).into_iter().map(T::from_f64).collect();
        let c = numbers(self.m * (self.n + self.gap), 4).into_iter().map(T::from_f64).collect();
        (a, b, bias, c)
    }

    fn run<T: Real>(&self, isa: Isa, a: &Operand<T>, b: &Operand<T>, bias: &[T], c: &mut [T]) {
        let activation = if self.relu { FusedActivation::Relu } else { FusedActivation::Linear };
        let bias = if self.bias { bias.as_ptr() } else { std::ptr::null() };
        let (a, b, c, ldc, accumulate) =
            (a.mat(), b.mat(), c.as_mut_ptr(), self.n + self.gap, self.accumulate);
        let epilogue = Epilogue { bias, activation };
        // SAFETY: the vectors hold the matrices.
        unsafe { gemm_with(isa, Product { a, b, c, ldc, accumulate, epilogue }) };
    }

    /// Compares with sums in f64, and strided operands with contiguous ones, bit by bit.
    fn check<T: Real>(&self, isa: Isa) {
        let (a, b, bias, before) = self.operands::<T>();
        let mut c = before.clone();
        self.run(isa, &a, &b, &bias, &mut c);
        for i in 0..self.m {
            let row = i * (self.n + self.gap);
            let beside = row + self.n..row + self.n + self.gap;
            assert_eq!(c[beside.clone()], before[beside], "{self:?} {isa:?}: wrote beside the result");
            for (j, bias) in bias.iter().enumerate() {
                let at = row + j;
                let products = (0..self.k).map(|p| a.at(i, p).to_f64() * b.at(p, j).to_f64());
                let magnitude = products.clone().map(f64::abs).sum::<f64>() + 1.0;
                let mut expected = products.sum::<f64>();
                expected += if self.accumulate { before[at].to_f64() } else { 0.0 };
                expected += if self.bias { bias.to_f64() } else { 0.0 };
                expected = if self.relu { expected.max(0.0) } else { expected };
                let error = (c[at].to_f64() - expected).abs();
                let bound = (self.k + 2) as f64 * T::EPSILON * magnitude;
                assert!(error <= bound, "{self:?} {isa:?} ({i}, {j}): {:?}, not {expected}", c[at]);
            }
        }
        let mut same = before;
        self.run(isa, &a.contiguous(), &b.contiguous(), &bias, &mut same);
        assert_eq!(c, same, "{self:?} {isa:?}: strides changed the bits");
    }

    fn check_all(&self) {
        for isa in isas() {
            self.check::<f32>(isa);
            self.check::<f64>(isa);
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let size = || prop_oneof![0..4_usize, 0..40_usize, 40..150_usize];
    let layout = || proptest::sample::select(&LAYOUTS[..]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (size(), size(), size(), layout(), layout(), 0..3_usize, flags).prop_map(
        |(m, k, n, a, b, gap, (accumulate, bias, relu))| {
            let (bias, relu) = (bias && !accumulate, relu && !accumulate);
            Case { m, k, n, a, b, gap, accumulate, bias, relu }
        },
    )
}

proptest! {
    #[test]
    fn products_match_plain_sums(case in case()) {
        case.check_all();
    }
}

#[test]
fn sizes_around_the_tile_limits() {
    for m in [1, 2, 6, 7, 8, 13, 14, 15, 28, 29, 43, 57] {
        for n in [1, 2, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65] {
            for (a, b) in [(Rows, Rows), (Columns, Columns)] {
                Case { a, b, bias: true, relu: true, gap: 1, ..Case::plain(m, 19, n) }.check_all();
            }
        }
    }
}

#[test]
fn long_sums_are_cut() {
    for k in [255, 256, 257, 512, 513, 1025, 1600] {
        Case { bias: true, relu: true, ..Case::plain(17, k, 35) }.check_all();
        Case { a: Columns, b: Columns, accumulate: true, ..Case::plain(45, k, 50) }.check_all();
        Case { a: Sparse, ..Case::plain(70, k, 1) }.check_all();
        Case { a: Columns, b: Sparse, ..Case::plain(70, k, 1) }.check_all();
        Case { b: Columns, ..Case::plain(1, k, 70) }.check_all();
    }
}

#[test]
fn sums_longer_than_a_chunk() {
    let k = (1 << 17) + 3;
    for layout in [Rows, Columns] {
        Case { a: layout, bias: true, ..Case::plain(1, k, 1) }.check_all();
        Case { a: layout, ..Case::plain(3, k, 1) }.check_all();
        Case { b: layout, ..Case::plain(1, k, 2) }.check_all();
    }
}

#[test]
fn operands_that_compete_for_the_cache() {
    Case { bias: true, ..Case::plain(37, 1024, 40) }.check_all();
    Case { a: Columns, relu: true, ..Case::plain(512, 520, 37) }.check_all();
    Case { a: Columns, ..Case::plain(1024, 60, 35) }.check_all();
    Case { bias: true, relu: true, ..Case::plain(20, 530, 1024) }.check_all();
    Case::plain(300, 20, 45).check_all();
}

#[test]
fn empty_sums_are_zero_and_get_the_epilogue() {
    for (m, n) in [(3, 5), (1, 5), (5, 1), (40, 70)] {
        Case { bias: true, relu: true, gap: 2, ..Case::plain(m, 0, n) }.check_all();
        Case { accumulate: true, ..Case::plain(m, 0, n) }.check_all();
    }
}

#[test]
fn nan_and_infinity_pass_through_padding_and_relu() {
    for isa in isas() {
        for (m, n) in [(2, 3), (1, 3), (2, 1), (20, 37)] {
            let a = vec![f32::NAN; m * 5];
            let b = vec![1.0; 5 * n];
            let mut c = vec![0.0; m * n];
            let mat = |v: &[f32], rows: usize, cols: usize| Mat {
                ptr: v.as_ptr(),
                rows,
                cols,
                row_stride: cols as isize,
                col_stride: 1,
            };
            let epilogue = Epilogue { bias: std::ptr::null(), activation: FusedActivation::Relu };
            let (a, b) = (mat(&a, m, 5), mat(&b, 5, n));
            // SAFETY: the vectors hold the matrices.
            unsafe {
                gemm_with(isa, Product { a, b, c: c.as_mut_ptr(), ldc: n, accumulate: false, epilogue })
            };
            assert!(c.iter().all(|x| x.is_nan()));
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    let cases = [
        Case::plain(131, 300, 517),
        Case { a: Columns, b: Columns, ..Case::plain(260, 700, 130) },
        Case { bias: true, relu: true, ..Case::plain(33, 600, 1000) },
        Case { b: Columns, ..Case::plain(14, 1030, 1025) },
        Case::plain(5000, 333, 1),
        Case::plain(1, 333, 5000),
    ];
    for case in cases {
        let (a, b, bias, before) = case.operands::<f32>();
        let run = |threads: usize| {
            let mut c = before.clone();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| case.run(Isa::current(), &a, &b, &bias, &mut c));
            c
        };
        let one = run(1);
        for threads in [2, 3, 4, 8] {
            assert!(run(threads) == one, "{case:?}: {threads} threads changed the bits");
        }
    }
}

#[test]
fn batches_equal_single_products() {
    // Shared right operand in consecutive rows, in scattered rows, and separate operands; small and large.
    for (m, k, n, count) in [(3, 4, 5, 7), (1, 8, 8, 100), (64, 130, 140, 3), (20, 5, 0, 3), (4, 4, 4, 0)] {
        for (b_step, c_gap) in [(0, 0), (0, 3), (k * n, 0)] {
            let a = Operand::new(m * count, k, Rows, 1, f32::from_f64);
            let b = Operand::new(k * count.max(1), n, Rows, 2, f32::from_f64);
            let c_step = m * n + c_gap;
            let mut c = vec![7.0; c_step * count];
            let (one_a, one_b) = (Mat { rows: m, ..a.mat() }, Mat { rows: k, ..b.mat() });
            let p = Product {
                a: one_a,
                b: one_b,
                c: c.as_mut_ptr(),
                ldc: n,
                accumulate: false,
                epilogue: Epilogue::IDENTITY,
            };
            let offsets = |i: usize| batch::Offsets {
                a: (i * m * k) as isize,
                b: (i * b_step) as isize,
                c: i * c_step,
            };
            // SAFETY: the vectors hold all matrices.
            unsafe { gemm_batched_with(Isa::current(), count, offsets, p) };
            for i in 0..count {
                for r in 0..m {
                    for j in 0..n {
                        let expected: f64 = (0..k)
                            .map(|l| {
                                f64::from(a.at(i * m + r, l)) * f64::from(b.memory[i * b_step + l * n + j])
                            })
                            .sum();
                        let error = f64::from(c[i * c_step + r * n + j]) - expected;
                        assert!(error.abs() <= 1e-5, "product {i}, ({r}, {j}): off by {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn integers_wrap_around() {
    let a = [i32::MAX, 2, -3, i32::MIN];
    let b = [2, 5, 7, -1];
    let mut c = [1; 4];
    let mat = |v: &[i32; 4]| Mat { ptr: v.as_ptr(), rows: 2, cols: 2, row_stride: 2, col_stride: 1 };
    // SAFETY: the arrays hold the matrices.
    unsafe { gemm(mat(&a), mat(&b), c.as_mut_ptr(), 2, true, Epilogue::IDENTITY) };
    // Modulo 2^32, 2 MAX is -2, 5 MAX is MIN - 5, 7 MIN is MIN and -MIN is MIN.
    assert_eq!(c, [13, i32::MAX - 5, i32::MAX - 4, i32::MAX - 13]);
}

#[test]
fn integer_products_of_strided_operands() {
    let a = Operand::new(9, 6, Columns, 1, |x| (x * 100.0) as i64);
    let b = Operand::new(6, 8, Sparse, 2, |x| (x * 100.0) as i64);
    let bias: Vec<i64> = (0..8).collect();
    let mut c = vec![0; 9 * 8];
    let epilogue = Epilogue { bias: bias.as_ptr(), activation: FusedActivation::Relu };
    // SAFETY: the vectors hold the matrices.
    unsafe { gemm(a.mat(), b.mat(), c.as_mut_ptr(), 8, false, epilogue) };
    for i in 0..9 {
        for j in 0..8 {
            let expected = (0..6).map(|p| a.at(i, p) * b.at(p, j)).sum::<i64>() + bias[j];
            assert_eq!(c[i * 8 + j], expected.max(0));
        }
    }
}
