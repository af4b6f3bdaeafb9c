//! Initializers against TensorFlow's values and the moments of its distributions, and what they refuse.
mod golden;

use golden::number;
use serde_json::Value;
use slalom_array::{DType, ErrorKind, Result, Shape};
use slalom_variable::initializers::{
    self, Distribution, FanMode, GlorotUniform, Initializer, Orthogonal, RandomNormal, RandomUniform,
    VarianceScaling,
};
use slalom_variable::{Config, random};

/// Draws at least 200,000 elements and checks mean, standard deviation and bounds.
fn check_moments(id: &Value, initializer: &dyn Initializer, shape: &Shape, facts: &Value) -> Result<()> {
    let bound = |name: &str, default| facts.get(name).map_or(default, number);
    // Bounds are rounded to f32 with the numbers.
    let (low, high) = (bound("min", f64::NEG_INFINITY) as f32, bound("max", f64::INFINITY) as f32);
    let (mean, std) = (number(&facts["mean"]), number(&facts["std"]));
    let (mut count, mut sum, mut squares) = (0usize, 0.0, 0.0);
    while count < 200_000 {
        for x in initializer.initialize(shape, DType::F32)?.to_vec::<f32>()? {
            assert!((low..=high).contains(&x), "{id}: {x} not in [{low}, {high}]");
            let deviation = f64::from(x) - mean;
            (count, sum, squares) = (count + 1, sum + deviation, squares + deviation * deviation);
        }
    }
    let (offset, got) = (sum / count as f64, (squares / count as f64).sqrt());
    assert!(offset.abs() <= 5.0 * std / (count as f64).sqrt(), "{id}: mean off by {offset}");
    assert!((got / std - 1.0).abs() <= 0.02, "{id}: standard deviation {got}, want {std}");
    Ok(())
}

/// Checks that the vectors of the shorter side are orthogonal and of length `gain`.
fn check_orthogonal(id: &Value, values: &[f64], rows: usize, columns: usize, gain: f64, tolerance: f64) {
    let (vectors, length) = (rows.min(columns), rows.max(columns));
    let at = |vector: usize, i: usize| match rows < columns {
        true => values[vector * columns + i],
        false => values[i * columns + vector],
    };
    for a in 0..vectors {
        for b in 0..vectors {
            let dot: f64 = (0..length).map(|i| at(a, i) * at(b, i)).sum::<f64>() / (gain * gain);
            let want = if a == b { 1.0 } else { 0.0 };
            assert!((dot - want).abs() < tolerance, "{id}: vectors {a} and {b} have product {dot}");
        }
    }
}

#[test]
fn initializers_are_those_of_tensorflow() -> Result<()> {
    random::set_seed(20240229);
    let file = golden::load("initializers");
    for case in &file.cases {
        let (id, facts) = (&case["id"], &case["facts"]);
        let config = golden::config(&case["config"]);
        let initializer = initializers::from_config(case["initializer"].as_str().unwrap(), &config)?;
        let shape = Shape::from(golden::shape(&case["shape"]));
        let made = initializer.initialize(&shape, DType::F32);
        if facts.get("error").is_some() {
            assert_eq!(made.unwrap_err().kind(), ErrorKind::Shape, "{id}");
        } else if facts.get("values").is_some() {
            file.check(case, "values", &made?, &facts["values"]);
        } else if facts.get("property").is_some() {
            let flat = golden::shape(&facts["flattened"]);
            let gain = config.number("gain", 1.0)?;
            check_orthogonal(id, &golden::elements(&made?), flat[0], flat[1], gain, 1e-6);
        } else {
            check_moments(id, &*initializer, &shape, facts)?;
        }
    }
    Ok(())
}

#[test]
fn orthogonal_in_f64() -> Result<()> {
    let id = Value::from("f64");
    for (rows, columns) in [(40, 40), (3, 50), (50, 3), (1, 1)] {
        let shape = Shape::from([rows, columns]);
        let q = Orthogonal::new(2.0).seed(5).initialize(&shape, DType::F64)?.to_vec::<f64>()?;
        check_orthogonal(&id, &q, rows, columns, 2.0, 1e-14);
    }
    // The distribution is uniform: each element of a 2 x 2 matrix is the cosine of a uniform angle, of variance 1/2.
    let square = Shape::from([2, 2]);
    let draws = (0..4000).map(|seed| Orthogonal::new(1.0).seed(seed).initialize(&square, DType::F64));
    let (mut sum, mut squares) = ([0.0; 4], [0.0; 4]);
    for q in draws {
        for (i, x) in q?.to_vec::<f64>()?.into_iter().enumerate() {
            (sum[i], squares[i]) = (sum[i] + x / 4000.0, squares[i] + x * x / 4000.0);
        }
    }
    for i in 0..4 {
        assert!(sum[i].abs() < 5.0 * (0.5f64 / 4000.0).sqrt() && (squares[i] - 0.5).abs() < 0.03, "{sum:?}");
    }
    Ok(())
}

#[test]
fn seeds_make_values_reproducible() -> Result<()> {
    let shape = Shape::from([3, 5]);
    let seeded = RandomNormal::default().seed(3);
    let first = seeded.initialize(&shape, DType::F64)?.to_vec::<f64>()?;
    assert_eq!(seeded.initialize(&shape, DType::F64)?.to_vec::<f64>()?, first);
    assert_ne!(RandomNormal::default().seed(4).initialize(&shape, DType::F64)?.to_vec::<f64>()?, first);
    let unseeded = GlorotUniform::new();
    let draw = || unseeded.initialize(&shape, DType::F32)?.to_vec::<f32>();
    assert_ne!(draw()?, draw()?);
    Ok(())
}

#[test]
fn configs_build_the_same_initializer_again() -> Result<()> {
    let fan_out = VarianceScaling::new(0.5, FanMode::FanOut, Distribution::UntruncatedNormal).seed(7);
    let config = fan_out.get_config();
    let again = initializers::from_config("VarianceScaling", &config)?;
    assert_eq!(again.get_config(), config);
    let shape = Shape::from([4, 6]);
    let values = |i: &dyn Initializer| i.initialize(&shape, DType::F64)?.to_vec::<f64>();
    assert_eq!(values(&*again)?, values(&fan_out)?);
    let default = |class_name| initializers::from_config(class_name, &Config::new()).map(|i| i.get_config());
    assert_eq!(default("GlorotUniform")?, GlorotUniform::default().get_config());
    assert_eq!(default("RandomUniform")?, RandomUniform::default().get_config());
    assert_eq!(default("VarianceScaling")?, VarianceScaling::default().get_config());
    Ok(())
}

#[test]
fn what_cannot_be_made_is_an_error() {
    let shape = Shape::from([2, 2]);
    let kind = |i: &dyn Initializer, dtype| i.initialize(&shape, dtype).err().map(|error| error.kind());
    for scale in [0.0, -1.0, f64::NAN] {
        let scaling = VarianceScaling::new(scale, FanMode::FanIn, Distribution::Uniform);
        assert_eq!(kind(&scaling, DType::F32), Some(ErrorKind::Argument));
    }
    assert_eq!(kind(&RandomUniform::new(1.0, 0.0), DType::F32), Some(ErrorKind::Argument));
    assert_eq!(kind(&RandomUniform::new(0.0, 1e300), DType::F32), Some(ErrorKind::Argument));
    assert_eq!(kind(&RandomUniform::new(0.0, 1e300), DType::F64), None);
    assert_eq!(kind(&GlorotUniform::new(), DType::I32), Some(ErrorKind::DType));
    assert_eq!(kind(&Orthogonal::default(), DType::Bool), Some(ErrorKind::DType));
    let refused = |name, config| initializers::from_config(name, &config).err().map(|error| error.kind());
    let config = Config::new;
    assert_eq!(refused("Glorot", config()), Some(ErrorKind::NotFound));
    assert_eq!(refused("HeNormal", config().with("scale", 2.0)), Some(ErrorKind::Config));
    assert_eq!(refused("VarianceScaling", config().with("mode", "fan")), Some(ErrorKind::Config));
    assert_eq!(refused("RandomNormal", config().with("seed", "one")), Some(ErrorKind::Config));
}
