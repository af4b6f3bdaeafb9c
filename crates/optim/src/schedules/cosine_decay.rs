//! Cosine decay with linear warm-up.
use super::{Schedule, Steps, finite, require};
use crate::config::{Config, Reader, number, object};
use serde_json::Value;
use slalom_array::Result;
use std::f64::consts::PI;

/// Half a wave of a cosine from `initial_learning_rate` down to `alpha * initial_learning_rate`:
/// `initial_learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`; after `decay_steps` the value stays.
///
/// With a warm-up the value first grows linearly from `initial_learning_rate` to `warmup_target` in `warmup_steps` steps, and
/// the cosine goes from there, in the `decay_steps` steps after the warm-up, to `alpha * warmup_target`.
///
/// Source: `tf.keras.optimizers.schedules.CosineDecay`; Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm
/// Restarts, 2017.
///
/// ```
/// use slalom_optim::schedules::{CosineDecay, Schedule};
/// let schedule = CosineDecay::new(0.0, 1000).warmup(0.5, 100).alpha(0.25);
/// assert_eq!((schedule.value(50), schedule.value(100), schedule.value(1100)), (0.25, 0.5, 0.125));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CosineDecay {
    initial_learning_rate: f64,
    decay_steps: Steps,
    alpha: f64,
    warmup_target: Option<f64>,
    warmup_steps: Steps,
    name: Option<String>,
    narrow_cosine: bool,
}

impl CosineDecay {
    pub(super) const CLASS_NAME: &str = "CosineDecay";

    /// A decay to 0 in `decay_steps` steps (> 0), without a warm-up.
    pub fn new(initial_learning_rate: f64, decay_steps: impl Into<Steps>) -> CosineDecay {
        CosineDecay {
            initial_learning_rate,
            decay_steps: decay_steps.into(),
            alpha: 0.0,
            warmup_target: None,
            warmup_steps: Steps::from(0),
            name: None,
            narrow_cosine: false,
        }
    }

    /// The part of the learning rate that is left in the end. Default: 0.
    #[must_use]
    pub fn alpha(self, alpha: f64) -> CosineDecay {
        CosineDecay { alpha, ..self }
    }

    /// A linear warm-up to `warmup_target` in `warmup_steps` steps (>= 0). Default: none.
    #[must_use]
    pub fn warmup(self, warmup_target: f64, warmup_steps: impl Into<Steps>) -> CosineDecay {
        CosineDecay { warmup_target: Some(warmup_target), warmup_steps: warmup_steps.into(), ..self }
    }

    /// A name, which stands in the config. Default: none.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> CosineDecay {
        CosineDecay { name: Some(name.into()), ..self }
    }

    /// Whether the cosine, and what follows from it, is computed in `f32`, as Keras 3 does with JAX. Default: false.
    #[must_use]
    pub fn narrow_cosine(self, narrow_cosine: bool) -> CosineDecay {
        CosineDecay { narrow_cosine, ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<CosineDecay> {
        Ok(CosineDecay {
            initial_learning_rate: reader.take("initial_learning_rate")?,
            decay_steps: reader.take("decay_steps")?,
            alpha: reader.take_or("alpha", 0.0)?,
            warmup_target: reader.take_or("warmup_target", None)?,
            warmup_steps: reader.take_or("warmup_steps", Steps::from(0))?,
            name: reader.take_or("name", None)?,
            narrow_cosine: reader.take_or("narrow_cosine", false)?,
        })
    }

    fn decay(&self, from: f64, step: f64) -> f64 {
        let fraction = step.min(self.decay_steps.get()) / self.decay_steps.get();
        if self.narrow_cosine {
            let cosine = 0.5 * (1.0 + f64::from((PI * fraction) as f32).cos() as f32);
            return f64::from(from as f32 * ((1.0 - self.alpha) as f32 * cosine + self.alpha as f32));
        }
        let cosine = 0.5 * (1.0 + (PI * fraction).cos());
        from * ((1.0 - self.alpha) * cosine + self.alpha)
    }
}

impl Schedule for CosineDecay {
    fn value(&self, step: i64) -> f64 {
        let (step, initial, warmup) = (step as f64, self.initial_learning_rate, self.warmup_steps.get());
        match self.warmup_target {
            // As in TensorFlow, `warmup_steps` without a target means nothing.
            None => self.decay(initial, step),
            Some(target) if step < warmup => (target - initial) * (step / warmup) + initial,
            Some(target) => self.decay(target, step - warmup),
        }
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        let narrow_cosine = self.narrow_cosine.then(|| ("narrow_cosine".to_owned(), true.into()));
        let mut config = object([
            ("initial_learning_rate", number(self.initial_learning_rate)),
            ("decay_steps", self.decay_steps.into()),
            ("alpha", number(self.alpha)),
            ("name", self.name.clone().into()),
            ("warmup_target", self.warmup_target.map_or(Value::Null, number)),
            ("warmup_steps", self.warmup_steps.into()),
        ]);
        config.extend(narrow_cosine);
        config
    }

    fn validate(&self) -> Result<()> {
        require(self.decay_steps.get() > 0.0, Self::CLASS_NAME, "decay_steps > 0", self.decay_steps)?;
        require(self.warmup_steps.get() >= 0.0, Self::CLASS_NAME, "warmup_steps >= 0", self.warmup_steps)?;
        let arguments = [
            ("initial_learning_rate", self.initial_learning_rate),
            ("decay_steps", self.decay_steps.get()),
            ("alpha", self.alpha),
            ("warmup_steps", self.warmup_steps.get()),
        ];
        let target = self.warmup_target.map(|target| ("warmup_target", target));
        finite(Self::CLASS_NAME, arguments.into_iter().chain(target))
    }
}
