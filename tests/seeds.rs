//! The fuzz targets' seeds go through the readers as hostile bytes do: whole, cut short, and with single bits flipped.
#[path = "../fuzz/readers.rs"]
mod readers;

use std::fs;
use std::path::Path;

type Reader = fn(&[u8]);

#[test]
fn no_seed_makes_a_reader_panic() -> std::io::Result<()> {
    let targets: [(&str, Reader); 3] =
        [("checkpoint", readers::checkpoint), ("npz", readers::npz), ("config", readers::config)];
    for (target, read) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
        let mut seeds = 0;
        for entry in fs::read_dir(folder)? {
            let bytes = fs::read(entry?.path())?;
            read(&bytes);
            let step = bytes.len().div_ceil(200).max(1);
            for place in (0..bytes.len()).step_by(step) {
                read(&bytes[..place]);
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << (place % 8);
                read(&flipped);
            }
            seeds += 1;
        }
        assert!(seeds > 0, "{target} has seeds");
    }
    Ok(())
}
