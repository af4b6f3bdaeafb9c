//! Reads bytes as the configuration of an optimizer.
#![no_main]
use slalom::{Optimizer, checkpoint::config};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(optimizer) = config::from_bytes(bytes).and_then(|json| Optimizer::deserialize(&json)) {
        let again = Optimizer::deserialize(&optimizer.serialize().expect("a config")).expect("an equal optimizer");
        assert_eq!(again.get_config().expect("a config"), optimizer.get_config().expect("a config"));
    }
});
