//! See `readers.rs`.
#![no_main]
#[path = "../readers.rs"]
#[allow(dead_code, reason = "each target reads in one of the ways")]
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readers::checkpoint(bytes));
