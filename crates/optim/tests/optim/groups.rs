//! Parameter groups: steps of their own, frozen variables, patterns that match nothing.
use slalom_array::{Array, DType, ErrorKind, Result};
use slalom_autograd::Tensor;
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::schedules::ReduceOnPlateau;
use slalom_optim::{Group, Optimizer};
use slalom_variable::Variable;

fn bits(variables: &[Variable]) -> Vec<u64> {
    let all = variables.iter().flat_map(|v| v.array().to_vec::<f64>().unwrap());
    all.map(f64::to_bits).collect()
}

/// A table and a kernel, and a loss of both.
struct Model {
    table: Variable,
    kernel: Variable,
}

impl Model {
    fn new() -> Result<Model> {
        let [table, kernel] = [("table", [5, 3]), ("kernel", [3, 1])]
            .map(|(name, shape)| Variable::new(Array::full(shape, 0.5, DType::F64).unwrap()).named(name));
        Ok(Model { table, kernel })
    }

    fn loss(&self, step: usize) -> Result<Tensor> {
        let row = Tensor::from_vec([2], vec![step as i64 % 5, (step as i64 + 2) % 5])?;
        (self.table.value().gather(row, 0)?.matmul(&self.kernel)? - step as f64).square().mean()
    }

    fn variables(&self) -> [&Variable; 2] {
        [&self.table, &self.kernel]
    }
}

/// Groups in one optimizer make the steps of an optimizer for each.
#[test]
fn groups_are_optimizers_of_their_own() -> Result<()> {
    let (together, apart) = (Model::new()?, Model::new()?);
    let rule = || Adam::new(|| 0.25);
    let mut opt = Optimizer::new(rule())?
        .group(Group::matching("ker").learning_rate_factor(0.5).hyper("beta_1", 0.5))?
        .group(Group::of([&together.kernel]).learning_rate_factor(0.5).hyper("beta_1", 0.75))?;
    let mut tables = Optimizer::new(rule())?;
    let mut kernels = Optimizer::new(Adam::new(0.0625).beta_1(0.75))?;
    for step in 0..10 {
        opt.minimize(|| together.loss(step), together.variables())?;
        let gradients = tables.compute_gradients(|| apart.loss(step), apart.variables())?;
        let [table, kernel] = <[_; 2]>::try_from(gradients).expect("two");
        tables.apply_gradients([table])?;
        kernels.apply_gradients([kernel])?;
    }
    assert_eq!(bits(&[together.table, together.kernel]), bits(&[apart.table, apart.kernel]));
    Ok(())
}

/// A metric reaches the schedules of groups too, and what they remember is among the weights.
#[test]
fn schedules_of_groups_take_notice_of_metrics() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(0.0f64).named(name));
    let plateau = ReduceOnPlateau::new(1.0).patience(0).factor(0.5);
    let mut opt =
        Optimizer::new(Sgd::new(1.0))?.group(Group::matching("y").hyper("learning_rate", plateau))?;
    let steps = [(1.0, [-1.0, -1.0]), (1.0, [-2.0, -1.5]), (1.0, [-3.0, -1.75])];
    for (metric, expected) in steps {
        opt.observe(metric)?;
        opt.minimize(|| &x + &y, [&x, &y])?;
        assert_eq!([x.value().item()?, y.value().item()?], expected);
    }
    let state = opt.state([&x, &y])?;
    assert!(state.arrays.keys().any(|name| name.starts_with("schedules/groups/0/learning_rate/")));
    Ok(())
}

#[test]
fn frozen_variables_stay_and_thaw() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(1.0f64).named(name));
    let mut opt = Optimizer::new(Sgd::new(0.5).momentum(0.5))?
        .global_clipnorm(3.0)?
        .group(Group::matching("y").frozen(true))?;
    // The frozen variable's gradient of 4 does not count in the norm of all.
    opt.minimize(|| 3.0 * &x + 4.0 * &y, [&x, &y])?;
    assert_eq!((x.value().item()?, y.value().item()?), (-0.5, 1.0));
    assert_eq!(opt.get_slot(&y, "momentum").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(opt.minimize(|| 3.0 * &y, [&y])?.iterations, 1);
    opt.set_frozen(0, false)?;
    opt.minimize(|| 2.0 * &y, [&y])?;
    assert_eq!((x.value().item()?, y.value().item()?), (-0.5, 0.0));
    assert_eq!(opt.set_frozen(1, true).unwrap_err().kind(), ErrorKind::NotFound);
    Ok(())
}

#[test]
fn a_pattern_that_matches_nothing_is_an_error() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(1.0f64).named(name));
    let make = |pattern| Optimizer::new(Sgd::new(0.5))?.group(Group::matching(pattern).frozen(true));
    let error = make("bias")?.minimize(|| &x * &y, [&x, &y]).unwrap_err();
    let text = "SGD: group: expected a variable whose name matches \"bias\", got [\"x\", \"y\"]";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Argument, text));
    assert_eq!(make("bias")?.build([&x]).unwrap_err().kind(), ErrorKind::Argument);
    assert_eq!(make("bias")?.minimize_op(|| &x * &y, [&x, &y]).unwrap_err().kind(), ErrorKind::Argument);
    // A variable without a gradient has a name too, and once is enough.
    let mut opt = make("^y$")?;
    opt.minimize(|| &x * 2.0, [&x, &y])?;
    opt.minimize(|| &x * 2.0, [&x])?;
    assert_eq!((x.value().item()?, y.value().item()?), (-1.0, 1.0));
    assert_eq!(make("(").unwrap_err().kind(), ErrorKind::Argument);
    Ok(())
}
