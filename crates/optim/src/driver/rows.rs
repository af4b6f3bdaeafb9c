//! The rows of a sparse gradient, in order.
use crate::SparseUpdate;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};

/// The rows of a sparse gradient, sorted, so that chunks of the variable find theirs.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Row-major, `width` elements for each index.
    pub(crate) values: Array,
    pub(crate) width: usize,
    /// Places in `values`, by the row that they belong to; those of one row in their order.
    places: Vec<usize>,
    /// Each row once, and where its places begin.
    rows: Vec<(usize, usize)>,
}

/// Pairs of a row and a place, whose places ascend, by their rows; those of one row in their order.
fn by_row(mut pairs: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    const BITS: u32 = 11;
    const DIGITS: usize = 1 << BITS;
    if pairs.len() < DIGITS / 8 {
        pairs.sort_unstable();
        return pairs;
    }
    // Digit by digit, the last one first.
    let largest = pairs.iter().map(|pair| pair.0).max().unwrap_or(0);
    let mut sorted = vec![(0, 0); pairs.len()];
    let mut shift = 0;
    while shift < usize::BITS && largest >> shift > 0 {
        let digit = |row: usize| (row >> shift) & (DIGITS - 1);
        let mut starts = [0; DIGITS];
        for &(row, _) in &pairs {
            starts[digit(row)] += 1;
        }
        let mut before = 0;
        for start in &mut starts {
            before += std::mem::replace(start, before);
        }
        for &(row, place) in &pairs {
            let next = &mut starts[digit(row)];
            sorted[*next] = (row, place);
            *next += 1;
        }
        std::mem::swap(&mut pairs, &mut sorted);
        shift += BITS;
    }
    pairs
}

impl Rows {
    /// Sorts the rows `values`, each repeated `times` times, at `indices` of an array of shape `shape`.
    ///
    /// # Errors
    /// [`ErrorKind::Index`], if an index is not a row of it; [`ErrorKind::Memory`].
    pub(crate) fn new(indices: &Array, values: &Array, times: usize, shape: &Shape) -> Result<Rows> {
        let contiguous = |array: Array| if array.is_contiguous() { Ok(array) } else { array.copy() };
        let indices = contiguous(indices.cast(DType::I64)?)?;
        let mut pairs = Vec::with_capacity(indices.len());
        for (place, &index) in indices.as_slice::<i64>().unwrap_or_default().iter().enumerate() {
            match usize::try_from(index) {
                Ok(row) if row < shape[0] => pairs.push((row, place)),
                _ => {
                    let expected = format!("indices of rows in 0..{}", shape[0]);
                    return Err(Error::new(ErrorKind::Index, "apply_gradients", expected, index));
                }
            }
        }
        let mut places = by_row(pairs);
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(places.len());
        for (i, (row, place)) in places.iter_mut().enumerate() {
            if rows.last().is_none_or(|(last, _)| last != row) {
                rows.push((*row, i));
            }
            *place /= times;
        }
        let places = places.into_iter().map(|(_, place)| place).collect();
        Ok(Rows { values: contiguous(values.clone())?, width: shape[1..].iter().product(), places, rows })
    }

    /// How many elements an update goes over, of a variable of so many.
    pub(super) fn length(&self, mode: SparseUpdate, elements: usize) -> usize {
        match mode {
            SparseUpdate::AllRows | SparseUpdate::AllSlotRows => elements,
            SparseUpdate::TouchedRows | SparseUpdate::Lazy | SparseUpdate::Dense => {
                self.rows.len() * self.width
            }
        }
    }

    /// How many elements a variable has at least, as it has all of the rows.
    pub(super) fn end(&self) -> usize {
        self.rows.last().map_or(0, |(row, _)| (row + 1) * self.width)
    }

    /// The first of the sorted rows that is not before `row`.
    #[inline(always)]
    pub(super) fn first_from(&self, row: usize) -> usize {
        self.rows.partition_point(|&(index, _)| index < row)
    }

    /// One of the sorted rows: its index and its places.
    #[inline(always)]
    pub(super) fn get(&self, i: usize) -> Option<(usize, &[usize])> {
        let &(row, start) = self.rows.get(i)?;
        let end = self.rows.get(i + 1).map_or(self.places.len(), |next| next.1);
        Some((row, &self.places[start..end]))
    }

    /// The rows, each once, in order.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().map(|row| row.0)
    }

    /// The whole array, with other values in the places of these.
    pub(super) fn to_dense(&self, values: Array, shape: &Shape) -> Result<Array> {
        let mut dense = Array::zeros(shape, values.dtype())?;
        match values.dtype() {
            DType::F64 => self.add_to(dense.make_mut::<f64>()?, values.as_slice().unwrap_or_default()),
            _ => self.add_to(dense.make_mut::<f32>()?, values.as_slice().unwrap_or_default()),
        }
        Ok(dense)
    }

    fn add_to<T: Copy + std::ops::AddAssign>(&self, dense: &mut [T], values: &[T]) {
        for i in 0..self.rows.len() {
            let Some((row, places)) = self.get(i) else { return };
            for &place in places {
                let into = &mut dense[row * self.width..][..self.width];
                for (sum, &x) in into.iter_mut().zip(&values[place * self.width..]) {
                    *sum += x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_row;

    #[test]
    fn rows_are_sorted_with_places_in_order() {
        for (count, rows) in [(0, 1), (1, 1), (300, 1), (255, 9), (256, 5), (5000, 3), (5000, 5_000_000)] {
            let pairs =
                (0..count).map(|place: usize| (place.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows, place));
            let mut expected: Vec<_> = pairs.collect();
            let got = by_row(expected.clone());
            expected.sort();
            assert_eq!(got, expected);
        }
    }
}
