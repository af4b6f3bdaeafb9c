//! Jacobians: one backward pass for each row.
use crate::backward::backward;
use crate::ops::concat::concat;
use crate::sources::{Source, SourceKey, Sources};
use crate::tape::{Pause, Tape};
use crate::{Gradient, GradientTape, PersistentGradientTape, Tensor, UnconnectedGradients};
use slalom_array::{Array, Error, ErrorKind, Number, Result, Shape, with_float};
use smallvec::SmallVec;

const OP: &str = "batch_jacobian";

impl Tape {
    fn jacobian<S: Sources>(
        &self,
        target: &Tensor,
        sources: S,
        unconnected: UnconnectedGradients,
    ) -> Result<S::Gradients> {
        self.check()?;
        let _pause = Pause::new(self.bit);
        let keys = sources.keys();
        let rows = (0..target.len()).map(|i| unit("jacobian", target, [i]));
        let found = self.rows(target, &keys, rows)?;
        let mut jacobians = SmallVec::new();
        for (rows, key) in found.into_iter().zip(&keys) {
            let (own, of) = (target.shape(), shape(key));
            let whole: Shape = own.iter().chain(of.iter()).copied().collect();
            jacobians.push(match rows {
                None => zeros(&whole, target, unconnected)?,
                Some(rows) if rows.is_empty() => Some(Tensor::zeros(whole, target.dtype())?.into()),
                Some(rows) => Some(beside(rows, &[&[1], &of[..]].concat(), 0)?.reshape(whole)?.into()),
            });
        }
        Ok(sources.collect(jacobians))
    }

    fn batch_jacobian(
        &self,
        target: &Tensor,
        source: &impl Source,
        unconnected: UnconnectedGradients,
    ) -> Result<Option<Gradient>> {
        self.check()?;
        let _pause = Pause::new(self.bit);
        let keys = [source.key()];
        let (own, of) = (target.shape(), shape(&keys[0]));
        if own.rank() < 2 || of.rank() < 2 || own[0] != of[0] {
            let expected = "a target [b, ..] and a source [b, ..] of rank 2 or more";
            return Err(Error::new(ErrorKind::Shape, OP, expected, format!("{own} and {of}")));
        }
        let (batch, n) = (own[0], own[1..].iter().product::<usize>());
        let rows = (0..n).map(|j| unit(OP, target, (0..batch).map(move |b| b * n + j)));
        let whole: Shape = own.iter().chain(&of[1..]).copied().collect();
        Ok(match self.rows(target, &keys, rows)?.pop().flatten() {
            None => zeros(&whole, target, unconnected)?,
            Some(rows) if rows.is_empty() => Some(Tensor::zeros(whole, target.dtype())?.into()),
            Some(rows) => {
                let apart = [&[batch, 1], &of[1..]].concat();
                Some(beside(rows, &apart, 1)?.reshape(whole)?.into())
            }
        })
    }

    /// For each source its gradients for each of the output gradients `units`; `None`, if it is not connected.
    fn rows(
        &self,
        target: &Tensor,
        keys: &[SourceKey<'_>],
        units: impl Iterator<Item = Result<Tensor>>,
    ) -> Result<Vec<Option<Vec<Tensor>>>> {
        let mut units = units.peekable();
        // Without rows, connection shows in the gradient of nothing.
        let connected = match units.peek() {
            Some(_) => None,
            None => Some(backward(self.bit, &[target], None, keys, false)?),
        };
        let connected = |i: usize| connected.as_ref().is_some_and(|found| found[i].is_some());
        let mut rows: Vec<_> = (0..keys.len()).map(|i| connected(i).then(Vec::new)).collect();
        for unit in units {
            let found = backward(self.bit, &[target], Some(&[unit?]), keys, false)?;
            for (rows, row) in rows.iter_mut().zip(found) {
                if let Some(row) = row {
                    rows.get_or_insert_default().push(row.into_dense()?);
                }
            }
        }
        Ok(rows)
    }
}

fn shape<'a>(key: &'a SourceKey<'_>) -> &'a Shape {
    match key {
        SourceKey::Tensor(tensor) => tensor.shape(),
        SourceKey::Variable { shape, .. } => shape,
    }
}

/// Zeros of the target's shape, with ones at some elements, counted row-major.
fn unit(op: &'static str, target: &Tensor, ones: impl IntoIterator<Item = usize>) -> Result<Tensor> {
    let mut unit = Array::zeros(target.shape(), target.dtype())?;
    with_float!(op, target.dtype(), F => {
        let elements = unit.make_mut::<F>()?;
        ones.into_iter().for_each(|i| elements[i] = F::ONE);
    });
    Ok(unit.into())
}

/// Rows in the shape `apart`, one after the other along an axis.
fn beside(rows: Vec<Tensor>, apart: &[usize], axis: isize) -> Result<Tensor> {
    let rows = rows.iter().map(|row| row.reshape(apart)).collect::<Result<Vec<_>>>()?;
    concat(&rows, axis)
}

fn zeros(shape: &Shape, like: &Tensor, unconnected: UnconnectedGradients) -> Result<Option<Gradient>> {
    match unconnected {
        UnconnectedGradients::None => Ok(None),
        UnconnectedGradients::Zero => Ok(Some(Tensor::zeros(shape, like.dtype())?.into())),
    }
}

macro_rules! jacobians {
    ($Tape:ty, $this:ident: $Self:ty) => {
        /// Jacobians.
        impl $Tape {
            /// The derivatives of each element of `target` with respect to each element of the sources: of shape
            /// `target.shape() + source.shape()` for each source, dense; `None` where the target does not depend on the
            /// source (`tf.GradientTape.jacobian`).
            ///
            /// It takes a backward pass for each element of the target.
            ///
            /// # Errors
            /// As [`GradientTape::gradient`]; `ErrorKind::DType`, if the target is not of floating-point numbers.
            ///
            /// ```
            /// use slalom_autograd::{GradientTape, Tensor};
            /// let tape = GradientTape::new();
            /// let x = tape.watch(&Tensor::from_vec([2], vec![3.0, 5.0])?);
            /// let jacobian = tape.jacobian(&x.square(), &x)?.unwrap().to_dense()?;
            /// assert_eq!(jacobian.shape()[..], [2, 2]);
            /// assert_eq!(jacobian.to_vec::<f64>()?, [6.0, 0.0, 0.0, 10.0]);
            /// # Ok::<(), slalom_array::Error>(())
            /// ```
            pub fn jacobian<S: Sources>($this: $Self, target: &Tensor, sources: S) -> Result<S::Gradients> {
                $this.0.jacobian(target, sources, UnconnectedGradients::None)
            }

            /// As `jacobian`, with a choice of what to return for sources that the target does not depend on.
            ///
            /// # Errors
            /// As `jacobian`.
            pub fn jacobian_with<S: Sources>(
                $this: $Self,
                target: &Tensor,
                sources: S,
                unconnected: UnconnectedGradients,
            ) -> Result<S::Gradients> {
                $this.0.jacobian(target, sources, unconnected)
            }

            /// The Jacobian of each example of a batch: of shape `[b, .., ..]` for a target `[b, ..]` and a source
            /// `[b, ..]`, where example `i` of the target depends on example `i` of the source alone
            /// (`tf.GradientTape.batch_jacobian`).
            ///
            /// It takes a backward pass for each element of one example of the target.
            ///
            /// # Errors
            /// As `jacobian`; `ErrorKind::Shape`, if target and source are not of rank 2 or more with one first axis.
            ///
            /// ```
            /// use slalom_autograd::{GradientTape, Tensor};
            /// let tape = GradientTape::new();
            /// let x = tape.watch(&Tensor::from_vec([2, 1], vec![3.0, 5.0])?);
            /// let jacobian = tape.batch_jacobian(&x.square(), &x)?.unwrap().to_dense()?;
            /// assert_eq!(jacobian.shape()[..], [2, 1, 1]);
            /// assert_eq!(jacobian.to_vec::<f64>()?, [6.0, 10.0]);
            /// # Ok::<(), slalom_array::Error>(())
            /// ```
            pub fn batch_jacobian(
                $this: $Self,
                target: &Tensor,
                source: &impl Source,
            ) -> Result<Option<Gradient>> {
                $this.0.batch_jacobian(target, source, UnconnectedGradients::None)
            }

            /// As `batch_jacobian`, with a choice of what to return if the target does not depend on the source.
            ///
            /// # Errors
            /// As `batch_jacobian`.
            pub fn batch_jacobian_with(
                $this: $Self,
                target: &Tensor,
                source: &impl Source,
                unconnected: UnconnectedGradients,
            ) -> Result<Option<Gradient>> {
                $this.0.batch_jacobian(target, source, unconnected)
            }
        }
    };
}
jacobians!(GradientTape, self: Self);
jacobians!(PersistentGradientTape, self: &Self);
