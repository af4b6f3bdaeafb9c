//! Constraints against TensorFlow's numbers, and what they refuse.
mod golden;

use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_variable::constraints::{
    self, Constraint, MaxNorm, MinMaxNorm, NonNeg, RadialConstraint, UnitNorm,
};
use slalom_variable::{Config, Variable};

#[test]
fn constraints_are_those_of_tensorflow() -> Result<()> {
    let file = golden::load("constraints");
    for case in &file.cases {
        let config = golden::config(&case["config"]);
        let constraint = constraints::from_config(case["class_name"].as_str().unwrap(), &config)?;
        let output = constraint.apply(&golden::array(&case["input"]).into())?;
        file.check(case, "output", output.array()?, &case["output"]);
    }
    Ok(())
}

#[test]
fn configs_build_the_same_constraint_again() -> Result<()> {
    let all: [Box<dyn Constraint>; 6] = [
        Box::new(NonNeg),
        Box::new(MaxNorm::new(0.5).axis(&[0, 1])),
        Box::new(MaxNorm::default()),
        Box::new(MinMaxNorm::new(0.25, 0.5).rate(0.75).axis(&[-1])),
        Box::new(UnitNorm::default().axis(&[2])),
        Box::new(RadialConstraint),
    ];
    let value = Tensor::from_vec([3, 3, 2, 1], (0..18).map(|i| i as f64 / 4.0 - 2.0).collect())?;
    for constraint in all {
        let config = constraint.get_config();
        let again = constraints::from_config(constraint.class_name().unwrap(), &config)?;
        assert_eq!((again.class_name(), again.get_config()), (constraint.class_name(), config));
        assert_eq!(again.apply(&value)?.to_vec::<f64>()?, constraint.apply(&value)?.to_vec::<f64>()?);
    }
    Ok(())
}

#[test]
fn defaults_are_those_of_keras() -> Result<()> {
    let none = Config::new();
    let default = |class_name| constraints::from_config(class_name, &none).map(|c| c.get_config());
    assert_eq!(default("MaxNorm")?, none.clone().with("max_value", 2.0).with("axis", 0));
    assert_eq!(default("UnitNorm")?, none.clone().with("axis", 0));
    let min_max =
        none.clone().with("min_value", 0.0).with("max_value", 1.0).with("rate", 1.0).with("axis", 0);
    assert_eq!(default("MinMaxNorm")?, min_max);
    assert_eq!(MinMaxNorm::default().get_config(), min_max);
    Ok(())
}

#[test]
fn values_outside_of_numbers() -> Result<()> {
    let odd = [f64::NAN, f64::INFINITY, -f64::INFINITY, -0.0];
    let y = NonNeg.apply(&Tensor::from_vec([4], odd.to_vec())?)?.to_vec::<f64>()?;
    assert!(y[0].is_nan() && y[1] == f64::INFINITY && y[2].is_nan() && y[3] == 0.0);
    // Bounds that cross are both the lower one; a negative limit is 0.
    let x = Tensor::from_vec([1], vec![4.0f64])?;
    assert!((MinMaxNorm::new(2.0, 1.0).apply(&x)?.item()? - 2.0).abs() < 1e-6);
    assert_eq!(MaxNorm::new(-1.0).apply(&x)?.item()?, 0.0);
    Ok(())
}

#[test]
fn what_cannot_be_constrained_is_an_error() -> Result<()> {
    let kind = |result: Result<Tensor>| result.unwrap_err().kind();
    let of_shape = |shape: &[usize]| Tensor::zeros(shape, DType::F32);
    for shape in [&[1, 1, 2, 2][..], &[0, 0, 2, 2], &[3, 3, 2], &[3, 5, 1, 1]] {
        assert_eq!(kind(RadialConstraint.apply(&of_shape(shape)?)), ErrorKind::Shape, "{shape:?}");
    }
    let vector = of_shape(&[2])?;
    assert_eq!(kind(MaxNorm::default().axis(&[1]).apply(&vector)), ErrorKind::Shape);
    assert_eq!(kind(MinMaxNorm::default().axis(&[0, 0]).apply(&vector)), ErrorKind::Shape);
    assert_eq!(kind(UnitNorm::new().axis(&[-2]).apply(&vector)), ErrorKind::Shape);
    let integers = Tensor::zeros([2], DType::I32)?;
    assert_eq!(kind(NonNeg.apply(&integers)), ErrorKind::DType);
    assert_eq!(kind(MaxNorm::default().apply(&integers)), ErrorKind::DType);
    assert_eq!(kind(UnitNorm::new().apply(&integers)), ErrorKind::DType);
    Ok(())
}

#[test]
fn configs_that_make_no_constraint() {
    let kind = |name, config| constraints::from_config(name, &config).err().map(|error| error.kind());
    assert_eq!(kind("NonNegative", Config::new()), Some(ErrorKind::NotFound));
    assert_eq!(kind("MaxNorm", Config::new().with("max", 1.0)), Some(ErrorKind::Config));
    assert_eq!(kind("MaxNorm", Config::new().with("max_value", "2")), Some(ErrorKind::Config));
    assert_eq!(kind("UnitNorm", Config::new().with("axis", 0.5)), Some(ErrorKind::Config));
}

#[test]
fn closures_are_constraints() -> Result<()> {
    let halve = |w: &Tensor| Ok(0.5 * w);
    let v = Variable::new(Array::from_vec([2], vec![2.0f32, 4.0])?).constrained(halve);
    let constraint = v.constraint().unwrap();
    assert_eq!(constraint.apply(&v.value())?.to_vec::<f32>()?, [1.0, 2.0]);
    assert_eq!(constraint.class_name(), None);
    let max_norm = constraints::from_config("MaxNorm", &Config::new())?;
    let constrained = Variable::new(Array::from_vec([1], vec![8.0f32])?).constrained(max_norm);
    assert_eq!(constrained.constraint().unwrap().class_name(), Some("MaxNorm"));
    assert!((constrained.constraint().unwrap().apply(&constrained.value())?.item()? - 2.0).abs() < 1e-6);
    Ok(())
}
