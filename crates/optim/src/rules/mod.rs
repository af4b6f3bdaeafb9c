//! The optimization algorithms.
mod adabelief;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adam_of_muon;
mod adamax;
mod adamw;
mod adan;
mod arguments;
mod asgd;
mod ftrl;
mod lamb;
mod lars;
mod lbfgs;
mod line_search;
mod lion;
mod lookahead;
mod muon;
mod nadam;
mod narrow;
mod newton;
mod novograd;
mod precision;
mod prodigy;
mod quasi_newton;
mod radam;
mod rmsprop;
mod rprop;
mod schedule_free_adamw;
mod sgd;
mod sm3;
mod synchronize;
mod whole;
mod yogi;

pub use adabelief::AdaBelief;
pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adamw::AdamW;
pub use adan::Adan;
pub use asgd::Asgd;
pub use ftrl::Ftrl;
pub use lamb::Lamb;
pub use lars::Lars;
pub use lbfgs::Lbfgs;
pub use lion::Lion;
pub use lookahead::Lookahead;
pub use muon::Muon;
pub use nadam::Nadam;
pub use newton::TruncatedNewton;
pub use novograd::NovoGrad;
pub use prodigy::Prodigy;
pub use radam::RAdam;
pub use rmsprop::RMSprop;
pub use rprop::Rprop;
pub use schedule_free_adamw::ScheduleFreeAdamW;
pub use sgd::Sgd;
pub use sm3::Sm3;
pub use yogi::Yogi;

use crate::Rule;
use crate::config::{Entry, Registry};

/// The known classes of rules.
pub type Rules<'a> = Registry<'a, Box<dyn Rule>>;

/// slalom's own rules.
///
/// ```
/// let names: Vec<_> = slalom_optim::rules::registry().entries().map(|entry| entry.class_name).collect();
/// assert!(names.contains(&"SGD") && names.contains(&"Adam"));
/// ```
pub const fn registry() -> Rules<'static> {
    const CLASSES: &[Entry<Box<dyn Rule>>] = &[
        Entry { class_name: "SGD", build: |r| Ok(Box::new(Sgd::read(r)?)) },
        Entry { class_name: "RMSprop", build: |r| Ok(Box::new(RMSprop::read_dialect(r)?)) },
        Entry { class_name: "Adagrad", build: |r| Ok(Box::new(Adagrad::read_dialect(r)?)) },
        Entry { class_name: "Adadelta", build: |r| Ok(Box::new(Adadelta::read(r)?)) },
        Entry { class_name: "Adam", build: |r| Ok(Box::new(Adam::read(r)?)) },
        Entry { class_name: "Adamax", build: |r| Ok(Box::new(Adamax::read(r)?)) },
        Entry { class_name: "Nadam", build: |r| Ok(Box::new(Nadam::read_dialect(r)?)) },
        Entry { class_name: "Ftrl", build: |r| Ok(Box::new(Ftrl::read(r)?)) },
        Entry { class_name: "AdamW", build: |r| Ok(Box::new(AdamW::read(r)?)) },
        Entry { class_name: "Lion", build: |r| Ok(Box::new(Lion::read(r)?)) },
        Entry { class_name: "Lamb", build: |r| Ok(Box::new(Lamb::read(r)?)) },
        Entry { class_name: "Adafactor", build: |r| Ok(Box::new(Adafactor::read(r)?)) },
        Entry { class_name: "Muon", build: |r| Ok(Box::new(Muon::read(r)?)) },
        Entry { class_name: "AdaBelief", build: |r| Ok(Box::new(AdaBelief::read(r)?)) },
        Entry { class_name: "Adan", build: |r| Ok(Box::new(Adan::read(r)?)) },
        Entry { class_name: "ASGD", build: |r| Ok(Box::new(Asgd::read(r)?)) },
        Entry { class_name: "Lars", build: |r| Ok(Box::new(Lars::read(r)?)) },
        Entry { class_name: "LBFGS", build: |r| Ok(Box::new(Lbfgs::read(r)?)) },
        Entry { class_name: "Lookahead", build: |r| Ok(Box::new(Lookahead::read(r)?)) },
        Entry { class_name: "NovoGrad", build: |r| Ok(Box::new(NovoGrad::read(r)?)) },
        Entry { class_name: "Prodigy", build: |r| Ok(Box::new(Prodigy::read(r)?)) },
        Entry { class_name: "RAdam", build: |r| Ok(Box::new(RAdam::read(r)?)) },
        Entry { class_name: "Rprop", build: |r| Ok(Box::new(Rprop::read(r)?)) },
        Entry { class_name: "ScheduleFreeAdamW", build: |r| Ok(Box::new(ScheduleFreeAdamW::read(r)?)) },
        Entry { class_name: "SM3", build: |r| Ok(Box::new(Sm3::read(r)?)) },
        Entry { class_name: "TruncatedNewton", build: |r| Ok(Box::new(TruncatedNewton::read(r)?)) },
        Entry { class_name: "Yogi", build: |r| Ok(Box::new(Yogi::read(r)?)) },
    ];
    Registry::new("optimizer", CLASSES)
}
