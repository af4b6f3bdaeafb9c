//! Variables: shared, named, mutable tensors.
use crate::Constraint;
use slalom_array::{Array, DType, Error, ErrorKind, Result, Shape};
use slalom_autograd::{
    AsTensor, Gradients, Op, Outputs, Saves, Source, SourceKey, Tensor, Trace, VariableId, Vjp,
    assign_variable, defer, forget_variable, next_version, notes_assignments, operators, read_variable,
};
use spin::mutex::{SpinMutex, SpinMutexGuard};
use spin::relax::Yield;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A shared, named, mutable tensor of fixed shape and element type: what an optimizer trains (`tf.Variable`).
///
/// Cloning gives another handle to the same variable. Handles may be used from several threads: a reader sees the old
/// or the new value, never half of one. While a tape records, reading a trainable variable has the tape watch it.
///
/// ```
/// use slalom_variable::Variable;
/// let v = Variable::new(2.0f32).named("v");
/// let loss = 3.0 * &v * &v;
/// assert_eq!(loss.item()?, 12.0);
/// v.assign_add(&v.value())?;
/// assert_eq!(v.value().item()?, 4.0);
/// # Ok::<(), slalom_array::Error>(())
/// ```
#[derive(Clone)]
pub struct Variable(Arc<Inner>);

struct Inner {
    id: VariableId,
    name: String,
    shape: Shape,
    dtype: DType,
    trainable: bool,
    constraint: Option<Arc<dyn Constraint>>,
    /// Locked for a few instructions at a time, less than a mutex of the system would take.
    state: SpinMutex<State, Yield>,
    /// Where threads wait for the value to come back.
    gate: Mutex<()>,
    /// Signalled when an update puts the value back.
    returned: Condvar,
}

struct State {
    /// `None` while an update works on the buffer.
    value: Option<Array>,
    version: u64,
    /// Whether a thread waits for the value to come back.
    waiting: bool,
}

type Guard<'a> = SpinMutexGuard<'a, State, Yield>;

impl Inner {
    /// The state with the value in it. Waits for an update to finish: updates never depend on another thread's
    /// progress, so this ends.
    #[inline]
    fn settled(&self) -> Guard<'_> {
        let state = self.state.lock();
        if state.value.is_some() {
            return state;
        }
        drop(state);
        self.wait()
    }

    #[cold]
    fn wait(&self) -> Guard<'_> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut state = self.state.lock();
            if state.value.is_some() {
                return state;
            }
            state.waiting = true;
            drop(state);
            gate = self.returned.wait(gate).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a value in; gives the one that was there.
    #[inline]
    fn put(&self, mut state: Guard<'_>, value: Array) -> Option<Array> {
        let old = state.value.replace(value);
        state.version = next_version();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if waiting {
            // A thread that is about to wait has the gate.
            drop(self.gate.lock());
            self.returned.notify_all();
        }
        old
    }

    #[inline]
    fn read(&self) -> (Array, u64) {
        let state = self.settled();
        (state.value.clone().expect("settled"), state.version)
    }
}

impl Variable {
    /// A trainable variable with this initial value, named `Variable`.
    pub fn new(initial: impl Into<Array>) -> Variable {
        let value = initial.into();
        Variable(Arc::new(Inner {
            id: VariableId::allocate(),
            name: "Variable".to_owned(),
            shape: value.shape().clone(),
            dtype: value.dtype(),
            trainable: true,
            constraint: None,
            state: SpinMutex::new(State { value: Some(value), version: next_version(), waiting: false }),
            gate: Mutex::new(()),
            returned: Condvar::new(),
        }))
    }

    /// Changes what a new variable is; only before its handle has been cloned.
    fn configure(mut self, change: impl FnOnce(&mut Inner)) -> Variable {
        change(Arc::get_mut(&mut self.0).expect("a variable is configured before its handle is cloned"));
        self
    }

    /// The same variable under another name. Names need not be unique; they name slots and appear in messages.
    ///
    /// # Panics
    /// If the handle has been cloned.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Variable {
        self.configure(|inner| inner.name = name.into())
    }

    /// The same variable, which tapes do not watch by themselves; see [`id`](Variable::id) for how to have it watched.
    ///
    /// # Panics
    /// If the handle has been cloned.
    #[must_use]
    pub fn untrainable(self) -> Variable {
        self.configure(|inner| inner.trainable = false)
    }

    /// The same variable with a constraint: optimizers apply it after each update.
    ///
    /// # Panics
    /// If the handle has been cloned.
    #[must_use]
    pub fn constrained(self, constraint: impl Constraint + 'static) -> Variable {
        self.configure(|inner| inner.constraint = Some(Arc::new(constraint)))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The shape, which never changes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// The element type, which never changes.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.0.dtype
    }

    /// Whether tapes watch the variable by themselves, and models list it among their trainable variables.
    pub fn is_trainable(&self) -> bool {
        self.0.trainable
    }

    /// The constraint that optimizers apply after each update.
    pub fn constraint(&self) -> Option<&dyn Constraint> {
        self.0.constraint.as_deref()
    }

    /// The number under which tapes know the variable, for `watch_variable`; unique while the variable lives.
    ///
    /// ```
    /// # use slalom_autograd::GradientTape;
    /// # use slalom_variable::Variable;
    /// let step_size = Variable::new(3.0f32).untrainable();
    /// let tape = GradientTape::new();
    /// tape.watch_variable(step_size.id());
    /// let gradient = tape.gradient(&(&step_size * &step_size), &step_size)?.unwrap().to_dense()?;
    /// assert_eq!(gradient.item()?, 6.0);
    /// # Ok::<(), slalom_array::Error>(())
    /// ```
    #[inline]
    pub fn id(&self) -> &VariableId {
        &self.0.id
    }

    /// Whether both handles are of one variable.
    #[inline]
    pub fn same(&self, other: &Variable) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The value. A read, which tapes and traces record.
    #[inline]
    pub fn value(&self) -> Tensor {
        let (value, version) = self.0.read();
        read_variable(&self.0.id, version, self.0.trainable, value, || self.0.clone())
    }

    /// The value as an array: a read that nothing records.
    ///
    /// # Panics
    /// While this thread records a trace: what the program does next would be fixed by a value that changes from run to
    /// run.
    #[inline]
    #[track_caller]
    pub fn array(&self) -> Array {
        self.refuse_in_trace();
        self.0.read().0
    }

    /// Panics as a read of [`value`](Variable::value) on the host does, if a trace records.
    #[inline]
    #[track_caller]
    fn refuse_in_trace(&self) {
        if Trace::is_recording()
            && let Err(error) = self.value().array()
        {
            panic!("{error}");
        }
    }

    /// Replaces the value. While a trace records, the replacement happens at each run instead of now.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] or [`ErrorKind::DType`], if those of `value` are not the variable's.
    pub fn assign(&self, value: impl AsTensor) -> Result<()> {
        let value = value.as_tensor();
        self.check("assign", value.shape(), value.dtype())?;
        let before = || if Trace::is_recording() { self.value() } else { self.array().into() };
        if assign_variable(&self.0.id, before, &value) {
            return Ok(());
        }
        if Trace::is_recording() {
            defer(Assign(self.clone()), &value);
            forget_variable(&self.0.id);
            return Ok(());
        }
        self.store(value.into_owned().into());
        Ok(())
    }

    /// Adds to the value, in place where nothing else holds its memory. No change by another thread is lost.
    ///
    /// # Errors
    /// As [`assign`](Variable::assign).
    pub fn assign_add(&self, delta: impl AsTensor) -> Result<()> {
        self.change("assign_add", &delta.as_tensor(), operators::add, operators::add_assign)
    }

    /// Subtracts from the value, as [`assign_add`](Variable::assign_add) adds to it.
    ///
    /// # Errors
    /// As [`assign`](Variable::assign).
    pub fn assign_sub(&self, delta: impl AsTensor) -> Result<()> {
        self.change("assign_sub", &delta.as_tensor(), operators::sub, operators::sub_assign)
    }

    /// Changes the value by `delta`: now, or, while a trace records, at each run. Where assignments are noted, it is one.
    fn change(
        &self,
        op: &'static str,
        delta: &Tensor,
        traced: impl FnOnce(&Tensor, &Tensor) -> Tensor,
        in_place: impl FnOnce(&mut Array, &Array) -> Result<()>,
    ) -> Result<()> {
        self.check(op, delta.shape(), delta.dtype())?;
        if Trace::is_recording() || notes_assignments() {
            return self.assign(traced(&self.value(), delta));
        }
        let delta = delta.array()?;
        in_place(self.update().array(), delta)
    }

    fn check(&self, op: &'static str, shape: &Shape, dtype: DType) -> Result<()> {
        let error = if *shape != self.0.shape {
            Error::new(ErrorKind::Shape, op, format!("shape {}", self.0.shape), shape)
        } else if dtype != self.0.dtype {
            Error::new(ErrorKind::DType, op, format!("dtype {}", self.0.dtype), dtype)
        } else {
            return Ok(());
        };
        Err(error.context(format_args!("variable {:?}", self.0.name)))
    }

    fn store(&self, value: Array) {
        drop(self.0.put(self.0.settled(), value));
    }

    /// Takes the value out to change it. Readers on other threads wait until the guard is dropped, so nothing that
    /// can take up foreign work may happen meanwhile, least of all a call of user code.
    ///
    /// Where something else holds the memory, changing it copies it first.
    ///
    /// # Panics
    /// While this thread records a trace, as [`array`](Variable::array) does.
    #[inline]
    #[track_caller]
    pub fn update(&self) -> Update<'_> {
        self.refuse_in_trace();
        let value = self.0.settled().value.take();
        Update { variable: &self.0, value }
    }

    /// As [`update`](Variable::update), if nobody else is changing the value: does not wait.
    ///
    /// # Panics
    /// As there.
    #[inline]
    #[track_caller]
    pub fn try_update(&self) -> Option<Update<'_>> {
        self.refuse_in_trace();
        let value = self.0.state.lock().value.take()?;
        Some(Update { variable: &self.0, value: Some(value) })
    }
}

/// The value of a variable, taken out to be changed; dropping it puts the value back.
pub struct Update<'a> {
    variable: &'a Inner,
    value: Option<Array>,
}

impl Update<'_> {
    /// The value, to change in place or to replace by one of the same shape and element type. Optimizers refuse a variable that
    /// holds anything else.
    #[inline]
    pub fn array(&mut self) -> &mut Array {
        self.value.as_mut().expect("held until dropped")
    }
}

impl Drop for Update<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.variable.put(self.variable.state.lock(), value);
        }
    }
}

/// What a trace records of a read: the variable itself, so that a read makes nothing new.
impl Op for Inner {
    fn name(&self) -> &'static str {
        "read_variable"
    }
    fn forward(&self, _inputs: &[&Array]) -> Result<Outputs> {
        Ok([self.read().0].into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, _cx: &Vjp<'_>) -> Result<Gradients> {
        Ok(Gradients::new())
    }
}

/// What a trace records of an assignment.
#[derive(Debug)]
struct Assign(Variable);

impl Op for Assign {
    fn name(&self) -> &'static str {
        "assign_variable"
    }
    fn forward(&self, inputs: &[&Array]) -> Result<Outputs> {
        self.0.store(inputs[0].clone());
        Ok([inputs[0].clone()].into_iter().collect())
    }
    fn saves(&self) -> Saves {
        Saves::Nothing
    }
    fn vjp(&self, cx: &Vjp<'_>) -> Result<Gradients> {
        Err(cx.no_gradient("an assignment"))
    }
    fn is_differentiable(&self) -> bool {
        false
    }
    fn has_effect(&self) -> bool {
        true
    }
}

impl AsTensor for Variable {
    #[inline]
    fn as_tensor(&self) -> Cow<'_, Tensor> {
        Cow::Owned(self.value())
    }
}

impl AsRef<Variable> for Variable {
    fn as_ref(&self) -> &Variable {
        self
    }
}

impl Source for Variable {
    fn key(&self) -> SourceKey<'_> {
        SourceKey::Variable { id: &self.0.id, shape: &self.0.shape, dtype: self.0.dtype }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Variable({:?}, {:?})", self.name, self.read().0)
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

slalom_autograd::operators!(pairs
    Variable, Variable; Variable, &Variable; &Variable, Variable; &Variable, &Variable;
    Variable, Tensor; Variable, &Tensor; &Variable, Tensor; &Variable, &Tensor;
    Tensor, Variable; Tensor, &Variable; &Tensor, Variable; &Tensor, &Variable;
);
slalom_autograd::operators!(scalars Variable, &Variable);
