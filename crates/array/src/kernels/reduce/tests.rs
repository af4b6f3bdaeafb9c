use super::*;
use crate::{Map, Number};
use proptest::prelude::*;

/// Numbers in -1..1 that look random.
fn noise(n: usize) -> Vec<f64> {
    (0..n as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        .collect()
}

fn array<T: Number>(shape: &[usize]) -> Array {
    let elements = noise(shape.iter().product())
        .into_iter()
        .map(|x| T::from_f64(if T::DTYPE.is_float() { x } else { 9.0 * x }));
    Array::from_vec(shape, elements.collect()).unwrap()
}

/// A view with the axes turned, one reversed, one thinned out and one repeated.
fn twisted(base: &Array, turn: usize, repeat: bool) -> Array {
    let mut axes: Vec<usize> = (0..base.rank()).collect();
    if base.rank() > 0 {
        axes.rotate_left(turn % base.rank());
    }
    let mut view = base.transpose(&axes).unwrap();
    if view.rank() > 0 && view.shape()[0] > 0 {
        let n = view.shape()[0];
        view = view.slice(0, n - 1, n, -1).unwrap();
    }
    if view.rank() > 1 {
        let (last, n) = (view.rank() - 1, view.shape()[view.rank() - 1]);
        view = view.slice(last, 0, n.div_ceil(2), 2).unwrap();
    }
    if repeat {
        let shape: Vec<usize> = [&[3], &view.shape()[..]].concat();
        view = view.broadcast_to(shape).unwrap();
    }
    view
}

/// The elements of each result, in order, by the definition.
fn groups(shape: &[usize], values: &[f64], axes: &[usize]) -> Vec<Vec<f64>> {
    let kept: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).collect();
    let mut groups = vec![Vec::new(); kept.iter().map(|&i| shape[i]).product()];
    for (place, &x) in values.iter().enumerate() {
        let index = |axis: usize| place / shape[axis + 1..].iter().product::<usize>() % shape[axis];
        groups[kept.iter().fold(0, |at, &axis| at * shape[axis] + index(axis))].push(x);
    }
    groups
}

fn expected(reduction: Reduction, x: &[f64]) -> f64 {
    match reduction {
        Reduction::Sum => x.iter().sum(),
        Reduction::Mean => x.iter().sum::<f64>() / x.len() as f64,
        Reduction::Prod => x.iter().product(),
        Reduction::Max => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Reduction::Min => x.iter().copied().fold(f64::INFINITY, f64::min),
        Reduction::All => x.iter().all(|&x| x != 0.0) as u8 as f64,
        Reduction::Any => x.iter().any(|&x| x != 0.0) as u8 as f64,
    }
}

fn values(a: &Array) -> Vec<f64> {
    a.cast(DType::F64).unwrap().to_vec().unwrap()
}

fn check<T: Number>(view: &Array, axes: &[usize], tolerance: f64, reductions: &[Reduction]) {
    let all = values(view);
    for &reduction in reductions {
        let out = reduce(reduction, view, axes, false).unwrap();
        let shape: Shape = (0..view.rank()).filter(|i| !axes.contains(i)).map(|i| view.shape()[i]).collect();
        assert_eq!((out.shape(), out.dtype()), (&shape, T::DTYPE));
        for (got, group) in values(&out).iter().zip(groups(view.shape(), &all, axes)) {
            // An integer's extreme is what stands for infinity.
            let want = T::from_f64(expected(reduction, &group)).to_f64();
            let near = (got - want).abs() <= tolerance * group.iter().map(|x| x.abs()).sum::<f64>().max(1.0);
            assert!(
                near || *got == want || (got.is_nan() && want.is_nan()),
                "{reduction:?}: {got} {want} of {group:?}"
            );
        }
        let copied = reduce(reduction, &view.copy().unwrap(), axes, true).unwrap();
        assert_eq!(copied.rank(), view.rank());
        assert_eq!(bits(&copied), bits(&out), "{reduction:?} of a view and of its copy");
    }
}

fn bits(a: &Array) -> Vec<u64> {
    values(a).iter().map(|x| x.to_bits()).collect()
}

use Reduction::*;
const FLOATS: [Reduction; 5] = [Sum, Mean, Prod, Max, Min];

proptest! {
    #[test]
    fn small_arrays_match_loops(
        shape in prop::collection::vec(0usize..6, 0..5), turn in 0usize..4, repeat in any::<bool>(), mask in any::<u8>(),
    ) {
        let view = |base: Array| twisted(&base, turn, repeat);
        let f32s = view(array::<f32>(&shape));
        let axes: Vec<usize> = (0..f32s.rank()).rev().filter(|i| mask >> i & 1 == 1).collect();
        check::<f32>(&f32s, &axes, 1e-6, &FLOATS);
        check::<f64>(&view(array::<f64>(&shape)), &axes, 1e-14, &FLOATS);
        check::<i32>(&view(array::<i32>(&shape)), &axes, 0.0, &[Sum, Max, Min]);
        check::<i64>(&view(array::<i64>(&shape)), &axes, 0.0, &[Sum, Max, Min]);
        check::<bool>(&view(array::<i32>(&shape).cast(DType::Bool).unwrap()), &axes, 0.0, &[All, Any]);
    }

    #[test]
    fn larger_arrays_match_loops(
        shape in prop::collection::vec(1usize..40, 3), turn in 0usize..3, mask in 1u8..8,
    ) {
        let view = twisted(&array::<f32>(&shape), turn, false);
        let axes: Vec<usize> = (0..3).filter(|i| mask >> i & 1 == 1).collect();
        check::<f32>(&view, &axes, 1e-6, &[Sum, Max, Min]);
    }
}

#[test]
fn shapes_around_the_limits_of_leaves_and_chunks() {
    let long = [1, 7, 8, 9, 63, 64, 65, 127, 4095, 4096, 4097, 8193, 65535, 65537, 100_003];
    for n in long {
        check::<f32>(&array::<f32>(&[n]), &[0], 3e-7, &[Sum, Mean, Max, Min]);
    }
    for shape in [[255, 9], [256, 8], [257, 513], [1025, 511], [2000, 3], [3, 5000], [9, 4097]] {
        let a = array::<f32>(&shape);
        for axis in [0, 1] {
            check::<f32>(&a, &[axis], 3e-7, &[Sum, Max]);
            check::<f32>(&a.transpose(&[1, 0]).unwrap(), &[axis], 3e-7, &[Sum, Min]);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let shapes: [(&[usize], &[usize]); 7] = [
        (&[65_536], &[0]),
        (&[65_537], &[0]),
        (&[1_000_003], &[0]),
        (&[1027, 515], &[0]),
        (&[1027, 515], &[1]),
        (&[100_001, 3], &[0]),
        (&[37, 41, 130], &[0, 2]),
    ];
    for (shape, axes) in shapes {
        let a = array::<f32>(shape);
        let turned = a.transpose(&(0..a.rank()).rev().collect::<Vec<_>>()).unwrap();
        for view in [a.clone(), turned.clone(), turned.copy().unwrap()] {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let sum = bits(&reduce(Sum, &view, axes, false).unwrap());
                    (
                        sum,
                        reduce_map::<f32, f32, _, 1>("square", Square, [&view])
                            .unwrap()
                            .item()
                            .unwrap()
                            .to_bits(),
                    )
                })
            };
            let one = on(1);
            for threads in [2, 3, 4, 8] {
                assert!(on(threads) == one, "{shape:?} {axes:?} on {threads} threads");
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Square;
impl Map<f32, f32, 1> for Square {
    #[inline(always)]
    fn eval(self, [x]: [f32; 1]) -> f32 {
        x * x
    }
}
impl Map<f32, f64, 1> for Square {
    #[inline(always)]
    fn eval(self, [x]: [f32; 1]) -> f64 {
        x as f64 * x as f64
    }
}

#[test]
fn sums_stay_exact_where_a_plain_loop_does_not() {
    // A running f32 sum of ones stops at 2^24; of tenths it is off by 3 % after 2^24 terms.
    let n = (1 << 24) + 5;
    let ones = Array::scalar(1.0f32).broadcast_to([n]).unwrap();
    assert_eq!(reduce(Sum, &ones, &[0], false).unwrap().item().unwrap(), (n as f32) as f64);
    let tenths = Array::scalar(0.1f32).broadcast_to([n]).unwrap();
    let sum = reduce(Sum, &tenths, &[0], false).unwrap().item().unwrap();
    assert!((sum / (0.1f32 as f64 * n as f64) - 1.0).abs() < 1e-6, "{sum}");
    let squares = reduce_map::<f32, f64, _, 1>("square", Square, [&tenths]).unwrap();
    assert_eq!(squares.dtype(), DType::F64);
    assert!((squares.item().unwrap() / (0.1f32 as f64 * 0.1f32 as f64 * n as f64) - 1.0).abs() < 1e-12);
}

#[test]
fn fused_sums_match_loops() {
    #[derive(Clone, Copy)]
    struct Product;
    impl Map<f64, f64, 2> for Product {
        #[inline(always)]
        fn eval(self, [a, b]: [f64; 2]) -> f64 {
            a * b
        }
    }
    for shape in [[0, 3], [2, 3], [7, 901], [130, 700]] {
        let (a, b) = (array::<f64>(&shape), array::<f64>(&[shape[1], shape[0]]).transpose(&[1, 0]).unwrap());
        let want: f64 = values(&a).iter().zip(values(&b)).map(|(a, b)| a * b).sum();
        let got = reduce_map("product", Product, [&a, &b]).unwrap();
        assert!((got.item().unwrap() - want).abs() < 1e-10);
        let row = b.slice(0, 0, shape[0].min(1), 1).unwrap();
        let want: f64 = values(&a).iter().enumerate().map(|(i, a)| a * values(&row)[i % shape[1]]).sum();
        if shape[0] > 0 {
            let got = reduce_map("product", Product, [&a, &row]).unwrap();
            assert!((got.item().unwrap() - want).abs() < 1e-10);
        }
    }
    let error = reduce_map("product", Product, [&array::<f64>(&[2]), &array::<f64>(&[3])]).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Shape, "product"));
    let error = reduce_map("product", Product, [&array::<f64>(&[2]), &array::<f32>(&[2])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
}

#[test]
fn special_values() {
    let get = |r, x: Vec<f32>| {
        reduce(r, &Array::from_vec([x.len()], x).unwrap(), &[0], false).unwrap().item().unwrap()
    };
    for n in [2usize, 9, 70, 5000] {
        for place in [0, n / 2, n - 1] {
            let mut x = vec![1.0f32; n];
            x[place] = f32::NAN;
            assert!([Sum, Mean, Prod, Max, Min].iter().all(|&r| get(r, x.clone()).is_nan()), "{n} {place}");
            x[place] = f32::INFINITY;
            assert_eq!(
                (get(Sum, x.clone()), get(Max, x.clone()), get(Min, x.clone())),
                (f64::INFINITY, f64::INFINITY, 1.0)
            );
        }
    }
    assert!(get(Sum, vec![f32::INFINITY, f32::NEG_INFINITY]).is_nan());
    assert_eq!((get(Sum, vec![]), get(Prod, vec![])), (0.0, 1.0));
    assert_eq!((get(Max, vec![]), get(Min, vec![])), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(get(Mean, vec![]).is_nan());
    let none = Array::zeros([0, 2], DType::I32).unwrap();
    assert_eq!(reduce(Max, &none, &[0], false).unwrap().to_vec::<i32>().unwrap(), [i32::MIN; 2]);
    assert_eq!(reduce(Min, &none, &[0], true).unwrap().shape(), &Shape::from([1, 2]));
    assert_eq!(reduce(Sum, &none, &[1], false).unwrap().shape(), &Shape::from([0]));
    let wraps = Array::from_vec([2], vec![i32::MAX, 1]).unwrap();
    assert_eq!(reduce(Sum, &wraps, &[0], false).unwrap().item().unwrap(), i32::MIN as f64);
    let none = Array::zeros([0], DType::Bool).unwrap();
    assert_eq!(reduce(All, &none, &[0], false).unwrap().to_vec::<bool>().unwrap(), [true]);
    assert_eq!(reduce(Any, &none, &[0], false).unwrap().to_vec::<bool>().unwrap(), [false]);
}

#[test]
fn no_axes_copy_nothing() {
    let a = array::<f32>(&[2, 3]);
    assert!(reduce(Mean, &a, &[], false).unwrap().shares_memory(&a));
    assert!(sum_to(&a, [2, 3]).unwrap().shares_memory(&a));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let a = array::<f32>(&[2, 3]);
    let kind = |r, a: &Array, axes: &[usize]| reduce(r, a, axes, false).unwrap_err().kind();
    assert_eq!(kind(Sum, &a, &[2]), ErrorKind::Shape);
    assert_eq!(kind(Sum, &a, &[0, 0]), ErrorKind::Shape);
    assert_eq!(kind(All, &a, &[0]), ErrorKind::DType);
    assert_eq!(kind(Mean, &array::<i32>(&[2]), &[]), ErrorKind::DType);
    assert_eq!(kind(Sum, &Array::zeros([2], DType::Bool).unwrap(), &[0]), ErrorKind::DType);
    assert_eq!(sum_to(&a, [2]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(sum_to(&a, [1, 2, 3]).unwrap_err().kind(), ErrorKind::Shape);
    let error = reduce(Max, &a, &[1, 5], false).unwrap_err();
    assert_eq!(error.to_string(), "max: expected different axes of shape [2, 3], got [1, 5]");
}

proptest! {
    #[test]
    fn sum_to_reverses_broadcasting(full in prop::collection::vec(0usize..5, 0..4), mask in any::<u8>(), cut in 0usize..4) {
        let narrowed = full.iter().enumerate().map(|(i, &n)| if mask >> i & 1 == 1 { 1 } else { n });
        let shape: Vec<usize> = narrowed.skip(cut.min(full.len())).collect();
        let a = array::<i64>(&full);
        let got = sum_to(&a, &shape[..]).unwrap();
        prop_assert_eq!(&got.shape()[..], &shape[..]);
        // The sum of both is the same, and each element is the sum over what it is repeated to.
        let extra = full.len() - shape.len();
        let axes: Vec<usize> = (0..full.len()).filter(|&i| i < extra || shape[i - extra] != full[i]).collect();
        let want: Vec<f64> = groups(&full, &values(&a), &axes).iter().map(|g| g.iter().sum()).collect();
        prop_assert_eq!(values(&got), want);
    }

    #[test]
    fn arg_reductions_find_the_first(shape in prop::collection::vec(1usize..6, 1..4), turn in 0usize..3, axis in 0usize..3) {
        let view = twisted(&array::<i32>(&shape), turn, false);
        let axis = axis % view.rank();
        let largest: Vec<i64> = groups(view.shape(), &values(&view), &[axis]).iter()
            .map(|g| g.iter().position(|x| g.iter().all(|y| x >= y)).unwrap() as i64).collect();
        prop_assert_eq!(argmax(&view, axis).unwrap().to_vec::<i64>().unwrap(), largest);
        let smallest: Vec<i64> = groups(view.shape(), &values(&view), &[axis]).iter()
            .map(|g| g.iter().position(|x| g.iter().all(|y| x <= y)).unwrap() as i64).collect();
        prop_assert_eq!(argmin(&view, axis).unwrap().to_vec::<i64>().unwrap(), smallest);
    }
}

#[test]
fn arg_reductions_in_corners() {
    let x = Array::from_vec([2, 3], vec![1.0, f32::NAN, 9.0, f32::NAN, f32::NAN, 0.0]).unwrap();
    assert_eq!(argmax(&x, 1).unwrap().to_vec::<i64>().unwrap(), [1, 0]);
    assert_eq!(argmin(&x, 1).unwrap().to_vec::<i64>().unwrap(), [1, 0]);
    let large = array::<f32>(&[300, 401]);
    let whole = values(&large.transpose(&[1, 0]).unwrap());
    let got = argmax(&large, 0).unwrap().to_vec::<i64>().unwrap();
    for (column, &i) in whole.chunks(300).zip(&got) {
        assert!(column.iter().all(|x| *x <= column[i as usize]));
    }
    let none = Array::zeros([0, 2], DType::F32).unwrap();
    assert_eq!(argmax(&none, 0).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(argmax(&none, 1).unwrap().shape(), &Shape::from([0]));
    assert_eq!(argmax(&none, 2).unwrap_err().kind(), ErrorKind::Shape);
}

#[test]
fn types_are_kept() {
    fn of<T: Element>() -> DType {
        T::DTYPE
    }
    assert_eq!(reduce(Sum, &array::<i32>(&[3]), &[0], false).unwrap().dtype(), of::<i32>());
}
