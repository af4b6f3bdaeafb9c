//! How arrays are printed.
use crate::{Array, Element, Number, with_dtype};
use std::fmt;

/// Arrays with more elements show only their edges ...
const ELEMENTS: usize = 1000;
/// ... of this many elements along each axis.
const EDGE: usize = 3;

/// The elements in nested brackets, columns aligned; of large arrays only the edges.
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = edges(self);
        let texts: Vec<String> = with_dtype!(self.dtype(), T => {
            let elements = shown.to_vec::<T>().map_err(|_| fmt::Error)?;
            elements.iter().map(|&x| text(x, f.precision())).collect()
        });
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        nested(f, self.shape(), shown.shape(), &texts, width, 1)
    }
}

/// The element type and the shape, and the elements as [`Display`](fmt::Display) prints them.
///
/// ```
/// let a = slalom_array::Array::from_vec([2, 2], vec![1.0f32, -2.5, 3.0, 4.0])?;
/// assert_eq!(format!("{a:?}"), "Array(f32, [2, 2],\n[[ 1.0, -2.5],\n [ 3.0,  4.0]])");
/// # Ok::<(), slalom_array::Error>(())
/// ```
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.rank() < 2 { " " } else { "\n" };
        write!(f, "Array({}, {},{gap}{self})", self.dtype(), self.shape())
    }
}

fn text<T: Number>(x: T, precision: Option<usize>) -> String {
    match (T::DTYPE.is_float(), precision) {
        (false, _) => x.to_string(),
        (true, Some(digits)) => format!("{:.*}", digits, x.to_f64()),
        (true, None) => format!("{x:?}"),
    }
}

/// The first and last elements along each long axis, if there are too many in all.
fn edges(array: &Array) -> Array {
    let mut shown = array.clone();
    if array.len() <= ELEMENTS {
        return shown;
    }
    for axis in 0..array.rank() {
        let n = array.shape()[axis];
        if n > 2 * EDGE {
            // 0, 1, 2 and n-3, n-2, n-1 are two views; a copy of the few elements joins them.
            shown = join(&shown, axis, n);
        }
    }
    shown
}

fn join(array: &Array, axis: usize, n: usize) -> Array {
    let part = |start| array.slice(axis, start, EDGE, 1).expect("an edge lies within the axis");
    let (first, last) = (part(0), part(n - EDGE));
    let outer: usize = array.shape()[..axis].iter().product();
    with_dtype!(array.dtype(), T => {
        let (a, b) = (elements::<T>(&first), elements::<T>(&last));
        let block = a.len().checked_div(outer).unwrap_or(0);
        let both = (0..outer).flat_map(|i| [&a[i * block..][..block], &b[i * block..][..block]].concat()).collect();
        Array::from_vec(array.shape().replaced(axis, 2 * EDGE), both).expect("two edges")
    })
}

fn elements<T: Element>(array: &Array) -> Vec<T> {
    array.to_vec().expect("the array's own type")
}

fn nested(
    f: &mut fmt::Formatter<'_>,
    full: &[usize],
    shown: &[usize],
    texts: &[String],
    width: usize,
    depth: usize,
) -> fmt::Result {
    let Some((&n, inner)) = shown.split_first() else {
        return write!(f, "{:>width$}", texts[0]);
    };
    f.write_str("[")?;
    let block: usize = inner.iter().product();
    for i in 0..n {
        if i > 0 {
            f.write_str(if inner.is_empty() { ", " } else { "," })?;
            for _ in 0..inner.len() {
                f.write_str("\n")?;
            }
            if !inner.is_empty() {
                write!(f, "{:depth$}", "")?;
            }
        }
        if full[0] != n && i == EDGE {
            f.write_str(if inner.is_empty() { "..., " } else { "..." })?;
            if !inner.is_empty() {
                write!(f, "\n{:depth$}", "")?;
            }
        }
        nested(f, &full[1..], inner, &texts[i * block..][..block], width, depth + 1)?;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use crate::Array;

    #[test]
    fn shapes_and_edges() {
        let a = Array::from_vec([3], vec![1i64, -20, 3]).unwrap();
        assert_eq!(a.to_string(), "[  1, -20,   3]");
        assert_eq!(format!("{a:?}"), "Array(i64, [3], [  1, -20,   3])");
        assert_eq!(Array::scalar(2.5f32).to_string(), "2.5");
        assert_eq!(Array::from_vec([0, 2], Vec::<f32>::new()).unwrap().to_string(), "[]");
        let cube = Array::from_vec([2, 1, 2], vec![true, false, true, true]).unwrap();
        assert_eq!(cube.to_string(), "[[[ true, false]],\n\n [[ true,  true]]]");
        let long = Array::from_vec([2000], (0..2000).collect::<Vec<i32>>()).unwrap();
        assert_eq!(long.to_string(), "[   0,    1,    2, ..., 1997, 1998, 1999]");
        let wide = Array::from_vec([40, 50], (0..2000).collect::<Vec<i32>>()).unwrap();
        let text = wide.to_string();
        assert!(text.starts_with("[[   0,    1,    2, ...,   47,   48,   49],\n"), "{text}");
        assert!(text.contains(" 149],\n ...\n [1850,"), "{text}");
        assert_eq!(format!("{:.2}", Array::from_vec([2], vec![1.0f64, 1e-9]).unwrap()), "[1.00, 0.00]");
        assert_eq!(Array::from_vec([2], vec![f32::NAN, 1e-9]).unwrap().to_string(), "[ NaN, 1e-9]");
    }
}
