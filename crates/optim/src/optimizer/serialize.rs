//! Optimizers as JSON, with the names that Keras uses.
use super::Optimizer;
use crate::config::{Config, Envelope, Reader, number};
use crate::rules::{self, Rules};
use crate::schedules::{self, Schedules};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};

/// Configs.
impl Optimizer {
    /// All arguments, from which an equal optimizer can be built: the name, the clip options that are set, the hyperparameters and
    /// what else the rule has. A callable stands there with its present value; closures that aggregate or
    /// transform gradients do not stand there.
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
        let mut config = Config::new();
        config.insert("name".to_owned(), self.name.as_str().into());
        for (key, value) in self.clip.named() {
            if let Some(value) = value {
                config.insert(key.to_owned(), number(value));
            }
        }
        self.hypers.to_config(&self.name, self.iterations.array().item()? as i64, &mut config)?;
        config.extend(self.rule.config());
        Ok(config)
    }

    /// Builds an optimizer from the name of its class and its config. Arguments that the config lacks have their defaults.
    ///
    /// # Errors
    /// [`NotFound`](slalom_array::ErrorKind::NotFound), if the class is not known; [`Config`](slalom_array::ErrorKind::Config), if
    /// the config has unknown keys or values of a wrong type; [`Argument`](slalom_array::ErrorKind::Argument), if a value is refused.
    pub fn from_config(class_name: &str, config: &Config) -> Result<Optimizer> {
        Optimizer::from_config_with(class_name, config, rules::registry(), schedules::registry())
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
        let entry = rules.find(class_name)?;
        let mut reader = Reader::new(entry.class_name, config, schedules);
        let mut optimizer = Optimizer::from_rule((entry.build)(&mut reader)?)?;
        if let Some(name) = reader.take_or::<Option<String>>("name", None)? {
            optimizer = optimizer.name(name);
        }
        if optimizer.hypers.decay.is_some() {
            optimizer = optimizer.decay(reader.take_or("decay", 0.0)?)?;
        }
        refuse_keras_3(&mut reader)?;
        optimizer.set_clipvalue(reader.take_or("clipvalue", None)?)?;
        optimizer.set_clipnorm(reader.take_or("clipnorm", None)?)?;
        optimizer.set_global_clipnorm(reader.take_or("global_clipnorm", None)?)?;
        reader.finish()?;
        Ok(optimizer)
    }

    /// The optimizer as JSON, an [`Envelope`] as `tf.keras.optimizers.serialize` prints it.
    ///
    /// # Errors
    /// As [`get_config`](Optimizer::get_config).
    pub fn serialize(&self) -> Result<Value> {
        let class_name = self.rule.class_name();
        let envelope = Envelope { class_name, config: &self.get_config()? };
        Ok(envelope.to_json(rules::is_keras(class_name).then_some("keras.optimizers")))
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
        let Envelope { class_name, config } = Envelope::read(json)?;
        Optimizer::from_config(class_name, config)
    }
}

/// Takes the options that each config of Keras 3 has, and refuses those that are in use.
fn refuse_keras_3(reader: &mut Reader<'_>) -> Result<()> {
    reader.take_or::<Value>("ema_momentum", Value::Null)?;
    for (key, idle) in [
        ("weight_decay", Value::Null),
        ("use_ema", false.into()),
        ("ema_overwrite_frequency", Value::Null),
        ("loss_scale_factor", Value::Null),
        ("gradient_accumulation_steps", Value::Null),
    ] {
        if reader.takes(key) {
            continue;
        }
        let value = reader.take_or(key, idle.clone())?;
        if value != idle {
            let expected = format!("{idle} for `{key}`");
            return Err(Error::new(ErrorKind::Config, "from_config", expected, value));
        }
    }
    Ok(())
}
