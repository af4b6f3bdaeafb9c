//! Arrays and views.
use super::*;
use proptest::prelude::*;

fn iota(shape: &[usize]) -> Array {
    Array::from_vec(shape, (0..shape.iter().product::<usize>() as i32).collect()).unwrap()
}

#[test]
fn views_share_memory() {
    let a = iota(&[2, 3, 4]);
    let t = a.transpose(&[2, 0, 1]).unwrap();
    assert_eq!(t.shape(), &Shape::from([4, 2, 3]));
    let s = t.slice(0, 3, 2, -2).unwrap();
    assert_eq!(s.to_vec::<i32>().unwrap(), [3, 7, 11, 15, 19, 23, 1, 5, 9, 13, 17, 21]);
    let b = iota(&[3, 1]).broadcast_to([2, 3, 2]).unwrap();
    assert_eq!(b.to_vec::<i32>().unwrap(), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
    assert!(s.shares_memory(&a) && !s.is_contiguous() && !a.is_unshared());
    // Merging the outer two axes of a transposed array needs no copy, merging the inner two does.
    let t = a.transpose(&[0, 2, 1]).unwrap();
    assert!(t.reshape([2, 2, 2, 3]).unwrap().shares_memory(&a));
    assert!(!t.reshape([24]).unwrap().shares_memory(&a));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let a = iota(&[2, 3]);
    assert_eq!(a.reshape([4]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(a.transpose(&[0, 0]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(a.slice(1, 1, 3, 1).unwrap_err().kind(), ErrorKind::Index);
    assert_eq!(a.slice(1, 1, 3, -1).unwrap_err().kind(), ErrorKind::Index);
    assert_eq!(a.broadcast_to([3, 3]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(a.to_vec::<f32>().unwrap_err().kind(), ErrorKind::DType);
    assert_eq!(a.item().unwrap_err().kind(), ErrorKind::Shape);
    let huge = [usize::MAX, usize::MAX];
    assert_eq!(Array::zeros(huge, DType::F32).unwrap_err().kind(), ErrorKind::Memory);
    assert_eq!(Array::zeros([1 << 60], DType::Bool).unwrap_err().kind(), ErrorKind::Memory);
    assert_eq!(Array::zeros([1 << 62], DType::F64).unwrap_err().kind(), ErrorKind::Memory);
    assert_eq!(
        a.slice(1, 0, 1, 1).unwrap().broadcast_to([usize::MAX, 2, 9]).unwrap_err().kind(),
        ErrorKind::Memory
    );
}

#[test]
fn slices_of_any_numbers_stay_within_the_array() {
    let a = iota(&[10, 2]);
    let kind = |axis, start, length, step| a.slice(axis, start, length, step).unwrap_err().kind();
    for step in [1, -1, isize::MAX, isize::MIN] {
        for length in [usize::MAX, usize::MAX - 1, 1 << 63, (1 << 63) + 1, 11] {
            assert_eq!(kind(0, 2, length, step), ErrorKind::Index, "{length} in steps of {step}");
        }
        assert_eq!(kind(0, usize::MAX, 1, step), ErrorKind::Index);
        assert_eq!(kind(2, 0, 1, step), ErrorKind::Shape);
        assert_eq!(kind(usize::MAX, 0, 0, step), ErrorKind::Shape);
        assert_eq!(a.slice(0, 2, 1, step).unwrap().to_vec::<i32>().unwrap(), [4, 5]);
        assert_eq!(a.slice(0, usize::MAX, 0, step).unwrap().len(), 0);
    }
    // Step 0 is the same element again, but not more often than can be counted.
    assert_eq!(a.slice(0, 2, 3, 0).unwrap().to_vec::<i32>().unwrap(), [4, 5, 4, 5, 4, 5]);
    assert_eq!(kind(0, 2, usize::MAX, 0), ErrorKind::Index);
    assert_eq!(kind(0, 2, isize::MAX as usize, 0), ErrorKind::Memory);
}

#[test]
fn a_count_of_references_never_overflows() {
    let child = "SLALOM_TEST_OF_REFERENCES";
    if std::env::var_os(child).is_some() {
        let a = iota(&[1]);
        a.references().store(1 << 31, Ordering::Relaxed);
        std::mem::forget((a.clone(), a));
        return;
    }
    let test = "array::tests::a_count_of_references_never_overflows";
    let mut run = std::process::Command::new(std::env::current_exe().unwrap());
    let output = run.args(["--exact", test]).env(child, "1").output().unwrap();
    // A process that aborts says nothing of its tests.
    assert!(!output.status.success() && !String::from_utf8_lossy(&output.stdout).contains("test result"));
}

#[test]
fn cast_follows_the_rules() {
    let a = Array::from_vec([5], vec![-1.9f32, 0.0, 2.9, f32::NAN, 1e20]).unwrap();
    assert_eq!(a.cast(DType::I32).unwrap().to_vec::<i32>().unwrap(), [-1, 0, 2, 0, i32::MAX]);
    assert_eq!(a.cast(DType::Bool).unwrap().to_vec::<bool>().unwrap(), [true, false, true, true, true]);
    let big = Array::from_vec([1], vec![i64::MAX - 1]).unwrap();
    assert_eq!(big.cast(DType::I32).unwrap().to_vec::<i32>().unwrap(), [-2]);
}

proptest! {
    #[test]
    fn reshape_of_a_view_keeps_the_order(
        shape in prop::collection::vec(1usize..5, 0..4), seed in any::<prop::sample::Index>(), cut in 0usize..4,
    ) {
        let a = iota(&shape);
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        if !axes.is_empty() {
            axes.rotate_left(seed.index(shape.len()));
        }
        let mut view = a.transpose(&axes).unwrap();
        if view.rank() > 0 && cut < view.shape()[0] {
            view = view.slice(0, cut, view.shape()[0] - cut, 1).unwrap();
        }
        let order = view.to_vec::<i32>().unwrap();
        let n = view.len();
        for k in (1..=n).filter(|k| n.is_multiple_of(*k)) {
            prop_assert_eq!(view.reshape([k, 1, n / k]).unwrap().to_vec::<i32>().unwrap(), &order[..]);
        }
    }
}
