//! Reads bytes as an npz archive.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = slalom::checkpoint::npz::from_bytes(bytes);
});
