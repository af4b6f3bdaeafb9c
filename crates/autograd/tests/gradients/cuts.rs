//! Ops without a gradient: that they have none, and are named when somebody misses it.
use slalom_array::{DType, Result};
use slalom_autograd::{Direction, Disconnection, GradientTape, PersistentGradientTape, Tensor};

/// An op, and a function in which it is the first that cuts.
pub(crate) struct Cut {
    pub(crate) name: &'static str,
    dtype: DType,
    function: fn(&Tensor) -> Result<Tensor>,
}

/// The gradient of the largest elements, as a function of all: which they are is a comparison.
fn slopes_of_max(x: &Tensor) -> Result<Tensor> {
    let tape = GradientTape::unwatched();
    let x = tape.watch(x);
    tape.gradient(&x.max(&[-1], false)?, &x)?.expect("a gradient").to_dense()
}

pub(crate) fn cuts() -> Vec<Cut> {
    [of_numbers(), of_integers(), of_truths()].into_iter().flatten().collect()
}

fn of_numbers() -> Vec<Cut> {
    let cut = |name, function| Cut { name, dtype: DType::F64, function };
    vec![
        cut("argmax", |x| x.argmax(-1)),
        cut("argmin", |x| x.argmin(0)),
        cut("argsort", |x| x.argsort(-1, Direction::Descending)),
        cut("ceil", |x| x.ceil()),
        cut("equal", |x| x.equal(x)),
        cut("floor", |x| x.floor()),
        cut("floordiv", |x| x.floordiv(x)),
        cut("greater", |x| x.greater(x)),
        cut("greater_equal", |x| x.greater_equal(x)),
        cut("indicator", slopes_of_max),
        cut("is_finite", |x| x.is_finite()),
        cut("is_inf", |x| x.is_inf()),
        cut("is_nan", |x| x.is_nan()),
        cut("less", |x| x.less(x)),
        cut("less_equal", |x| x.less_equal(x)),
        cut("nonzero", |x| x.nonzero()),
        cut("not_equal", |x| x.not_equal(x)),
        cut("round", |x| x.round()),
        cut("searchsorted", |x| x.searchsorted(x, false)),
        cut("stop_gradient", |x| Ok(x.stop_gradient())),
        cut("top_k", |x| Ok(x.top_k(1)?.1)),
        cut("unique", |x| Ok(x.reshape([x.len()])?.unique()?.values)),
    ]
}

fn of_integers() -> Vec<Cut> {
    let cut = |name, function| Cut { name, dtype: DType::I32, function };
    vec![
        cut("bitwise_and", |x| x.bitwise_and(x)),
        cut("bitwise_or", |x| x.bitwise_or(x)),
        cut("bitwise_xor", |x| x.bitwise_xor(x)),
        cut("left_shift", |x| x.left_shift(x)),
        cut("one_hot", |x| x.one_hot(4, DType::F64)),
        cut("right_shift", |x| x.right_shift(x)),
        cut("row_indices", |x| Tensor::ones([4, 4], DType::F64)?.gather_nd(x, 0)),
    ]
}

fn of_truths() -> Vec<Cut> {
    let cut = |name, function| Cut { name, dtype: DType::Bool, function };
    vec![
        cut("all", |x| x.all(&[-1], false)),
        cut("any", |x| x.any(&[0], true)),
        cut("logical_and", |x| x.logical_and(x)),
        cut("logical_or", |x| x.logical_or(x)),
        cut("logical_xor", |x| x.logical_xor(x)),
    ]
}

#[test]
fn ops_without_gradient_cut_and_are_named() {
    for Cut { name, dtype, function } in cuts() {
        let tape = PersistentGradientTape::unwatched();
        let x = Tensor::from_vec([2, 2], vec![0.0, 1.0, 2.0, 3.0]).unwrap().cast(dtype).unwrap();
        let x = tape.watch(&x);
        // Passes on what was cut.
        let y = function(&x).and_then(|y| y.cast(DType::F64)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let y = y.square().sum();
        assert!(tape.gradient(&y, &x).unwrap().is_none(), "{name} has a gradient");
        // What holds no floats is not watched in the first place.
        let cut = if dtype.is_float() { Disconnection::Cut { op: name } } else { Disconnection::Unwatched };
        assert_eq!(tape.disconnection(&y, &x), Some(cut), "{name}");
    }
}
