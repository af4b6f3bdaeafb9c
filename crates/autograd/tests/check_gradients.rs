//! The gradient check itself: it must reject what is wrong.
use slalom_array::{Array, DType, ErrorKind, Map, Result, map};
use slalom_autograd::{GradientCheck, Gradients, Op, Outputs, Saves, Tensor, Vjp, apply, check_gradients};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    Right,
    /// `2x²` for `3x²`.
    Wrong,
    /// The right value, as a constant.
    WrongSecond,
    /// No gradient at all.
    Cut,
}

/// `x³`
#[derive(Debug, Clone, Copy)]
struct Cube(Rule);

impl Map<f64, f64, 1> for Cube {
    fn eval(self, [x]: [f64; 1]) -> f64 {
        x * x * x
    }
}

impl Op for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        Ok([map("cube", *self, [inputs[0]])?].into())
    }
    fn saves(&self) -> Saves {
        Saves::Inputs
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        let x = match self.0 {
            Rule::WrongSecond => cx.input(0).stop_gradient(),
            _ => cx.input(0).clone(),
        };
        let factor = if self.0 == Rule::Wrong { 2.0 } else { 3.0 };
        Ok([Some((cx.grad()? * (factor * x.square())).into())].into_iter().collect())
    }
    fn is_differentiable(&self) -> bool {
        self.0 != Rule::Cut
    }
}

fn point() -> Tensor {
    Tensor::from_vec([2, 1], vec![0.5, 2.0]).unwrap()
}

fn cube(rule: Rule) -> impl Fn(&[Tensor]) -> Result<Tensor> {
    move |x| apply(Cube(rule), [&x[0]])
}

#[test]
fn a_right_rule_passes_in_every_order() {
    let check = GradientCheck::new().tolerances(&[1e-9, 1e-9, 1e-8]);
    let report = check.run(cube(Rule::Right), &[point()]).unwrap();
    assert!(report.worst(3) > 0.0 && report.derivatives() > 4, "{report:?}");
}

#[test]
fn a_wrong_rule_is_named_with_both_values() {
    let error = check_gradients(cube(Rule::Wrong), &[point()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gradient);
    // 3 * 0.5² and 2 * 0.5²; differences are exact up to rounding.
    let text = error.to_string();
    let expected: f64 = text.split("expected ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((expected - 0.75).abs() < 1e-9, "{text}");
    assert!(text.contains("element [0, 0] of the output by element [0, 0] of input 0, got 5e-1"), "{text}");
}

#[test]
fn a_rule_wrong_in_second_order_alone_is_rejected() {
    GradientCheck::new().tolerances(&[1e-6]).run(cube(Rule::WrongSecond), &[point()]).unwrap();
    let error = check_gradients(cube(Rule::WrongSecond), &[point()]).unwrap_err();
    assert!(error.to_string().contains("of gradient 0 (of order 1)"), "{error}");
    assert!(error.to_string().ends_with("got 0e0 from the tape"), "{error}");
}

#[test]
fn a_missing_gradient_is_rejected() {
    let error = check_gradients(cube(Rule::Cut), &[point()]).unwrap_err();
    assert!(error.to_string().ends_with("got 0e0 from the tape"), "{error}");
}

#[test]
fn a_value_that_is_not_a_number_is_rejected() {
    let x = Tensor::from_vec([1], vec![-1.0]).unwrap();
    assert!(check_gradients(|x| x[0].log(), &[x]).is_err());
}

#[test]
fn integers_are_held_fixed_and_f32_is_refused() {
    let [a, n] = [point(), Tensor::from_vec([2, 1], vec![3i32, 4]).unwrap()];
    let report = check_gradients(|x| Ok(&x[0] * &x[1].cast(DType::F64)?), &[a, n]).unwrap();
    assert!(report.worst(1) < 1e-9);
    let error = check_gradients(|x| Ok(x[0].square()), &[Tensor::scalar(1.0f32)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DType);
}
