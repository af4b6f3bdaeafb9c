//! Arrays as bytes: little-endian, row-major.
use crate::differences::damaged;
use slalom_array::{Array, DType, Element, Result, Shape};

/// Bytes that are converted at a time.
const PIECE: usize = 1 << 16;

/// An element as bytes.
trait Bytes: Element {
    fn put(self, bytes: &mut [u8]);
    fn take(bytes: &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(
        impl Bytes for $t {
            #[inline]
            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn take(bytes: &[u8]) -> Option<$t> {
                bytes.try_into().map(<$t>::from_le_bytes).ok()
            }
        }
    )*};
}
numbers!(f32 f64 i32 i64);

impl Bytes for bool {
    fn put(self, bytes: &mut [u8]) {
        bytes[0] = self.into();
    }
    fn take(bytes: &[u8]) -> Option<bool> {
        match bytes[0] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// The number of bytes of an array.
///
/// # Errors
/// [`Memory`](slalom_array::ErrorKind::Memory), if it is more than memory can hold.
pub(crate) fn length(shape: &Shape, dtype: DType) -> Result<u64> {
    // At most `isize::MAX` elements of at most 8 bytes: that is checked again where it is compared with a file's length.
    Ok((shape.num_elements()? as u64).saturating_mul(dtype.size() as u64))
}

/// Gives the bytes of an array to `sink`, piece by piece.
pub(crate) fn write(array: &Array, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    match array.dtype() {
        DType::F32 => write_as::<f32>(array, sink),
        DType::F64 => write_as::<f64>(array, sink),
        DType::I32 => write_as::<i32>(array, sink),
        DType::I64 => write_as::<i64>(array, sink),
        DType::Bool => write_as::<bool>(array, sink),
    }
}

fn write_as<T: Bytes>(array: &Array, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let array = array.contiguous()?;
    let mut piece = vec![0; PIECE];
    for elements in array.as_slice::<T>().unwrap_or_default().chunks(PIECE / size_of::<T>()) {
        let bytes = &mut piece[..size_of_val(elements)];
        for (into, &element) in bytes.chunks_exact_mut(size_of::<T>()).zip(elements) {
            element.put(into);
        }
        sink(bytes)?;
    }
    Ok(())
}

/// An array whose bytes `source` gives, piece by piece.
pub(crate) fn read(
    shape: &Shape,
    dtype: DType,
    source: &mut dyn FnMut(&mut [u8]) -> Result<()>,
) -> Result<Array> {
    let mut array = Array::zeros(shape, dtype)?;
    match dtype {
        DType::F32 => read_as::<f32>(&mut array, source),
        DType::F64 => read_as::<f64>(&mut array, source),
        DType::I32 => read_as::<i32>(&mut array, source),
        DType::I64 => read_as::<i64>(&mut array, source),
        DType::Bool => read_as::<bool>(&mut array, source),
    }?;
    Ok(array)
}

fn read_as<T: Bytes>(array: &mut Array, source: &mut dyn FnMut(&mut [u8]) -> Result<()>) -> Result<()> {
    let mut piece = vec![0; PIECE];
    for elements in array.make_mut::<T>()?.chunks_mut(PIECE / size_of::<T>()) {
        let bytes = &mut piece[..size_of_val(elements)];
        source(bytes)?;
        for (bytes, into) in bytes.chunks_exact(size_of::<T>()).zip(elements) {
            let Some(element) = T::take(bytes) else {
                return Err(damaged("read", "0 or 1 for each boolean", bytes[0]));
            };
            *into = element;
        }
    }
    Ok(())
}
