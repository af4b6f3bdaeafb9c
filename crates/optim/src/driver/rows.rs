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

impl Rows {
    /// Sorts the rows `values` at `indices` of an array of shape `shape`.
    ///
    /// # Errors
    /// [`ErrorKind::Index`], if an index is not a row of it; [`ErrorKind::Memory`].
    pub(crate) fn new(indices: &Array, values: &Array, shape: &Shape) -> Result<Rows> {
        let indices = indices.cast(DType::I64)?.to_vec::<i64>()?;
        let mut sorted = Vec::with_capacity(indices.len());
        for (place, &index) in indices.iter().enumerate() {
            match usize::try_from(index) {
                Ok(row) if row < shape[0] => sorted.push((row, place)),
                _ => {
                    let expected = format!("indices of rows in 0..{}", shape[0]);
                    return Err(Error::new(ErrorKind::Index, "apply_gradients", expected, index));
                }
            }
        }
        sorted.sort_unstable();
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(sorted.len());
        for (i, &(row, _)) in sorted.iter().enumerate() {
            if rows.last().is_none_or(|&(last, _)| last != row) {
                rows.push((row, i));
            }
        }
        let places = sorted.into_iter().map(|(_, place)| place).collect();
        let values = if values.is_contiguous() { values.clone() } else { values.copy()? };
        Ok(Rows { values, width: shape[1..].iter().product(), places, rows })
    }

    /// How many elements an update goes over, of a variable of so many.
    pub(super) fn length(&self, mode: SparseUpdate, elements: usize) -> usize {
        match mode {
            SparseUpdate::AllRows | SparseUpdate::AllSlotRows => elements,
            SparseUpdate::TouchedRows | SparseUpdate::Dense => self.rows.len() * self.width,
        }
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
