//! NumPy's npy format, version 1 to 3: a magic number, the length of a header, the header as a Python dictionary, the elements.
use crate::bytes;
use crate::differences::damaged;
use crate::file::MAX_RANK;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The most bytes of a header: 32 axes need less.
const MAX_HEADER: usize = 4096;
const OP: &str = "npy";

const DTYPES: [(&str, DType); 5] = [
    ("<f4", DType::F32),
    ("<f8", DType::F64),
    ("<i4", DType::I32),
    ("<i8", DType::I64),
    ("|b1", DType::Bool),
];

/// The header of an array.
pub(crate) fn header(array: &Array) -> Vec<u8> {
    let lengths: String = array.shape().iter().map(|length| format!("{length}, ")).collect();
    let lengths = if array.shape().rank() == 1 { lengths.trim_end() } else { lengths.trim_end_matches(", ") };
    let descr = DTYPES.iter().find(|(_, dtype)| *dtype == array.dtype()).map_or("", |(descr, _)| descr);
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({lengths}), }}");
    // The elements begin at a multiple of 64 bytes, after a line feed.
    let length = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    text = format!("{text:<width$}\n", width = length - 1);
    [MAGIC, &[1, 0], &(length as u16).to_le_bytes(), text.as_bytes()].concat()
}

/// Reads an array from `length` bytes.
pub(crate) fn read(length: u64, fill: &mut dyn FnMut(&mut [u8]) -> Result<()>) -> Result<Array> {
    let mut start = [0; 8];
    fill(&mut start)?;
    if !start.starts_with(MAGIC) {
        return Err(damaged(OP, "the magic number of npy", "something else"));
    }
    let mut number = [0; 4];
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return Err(damaged(OP, "version 1, 2 or 3", version)),
    };
    fill(&mut number[..width])?;
    let n = u32::from_le_bytes(number) as usize;
    if n > MAX_HEADER {
        return Err(damaged(OP, format_args!("a header of at most {MAX_HEADER} bytes"), n));
    }
    let mut text = vec![0; n];
    fill(&mut text)?;
    let text = str::from_utf8(&text).map_err(|error| damaged(OP, "a header in UTF-8", error))?;
    let Some(Dictionary { descr, fortran_order, shape }) = parse(text) else {
        let expected = "a dictionary of descr, fortran_order and shape";
        return Err(damaged(OP, expected, format_args!("{:?}", text.chars().take(80).collect::<String>())));
    };
    let Some((_, dtype)) = DTYPES.iter().find(|(name, _)| *name == descr) else {
        let names: Vec<_> = DTYPES.iter().map(|(name, _)| *name).collect();
        let got = format!("{:?}", descr.chars().take(20).collect::<String>());
        return Err(Error::new(ErrorKind::DType, OP, format_args!("one of {}", names.join(", ")), got));
    };
    let before = (8 + width + n) as u64;
    let bytes =
        bytes::length(&shape, *dtype).map_err(|_| damaged(OP, "a shape that fits in memory", &shape))?;
    if length.checked_sub(before) != Some(bytes) {
        let expected = format!("{bytes} bytes for {dtype} {shape}");
        return Err(damaged(OP, expected, length.saturating_sub(before)));
    }
    if !fortran_order {
        return bytes::read(&shape, *dtype, fill);
    }
    let reversed: Shape = shape.iter().rev().copied().collect();
    let axes: Vec<usize> = (0..shape.rank()).rev().collect();
    bytes::read(&reversed, *dtype, fill)?.transpose(&axes)
}

struct Dictionary {
    descr: String,
    fortran_order: bool,
    shape: Shape,
}

/// Reads the dictionary: its three keys in any order, once each.
fn parse(text: &str) -> Option<Dictionary> {
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim_start();
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        let is_new;
        (is_new, rest) = match key {
            "descr" => {
                let (value, after) = quoted(rest)?;
                (descr.replace(value.to_owned()).is_none(), after)
            }
            "fortran_order" => {
                let (value, after) = match rest.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, rest.strip_prefix("False")?),
                };
                (fortran_order.replace(value).is_none(), after)
            }
            "shape" => {
                let (lengths, after) = rest.strip_prefix('(')?.split_once(')')?;
                (shape.replace(parse_shape(lengths)?).is_none(), after)
            }
            _ => return None,
        };
        rest = rest.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
        if !is_new {
            return None;
        }
    }
    Some(Dictionary { descr: descr?, fortran_order: fortran_order?, shape: shape? })
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// Lengths, each followed by a comma; the last comma may be left out unless there is but one length.
fn parse_shape(text: &str) -> Option<Shape> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Shape::SCALAR);
    }
    if !text.contains(',') {
        return None;
    }
    let lengths = text.strip_suffix(',').unwrap_or(text).split(',');
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let lengths: Option<Vec<usize>> =
        lengths.take(MAX_RANK + 1).map(|length| Some(length.trim()).filter(digits)?.parse().ok()).collect();
    lengths.filter(|lengths| lengths.len() <= MAX_RANK).map(Shape::from)
}
