//! Gradient tapes.
use crate::backward::backward;
use crate::session::{self, MAX_TAPES, VariableId};
use crate::sources::{Sources, Targets};
use crate::{Gradient, Tensor};
use slalom_array::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

/// What to return for a source that the target does not depend on (`tf.UnconnectedGradients`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnconnectedGradients {
    /// `None`.
    #[default]
    None,
    /// Zeros of the source's shape.
    Zero,
}

/// Options of [`GradientTape::gradient_with`].
#[derive(Debug, Clone, Default)]
pub struct GradientOptions {
    output_gradients: Option<Vec<Tensor>>,
    unconnected: UnconnectedGradients,
}

impl GradientOptions {
    /// The defaults: the gradient of the sum of all elements of all targets, `None` for what is unconnected.
    pub fn new() -> GradientOptions {
        GradientOptions::default()
    }

    /// Weights of the targets' elements, one tensor for each target, of its shape (default: ones).
    #[must_use]
    pub fn output_gradients(mut self, gradients: impl IntoIterator<Item = Tensor>) -> GradientOptions {
        self.output_gradients = Some(gradients.into_iter().collect());
        self
    }

    /// What to return for sources that the target does not depend on.
    #[must_use]
    pub fn unconnected_gradients(mut self, unconnected: UnconnectedGradients) -> GradientOptions {
        self.unconnected = unconnected;
        self
    }
}

/// A tape that lives on the thread that made it. Dropping it, also by a panic, stops it.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) bit: u64,
    start: Cell<usize>,
    watched: RefCell<Vec<u32>>,
    automatic: bool,
    /// Tapes are bound to their thread.
    thread: PhantomData<*const ()>,
}

impl Tape {
    pub(crate) fn new(automatic: bool) -> Tape {
        let (bit, start) = session::open(session::free_bit, automatic);
        Tape { bit, start: Cell::new(start), watched: RefCell::default(), automatic, thread: PhantomData }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.bit != 0 {
            return Ok(());
        }
        let expected = format!("at most {MAX_TAPES} living tapes on one thread");
        Err(Error::new(ErrorKind::State, "GradientTape", expected, "one more"))
    }

    pub(crate) fn watch(&self, tensor: &Tensor) -> Tensor {
        session::watch(self.bit, tensor)
    }

    pub(crate) fn watch_variable(&self, id: &VariableId) {
        let id = session::watch_variable(self.bit, id);
        self.watched.borrow_mut().push(id);
    }

    pub(crate) fn stop_recording<R>(&self, f: impl FnOnce() -> R) -> R {
        let _pause = Pause::new(self.bit);
        f()
    }

    fn reset(&self) {
        session::close(self.bit, self.start.get(), &self.watched.take());
        let (_, start) = session::open(|_| self.bit, self.automatic);
        self.start.set(start);
    }

    /// The gradient; the tape does not record meanwhile.
    fn gradient<S: Sources>(
        &self,
        target: &impl Targets,
        sources: S,
        options: &GradientOptions,
        last: bool,
    ) -> Result<S::Gradients> {
        self.check()?;
        let _pause = Pause::new(self.bit);
        let keys = sources.keys();
        let mut gradients =
            backward(self.bit, &target.tensors(), options.output_gradients.as_deref(), &keys, last)?;
        if options.unconnected == UnconnectedGradients::Zero {
            for (gradient, key) in gradients.iter_mut().zip(&keys) {
                if gradient.is_none() {
                    *gradient = Some(Gradient::Dense(key.zeros()?));
                }
            }
        }
        Ok(sources.collect(gradients))
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        session::close(self.bit, self.start.get(), &self.watched.take());
    }
}

/// Keeps a tape from recording while it lives.
pub(crate) struct Pause {
    bit: u64,
}

impl Pause {
    pub(crate) fn new(bit: u64) -> Pause {
        let bit = session::recording() & bit;
        session::set_recording(session::recording() & !bit);
        Pause { bit }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        session::set_recording(session::recording() | self.bit);
    }
}

macro_rules! tape_methods {
    () => {
        /// Has the tape record what depends on `tensor`, and returns the handle to compute with: gradients with
        /// respect to *it* can be asked for. What was computed before from `tensor` stays unknown to the tape.
        ///
        /// What does not hold floating-point numbers is not watched: as in TensorFlow, its gradient is `None`.
        #[must_use = "gradients are those with respect to the returned handle; `tensor` itself stays unwatched"]
        pub fn watch(&self, tensor: &Tensor) -> Tensor {
            self.0.watch(tensor)
        }

        /// Has the tape watch a variable from its next read on, trainable or not: `tape.watch_variable(v.id())`.
        pub fn watch_variable(&self, id: &VariableId) {
            self.0.watch_variable(id)
        }

        /// Runs `f` without recording.
        ///
        /// ```
        /// # use slalom_autograd::{GradientTape, Tensor};
        /// let tape = GradientTape::new();
        /// let x = tape.watch(&Tensor::scalar(3.0f32));
        /// let q = tape.stop_recording(|| &x * &x);
        /// let gradient = tape.gradient(&(&x * &q), &x)?.unwrap().to_dense()?;
        /// assert_eq!(gradient.item()?, 9.0);
        /// # Ok::<(), slalom_array::Error>(())
        /// ```
        pub fn stop_recording<R>(&self, f: impl FnOnce() -> R) -> R {
            self.0.stop_recording(f)
        }

        /// Forgets everything recorded and watched so far.
        pub fn reset(&self) {
            self.0.reset()
        }
    };
}

/// Records what is computed from watched tensors and from trainable variables, for one [`gradient`]
/// (`tf.GradientTape`).
///
/// It records from [`new`](GradientTape::new) until it is dropped or `gradient` consumes it. Tapes nest: an outer tape
/// records the backward pass of an inner one, which gives higher derivatives.
///
/// ```
/// use slalom_autograd::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(3.0f64));
/// let y = &x * &x;
/// let gradient = tape.gradient(&y, &x)?.unwrap().to_dense()?;
/// assert_eq!(gradient.item()?, 6.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
///
/// A second `gradient` of the same tape does not compile; [`PersistentGradientTape`] allows it:
///
/// ```compile_fail
/// # use slalom_autograd::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(3.0f64));
/// let y = &x * &x;
/// tape.gradient(&y, &x).unwrap();
/// tape.gradient(&y, &x).unwrap();
/// ```
///
/// A tape records the thread that made it. Values may go to another thread, where they are constants:
///
/// ```
/// # use slalom_autograd::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(3.0f64));
/// std::thread::spawn(move || drop(x)).join().unwrap();
/// ```
///
/// The tape itself may not:
///
/// ```compile_fail
/// # use slalom_autograd::{GradientTape, Tensor};
/// let tape = GradientTape::new();
/// let x = tape.watch(&Tensor::scalar(3.0f64));
/// std::thread::spawn(move || drop(tape)).join().unwrap();
/// ```
///
/// [`gradient`]: GradientTape::gradient
#[derive(Debug)]
#[must_use = "a tape records only while it lives"]
pub struct GradientTape(pub(crate) Tape);

impl GradientTape {
    /// A tape that records from now on, and watches each trainable variable that is read.
    #[allow(clippy::new_without_default, reason = "making a tape has an effect")]
    pub fn new() -> GradientTape {
        GradientTape(Tape::new(true))
    }

    /// A tape that watches only what it is told to (`watch_accessed_variables=False`).
    pub fn unwatched() -> GradientTape {
        GradientTape(Tape::new(false))
    }

    /// A tape whose [`gradient`](PersistentGradientTape::gradient) can be asked for more than once.
    pub fn persistent() -> PersistentGradientTape {
        PersistentGradientTape(Tape::new(true))
    }

    tape_methods!();

    /// The gradient of the sum of all elements of `target` with respect to `sources`.
    ///
    /// `target` is a tensor or a list of them; `sources` are tensors or variables, and the answer has their form: one
    /// for `&x`, an array for `[&x, &y]`, a `Vec` for a slice or `Vec`. A gradient is `None` where the target does not
    /// depend on the source, and sparse where rows were gathered from it.
    ///
    /// # Errors
    /// [`ErrorKind::Gradient`], if an op on the way has no gradient; errors of the ops of the backward pass.
    pub fn gradient<S: Sources>(self, target: &impl Targets, sources: S) -> Result<S::Gradients> {
        self.0.gradient(target, sources, &GradientOptions::default(), true)
    }

    /// As [`gradient`](GradientTape::gradient), with options.
    ///
    /// # Errors
    /// As [`gradient`](GradientTape::gradient); also [`ErrorKind::Shape`] or [`ErrorKind::DType`] if output gradients
    /// do not fit the targets.
    pub fn gradient_with<S: Sources>(
        self,
        target: &impl Targets,
        sources: S,
        options: &GradientOptions,
    ) -> Result<S::Gradients> {
        self.0.gradient(target, sources, options, true)
    }
}

/// A tape whose gradient can be asked for any number of times; see [`GradientTape`]. It keeps everything that it has
/// recorded until it is dropped or [`reset`](PersistentGradientTape::reset).
#[derive(Debug)]
#[must_use = "a tape records only while it lives"]
pub struct PersistentGradientTape(pub(crate) Tape);

impl PersistentGradientTape {
    /// A persistent tape that watches only what it is told to.
    pub fn unwatched() -> PersistentGradientTape {
        PersistentGradientTape(Tape::new(false))
    }

    tape_methods!();

    /// As [`GradientTape::gradient`]; the tape itself does not record this backward pass.
    ///
    /// # Errors
    /// As [`GradientTape::gradient`].
    pub fn gradient<S: Sources>(&self, target: &impl Targets, sources: S) -> Result<S::Gradients> {
        self.0.gradient(target, sources, &GradientOptions::default(), false)
    }

    /// As [`GradientTape::gradient_with`].
    ///
    /// # Errors
    /// As [`GradientTape::gradient_with`].
    pub fn gradient_with<S: Sources>(
        &self,
        target: &impl Targets,
        sources: S,
        options: &GradientOptions,
    ) -> Result<S::Gradients> {
        self.0.gradient(target, sources, options, false)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::GradientTape {}
    impl Sealed for super::PersistentGradientTape {}
}

/// A tape of either kind.
pub trait AnyTape: sealed::Sealed {
    #[doc(hidden)]
    #[allow(private_interfaces, reason = "for this crate alone")]
    fn tape(&self) -> &Tape;

    /// The last gradient that is asked of the tape.
    ///
    /// # Errors
    /// As [`GradientTape::gradient_with`].
    fn last_gradient<S: Sources>(
        self,
        target: &impl Targets,
        sources: S,
        options: &GradientOptions,
    ) -> Result<S::Gradients>;
}

macro_rules! any_tape {
    ($($Tape:ident),*) => {$(
        impl AnyTape for $Tape {
            #[allow(private_interfaces, reason = "for this crate alone")]
            #[inline]
            fn tape(&self) -> &Tape {
                &self.0
            }

            fn last_gradient<S: Sources>(
                self,
                target: &impl Targets,
                sources: S,
                options: &GradientOptions,
            ) -> Result<S::Gradients> {
                self.0.gradient(target, sources, options, true)
            }
        }
    )*};
}
any_tape!(GradientTape, PersistentGradientTape);
