//! Optimizers as JSON, with the names that Keras uses.
use super::Optimizer;
use super::loader::{LOSS_SCALE, Loader, off};
use crate::config::{Config, Dialect, Envelope, Origin, ToValue, number, object};
use crate::rules::Rules;
use crate::schedules::Schedules;
use serde_json::Value;
use slalom_array::Result;

/// What is printed as it was read, because nothing depends on it.
#[derive(Debug, Clone)]
pub(crate) struct Printed {
    pub(crate) dialect: Dialect,
    /// What the envelope says of the class.
    pub(crate) origin: Option<Origin>,
    /// The name of the optimizer that wraps this one for dynamic loss scaling.
    pub(crate) scale_name: Option<String>,
    /// A weight decay of 0: Keras 3 keeps it apart from null.
    pub(crate) no_decay: Option<Value>,
    pub(crate) ema_momentum: f64,
    pub(crate) ema_overwrite: Option<i64>,
}

impl Default for Printed {
    fn default() -> Printed {
        let dialect = Dialect::Legacy;
        Printed {
            dialect,
            origin: None,
            scale_name: None,
            no_decay: None,
            ema_momentum: 0.99,
            ema_overwrite: None,
        }
    }
}

/// Configs.
impl Optimizer {
    /// The name of the class: that of the rule, or `LossScaleOptimizer` with a
    /// [dynamic loss scale](Optimizer::dynamic_loss_scale).
    pub fn class_name(&self) -> &str {
        if self.dynamic_scale().is_some() { LOSS_SCALE } else { self.rule.class_name() }
    }

    /// All arguments, from which an equal optimizer can be built: the name, the hyperparameters, the options and what else the rule
    /// has. A callable or a variable stands there with its present value; closures that aggregate or transform gradients do not stand
    /// there, if they have no [name](crate::Transformer::named), and neither do groups of listed variables.
    ///
    /// An optimizer from a config of one of the Kerases prints what that Keras prints, and so does one of a class and with
    /// arguments that `tf.keras.optimizers.legacy` has.
    ///
    /// # Errors
    /// Those of a callable.
    ///
    /// ```
    /// use slalom_optim::{Optimizer, rules::Sgd};
    /// let opt = Optimizer::new(Sgd::new(0.1).momentum(0.9))?.clipnorm(1.0)?;
    /// let config = opt.get_config()?;
    /// assert_eq!(serde_json::Value::from(config.clone()), serde_json::json!({
    ///     "name": "SGD", "clipnorm": 1.0, "learning_rate": 0.1, "decay": 0.0, "momentum": 0.9, "nesterov": false,
    /// }));
    /// let same = Optimizer::from_config("SGD", &config)?;
    /// assert_eq!(same.get_config()?, config);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn get_config(&self) -> Result<Config> {
        let Some((initial, growth_steps)) = self.dynamic_scale() else { return self.own_config() };
        let name = self.printed.scale_name.clone().unwrap_or_else(|| LOSS_SCALE.to_owned());
        Ok(object([
            ("name", name.into()),
            ("inner_optimizer", self.envelope(self.rule.class_name(), &self.own_config()?)),
            ("initial_scale", number(initial)),
            ("dynamic_growth_steps", growth_steps.into()),
        ]))
    }

    /// The initial factor and the growth steps of a dynamic loss scale.
    pub(super) fn dynamic_scale(&self) -> Option<(f64, i64)> {
        let scale = self.stages.scale.as_ref()?;
        Some((scale.initial, scale.dynamic.as_ref()?.growth_steps))
    }

    /// The config without a dynamic loss scale: what Keras prints, where that tells everything.
    fn own_config(&self) -> Result<Config> {
        let (all, dialect) = (self.full_config()?, self.printed.dialect);
        let Some(arguments) = dialect.arguments(self.rule.class_name()) else { return Ok(all) };
        let mut kept = all.clone();
        kept.retain(|key, _| arguments.contains(&key.as_str()) || dialect.common().contains(&key.as_str()));
        // Schedules may be of classes that are not known here, and do not matter.
        let numbers = |config: &Config| -> Config {
            let number = |value: &Value| if value.is_object() { Value::from(0.5) } else { value.clone() };
            config.iter().map(|(key, value)| (key.clone(), number(value))).collect()
        };
        let rebuilt = Loader::new().dialect(dialect).from_config(self.rule.class_name(), &numbers(&kept));
        let same =
            rebuilt.and_then(|rebuilt| rebuilt.full_config()).is_ok_and(|again| again == numbers(&all));
        Ok(if same { kept } else { all })
    }

    /// All arguments, but those that the dialect lacks and that are off.
    fn full_config(&self) -> Result<Config> {
        let keras_3 = self.printed.dialect == Dialect::Keras3;
        let mut config = Config::new();
        config.insert("name".to_owned(), self.name.as_str().into());
        let iterations = self.iterations.array().item()? as i64;
        self.hypers.to_config(&self.name, iterations, &mut config)?;
        config.extend(self.rule.config());
        let decays = |config: &Config, key: &str| config.get(key).is_some_and(|value| *value != 0.0);
        if keras_3 && self.hypers.decay.is_some() && !decays(&config, "decay") {
            config.remove("decay");
        }
        let own = self.hypers.weight_decay.is_none() && self.rule.class_name() != "Nadam";
        if !decays(&config, "weight_decay") {
            let number = own && (!keras_3 || self.rule.class_name() == "AdamW");
            let default = (!number).then_some(Value::Null);
            if let Some(none) = self.printed.no_decay.clone().or(default) {
                config.insert("weight_decay".to_owned(), none);
            }
        }
        for (key, value) in self.clip.named() {
            config.insert(key.to_owned(), value.to_value());
        }
        self.stages_to_config(&mut config);
        let groups = self.stages.groups.to_json(iterations);
        let groups = groups.map_err(|error| error.context("group").context(&self.name))?;
        if !groups.is_empty() {
            config.insert("groups".to_owned(), groups.into());
        }
        if !keras_3 {
            let off = off();
            config.retain(|key, value| !off.iter().any(|(name, off)| name == key && off == value));
        }
        Ok(config)
    }

    /// The options of the stages, but for groups.
    pub(super) fn stages_to_config(&self, config: &mut Config) {
        let (stages, printed) = (&self.stages, &self.printed);
        let average = stages.average.as_ref();
        let factor = stages.scale.as_ref().filter(|scale| scale.dynamic.is_none()).map(|scale| scale.initial);
        let options: [(&str, Value); 5] = [
            ("use_ema", average.is_some().into()),
            ("ema_momentum", number(average.map_or(printed.ema_momentum, |average| average.momentum))),
            (
                "ema_overwrite_frequency",
                average.and_then(|average| average.overwrite).or(printed.ema_overwrite).to_value(),
            ),
            ("loss_scale_factor", factor.to_value()),
            (
                "gradient_accumulation_steps",
                stages.accumulation.as_ref().map(|accumulation| accumulation.steps).to_value(),
            ),
        ];
        config.extend(options.map(|(key, value)| (key.to_owned(), value)));
        if stages.skipped.is_some() && self.dynamic_scale().is_none() {
            config.insert("skip_nonfinite".to_owned(), true.into());
        }
        let transformers: Vec<Value> = self.transformers.iter().filter_map(|t| t.to_json()).collect();
        if !transformers.is_empty() {
            config.insert("gradient_transformers".to_owned(), transformers.into());
        }
    }

    /// Builds an optimizer from the name of its class and its config, bare as `get_config` of either Keras prints it; in which dialect
    /// it is, its keys tell ([`Dialect::of`]). Arguments that the config lacks have their defaults.
    ///
    /// # Errors
    /// As [`Loader::from_config`].
    pub fn from_config(class_name: &str, config: &Config) -> Result<Optimizer> {
        Loader::new().from_config(class_name, config)
    }

    /// As [`from_config`](Optimizer::from_config), where the registries may hold own classes.
    ///
    /// # Errors
    /// As there.
    pub fn from_config_with(
        class_name: &str,
        config: &Config,
        rules: Rules<'_>,
        schedules: Schedules<'_>,
    ) -> Result<Optimizer> {
        Loader::new().rules(rules).schedules(schedules).from_config(class_name, config)
    }

    /// The optimizer as JSON, an [`Envelope`] as `tf.keras.optimizers.serialize` prints it.
    ///
    /// # Errors
    /// As [`get_config`](Optimizer::get_config).
    pub fn serialize(&self) -> Result<Value> {
        Ok(self.envelope(self.class_name(), &self.get_config()?))
    }

    fn envelope(&self, class_name: &str, config: &Config) -> Value {
        let envelope = Envelope { class_name, config };
        let wraps = class_name == LOSS_SCALE;
        if let Some(origin) = self.printed.origin.as_ref().filter(|_| !wraps) {
            return envelope.to_json_of(origin);
        }
        let known = wraps || Dialect::Keras3.arguments(class_name).is_some();
        // Keras 3 has classes that the legacy module lacks.
        let own = self.printed.dialect;
        let module = own.arguments(class_name).map_or(Dialect::Keras3, |_| own).module();
        envelope.to_json(known.then_some(module))
    }

    /// Builds an optimizer from JSON, an [`Envelope`].
    ///
    /// # Errors
    /// As [`from_config`](Optimizer::from_config); [`Config`](slalom_array::ErrorKind::Config), if `json` is not an envelope.
    ///
    /// ```
    /// use slalom_optim::Optimizer;
    /// let json = serde_json::json!({"class_name": "Adam", "config": {"learning_rate": {
    ///     "class_name": "ExponentialDecay",
    ///     "config": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "staircase": true},
    /// }}});
    /// let opt = Optimizer::deserialize(&json)?;
    /// assert_eq!((opt.learning_rate()?, opt.get("beta_1")?), (0.1, 0.9));
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    pub fn deserialize(json: &Value) -> Result<Optimizer> {
        Loader::new().deserialize(json)
    }
}
