//! Memory that is alive, array memory and all other: counted by the allocator of this program, so there is one test in
//! it.
use slalom_array::{DType, Result, memory};
use slalom_autograd::{ForwardAccumulator, GradientTape, Tensor, Trace, custom_gradient, recompute_grad};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

fn count(bytes: isize) {
    LIVE.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: memory comes from the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A step with all that leaves something behind while it runs: nested tapes, an op that cuts, closures, forward mode.
fn step(x: &Tensor) -> Result<f64> {
    let (outer, inner) = (GradientTape::new(), GradientTape::new());
    let x = inner.watch(&outer.watch(x));
    let positive = x.greater(Tensor::scalar(0.0))?.cast(DType::F64)?;
    let y = recompute_grad([&(&x * positive)], |[x]| x.tanh()?.exp())?;
    let z = custom_gradient([&y], |[y]| {
        let own = y.clone();
        Ok((y * y, move |g: &Tensor| Ok([2.0 * g * &own])))
    })?;
    let first = inner.gradient(&z, &x)?.unwrap().into_dense()?;
    let second = outer.gradient(&first, &x)?.unwrap().into_dense()?;
    let accumulator = ForwardAccumulator::new(&second, &second)?;
    let w = accumulator.primals()[0].square();
    accumulator.jvp(&w)?.unwrap().sum().item()
}

fn a_hundred_thousand_steps_leave_nothing() -> Result<()> {
    let x = Tensor::from_vec([3], vec![0.5, -0.25, 1.0])?;
    let first = step(&x)?;
    for _ in 1..10 {
        step(&x)?;
    }
    let live = || (LIVE.load(Ordering::Relaxed), memory::stats().allocated_bytes);
    let after_ten = live();
    for _ in 10..100_000 {
        assert_eq!(step(&x)?.to_bits(), first.to_bits());
    }
    assert_eq!(live(), after_ten);
    Ok(())
}

fn a_long_lived_tape_does_not_grow_by_what_comes_and_goes() -> Result<()> {
    let tape = GradientTape::persistent();
    let x = tape.watch(&Tensor::scalar(0.5));
    let y = x.square();
    let own = Tensor::from_vec([3], vec![0.5, -0.25, 1.0])?;
    let pass = || -> Result<()> {
        step(&own)?;
        tape.gradient(&y, &x)?;
        let trace = Trace::new()?;
        let z = own.exp()?.round()?;
        trace.finish(&[&z])?.run()?;
        Ok(())
    };
    (0..10).try_for_each(|_| pass())?;
    let before = LIVE.load(Ordering::Relaxed);
    (0..1000).try_for_each(|_| pass())?;
    assert_eq!(LIVE.load(Ordering::Relaxed), before);
    Ok(())
}

/// Blocks of element-wise ops, one after the other.
fn chain(x: &Tensor, recompute: bool) -> Result<Tensor> {
    let block = |x: &Tensor| (x.tanh()? * 1.5).sin()?.tanh()?.cos()?.square().tanh();
    let mut h = x.clone();
    for _ in 0..16 {
        h = if recompute { recompute_grad([&h], move |[h]| block(h))? } else { block(&h)? };
    }
    Ok(h)
}

fn recomputation_keeps_less() -> Result<()> {
    const N: usize = 1 << 16;
    let x = Tensor::from_vec([N], (0..N).map(|i| (i as f32).sin()).collect())?;
    let run = |recompute: bool| -> Result<(usize, usize, Vec<f32>)> {
        memory::trim();
        let before = memory::stats().allocated_bytes;
        let tape = GradientTape::new();
        let x = tape.watch(&x);
        let y = chain(&x, recompute)?;
        let kept = tape.summary().kept_bytes();
        let gradient = tape.gradient(&y, &x)?.unwrap().into_dense()?;
        // Blocks go back to the pool, which keeps them: what it has at the end is the most that was alive.
        Ok((kept, memory::stats().allocated_bytes - before, gradient.to_vec()?))
    };
    let array = N * size_of::<f32>();
    let (plain_kept, plain_peak, plain) = run(false)?;
    let (kept, peak, recomputed) = run(true)?;
    assert!(plain_kept >= 5 * 16 * array, "{plain_kept}");
    // The inputs of the blocks, which nothing else holds.
    assert_eq!(kept, 16 * array);
    assert!(peak * 3 < plain_peak, "{peak} bytes with recomputation, {plain_peak} without");
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&plain), bits(&recomputed));
    println!("kept {kept} of {plain_kept} bytes; at most {peak} of {plain_peak} alive");
    Ok(())
}

#[test]
fn live_memory() -> Result<()> {
    recomputation_keeps_less()?;
    a_long_lived_tape_does_not_grow_by_what_comes_and_goes()?;
    a_hundred_thousand_steps_leave_nothing()
}
