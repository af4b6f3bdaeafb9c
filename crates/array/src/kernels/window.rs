//! Windows that move over an input: where those of convolutions and pooling lie.
use crate::{Error, ErrorKind, Result};

/// The most axes that windows move along.
const AXES: usize = 3;

/// How many cells are put around an input before windows move over it.
///
/// With an input of length `n`, a window that spans `k` cells and steps of `s` there are `(n + before + after - k) / s + 1`
/// windows, rounded down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// None: every window lies inside of the input.
    #[default]
    Valid,
    /// So many that there are `n / s` windows, rounded up. An odd cell is put at the end.
    Same,
    /// `[before, after]` for each axis that windows move along.
    Explicit(Vec<[usize; 2]>),
}

/// Windows of one size that move in equal steps along one to three axes of an input.
///
/// ```
/// use slalom_array::{Padding, Windows};
/// let windows = Windows::new("pool", &[5, 7], &[3, 2], &[2], &[1], &Padding::Same)?;
/// assert_eq!(windows.output(), [3, 4]);
/// # Ok::<(), slalom_array::Error>(())
/// ```
// Fewer than three axes are the last ones of three; the others are as short as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    rank: usize,
    pub(super) input: [usize; AXES],
    pub(super) out: [usize; AXES],
    pub(super) size: [usize; AXES],
    pub(super) stride: [usize; AXES],
    pub(super) dilation: [usize; AXES],
    pub(super) before: [usize; AXES],
}

/// A range of window positions or cells along one axis.
pub(super) type Range = std::ops::Range<usize>;

impl Windows {
    /// Windows of `size` over an input with axes of these lengths. `strides` are the steps between windows,
    /// `dilations` those between the cells of one window; each has one number for all axes, or one for each.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`], if there are no axes or more than three, if a list has another length, or if a window is
    /// longer than the padded input; [`ErrorKind::Argument`], if a size, stride or dilation is 0. All name `op`.
    pub fn new(
        op: &'static str,
        input: &[usize],
        size: &[usize],
        strides: &[usize],
        dilations: &[usize],
        padding: &Padding,
    ) -> Result<Windows> {
        let rank = input.len();
        if !(1..=AXES).contains(&rank) {
            return Err(Error::new(ErrorKind::Shape, op, "one to three axes to move along", rank));
        }
        let size = aligned(op, "size", rank, size)?;
        let stride = aligned(op, "stride", rank, strides)?;
        let dilation = aligned(op, "dilation", rank, dilations)?;
        let mut windows =
            Windows { rank, input: [1; AXES], out: [1; AXES], size, stride, dilation, before: [0; AXES] };
        windows.input[AXES - rank..].copy_from_slice(input);
        if let Padding::Explicit(pairs) = padding
            && pairs.len() != rank
        {
            let expected = format!("one pair of paddings for each of the {rank} axes");
            return Err(Error::new(ErrorKind::Shape, op, expected, format!("{pairs:?}")));
        }
        for axis in AXES - rank..AXES {
            let (n, stride) = (windows.input[axis], stride[axis]);
            let span = windows.span(op, axis)?;
            (windows.before[axis], windows.out[axis]) = match padding {
                Padding::Same => {
                    let out = n.div_ceil(stride);
                    let needed = out.saturating_sub(1).saturating_mul(stride).saturating_add(span);
                    (if out == 0 { 0 } else { needed.saturating_sub(n) / 2 }, out)
                }
                Padding::Valid => (0, positions(op, n, span, stride)?),
                Padding::Explicit(pairs) => {
                    let [before, after] = pairs[axis + rank - AXES];
                    let total = n.checked_add(before).and_then(|n| n.checked_add(after));
                    let total = total.ok_or_else(|| too_large(op, n))?;
                    (before, positions(op, total, span, stride)?)
                }
            };
        }
        Ok(windows)
    }

    /// The number of windows along each axis.
    pub fn output(&self) -> &[usize] {
        &self.out[AXES - self.rank..]
    }

    /// The lengths of the input along the axes.
    pub fn input(&self) -> &[usize] {
        &self.input[AXES - self.rank..]
    }

    /// The size of a window along each axis.
    pub fn size(&self) -> &[usize] {
        &self.size[AXES - self.rank..]
    }

    /// Cells from the first to the last of a window, both counted.
    fn span(&self, op: &'static str, axis: usize) -> Result<usize> {
        let span = (self.size[axis] - 1).checked_mul(self.dilation[axis]).and_then(|n| n.checked_add(1));
        span.filter(|&n| n <= isize::MAX as usize).ok_or_else(|| too_large(op, self.size[axis]))
    }

    /// Cells of the padded input that the windows at some positions cover.
    pub(super) fn reach(&self, axis: usize, positions: usize) -> usize {
        (positions - 1) * self.stride[axis] + (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// Whether some windows reach out of the input.
    pub(super) fn is_padded(&self) -> bool {
        (0..AXES).any(|axis| {
            self.out[axis] > 0
                && (self.before[axis] > 0 || self.reach(axis, self.out[axis]) > self.input[axis])
        })
    }

    /// The cells of the window at `position` that lie inside of the input.
    #[inline]
    pub(super) fn taps(&self, axis: usize, position: usize) -> Range {
        let (start, before) = (position * self.stride[axis], self.before[axis]);
        let first = before.saturating_sub(start).div_ceil(self.dilation[axis]);
        let end = (before + self.input[axis]).saturating_sub(start).div_ceil(self.dilation[axis]);
        first..end.min(self.size[axis]).max(first)
    }

    /// The positions whose cell `tap` lies in the range `cells` of the input.
    #[inline]
    pub(super) fn positions(&self, axis: usize, tap: usize, cells: Range) -> Range {
        let (shift, stride) = (tap * self.dilation[axis], self.stride[axis]);
        let position = |cell: usize| (cell + self.before[axis]).saturating_sub(shift).div_ceil(stride);
        let end = position(cells.end).min(self.out[axis]);
        position(cells.start).min(end)..end
    }

    /// The cell of the input that is `tap` of the window at `position`, which lies inside.
    #[inline]
    pub(super) fn cell(&self, axis: usize, position: usize, tap: usize) -> usize {
        position * self.stride[axis] + tap * self.dilation[axis] - self.before[axis]
    }

    /// Calls `body(tap, cell)` for the cells of window `index` that lie inside of the input.
    #[inline]
    pub(super) fn for_cells(&self, index: usize, mut body: impl FnMut(usize, usize)) {
        let out = self.out;
        let at = [index / out[2] / out[1], index / out[2] % out[1], index % out[2]];
        for z in self.taps(0, at[0]) {
            for y in self.taps(1, at[1]) {
                let row = self.cell(0, at[0], z) * self.input[1] + self.cell(1, at[1], y);
                for x in self.taps(2, at[2]) {
                    let tap = (z * self.size[1] + y) * self.size[2] + x;
                    body(tap, row * self.input[2] + self.cell(2, at[2], x));
                }
            }
        }
    }

    /// Whether each cell of the input lies in exactly one window.
    pub(super) fn is_tiling(&self) -> bool {
        !self.is_padded()
            && (0..AXES).all(|axis| {
                self.stride[axis] == self.size[axis]
                    && (self.dilation[axis] == 1 || self.size[axis] == 1)
                    && self.out[axis] * self.stride[axis] == self.input[axis]
            })
    }

    /// The number of windows over one input.
    pub(super) fn count(&self) -> usize {
        self.out.iter().product()
    }

    /// The number of cells of one input.
    pub(super) fn cells(&self) -> usize {
        self.input.iter().product()
    }

    /// The number of cells of a window.
    pub(super) fn area(&self) -> usize {
        self.size.iter().product()
    }
}

/// One number for each axis, aligned at the last.
fn aligned(op: &'static str, what: &str, rank: usize, given: &[usize]) -> Result<[usize; AXES]> {
    let mut all = [1; AXES];
    match given {
        [one] => all[AXES - rank..].fill(*one),
        _ if given.len() == rank => all[AXES - rank..].copy_from_slice(given),
        _ => {
            let expected = format!("a {what} for each of the {rank} axes, or one for all");
            return Err(Error::new(ErrorKind::Shape, op, expected, format!("{given:?}")));
        }
    }
    if all.contains(&0) {
        return Err(Error::new(
            ErrorKind::Argument,
            op,
            format!("a {what} of at least 1"),
            format!("{given:?}"),
        ));
    }
    Ok(all)
}

/// How many windows of a span lie in `n` cells.
fn positions(op: &'static str, n: usize, span: usize, stride: usize) -> Result<usize> {
    match n.checked_add(stride).and_then(|reach| reach.checked_sub(span)) {
        Some(reach) => Ok(reach / stride),
        None => {
            let got = format!("a window over {span} cells");
            Err(Error::new(
                ErrorKind::Shape,
                op,
                format!("a window no longer than the {n} cells of an axis"),
                got,
            ))
        }
    }
}

#[cold]
fn too_large(op: &'static str, n: usize) -> Error {
    Error::new(ErrorKind::Shape, op, "lengths that fit in memory", n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One axis: the windows' number and the padding before it.
    fn axis(n: usize, size: usize, stride: usize, dilation: usize, padding: &Padding) -> (usize, usize) {
        let w = Windows::new("test", &[n], &[size], &[stride], &[dilation], padding).unwrap();
        (w.out[2], w.before[2])
    }

    #[test]
    fn numbers_of_windows() {
        // Worked out by hand from TensorFlow's description of padding.
        assert_eq!(axis(7, 3, 2, 1, &Padding::Valid), (3, 0));
        assert_eq!(axis(7, 3, 2, 1, &Padding::Same), (4, 1));
        assert_eq!(axis(8, 3, 2, 1, &Padding::Same), (4, 0));
        assert_eq!(axis(7, 2, 1, 1, &Padding::Same), (7, 0));
        assert_eq!(axis(7, 2, 1, 3, &Padding::Same), (7, 1));
        assert_eq!(axis(5, 2, 3, 1, &Padding::Same), (2, 0));
        assert_eq!(axis(5, 3, 1, 1, &Padding::Explicit(vec![[2, 1]])), (6, 2));
        assert_eq!(axis(2, 3, 1, 1, &Padding::Valid), (0, 0));
        assert_eq!(axis(0, 3, 1, 1, &Padding::Same), (0, 0));
    }

    #[test]
    fn positions_are_the_inverse_of_taps() {
        for (n, size, stride, dilation, before, after) in [
            (7, 3, 1, 1, 0, 0),
            (9, 3, 2, 2, 3, 1),
            (4, 4, 3, 2, 5, 6),
            (5, 2, 3, 1, 0, 0),
            (3, 3, 1, 4, 4, 4),
        ] {
            let padding = Padding::Explicit(vec![[before, after]]);
            let w = Windows::new("test", &[n], &[size], &[stride], &[dilation], &padding).unwrap();
            for tap in 0..size {
                for cell in 0..n {
                    let found: Vec<usize> = w.positions(2, tap, cell..cell + 1).collect();
                    let meets = |&p: &usize| w.taps(2, p).contains(&tap) && w.cell(2, p, tap) == cell;
                    assert_eq!(
                        found,
                        (0..w.out[2]).filter(meets).collect::<Vec<_>>(),
                        "{w:?}, {tap}, {cell}"
                    );
                }
            }
        }
    }
}
