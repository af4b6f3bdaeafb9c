//! The stages that are off by default, against formulas and against steps without them.
use rayon::ThreadPoolBuilder;
use slalom_array::{Array, DType, ErrorKind, Generator, Result};
use slalom_autograd::{Gradient, GradientTape, IndexedSlices, Tensor};
use slalom_optim::rules::{Adam, RMSprop, Sgd};
use slalom_optim::schedules::ReduceOnPlateau;
use slalom_optim::{GradientList, Group, Optimizer, Rule};
use slalom_variable::Variable;

fn bits(variables: &[Variable]) -> Vec<u64> {
    let all = variables.iter().flat_map(|v| v.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap());
    all.map(f64::to_bits).collect()
}

fn close(got: &Variable, want: &Variable, tolerance: f64) {
    let [got, want] = [got, want].map(|v| v.array().to_vec::<f64>().unwrap());
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "expected {want:e}, got {got:e}");
    }
}

fn normal(random: &Generator, shape: &[usize]) -> Result<Array> {
    let mut elements = vec![0.0f64; shape.iter().product()];
    random.normal(0.0, 1.0, &mut elements);
    Array::from_vec(shape, elements)
}

fn sparse(rows: &[i64], values: Vec<f64>, shape: [usize; 2]) -> Result<Gradient> {
    let values = Tensor::from_vec([rows.len(), shape[1]], values)?;
    Ok(IndexedSlices::new(Tensor::from_vec([rows.len()], rows.to_vec())?, values, shape)?.into())
}

fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(Sgd::new(0.1)),
        Box::new(Sgd::new(0.1).momentum(0.9)),
        Box::new(Adam::new(0.1).amsgrad(true)),
        Box::new(Adam::new(0.1).lazy(true)),
        Box::new(RMSprop::new(0.01)),
    ]
}

/// A table and a dense kernel on top of it; batches are rows of the table with their targets.
struct Model {
    table: Variable,
    kernel: Variable,
    rows: Vec<i64>,
    targets: Vec<f64>,
}

impl Model {
    const ROWS: usize = 50;

    fn new() -> Result<Model> {
        let random = Generator::from_seed(5);
        let mut targets = vec![0.0f64; 640];
        random.normal(0.0, 1.0, &mut targets);
        let rows = (0..640i64).map(|i| i * i * 7 % 41).collect();
        Ok(Model {
            table: Variable::new(normal(&random, &[Model::ROWS, 3])?).named("table"),
            kernel: Variable::new(normal(&random, &[3, 1])?).named("kernel"),
            rows,
            targets,
        })
    }

    fn loss(&self, start: usize, count: usize) -> Result<Tensor> {
        let rows = Tensor::from_vec([count], self.rows[start..start + count].to_vec())?;
        let targets = Tensor::from_vec([count, 1], self.targets[start..start + count].to_vec())?;
        (self.table.value().gather(rows, 0)?.matmul(&self.kernel)? - targets).square().mean()
    }

    fn variables(&self) -> [&Variable; 2] {
        [&self.table, &self.kernel]
    }
}

/// Trains both with one batch, and with four micro-batches for each.
fn train_in_parts(
    [one, many]: [&Model; 2],
    [whole, parts]: [Optimizer; 2],
    variables: impl Fn(&Model) -> Vec<&Variable>,
) -> Result<()> {
    let (mut whole, mut parts) = (whole, parts.gradient_accumulation_steps(4)?);
    for step in 0..20 {
        let report = whole.minimize(|| one.loss(step * 32, 32), variables(one))?;
        for part in 0..4 {
            let micro = parts.minimize(|| many.loss(step * 32 + part * 8, 8), variables(many))?;
            assert_eq!(micro.iterations, report.iterations - (part < 3) as i64);
        }
        assert_eq!(parts.accumulated_steps()?, 0);
    }
    close(&many.table, &one.table, 1e-12);
    close(&many.kernel, &one.kernel, 1e-12);
    Ok(())
}

#[test]
fn micro_batches_make_the_step_of_one_batch() -> Result<()> {
    for (whole, parts) in rules().into_iter().zip(rules()) {
        let optimizers = [Optimizer::from_rule(whole)?, Optimizer::from_rule(parts)?];
        train_in_parts([&Model::new()?, &Model::new()?], optimizers, |model| model.variables().to_vec())?;
    }
    // Clipping sees the mean. (The norm of sparse gradients is that of their rows as they are, and the rows of the mean are
    // those of a batch after duplicates have been summed.)
    for (whole, parts) in rules().into_iter().zip(rules()) {
        let clipped = |rule| Optimizer::from_rule(rule)?.global_clipnorm(0.25);
        let optimizers = [clipped(whole)?, clipped(parts)?];
        train_in_parts([&Model::new()?, &Model::new()?], optimizers, |model| vec![&model.kernel])?;
    }
    Ok(())
}

#[test]
fn a_partial_window_is_the_mean_of_what_there_is() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(0.0f64).named(name));
    let mut opt = Optimizer::new(Sgd::new(1.0))?.gradient_accumulation_steps(3)?;
    let gradient = |g: f64| Some(Gradient::Dense(Tensor::scalar(g)));
    assert_eq!(opt.apply_accumulated()?, 0);
    assert_eq!(opt.apply_gradients([(gradient(1.0), &x), (None, &y)])?, 0);
    // A gradient that does not fit changes nothing.
    let wrong = Some(Gradient::Dense(Tensor::scalar(1.0f32)));
    assert_eq!(opt.apply_gradients([(wrong, &x)]).unwrap_err().kind(), ErrorKind::DType);
    assert_eq!(opt.accumulated_steps()?, 1);
    assert_eq!(opt.apply_gradients([(gradient(2.0), &x), (gradient(6.0), &y)])?, 0);
    assert_eq!(opt.apply_gradients(Vec::<(Option<Gradient>, &Variable)>::new())?, 0);
    assert_eq!((opt.accumulated_steps()?, opt.apply_accumulated()?, opt.accumulated_steps()?), (2, 1, 0));
    assert_eq!((x.value().item()?, y.value().item()?), (-1.5, -3.0));
    // The next window begins anew; y is missing in all of it, and stays.
    for g in [3.0, 4.0, 5.0] {
        opt.apply_gradients([(gradient(g), &x)])?;
    }
    assert_eq!((x.value().item()?, y.value().item()?, opt.iterations().array().item()?), (-5.5, -3.0, 2.0));
    Ok(())
}

#[test]
fn a_sparse_mean_has_the_rows_of_its_window() -> Result<()> {
    let table = Variable::new(Array::zeros([4, 1], DType::F64)?);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    let look = move |gradients: GradientList| -> Result<GradientList> {
        let slices = gradients[0].0.as_sparse().expect("a sparse gradient");
        let rows = slices.indices().to_vec::<i64>()?;
        log.lock().unwrap().push((rows, slices.values().to_vec::<f64>()?));
        Ok(gradients)
    };
    let mut opt =
        Optimizer::new(Sgd::new(1.0))?.gradient_accumulation_steps(2)?.gradient_transformer(look)?;
    for (rows, values) in
        [([3, 3], [1.0, 2.0]), ([0, 3], [8.0, 1.0]), ([1, 1], [2.0, 2.0]), ([1, 2], [0.0, 4.0])]
    {
        opt.apply_gradients([(sparse(&rows, values.to_vec(), [4, 1])?, &table)])?;
    }
    let expected = [(vec![0, 3], vec![4.0, 2.0]), (vec![1, 2], vec![2.0, 2.0])];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(table.array().to_vec::<f64>()?, [-4.0, -2.0, -2.0, -2.0]);
    Ok(())
}

/// `x (1 - lr λ)` by hand, then a step without decay.
#[test]
fn decay_goes_before_the_update() -> Result<()> {
    // A lazy rule decays the rows of a gradient alone.
    let eager = || rules().into_iter().filter(|rule| rule.config().get("lazy").is_none());
    for (with, without) in eager().zip(eager()) {
        let (a, b) = (Model::new()?, Model::new()?);
        let mut with = Optimizer::from_rule(with)?.weight_decay(0.5)?.exclude_from_weight_decay(["^kern"])?;
        let mut without = Optimizer::from_rule(without)?;
        for step in 0..5 {
            let rate = with.effective_learning_rate()?;
            with.minimize(|| a.loss(step * 16, 16), a.variables())?;
            // Both compute their gradients before anything decays.
            let gradients = without.compute_gradients(|| b.loss(step * 16, 16), b.variables())?;
            b.table.assign(b.table.value() * (1.0 - rate * 0.5))?;
            without.apply_gradients(gradients)?;
        }
        close(&a.table, &b.table, 1e-14);
        close(&a.kernel, &b.kernel, 1e-14);
    }
    Ok(())
}

#[test]
fn averages_follow_their_formula() -> Result<()> {
    let [x, y] = ["x", "y"].map(|name| Variable::new(1.0f64).named(name));
    let held = Variable::new(1.0f64).named("held").constrained(|w: &Tensor| Ok(w * 0.5));
    let mut opt = Optimizer::new(Sgd::new(1.0))?.use_ema(0.75)?.ema_overwrite_frequency(3)?;
    let slope = |g: f64| Gradient::Dense(Tensor::scalar(g));
    let average = |opt: &Optimizer, v: &Variable| opt.get_slot(v, "average")?.array().item();
    opt.apply_gradients([(slope(1.0), &x), (slope(-1.0), &y), (slope(-1.0), &held)])?;
    // The first average is the value; that of a constrained variable is taken before the constraint.
    assert_eq!([average(&opt, &x)?, average(&opt, &y)?, average(&opt, &held)?], [0.0, 2.0, 2.0]);
    assert_eq!(held.value().item()?, 1.0);
    // A variable without a gradient has an average that goes on.
    y.assign(Tensor::scalar(6.0))?;
    opt.apply_gradients([(slope(4.0), &x), (slope(-3.0), &held)])?;
    assert_eq!([average(&opt, &x)?, average(&opt, &y)?, average(&opt, &held)?], [-1.0, 3.0, 2.5]);
    // The third step replaces the values, also the one that it does not update.
    opt.apply_gradients([(slope(0.0), &x), (slope(0.0), &held)])?;
    assert_eq!((x.value().item()?, y.value().item()?), (-1.75, 3.75));
    assert_eq!((held.value().item()?, average(&opt, &held)?), ((0.75 * 2.5 + 0.25 * 2.0) / 2.0, 2.375));
    y.assign(Tensor::scalar(7.0))?;
    let panics = || opt.averaged(|| panic!("{}", y.value().item().unwrap()));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("3.75"));
    assert_eq!((y.value().item()?, average(&opt, &y)?), (7.0, 3.75));
    opt.finalize_variable_values()?;
    assert_eq!(y.value().item()?, 3.75);
    Ok(())
}

#[test]
fn a_variable_listed_twice_is_averaged_once() -> Result<()> {
    let x = Variable::new(0.0f64);
    let mut opt = Optimizer::new(Sgd::new(1.0))?.use_ema(0.5)?.weight_decay(0.5)?;
    let slope = || Gradient::Dense(Tensor::scalar(-4.0f64));
    opt.apply_gradients([(slope(), &x), (slope(), &x)])?;
    // Each update decays: 4, then 4 / 2 + 4.
    assert_eq!((x.value().item()?, opt.get_slot(&x, "average")?.array().item()?), (6.0, 6.0));
    opt.apply_gradients([(slope(), &x)])?;
    assert_eq!((x.value().item()?, opt.get_slot(&x, "average")?.array().item()?), (7.0, 6.5));
    Ok(())
}

#[test]
fn steps_that_are_not_finite_are_skipped() -> Result<()> {
    let x = Variable::new(Array::from_vec([3], vec![1.0f64, 2.0, 3.0])?);
    let mut opt = Optimizer::new(Adam::new(0.1))?.skip_nonfinite().clipnorm(1.0)?;
    let step = |opt: &mut Optimizer, g: [f64; 3]| {
        opt.apply_gradients([(Gradient::Dense(Tensor::from_vec([3], g.to_vec())?), &x)])
    };
    assert_eq!(step(&mut opt, [1.0, 2.0, 3.0])?, 1);
    let before = (bits(&opt.weights()[2..]), bits(std::slice::from_ref(&x)));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(step(&mut opt, [0.0, bad, 1.0])?, 1);
    }
    assert_eq!(
        (opt.skipped_steps()?, (bits(&opt.weights()[2..]), bits(std::slice::from_ref(&x)))),
        (3, before)
    );
    assert_eq!(step(&mut opt, [1.0, 2.0, 3.0])?, 2);
    // A window with such a micro-batch is skipped, and the next begins anew.
    let mut opt = Optimizer::new(Sgd::new(1.0))?.skip_nonfinite().gradient_accumulation_steps(2)?;
    x.assign(Tensor::zeros([3], DType::F64)?)?;
    for g in [1.0, f64::NAN, 3.0, 5.0] {
        step(&mut opt, [g; 3])?;
    }
    assert_eq!(x.array().to_vec::<f64>()?, [-4.0; 3]);
    assert_eq!((opt.skipped_steps()?, opt.iterations().array().item()?), (1, 1.0));
    Ok(())
}

/// A scaled loss makes the same step, in every way in which a step is made.
#[test]
fn loss_scales_cancel() -> Result<()> {
    let plain = Model::new()?;
    Optimizer::new(Adam::new(0.1))?.minimize(|| plain.loss(0, 16), plain.variables())?;
    let want = bits(&[plain.table.clone(), plain.kernel.clone()]);
    for way in 0..5 {
        let model = Model::new()?;
        let mut opt = Optimizer::new(Adam::new(0.1))?.dynamic_loss_scale(1024.0, 3)?;
        match way {
            0 => drop(opt.minimize(|| model.loss(0, 16), model.variables())?),
            1 => drop(opt.minimize_op(|| model.loss(0, 16), model.variables())?.run()?),
            2 => {
                let gradients = opt.compute_gradients(|| model.loss(0, 16), model.variables())?;
                opt.apply_gradients(gradients)?;
            }
            3 => {
                let tape = GradientTape::new();
                let loss = opt.scale_loss(&model.loss(0, 16)?)?;
                let gradients = tape.gradient(&loss, model.variables())?;
                opt.apply_gradients(gradients.into_iter().zip(model.variables()))?;
            }
            _ => {
                let tape = GradientTape::new();
                let loss = model.loss(0, 16)?;
                opt.minimize_with_tape(loss, tape, model.variables())?;
            }
        }
        assert!(bits(&[model.table, model.kernel]) == want, "way {way}");
    }
    Ok(())
}

/// What a traced step reads is the present loss scale.
#[test]
fn traced_steps_follow_the_loss_scale() -> Result<()> {
    let x = Variable::new(0.0f32);
    let slope = Variable::new(1.0f32);
    let mut opt = Optimizer::new(Sgd::new(1.0))?.dynamic_loss_scale(2f64.powi(100), 1)?;
    let mut op = opt.minimize_op(|| &slope * &x, [&x])?;
    let mut scales = Vec::new();
    for power in [27, 27, 20, 20] {
        slope.assign(Tensor::scalar(2f32.powi(power)))?;
        op.run()?;
        scales.push(op.optimizer_mut().loss_scale()?.log2());
    }
    // 2^(27 + 100) is a number, 2^(27 + 101) is none.
    assert_eq!(scales, [101.0, 100.0, 101.0, 102.0]);
    assert_eq!((x.value().item()?, opt.skipped_steps()?), (-2f64.powi(27) - 2f64.powi(21), 1));
    Ok(())
}

#[test]
fn arguments_that_are_refused() -> Result<()> {
    let opt = || Optimizer::new(Sgd::new(0.1)).unwrap();
    let kind = |made: Result<Optimizer>| made.unwrap_err().kind();
    assert_eq!(kind(opt().gradient_accumulation_steps(1)), ErrorKind::Argument);
    assert_eq!(kind(opt().use_ema(1.5)), ErrorKind::Argument);
    assert_eq!(kind(opt().use_ema(f64::NAN)), ErrorKind::Argument);
    assert_eq!(kind(opt().use_ema(0.5)?.ema_overwrite_frequency(0)), ErrorKind::Argument);
    assert_eq!(kind(opt().ema_overwrite_frequency(1)), ErrorKind::State);
    assert_eq!(kind(opt().loss_scale_factor(0.0)), ErrorKind::Argument);
    assert_eq!(kind(opt().dynamic_loss_scale(f64::INFINITY, 1)), ErrorKind::Argument);
    assert_eq!(kind(opt().dynamic_loss_scale(8.0, 0)), ErrorKind::Argument);
    assert_eq!(kind(opt().weight_decay(f64::NAN)), ErrorKind::Argument);
    assert_eq!(kind(opt().group(Group::matching("x").hyper("beta_1", 0.5))), ErrorKind::NotFound);
    assert_eq!(kind(opt().group(Group::matching("x").hyper("momentum", 1.5))), ErrorKind::Argument);
    assert_eq!(kind(opt().group(Group::matching("x").learning_rate_factor(f64::NAN))), ErrorKind::Argument);
    assert_eq!(opt().averaged(|| ()).unwrap_err().kind(), ErrorKind::State);
    let mut built = opt();
    built.build([Variable::new(0.0f64)])?;
    assert_eq!(kind(built.use_ema(0.5)), ErrorKind::State);
    let mut built = opt();
    built.build([Variable::new(0.0f64)])?;
    assert_eq!(kind(built.gradient_accumulation_steps(2)), ErrorKind::State);
    Ok(())
}

/// An optimizer with all stages on; its variables are those of a model.
fn everything(plateau: &ReduceOnPlateau) -> Result<Optimizer> {
    Optimizer::new(Adam::new(plateau.clone()))?
        .name("all")
        .weight_decay(0.01)?
        .exclude_from_weight_decay(["kernel"])?
        .group(Group::matching("table").learning_rate_factor(0.5))?
        .use_ema(0.9)?
        .gradient_accumulation_steps(2)?
        .dynamic_loss_scale(64.0, 2)?
        .global_clipnorm(1.0)
}

/// The weights are all that there is: with them, an optimizer goes on where another has been, in the middle of a window.
#[test]
fn the_weights_hold_what_stages_remember() -> Result<()> {
    let plateau = || ReduceOnPlateau::new(0.1).patience(1);
    let (model, resumed) = (Model::new()?, Model::new()?);
    let mut opt = everything(&plateau())?;
    let run = |opt: &mut Optimizer, model: &Model, calls: std::ops::Range<usize>| -> Result<()> {
        for call in calls {
            opt.minimize(|| model.loss(call * 16, 16), model.variables())?;
            opt.observe(1.0)?;
        }
        Ok(())
    };
    run(&mut opt, &model, 0..7)?;
    let names: Vec<String> = opt.weights().iter().map(|weight| weight.name().to_owned()).collect();
    let expected = [
        "all/iter",
        "ReduceOnPlateau",
        "all/loss_scale",
        "all/step_counter",
        "all/accumulated_steps",
        "all/skipped_steps",
        "all/table/m",
        "all/kernel/m",
        "all/table/v",
        "all/kernel/v",
        "all/table/average",
        "all/kernel/average",
        "all/table/gradient_accumulator",
        "all/kernel/gradient_accumulator",
        "all/table/accumulated_rows",
        "all/kernel/accumulated_rows",
    ];
    assert_eq!(names, expected);
    let mut other = everything(&plateau())?;
    other.build(resumed.variables())?;
    let copied: Vec<Array> = opt.get_weights().iter().map(Array::copy).collect::<Result<_>>()?;
    other.set_weights(&copied)?;
    resumed.table.assign(Tensor::from(model.table.array().copy()?))?;
    resumed.kernel.assign(Tensor::from(model.kernel.array().copy()?))?;
    run(&mut opt, &model, 7..12)?;
    run(&mut other, &resumed, 7..12)?;
    assert_eq!(bits(&opt.weights()), bits(&other.weights()));
    assert_eq!(bits(&[model.table, model.kernel]), bits(&[resumed.table, resumed.kernel]));
    Ok(())
}

#[test]
fn the_same_bits_at_any_number_of_threads() -> Result<()> {
    let train = || -> Result<Vec<u64>> {
        let random = Generator::from_seed(9);
        let [w, b] = [("table/w", [300, 400]), ("kernel/b", [400, 7])].map(|(name, shape)| {
            Variable::new(normal(&random, &shape).unwrap().cast(DType::F32).unwrap()).named(name)
        });
        let x = Tensor::from(normal(&random, &[64, 300])?.cast(DType::F32)?);
        let mut opt = everything(&ReduceOnPlateau::new(0.1).patience(1))?;
        for _ in 0..6 {
            opt.minimize(|| x.matmul(&w)?.tanh()?.matmul(&b)?.square().mean(), [&w, &b])?;
        }
        Ok(bits(&[&[w, b][..], &opt.weights()].concat()))
    };
    let expected = train()?;
    for threads in [1, 2, 4, 8] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert!(pool.install(train)? == expected, "{threads} threads");
    }
    Ok(())
}
