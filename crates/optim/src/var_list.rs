//! The forms in which a list of variables can be given.
use slalom_variable::Variable;
use smallvec::{SmallVec, smallvec};

/// A list of variables.
pub type Variables = SmallVec<[Variable; 4]>;

/// A list of variables to train, or a callable that returns one: `&v`, `[&v, &w]`, `[v, w]`, slices and vectors of
/// variables or of references to them, and closures without arguments that return any of these.
///
/// A callable is called after the loss has been computed for the first time, so it can list variables that come into being
/// there.
pub trait VarList {
    /// The variables, if they are known before the loss is computed.
    fn known(&self) -> Option<Variables>;
    /// The variables.
    fn variables(self) -> Variables;
}

impl VarList for &Variable {
    fn known(&self) -> Option<Variables> {
        Some(smallvec![(*self).clone()])
    }
    fn variables(self) -> Variables {
        smallvec![self.clone()]
    }
}

impl<V: AsRef<Variable>, const N: usize> VarList for [V; N] {
    #[inline]
    fn known(&self) -> Option<Variables> {
        Some(self.iter().map(|v| v.as_ref().clone()).collect())
    }
    fn variables(self) -> Variables {
        self.iter().map(|v| v.as_ref().clone()).collect()
    }
}

impl<V: AsRef<Variable>, const N: usize> VarList for &[V; N] {
    fn known(&self) -> Option<Variables> {
        self.as_slice().known()
    }
    fn variables(self) -> Variables {
        self.as_slice().variables()
    }
}

macro_rules! lists {
    ($($list:ty),*) => {$(
        impl<V: AsRef<Variable>> VarList for $list {
            fn known(&self) -> Option<Variables> {
                Some(self.iter().map(|v| v.as_ref().clone()).collect())
            }
            fn variables(self) -> Variables {
                self.iter().map(|v| v.as_ref().clone()).collect()
            }
        }
    )*};
}
lists!(&[V], &Vec<V>, Vec<V>);

impl<L: VarList, F: FnOnce() -> L> VarList for F {
    fn known(&self) -> Option<Variables> {
        None
    }
    fn variables(self) -> Variables {
        self().variables()
    }
}
