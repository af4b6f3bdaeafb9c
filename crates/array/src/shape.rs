//! Shapes and the arithmetic on them.
use crate::{Error, ErrorKind, Result};
use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// The lengths of an array's axes, outermost first. `[]` is a scalar.
///
/// ```
/// use slalom_array::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!((shape.rank(), shape[1], shape.to_string()), (2, 3, "[2, 3]".to_string()));
/// assert_eq!(shape.num_elements().unwrap(), 6);
/// assert_eq!(shape.broadcast(&Shape::from([4, 1, 3])).unwrap(), Shape::from([4, 2, 3]));
/// ```
#[derive(Clone)]
pub struct Shape(Lengths);

/// Up to [`INLINE`] lengths in place: a copy of them is a few instructions, without a call.
#[derive(Clone)]
enum Lengths {
    Inline { rank: u8, lengths: [usize; INLINE] },
    Heap(Box<[usize]>),
}

const INLINE: usize = 4;

impl Shape {
    /// The shape of a scalar, `[]`.
    pub const SCALAR: Shape = Shape(Lengths::Inline { rank: 0, lengths: [0; INLINE] });

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        match &self.0 {
            Lengths::Inline { rank, .. } => *rank as usize,
            Lengths::Heap(lengths) => lengths.len(),
        }
    }

    /// The number of elements, the product of all lengths.
    ///
    /// # Errors
    /// [`ErrorKind::Memory`], if the product (without zeros) is more than `isize::MAX`.
    #[inline]
    pub fn num_elements(&self) -> Result<usize> {
        if self.rank() == 0 {
            return Ok(1);
        }
        self.product()
    }

    fn product(&self) -> Result<usize> {
        let nonzero = self.iter().filter(|&&n| n != 0).try_fold(1usize, |all, &n| all.checked_mul(n));
        match nonzero {
            Some(n) if n <= isize::MAX as usize => Ok(if self.contains(&0) { 0 } else { n }),
            _ => {
                Err(Error::new(ErrorKind::Memory, "shape", "a number of elements that fits in memory", self))
            }
        }
    }

    /// The shape that both broadcast to: aligned at the last axis, lengths equal or one of them 1 (NumPy's rule).
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if two lengths differ and neither is 1.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape> {
        if self == other {
            return Ok(self.clone());
        }
        let (long, short) = if self.rank() >= other.rank() { (self, other) } else { (other, self) };
        let mut shape = long.clone();
        for (into, &n) in shape.lengths_mut().iter_mut().rev().zip(short.iter().rev()) {
            match (*into, n) {
                (a, b) if a == b => {}
                (_, 1) => {}
                (1, b) => *into = b,
                _ => {
                    let got = format!("{self} and {other}");
                    return Err(Error::new(
                        ErrorKind::Shape,
                        "broadcast",
                        "shapes that broadcast together",
                        got,
                    ));
                }
            }
        }
        Ok(shape)
    }

    /// The axis that `axis` means: negative ones count from the end.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if the axis is not in `-rank..rank`.
    pub fn axis(&self, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        let index = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&index) {
            return Ok(index as usize);
        }
        Err(Error::new(ErrorKind::Shape, "axis", format!("an axis of the shape {self}"), axis))
    }

    /// The same shape without the given axis.
    pub fn without(&self, axis: usize) -> Shape {
        self[..axis].iter().chain(&self[axis + 1..]).copied().collect()
    }

    /// The same shape with an axis of length `n` put in at `axis`.
    pub fn with(&self, axis: usize, n: usize) -> Shape {
        self[..axis].iter().copied().chain([n]).chain(self[axis..].iter().copied()).collect()
    }

    /// The same shape with the length of one axis changed.
    pub fn replaced(&self, axis: usize, n: usize) -> Shape {
        let mut shape = self.clone();
        shape.lengths_mut()[axis] = n;
        shape
    }

    fn lengths_mut(&mut self) -> &mut [usize] {
        match &mut self.0 {
            Lengths::Inline { rank, lengths } => &mut lengths[..*rank as usize],
            Lengths::Heap(lengths) => lengths,
        }
    }
}

impl PartialEq for Shape {
    #[inline]
    fn eq(&self, other: &Shape) -> bool {
        match (&self.0, &other.0) {
            // Lengths beyond the rank are zero.
            (Lengths::Inline { rank: a, lengths: x }, Lengths::Inline { rank: b, lengths: y }) => {
                a == b && x == y
            }
            _ => **self == **other,
        }
    }
}

impl Eq for Shape {}

impl std::hash::Hash for Shape {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Default for Shape {
    /// The shape of a scalar.
    fn default() -> Shape {
        Shape::SCALAR
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        match &self.0 {
            Lengths::Inline { rank, lengths } => &lengths[..*rank as usize],
            Lengths::Heap(lengths) => lengths,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[inline]
    fn from(lengths: [usize; N]) -> Shape {
        Shape::from(&lengths[..])
    }
}

impl From<&[usize]> for Shape {
    #[inline]
    fn from(given: &[usize]) -> Shape {
        if given.len() > INLINE {
            return Shape(Lengths::Heap(given.into()));
        }
        let mut lengths = [0; INLINE];
        lengths[..given.len()].copy_from_slice(given);
        Shape(Lengths::Inline { rank: given.len() as u8, lengths })
    }
}

impl From<Vec<usize>> for Shape {
    fn from(lengths: Vec<usize>) -> Shape {
        Shape::from(&lengths[..])
    }
}

impl From<&Shape> for Shape {
    #[inline]
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(lengths: I) -> Shape {
        let lengths: SmallVec<[usize; 6]> = lengths.into_iter().collect();
        Shape::from(&lengths[..])
    }
}
