//! Picking, placing, segments, sorting and rearranging: values against loops, who gets the gradient, and errors.
use proptest::prelude::*;
use slalom_array::{ErrorKind, Result};
use slalom_autograd::{
    Direction, GradientTape, Indexing, Tensor, concat, dynamic_stitch, meshgrid, scatter_nd,
};

fn iota(shape: &[usize]) -> Tensor {
    Tensor::from_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
}

fn ints(x: &Tensor) -> Vec<i32> {
    x.to_vec().unwrap()
}

fn vector(x: &[i32]) -> Tensor {
    Tensor::from_vec([x.len()], x.to_vec()).unwrap()
}

fn column(x: &[i32]) -> Tensor {
    Tensor::from_vec([x.len(), 1], x.to_vec()).unwrap()
}

fn floats(x: &[f64]) -> Tensor {
    Tensor::from_vec([x.len()], x.to_vec()).unwrap()
}

/// Where place `i` of a padded axis of length `n` comes from, with `before` elements in front.
fn mirrored(i: usize, before: usize, n: usize, skip: usize) -> usize {
    let (i, last) = (i as isize - before as isize, n as isize - 1);
    let at = if i < 0 { -i - 1 + skip as isize } else { i };
    (if at > last { 2 * last + 1 - skip as isize - at } else { at }) as usize
}

proptest! {
    #[test]
    fn gather_nd_picks_what_a_loop_picks(
        shape in prop::collection::vec(1usize..4, 1..4), depth in 1usize..3, seeds in prop::collection::vec(0usize..60, 0..5),
    ) {
        let depth = depth.min(shape.len());
        let tuple = |seed: &usize| shape[..depth].iter().map(|n| (seed / 3 + seed % 7) % n).collect::<Vec<_>>();
        let tuples: Vec<Vec<usize>> = seeds.iter().map(tuple).collect();
        let indices = tuples.iter().flatten().map(|&i| i as i32).collect();
        let indices = Tensor::from_vec([tuples.len(), depth], indices).unwrap();
        let inner: usize = shape[depth..].iter().product();
        let first = |tuple: &Vec<usize>| tuple.iter().zip(&shape).fold(0, |row, (&i, &n)| row * n + i) * inner;
        let want: Vec<i32> = tuples.iter().flat_map(|t| first(t)..first(t) + inner).map(|i| i as i32).collect();
        let picked = iota(&shape).gather_nd(&indices, 0).unwrap();
        prop_assert_eq!(ints(&picked), want.clone());
        // The other way round: each value is added where it came from.
        let mut sums = vec![0; iota(&shape).len()];
        want.iter().for_each(|&i| sums[i as usize] += i);
        prop_assert_eq!(ints(&scatter_nd(&indices, &picked, &shape[..]).unwrap()), sums);
    }

    #[test]
    fn segments_combine_what_a_loop_combines(
        rows in prop::collection::vec((-9i32..9, -1i32..3), 0..12),
    ) {
        let (x, ids): (Vec<i32>, Vec<i32>) = rows.iter().copied().unzip();
        let of = |id: i32| rows.iter().filter(move |row| row.1 == id).map(|row| row.0);
        let (x, ids) = (vector(&x), vector(&ids));
        let want = |f: &dyn Fn(i32) -> i32| (0..3).map(f).collect::<Vec<i32>>();
        prop_assert_eq!(ints(&x.unsorted_segment_sum(&ids, 3).unwrap()), want(&|id| of(id).sum()));
        prop_assert_eq!(ints(&x.unsorted_segment_max(&ids, 3).unwrap()), want(&|id| of(id).max().unwrap_or(i32::MIN)));
        prop_assert_eq!(ints(&x.unsorted_segment_min(&ids, 3).unwrap()), want(&|id| of(id).min().unwrap_or(i32::MAX)));
        prop_assert_eq!(
            ints(&x.unsorted_segment_prod(&ids, 3).unwrap()), want(&|id| of(id).fold(1, i32::wrapping_mul))
        );
        let sorted = ids.maximum(Tensor::scalar(0)).unwrap().sort(0, Direction::Ascending).unwrap();
        let count = ints(&sorted).last().map_or(0, |&last| last + 1);
        let of = |id: i32| ints(&x).into_iter().zip(ints(&sorted)).filter(move |row| row.1 == id).map(|row| row.0);
        let want = |f: &dyn Fn(i32) -> i32| (0..count).map(f).collect::<Vec<i32>>();
        prop_assert_eq!(ints(&x.segment_sum(&sorted).unwrap()), want(&|id| of(id).sum()));
        prop_assert_eq!(ints(&x.segment_max(&sorted).unwrap()), want(&|id| of(id).max().unwrap_or(0)));
        prop_assert_eq!(ints(&x.segment_min(&sorted).unwrap()), want(&|id| of(id).min().unwrap_or(0)));
        prop_assert_eq!(ints(&x.segment_prod(&sorted).unwrap()), want(&|id| of(id).fold(1, i32::wrapping_mul)));
    }

    #[test]
    fn partitions_are_put_apart_and_together(
        rows in prop::collection::vec((any::<i32>(), 0i32..4), 0..12), width in 0usize..3,
    ) {
        let (x, ids): (Vec<i32>, Vec<i32>) = rows.iter().copied().unzip();
        let wide = x.iter().flat_map(|&x| (0..width as i32).map(move |i| x.wrapping_add(i))).collect();
        let (wide, ids) = (Tensor::from_vec([x.len(), width], wide).unwrap(), vector(&ids));
        let parts = wide.dynamic_partition(&ids, 4).unwrap();
        for (id, part) in parts.iter().enumerate() {
            let of = rows.iter().filter(|row| row.1 == id as i32);
            let want: Vec<i32> = of.flat_map(|row| (0..width as i32).map(|i| row.0.wrapping_add(i))).collect();
            prop_assert_eq!(ints(part), want);
        }
        let places = iota(&[x.len()]).dynamic_partition(&ids, 4).unwrap();
        let again = dynamic_stitch(&places, &parts).unwrap();
        prop_assert_eq!((again.shape(), ints(&again)), (wide.shape(), ints(&wide)));
    }

    #[test]
    fn rearrangements_move_what_a_loop_moves(n in 1usize..6, before in 0usize..5, after in 0usize..5, shift in -9isize..9) {
        let x = iota(&[n]);
        for (skip, pad) in [(1, Tensor::pad_reflect as fn(&Tensor, &[[usize; 2]]) -> Result<Tensor>), (0, Tensor::pad_symmetric)] {
            let padded = pad(&x, &[[before, after]]);
            if before.max(after) > n - skip {
                prop_assert_eq!(padded.unwrap_err().kind(), ErrorKind::Argument);
                continue;
            }
            let want: Vec<i32> = (0..before + n + after).map(|i| mirrored(i, before, n, skip) as i32).collect();
            prop_assert_eq!(ints(&padded.unwrap()), want);
        }
        let rolled: Vec<i32> = (0..n as isize).map(|i| (i - shift).rem_euclid(n as isize) as i32).collect();
        prop_assert_eq!(ints(&x.roll(&[shift], &[0]).unwrap()), rolled);
        let lengths: Vec<i32> = (0..3).map(|b| ((before + b * after) % (n + 1)) as i32).collect();
        let turned = iota(&[3, n]).reverse_sequence(vector(&lengths), 1, 0).unwrap();
        let place = |b: usize, i: usize| if (i as i32) < lengths[b] { lengths[b] as usize - 1 - i } else { i };
        let want: Vec<i32> = (0..3 * n).map(|at| (at / n * n + place(at / n, at % n)) as i32).collect();
        prop_assert_eq!(ints(&turned), want);
    }

    #[test]
    fn strided_slices_are_those_of_python(
        n in 0usize..7, begin in prop::option::of(-9isize..9), end in prop::option::of(-9isize..9), stride in -3isize..4,
    ) {
        let slice = iota(&[n, 2]).strided_slice(&[begin], &[end], &[stride]);
        if stride == 0 {
            prop_assert_eq!(slice.unwrap_err().kind(), ErrorKind::Argument);
            return Ok(());
        }
        let n = n as isize;
        let at = |i: isize| if i < 0 { i + n } else { i };
        let (first, last) = if stride > 0 { (0, n) } else { (n - 1, -1) };
        // Every position from the start on, as long as it has not reached the end, of which those on the axis count.
        let start = begin.map_or(first, |i| if stride > 0 { at(i).max(0) } else { at(i).min(n - 1) });
        let stop = end.map_or(last, |i| if stride > 0 { at(i).max(0) } else { at(i).max(-1) });
        let steps = (0..20).map(|k| start + k * stride);
        let kept = steps.take_while(|&i| if stride > 0 { i < stop } else { i > stop }).filter(|i| (0..n).contains(i));
        let want: Vec<i32> = kept.flat_map(|i| [2 * i as i32, 2 * i as i32 + 1]).collect();
        prop_assert_eq!(ints(&slice.unwrap()), want);
    }

    #[test]
    fn masks_keep_what_a_filter_keeps(mask in prop::collection::vec(any::<bool>(), 6), axis in 0isize..2) {
        let x = iota(&[2, 3, 2]);
        let whole = Tensor::from_vec([2, 3], mask.clone()).unwrap();
        let kept = |i: &i32| mask[*i as usize / 2];
        let want: Vec<i32> = ints(&x).into_iter().filter(kept).collect();
        prop_assert_eq!(ints(&x.boolean_mask(&whole, 0).unwrap()), want);
        let length = x.shape()[axis as usize];
        let line = Tensor::from_vec([length], mask[..length].to_vec()).unwrap();
        let at = |i: &i32| if axis == 0 { *i as usize / 6 } else { *i as usize / 2 % 3 };
        let want: Vec<i32> = ints(&x).into_iter().filter(|i| mask[at(i)]).collect();
        prop_assert_eq!(ints(&x.boolean_mask(&line, axis).unwrap()), want);
    }
}

#[test]
fn batches_are_gathered_part_by_part() {
    let x = iota(&[2, 3, 2]);
    let places = Tensor::from_vec([2, 2], vec![2, 0, 1, 1]).unwrap();
    let by = |axis| ints(&x.gather_batched(&places, axis, 1).unwrap());
    assert_eq!(by(1), [4, 5, 0, 1, 8, 9, 8, 9]);
    let places = Tensor::from_vec([2, 1], vec![1, 0]).unwrap();
    assert_eq!(ints(&x.gather_batched(&places, -1, 1).unwrap()), [1, 3, 5, 6, 8, 10]);
    assert_eq!(ints(&x.gather_nd(&places, 1).unwrap()), [2, 3, 6, 7]);
}

#[test]
fn grids_and_blocks() {
    let grid = meshgrid(&[iota(&[2]), iota(&[3]), iota(&[1])], Indexing::Ij).unwrap();
    assert_eq!(ints(&grid[0]), [0, 0, 0, 1, 1, 1]);
    assert_eq!(&grid[0].shape()[..], [2, 3, 1]);
    let x = iota(&[2, 4, 6, 3]);
    let there = x.space_to_depth(2).unwrap();
    assert_eq!((&there.shape()[..], &ints(&there)[..6]), (&[2, 2, 3, 12][..], &[0, 1, 2, 3, 4, 5][..]));
    assert_eq!(ints(&there.depth_to_space(2).unwrap()), ints(&x));
}

type Function = fn(&Tensor) -> Result<Tensor>;

/// The gradient of `Σ (i + 1) f(x)ᵢ`.
fn gradient(f: Function, x: &[f64]) -> Vec<f64> {
    let tape = GradientTape::new();
    let x = tape.watch(&floats(x));
    let y = f(&x).unwrap();
    let weights = Tensor::from_vec(y.shape(), (1..=y.len()).map(|i| i as f64).collect()).unwrap();
    let gradient = tape.gradient(&(y * weights), &x).unwrap().unwrap();
    gradient.to_dense().unwrap().to_vec().unwrap()
}

#[test]
fn who_gets_the_gradient() {
    let cases: [(&str, Function, &[f64], &[f64]); 15] = [
        ("cumprod with a zero", |x| x.cumprod(0, false, false), &[2.0, 0.0, 3.0], &[1.0, 0.0, 0.0]),
        ("cumulative_logsumexp", |x| x.cumulative_logsumexp(0, false, false), &[900.0], &[1.0]),
        ("sort", |x| x.sort(0, Direction::Descending), &[1.0, 2.0, 2.0], &[3.0, 1.0, 2.0]),
        ("top_k", |x| Ok(x.top_k(1)?.0), &[2.0, 3.0, 3.0], &[0.0, 1.0, 0.0]),
        ("segment_max", |x| x.segment_max(vector(&[0, 0, 1])), &[4.0, 4.0, 1.0], &[0.5, 0.5, 2.0]),
        (
            "unsorted_segment_min",
            |x| x.unsorted_segment_min(vector(&[1, 1, -1]), 2),
            &[3.0, 3.0, 0.0],
            &[1.0, 1.0, 0.0],
        ),
        (
            "unsorted_segment_prod with a zero",
            |x| x.unsorted_segment_prod(vector(&[0, 0, 0]), 1),
            &[2.0, 0.0, 3.0],
            &[0.0, 6.0, 0.0],
        ),
        (
            "unsorted_segment_prod with two zeros",
            |x| x.unsorted_segment_prod(vector(&[0, 0, 0]), 1),
            &[0.0, 0.0, 3.0],
            &[0.0, 0.0, 0.0],
        ),
        (
            "segment_prod with a zero",
            |x| x.segment_prod(vector(&[0, 0, 2])),
            &[0.0, 3.0, 5.0],
            &[3.0, 0.0, 3.0],
        ),
        (
            "dynamic_partition of which one part is used",
            |x| Ok(x.dynamic_partition(vector(&[1, 0, 1]), 2)?.remove(1)),
            &[1.0, 2.0, 3.0],
            &[1.0, 0.0, 2.0],
        ),
        (
            "tensor_scatter_nd_max of equals",
            |x| x.tensor_scatter_nd_max(column(&[0]), x.slice(0, 1, 1)?),
            &[5.0, 5.0],
            &[0.5, 2.5],
        ),
        (
            "tensor_scatter_nd_update",
            |x| x.tensor_scatter_nd_update(column(&[1]), x.slice(0, 0, 1)?),
            &[5.0, 6.0],
            &[3.0, 0.0],
        ),
        (
            "dynamic_stitch of one place",
            |x| dynamic_stitch(&[vector(&[0]), vector(&[0])], &[x.clone(), 2.0 * x]),
            &[1.0],
            &[3.0],
        ),
        ("clip_by_norm of zeros", |x| x.clip_by_norm(1.0, &[0]), &[0.0, 0.0], &[1.0, 2.0]),
        ("vector_norm at 0", |x| x.vector_norm(1.0, &[0], false), &[0.0, -2.0], &[0.0, -1.0]),
    ];
    for (name, f, x, expected) in cases {
        assert_eq!(gradient(f, x), expected, "{name}");
    }
}

#[test]
fn the_gradient_of_a_weighted_cross_entropy_at_0() {
    let f: Function = |x| x.weighted_cross_entropy_with_logits(floats(&[1.0, 0.0]), 3.0);
    assert_eq!(gradient(f, &[0.0, 0.0]), [-1.5, 1.0]);
}

#[test]
fn rows_alone_have_a_sparse_gradient() {
    let tape = GradientTape::new();
    let x = tape.watch(&Tensor::zeros([3, 2], slalom_array::DType::F32).unwrap());
    let y = x.gather_nd(column(&[2, 2]), 0).unwrap();
    let gradient = tape.gradient(&y, &x).unwrap().unwrap();
    assert_eq!(gradient.as_sparse().unwrap().indices().to_vec::<i64>().unwrap(), [2, 2]);
    let dense: [Function; 2] =
        [|x| x.repeat(&[1, 0, 2], 0), |x| x.boolean_mask(Tensor::from_vec([3], vec![true, false, true])?, 0)];
    for f in dense {
        let tape = GradientTape::new();
        let x = tape.watch(&Tensor::zeros([3, 2], slalom_array::DType::F32).unwrap());
        assert!(tape.gradient(&f(&x).unwrap(), &x).unwrap().unwrap().as_dense().is_some());
    }
}

#[test]
fn indices_out_of_range_are_named() {
    let x = iota(&[3, 2]);
    let one = iota(&[1, 2]);
    let text = |result: Result<Tensor>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Index);
        error.to_string()
    };
    let pair = Tensor::from_vec([1, 2], vec![2, -1]).unwrap();
    assert_eq!(text(x.gather_nd(&pair, 0)), "gather_nd: expected indices in 0..2 for axis 1, got -1");
    assert_eq!(
        text(x.gather_batched(column(&[0, 2, 0]), 1, 1)),
        "gather: expected indices in 0..2 for axis 1, got 2"
    );
    let line = Tensor::from_vec([3, 1], vec![0, 1, 7]).unwrap();
    assert_eq!(text(x.take_along_axis(&line, 1)), "take_along_axis: expected indices in 0..2, got 7");
    assert_eq!(
        text(scatter_nd(column(&[4]), &one, [4, 2])),
        "scatter_nd: expected indices in 0..4 for axis 0, got 4"
    );
    assert_eq!(
        text(x.tensor_scatter_nd_max(column(&[-3]), &one)),
        "tensor_scatter_nd_max: expected indices in 0..3 for axis 0, got -3"
    );
    assert_eq!(
        text(x.unsorted_segment_sum(vector(&[0, 5, 9]), 5)),
        "unsorted_segment_sum: expected segment numbers below 5, got 5"
    );
    assert_eq!(
        text(x.segment_max(vector(&[0, 2, 1]))),
        "segment_max: expected segment numbers of at least 2 after it, got 1"
    );
    assert_eq!(
        text(x.segment_sum(vector(&[-1, 0, 1]))),
        "segment_sum: expected segment numbers of at least 0, got -1"
    );
    assert_eq!(
        text(x.reverse_sequence(vector(&[1, 3, 2]), 1, 0)),
        "reverse_sequence: expected lengths in 0..=2, got 3"
    );
    assert_eq!(
        text(dynamic_stitch(&[vector(&[-2])], &[one])),
        "dynamic_stitch: expected indices of at least 0, got -2"
    );
    for bad in [-1, 2] {
        assert_eq!(
            text(x.dynamic_partition(vector(&[0, bad, 1]), 2).map(|mut parts| parts.remove(0))),
            format!("dynamic_partition: expected numbers of partitions in 0..2, got {bad}")
        );
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = iota(&[3, 2]);
    let kind = |result: Result<Tensor>| result.unwrap_err().kind();
    let (shape, dtype, argument) = (ErrorKind::Shape, ErrorKind::DType, ErrorKind::Argument);
    assert_eq!(kind(x.gather_nd(Tensor::scalar(0), 0)), shape);
    assert_eq!(kind(x.gather_nd(Tensor::from_vec([3], vec![0, 0, 0]).unwrap(), 0)), shape);
    assert_eq!(kind(x.gather_nd(floats(&[0.0]), 0)), dtype);
    assert_eq!(kind(x.gather_batched(column(&[0, 0]), 1, 1)), shape);
    assert_eq!(kind(x.gather_batched(column(&[0, 0, 0]), 0, 1)), argument);
    assert_eq!(kind(scatter_nd(column(&[0]), vector(&[1]), [3, 2])), shape);
    assert_eq!(
        kind(x.tensor_scatter_nd_add(column(&[0]), Tensor::zeros([1, 2], slalom_array::DType::F32).unwrap())),
        dtype
    );
    assert_eq!(kind(x.segment_sum(vector(&[0, 0]))), shape);
    assert_eq!(kind(x.segment_mean(vector(&[0, 0, 0]))), dtype);
    assert_eq!(kind(x.boolean_mask(vector(&[1, 1, 1]), 0)), dtype);
    assert_eq!(kind(x.boolean_mask(Tensor::from_vec([2], vec![true, true]).unwrap(), 0)), shape);
    assert_eq!(kind(x.repeat(&[1, 2], 0)), shape);
    assert_eq!(kind(x.roll(&[1], &[0, 1])), shape);
    assert_eq!(kind(x.reverse_sequence(vector(&[0, 0, 0]), 0, 0)), shape);
    assert_eq!(kind(x.depth_to_space(2)), shape);
    assert_eq!(kind(iota(&[1, 3, 2, 1]).space_to_depth(0)), argument);
    assert_eq!(kind(iota(&[1, 3, 2, 1]).space_to_depth(2)), shape);
    assert_eq!(kind(meshgrid(&[&x], Indexing::Xy).map(|mut grid| grid.remove(0))), shape);
    assert_eq!(kind(dynamic_stitch::<Tensor, Tensor>(&[], &[])), argument);
    let parts =
        |numbers: &[i32], count| kind(x.dynamic_partition(vector(numbers), count).map(|mut p| p.remove(0)));
    assert_eq!([parts(&[0, 0], 1), parts(&[0, 0, 0], 0)], [shape, argument]);
    assert_eq!(parts(&[0, 0, 0], usize::MAX), ErrorKind::Memory);
    assert_eq!(kind(x.top_k(3).map(|pair| pair.0)), argument);
    assert_eq!(kind(x.cumulative_logsumexp(0, true, false)), dtype);
    assert_eq!(kind(floats(&[1.0]).vector_norm(-1.0, &[0], false)), argument);
    assert_eq!(kind(floats(&[1.0]).polygamma(151)), argument);
    assert_eq!(kind(x.bitwise_and(floats(&[1.0]))), dtype);
    assert!(concat(&[x.clone(), x], 2).is_err());
}

#[test]
fn numbers_of_any_size_are_errors() {
    let x = iota(&[10, 2]);
    let (whole, index, memory) = (usize::MAX, ErrorKind::Index, ErrorKind::Memory);
    assert_eq!(x.slice(0, 2, whole).unwrap_err().kind(), index);
    assert_eq!(x.slice(0, whole, 1).unwrap_err().kind(), index);
    assert_eq!(x.slice_by(0, 2, whole, -1).unwrap_err().kind(), index);
    assert_eq!(x.slice_by(0, 2, (1 << 63) + 1, isize::MIN).unwrap_err().kind(), index);
    for paddings in [[[whole, 0], [0, 0]], [[0, whole], [0, 0]], [[whole, whole], [0, 0]], [[1 << 62, 0]; 2]]
    {
        assert_eq!(x.pad(&paddings, 0.0).unwrap_err().kind(), memory, "{paddings:?}");
    }
    // A stride that is longer than the axis takes one element.
    let x = Tensor::from_vec([2, 2], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    let tape = GradientTape::new();
    let x = tape.watch(&x);
    let first = x.strided_slice(&[None], &[None], &[isize::MAX]).unwrap();
    assert_eq!(first.to_vec::<f64>().unwrap(), [1.0, 2.0]);
    let gradient = tape.gradient(&first, &x).unwrap().unwrap().to_dense().unwrap();
    assert_eq!(gradient.to_vec::<f64>().unwrap(), [1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn bits_of_integers() {
    let (a, b) = (vector(&[0b1100, -8, 1]), vector(&[0b1010, 1, 40]));
    assert_eq!(ints(&a.bitwise_and(&b).unwrap()), [0b1000, 0, 0]);
    assert_eq!(ints(&a.bitwise_or(&b).unwrap()), [0b1110, -7, 41]);
    assert_eq!(ints(&a.bitwise_xor(&b).unwrap()), [0b0110, -7, 41]);
    assert_eq!(ints(&a.left_shift(&b).unwrap()), [12 << 10, -16, i32::MIN]);
    assert_eq!(ints(&a.right_shift(&b).unwrap()), [0, -4, 0]);
    assert_eq!(ints(&a.bitwise_invert().unwrap()), [-13, 7, -2]);
}
