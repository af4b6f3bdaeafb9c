//! Exponential moving averages of the variables' values.
use slalom_array::{Array, DType, Element, Error, ErrorKind, Float, Map, Result, map_assign};
use slalom_variable::Variable;

/// The name of the slot.
pub(crate) const SLOT: &str = "average";

/// The options of the average (`use_ema`, `ema_momentum`, `ema_overwrite_frequency` of Keras 3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Average {
    pub(crate) momentum: f64,
    /// After each multiple of so many steps, values are replaced by their averages.
    pub(crate) overwrite: Option<i64>,
    /// Where its slot stands among a variable's slots.
    pub(crate) slot: usize,
}

/// What one step does with averages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blend {
    momentum: f64,
    pub(crate) overwrite: bool,
    pub(crate) slot: usize,
}

impl Average {
    pub(crate) fn new(momentum: f64, overwrite: Option<i64>, slot: usize) -> Result<Average> {
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Error::new(ErrorKind::Argument, "ema_momentum", "a number from 0 to 1", momentum));
        }
        if let Some(got) = overwrite.filter(|&steps| steps < 1) {
            let expected = "a number of steps of at least 1";
            return Err(Error::new(ErrorKind::Argument, "ema_overwrite_frequency", expected, got));
        }
        Ok(Average { momentum, overwrite, slot })
    }

    /// What the step after `iterations` others does. The first sets the average to the value.
    pub(crate) fn blend(&self, iterations: i64) -> Blend {
        let overwrite = self.overwrite.is_some_and(|steps| (iterations + 1) % steps == 0);
        Blend { momentum: if iterations == 0 { 0.0 } else { self.momentum }, overwrite, slot: self.slot }
    }
}

/// `momentum a + (1 - momentum) x`.
#[derive(Clone, Copy)]
struct Mix<F> {
    momentum: F,
    gain: F,
}

impl<F: Float + Element> Map<F, F, 2> for Mix<F> {
    #[inline(always)]
    fn eval(self, [average, x]: [F; 2]) -> F {
        // Not 0 times what an average may hold that has never been set.
        F::select(self.momentum == F::ZERO, x, self.momentum * average + self.gain * x)
    }
}

/// The second operand.
#[derive(Clone, Copy)]
struct Replace;

impl<F: Float + Element> Map<F, F, 2> for Replace {
    #[inline(always)]
    fn eval(self, [_, new]: [F; 2]) -> F {
        new
    }
}

impl Blend {
    /// `average = momentum · average + (1 - momentum) · value`, and the value replaced by it where that is due.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if an array is shared.
    pub(crate) fn apply(&self, value: &mut Array, average: &mut Array) -> Result<()> {
        match value.dtype() {
            DType::F64 => self.apply_as::<f64>(value, average),
            _ => self.apply_as::<f32>(value, average),
        }
    }

    fn apply_as<F: Float + Element>(&self, value: &mut Array, average: &mut Array) -> Result<()> {
        let (momentum, gain) = (F::from_f64(self.momentum), F::from_f64(1.0 - self.momentum));
        map_assign::<F, _>("ema", Mix { momentum, gain }, average, value)?;
        if self.overwrite {
            map_assign::<F, _>("ema", Replace, value, average)?;
        }
        Ok(())
    }

    /// As [`apply`](Blend::apply), of copies.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`].
    pub(crate) fn copies(&self, value: &Variable, average: &Variable) -> Result<[Array; 2]> {
        let (mut value, mut average) = (value.array(), average.array().copy()?);
        if self.overwrite {
            value = value.copy()?;
        }
        self.apply(&mut value, &mut average)?;
        Ok([value, average])
    }
}

/// A scalar that a stage remembers.
pub(crate) fn scalar(optimizer: &str, name: &str, value: Array) -> Variable {
    Variable::new(value).named(format!("{optimizer}/{name}")).untrainable()
}
