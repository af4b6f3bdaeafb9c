//! Weights alone, to and from other programs.
use crate::differences::{at, damaged, mismatch};
use crate::file::{self, Source};
use crate::safetensors::{self, Header};
use crate::{atomic, bytes, npz};
use slalom_array::{Array, Error, ErrorKind, Result};
use slalom_optim::State;
use slalom_variable::Variable;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A format, as the end of a file's name says.
enum Format {
    Safetensors,
    Npz,
}

fn format(path: &Path) -> Result<Format> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("safetensors") => Ok(Format::Safetensors),
        Some("npz") => Ok(Format::Npz),
        _ => {
            let expected = "a name that ends with .safetensors or .npz";
            Err(Error::new(ErrorKind::Argument, "weights", expected, path.display()))
        }
    }
}

/// Writes the values of variables under their names, as safetensors or as NumPy's npz: the end of the file's name says which.
/// The file is replaced as a whole. A name that comes again is followed by `#1`, `#2` and so on.
///
/// # Errors
/// [`ErrorKind::Io`]; [`ErrorKind::Argument`], if the name ends in another way, or if there is more than the format can hold.
///
/// ```
/// use slalom_checkpoint::{load_weights, save_weights};
/// use slalom_variable::Variable;
/// # let folder = tempfile::tempdir()?;
/// let w = Variable::new(2.0f32).named("dense/kernel");
/// let copy = Variable::new(0.0f32).named("dense/kernel");
/// for name in ["weights.safetensors", "weights.npz"] {
///     let path = folder.path().join(name);
///     save_weights(&path, [&w])?;
///     copy.assign(slalom_autograd::Tensor::zeros([], slalom_array::DType::F32)?)?;
///     load_weights(&path, [&copy])?;
///     assert_eq!(copy.value().item()?, 2.0);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_weights<V: AsRef<Variable>>(
    path: impl AsRef<Path>,
    variables: impl IntoIterator<Item = V>,
) -> Result<()> {
    let named = State::names(variables).into_iter();
    write_arrays(path, &named.map(|(name, variable)| (name, variable.array())).collect())
}

/// Reads a file of weights into variables of the same names, shapes and element types.
///
/// # Errors
/// [`ErrorKind::Argument`], with a line for each difference; as [`read_arrays`]. Nothing has changed then.
pub fn load_weights<V: AsRef<Variable>>(
    path: impl AsRef<Path>,
    variables: impl IntoIterator<Item = V>,
) -> Result<()> {
    let path = path.as_ref();
    let (values, differences) = compare(read_arrays(path)?, variables);
    if !differences.is_empty() {
        return Err(at(path)(mismatch("load_weights", &differences)));
    }
    assign(values)
}

/// As [`load_weights`], but takes what fits and leaves the other variables as they are. Returns the differences.
///
/// # Errors
/// As [`read_arrays`].
pub fn load_weights_partial<V: AsRef<Variable>>(
    path: impl AsRef<Path>,
    variables: impl IntoIterator<Item = V>,
) -> Result<Vec<String>> {
    let (values, differences) = compare(read_arrays(path)?, variables);
    assign(values)?;
    Ok(differences)
}

type Values = Vec<(Variable, Array)>;

fn compare<V: AsRef<Variable>>(
    mut arrays: BTreeMap<String, Array>,
    variables: impl IntoIterator<Item = V>,
) -> (Values, Vec<String>) {
    let (mut values, mut differences) = (Vec::new(), Vec::new());
    for (name, variable) in State::names(variables) {
        let (dtype, shape) = (variable.dtype(), variable.shape());
        let got = match arrays.remove(&name) {
            Some(array) if array.shape() == shape && array.dtype() == dtype => {
                values.push((variable, array));
                continue;
            }
            Some(array) => format!("{} {}", array.dtype(), array.shape()),
            None => "nothing".to_owned(),
        };
        differences.push(format!("{name}: expected {dtype} {shape}, got {got}"));
    }
    differences.extend(arrays.into_keys().map(|name| format!("{name}: expected nothing, got it")));
    (values, differences)
}

fn assign(values: Values) -> Result<()> {
    for (variable, value) in values {
        variable.assign(slalom_autograd::Tensor::from(value))?;
    }
    Ok(())
}

/// Writes named arrays as safetensors or npz: the end of the file's name says which. The file is replaced as a whole.
///
/// # Errors
/// As [`save_weights`].
pub fn write_arrays(path: impl AsRef<Path>, arrays: &BTreeMap<String, Array>) -> Result<()> {
    let path = path.as_ref();
    let format = format(path)?;
    atomic::replace(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 16, file);
        match format {
            Format::Npz => npz::write(&mut out, arrays)?,
            Format::Safetensors => write_safetensors(&mut out, arrays)?,
        }
        Ok(out.flush()?)
    })
}

fn write_safetensors(out: &mut dyn Write, arrays: &BTreeMap<String, Array>) -> Result<()> {
    let mut arrays: Vec<_> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
    safetensors::sort(&mut arrays);
    out.write_all(&safetensors::header(&[], &arrays)?)?;
    for (_, array) in arrays {
        bytes::write(array, &mut |bytes| Ok(out.write_all(bytes)?))?;
    }
    Ok(())
}

/// Reads all arrays of a safetensors or npz file: the end of its name says which.
///
/// # Errors
/// [`ErrorKind::Io`]; [`ErrorKind::Format`], if the file is damaged or of another format; [`ErrorKind::DType`], if it has arrays of
/// a type that is not one of slalom's; [`ErrorKind::Argument`], if its name ends in another way.
pub fn read_arrays(path: impl AsRef<Path>) -> Result<BTreeMap<String, Array>> {
    let path = path.as_ref();
    match format(path)? {
        Format::Safetensors => file::open(path, read_safetensors),
        Format::Npz => npz::read(path),
    }
}

fn read_safetensors(source: &mut dyn Source, length: u64) -> Result<BTreeMap<String, Array>> {
    let text = safetensors::read_text(source, length)?;
    let Some(data) = length.checked_sub(8 + text.len() as u64) else {
        return Err(damaged("safetensors", "a header that ends within the file", text.len()));
    };
    let header = Header::parse(&text, data)?;
    drop(text);
    header.read_arrays(&mut |bytes| file::fill(source, bytes))
}
