use super::*;
use crate::Number;
use proptest::prelude::*;

fn iota(shape: &[usize]) -> Array {
    Array::from_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
}

/// The same array, stored the other way round.
fn turned(a: &Array) -> Array {
    let axes: Vec<usize> = (0..a.rank()).rev().collect();
    a.transpose(&axes).unwrap().copy().unwrap().transpose(&axes).unwrap()
}

fn ints(a: &Array) -> Vec<i64> {
    a.cast(DType::I64).unwrap().to_vec().unwrap()
}

fn noise(i: usize) -> usize {
    (i as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) as usize
}

proptest! {
    #[test]
    fn gather_matches_a_loop(
        shape in prop::collection::vec(1usize..5, 1..4), count in prop::collection::vec(0usize..4, 0..3), axis in 0usize..3,
    ) {
        let axis = axis % shape.len();
        let m: usize = count.iter().product();
        let places: Vec<i64> = (0..m).map(|i| (noise(i) % shape[axis]) as i64).collect();
        let indices = Array::from_vec(&count[..], places.clone()).unwrap();
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let mut want = Vec::new();
        for o in 0..outer {
            for &i in &places {
                want.extend((0..inner).map(|j| ((o * shape[axis] + i as usize) * inner + j) as i64));
            }
        }
        for params in [iota(&shape), turned(&iota(&shape))] {
            for indices in [indices.clone(), turned(&indices.cast(DType::I32).unwrap())] {
                let out = gather(&params, &indices, axis).unwrap();
                let expected: Vec<usize> = [&shape[..axis], &count[..], &shape[axis + 1..]].concat();
                prop_assert_eq!(&out.shape()[..], &expected[..]);
                prop_assert_eq!(ints(&out), &want[..]);
            }
        }
    }

    #[test]
    fn concat_and_unslice_are_reversed_by_slices(
        shape in prop::collection::vec(1usize..5, 1..4), lengths in prop::collection::vec(0usize..4, 1..4), axis in 0usize..3,
    ) {
        let axis = axis % shape.len();
        let parts: Vec<Array> = lengths.iter().enumerate().map(|(i, &n)| {
            let mut own = shape.clone();
            own[axis] = n;
            if i % 2 == 0 { iota(&own) } else { turned(&iota(&own)) }
        }).collect();
        let whole = concat(&parts.iter().collect::<Vec<_>>(), axis).unwrap();
        let mut start = 0;
        for part in &parts {
            let n = part.shape()[axis];
            prop_assert_eq!(ints(&whole.slice(axis, start, n, 1).unwrap()), ints(part));
            start += n;
        }
        // Unslicing adds zeros only.
        for part in &parts {
            let n = part.shape()[axis];
            let mut full = shape.clone();
            full[axis] = 3 * n + 2;
            let (mut starts, mut steps) = (vec![0; shape.len()], vec![1; shape.len()]);
            (starts[axis], steps[axis]) = (3 * n, -3);
            let out = unslice(part, &full[..], &starts, &steps).unwrap();
            prop_assert_eq!(ints(&out.slice(axis, 3 * n, n, -3).unwrap()), ints(part));
            prop_assert_eq!(ints(&out).iter().sum::<i64>(), ints(part).iter().sum::<i64>());
        }
    }

    #[test]
    fn scatter_add_and_sum_duplicates_match_loops(n in 1usize..6, m in 0usize..20, width in 0usize..5) {
        let places: Vec<i32> = (0..m).map(|i| (noise(i) % n) as i32).collect();
        let indices = Array::from_vec([m], places.clone()).unwrap();
        for rows in [iota(&[m, width]), turned(&iota(&[m, width]))] {
            let mut want: Vec<i64> = (0..n * width).map(|i| i as i64).collect();
            for (k, &i) in places.iter().enumerate() {
                for j in 0..width {
                    want[i as usize * width + j] += (k * width + j) as i64;
                }
            }
            let mut target = iota(&[n, width]);
            scatter_add(&mut target, &indices, &rows).unwrap();
            prop_assert_eq!(ints(&target), &want[..]);

            let (unique, sums) = sum_duplicates(&indices, &rows).unwrap();
            let mut sorted = places.clone();
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(unique.to_vec::<i32>().unwrap(), sorted.clone());
            let want: Vec<i64> = sorted.iter()
                .flat_map(|&i| (0..width).map(|j| want[i as usize * width + j] - (i as usize * width + j) as i64).collect::<Vec<_>>())
                .collect();
            prop_assert_eq!(ints(&sums), want);
        }
    }
}

#[test]
fn the_order_of_appearance_decides_the_rounding() {
    // (1e8 + 1) - 1e8 is 0 in f32, (1e8 - 1e8) + 1 is 1; in any number of columns.
    for width in [1, 511, 512, 513, 5000] {
        let row = |x: f32| Array::full([1, width], x as f64, DType::F32).unwrap();
        let indices = Array::from_vec([6], vec![1, 0, 1, 0, 1, 0]).unwrap();
        let rows = concat(&[&row(1e8), &row(1e8), &row(1.0), &row(-1e8), &row(-1e8), &row(1.0)], 0).unwrap();
        for rows in [rows.clone(), turned(&rows)] {
            for threads in [1, 2, 3, 4, 8] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let want = [vec![1.0f32; width], vec![0.0; width]].concat();
                    let mut target = Array::zeros([2, width], DType::F32).unwrap();
                    scatter_add(&mut target, &indices, &rows).unwrap();
                    assert_eq!(target.to_vec::<f32>().unwrap(), want);
                    assert_eq!(sum_duplicates(&indices, &rows).unwrap().1.to_vec::<f32>().unwrap(), want);
                });
            }
        }
    }
}

#[test]
fn large_arrays() {
    let table = iota(&[1000, 130]);
    let places: Vec<i32> = (0..3000).map(|i| (noise(i) % 1000) as i32).collect();
    let indices = Array::from_vec([3000], places.clone()).unwrap();
    let want: Vec<i64> = places.iter().flat_map(|&i| (0..130).map(move |j| i as i64 * 130 + j)).collect();
    assert_eq!(ints(&gather(&table, &indices, 0).unwrap()), want);
    assert_eq!(ints(&gather(&turned(&table), &indices, 0).unwrap()), want);
    let joined = concat(&[&table, &turned(&table)], 1).unwrap();
    assert_eq!(ints(&joined.slice(1, 130, 130, 1).unwrap()), ints(&table));
    let out = unslice(&table, [2000, 260], &[1999, 1], &[-2, 2]).unwrap();
    let back = out.slice(0, 1999, 1000, -2).unwrap().slice(1, 1, 130, 2).unwrap();
    assert_eq!(ints(&back), ints(&table));
}

#[test]
fn one_hot_rows() {
    let indices = Array::from_vec([2, 2], vec![0i64, 2, -1, 3]).unwrap();
    let out = one_hot(&indices, 3, 5.0, -1.0, DType::I32).unwrap();
    assert_eq!(out.shape(), &Shape::from([2, 2, 3]));
    assert_eq!(ints(&out), [5, -1, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1]);
    assert_eq!(
        one_hot(&turned(&indices), 3, 5.0, -1.0, DType::I32).unwrap().to_vec::<i32>().unwrap(),
        out.to_vec::<i32>().unwrap()
    );
    assert_eq!(one_hot(&indices, 0, 1.0, 0.0, DType::Bool).unwrap().shape(), &Shape::from([2, 2, 0]));
    assert_eq!(
        one_hot(&Array::scalar(1.0f32), 2, 1.0, 0.0, DType::F32).unwrap_err().kind(),
        ErrorKind::DType
    );
}

#[test]
fn all_types_are_moved() {
    fn check<T: Number>() {
        let x: Vec<T> = [0.0, 1.0, 1.0, 0.0].map(T::from_f64).to_vec();
        let a = Array::from_vec([2, 2], x.clone()).unwrap();
        let reversed = gather(&a, &Array::from_vec([2], vec![1, 0]).unwrap(), 0).unwrap();
        assert_eq!(reversed.to_vec::<T>().unwrap(), [x[2], x[3], x[0], x[1]]);
        assert_eq!(concat(&[&a, &a], 1).unwrap().to_vec::<T>().unwrap()[..4], [x[0], x[1], x[0], x[1]]);
    }
    check::<f32>();
    check::<f64>();
    check::<i32>();
    check::<i64>();
    check::<bool>();
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let a = iota(&[3, 2]);
    let indices = |x: &[i32]| Array::from_slice([x.len()], x).unwrap();
    for bad in [3, -1] {
        let error = gather(&a, &indices(&[0, bad]), 0).unwrap_err();
        assert_eq!((error.kind(), error.got()), (ErrorKind::Index, &bad.to_string()[..]));
        let mut target = a.clone();
        let error = scatter_add(&mut target, &indices(&[0, bad]), &iota(&[2, 2])).unwrap_err();
        assert_eq!(error.to_string(), format!("scatter_add: expected indices in 0..3, got {bad}"));
        assert!(target.shares_memory(&a));
    }
    let mut target = a.clone();
    let kind = |r: Result<Array>| r.unwrap_err().kind();
    assert_eq!(kind(gather(&a, &indices(&[0]), 2)), ErrorKind::Shape);
    assert_eq!(kind(gather(&a, &a.cast(DType::F32).unwrap(), 0)), ErrorKind::DType);
    assert_eq!(
        scatter_add(&mut target, &indices(&[0]), &iota(&[2, 2])).unwrap_err().kind(),
        ErrorKind::Shape
    );
    let floats = iota(&[1, 2]).cast(DType::F32).unwrap();
    assert_eq!(scatter_add(&mut target, &indices(&[0]), &floats).unwrap_err().kind(), ErrorKind::DType);
    assert_eq!(sum_duplicates(&indices(&[0]), &iota(&[2, 2])).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(kind(concat(&[], 0)), ErrorKind::Argument);
    assert_eq!(kind(concat(&[&a], 2)), ErrorKind::Shape);
    assert_eq!(kind(concat(&[&a, &iota(&[3, 3])], 0)), ErrorKind::Shape);
    assert_eq!(kind(concat(&[&a, &a.cast(DType::F32).unwrap()], 0)), ErrorKind::DType);
    assert_eq!(kind(unslice(&a, [3], &[0], &[1])), ErrorKind::Shape);
    assert_eq!(kind(unslice(&a, [3, 2], &[1, 0], &[1, 1])), ErrorKind::Index);
    assert_eq!(kind(unslice(&a, [3, 2], &[1, 0], &[-1, 1])), ErrorKind::Index);
    assert_eq!(kind(unslice(&a, [3, 2], &[0, 0], &[0, 1])), ErrorKind::Argument);
}
