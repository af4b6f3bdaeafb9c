//! Constraints as Keras prints them.
use super::plain;
use serde_json::Value;
use slalom_array::Result;
use slalom_variable::constraints::{Build, Constraint, from_config_with};
use std::sync::Arc;

/// Those of Keras.
const OF_KERAS: [&str; 5] = ["NonNeg", "MaxNorm", "MinMaxNorm", "UnitNorm", "RadialConstraint"];

/// The constraint as JSON, an [`Envelope`](super::Envelope) as `tf.keras.constraints.serialize` prints it; `None`, if it has no
/// name, as a closure.
///
/// ```
/// use slalom_optim::config::constraints;
/// use slalom_variable::constraints::MaxNorm;
/// let json = constraints::serialize(&MaxNorm::new(3.0)).unwrap();
/// assert_eq!(json, serde_json::json!({
///     "module": "keras.constraints", "class_name": "MaxNorm", "config": {"max_value": 3.0, "axis": 0},
///     "registered_name": null,
/// }));
/// assert_eq!(constraints::deserialize(&json)?.class_name(), Some("MaxNorm"));
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn serialize(constraint: &dyn Constraint) -> Option<Value> {
    let class_name = constraint.class_name()?;
    let module = OF_KERAS.contains(&class_name).then_some("keras.constraints");
    Some(plain::serialize(class_name, &constraint.get_config(), module))
}

/// Builds one of slalom's own constraints from JSON, an [`Envelope`](super::Envelope).
///
/// # Errors
/// [`ErrorKind::Config`](slalom_array::ErrorKind::Config), if `json` is not an envelope or its config has unknown arguments or
/// values of a wrong type; [`ErrorKind::NotFound`](slalom_array::ErrorKind::NotFound), if the class is not known.
pub fn deserialize(json: &Value) -> Result<Arc<dyn Constraint>> {
    deserialize_with(json, &[])
}

/// As [`deserialize`], with a caller's own constraints, which go first, by their class names or the names under which they are
/// registered: `"Centred"`, `"package>Centred"`.
///
/// # Errors
/// As there, and those of the caller's.
pub fn deserialize_with(json: &Value, own: &[(&str, Build)]) -> Result<Arc<dyn Constraint>> {
    let (class_name, config) = plain::read(json, |name| own.iter().any(|row| row.0 == name))?;
    from_config_with(class_name, &config, own)
}
