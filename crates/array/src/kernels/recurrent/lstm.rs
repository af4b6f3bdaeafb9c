//! Long short-term memory.
use super::{Sizes, by_weights, memory, packed, product, shared, transposed};
use crate::array::Uninit;
use crate::kernels::gemm::GemmElement;
use crate::{Array, Float, Isa, Kernel, Number, Result, dispatch, with_float};

const OP: &str = "lstm";

/// A layer of long short-term memory over a sequence (S. Hochreiter, J. Schmidhuber, 1997): with the gates
/// `i, f, g, o = z + h' recurrent`, the cell state is `c = σ(f) c' + σ(i) tanh(g)` and the output `h = σ(o) tanh(c)`,
/// where `h'` and `c'` are those of the step before.
///
/// `z`, what the inputs and the bias contribute to the gates, has shape `[steps, batch, 4 units]`, the weights
/// `[units, 4 units]`, and `h0` and `c0` `[batch, units]`. Returns `h` and `c` of each step, `[steps, batch, units]`, and
/// the activated gates, which the gradient needs.
///
/// # Errors
/// [`ErrorKind::Shape`](crate::ErrorKind::Shape), if the shapes do not fit;
/// [`ErrorKind::DType`](crate::ErrorKind::DType), if the types differ or are not of floats;
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
///
/// ```
/// use slalom_array::{Array, DType, lstm};
/// let zeros = |shape: &[usize]| Array::zeros(shape, DType::F64);
/// let c0 = Array::ones([1, 1], DType::F64)?;
/// let [h, c, _] = lstm(&zeros(&[1, 1, 4])?, &zeros(&[1, 4])?, &zeros(&[1, 1])?, &c0)?;
/// assert_eq!(c.item()?, 0.5);
/// assert!((h.item()? - 0.5 * 0.5f64.tanh()).abs() < 1e-15);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn lstm(z: &Array, recurrent: &Array, h0: &Array, c0: &Array) -> Result<[Array; 3]> {
    with_float!(OP, z.dtype(), T => forward::<T>(z, recurrent, h0, c0))
}

fn forward<T: Float + Number + GemmElement>(
    z: &Array,
    recurrent: &Array,
    h0: &Array,
    c0: &Array,
) -> Result<[Array; 3]> {
    let sizes = Sizes::new(OP, z, recurrent, 4)?;
    let (z, h0) = (sizes.expect::<T>(z, &sizes.sequence(4))?, sizes.expect::<T>(h0, &sizes.state())?);
    let c0 = sizes.expect::<T>(c0, &sizes.state())?;
    let units = sizes.units;
    let recurrent = sizes.expect::<T>(recurrent, &[units, 4 * units])?;
    let mut h = Uninit::<T>::new(sizes.sequence(1))?;
    let (mut c, mut gates) = (Uninit::<T>::new(sizes.sequence(1))?, Uninit::<T>::new(sizes.sequence(4))?);
    let [z_at, h0_at, c0_at, weights] = [&z, &h0, &c0, &recurrent].map(shared::<T>);
    let [h_at, c_at, gates_at] = [&mut h, &mut c, &mut gates].map(memory);
    sizes.for_each_share(|samples| {
        let (row, rows) = (samples.start, samples.len());
        // SAFETY: all arrays have the sizes above, and each share has samples of its own.
        unsafe {
            let (mut h, mut c) = (h0_at.get().add(row * units), c0_at.get().add(row * units));
            let weights = packed(weights.get().cast_const(), units, 4 * units);
            for step in 0..sizes.steps {
                let gates = gates_at.get().add(sizes.at(step, row, 4));
                product(packed(h.cast_const(), rows, units), weights, gates, std::ptr::null(), false);
                let state = sizes.at(step, row, 1);
                (h, c) = {
                    let (next_h, next_c) = (h_at.get().add(state), c_at.get().add(state));
                    let z = z_at.get().add(sizes.at(step, row, 4));
                    dispatch(Cell { z, gates, before: c, h: next_h, c: next_c, rows, units });
                    (next_h, next_c)
                };
            }
        }
    });
    // SAFETY: each sample has its results at each step.
    Ok(unsafe { [h.assume_init(), c.assume_init(), gates.assume_init()] })
}

/// One step: `gates` holds what the state before contributes, and gets the activated gates.
struct Cell<T> {
    z: *const T,
    gates: *mut T,
    /// The cell state before.
    before: *const T,
    h: *mut T,
    c: *mut T,
    rows: usize,
    units: usize,
}

impl<T: Float> Kernel for Cell<T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let n = self.units;
        for row in 0..self.rows {
            // SAFETY: the rows exist.
            unsafe {
                let (z, gates) = (self.z.add(row * 4 * n), self.gates.add(row * 4 * n));
                // One loop over gates of a kind after the other: each fills vectors.
                for j in 0..2 * n {
                    *gates.add(j) = (*gates.add(j) + *z.add(j)).sigmoid();
                }
                for j in 2 * n..3 * n {
                    *gates.add(j) = (*gates.add(j) + *z.add(j)).tanh();
                }
                for j in 3 * n..4 * n {
                    *gates.add(j) = (*gates.add(j) + *z.add(j)).sigmoid();
                }
                let (before, h, c) = (self.before.add(row * n), self.h.add(row * n), self.c.add(row * n));
                for j in 0..n {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| *gates.add(gate * n + j));
                    let state = f * *before.add(j) + i * g;
                    c.add(j).write(state);
                    h.add(j).write(o * state.tanh());
                }
            }
        }
    }
}

/// The gradients of [`lstm`] for `z`, the recurrent weights, `h0` and `c0`, from the weights and the initial states, the
/// three results, and the gradients of the first two.
///
/// # Errors
/// As [`lstm`].
pub fn lstm_grad(
    recurrent: &Array,
    initial: [&Array; 2],
    results: [&Array; 3],
    grads: [&Array; 2],
) -> Result<[Array; 4]> {
    with_float!(OP, recurrent.dtype(), T => backward::<T>(recurrent, initial, results, grads))
}

fn backward<T: Float + Number + GemmElement>(
    recurrent: &Array,
    [h0, c0]: [&Array; 2],
    [h, c, gates]: [&Array; 3],
    [by_h, by_c]: [&Array; 2],
) -> Result<[Array; 4]> {
    let sizes = Sizes::new(OP, gates, recurrent, 4)?;
    let (units, state, sequence) = (sizes.units, sizes.state(), sizes.sequence(1));
    let (h0, c0) = (sizes.expect::<T>(h0, &state)?, sizes.expect::<T>(c0, &state)?);
    let (h, c) = (sizes.expect::<T>(h, &sequence)?, sizes.expect::<T>(c, &sequence)?);
    let (by_h, by_c) = (sizes.expect::<T>(by_h, &sequence)?, sizes.expect::<T>(by_c, &sequence)?);
    let gates = sizes.expect::<T>(gates, &sizes.sequence(4))?;
    recurrent.expect_dtype(OP, T::DTYPE)?;
    let weights = transposed(recurrent)?;
    let mut by_z = Uninit::<T>::new(sizes.sequence(4))?;
    let (mut by_h0, mut by_c0) = (Uninit::<T>::new(state)?, Uninit::<T>::new(state)?);
    let [c0_at, c_at, gates_at, by_h_at, by_c_at, weights_at] =
        [&c0, &c, &gates, &by_h, &by_c, &weights].map(shared::<T>);
    let [by_z_at, by_h0_at, by_c0_at] = [&mut by_z, &mut by_h0, &mut by_c0].map(memory);
    sizes.for_each_share(|samples| {
        let (row, rows) = (samples.start, samples.len());
        // SAFETY: all arrays have the sizes above, and each share has samples of its own.
        unsafe {
            // The gradients of the state after a step through the steps that follow.
            let [h_later, c_later] = [by_h0_at, by_c0_at].map(|at| at.get().add(row * units));
            for j in 0..rows * units {
                h_later.add(j).write(<T as Float>::ZERO);
                c_later.add(j).write(<T as Float>::ZERO);
            }
            let weights = packed(weights_at.get().cast_const(), 4 * units, units);
            for step in (0..sizes.steps).rev() {
                let (at, wide) = (sizes.at(step, row, 1), sizes.at(step, row, 4));
                let before = match step {
                    0 => c0_at.get().add(row * units),
                    _ => c_at.get().add(sizes.at(step - 1, row, 1)),
                };
                let by_z = by_z_at.get().add(wide);
                dispatch(CellGradient {
                    gates: gates_at.get().add(wide),
                    before,
                    c: c_at.get().add(at),
                    by_h: by_h_at.get().add(at),
                    by_c: by_c_at.get().add(at),
                    h_later,
                    c_later,
                    by_z,
                    rows,
                    units,
                });
                let by_gates = packed(by_z.cast_const(), rows, 4 * units);
                product(by_gates, weights, h_later, std::ptr::null(), false);
            }
        }
    });
    // SAFETY: each sample has its gradients at each step.
    let [by_z, by_h0, by_c0] = unsafe { [by_z.assume_init(), by_h0.assume_init(), by_c0.assume_init()] };
    let by_recurrent = by_weights::<T>(&sizes, &h0, &h, &by_z)?;
    Ok([by_z, by_recurrent, by_h0, by_c0])
}

/// One step backwards.
struct CellGradient<T> {
    gates: *const T,
    /// The cell state before and after.
    before: *const T,
    c: *const T,
    /// The gradients of the results of this step.
    by_h: *const T,
    by_c: *const T,
    /// The gradients of the state through later steps; that of the cell is replaced by the one for the step before.
    h_later: *const T,
    c_later: *mut T,
    by_z: *mut T,
    rows: usize,
    units: usize,
}

impl<T: Float> Kernel for CellGradient<T> {
    type Output = ();
    const WIDEST: Isa = Isa::Avx2;
    #[inline(always)]
    fn run(self) {
        let n = self.units;
        for row in 0..self.rows {
            // SAFETY: the rows exist.
            unsafe {
                let (gates, by_z) = (self.gates.add(row * 4 * n), self.by_z.add(row * 4 * n));
                for j in 0..n {
                    let at = row * n + j;
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| *gates.add(gate * n + j));
                    let by_h = *self.by_h.add(at) + *self.h_later.add(at);
                    let t = (*self.c.add(at)).tanh();
                    let by_c = by_h * o * (T::ONE - t * t) + *self.c_later.add(at) + *self.by_c.add(at);
                    by_z.add(j).write(by_c * g * i * (T::ONE - i));
                    by_z.add(n + j).write(by_c * *self.before.add(at) * f * (T::ONE - f));
                    by_z.add(2 * n + j).write(by_c * i * (T::ONE - g * g));
                    by_z.add(3 * n + j).write(by_h * t * o * (T::ONE - o));
                    *self.c_later.add(at) = by_c * f;
                }
            }
        }
    }
}
