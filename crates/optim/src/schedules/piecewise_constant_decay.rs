//! Piecewise constant values.
use super::{Schedule, Steps, finite, require};
use crate::config::{Config, Reader, number, object};
use serde_json::Value;
use slalom_array::Result;

/// `values[i]`, where `i` is the number of boundaries below the step: a step *at* a boundary still has the earlier value.
///
/// Source: `tf.keras.optimizers.schedules.PiecewiseConstantDecay`.
///
/// ```
/// use slalom_optim::schedules::{PiecewiseConstantDecay, Schedule};
/// let schedule = PiecewiseConstantDecay::new([100, 110], [1.0, 0.5, 0.1]);
/// assert_eq!((schedule.value(100), schedule.value(101), schedule.value(111)), (1.0, 0.5, 0.1));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PiecewiseConstantDecay {
    boundaries: Vec<Steps>,
    values: Vec<f64>,
    name: Option<String>,
}

impl PiecewiseConstantDecay {
    pub(super) const CLASS_NAME: &str = "PiecewiseConstantDecay";

    /// Values between boundaries: at least one boundary, in ascending order, and one value more.
    pub fn new(
        boundaries: impl IntoIterator<Item = impl Into<Steps>>,
        values: impl Into<Vec<f64>>,
    ) -> PiecewiseConstantDecay {
        let boundaries = boundaries.into_iter().map(Into::into).collect();
        PiecewiseConstantDecay { boundaries, values: values.into(), name: None }
    }

    /// A name, which stands in the config. Default: none.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> PiecewiseConstantDecay {
        PiecewiseConstantDecay { name: Some(name.into()), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<PiecewiseConstantDecay> {
        Ok(PiecewiseConstantDecay {
            boundaries: reader.take("boundaries")?,
            values: reader.take("values")?,
            name: reader.take_or("name", None)?,
        })
    }
}

impl Schedule for PiecewiseConstantDecay {
    /// # Panics
    /// If there are fewer values than [`validate`](Schedule::validate) asks for.
    fn value(&self, step: i64) -> f64 {
        self.values[self.boundaries.partition_point(|boundary| boundary.get() < step as f64)]
    }

    fn class_name(&self) -> &str {
        Self::CLASS_NAME
    }

    fn get_config(&self) -> Config {
        object([
            ("boundaries", self.boundaries.iter().copied().collect()),
            ("values", self.values.iter().copied().map(number).collect::<Value>()),
            ("name", self.name.clone().into()),
        ])
    }

    fn validate(&self) -> Result<()> {
        let (boundaries, values) = (self.boundaries.len(), self.values.len());
        let got = format!("{boundaries} boundaries and {values} values");
        require(boundaries > 0, Self::CLASS_NAME, "at least one boundary", "none")?;
        require(values == boundaries + 1, Self::CLASS_NAME, "one value more than boundaries", got)?;
        let listed: Value = self.boundaries.iter().copied().collect();
        require(self.boundaries.is_sorted(), Self::CLASS_NAME, "boundaries in ascending order", listed)?;
        finite(Self::CLASS_NAME, self.boundaries.iter().map(|boundary| ("boundary", boundary.get())))?;
        finite(Self::CLASS_NAME, self.values.iter().map(|&value| ("value", value)))
    }
}
