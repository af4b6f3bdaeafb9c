//! Tensors and gradients in the files, and how they are compared.
use crate::fields::{Fields, number, shape};
use crate::runner::Failure;
use serde_json::Value;
use slalom_array::DType;
use slalom_autograd::{Gradient, IndexedSlices, Tensor};

/// How far a number may be off: `|got - want| <= atol + rtol |want|`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    rtol: f64,
    atol: f64,
}

impl Bound {
    pub(crate) fn new(rtol: f64, atol: f64) -> Bound {
        Bound { rtol, atol }
    }

    /// Whether `got` stands for `want`: NaN for NaN, an infinity for itself, else within the bound.
    pub(crate) fn admits(self, got: f64, want: f64) -> bool {
        if want.is_nan() || want.is_infinite() {
            return got == want || (got.is_nan() && want.is_nan());
        }
        (got - want).abs() <= self.atol + self.rtol * want.abs()
    }
}

/// The bounds of each floating-point type.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tolerance {
    f32: Option<Bound>,
    f64: Option<Bound>,
}

impl Tolerance {
    pub(crate) fn parse(value: &Value) -> Result<Tolerance, Failure> {
        let fields = Fields::new(value, "tolerance")?;
        let bound = |key: &str| -> Result<Option<Bound>, Failure> {
            let Some(value) = fields.optional(key) else { return Ok(None) };
            let fields = Fields::new(value, "tolerance")?;
            let bound = Bound { rtol: fields.number("rtol")?, atol: fields.number("atol")? };
            fields.finish()?;
            Ok(Some(bound))
        };
        let tolerance = Tolerance { f32: bound("f32")?, f64: bound("f64")? };
        fields.finish()?;
        Ok(tolerance)
    }

    /// These bounds, where there are any, else those of `other`.
    pub(crate) fn or(self, other: Tolerance) -> Tolerance {
        Tolerance { f32: self.f32.or(other.f32), f64: self.f64.or(other.f64) }
    }

    /// The bound of a type; integers and truth values are exact.
    pub(crate) fn of(self, dtype: DType) -> Result<Bound, Failure> {
        let bound = match dtype {
            DType::F32 => self.f32,
            DType::F64 => self.f64,
            _ => Some(Bound::new(0.0, 0.0)),
        };
        bound.ok_or_else(|| format!("the file has no tolerance for {dtype}").into())
    }
}

/// The element type of a name in the files.
pub(crate) fn dtype(name: &str) -> Result<DType, Failure> {
    let found = DType::ALL.into_iter().find(|dtype| dtype.name() == name);
    found.ok_or_else(|| format!("unknown dtype {name}").into())
}

fn integer<T: TryFrom<i64>>(value: &Value) -> Result<T, Failure> {
    let number = value.as_i64().and_then(|n| T::try_from(n).ok());
    number.ok_or_else(|| format!("not an integer of the type: {value}").into())
}

fn truth(value: &Value) -> Result<bool, Failure> {
    value.as_bool().ok_or_else(|| format!("not a truth value: {value}").into())
}

/// Reads `{"shape": .., "dtype": .., "data": ..}`.
pub(crate) fn tensor(value: &Value) -> Result<Tensor, Failure> {
    let fields = Fields::new(value, "tensor")?;
    let (shape, data) = (shape(fields.get("shape")?)?, fields.list("data")?);
    let dtype = dtype(fields.str("dtype")?)?;
    fields.finish()?;
    fn all<T>(data: &[Value], one: impl Fn(&Value) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        data.iter().map(one).collect()
    }
    Ok(match dtype {
        DType::F32 => Tensor::from_vec(shape, all(data, |v| Ok(number(v)? as f32))?)?,
        DType::F64 => Tensor::from_vec(shape, all(data, number)?)?,
        DType::I32 => Tensor::from_vec(shape, all(data, integer::<i32>)?)?,
        DType::I64 => Tensor::from_vec(shape, all(data, integer::<i64>)?)?,
        DType::Bool => Tensor::from_vec(shape, all(data, truth)?)?,
    })
}

/// Reads a gradient: a tensor, `IndexedSlices`, or null for none.
pub(crate) fn gradient(value: &Value) -> Result<Option<Gradient>, Failure> {
    if value.is_null() {
        return Ok(None);
    }
    if value.get("indices").is_none() {
        return Ok(Some(tensor(value)?.into()));
    }
    let fields = Fields::new(value, "slices")?;
    let (indices, values) = (tensor(fields.get("indices")?)?, tensor(fields.get("values")?)?);
    let dense_shape = shape(fields.get("dense_shape")?)?;
    fields.finish()?;
    Ok(Some(IndexedSlices::new(indices, values, dense_shape)?.into()))
}

/// The elements as `f64`, and as `i64` where that is exact and `f64` is not.
fn elements(tensor: &Tensor) -> Result<(Vec<f64>, Vec<i64>), Failure> {
    let none = Vec::new;
    Ok(match tensor.dtype() {
        DType::F32 => (tensor.to_vec::<f32>()?.into_iter().map(f64::from).collect(), none()),
        DType::F64 => (tensor.to_vec()?, vec![]),
        DType::I32 => (tensor.to_vec::<i32>()?.into_iter().map(f64::from).collect(), none()),
        DType::I64 => {
            let exact = tensor.to_vec::<i64>()?;
            (exact.iter().map(|&x| x as f64).collect(), exact)
        }
        DType::Bool => (tensor.to_vec::<bool>()?.into_iter().map(f64::from).collect(), none()),
    })
}

/// Fails, if shape, type or any element is not what is wanted.
pub(crate) fn compare(what: &str, got: &Tensor, want: &Tensor, tolerance: Tolerance) -> Result<(), Failure> {
    if got.dtype() != want.dtype() {
        return Err(format!("{what}: dtype {}, want {}", got.dtype(), want.dtype()).into());
    }
    if got.shape() != want.shape() {
        return Err(format!("{what}: shape {}, want {}", got.shape(), want.shape()).into());
    }
    let bound = tolerance.of(want.dtype())?;
    let ((got, got_exact), (want, want_exact)) = (elements(got)?, elements(want)?);
    for (i, (&g, &w)) in got.iter().zip(&want).enumerate() {
        if !bound.admits(g, w) || got_exact.get(i) != want_exact.get(i) {
            let Bound { rtol, atol } = bound;
            return Err(format!("{what}[{i}]: got {g:e}, want {w:e} (rtol {rtol:e}, atol {atol:e})").into());
        }
    }
    Ok(())
}

/// As [`compare`] for lists: `none` is the same as `none` only.
pub(crate) fn compare_gradient(
    what: &str,
    got: Option<&Gradient>,
    want: &Value,
    tolerance: Tolerance,
) -> Result<(), Failure> {
    match (got, want) {
        (None, Value::Null) => Ok(()),
        (None, _) => Err(format!("{what}: no gradient, want one").into()),
        (Some(_), Value::Null) => Err(format!("{what}: a gradient, want none").into()),
        (Some(got), want) => compare(what, &got.to_dense()?, &tensor(want)?, tolerance),
    }
}
