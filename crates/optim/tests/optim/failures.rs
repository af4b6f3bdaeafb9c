//! Whatever fails or panics in the user's code during a step changes nothing, and the next step works.
use crate::common::item;
use slalom_array::{Array, DType, Error, ErrorKind, Result};
use slalom_autograd::{Tensor, Trace};
use slalom_optim::rules::Sgd;
use slalom_optim::{GradientList, MinimizeOptions, Optimizer};
use slalom_variable::Variable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const PANICS: u8 = 2;

/// What the user's code does next.
#[derive(Clone, Default)]
struct Mood(Arc<AtomicU8>);

impl Mood {
    fn set(&self, mood: u8) {
        self.0.store(mood, Ordering::SeqCst);
    }
    fn act(&self) -> Result<()> {
        match self.0.load(Ordering::SeqCst) {
            FAILS => Err(Error::other("it fails")),
            PANICS => panic!("it panics"),
            _ => Ok(()),
        }
    }
}

/// The bits of a variable, and of all weights by name.
fn state(opt: &Optimizer, x: &Variable) -> Vec<(String, Vec<u64>)> {
    let bits = |v: &Variable| {
        let elements = v.array().cast(DType::F64).unwrap().to_vec::<f64>().unwrap();
        (v.name().to_owned(), elements.into_iter().map(f64::to_bits).collect())
    };
    opt.weights().iter().chain([x, opt.iterations()]).map(bits).collect()
}

type Step = fn(&mut Optimizer, &Variable, &Mood) -> Result<f64>;

fn plain(opt: &mut Optimizer, x: &Variable, _: &Mood) -> Result<f64> {
    opt.minimize(|| x.value().square(), x)?.loss()
}

fn with_loss(opt: &mut Optimizer, x: &Variable, mood: &Mood) -> Result<f64> {
    let loss = || -> Result<Tensor> {
        let loss = x.value().square();
        mood.act()?;
        Ok(loss)
    };
    opt.minimize(loss, x)?.loss()
}

fn traced(opt: &mut Optimizer, x: &Variable, mood: &Mood) -> Result<f64> {
    let loss = || -> Result<Tensor> {
        let loss = x.value().square();
        mood.act()?;
        Ok(loss)
    };
    opt.minimize_op(loss, x)?.run()?.loss()
}

#[test]
fn what_fails_or_panics_changes_nothing() -> Result<()> {
    type Make = fn(&Mood) -> Result<Optimizer>;
    let sgd = |_: &Mood| Optimizer::new(Sgd::new(0.25).momentum(0.5));
    let cases: [(&str, Make, Step); 8] = [
        ("loss", sgd, with_loss),
        ("traced loss", sgd, traced),
        ("aggregator", aggregating, plain),
        ("aggregator of a traced loss", aggregating, traced_plainly),
        ("transformer", transforming, plain),
        ("callable", calling, plain),
        ("callable of a traced loss", calling, traced_plainly),
        ("callable beside an average", |mood| calling(mood)?.use_ema(0.5), plain),
    ];
    for (name, make, step) in cases {
        let mood = Mood::default();
        let x = Variable::new(Array::from_vec([2], vec![1.0f64, -2.0])?).named("x");
        let mut opt = make(&mood)?;
        let (y, mut smooth) = (Variable::new(x.array()).named("x"), make(&Mood::default())?);
        // Before the first step there are no slots, and later some.
        for done in 0..3 {
            let before = state(&opt, &x);
            mood.set(FAILS);
            assert!(step(&mut opt, &x, &mood).unwrap_err().to_string().ends_with("it fails"), "{name}");
            assert_eq!(state(&opt, &x), before, "{name}");
            mood.set(PANICS);
            let panics = catch_unwind(AssertUnwindSafe(|| step(&mut opt, &x, &mood)));
            assert!(panics.is_err(), "{name}");
            assert_eq!(state(&opt, &x), before, "{name}");
            assert!(!Trace::is_recording(), "{name}");
            mood.set(WORKS);
            assert_eq!(step(&mut opt, &x, &mood)?, step(&mut smooth, &y, &Mood::default())?, "{name}");
            assert_eq!(state(&opt, &x), state(&smooth, &y), "{name}");
            assert_eq!(item(opt.iterations()), f64::from(done + 1), "{name}");
        }
    }
    Ok(())
}

fn traced_plainly(opt: &mut Optimizer, x: &Variable, _: &Mood) -> Result<f64> {
    opt.minimize_op(|| x.value().square(), x)?.run()?.loss()
}

fn acting(mood: &Mood) -> impl FnMut(GradientList) -> Result<GradientList> + Send + use<> {
    let mood = mood.clone();
    move |gradients| mood.act().map(|()| gradients)
}

fn aggregating(mood: &Mood) -> Result<Optimizer> {
    Ok(Optimizer::new(Sgd::new(0.25).momentum(0.5))?.gradient_aggregator(acting(mood)))
}

fn transforming(mood: &Mood) -> Result<Optimizer> {
    Optimizer::new(Sgd::new(0.25).momentum(0.5))?.gradient_transformer(acting(mood))
}

fn calling(mood: &Mood) -> Result<Optimizer> {
    let mood = mood.clone();
    Optimizer::new(Sgd::new(move || mood.act().map(|()| 0.25)).momentum(0.5))
}

#[test]
fn an_empty_list_computes_the_loss_alone() -> Result<()> {
    let x = Variable::new(3.0f64).named("x");
    let mut opt = Optimizer::new(Sgd::new(0.25).momentum(0.5))?;
    let before = state(&opt, &x);
    let none: [&Variable; 0] = [];
    let report = opt.minimize(|| &x * &x, none)?;
    assert_eq!((report.loss()?, report.iterations), (9.0, 0));
    let mut op = opt.minimize_op(|| &x * &x, none)?;
    for value in [4.0f64, 5.0] {
        x.assign(Tensor::scalar(value))?;
        let report = op.run()?;
        assert_eq!((report.loss()?, report.iterations), (value * value, 0));
    }
    x.assign(Tensor::scalar(3.0f64))?;
    assert_eq!(state(&opt, &x), before);
    assert_eq!(opt.minimize(|| &x * &x, &x)?.iterations, 1);
    Ok(())
}

#[test]
fn weights_of_a_loss_that_do_not_fit() -> Result<()> {
    let x = Variable::new(Array::from_vec([2], vec![1.0f64, 2.0])?).named("x");
    let mut opt = Optimizer::new(Sgd::new(0.5))?;
    let before = state(&opt, &x);
    let wrong = [
        (Tensor::zeros([3], DType::F64)?, ErrorKind::Shape),
        (Tensor::zeros([2], DType::F32)?, ErrorKind::DType),
    ];
    for (weights, kind) in wrong {
        let options = MinimizeOptions::new().grad_loss(weights);
        assert_eq!(opt.minimize_with(|| &x * 1.0, &x, &options).unwrap_err().kind(), kind);
        assert_eq!(state(&opt, &x), before);
    }
    opt.minimize_with(
        || &x * 1.0,
        &x,
        &MinimizeOptions::new().grad_loss(Tensor::from_vec([2], vec![2.0f64, 4.0])?),
    )?;
    assert_eq!(x.array().to_vec::<f64>()?, [0.0, 0.0]);
    Ok(())
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn variables_without_a_gradient_are_named_in_the_log() -> Result<()> {
    let [x, y, z] = ["x", "y", "z"].map(|name| Variable::new(2.6f64).named(name));
    let log = Log::default();
    let logged = tracing::subscriber::with_default(log.clone(), || -> Result<Vec<String>> {
        let mut opt = Optimizer::new(Sgd::new(0.5))?.name("mine");
        opt.minimize(|| &x * &x, &x)?;
        assert!(log.0.lock().unwrap().is_empty());
        opt.minimize(|| Ok(x.value() * y.value().round()?), [&x, &y, &z])?;
        Ok(log.0.lock().unwrap().clone())
    })?;
    let expected = [
        "message=gradients do not exist for some variables, which stay as they are",
        "optimizer=\"mine\"",
        "variables=\"y\" (the op `round`, which has no gradient, cuts it from the loss), \"z\"",
    ];
    assert_eq!(logged, expected);
    Ok(())
}
