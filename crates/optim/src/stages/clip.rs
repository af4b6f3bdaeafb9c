//! Clipping: by value, by the norm of each gradient, by the norm of all together.
use super::GradientList;
use crate::driver::{self, Clip};
use slalom_array::{Array, DType, Error, ErrorKind, Result};
use slalom_autograd::Gradient;
use smallvec::{SmallVec, smallvec};

/// The clip options. Sparse gradients are clipped as they are, before duplicate indices are summed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ClipOptions {
    pub(crate) value: Option<f64>,
    pub(crate) norm: Option<f64>,
    pub(crate) global_norm: Option<f64>,
}

impl ClipOptions {
    /// The options with their names.
    pub(crate) fn named(&self) -> [(&'static str, Option<f64>); 3] {
        [("clipvalue", self.value), ("clipnorm", self.norm), ("global_clipnorm", self.global_norm)]
    }

    /// Refuses what is not allowed.
    pub(crate) fn check(&self, optimizer: &str) -> Result<()> {
        for (name, option) in self.named() {
            if let Some(got) = option.filter(|&x| !x.is_finite() || x < 0.0) {
                let expected = "a finite number of at least 0";
                return Err(Error::new(ErrorKind::Argument, name, expected, got).context(optimizer));
            }
        }
        if self.norm.is_some() && self.global_norm.is_some() {
            let expected = "clipnorm or global_clipnorm";
            return Err(Error::new(ErrorKind::Argument, "clipnorm", expected, "both").context(optimizer));
        }
        Ok(())
    }

    pub(crate) fn any(&self) -> bool {
        *self != ClipOptions::default()
    }

    /// What is to be done with each of the gradients.
    ///
    /// `clipnorm`: `g c / max(‖g‖, c)`; `global_clipnorm`: `g c min(1/‖all‖, 1/c)`, NaN if the norm is not finite.
    ///
    /// # Errors
    /// [`ErrorKind::DType`], if a gradient is not of floats; [`ErrorKind::Memory`].
    pub(crate) fn resolve(&self, gradients: &GradientList) -> Result<SmallVec<[Clip; 4]>> {
        let limit = self.value.unwrap_or(f64::INFINITY);
        let mut clips: SmallVec<[Clip; 4]> = smallvec![Clip { limit, scale: 1.0 }; gradients.len()];
        if self.norm.is_none() && self.global_norm.is_none() {
            return Ok(clips);
        }
        let values: Vec<Array> =
            gradients.iter().map(|(gradient, _)| floats(gradient)).collect::<Result<_>>()?;
        let sums = driver::squares(&values, limit);
        if let Some(c) = self.norm {
            for ((clip, values), &sum) in clips.iter_mut().zip(&values).zip(&sums) {
                let norm = rounded(sum, values.dtype()).sqrt();
                let largest = if norm.is_nan() { norm } else { norm.max(c) };
                clip.scale = c / largest;
            }
        }
        if let Some(c) = self.global_norm {
            let narrow = values.iter().all(|values| values.dtype() == DType::F32);
            let sum = sums.iter().sum();
            let norm = rounded(sum, if narrow { DType::F32 } else { DType::F64 }).sqrt();
            let scale = if norm.is_finite() { c * (1.0 / norm).min(1.0 / c) } else { f64::NAN };
            clips.iter_mut().for_each(|clip| clip.scale = scale);
        }
        Ok(clips)
    }
}

/// A sum as the element type would hold it: beyond its range, infinite.
fn rounded(sum: f64, dtype: DType) -> f64 {
    if dtype == DType::F32 { sum as f32 as f64 } else { sum }
}

/// The elements of a gradient, contiguous.
fn floats(gradient: &Gradient) -> Result<Array> {
    let values = match gradient {
        Gradient::Dense(tensor) => tensor.array()?,
        Gradient::Sparse(slices) => slices.values().array()?,
    };
    if !values.dtype().is_float() {
        return Err(Error::new(ErrorKind::DType, "clipnorm", "a gradient of floats", values.dtype()));
    }
    values.contiguous()
}
