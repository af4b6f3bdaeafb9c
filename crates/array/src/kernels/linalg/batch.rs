//! Runs a computation on each matrix of a batch.
use crate::{Array, DType, Error, Result, Shape, parallel};
use smallvec::SmallVec;
use std::sync::Mutex;

/// Arithmetic operations on one thread: smaller matrices are taken together.
const WORK: usize = 1 << 18;

/// Reads the inputs of one matrix and writes its outputs, which begin as zeros; everything is row-major.
pub(super) type Body<'a> = dyn Fn(&[&[f64]], &mut [&mut [f64]]) -> Result<()> + Sync + 'a;

/// A batch of computations on arrays whose leading axes are the same.
pub(super) struct Batch<'a> {
    pub(super) inputs: &'a [&'a Array],
    /// How many of the inputs' axes are those of one matrix.
    pub(super) axes: usize,
    /// The shapes of the outputs of one matrix.
    pub(super) outputs: &'a [&'a [usize]],
    /// Arithmetic operations on one matrix, roughly.
    pub(super) work: usize,
}

impl Batch<'_> {
    /// Computes in `f64`, whatever the element type is. Of several errors it is that of the first matrix.
    pub(super) fn run(&self, body: &Body<'_>) -> Result<SmallVec<[Array; 3]>> {
        let first = self.inputs[0];
        let outer = &first.shape()[..first.rank() - self.axes];
        let count: usize = outer.iter().product();
        let mut inputs: SmallVec<[Array; 2]> = SmallVec::new();
        for input in self.inputs {
            inputs.push(input.cast(DType::F64)?.contiguous()?);
        }
        let mut outputs: SmallVec<[Array; 3]> = SmallVec::new();
        for shape in self.outputs {
            let shape: Shape = outer.iter().chain(*shape).copied().collect();
            outputs.push(Array::zeros(shape, DType::F64)?);
        }
        if count > 0 {
            self.each(count, &inputs, &mut outputs, body)?;
        }
        outputs.into_iter().map(|output| output.cast(first.dtype())).collect()
    }

    fn each(&self, count: usize, inputs: &[Array], outputs: &mut [Array], body: &Body<'_>) -> Result<()> {
        let group = (WORK / self.work.max(1)).clamp(1, count);
        let read: SmallVec<[&[f64]; 2]> = inputs.iter().map(|x| x.as_slice().expect("contiguous")).collect();
        let mut write: SmallVec<[_; 3]> = SmallVec::new();
        for output in outputs {
            let elements = output.make_mut::<f64>()?;
            let length = elements.len() / count;
            write.push(elements.chunks_mut((group * length).max(1)));
        }
        // The outputs of each chunk, for the thread that takes it.
        let chunks: Vec<_> = (0..count.div_ceil(group))
            .map(|_| Mutex::new(write.iter_mut().map(|parts| parts.next().unwrap_or_default()).collect()))
            .collect::<Vec<Mutex<SmallVec<[&mut [f64]; 3]>>>>();
        let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        parallel::for_each(chunks.len(), |chunk| {
            let mut rest = std::mem::take(&mut *chunks[chunk].lock().expect("one thread takes a chunk"));
            let items = chunk * group..count.min((chunk + 1) * group);
            let lengths: SmallVec<[usize; 3]> = rest.iter().map(|part| part.len() / items.len()).collect();
            for i in items {
                let of = |x: &&'_ [f64]| -> std::ops::Range<usize> {
                    i * (x.len() / count)..(i + 1) * (x.len() / count)
                };
                let from: SmallVec<[&[f64]; 2]> = read.iter().map(|x| &x[of(x)]).collect();
                let mut to: SmallVec<[&mut [f64]; 3]> = SmallVec::new();
                for (part, &length) in rest.iter_mut().zip(&lengths) {
                    let (head, tail) = std::mem::take(part).split_at_mut(length);
                    *part = tail;
                    to.push(head);
                }
                if let Err(error) = body(&from, &mut to) {
                    let mut failed = failed.lock().expect("nobody panics with the lock");
                    if failed.as_ref().is_none_or(|(other, _)| i < *other) {
                        *failed = Some((i, error));
                    }
                    return;
                }
            }
        });
        match failed.into_inner().expect("nobody panics with the lock") {
            Some((i, error)) if count > 1 => Err(error.context(format!("matrix {i} of the batch"))),
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "linalg")]
impl Batch<'_> {
    /// As [`run`](Batch::run), where a matrix that holds NaN or an infinity gives NaN.
    pub(super) fn run_finite(&self, body: &Body<'_>) -> Result<SmallVec<[Array; 3]>> {
        self.run(&|from, to| {
            if from.iter().all(|x| x.iter().all(|x| x.is_finite())) {
                return body(from, to);
            }
            to.iter_mut().for_each(|to| to.fill(f64::NAN));
            Ok(())
        })
    }
}
