//! Gated recurrent units.
use super::{Sizes, by_weights, memory, packed, product, shared, transposed};
use crate::array::Uninit;
use crate::kernels::gemm::GemmElement;
use crate::{Array, Float, Isa, Kernel, Number, Reduction, Result, dispatch, reduce, with_float};

const OP: &str = "gru";

/// A layer of gated recurrent units over a sequence, whose reset gate acts after the product (K. Cho et al., 2014, as
/// Keras's `reset_after=True`): with `s = h' recurrent + bias`, the gates are `u = σ(z₀ + s₀)` and `r = σ(z₁ + s₁)`, the
/// candidate `k = tanh(z₂ + r s₂)`, and the output `h = u h' + (1 - u) k`, where `h'` is that of the step before.
///
/// `z`, what the inputs and their bias contribute, has shape `[steps, batch, 3 units]`, the weights `[units, 3 units]`,
/// `bias` `[3 units]` and `h0` `[batch, units]`. Returns `h` of each step, `[steps, batch, units]`, and `u`, `r`, `k` and
/// `s₂`, `[steps, batch, 4 units]`, which the gradient needs.
///
/// # Errors
/// [`ErrorKind::Shape`](crate::ErrorKind::Shape), if the shapes do not fit;
/// [`ErrorKind::DType`](crate::ErrorKind::DType), if the types differ or are not of floats;
/// [`ErrorKind::Memory`](crate::ErrorKind::Memory).
///
/// ```
/// use slalom_array::{Array, DType, gru};
/// let zeros = |shape: &[usize]| Array::zeros(shape, DType::F64);
/// let h0 = Array::ones([1, 1], DType::F64)?;
/// let [h, _] = gru(&zeros(&[1, 1, 3])?, &zeros(&[1, 3])?, &zeros(&[3])?, &h0)?;
/// assert_eq!(h.item()?, 0.5);
/// # Ok::<(), slalom_array::Error>(())
/// ```
pub fn gru(z: &Array, recurrent: &Array, bias: &Array, h0: &Array) -> Result<[Array; 2]> {
    with_float!(OP, z.dtype(), T => forward::<T>(z, recurrent, bias, h0))
}

fn forward<T: Float + Number + GemmElement>(
    z: &Array,
    recurrent: &Array,
    bias: &Array,
    h0: &Array,
) -> Result<[Array; 2]> {
    let sizes = Sizes::new(OP, z, recurrent, 3)?;
    let units = sizes.units;
    let (z, h0) = (sizes.expect::<T>(z, &sizes.sequence(3))?, sizes.expect::<T>(h0, &sizes.state())?);
    let bias = sizes.expect::<T>(bias, &[3 * units])?;
    let recurrent = sizes.expect::<T>(recurrent, &[units, 3 * units])?;
    let (mut h, mut gates) = (Uninit::<T>::new(sizes.sequence(1))?, Uninit::<T>::new(sizes.sequence(4))?);
    let [z_at, h0_at, bias_at, weights] = [&z, &h0, &bias, &recurrent].map(shared::<T>);
    let [h_at, gates_at] = [&mut h, &mut gates].map(memory);
    sizes.for_each_share(|samples| {
        let (row, rows) = (samples.start, samples.len());
        let mut space = Uninit::<T>::new([rows, 3 * units]).expect("memory for a share");
        let s = memory(&mut space).get();
        // SAFETY: all arrays have the sizes above, and each share has samples of its own.
        unsafe {
            let mut before = h0_at.get().add(row * units);
            let weights = packed(weights.get().cast_const(), units, 3 * units);
            for step in 0..sizes.steps {
                product(packed(before.cast_const(), rows, units), weights, s, bias_at.get(), false);
                let z = z_at.get().add(sizes.at(step, row, 3));
                let gates = gates_at.get().add(sizes.at(step, row, 4));
                let h = h_at.get().add(sizes.at(step, row, 1));
                dispatch(Cell { z, s, before, gates, h, rows, units });
                before = h;
            }
        }
    });
    // SAFETY: each sample has its results at each step.
    Ok(unsafe { [h.assume_init(), gates.assume_init()] })
}

/// One step.
struct Cell<T> {
    z: *const T,
    s: *const T,
    before: *const T,
    gates: *mut T,
    h: *mut T,
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
                let (z, s) = (self.z.add(row * 3 * n), self.s.add(row * 3 * n));
                let (gates, before, h) =
                    (self.gates.add(row * 4 * n), self.before.add(row * n), self.h.add(row * n));
                for j in 0..2 * n {
                    gates.add(j).write((*z.add(j) + *s.add(j)).sigmoid());
                }
                for j in 0..n {
                    let (u, r, product) = (*gates.add(j), *gates.add(n + j), *s.add(2 * n + j));
                    let candidate = (*z.add(2 * n + j) + r * product).tanh();
                    gates.add(2 * n + j).write(candidate);
                    gates.add(3 * n + j).write(product);
                    h.add(j).write(u * *before.add(j) + (T::ONE - u) * candidate);
                }
            }
        }
    }
}

/// The gradients of [`gru`] for `z`, the recurrent weights, `bias` and `h0`, from the weights and the initial state, the
/// two results, and the gradient of the first.
///
/// # Errors
/// As [`gru`].
pub fn gru_grad(recurrent: &Array, h0: &Array, results: [&Array; 2], by_h: &Array) -> Result<[Array; 4]> {
    with_float!(OP, recurrent.dtype(), T => backward::<T>(recurrent, h0, results, by_h))
}

fn backward<T: Float + Number + GemmElement>(
    recurrent: &Array,
    h0: &Array,
    [h, gates]: [&Array; 2],
    by_h: &Array,
) -> Result<[Array; 4]> {
    let units = h0.shape().last().copied().unwrap_or(0);
    let &[steps, batch, _] = &gates.shape()[..] else {
        return Err(crate::Error::new(crate::ErrorKind::Shape, OP, "gates of three axes", gates.shape()));
    };
    let sizes = Sizes { op: OP, steps, batch, units, gates: 3 };
    let (h0, h) = (sizes.expect::<T>(h0, &sizes.state())?, sizes.expect::<T>(h, &sizes.sequence(1))?);
    let gates = sizes.expect::<T>(gates, &sizes.sequence(4))?;
    let by_h = sizes.expect::<T>(by_h, &sizes.sequence(1))?;
    let weights = transposed(&sizes.expect::<T>(recurrent, &[units, 3 * units])?)?;
    let (mut by_z, mut by_s) = (Uninit::<T>::new(sizes.sequence(3))?, Uninit::<T>::new(sizes.sequence(3))?);
    let mut by_h0 = Uninit::<T>::new(sizes.state())?;
    let [h0_at, h_at, gates_at, by_h_at, weights_at] = [&h0, &h, &gates, &by_h, &weights].map(shared::<T>);
    let [by_z_at, by_s_at, by_h0_at] = [&mut by_z, &mut by_s, &mut by_h0].map(memory);
    sizes.for_each_share(|samples| {
        let (row, rows) = (samples.start, samples.len());
        // SAFETY: all arrays have the sizes above, and each share has samples of its own.
        unsafe {
            // The gradient of the state after a step through the steps that follow.
            let later = by_h0_at.get().add(row * units);
            for j in 0..rows * units {
                later.add(j).write(<T as Float>::ZERO);
            }
            let weights = packed(weights_at.get().cast_const(), 3 * units, units);
            for step in (0..sizes.steps).rev() {
                let at = sizes.at(step, row, 3);
                let before = match step {
                    0 => h0_at.get().add(row * units),
                    _ => h_at.get().add(sizes.at(step - 1, row, 1)),
                };
                let (by_z, by_s) = (by_z_at.get().add(at), by_s_at.get().add(at));
                dispatch(CellGradient {
                    gates: gates_at.get().add(sizes.at(step, row, 4)),
                    before,
                    by_h: by_h_at.get().add(sizes.at(step, row, 1)),
                    later,
                    by_z,
                    by_s,
                    rows,
                    units,
                });
                product(packed(by_s.cast_const(), rows, 3 * units), weights, later, std::ptr::null(), true);
            }
        }
    });
    // SAFETY: each sample has its gradients at each step.
    let [by_z, by_s, by_h0] = unsafe { [by_z.assume_init(), by_s.assume_init(), by_h0.assume_init()] };
    let by_recurrent = by_weights::<T>(&sizes, &h0, &h, &by_s)?;
    let by_bias = reduce(Reduction::Sum, &by_s, &[0, 1], false)?;
    Ok([by_z, by_recurrent, by_bias, by_h0])
}

/// One step backwards.
struct CellGradient<T> {
    gates: *const T,
    before: *const T,
    /// The gradient of the result of this step.
    by_h: *const T,
    /// The gradient of the state through later steps; replaced by its part that does not pass the products.
    later: *mut T,
    by_z: *mut T,
    by_s: *mut T,
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
                let gates = self.gates.add(row * 4 * n);
                let (by_z, by_s) = (self.by_z.add(row * 3 * n), self.by_s.add(row * 3 * n));
                for j in 0..n {
                    let at = row * n + j;
                    let [u, r, k, product] = [0, 1, 2, 3].map(|part| *gates.add(part * n + j));
                    let by_h = *self.by_h.add(at) + *self.later.add(at);
                    let by_u = by_h * (*self.before.add(at) - k) * u * (T::ONE - u);
                    let by_k = by_h * (T::ONE - u) * (T::ONE - k * k);
                    let by_r = by_k * product * r * (T::ONE - r);
                    by_z.add(j).write(by_u);
                    by_s.add(j).write(by_u);
                    by_z.add(n + j).write(by_r);
                    by_s.add(n + j).write(by_r);
                    by_z.add(2 * n + j).write(by_k);
                    by_s.add(2 * n + j).write(by_k * r);
                    *self.later.add(at) = by_h * u;
                }
            }
        }
    }
}
