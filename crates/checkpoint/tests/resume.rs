//! Training that is resumed in another process goes on with the same bits: N steps, a file, the end of the process and N more
//! steps give the same state as 2 N steps, for each rule of the registry, some with other arguments ([`ARGUMENTS`]), and each row
//! of [`VARIANTS`].
mod common;

use slalom_array::{Array, DType, Generator, Result};
use slalom_autograd::Tensor;
use slalom_checkpoint::Checkpoint;
use slalom_nn::{Layer, layers::Dropout};
use slalom_optim::schedules::{ExponentialDecay, ReduceOnPlateau};
use slalom_optim::{Group, Optimizer, rules};
use slalom_variable::constraints::MaxNorm;
use slalom_variable::{Variable, random};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// Steps before and after the interruption.
const STEPS: usize = 4;

/// What is particular about a training.
struct Variant {
    name: &'static str,
    /// Options of the optimizer.
    prepare: fn(Optimizer) -> Result<Optimizer>,
    /// What happens to the optimizer before a step.
    before: fn(&mut Optimizer, usize) -> Result<()>,
    /// Whether rows are gathered from one of the variables.
    sparse: bool,
    constrained: bool,
    dropout: bool,
    double: bool,
}

const PLAIN: Variant = Variant {
    name: "plain",
    prepare: Ok,
    before: |_, _| Ok(()),
    sparse: false,
    constrained: false,
    dropout: false,
    double: false,
};

const VARIANTS: &[Variant] = &[
    PLAIN,
    Variant { name: "sparse", sparse: true, ..PLAIN },
    Variant { name: "constrained", constrained: true, ..PLAIN },
    Variant { name: "clipped", prepare: |opt| opt.clipvalue(0.5)?.global_clipnorm(0.01), ..PLAIN },
    Variant { name: "scheduled", prepare: with_schedule, ..PLAIN },
    Variant { name: "changed", before: change, ..PLAIN },
    // Both halves end within a window.
    Variant { name: "accumulated", prepare: |opt| opt.gradient_accumulation_steps(3), ..PLAIN },
    Variant {
        name: "accumulated rows",
        prepare: |opt| opt.gradient_accumulation_steps(3),
        sparse: true,
        ..PLAIN
    },
    Variant { name: "averaged", prepare: |opt| opt.use_ema(0.9)?.ema_overwrite_frequency(3), ..PLAIN },
    Variant { name: "scaled", prepare: |opt| opt.dynamic_loss_scale(8.0, 3), ..PLAIN },
    Variant { name: "skipping", prepare: |opt| Ok(opt.skip_nonfinite()), ..PLAIN },
    Variant { name: "decayed", prepare: |opt| opt.weight_decay(0.01), ..PLAIN },
    Variant { name: "on a plateau", prepare: with_plateau, before: observe, ..PLAIN },
    Variant { name: "dropout", dropout: true, ..PLAIN },
    Variant { name: "f64", double: true, ..PLAIN },
    Variant { name: "grouped", prepare: with_groups, before: freeze_and_observe, ..PLAIN },
];

/// Rules with arguments that have other slots or take other paths than the defaults: a name, the class and its config.
const ARGUMENTS: &[(&str, &str, &str)] = &[
    ("SGD with momentum", "SGD", r#"{"momentum": 0.9}"#),
    ("SGD with Nesterov momentum", "SGD", r#"{"momentum": 0.9, "nesterov": true}"#),
    ("SGD with dampening", "SGD", r#"{"momentum": 0.9, "dampening": 0.25}"#),
    ("Adam with AMSGrad", "Adam", r#"{"amsgrad": true}"#),
    ("lazy Adam", "Adam", r#"{"lazy": true}"#),
    ("centered RMSprop with momentum", "RMSprop", r#"{"centered": true, "momentum": 0.9}"#),
    ("Lookahead around SGD", "Lookahead", r#"{"inner": "SGD", "momentum": 0.9, "sync_period": 3}"#),
    ("Lookahead around Nadam", "Lookahead", r#"{"inner": "Nadam", "sync_period": 3}"#),
];

fn optimizer(rule: &str) -> Result<Optimizer> {
    match ARGUMENTS.iter().find(|(name, ..)| *name == rule) {
        Some((_, class, json)) => Optimizer::from_config(class, &serde_json::from_str(json).expect("JSON")),
        None => common::optimizer(rule),
    }
}

/// Rules that evaluate the loss themselves, and the variants that they refuse. Nadam refuses schedules; no other training is
/// refused.
const SEARCHES: &[&str] = &["LBFGS", "TruncatedNewton"];
const REFUSED: &[&str] = &[
    "constrained",
    "clipped",
    "accumulated",
    "accumulated rows",
    "averaged",
    "scaled",
    "skipping",
    "decayed",
    "grouped",
];

const SCHEDULED: &[&str] = &["scheduled", "on a plateau"];

fn refuses(rule: &str, variant: &Variant) -> bool {
    let of_searches = SEARCHES.contains(&rule) && REFUSED.contains(&variant.name);
    of_searches || (rule.ends_with("Nadam") && SCHEDULED.contains(&variant.name))
}

/// Rules with scalars, whose groups have no learning rate of their own.
const SHARED: &[&str] = &["Nadam", "Prodigy", "ScheduleFreeAdamW"];

fn with_schedule(mut opt: Optimizer) -> Result<Optimizer> {
    if opt.get_hyper("learning_rate").is_ok() {
        opt.set("learning_rate", ExponentialDecay::new(0.02, 3, 0.5))?;
    }
    Ok(opt)
}

/// Changes the learning rate in the first half.
fn change(opt: &mut Optimizer, step: usize) -> Result<()> {
    if step == STEPS - 1 && opt.get_hyper("learning_rate").is_ok() {
        opt.set("learning_rate", 0.003)?;
    }
    Ok(())
}

fn with_plateau(mut opt: Optimizer) -> Result<Optimizer> {
    if opt.get_hyper("learning_rate").is_ok() {
        opt.set("learning_rate", ReduceOnPlateau::new(0.02).patience(1))?;
    }
    Ok(opt)
}

fn observe(opt: &mut Optimizer, _step: usize) -> Result<()> {
    opt.observe(1.0)
}

/// A schedule with memory in one group, and another group that is frozen for some steps.
fn with_groups(opt: Optimizer) -> Result<Optimizer> {
    let plateau = Group::matching("^b$");
    let config = opt.get_config()?;
    let inner = config.get("inner").and_then(|inner| inner.as_str()).unwrap_or_default();
    let is_shared = SHARED.contains(&opt.class_name()) || SHARED.contains(&inner);
    let plateau = match opt.get_hyper("learning_rate") {
        Ok(_) if !is_shared => plateau.hyper("learning_rate", ReduceOnPlateau::new(0.02).patience(1)),
        _ => plateau,
    };
    opt.group(plateau)?.group(Group::matching("^table$"))
}

fn freeze_and_observe(opt: &mut Optimizer, step: usize) -> Result<()> {
    opt.observe(1.0)?;
    match step {
        2 => opt.set_frozen(1, true),
        6 => opt.set_frozen(1, false),
        _ => Ok(()),
    }
}

/// A training: a model of three variables, random data, and random noise.
struct Training {
    optimizer: Optimizer,
    variables: [Variable; 3],
    dropout: Option<Dropout>,
    data: Generator,
    step: usize,
}

impl Training {
    fn new(rule: &str, variant: &Variant) -> Result<Training> {
        random::set_seed(5);
        let start = Generator::from_seed(17);
        let variable = |name: &str, shape: [usize; 2]| -> Result<Variable> {
            let mut values = vec![0.0f32; shape[0] * shape[1]];
            start.normal(0.0, 0.5, &mut values);
            let dtype = if variant.double { DType::F64 } else { DType::F32 };
            let variable = Variable::new(Array::from_vec(shape, values)?.cast(dtype)?).named(name);
            Ok(if variant.constrained { variable.constrained(MaxNorm::new(0.9)) } else { variable })
        };
        Ok(Training {
            optimizer: (variant.prepare)(optimizer(rule)?)?,
            variables: [variable("w", [6, 4])?, variable("b", [1, 4])?, variable("table", [9, 3])?],
            dropout: variant.dropout.then(|| Dropout::new(0.25)),
            data: Generator::from_seed(23),
            step: 0,
        })
    }

    fn train(&mut self, variant: &Variant, steps: usize) -> Result<()> {
        for _ in 0..steps {
            (variant.before)(&mut self.optimizer, self.step)?;
            let (mut x, mut ids) = (vec![0.0f32; 5 * 6], vec![0i32; 7]);
            self.data.normal(0.0, 1.0, &mut x);
            self.data.uniform_int(0, 9, &mut ids);
            let dtype = self.variables[0].dtype();
            let x = Tensor::from_vec([5, 6], x)?.cast(dtype)?;
            let ids = Tensor::from_vec([7], ids)?;
            let [w, b, table] = &self.variables;
            let loss = || -> Result<Tensor> {
                let mut noise = vec![0.0f32; 5 * 6];
                random::default_generator().uniform(0.5, 1.5, &mut noise);
                let mut x = &x * Tensor::from_vec([5, 6], noise)?.cast(dtype)?;
                if let Some(dropout) = &self.dropout {
                    x = dropout.call(&x, true)?;
                }
                let y = (&x.matmul(w)? + b).tanh()?;
                let rows = if variant.sparse { table.value().gather(&ids, 0)? } else { table.value() };
                let (far, high) = (y - 0.5, rows - 1.0);
                Ok((&far * &far).mean()? + (&high * &high).mean()?)
            };
            self.optimizer.minimize(loss, &self.variables)?;
            self.step += 1;
        }
        Ok(())
    }

    fn save(&self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::new().optimizer(&self.optimizer, &self.variables)?;
        let dropout = self.dropout.iter();
        let checkpoint =
            dropout.fold(checkpoint, |checkpoint, layer| checkpoint.generator("dropout", layer.generator()));
        checkpoint.generator("data", &self.data).value("step", self.step).save(path)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        let checkpoint = Checkpoint::load(path)?;
        let restoration = checkpoint.restore().optimizer(&mut self.optimizer, &self.variables)?;
        let dropout = self.dropout.iter();
        let restoration =
            dropout.fold(restoration, |from, layer| from.generator("dropout", layer.generator()));
        restoration.generator("data", &self.data).apply()?;
        self.step = checkpoint.get_value("step")?.as_u64().expect("a number") as usize;
        Ok(())
    }
}

fn cases() -> impl Iterator<Item = (&'static str, &'static Variant)> {
    let classes = rules::registry().entries().map(|entry| entry.class_name);
    let rules = classes.chain(ARGUMENTS.iter().map(|(name, ..)| *name));
    rules.flat_map(|rule| VARIANTS.iter().map(move |variant| (rule, variant)))
}

fn file(folder: &Path, rule: &str, variant: &Variant, when: &str) -> PathBuf {
    folder.join(format!("{rule}-{}-{when}.safetensors", variant.name))
}

/// One half of each training, in a process of its own.
fn half(folder: &Path, resumes: bool) -> Result<()> {
    for (rule, variant) in cases() {
        // Some rules refuse some options; the whole training says so as well.
        let whole = file(folder, rule, variant, "whole");
        if !whole.exists() {
            continue;
        }
        let mut training = Training::new(rule, variant)?;
        if resumes {
            random::set_seed(99);
            training.load(&file(folder, rule, variant, "first"))?;
        }
        training.train(variant, STEPS)?;
        training.save(&file(folder, rule, variant, if resumes { "second" } else { "first" }))?;
    }
    Ok(())
}

/// The other processes.
#[test]
fn other_process() {
    let (Some(folder), Some(half_of)) = (env::var_os("SLALOM_FOLDER"), env::var_os("SLALOM_HALF")) else {
        return;
    };
    half(Path::new(&folder), half_of == "second").unwrap();
}

/// Held by a test that makes trainings: their seed is that of the process.
static SEED: Mutex<()> = Mutex::new(());

#[test]
fn a_resumed_training_has_the_same_bits() -> Result<()> {
    if env::var_os("SLALOM_FOLDER").is_some() {
        return Ok(());
    }
    let _seed = SEED.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir()?;
    for (rule, variant) in cases() {
        let whole = Training::new(rule, variant).and_then(|mut training| {
            training.train(variant, 2 * STEPS)?;
            Ok(training)
        });
        match whole {
            Ok(training) => {
                assert!(!refuses(rule, variant), "{rule}, {}: no error", variant.name);
                training.save(&file(folder.path(), rule, variant, "whole"))?;
            }
            Err(error) => {
                println!("{rule}, {}: {error}", variant.name);
                assert!(refuses(rule, variant), "{rule}, {}: {error}", variant.name);
            }
        }
    }
    for half in ["first", "second"] {
        let arguments = ["other_process", "--exact", "--test-threads=1"];
        let mut process = Command::new(env::current_exe()?);
        let process = process.args(arguments).env("SLALOM_FOLDER", folder.path()).env("SLALOM_HALF", half);
        let output = process.output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let mut compared = 0;
    for (rule, variant) in cases() {
        let read = |when| fs::read(file(folder.path(), rule, variant, when));
        let Ok(whole) = read("whole") else { continue };
        // The file begins with the SHA-256 of all state.
        let checksum = |bytes: &[u8]| String::from_utf8_lossy(&bytes[37..101]).into_owned();
        let (first, second) = (read("first")?, read("second")?);
        assert_ne!(checksum(&first), checksum(&whole), "{rule}, {}: the state changes", variant.name);
        assert_eq!(checksum(&second), checksum(&whole), "{rule}, {}", variant.name);
        assert!(second == whole);
        compared += 1;
    }
    println!("{compared} trainings resumed with the same bits");
    assert_eq!(compared, cases().filter(|(rule, variant)| !refuses(rule, variant)).count());
    Ok(())
}

/// The layer draws in each step from its own stream, which is part of the checkpoint.
#[test]
fn dropout_draws() -> Result<()> {
    let _seed = SEED.lock().unwrap_or_else(PoisonError::into_inner);
    let variant = VARIANTS.iter().find(|variant| variant.dropout).expect("a variant");
    let mut training = Training::new("SGD", variant)?;
    let stream = training.dropout.as_ref().expect("a layer").generator().clone();
    for _ in 0..3 {
        let before = stream.state();
        training.train(variant, 1)?;
        assert_ne!(stream.state(), before);
    }
    Ok(())
}
