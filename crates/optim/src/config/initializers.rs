//! Initializers as Keras prints them.
use super::plain;
use serde_json::Value;
use slalom_array::Result;
use slalom_variable::Config;
use slalom_variable::initializers::{Build, Initializer, from_config, from_config_with};
use std::sync::Arc;

/// The initializer as JSON, an [`Envelope`](super::Envelope) as `tf.keras.initializers.serialize` prints it; `None`, if it has no
/// name, as a closure.
///
/// ```
/// use slalom_optim::config::initializers;
/// use slalom_variable::initializers::HeNormal;
/// let json = initializers::serialize(&HeNormal::new()).unwrap();
/// assert_eq!(json, serde_json::json!({
///     "module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null}, "registered_name": null,
/// }));
/// assert_eq!(initializers::deserialize(&json)?.class_name(), Some("HeNormal"));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn serialize(initializer: &dyn Initializer) -> Option<Value> {
    let class_name = initializer.class_name()?;
    // All that slalom has are Keras's.
    let known = from_config(class_name, &Config::new()).is_ok();
    let module = known.then_some("keras.initializers");
    Some(plain::serialize(class_name, &initializer.get_config(), module))
}

/// Builds one of slalom's own initializers from JSON, an [`Envelope`](super::Envelope).
///
/// # Errors
/// [`ErrorKind::Config`](slalom_array::ErrorKind::Config), if `json` is not an envelope or its config has unknown arguments or
/// values of a wrong type; [`ErrorKind::NotFound`](slalom_array::ErrorKind::NotFound), if the class is not known.
pub fn deserialize(json: &Value) -> Result<Arc<dyn Initializer>> {
    deserialize_with(json, &[])
}

/// As [`deserialize`], with a caller's own initializers, which go first, by their class names or the names under which they are
/// registered.
///
/// # Errors
/// As there, and those of the caller's.
pub fn deserialize_with(json: &Value, own: &[(&str, Build)]) -> Result<Arc<dyn Initializer>> {
    let (class_name, config) = plain::read(json, |name| own.iter().any(|row| row.0 == name))?;
    from_config_with(class_name, &config, own)
}
