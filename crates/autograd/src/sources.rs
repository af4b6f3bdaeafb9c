//! What gradients are taken of, and with respect to what.
use crate::session::VariableId;
use crate::{Gradient, Tensor};
use slalom_array::{DType, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// How a tape finds a source.
#[derive(Debug)]
pub enum SourceKey<'a> {
    /// A tensor that was watched, or computed from watched ones.
    Tensor(&'a Tensor),
    /// A variable: all its reads on the tape.
    Variable {
        /// Its number.
        id: &'a VariableId,
        /// Its shape.
        shape: &'a Shape,
        /// Its element type.
        dtype: DType,
    },
}

impl SourceKey<'_> {
    pub(crate) fn zeros(&self) -> Result<Tensor> {
        match self {
            SourceKey::Tensor(tensor) => Tensor::zeros(tensor.shape(), tensor.dtype()),
            SourceKey::Variable { shape, dtype, .. } => Tensor::zeros(*shape, *dtype),
        }
    }
}

/// A thing that gradients can be taken with respect to: a tensor or a variable.
pub trait Source {
    /// How a tape finds it.
    fn key(&self) -> SourceKey<'_>;
}

impl Source for Tensor {
    fn key(&self) -> SourceKey<'_> {
        SourceKey::Tensor(self)
    }
}

impl<T: Source + ?Sized> Source for &T {
    fn key(&self) -> SourceKey<'_> {
        (**self).key()
    }
}

/// Sources in the forms that [`GradientTape::gradient`](crate::GradientTape::gradient) takes: `&x`, `[&x, &y]`, slices
/// and vectors.
pub trait Sources {
    /// The form of the answer.
    type Gradients;
    /// How a tape finds them.
    fn keys(&self) -> SmallVec<[SourceKey<'_>; 4]>;
    /// Puts the gradients, one for each key, into the form of the answer.
    fn collect(&self, gradients: SmallVec<[Option<Gradient>; 4]>) -> Self::Gradients;
}

impl<T: Source> Sources for &T {
    type Gradients = Option<Gradient>;
    fn keys(&self) -> SmallVec<[SourceKey<'_>; 4]> {
        smallvec![(*self).key()]
    }
    fn collect(&self, mut gradients: SmallVec<[Option<Gradient>; 4]>) -> Option<Gradient> {
        gradients.pop().flatten()
    }
}

impl<T: Source, const N: usize> Sources for [T; N] {
    type Gradients = [Option<Gradient>; N];
    fn keys(&self) -> SmallVec<[SourceKey<'_>; 4]> {
        self.iter().map(|source| source.key()).collect()
    }
    fn collect(&self, gradients: SmallVec<[Option<Gradient>; 4]>) -> [Option<Gradient>; N] {
        let mut gradients = gradients.into_iter();
        std::array::from_fn(|_| gradients.next().flatten())
    }
}

impl<T: Source, const N: usize> Sources for &[T; N] {
    type Gradients = [Option<Gradient>; N];
    fn keys(&self) -> SmallVec<[SourceKey<'_>; 4]> {
        self.iter().map(|source| source.key()).collect()
    }
    fn collect(&self, gradients: SmallVec<[Option<Gradient>; 4]>) -> [Option<Gradient>; N] {
        self.each_ref().collect(gradients)
    }
}

macro_rules! list_of_sources {
    ($($list:ty),*) => {$(
        impl<T: Source> Sources for $list {
            type Gradients = Vec<Option<Gradient>>;
            fn keys(&self) -> SmallVec<[SourceKey<'_>; 4]> {
                self.iter().map(|source| source.key()).collect()
            }
            fn collect(&self, gradients: SmallVec<[Option<Gradient>; 4]>) -> Vec<Option<Gradient>> {
                gradients.into_vec()
            }
        }
    )*};
}
list_of_sources!(&[T], &Vec<T>, Vec<T>);

/// What is differentiated: a tensor, or several whose sum is.
pub trait Targets {
    /// The tensors.
    fn tensors(&self) -> SmallVec<[&Tensor; 1]>;
}

impl Targets for Tensor {
    fn tensors(&self) -> SmallVec<[&Tensor; 1]> {
        smallvec![self]
    }
}

impl<T: std::borrow::Borrow<Tensor>, const N: usize> Targets for [T; N] {
    fn tensors(&self) -> SmallVec<[&Tensor; 1]> {
        self.iter().map(|t| t.borrow()).collect()
    }
}

impl<T: std::borrow::Borrow<Tensor>> Targets for [T] {
    fn tensors(&self) -> SmallVec<[&Tensor; 1]> {
        self.iter().map(|t| t.borrow()).collect()
    }
}

impl<T: std::borrow::Borrow<Tensor>> Targets for Vec<T> {
    fn tensors(&self) -> SmallVec<[&Tensor; 1]> {
        self.iter().map(|t| t.borrow()).collect()
    }
}
