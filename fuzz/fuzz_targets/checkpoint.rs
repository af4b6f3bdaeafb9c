//! Reads bytes as a checkpoint, with their own checksum put in, so that what lies behind it is reached too.
#![no_main]
use slalom::checkpoint::Checkpoint;
use slalom::optimizers::Adam;
use slalom::{Optimizer, Variable};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = restore(bytes);
    // The error of a wrong checksum says the right one.
    if let Err(error) = Checkpoint::from_bytes(bytes)
        && error.got().len() == 64
        && bytes.len() > 101
    {
        let mut sealed = bytes.to_vec();
        sealed[37..101].copy_from_slice(error.got().as_bytes());
        let _ = restore(&sealed);
    }
});

fn restore(bytes: &[u8]) -> slalom::Result<()> {
    let checkpoint = Checkpoint::from_bytes(bytes)?;
    let variable = Variable::new(1.0f32).named("w");
    let mut optimizer = Optimizer::new(Adam::new(0.1))?;
    checkpoint.restore().optimizer(&mut optimizer, [&variable])?.apply()
}
