//! What builds optimizers from configs.
use super::Optimizer;
use crate::Rule;
use crate::config::{Config, Dialect, Envelope, IS_LEGACY, Origin, Reader, Registry};
use crate::rules::{self, Rules};
use crate::schedules::{self, Schedules};
use crate::stages::{Group, Transformer};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};
use std::borrow::Cow;

/// The class of the optimizer that wraps another one for dynamic loss scaling.
pub(super) const LOSS_SCALE: &str = "LossScaleOptimizer";

/// The known classes of gradient transformers.
pub type Transformers<'a> = Registry<'a, Transformer>;

/// Builds optimizers from configs, with the classes and in the dialect that the caller names.
///
/// ```
/// use slalom_optim::config::{Dialect, Entry};
/// use slalom_optim::{GradientList, Loader, Transformer};
///
/// const OWN: &[Entry<Transformer>] = &[Entry {
///     class_name: "Nothing",
///     build: |_| Ok(Transformer::named("Nothing", |gradients: GradientList| gradients)),
/// }];
/// let json = serde_json::json!({"class_name": "RMSprop", "config": {
///     "learning_rate": 0.1, "gradient_transformers": [{"class_name": "Nothing", "config": {}}],
/// }});
/// let loader = Loader::new().transformers(OWN).dialect(Dialect::Keras3);
/// let opt = loader.deserialize(&json)?;
/// // The config of Keras 3 has more keys.
/// assert!(opt.get_config()?.contains_key("use_ema"));
/// assert_eq!(loader.deserialize(&opt.serialize()?)?.get_config()?, opt.get_config()?);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Loader<'a> {
    rules: Rules<'a>,
    schedules: Schedules<'a>,
    transformers: Transformers<'a>,
    dialect: Option<Dialect>,
}

impl Default for Loader<'_> {
    fn default() -> Self {
        Loader::new()
    }
}

impl<'a> Loader<'a> {
    /// slalom's own classes, and the dialect that a config shows.
    pub const fn new() -> Loader<'a> {
        Loader {
            rules: rules::registry(),
            schedules: schedules::registry(),
            transformers: Registry::new("gradient transformer", &[]),
            dialect: None,
        }
    }

    /// These rules.
    #[must_use]
    pub fn rules(self, rules: Rules<'a>) -> Loader<'a> {
        Loader { rules, ..self }
    }

    /// These schedules.
    #[must_use]
    pub fn schedules(self, schedules: Schedules<'a>) -> Loader<'a> {
        Loader { schedules, ..self }
    }

    /// These gradient transformers, of which slalom has none of its own.
    #[must_use]
    pub fn transformers(self, transformers: &'a [crate::config::Entry<Transformer>]) -> Loader<'a> {
        Loader { transformers: self.transformers.with(transformers), ..self }
    }

    /// This dialect, whatever the keys show.
    #[must_use]
    pub fn dialect(self, dialect: Dialect) -> Loader<'a> {
        Loader { dialect: Some(dialect), ..self }
    }

    /// Builds an optimizer from an [`Envelope`].
    ///
    /// # Errors
    /// As [`from_config`](Loader::from_config); [`ErrorKind::Config`], if `json` is not an envelope.
    pub fn deserialize(&self, json: &Value) -> Result<Optimizer> {
        let Envelope { class_name, config } = Envelope::read(json)?;
        let origin = Origin::read(json);
        let module = origin.as_ref().and_then(|origin| origin.module.as_deref());
        // The module tells more than the keys, where they are those that both have.
        let legacy = module.is_some_and(|module| module.contains("legacy"));
        let loader =
            if legacy { Loader { dialect: self.dialect.or(Some(Dialect::Legacy)), ..*self } } else { *self };
        let mut optimizer = loader.from_config(self.rules.name_in(json, class_name), config)?;
        // The envelope of the optimizer within one for dynamic loss scaling has been read before.
        if optimizer.class_name() != LOSS_SCALE {
            optimizer.printed.origin = origin;
        }
        Ok(optimizer)
    }

    /// Builds an optimizer from the name of its class and its config. Arguments that the config lacks have their defaults.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], if a class is not known; [`ErrorKind::Config`], if the config has unknown keys or values of a
    /// wrong type; [`ErrorKind::Argument`], if a value is refused.
    pub fn from_config(&self, class_name: &str, config: &Config) -> Result<Optimizer> {
        if class_name.eq_ignore_ascii_case(LOSS_SCALE) {
            return self.loss_scale(config);
        }
        let entry = self.rules.find(class_name)?;
        let config = &*with_learning_rate(config)?;
        let dialect = self.dialect.unwrap_or_else(|| Dialect::of(config));
        let mut reader = Reader::new(entry.class_name, config, self.schedules).with_rules(self.rules);
        reader = reader.in_dialect(dialect);
        let mut optimizer = read(&mut reader, entry.build)?;
        optimizer.printed.dialect = dialect;
        // What Keras 2.11 to 2.15 print too. The one has told the dialect, the other has no meaning here.
        for key in [IS_LEGACY, "jit_compile"] {
            reader.take_or(key, false)?;
        }
        let no_decay = config.get("weight_decay").filter(|value| value.is_null() || **value == 0.0);
        optimizer.printed.no_decay = no_decay.filter(|_| dialect == Dialect::Keras3).cloned();
        for json in reader.take_or::<Vec<Value>>("gradient_transformers", Vec::new())? {
            let transformer = self.transformers.deserialize(&json, self.schedules)?;
            optimizer = optimizer.transformer(transformer.loaded_from(&json)?)?;
        }
        reader.finish()?;
        Ok(optimizer)
    }

    /// The optimizer within one for dynamic loss scaling, with the loss scale as its own.
    fn loss_scale(&self, config: &Config) -> Result<Optimizer> {
        let mut reader = Reader::new(LOSS_SCALE, config, self.schedules);
        let inner = self.deserialize(&reader.take::<Value>("inner_optimizer")?)?;
        let initial = reader.take_or("initial_scale", 32768.0)?;
        let growth_steps = reader.take_or("dynamic_growth_steps", 2000)?;
        let name = reader.take_or::<Option<String>>("name", None)?;
        idle(&mut reader, "dynamic", &true.into())?;
        for (key, value) in off() {
            idle(&mut reader, key, &value)?;
        }
        reader.finish()?;
        let mut optimizer = inner.dynamic_loss_scale(initial, growth_steps)?;
        optimizer.printed.scale_name = name;
        Ok(optimizer)
    }
}

/// The config with `learning_rate` for `lr`, as legacy optimizers once called it.
fn with_learning_rate(config: &Config) -> Result<Cow<'_, Config>> {
    const NAMES: [&str; 2] = ["lr", "learning_rate"];
    let mut config = Cow::Borrowed(config);
    if NAMES.iter().all(|name| config.contains_key(*name)) {
        let expected = "`learning_rate` or `lr`";
        return Err(Error::new(ErrorKind::Config, "from_config", expected, "both"));
    }
    if config.contains_key("lr")
        && let Some(rate) = config.to_mut().remove("lr")
    {
        config.to_mut().insert("learning_rate".to_owned(), rate);
    }
    Ok(config)
}

/// The options of Keras 3 when they are off.
pub(super) fn off() -> [(&'static str, Value); 9] {
    [
        ("weight_decay", Value::Null),
        ("clipnorm", Value::Null),
        ("global_clipnorm", Value::Null),
        ("clipvalue", Value::Null),
        ("use_ema", false.into()),
        ("ema_momentum", 0.99.into()),
        ("ema_overwrite_frequency", Value::Null),
        ("loss_scale_factor", Value::Null),
        ("gradient_accumulation_steps", Value::Null),
    ]
}

/// Takes an argument that must have this value.
fn idle(reader: &mut Reader<'_>, key: &'static str, value: &Value) -> Result<()> {
    let got = reader.take_or(key, value.clone())?;
    if got == *value {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, LOSS_SCALE, format!("`{key}` {value}"), got))
}

/// The rule, and the options of all rules.
fn read(reader: &mut Reader<'_>, build: fn(&mut Reader<'_>) -> Result<Box<dyn Rule>>) -> Result<Optimizer> {
    let mut optimizer = Optimizer::from_rule(build(reader)?)?;
    if let Some(name) = reader.take_or::<Option<String>>("name", None)? {
        optimizer = optimizer.name(name);
    }
    if optimizer.hypers.decay.is_some() && reader.dialect() == Dialect::Legacy {
        let decay = reader.take_hyper_or("decay", 0.0)?;
        optimizer = optimizer.decay(crate::Hyper::from(decay))?;
    }
    if optimizer.hypers.weight_decay.is_some() && !reader.takes_null("weight_decay") {
        let decay = reader.take_hyper_or("weight_decay", 0.0)?;
        optimizer = optimizer.weight_decay(crate::Hyper::from(decay))?;
    }
    let clips =
        ["clipvalue", "clipnorm", "global_clipnorm"].map(|key| reader.take_or::<Option<f64>>(key, None));
    let [value, norm, global_norm] = clips;
    let (value, norm, global_norm) = (value?, norm?, global_norm?);
    if reader.dialect() == Dialect::Keras3 && [value, norm, global_norm].iter().flatten().count() > 1 {
        let expected = "one of `clipvalue`, `clipnorm` and `global_clipnorm`";
        return Err(Error::new(ErrorKind::Argument, reader.class_name().to_owned(), expected, "more"));
    }
    optimizer.set_clipvalue(value)?;
    optimizer.set_clipnorm(norm)?;
    optimizer.set_global_clipnorm(global_norm)?;
    read_stages(reader, optimizer)
}

/// The options of the stages.
fn read_stages(reader: &mut Reader<'_>, mut optimizer: Optimizer) -> Result<Optimizer> {
    let momentum = reader.take_or("ema_momentum", 0.99)?;
    let overwrite = reader.take_or::<Option<i64>>("ema_overwrite_frequency", None)?;
    if reader.take_or("use_ema", false)? {
        optimizer = optimizer.use_ema(momentum)?;
        // Keras takes 0 for never.
        if let Some(steps) = overwrite.filter(|&steps| steps != 0) {
            optimizer = optimizer.ema_overwrite_frequency(steps)?;
        }
    }
    (optimizer.printed.ema_momentum, optimizer.printed.ema_overwrite) = (momentum, overwrite);
    if let Some(factor) = reader.take_or::<Option<f64>>("loss_scale_factor", None)? {
        optimizer = optimizer.loss_scale_factor(factor)?;
    }
    if let Some(steps) = reader.take_or::<Option<i64>>("gradient_accumulation_steps", None)?
        && steps != 0
    {
        optimizer = optimizer.gradient_accumulation_steps(steps)?;
    }
    if reader.take_or("skip_nonfinite", false)? {
        optimizer = optimizer.skip_nonfinite();
    }
    for group in reader.take_or::<Vec<Config>>("groups", Vec::new())? {
        optimizer = optimizer.group(read_group(&group, reader)?)?;
    }
    Ok(optimizer)
}

/// A group of the variables whose names a pattern matches.
fn read_group(config: &Config, outer: &Reader<'_>) -> Result<Group> {
    let mut reader = outer.inner("Group", config);
    let mut group = Group::matching(reader.take::<String>("pattern")?)
        .learning_rate_factor(reader.take_or("learning_rate_factor", 1.0)?)
        .frozen(reader.take_or("frozen", false)?);
    for (name, value) in reader.take_or::<Config>("hypers", Config::new())? {
        group = group.hyper(&name, crate::Hyper::from(reader.read_hyper(&format!("`{name}`"), &value)?));
    }
    reader.finish()?;
    Ok(group)
}
