//! What the targets do with bytes; `tests/seeds.rs` does the same with the seeds.
use slalom::checkpoint::{Checkpoint, config, npz};
use slalom::optimizers::Adam;
use slalom::{Optimizer, Variable};

/// Reads bytes as a checkpoint, with their own checksum put in, so that what lies behind it is reached too.
pub(crate) fn checkpoint(bytes: &[u8]) {
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
}

fn restore(bytes: &[u8]) -> slalom::Result<()> {
    let checkpoint = Checkpoint::from_bytes(bytes)?;
    let variable = Variable::new(1.0f32).named("w");
    let mut optimizer = Optimizer::new(Adam::new(0.1))?;
    checkpoint.restore().optimizer(&mut optimizer, [&variable])?.apply()
}

/// Reads bytes as the configuration of an optimizer; one that is read comes back from its own.
pub(crate) fn config(bytes: &[u8]) {
    if let Ok(optimizer) = config::from_bytes(bytes).and_then(|json| Optimizer::deserialize(&json)) {
        let again = optimizer.serialize().expect("a config");
        let again = Optimizer::deserialize(&again).expect("an equal optimizer");
        assert_eq!(again.get_config().expect("a config"), optimizer.get_config().expect("a config"));
    }
}

/// Reads bytes as an npz archive.
pub(crate) fn npz(bytes: &[u8]) {
    let _ = npz::from_bytes(bytes);
}
