//! Configs that name their class.
use super::value::{Config, found, found_keys, shortened};
use serde_json::{Value, json};
use slalom_array::{Error, ErrorKind, Result};

/// A config and the name of its class, as Keras serializes an object.
///
/// It reads both of Keras's forms, and prints the longer one, which either Keras loads:
///
/// ```json
/// {"class_name": "SGD", "config": {..}}
/// {"module": "keras.optimizers", "class_name": "SGD", "config": {..}, "registered_name": null}
/// ```
///
/// ```
/// use slalom_optim::config::Envelope;
/// let json = serde_json::json!({"class_name": "SGD", "config": {"momentum": 0.9}});
/// let envelope = Envelope::read(&json)?;
/// assert_eq!((envelope.class_name, envelope.config.len()), ("SGD", 1));
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Envelope<'a> {
    /// The name of the class.
    pub class_name: &'a str,
    /// Its arguments.
    pub config: &'a Config,
}

impl<'a> Envelope<'a> {
    /// The keys of an envelope.
    const KEYS: [&'static str; 4] = ["module", "class_name", "config", "registered_name"];

    /// Reads an envelope.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], if `json` is not an object with a string `class_name` and an object `config`, or if it has
    /// keys besides `module` and `registered_name`.
    pub fn read(json: &'a Value) -> Result<Envelope<'a>> {
        let error = |got: String| {
            let expected = "an object with `class_name` (a string) and `config` (an object)";
            Error::new(ErrorKind::Config, "from_config", expected, got)
        };
        let object = json.as_object().ok_or_else(|| error(found(json)))?;
        let get = |key| {
            object.get(key).ok_or_else(|| error(format!("an object with {}", found_keys(object.keys()))))
        };
        let (class_name, config) = (get("class_name")?, get("config")?);
        let wrong = |key, value| error(format!("{} for `{key}`", found(value)));
        if let Some(key) = object.keys().find(|key| !Self::KEYS.contains(&key.as_str())) {
            return Err(error(format!("also the key `{}`", shortened(key))));
        }
        Ok(Envelope {
            class_name: class_name.as_str().ok_or_else(|| wrong("class_name", class_name))?,
            config: config.as_object().ok_or_else(|| wrong("config", config))?,
        })
    }

    /// The envelope as JSON, of a class in one of Keras's modules, or of an own class (`None`), which is registered under its name,
    /// `"C"` or with a package `"package>C"`.
    ///
    /// ```
    /// use slalom_optim::config::{Envelope, object};
    /// let envelope = Envelope { class_name: "SGD", config: &object([]) };
    /// let json = envelope.to_json(Some("keras.optimizers"));
    /// assert_eq!(json, serde_json::json!({
    ///     "module": "keras.optimizers", "class_name": "SGD", "config": {}, "registered_name": null,
    /// }));
    /// ```
    pub fn to_json(&self, module: Option<&str>) -> Value {
        if let Some(module) = module {
            return self.to_json_of(&Origin { module: Some(module.to_owned()), registered_name: None });
        }
        self.to_json_of(&Origin { module: None, registered_name: Some(self.class_name.to_owned()) })
    }

    /// The envelope as JSON, of a class of this origin.
    pub fn to_json_of(&self, origin: &Origin) -> Value {
        json!({
            "module": origin.module,
            "class_name": self.class_name.rsplit('>').next(),
            "config": self.config,
            "registered_name": origin.registered_name,
        })
    }
}

/// Where Python finds a class: what an envelope says besides the name of the class and its config.
///
/// ```
/// use slalom_optim::config::Origin;
/// let json = serde_json::json!({"module": "m", "class_name": "C", "config": {}, "registered_name": "package>C"});
/// let origin = Origin::read(&json).unwrap();
/// assert_eq!((origin.module.as_deref(), origin.registered_name.as_deref()), (Some("m"), Some("package>C")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The module.
    pub module: Option<String>,
    /// The name under which an own class is registered, `"package>C"`. Classes are looked up by it first.
    pub registered_name: Option<String>,
}

impl Origin {
    /// The origin that an envelope tells; `None`, if it tells nothing.
    pub fn read(json: &Value) -> Option<Origin> {
        let text = |key| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let origin = Origin { module: text("module"), registered_name: text("registered_name") };
        (origin.module.is_some() || origin.registered_name.is_some()).then_some(origin)
    }
}
